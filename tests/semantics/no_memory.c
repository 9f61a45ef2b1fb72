/*
 * Requests that cannot be served: NULL and ENOMEM from every entry point, whatever the reason, and
 * what was there before is intact.
 */
#include "semantics/check.h"

#define BELOW_2_63 ((size_t)PTRDIFF_MAX)

static const size_t absurd_sizes[] = {
	BELOW_2_63 - 8192, BELOW_2_63 - 4096, BELOW_2_63 - 1, BELOW_2_63, BELOW_2_63 + 1,
	BELOW_2_63 + 4096, SIZE_MAX - 65536, SIZE_MAX - 8192, SIZE_MAX - 4096, SIZE_MAX - 4095,
	SIZE_MAX - 64, SIZE_MAX - 16, SIZE_MAX - 15, SIZE_MAX - 1, SIZE_MAX,
};

static void expect_no_memory(const char *name, size_t bytes, void *result)
{
	CHECK(!result, "%s of %zu bytes gave %p", name, bytes, result);
	CHECK(errno == ENOMEM, "%s of %zu bytes: errno is %d", name, bytes, errno);
	errno = 0;
}

static void plain(size_t bytes)
{
	expect_no_memory("malloc", bytes, malloc(bytes));
	expect_no_memory("calloc(1)", bytes, calloc(1, bytes));
	expect_no_memory("calloc(,1)", bytes, calloc(bytes, 1));
	expect_no_memory("realloc(NULL)", bytes, realloc(NULL, bytes));
	expect_no_memory("reallocarray(NULL)", bytes, reallocarray(NULL, bytes, 1));
	expect_no_memory("valloc", bytes, valloc(bytes));
	expect_no_memory("pvalloc", bytes, pvalloc(bytes));
}

static void aligned(size_t align, size_t bytes)
{
	void *untouched = &untouched;
	int error;

	expect_no_memory("memalign", bytes, memalign(align, bytes));
	expect_no_memory("aligned_alloc", bytes, aligned_alloc(align, bytes));
	if (align < sizeof(void *))
		return;
	error = posix_memalign(&untouched, align, bytes);
	CHECK(error == ENOMEM, "posix_memalign(%zu, %zu) gave %d", align, bytes, error);
	CHECK(untouched == &untouched, "posix_memalign wrote its result on failure");
	errno = 0;
}

static void overflow(void)
{
	static const size_t factors[][2] = {
		{ SIZE_MAX, 2 }, { SIZE_MAX / 2 + 1, 2 }, { (size_t)1 << 32, (size_t)1 << 32 },
		{ ((size_t)1 << 32) + 1, (size_t)1 << 32 }, { SIZE_MAX / 16 + 1, 16 },
		{ SIZE_MAX, SIZE_MAX }, { 3, SIZE_MAX / 3 + 1 },
	};

	for (size_t i = 0; i < sizeof(factors) / sizeof(factors[0]); i++) {
		size_t a = opaque(factors[i][0]), b = opaque(factors[i][1]);

		expect_no_memory("calloc that overflows", a, calloc(a, b));
		expect_no_memory("calloc that overflows", b, calloc(b, a));
		expect_no_memory("reallocarray that overflows", a, reallocarray(NULL, a, b));
	}
}

/* A block that cannot be resized stays as it is. */
static void keeps_the_old_block(size_t old_bytes)
{
	unsigned char *block = malloc(old_bytes);

	CHECK(block, "malloc(%zu)", old_bytes);
	memset(block, 0x5a, old_bytes);
	for (size_t i = 0; i < sizeof(absurd_sizes) / sizeof(absurd_sizes[0]); i++) {
		size_t bytes = opaque(absurd_sizes[i]);

		expect_no_memory("realloc", bytes, realloc(block, bytes));
		expect_no_memory("reallocarray", bytes, reallocarray(block, bytes, 1));
		expect_no_memory("reallocarray", bytes, reallocarray(block, bytes, 3));
	}
	CHECK(all_bytes_are(block, 0x5a, old_bytes), "a failed realloc changed the block");
	free(block);
}

/* More than the address space has, but no absurd number. */
static void more_than_there_is(void)
{
	for (unsigned int shift = 47; shift < 63; shift++) {
		size_t bytes = opaque((size_t)1 << shift);

		plain(bytes);
		aligned(4096, bytes);
		aligned(bytes, 1);
	}
	keeps_the_old_block(100);
}

int main(void)
{
	errno = 0;
	for (size_t i = 0; i < sizeof(absurd_sizes) / sizeof(absurd_sizes[0]); i++) {
		size_t bytes = opaque(absurd_sizes[i]);

		plain(bytes);
		for (unsigned int shift = 0; shift < 64; shift++)
			aligned((size_t)1 << shift, bytes);
	}
	overflow();
	keeps_the_old_block(1);
	keeps_the_old_block(1000);
	keeps_the_old_block(100000);
	keeps_the_old_block((size_t)5 << 20);
	more_than_there_is();
	return 0;
}
