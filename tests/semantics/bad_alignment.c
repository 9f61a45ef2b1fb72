/* Alignments that are none, and those that only look odd. */
#include "semantics/check.h"

static void posix_memalign_refuses(size_t align)
{
	void *untouched = &untouched;
	int error = posix_memalign(&untouched, opaque(align), 100);

	CHECK(error == EINVAL, "posix_memalign to %zu gave %d", align, error);
	CHECK(untouched == &untouched, "posix_memalign to %zu wrote its result", align);
}

/* glibc before 2.38 rounds the alignment up instead. */
static void aligned_alloc_refuses(size_t align)
{
	void *block;

	errno = 0;
	block = aligned_alloc(opaque(align), 100);
	CHECK(!block, "aligned_alloc to %zu gave %p", align, block);
	CHECK(errno == EINVAL, "aligned_alloc to %zu: errno is %d", align, errno);
}

/* memalign takes any alignment up to 2^63 and rounds it up. Several, so that no luck helps. */
static void memalign_takes(size_t align, size_t expected)
{
	void *blocks[16];

	for (unsigned int i = 0; i < 16; i++) {
		blocks[i] = memalign(opaque(align), 100);
		CHECK(blocks[i], "memalign to %zu failed", align);
		CHECK((uintptr_t)blocks[i] % expected == 0, "memalign to %zu gave %p", align,
		      blocks[i]);
	}
	for (unsigned int i = 0; i < 16; i++)
		free(blocks[i]);
}

int main(void)
{
	static const size_t bad[] = { 0, 3, 6, 24, 100, 4095, 4097, SIZE_MAX, SIZE_MAX - 1,
				      SIZE_MAX / 2, SIZE_MAX / 2 + 2 };
	void *block = NULL;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		posix_memalign_refuses(bad[i]);
		if (on_stitchmalloc())
			aligned_alloc_refuses(bad[i]);
	}
	/* No multiple of sizeof(void *). */
	posix_memalign_refuses(1);
	posix_memalign_refuses(2);
	posix_memalign_refuses(4);
	errno = 0;
	CHECK(!memalign(opaque(SIZE_MAX / 2 + 2), 100), "memalign beyond 2^63");
	CHECK(errno == EINVAL, "memalign beyond 2^63: errno is %d", errno);
	memalign_takes(0, 16);
	memalign_takes(1, 16);
	memalign_takes(3, 16);
	memalign_takes(24, 32);
	memalign_takes(100, 128);
	memalign_takes(4097, 8192);
	/* The size need not be a multiple of the alignment, and may be 0. */
	block = aligned_alloc(64, 10);
	CHECK(block && (uintptr_t)block % 64 == 0, "aligned_alloc(64, 10) gave %p", block);
	free(block);
	CHECK(!posix_memalign(&block, 8, 0), "posix_memalign(8, 0)");
	CHECK(block, "posix_memalign(8, 0) gave NULL");
	free(block);
	block = memalign(4096, 0);
	CHECK(block && (uintptr_t)block % 4096 == 0, "memalign(4096, 0) gave %p", block);
	free(block);
	return 0;
}
