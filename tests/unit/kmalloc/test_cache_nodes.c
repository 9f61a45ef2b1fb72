/*
 * test_cache_nodes.c - kmem_caches on several nodes: whose slabs objects are of, whose objects are
 * in a sheaf, a node without a page more.
 */
#include "kmalloc/cache_objects.h"

#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "mm/node.h"
#include "mm/pagerun.h"

#define NR 4u
#define MANY 600u

static struct kmem_cache *cache;

static void be_on(unsigned int nid)
{
	os_fake_run_on(nid, 0);
	active_node = NO_NODE;
	thread_switch(&slot_none);
}

static void boot(const char *conf)
{
	heap_up(conf);
	ASSERT_EQ(zone.nr_nodes, NR);
	be_on(1);
	cache = own_cache("nodes", 100);
}

static unsigned int nid_of(const void *object)
{
	return page_to_nid(pfn_to_page(virt_to_pfn(object)));
}

static void *object_of(unsigned int nid)
{
	void *object = cache_object_alloc_node(cache, nid, false);

	ASSERT(object != NULL);
	EXPECT_EQ(nid_of(object), nid);
	return object;
}

static struct cache_sheaf *own_sheaf(void)
{
	return cache->sheaf[current_slot->cache_sheaf];
}

ISOLATED_TEST(objects_are_of_the_node_of_the_thread)
{
	boot("numa_fake=4");
	for (unsigned int nid = 0; nid < NR; nid++) {
		be_on(nid);
		for (unsigned int i = 0; i < MANY; i++)
			EXPECT_EQ(nid_of(new_object(cache)), nid);
		EXPECT_EQ(current_slot->nid, nid);
	}
	expect_caches_valid();
}

/* Free objects of others do not count, nor does the thread's own sheaf. */
ISOLATED_TEST(objects_are_of_the_node_that_is_asked_for)
{
	void *objects[MANY];

	boot("numa_fake=4");
	new_object(cache);
	for (unsigned int i = 0; i < MANY; i++)
		objects[i] = object_of(i % NR);
	for (unsigned int i = 0; i < MANY; i++)
		cache_object_free(cache, objects[i]);
	for (unsigned int i = 0; i < MANY; i++)
		object_of(i / 7 % NR);
	EXPECT_EQ(active_node, node_mark(1));
	expect_caches_valid();
}

ISOLATED_TEST(a_sheaf_is_filled_from_its_node)
{
	boot("numa_fake=4");
	object_of(3);
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++)
		EXPECT(!cache->sheaf[i]);
	new_object(cache);
	ASSERT(own_sheaf());
	EXPECT(own_sheaf()->nr > 0);
	for (uint32_t i = 0; i < own_sheaf()->nr; i++)
		EXPECT_EQ(nid_of(own_sheaf()->objects[i]), 1);
}

/* What is asked of another node leaves it alone. */
ISOLATED_TEST(a_sheaf_is_of_threads_of_one_node)
{
	uint32_t nr;

	boot("numa_fake=4");
	new_object(cache);
	nr = own_sheaf()->nr;
	object_of(3);
	EXPECT_EQ(own_sheaf()->nr, nr);
	/* Threads come to the nodes by turns. */
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++) {
		be_on(i % NR);
		new_object(cache);
		ASSERT_EQ(current_slot->nid, i % NR);
		EXPECT_EQ(current_slot->cache_sheaf / (NR_CACHE_SHEAVES / NR), i % NR);
	}
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++)
		EXPECT(cache->sheaf[i]);
	expect_caches_valid();
}

static void fill_node(unsigned int nid)
{
	uint8_t mark = active_node;

	active_node = node_mark(nid) | NODE_STRICT;
	for (size_t nr_pages = PAGEBLOCK_PAGES; nr_pages; nr_pages /= 2)
		while (run_alloc(nr_pages, 1))
			;
	active_node = mark;
}

/* Others' slabs are used up then, one after the other, and the sheaf is filled from them. */
ISOLATED_TEST(a_node_has_no_page_more)
{
	size_t nr_slabs;

	boot("numa_fake=4,reserve=64M");
	object_of(2);
	fill_node(1);
	EXPECT(!cache_object_alloc_node(cache, 1, true));
	EXPECT_EQ(nid_of(new_object(cache)), 2);
	EXPECT_EQ(cache->nr_slabs, 1);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(nid_of(new_object(cache)), 2);
	nr_slabs = cache->nr_slabs;
	EXPECT(nr_slabs <= MANY / cache->nr_objects + 2);
	EXPECT(own_sheaf()->nr > 0);
	EXPECT(!cache_object_alloc_node(cache, 1, true));
	EXPECT_EQ(cache->nr_slabs, nr_slabs);
	EXPECT(cache_object_alloc_node(cache, 1, false));
	expect_caches_valid();
}

static void construct_on_own(void *object)
{
	void *other = kmalloc(50);

	EXPECT_EQ(nid_of(other), 1);
	EXPECT(!(active_node & NODE_STRICT));
	kfree(other);
	*(uint64_t *)object = MAGIC;
}

/* What the constructor does is of the thread's node. */
ISOLATED_TEST(constructed_slabs_of_a_node)
{
	boot("numa_fake=4");
	kfree(kmalloc(50));
	cache = cache_of("built", 3000, 0, 0, construct_on_own);
	for (unsigned int i = 0; i < MANY; i++) {
		void *object = cache_object_alloc_node(cache, i % NR, i & 8);

		ASSERT(object);
		EXPECT_EQ(nid_of(object), i % NR);
		EXPECT_EQ(*(uint64_t *)object, MAGIC);
	}
	expect_caches_valid();
}

/* One of each node stays; it is not taken from as long as there are others. */
ISOLATED_TEST(empty_slabs)
{
	void *objects[NR][2 * 64];
	unsigned int nr;

	boot("numa_fake=4,hardened=1"); /* no sheaves */
	nr = cache->nr_objects;
	ASSERT(nr <= 64);
	for (unsigned int nid = 0; nid < NR; nid++)
		for (unsigned int i = 0; i < 2 * nr; i++)
			objects[nid][i] = object_of(nid);
	EXPECT_EQ(cache->nr_slabs, 2 * NR);
	for (unsigned int nid = 0; nid < NR; nid++) {
		cache_object_free(cache, objects[nid][0]);
		for (unsigned int i = nr; i < 2 * nr; i++)
			cache_object_free(cache, objects[nid][i]);
	}
	EXPECT_EQ(cache->nr_slabs, 2 * NR);
	EXPECT_EQ(cache->nr_empty, NR);
	for (unsigned int nid = 0; nid < NR; nid++) {
		EXPECT_EQ(object_of(nid), objects[nid][0]);
		EXPECT_EQ(object_of(nid), objects[nid][nr]);
	}
	expect_caches_valid();
}

ISOLATED_TEST(shrinking_looks_on_all_nodes)
{
	void *objects[NR];

	boot("numa_fake=4");
	for (unsigned int nid = 0; nid < NR; nid++)
		objects[nid] = object_of(nid);
	for (unsigned int nid = 0; nid < NR; nid++)
		cache_object_free(cache, objects[nid]);
	EXPECT_EQ(cache->nr_empty, NR);
	cache_shrink(cache);
	EXPECT_EQ(cache->nr_slabs, 0);
	expect_caches_valid();
}

RUN_TESTS
