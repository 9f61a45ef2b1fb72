/*
 * kmem_cache.c - caches of objects, as include/stitch/slab.h promises them.
 */
#include "semantics/check.h"

#include <pthread.h>
#include <sys/wait.h>

#include "kernel_api.h"

#define NR 1000

struct point {
	double x, y, z;
	char name[17];
};

static void expect_error(const char *what, unsigned int size, unsigned int align,
			 stitch_slab_flags_t flags)
{
	errno = 0;
	CHECK(!stitch_kmem_cache_create("wrong", size, align, flags, NULL), "%s", what);
	CHECK(errno == EINVAL, "%s: errno %d", what, errno);
}

static void refuses_what_is_wrong(void)
{
	expect_error("no size", 0, 0, 0);
	expect_error("size", (4u << 20) + 1, 0, 0);
	expect_error("alignment", 10, 24, 0);
	expect_error("large alignment", 10, 8192, 0);
	expect_error("DMA", 10, 0, STITCH_SLAB_CACHE_DMA);
	expect_error("DMA32", 10, 0, STITCH_SLAB_CACHE_DMA32);
	expect_error("RCU", 10, 0, STITCH_SLAB_TYPESAFE_BY_RCU);
}

static void serves(struct stitch_kmem_cache *cache, size_t size, size_t align)
{
	static unsigned char *objects[NR];

	errno = 77;
	CHECK(cache && stitch_kmem_cache_size(cache) == size, "size");
	for (int i = 0; i < NR; i++) {
		objects[i] = i % 2 ? stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL) :
				     stitch_kmem_cache_zalloc(cache, STITCH_GFP_KERNEL);
		CHECK(objects[i] && !((uintptr_t)objects[i] % align), "object %d", i);
		CHECK(i % 2 || all_bytes_are(objects[i], 0, size), "zeroed");
		CHECK(malloc_usable_size(objects[i]) >= size, "usable");
		memset(objects[i], i, size);
	}
	for (int i = 0; i < NR; i++) {
		CHECK(all_bytes_are(objects[i], (unsigned char)i, size), "contents");
		if (i % 3)
			stitch_kmem_cache_free(cache, objects[i]);
		else
			free(objects[i]);
	}
	stitch_kmem_cache_free(cache, NULL);
	CHECK(stitch_kmem_cache_alloc_bulk(cache, STITCH_GFP_KERNEL | STITCH__GFP_ZERO, NR,
					   (void **)objects) == NR, "bulk");
	for (int i = 0; i < NR; i++)
		CHECK(all_bytes_are(objects[i], 0, size), "zeroed in bulk");
	stitch_kmem_cache_free_bulk(cache, NR, (void **)objects);
	CHECK(!stitch_kmem_cache_shrink(cache), "nothing is left");
	CHECK(errno == 77, "errno is left alone");
}

static void construct(void *object)
{
	struct point *point = object;

	free(malloc(100));
	close(-1); /* errno is the constructor's own affair */
	memcpy(point->name, "constructed", 12);
}

static void keeps_what_was_constructed(void)
{
	static struct point *points[NR];
	struct stitch_kmem_cache *cache =
		stitch_kmem_cache_create("points", sizeof(struct point), 0, 0, construct);

	for (int round = 0; round < 3; round++) {
		for (int i = 0; i < NR; i++) {
			errno = 77;
			points[i] = i % 2 ? stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL) :
					    stitch_kmem_cache_zalloc(cache, STITCH_GFP_KERNEL);
			CHECK(points[i] && !strcmp(points[i]->name, "constructed"), "%d", i);
			CHECK(errno == 77, "errno is %d", errno);
			points[i]->x = i;
		}
		for (int i = 0; i < NR; i++) {
			CHECK(points[i]->x == i, "contents");
			stitch_kmem_cache_free(cache, points[i]);
		}
	}
	stitch_kmem_cache_destroy(cache);
}

/* From the reserve; any free takes it. */
static void serves_who_may_not_wait(void)
{
	struct stitch_kmem_cache *cache =
		stitch_kmem_cache_create("atomic", sizeof(struct point), 0, 0, construct);
	struct stitch_kmem_cache *other = stitch_kmem_cache_create("other", 100, 0, 0, NULL);

	for (int i = 0; i < NR; i++) {
		struct point *point = (errno = 77,
				       stitch_kmem_cache_alloc(cache, STITCH_GFP_ATOMIC));
		unsigned char *zeroed = stitch_kmem_cache_zalloc(other, STITCH_GFP_NOWAIT);

		CHECK(point && !strcmp(point->name, "constructed"), "%d", i);
		CHECK(errno == 77, "errno is %d", errno);
		CHECK(zeroed && all_bytes_are(zeroed, 0, 100), "%d", i);
		memset(zeroed, 1, 100);
		if (i % 2) {
			free(point);
			stitch_kmem_cache_free(other, zeroed);
		} else {
			stitch_kmem_cache_free(cache, point);
			free(zeroed);
		}
	}
	errno = 0;
	CHECK(!stitch_kmem_cache_alloc(other, STITCH_GFP_KERNEL | STITCH__GFP_DMA |
						      STITCH__GFP_NOWARN), "DMA");
	CHECK(errno == ENOMEM, "%d", errno);
	stitch_kmem_cache_destroy(cache);
	stitch_kmem_cache_destroy(other);
}

static void *free_all(void *argument)
{
	void **objects = argument;

	for (int i = 0; i < NR; i++)
		free(objects[i]);
	return NULL;
}

/* Objects of a thread are freed by another; a child uses the cache. */
static void serves_threads_and_children(void)
{
	static void *objects[NR];
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("threads", 100, 0,
								   STITCH_SLAB_NO_MERGE, NULL);
	pthread_t thread;
	pid_t child;
	int status;

	CHECK(stitch_kmem_cache_alloc_bulk(cache, STITCH_GFP_KERNEL, NR, objects) == NR, "bulk");
	child = fork();
	if (!child) {
		free_all(objects);
		CHECK(!stitch_kmem_cache_shrink(cache), "the child's");
		_exit(0);
	}
	CHECK(child > 0 && waitpid(child, &status, 0) == child && !status, "child");
	CHECK(!pthread_create(&thread, NULL, free_all, objects), "thread");
	pthread_join(thread, NULL);
	CHECK(!stitch_kmem_cache_shrink(cache), "shrink");
	stitch_kmem_cache_destroy(cache);
}

static void packs_13_objects_of_308_bytes_a_page(void)
{
	struct stitch_kmem_cache *cache =
		stitch_kmem_cache_create("dentry", 308, 0, STITCH_SLAB_NO_MERGE, NULL);
	uintptr_t page = 0;
	int nr = 0, most = 0;

	for (int i = 0; i < 100; i++) {
		void *object = stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL);

		nr = (uintptr_t)object / 4096 == page ? nr + 1 : 1;
		page = (uintptr_t)object / 4096;
		most = nr > most ? nr : most;
	}
	CHECK(most == 13, "%d", most);
}

int main(void)
{
	static const unsigned int sizes[] = { 1, 8, 17, 24, 64, 100, 308, 1000, 4096, 5000, 20000 };

	if (!on_stitchmalloc())
		return 0;
	refuses_what_is_wrong();
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (unsigned int align = 8; align <= 4096; align *= 8) {
			struct stitch_kmem_cache *cache =
				stitch_kmem_cache_create("served", sizes[i], align, 0, NULL);

			serves(cache, sizes[i], align);
			stitch_kmem_cache_destroy(cache);
		}
	}
	serves(STITCH_KMEM_CACHE(point, STITCH_SLAB_HWCACHE_ALIGN), sizeof(struct point), 64);
	keeps_what_was_constructed();
	serves_who_may_not_wait();
	serves_threads_and_children();
	packs_13_objects_of_308_bytes_a_page();
	stitch_kmem_cache_destroy(NULL);
	return 0;
}
