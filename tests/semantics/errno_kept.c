/* Success leaves errno alone, and so does free, of blocks of every kind. */
#include "semantics/check.h"

#define MARK 12345

static void unchanged(const char *name, size_t bytes)
{
	CHECK(errno == MARK, "%s of %zu bytes set errno to %d", name, bytes, errno);
}

static void *obtained(const char *name, size_t bytes, void *block)
{
	CHECK(block, "%s of %zu bytes failed", name, bytes);
	unchanged(name, bytes);
	return launder(block);
}

static void one_size(size_t bytes)
{
	void *blocks[8], *block = NULL;
	size_t nr = 0;

	blocks[nr++] = obtained("malloc", bytes, malloc(bytes));
	blocks[nr++] = obtained("calloc", bytes, calloc(1, bytes));
	blocks[nr++] = obtained("memalign", bytes, memalign(64, bytes));
	blocks[nr++] = obtained("aligned_alloc", bytes, aligned_alloc(4096, bytes));
	blocks[nr++] = obtained("valloc", bytes, valloc(bytes));
	blocks[nr++] = obtained("pvalloc", bytes, pvalloc(bytes));
	CHECK(!posix_memalign(&block, 32, bytes), "posix_memalign of %zu bytes", bytes);
	blocks[nr++] = obtained("posix_memalign", bytes, block);
	blocks[nr++] = obtained("realloc", bytes, realloc(malloc(bytes), bytes + 1));
	for (size_t i = 0; i < nr; i++) {
		malloc_usable_size(blocks[i]);
		unchanged("malloc_usable_size", bytes);
		free(blocks[i]);
		unchanged("free", bytes);
	}
}

int main(void)
{
	errno = MARK;
	free(NULL);
	unchanged("free(NULL)", 0);
	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step)
		one_size(bytes);
	for (unsigned int i = 0; i < 8; i++)
		one_size((size_t)64 << 20);
	CHECK(!realloc(malloc(100), 0), "realloc to 0 gave a block");
	unchanged("realloc to 0", 0);
	malloc_trim(0);
	unchanged("malloc_trim", 0);
	return 0;
}
