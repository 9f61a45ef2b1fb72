/*
 * kmalloc_flags.c - kmalloc and its family as a program sees them; each flag of stitch/gfp.h that
 * has an effect, by that effect.
 */
#include "semantics/check.h"

#include <errno.h>
#include <sys/resource.h>
#include <unistd.h>

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL

static size_t count_until_null(size_t bytes, stitch_gfp_t flags, void **objects, size_t max)
{
	size_t nr = 0;

	while (nr < max && (objects[nr] = stitch_kmalloc(bytes, flags)))
		nr++;
	return nr;
}

static void free_all(void **objects, size_t nr)
{
	while (nr)
		stitch_kfree(objects[--nr]);
}

/* Half of the reserve, five sixteenths more, and the rest. */
static void depths(void)
{
	enum { MAX = 100000 };
	static void *nowait[MAX], *atomic[MAX], *all[MAX];
	size_t nr_nowait, nr_atomic, nr_all, total;
	unsigned int scope;

	CHECK(!stitch_kmalloc(64, STITCH_GFP_ATOMIC) && errno == ENOMEM, "nothing is there yet");
	CHECK(!stitch_reserve_fill(1 << 20), "a MiB");
	nr_nowait = count_until_null(64, STITCH_GFP_NOWAIT, nowait, MAX);
	nr_atomic = count_until_null(64, STITCH_GFP_ATOMIC, atomic, MAX);
	CHECK(!stitch_kmalloc(64, STITCH_GFP_ATOMIC), "used up");
	scope = stitch_memalloc_noreclaim_save();
	CHECK(!stitch_kmalloc(64, STITCH_GFP_ATOMIC | STITCH__GFP_NOMEMALLOC), "not by the scope");
	nr_all = count_until_null(64, STITCH_GFP_ATOMIC, all, MAX);
	stitch_memalloc_noreclaim_restore(scope);
	total = nr_nowait + nr_atomic + nr_all;
	CHECK(nr_nowait == total / 2, "%zu of %zu without waiting", nr_nowait, total);
	CHECK(nr_atomic == total / 16 * 5, "%zu of %zu more at __GFP_HIGH", nr_atomic, total);
	CHECK(total == (1 << 20) / 64, "all of it: %zu", total);
	stitch_kfree(all[--nr_all]);
	all[nr_all] = stitch_kmalloc(64, STITCH_GFP_ATOMIC | STITCH__GFP_MEMALLOC);
	CHECK(all[nr_all++], "the flag does what the scope does");
	free_all(nowait, nr_nowait);
	free_all(atomic, nr_atomic);
	free_all(all, nr_all);
}

static void zero(void)
{
	for (size_t bytes = 1; bytes < 1 << 20; bytes = bytes * 3 + 1) {
		unsigned char *object = stitch_kmalloc(bytes, KERNEL);

		memset(object, 0xff, bytes);
		stitch_kfree(object);
		object = stitch_kmalloc(bytes, KERNEL | STITCH__GFP_ZERO);
		CHECK(all_bytes_are(object, 0, bytes), "%zu bytes", bytes);
		stitch_kfree(object);
	}
	for (size_t bytes = 1; bytes < 10000; bytes = bytes * 3 + 1) {
		unsigned char *object = stitch_kmalloc(bytes, STITCH_GFP_ATOMIC);

		memset(object, 0xff, bytes);
		stitch_kfree(object);
		object = stitch_kzalloc(bytes, STITCH_GFP_ATOMIC);
		CHECK(all_bytes_are(object, 0, bytes), "%zu bytes, atomic", bytes);
		stitch_kfree(object);
	}
}

/* The largest power of two that divides the size, up to a page; 16 at least. */
static void alignment(stitch_gfp_t flags)
{
	for (size_t bytes = 16; bytes <= 20000; bytes += 16) {
		size_t align = bytes & -bytes;
		char *object = stitch_kmalloc(bytes, flags);

		align = align < 4096 ? align : 4096;
		CHECK(object && !((uintptr_t)object % align), "%zu at %p", bytes, (void *)object);
		CHECK(stitch_ksize(object) >= bytes, "ksize of %zu", bytes);
		CHECK(!(flags & STITCH__GFP_DIRECT_RECLAIM) ||
			      stitch_ksize(object) == stitch_kmalloc_size_roundup(bytes),
		      "%zu is rounded up to %zu", bytes, stitch_ksize(object));
		stitch_kfree(object);
	}
}

static void no_size(void)
{
	void *none = stitch_kmalloc(0, KERNEL);

	CHECK(none == STITCH_ZERO_SIZE_PTR, "%p", none);
	CHECK(!stitch_ksize(none) && !stitch_ksize(NULL), "no bytes");
	stitch_kfree(none);
	stitch_kfree_sensitive(none);
	CHECK(stitch_krealloc(stitch_kmalloc(10, KERNEL), 0, KERNEL) == none, "krealloc to none");
	none = stitch_krealloc(none, 10, KERNEL);
	CHECK(stitch_ksize(none) >= 10, "krealloc from none");
	stitch_kfree(none);
	CHECK(!stitch_kcalloc(SIZE_MAX / 2, 3, KERNEL), "overflow");
	CHECK(!stitch_kmalloc_array(SIZE_MAX, 2, KERNEL), "overflow");
	CHECK(!stitch_kmalloc(SIZE_MAX, KERNEL | STITCH__GFP_NOFAIL), "no wait for the impossible");
}

static void resize(stitch_gfp_t flags)
{
	unsigned char *object = stitch_kmalloc(100, flags);

	memset(object, 1, 100);
	object = stitch_krealloc(object, 9000, flags | STITCH__GFP_ZERO);
	CHECK(all_bytes_are(object, 1, 100), "what was there");
	CHECK(all_bytes_are(object + 128, 0, 9000 - 128), "and zeroes");
	object = stitch_krealloc(object, 50, flags);
	CHECK(all_bytes_are(object, 1, 50), "what is left");
	CHECK(!stitch_krealloc(object, SIZE_MAX / 2, flags) && all_bytes_are(object, 1, 50),
	      "untouched");
	stitch_kfree(object);
}

static void copies(void)
{
	char *text = stitch_kstrdup("some text", KERNEL);
	char *part = stitch_kstrndup(text, 4, KERNEL);
	char *copy = stitch_kmemdup(text, 10, STITCH_GFP_ATOMIC);

	CHECK(!strcmp(text, "some text") && !strcmp(part, "some") && !strcmp(copy, text), "copies");
	free(text); /* all of it is malloc's */
	free(part);
	free(copy);
	text = malloc(100);
	stitch_kfree(text);
	CHECK(!stitch_kstrdup(NULL, KERNEL), "of NULL");
}

/* Zones that there are not. */
static void zones(void)
{
	CHECK(!stitch_kmalloc(10, STITCH_GFP_DMA | KERNEL | STITCH__GFP_NOWARN), "DMA");
	CHECK(!stitch_kmalloc(10, STITCH_GFP_DMA32 | STITCH_GFP_ATOMIC), "DMA32");
	CHECK(!stitch_kzalloc(10, STITCH_GFP_HIGHUSER | STITCH__GFP_NOWARN), "HIGHMEM");
}

/* No more memory: NORETRY and RETRY_MAYFAIL fail, __GFP_HIGH has the reserve, NOFAIL waits. */
static void out_of_memory(void)
{
	struct rlimit old, none = { 1, 1 };
	static void *objects[1 << 16];
	size_t nr;
	void *object;

	getrlimit(RLIMIT_DATA, &old);
	none.rlim_max = old.rlim_max;
	setrlimit(RLIMIT_DATA, &none);
	nr = count_until_null(1 << 18, KERNEL | STITCH__GFP_NORETRY, objects, 1 << 16);
	CHECK(nr < 1 << 16, "there is an end");
	CHECK(!stitch_kmalloc(1 << 18, KERNEL | STITCH__GFP_RETRY_MAYFAIL), "nor later");
	object = stitch_kmalloc(1 << 18, KERNEL | STITCH__GFP_HIGH);
	CHECK(object, "but from the reserve");
	stitch_kfree(object);
	setrlimit(RLIMIT_DATA, &old);
	object = stitch_kmalloc(1 << 18, KERNEL | STITCH__GFP_NOFAIL);
	CHECK(object, "there is memory again");
	stitch_kfree(object);
	free_all(objects, nr);
}

int main(void)
{
	depths();
	no_size();
	zero();
	alignment(KERNEL);
	alignment(STITCH_GFP_ATOMIC);
	resize(KERNEL);
	resize(STITCH_GFP_ATOMIC);
	copies();
	zones();
	out_of_memory();
	return 0;
}
