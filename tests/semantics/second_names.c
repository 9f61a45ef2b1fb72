/*
 * glibc's second names and C23's sized forms are of the same heap as malloc. The calls are made
 * under foreign=abort, which lets no block of another heap pass.
 */
#include "semantics/again.h"

/* Looked up, because glibc has some of them only for old programs, or not yet. */
static void *symbol(const char *name)
{
	void *address = dlsym(RTLD_DEFAULT, name);

	CHECK(address, "no symbol %s", name);
	return address;
}

static void *(*malloc_like(const char *name))(size_t)
{
	return (void *(*)(size_t))symbol(name);
}

static void *(*calloc_like(const char *name))(size_t, size_t)
{
	return (void *(*)(size_t, size_t))symbol(name);
}

static void (*free_like(const char *name))(void *)
{
	return (void (*)(void *))symbol(name);
}

static void ours(const char *name, void *block)
{
	CHECK(block, "%s gave NULL", name);
	CHECK(malloc_usable_size(block) >= 5000, "%s gave a block of %zu bytes", name,
	      malloc_usable_size(block));
	CHECK(!((uintptr_t)block % 16), "%s gave %p", name, block);
	memset(block, 1, 5000);
	free(block);
}

static void allocate(void)
{
	int (*posix)(void **, size_t, size_t) =
		(int (*)(void **, size_t, size_t))symbol("__posix_memalign");
	void *block = NULL;

	ours("__libc_malloc", malloc_like("__libc_malloc")(5000));
	ours("__libc_calloc", calloc_like("__libc_calloc")(50, 100));
	ours("__libc_realloc",
	     ((void *(*)(void *, size_t))symbol("__libc_realloc"))(malloc(10), 5000));
	ours("__libc_memalign", calloc_like("__libc_memalign")(64, 5000));
	ours("__libc_valloc", malloc_like("__libc_valloc")(5000));
	ours("__libc_pvalloc", malloc_like("__libc_pvalloc")(5000));
	CHECK(!posix(&block, 64, 5000), "__posix_memalign");
	ours("__posix_memalign", block);
}

static void release(void)
{
	free_like("__libc_free")(malloc(5000));
	free_like("__libc_cfree")(malloc(5000));
	free_like("cfree")(malloc(5000));
	((void (*)(void *, size_t))symbol("free_sized"))(malloc(5000), 5000);
	((void (*)(void *, size_t, size_t))symbol("free_aligned_sized"))(memalign(64, 5000), 64,
									 5000);
}

int main(int argc, char **argv)
{
	char text[1000];
	int status;

	(void)argv;
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's symbols");
	if (argc > 1) {
		allocate();
		release();
		return 0;
	}
	status = run_again("call", "STITCH_CONF", "foreign=abort", text, sizeof(text));
	CHECK(!status, "status %d: %s", status, text);
	return 0;
}
