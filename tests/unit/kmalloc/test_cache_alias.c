/*
 * test_cache_alias.c - kmem_caches that are aliases of malloc's classes, or of each other. (There
 * are none in the build for Valgrind.)
 */
#include "kmalloc/cache_objects.h"

#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "kmalloc/owner.h"

static void nothing(void *object)
{
	(void)object;
}

ISOLATED_TEST(caches_of_a_size_class_are_aliases)
{
	struct kmem_cache *cache;
	void *object;

	heap_up("");
	cache = cache_of("like_kmalloc", 60, 0, 0, NULL);
	EXPECT_EQ(cache->class, class_of(64));
	EXPECT(!cache->target);
	object = new_object(cache);
	EXPECT_EQ(owner_of(object).kind, OWNER_SLAB);
	cache_object_free(cache, object);
	object = kmalloc(64);
	cache_object_free(cache, object);
	EXPECT_EQ(owner_of(object).kind, OWNER_WRONG);
	EXPECT(cache_shrink(cache));
	cache_destroy(cache);
	EXPECT_EQ(kmem_caches.nr_live, 0);
	EXPECT(cache_of("aligned", 64, 64, 0, NULL)->class == class_of(64));
	EXPECT(cache_of("too aligned", 48, 32, 0, NULL)->class == class_of(64));
	EXPECT(cache_of("not a class", 24, 0, 0, NULL)->class == NR_SIZE_CLASSES);
	EXPECT(cache_of("constructed", 64, 0, 0, nothing)->class == NR_SIZE_CLASSES);
	EXPECT(cache_of("debugged", 64, 0, CACHE_POISON, NULL)->class == NR_SIZE_CLASSES);
	EXPECT(own_cache("not merged", 64)->class == NR_SIZE_CLASSES);
}

ISOLATED_TEST(caches_of_the_same_size_are_one)
{
	struct kmem_cache *first, *second, *other;
	void *object;

	heap_up("on_error=warn");
	first = cache_of("first", 9004, 0, 0, NULL);
	second = cache_of("second", 9008, 0, 0, NULL);
	other = cache_of("aligned", 9008, 16, 0, NULL);
	EXPECT_EQ(second->target, first);
	EXPECT(other->target == other);
	EXPECT_EQ(first->object_size, 9004);
	EXPECT_EQ(second->object_size, 9008);
	object = new_object(second);
	EXPECT_EQ(ksize(object), 9008);
	cache_destroy(first); /* its slabs are the second's, too */
	cache_object_free(second, object);
	object = new_object(second);
	cache_object_free(second, object);
	cache_destroy(second);
	cache_destroy(other);
	EXPECT_EQ(kmem_caches.nr_live, 0);
	expect_caches_valid();
}

ISOLATED_TEST(no_aliases_in_leak_checks)
{
	heap_up("leaks=1");
	EXPECT(cache_of("named", 64, 0, 0, NULL)->class == NR_SIZE_CLASSES);
}

/* Of a node the slabs of malloc's class are asked. */
ISOLATED_TEST(nodes)
{
	struct kmem_cache *cache;

	heap_up("numa_fake=4");
	cache = cache_of("alias", 64, 0, 0, NULL);
	ASSERT(!cache->target);
	for (unsigned int i = 0; i < 600; i++) {
		void *object = cache_object_alloc_node(cache, i % 4, i & 8);

		ASSERT(object);
		EXPECT_EQ(page_to_nid(pfn_to_page(virt_to_pfn(object))), i % 4);
	}
	expect_valid();
}

RUN_TESTS
