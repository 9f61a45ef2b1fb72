/*
 * Fault injection (fail=): every entry point that allocates says so as if memory had run out, what
 * there was before is intact, and what must not fail does not.
 */
#include <sys/resource.h>

#include <stitch/gfp.h>
#include <stitch/mm.h>
#include <stitch/slab.h>

#include "kernel_api.h"
#include "semantics/again.h"

static char text[65536];

/* Of the call only errno and NULL are of interest. */
#define FAILS(call) \
	do { \
		errno = 0; \
		CHECK(!(call), #call " has not failed"); \
		CHECK(errno == ENOMEM, #call " leaves errno %d", errno); \
	} while (0)

static void malloc_family_fails(void)
{
	void *out = &out;

	FAILS(malloc(0));
	FAILS(malloc(100));
	FAILS(malloc(100 << 10));
	FAILS(malloc(100 << 20));
	FAILS(calloc(1, 100));
	FAILS(realloc(NULL, 100));
	FAILS(reallocarray(NULL, 10, 10));
	FAILS(memalign(64, 100));
	FAILS(aligned_alloc(64, 128));
	FAILS(valloc(100));
	FAILS(pvalloc(100));
	FAILS(strdup("text"));
	CHECK(posix_memalign(&out, 64, 100) == ENOMEM && out == &out, "posix_memalign");
}

static void kernel_api_fails(void)
{
	void *object;

	FAILS(stitch_kmalloc(100, STITCH_GFP_KERNEL));
	FAILS(stitch_kzalloc(100 << 10, STITCH_GFP_KERNEL));
	FAILS(stitch_kmalloc(100, STITCH_GFP_ATOMIC));
	FAILS(stitch_alloc_pages(STITCH_GFP_KERNEL, 0));
	FAILS(stitch_alloc_pages_exact(10000, STITCH_GFP_KERNEL));
	object = stitch_kmalloc(100, STITCH_GFP_KERNEL | STITCH__GFP_NOFAIL);
	CHECK(object, "__GFP_NOFAIL");
	FAILS(stitch_krealloc(object, 100000, STITCH_GFP_KERNEL));
	stitch_kfree(object);
}

/* Made while the space lasted, used after. */
static void caches_fail(struct stitch_kmem_cache *own, struct stitch_kmem_cache *like_malloc)
{
	FAILS(stitch_kmem_cache_alloc(own, STITCH_GFP_KERNEL));
	FAILS(stitch_kmem_cache_zalloc(own, STITCH_GFP_KERNEL));
	FAILS(stitch_kmem_cache_alloc(like_malloc, STITCH_GFP_KERNEL));
	FAILS(stitch_kmem_cache_alloc(own, STITCH_GFP_ATOMIC));
}

static int work(void)
{
	struct stitch_kmem_cache *own, *like_malloc;
	char *kept = malloc(100);

	CHECK(kept, "fail_space= has not let the first one through");
	strcpy(kept, "kept");
	own = stitch_kmem_cache_create("own", 72, 0, STITCH_SLAB_NO_MERGE, NULL);
	like_malloc = stitch_kmem_cache_create("like_malloc", 64, 0, 0, NULL);
	CHECK(own && like_malloc, "caches");
	stitch_kmem_cache_free(own, stitch_kmem_cache_alloc(own, STITCH_GFP_KERNEL));
	while (malloc(1000))
		; /* what fail_space= lets through */
	malloc_family_fails();
	kernel_api_fails();
	caches_fail(own, like_malloc);
	FAILS(realloc(kept, 100000));
	CHECK(!strcmp(kept, "kept"), "realloc that fails has touched the block");
	kept = realloc(kept, 10);
	CHECK(kept, "what shrinks does not fail");
	free(kept);
	malloc_stats();
	return 0;
}

/* Calls of this program; libc's own come from libc. */
static int many(void)
{
	unsigned int nr_failed = 0;

	for (unsigned int i = 0; i < 1000; i++) {
		void *object = malloc(i);

		nr_failed += !object;
		free(object);
	}
	dprintf(2, "%u failed\n", nr_failed);
	return 0;
}

/* Where there is no memory outside the address space each request is one all the same. */
static int fallback(void)
{
	struct rlimit none = { 0, 0 };
	unsigned int nr_failed = 0;

	setrlimit(RLIMIT_FSIZE, &none);
	for (unsigned int i = 0; i < 100; i++)
		nr_failed += !stitch_alloc_pages(STITCH_GFP_HIGHUSER, 0);
	dprintf(2, "%u failed\n", nr_failed);
	return 0;
}

static void run_on(const char *argument, const char *conf)
{
	int status = run_again(argument, "STITCH_CONF", conf, text, sizeof(text));

	CHECK(!status, "STITCH_CONF=%s: status %d: %s", conf, status, text);
}

static void says(const char *conf, const char *part)
{
	run_on("many", conf);
	CHECK(strstr(text, part), "STITCH_CONF=%s does not say \"%s\" but: %s", conf, part, text);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "fallback"))
		return fallback();
	if (argc > 1)
		return strcmp(argv[1], "many") ? work() : many();
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's options");
	run_on("work", "fail=100,fail_space=200000");
	CHECK(strstr(text, "requests that failed on purpose"), "malloc_stats: %s", text);
	run_on("work", "fail=100,fail_space=200000,leaks=full,leak_print=lost,leak_show=definite");
	run_on("work", "fail=100,fail_space=200000,leaks=sample:1000");
	run_on("work", "fail=100,fail_space=200000,hardened=1");
	says("fail=100,fail_space=100000", " failed\n");
	says("fail=100,fail_interval=100,fail_stack=semantics_*", "10 failed\n");
	says("fail=100,fail_interval=100,fail_times=4,fail_stack=semantics_*", "4 failed\n");
	says("fail=100,fail_stack=libnone.so", "0 failed\n");
	says("fail=100,fail_not_stack=semantics_*", "0 failed\n");
	says("fail=100,exe=another", "0 failed\n");
	says("fail=100,exe=semantics_fault*,fail_stack=semantics_*", "1000 failed\n");
	says("fail=100,fail_times=1,fail_stack=semantics_*,fail_verbose=1",
	     "FAULT_INJECTION: forcing a failure: malloc() of 0 bytes, number 1, by thread ");
	CHECK(strstr(text, "semantics_fault_inject+0x"), "no stack: %s", text);
	run_on("fallback", "fail=100,fail_interval=2,fail_stack=semantics_*");
	CHECK(!strcmp(text, "50 failed\n"), "requests that fall back: %s", text);
	return 0;
}
