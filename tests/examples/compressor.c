/* Working memory of a compressor: one buffer that is kept, output that grows by krealloc. */
#include <stdio.h>
#include <string.h>

#include <stitch/slab.h>
#include <stitch/vmalloc.h>

#define PIECE ((size_t)64 << 10)

/* Runs of equal bytes: a length and the byte. Returns how many bytes were written. */
static size_t compress(const unsigned char *from, size_t bytes, unsigned char *to)
{
	size_t written = 0, run;

	for (size_t i = 0; i < bytes; i += run) {
		for (run = 1; run < 255 && i + run < bytes && from[i + run] == from[i];)
			run++;
		to[written++] = (unsigned char)run;
		to[written++] = from[i];
	}
	return written;
}

int main(void)
{
	unsigned char *work = stitch_vmalloc(2 * PIECE); /* the worst case of one piece */
	unsigned char *piece = stitch_kzalloc(PIECE, STITCH_GFP_KERNEL), *out = NULL, *grown;
	size_t bytes = 0, more;

	if (!work || !piece)
		return 1;
	for (unsigned int i = 0; i < 100; i++) {
		memset(piece, (int)i, PIECE / 2);
		more = compress(piece, PIECE, work);
		grown = stitch_krealloc(out, bytes + more, STITCH_GFP_KERNEL);
		if (!grown)
			return 1; /* `out` is still there */
		memcpy(grown + bytes, work, more);
		out = grown;
		bytes += more;
	}
	printf("%zu bytes of %zu\n", bytes, 100 * PIECE);
	stitch_kfree(out);
	stitch_kfree(piece);
	stitch_vfree(work);
	return bytes == 100 * 2 * 258 ? 0 : 2;
}
