/*
 * Every address is 16-byte aligned whatever the size (compilers rely on it), and the aligned forms
 * give what they are asked for up to 128 MiB, for sizes smaller and larger than the alignment.
 */
#include "semantics/check.h"

static void *aligned_to(size_t align, const char *name, size_t bytes, void *block)
{
	CHECK(block, "%s of %zu bytes failed", name, bytes);
	CHECK((uintptr_t)block % align == 0, "%s of %zu bytes gave %p, not %zu-aligned", name,
	      bytes, block, align);
	/* Not only the address must be right: the bytes must be ours. */
	memset(block, 0xa5, bytes);
	return block;
}

static void natural(void)
{
	void *held[2048];
	size_t nr_held = 0;

	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step) {
		void *block = aligned_to(16, "malloc", bytes, malloc(bytes));

		free(aligned_to(16, "calloc", bytes, calloc(bytes, 1)));
		block = aligned_to(16, "realloc", bytes + 7, realloc(block, bytes + 7));
		/* Neighbours stay, so that later blocks lie at odd places. */
		if (nr_held < sizeof(held) / sizeof(held[0]) && bytes < 100000)
			held[nr_held++] = block;
		else
			free(block);
	}
	while (nr_held)
		free(held[--nr_held]);
}

/* Several at once, so that not one lucky place serves all. */
static void asked_for(size_t align, size_t bytes)
{
	void *blocks[12];

	for (unsigned int i = 0; i < 12; i += 3) {
		blocks[i] = aligned_to(align, "memalign", bytes, memalign(align, bytes));
		blocks[i + 1] = aligned_to(align, "aligned_alloc", bytes,
					   aligned_alloc(align, bytes));
		blocks[i + 2] = NULL;
		CHECK(!posix_memalign(&blocks[i + 2], align < 8 ? 8 : align, bytes),
		      "posix_memalign(%zu, %zu)", align, bytes);
		aligned_to(align, "posix_memalign", bytes, blocks[i + 2]);
	}
	for (unsigned int i = 0; i < 12; i++) {
		CHECK(all_bytes_are(blocks[i], 0xa5, bytes), "a block of %zu aligned to %zu was "
		      "overwritten by another", bytes, align);
		free(blocks[i]);
	}
}

/* realloc of an aligned block keeps the contents; the new address is 16-aligned. */
static void moved(size_t align)
{
	static const size_t steps[] = { 10, 100, 1, 5000, 200, 70000, 4097, 3000000, 16, 20000000 };
	unsigned char *block = aligned_to(align, "memalign", 50, memalign(align, 50));
	size_t bytes = 50;

	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		size_t kept = bytes < steps[i] ? bytes : steps[i];

		memset(block, (int)i + 1, bytes);
		block = realloc(block, steps[i]);
		CHECK(block && (uintptr_t)block % 16 == 0, "realloc gave %p", (void *)block);
		CHECK(all_bytes_are(block, (unsigned char)(i + 1), kept),
		      "realloc of a block aligned to %zu lost its contents at %zu bytes", align,
		      steps[i]);
		bytes = steps[i];
	}
	free(block);
}

int main(void)
{
	natural();
	for (unsigned int shift = 0; shift <= 16; shift++) {
		for (size_t bytes = 0; bytes < 300; bytes += 7)
			asked_for((size_t)1 << shift, bytes);
		for (size_t bytes = 300; bytes < 100000; bytes += bytes / 3)
			asked_for((size_t)1 << shift, bytes);
	}
	for (unsigned int shift = 17; shift <= 27; shift++) {
		void *block = memalign((size_t)1 << shift, 1000);

		free(aligned_to((size_t)1 << shift, "memalign", 1000, block));
		block = aligned_alloc((size_t)1 << shift, 3000000);
		free(aligned_to((size_t)1 << shift, "aligned_alloc", 3000000, block));
	}
	for (unsigned int shift = 0; shift <= 21; shift++)
		moved((size_t)1 << shift);
	return 0;
}
