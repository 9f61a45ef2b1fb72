/*
 * calloc gives zeros, also when the memory was used before: at every size class, in page runs
 * and in large areas, in this thread and after another thread has dirtied it.
 */
#include <pthread.h>

#include "semantics/check.h"

static void zeroed(size_t bytes)
{
	unsigned char *block = calloc(bytes, 1);

	CHECK(block, "calloc(%zu)", bytes);
	CHECK(all_bytes_are(block, 0, bytes), "calloc(%zu) is not zero", bytes);
	/* Dirty to the end of what the block has. */
	memset(block, 0xff, malloc_usable_size(block));
	free(block);
}

/* Several blocks, so that dirty memory of every age is taken again. */
static void dirty_many(size_t bytes)
{
	void *blocks[64];
	size_t nr = bytes < 65536 ? 64 : 3;

	for (size_t i = 0; i < nr; i++) {
		blocks[i] = malloc(bytes);
		CHECK(blocks[i], "malloc(%zu)", bytes);
		memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
	}
	for (size_t i = 0; i < nr; i++)
		free(blocks[i]);
	for (size_t i = 0; i < nr; i++) {
		blocks[i] = calloc(1, bytes);
		CHECK(blocks[i] && all_bytes_are(blocks[i], 0, bytes),
		      "calloc(%zu) after free of dirty blocks is not zero", bytes);
	}
	for (size_t i = 0; i < nr; i++)
		free(blocks[i]);
}

static void *all_sizes(void *unused)
{
	for (size_t bytes = 1; bytes; bytes = size_after(bytes)) {
		zeroed(bytes);
		dirty_many(bytes);
		zeroed(bytes);
	}
	return unused;
}

/* A small request out of memory that a large one has dirtied, and the other way round. */
static void across_kinds(void)
{
	static const size_t sizes[] = { 48, 1000, 8192, 9000, 70000, 1000000, 3000000, 20000000 };

	for (unsigned int round = 0; round < 5; round++) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			dirty_many(sizes[i]);
		malloc_trim(0);
		for (size_t i = sizeof(sizes) / sizeof(sizes[0]); i--;)
			dirty_many(sizes[i]);
	}
}

/* The part beyond the old size that realloc gives is nobody's promise; what calloc gave is. */
static void grown(void)
{
	unsigned char *block = calloc(1, 3000);

	block = realloc(block, 300000);
	CHECK(block && all_bytes_are(block, 0, 3000), "realloc of a calloc block lost its zeros");
	free(block);
}

int main(void)
{
	pthread_t thread;

	all_sizes(NULL);
	across_kinds();
	grown();
	CHECK(!pthread_create(&thread, NULL, all_sizes, NULL), "pthread_create");
	pthread_join(thread, NULL);
	all_sizes(NULL);
	return 0;
}
