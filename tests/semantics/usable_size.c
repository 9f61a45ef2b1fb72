/*
 * malloc_usable_size: at least what was asked for, the same for the block's whole life, all of it
 * to be written and all of it carried along by realloc.
 */
#include "semantics/check.h"

#define NR_BLOCKS 400

static struct {
	unsigned char *memory;
	size_t usable;
	unsigned char byte;
} blocks[NR_BLOCKS];

static unsigned int nr_blocks;

static void check_and_free(unsigned int i)
{
	CHECK(malloc_usable_size(blocks[i].memory) == blocks[i].usable,
	      "the usable size of a live block changed from %zu to %zu", blocks[i].usable,
	      malloc_usable_size(blocks[i].memory));
	CHECK(all_bytes_are(blocks[i].memory, blocks[i].byte, blocks[i].usable),
	      "the usable %zu bytes of a block were overwritten", blocks[i].usable);
	free(blocks[i].memory);
}

/* Keep it for a while, full to the brim, beside others of its size. */
static void keep(void *memory, size_t bytes)
{
	unsigned int i = nr_blocks++ % NR_BLOCKS;
	size_t usable = malloc_usable_size(memory);

	CHECK(memory, "no block of %zu bytes", bytes);
	CHECK(usable >= bytes, "%zu of %zu bytes are usable", usable, bytes);
	if (blocks[i].memory)
		check_and_free(i);
	blocks[i].memory = (unsigned char *)memory;
	blocks[i].usable = usable;
	blocks[i].byte = (unsigned char)nr_blocks;
	memset(memory, blocks[i].byte, usable);
}

static void carried_by_realloc(size_t bytes)
{
	unsigned char *block = malloc(bytes);
	size_t usable = malloc_usable_size(block);

	memset(block, 0x77, usable);
	block = realloc(block, usable * 2 + 1);
	CHECK(block && all_bytes_are(block, 0x77, usable),
	      "realloc did not copy the %zu usable bytes of malloc(%zu)", usable, bytes);
	free(block);
}

int main(void)
{
	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step) {
		unsigned int nr = bytes < 100000 ? 4 : 1;

		for (unsigned int i = 0; i < nr; i++) {
			keep(malloc(bytes), bytes);
			keep(calloc(1, bytes), bytes);
			keep(memalign(64, bytes), bytes);
		}
		if (bytes < 1000000)
			carried_by_realloc(bytes);
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		check_and_free(i);
	return 0;
}
