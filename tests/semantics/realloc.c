/* realloc and reallocarray: NULL, 0, and contents through every pair of sizes. */
#include "semantics/check.h"

static void corners(void)
{
	char *block = realloc(NULL, 100);
	void *empty;

	CHECK(block, "realloc(NULL, 100)");
	strcpy(block, "kept");
	block = reallocarray(block, 50, 40);
	CHECK(block && !strcmp(block, "kept"), "reallocarray lost the contents");
	errno = 0;
	CHECK(!realloc(block, 0), "realloc(p, 0) must free and give NULL");
	CHECK(!errno, "realloc(p, 0) set errno to %d", errno);
	empty = realloc(NULL, 0);
	CHECK(empty, "realloc(NULL, 0) is malloc(0) and gives a block");
	CHECK(!reallocarray(empty, 10, 0), "reallocarray(p, 10, 0) must free and give NULL");
	CHECK((empty = malloc(0)), "malloc(0) gives a block");
	CHECK(malloc(0) != launder(empty), "malloc(0) gave the same block twice");
	CHECK(calloc(0, 10) && calloc(10, 0), "calloc of nothing gives a block");
	CHECK(!malloc_usable_size(NULL), "malloc_usable_size(NULL) is 0");
}

/* realloc(p, 0) frees: a million of them must not pile up. */
static void zero_frees(void)
{
	struct mallinfo2 before, after;

	CHECK(!realloc(launder(malloc(4000)), 0), "realloc(p, 0)");
	before = mallinfo2();
	for (unsigned int i = 0; i < 1000000; i++)
		CHECK(!realloc(launder(malloc(4000)), 0), "realloc(p, 0)");
	after = mallinfo2();
	CHECK(after.uordblks + after.hblkhd < before.uordblks + before.hblkhd + 1000000,
	      "realloc(p, 0) does not free: %zu bytes in use, were %zu",
	      after.uordblks + after.hblkhd, before.uordblks + before.hblkhd);
}

static unsigned char pattern(size_t index)
{
	return (unsigned char)(index * 31 + (index >> 8) * 7 + (index >> 16));
}

static void fill(unsigned char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		block[i] = pattern(i);
}

static bool has_pattern(const unsigned char *block, size_t bytes)
{
	for (size_t i = 0; i < bytes; i++)
		if (block[i] != pattern(i))
			return false;
	return true;
}

static void pairs(void)
{
	static const size_t sizes[] = { 1, 16, 17, 100, 128, 500, 1024, 2000, 4096, 8000, 8192,
					8193, 12000, 32768, 100000, 131072, 500000, 2097152,
					2097153, 3000000, 8388608 };
	const size_t nr = sizeof(sizes) / sizeof(sizes[0]);

	for (size_t from = 0; from < nr; from++) {
		for (size_t to = 0; to < nr; to++) {
			size_t kept = sizes[from] < sizes[to] ? sizes[from] : sizes[to];
			unsigned char *block = malloc(sizes[from]);

			fill(block, sizes[from]);
			block = realloc(block, sizes[to]);
			CHECK(block, "realloc from %zu to %zu", sizes[from], sizes[to]);
			CHECK(has_pattern(block, kept), "realloc from %zu to %zu lost contents",
			      sizes[from], sizes[to]);
			memset(block, 0xee, sizes[to]);
			free(block);
		}
	}
}

/* Growth byte by byte and back, past every size class, with neighbours in the way. */
static void creeping(void)
{
	unsigned char *block = malloc(1);
	void *neighbour = NULL;
	size_t bytes = 1;

	block[0] = pattern(0);
	for (; bytes < 40000; bytes += 1 + bytes / 97) {
		size_t next = bytes + 1 + bytes / 97;

		block = realloc(block, next);
		CHECK(block && has_pattern(block, bytes), "growth to %zu lost contents", next);
		fill(block, next);
		free(neighbour);
		neighbour = malloc(next);
	}
	for (; bytes > 2; bytes -= 1 + bytes / 97) {
		block = realloc(block, bytes);
		CHECK(block && has_pattern(block, bytes), "shrinking to %zu lost contents", bytes);
	}
	free(block);
	free(neighbour);
}

int main(void)
{
	corners();
	zero_frees();
	pairs();
	creeping();
	return 0;
}
