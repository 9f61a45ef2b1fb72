/*
 * cache_test.h - what the tests of kmem_caches share.
 *
 * Include after isolated.h, once.
 */
#ifndef TESTS_CACHE_TEST_H
#define TESTS_CACHE_TEST_H

#include "kmalloc/cache_objects.h"

#define KERNEL STITCH_GFP_KERNEL

static struct kmem_cache *cache_of(const char *name, size_t size, size_t align, uint32_t flags,
				   void (*ctor)(void *))
{
	struct kmem_cache_args args = { name, size, align, flags, ctor };
	struct kmem_cache *cache;

	ASSERT(kmem_cache_args_are_valid(&args));
	cache = cache_create(&args);
	ASSERT(cache != NULL);
	return cache;
}

__attribute__((unused)) static struct kmem_cache *own_cache(const char *name, size_t size)
{
	return cache_of(name, size, 0, CACHE_NO_MERGE, NULL);
}

__attribute__((unused)) static void *new_object(struct kmem_cache *cache)
{
	void *object = cache_object_alloc(cache, KERNEL);

	ASSERT(object != NULL);
	return object;
}

__attribute__((unused)) static void expect_caches_valid(void)
{
	EXPECT(validate_caches());
	expect_valid();
}

/* What the statement says on standard error. */
#define SAID(statement) \
	({ \
		os_fake_capture_begin(); \
		statement; \
		os_fake_capture_end(); \
	})

#define MAGIC 0x1234567812345678u
static unsigned int nr_constructed;

__attribute__((unused)) static void construct(void *object)
{
	*(uint64_t *)object = MAGIC;
	nr_constructed++;
	free(malloc(10)); /* libc's: a constructor may do anything */
	kfree(kmalloc(50));
	kfree(kmalloc(50000));
}

#endif
