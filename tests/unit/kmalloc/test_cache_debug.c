/*
 * test_cache_debug.c - kmem_caches with debug flags: what is found, and what must not be harmed.
 */
#include "kmalloc/cache_objects.h"

#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "gate_test.h"
#include "kmalloc/owner.h"
#include "mm/emergency.h"

/* --- debug flags ----------------------------------------------------------------------------- */

static struct kmem_cache *debug_cache(uint32_t flags)
{
	heap_up("on_error=warn");
	return cache_of("watched", 100, 0, flags, NULL);
}

ISOLATED_TEST(consistency_finds_every_double_free)
{
	struct kmem_cache *cache = debug_cache(CACHE_CONSISTENCY);
	void *first = new_object(cache), *second = new_object(cache);

	cache_object_free(cache, first);
	cache_object_free(cache, second);
	EXPECT(strstr(SAID(cache_object_free(cache, first)), "double free of"));
	EXPECT(strstr(SAID(kfree(second)), "double free of"));
	expect_caches_valid();
}

ISOLATED_TEST(red_zones)
{
	struct kmem_cache *cache = debug_cache(CACHE_RED_ZONE);
	char *object = new_object(cache);

	object[100] = 1;
	EXPECT(strstr(SAID(cache_object_free(cache, object)), "right red zone overwritten of"));
	object[100] = (char)0xcc;
	object[-1] = 1;
	EXPECT(strstr(SAID(kfree(object)), "left red zone overwritten of"));
	EXPECT(strstr(SAID(kfree(object)), "First byte 0x1 instead of 0xcc"));
	object[-1] = (char)0xcc;
	EXPECT(!*SAID(cache_object_free(cache, object)));
	object[103] = 1; /* of a free object: found when it is allocated */
	EXPECT(strstr(SAID(EXPECT(new_object(cache) != object)),
		      "kmem_cache_alloc(): right red zone overwritten of"));
	expect_caches_valid();
}

ISOLATED_TEST(poison)
{
	struct kmem_cache *cache = debug_cache(CACHE_POISON);
	unsigned char *object = new_object(cache);

	memset(object, 0, 100);
	cache_object_free(cache, object);
	for (unsigned int i = 0; i < 99; i++)
		EXPECT_EQ(object[i], 0x6b);
	EXPECT_EQ(object[99], 0xa5);
	EXPECT_EQ(new_object(cache), object);
	cache_object_free(cache, object);
	object[50] = 1;
	EXPECT(strstr(SAID(EXPECT(new_object(cache) != object)), "poison overwritten of"));
	object[50] = 0x6b;
	object = new_object(cache);
	cache_object_free(cache, object);
	object[99] = 0x6b;
	EXPECT(strstr(SAID(new_object(cache)), "First byte 0x6b instead of 0xa5"));
	expect_caches_valid();
}

/* What the constructor made must stay. */
ISOLATED_TEST(no_poison_with_a_constructor)
{
	struct kmem_cache *cache;

	heap_up("");
	cache = cache_of("built", 100, 0, CACHE_POISON | CACHE_RED_ZONE, construct);
	for (unsigned int i = 0; i < 100; i++) {
		void *object = new_object(cache);

		EXPECT_EQ(*(uint64_t *)object, MAGIC);
		cache_object_free(cache, object);
	}
	expect_caches_valid();
}

static struct alloc_track fake_track(void)
{
	return (struct alloc_track){ .tid = 4711 };
}

ISOLATED_TEST(users_are_stored)
{
	struct kmem_cache *cache = debug_cache(CACHE_STORE_USER | CACHE_RED_ZONE);
	char *object;

	track_ops.take = fake_track;
	object = new_object(cache);
	EXPECT_EQ(cache_debug_track(cache, object, TRACK_ALLOC).tid, 4711);
	EXPECT_EQ(cache_debug_track(cache, object, TRACK_FREE).tid, 0);
	memset(object, 0xff, 100);
	object[101] = 0;
	EXPECT(strstr(SAID(cache_object_free(cache, object)), "Allocated by thread 4711"));
	object[101] = (char)0xcc;
	cache_object_free(cache, object);
	EXPECT(strstr(SAID(cache_object_free(cache, object)), "Freed by thread 4711"));
}

ISOLATED_TEST(an_option_adds_flags)
{
	heap_up("slub_debug=zU:foo+bar*");
	EXPECT_EQ(kmem_cache_debug_flags("foo", 1), 1 | CACHE_RED_ZONE | CACHE_STORE_USER);
	EXPECT_EQ(kmem_cache_debug_flags("foox", 1), 1);
	EXPECT_EQ(kmem_cache_debug_flags("fo", 1), 1);
	EXPECT_EQ(kmem_cache_debug_flags("bar", 0), CACHE_RED_ZONE | CACHE_STORE_USER);
	EXPECT_EQ(kmem_cache_debug_flags("barn", 0), CACHE_RED_ZONE | CACHE_STORE_USER);
	EXPECT_EQ(kmem_cache_debug_flags("ba", 0), 0);
	EXPECT_EQ(cache_of("foo", 100, 0, 0, NULL)->flags, CACHE_RED_ZONE | CACHE_STORE_USER);
}

ISOLATED_TEST(an_option_for_all)
{
	heap_up("slub_debug=FP");
	EXPECT_EQ(kmem_cache_debug_flags("any", 0), CACHE_CONSISTENCY | CACHE_POISON);
}

ISOLATED_TEST(no_room_for_checks)
{
	struct kmem_cache *cache = debug_cache(CACHE_DEBUG_FLAGS);
	struct kmem_cache *huge = cache_of("huge", MIB(4), 0, CACHE_DEBUG_FLAGS, NULL);

	EXPECT(cache->flags & CACHE_DEBUG_FLAGS);
	EXPECT(!(huge->flags & CACHE_DEBUG_FLAGS));
	memset(new_object(huge), 1, MIB(4));
}

ISOLATED_TEST(hardened_caches_have_no_sheaves)
{
	struct kmem_cache *cache;
	void *first, *second;

	heap_up("hardened=1,on_error=warn");
	cache = cache_of("hard", 64, 0, 0, NULL);
	EXPECT(cache->target == cache && !cache->sheaf_limit);
	first = new_object(cache);
	second = new_object(cache);
	cache_object_free(cache, first);
	cache_object_free(cache, second);
	EXPECT(strstr(SAID(cache_object_free(cache, first)), "double free of"));
	expect_caches_valid();
}

/* No sheaf, so that each free waits for the gate, and nothing is written into the object. */
ISOLATED_TEST(frees_are_deferred)
{
	struct kmem_cache *cache = debug_cache(CACHE_RED_ZONE | CACHE_POISON);
	unsigned char *object = new_object(cache);

	memset(object, 0x11, 100);
	closer_closes();
	cache_object_free(cache, object);
	EXPECT_EQ(object[0], 0x11);
	EXPECT_EQ(cache->nr_taken, 1);
	closer_opens();
	kfree(kmalloc(100000)); /* somebody comes by */
	EXPECT_EQ(object[0], 0x6b);
	EXPECT_EQ(cache->nr_taken, 0);
	EXPECT_EQ(emergency_live(), 0);
	expect_caches_valid();
}

RUN_TESTS
