/*
 * test_cache_objects.c - kmem_caches: geometry, constructors, frees of every kind, the
 * closed gate, no memory.
 */
#include "kmalloc/cache_objects.h"

#include "kunit.h"
#include "isolated.h"
#include "cache_test.h"
#include "core/report.h"
#include "gate_test.h"
#include "kmalloc/owner.h"
#include "mm/emergency.h"
#include "mm/reserve.h"

#define MANY 2000u

static struct page *slab_of(const void *object)
{
	return cache_slab_head(pfn_to_page(virt_to_pfn(object)));
}

static size_t slab_pages(void)
{
	return zone.nr_used[USE_SLAB];
}

static int add_text(void *context, const char *text, size_t bytes)
{
	strncat(context, text, bytes);
	return 0;
}

/* --- geometry -------------------------------------------------------------------------------- */

ISOLATED_TEST(thirteen_objects_of_308_bytes_a_page)
{
	struct kmem_cache *cache;

	heap_up("");
	cache = own_cache("dentry", 308);
	EXPECT_EQ(cache->nr_objects, 13);
	EXPECT_EQ(cache->order, 0);
	EXPECT_EQ(cache->stride, 312);
}

/* Orders as the kernel has them (calculate_order with 12 objects at least). */
ISOLATED_TEST(orders_are_those_of_the_kernel)
{
	static const struct {
		size_t size;
		unsigned int order, nr_objects;
	} cases[] = {
		{ 8, 0, 256 },	  { 16, 0, 256 },   { 192, 0, 21 },   { 256, 0, 16 },
		{ 512, 1, 16 },	  { 632, 2, 25 },   { 704, 2, 23 },   { 1024, 2, 16 },
		{ 2048, 3, 16 },  { 4096, 3, 8 },   { 8192, 3, 4 },   { 20000, 3, 1 },
		{ 32768, 3, 1 },  { 40000, 4, 1 },  { MIB(1), 8, 1 }, { MIB(4), 10, 1 },
	};

	heap_up("");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct kmem_cache *cache = own_cache("sized", cases[i].size);

		EXPECT_EQ(cache->order, cases[i].order);
		EXPECT_EQ(cache->nr_objects, cases[i].nr_objects);
	}
}

static void check_placement(struct kmem_cache *cache, size_t size, size_t align)
{
	unsigned int nr = cache->nr_objects + 1u;
	char *objects[SLAB_MAX_OBJECTS + 1];

	for (unsigned int i = 0; i < nr; i++) {
		struct page *head;
		char *slab;

		objects[i] = new_object(cache);
		head = slab_of(objects[i]);
		slab = page_address(head);
		EXPECT(is_aligned((uintptr_t)objects[i], align));
		EXPECT(objects[i] >= slab);
		EXPECT(objects[i] + size <= slab + (PAGE_SIZE << cache->order));
		EXPECT(cache_index(cache, head, objects[i]) < cache->nr_objects);
		EXPECT(cache_index(cache, head, objects[i] + 1) >= cache->nr_objects);
		memset(objects[i], (int)i, size);
	}
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT((unsigned char)objects[i][0] == (unsigned char)i);
		ASSERT((unsigned char)objects[i][size - 1] == (unsigned char)i);
		cache_object_free(cache, objects[i]);
	}
}

ISOLATED_TEST(objects_of_many_sizes_and_alignments)
{
	static const uint32_t flags[] = { CACHE_NO_MERGE, CACHE_NO_MERGE | CACHE_RED_ZONE,
					  CACHE_NO_MERGE | CACHE_DEBUG_FLAGS };

	heap_up("");
	for (size_t size = 1; size <= MIB(4); size += size / 5 + 1)
		for (size_t align = 8; align <= PAGE_SIZE; align *= 8)
			for (size_t f = 0; f < ARRAY_SIZE(flags); f++) {
				struct kmem_cache *cache = cache_of("placed", size, align,
								    flags[f], NULL);

				check_placement(cache, size, align);
				cache_destroy(cache);
			}
	EXPECT_EQ(kmem_caches.nr_live, 0);
	EXPECT_EQ(kmem_caches.last_id, 1); /* one number served all */
	expect_caches_valid();
}

ISOLATED_TEST(cache_lines)
{
	heap_up("");
	EXPECT_EQ(cache_of("a", 100, 0, CACHE_HWCACHE_ALIGN | CACHE_NO_MERGE, NULL)->align, 64);
	EXPECT_EQ(cache_of("b", 20, 0, CACHE_HWCACHE_ALIGN | CACHE_NO_MERGE, NULL)->align, 32);
	EXPECT_EQ(cache_of("c", 20, 256, CACHE_HWCACHE_ALIGN | CACHE_NO_MERGE, NULL)->align, 256);
}

ISOLATED_TEST(colours_of_slabs_differ)
{
	struct kmem_cache *cache;
	uint32_t last = UINT32_MAX;
	unsigned int nr_slabs = 0, nr_shifted = 0;
	struct page *head = NULL;

	heap_up("");
	cache = own_cache("coloured", 1000); /* order 2, 16 of them leave 384 bytes */
	while (nr_slabs < 14) {
		void *object = new_object(cache);

		if (slab_of(object) == head)
			continue;
		head = slab_of(object);
		EXPECT(head->colour <= 384 && head->colour % CACHE_LINE == 0);
		nr_shifted += head->colour != last;
		last = head->colour;
		nr_slabs++;
	}
	EXPECT(nr_shifted == nr_slabs);
}

ISOLATED_TEST(wrong_arguments)
{
	struct kmem_cache_args args = { "name", 100, 0, 0, NULL };

	EXPECT(kmem_cache_args_are_valid(&args));
	args.size = 0;
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.size = MIB(4) + 1;
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.size = 100;
	args.align = 24;
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.align = 2 * PAGE_SIZE;
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.align = 0;
	args.flags = 0x4000; /* CACHE_DMA */
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.flags = 0x80000; /* TYPESAFE_BY_RCU */
	EXPECT(!kmem_cache_args_are_valid(&args));
	args.flags = 0;
	args.name = NULL;
	EXPECT(!kmem_cache_args_are_valid(&args));
}

/* --- objects --------------------------------------------------------------------------------- */

ISOLATED_TEST(no_object_is_given_out_twice)
{
	static char *objects[MANY];
	struct kmem_cache *cache;

	heap_up("");
	cache = own_cache("counted", 72);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			objects[i] = new_object(cache);
			memcpy(objects[i], &i, sizeof(i));
		}
		for (unsigned int i = 0; i < MANY; i++)
			ASSERT(!memcmp(objects[i], &i, sizeof(i)));
		expect_caches_valid();
		for (unsigned int i = 0; i < MANY; i++)
			cache_object_free(cache, objects[i]);
		expect_caches_valid();
	}
	EXPECT(cache_shrink(cache));
	EXPECT_EQ(cache->nr_slabs, 0);
	EXPECT_EQ(cache->nr_taken, 0);
	expect_caches_valid();
	cache_destroy(cache);
}

ISOLATED_TEST(constructors_run_once_an_object)
{
	static void *objects[MANY];
	struct kmem_cache *cache;

	heap_up("");
	cache = cache_of("built", 100, 0, 0, construct);
	for (unsigned int round = 0; round < 3; round++) {
		for (unsigned int i = 0; i < MANY; i++) {
			objects[i] = new_object(cache);
			ASSERT_EQ(*(uint64_t *)objects[i], MAGIC);
			memset((char *)objects[i] + 8, (int)i, 92);
		}
		for (unsigned int i = 0; i < MANY; i++)
			cache_object_free(cache, objects[i]);
	}
	EXPECT_EQ(nr_constructed % cache->nr_objects, 0);
	EXPECT(nr_constructed >= MANY);
	expect_caches_valid();
}

/* A constructor that uses its own cache. */
static struct kmem_cache *recursive;

static void construct_again(void *object)
{
	static bool is_inside;

	*(uint64_t *)object = MAGIC;
	if (is_inside)
		return;
	is_inside = true;
	cache_object_free(recursive, new_object(recursive));
	is_inside = false;
}

ISOLATED_TEST(constructors_may_allocate_from_their_cache)
{
	heap_up("");
	recursive = cache_of("recursive", 100, 0, 0, construct_again);
	for (unsigned int i = 0; i < MANY; i++)
		EXPECT_EQ(*(uint64_t *)new_object(recursive), MAGIC);
	expect_caches_valid();
}

ISOLATED_TEST(kfree_and_ksize_and_krealloc)
{
	struct kmem_cache *cache;
	char *object, *moved;

	heap_up("");
	cache = own_cache("freed", 100);
	object = new_object(cache);
	EXPECT_EQ(owner_of(object).kind, OWNER_CACHE);
	EXPECT_EQ(owner_of(object + 8).kind, OWNER_WRONG);
	EXPECT_EQ(ksize(object), 100);
	memset(object, 7, 100);
	EXPECT_EQ(krealloc(object, 90), object);
	moved = krealloc(object, 200);
	ASSERT(moved && moved != object);
	EXPECT(moved[0] == 7 && moved[99] == 7);
	EXPECT_EQ(owner_of(moved).kind, OWNER_SLAB);
	kfree(moved);
	kfree(new_object(cache));
	EXPECT(cache_shrink(cache));
	expect_caches_valid();
}

ISOLATED_TEST(shrinking_gives_pages_back)
{
	static void *objects[MANY];
	struct kmem_cache *cache;
	size_t before;

	heap_up("");
	cache = own_cache("shrunk", 1000);
	cache_object_free(cache, new_object(cache));
	cache_shrink(cache);
	before = slab_pages();
	for (unsigned int i = 0; i < MANY; i++)
		objects[i] = new_object(cache);
	EXPECT(slab_pages() >= before + MANY / 5);
	for (unsigned int i = 1; i < MANY; i++)
		cache_object_free(cache, objects[i]);
	EXPECT(cache->nr_empty <= 1);
	EXPECT(cache->nr_slabs * cache->nr_objects < MANY / 4);
	EXPECT(!cache_shrink(cache));
	EXPECT_EQ(cache->nr_slabs, 1);
	EXPECT(slab_pages() <= before + 4);
	cache_object_free(cache, objects[0]);
	kmalloc_trim();
	EXPECT_EQ(cache->nr_slabs, 0);
	expect_caches_valid();
}

ISOLATED_TEST(figures)
{
	struct kmem_cache_stat stat;
	struct kmem_cache *cache;
	void *objects[20];

	heap_up("");
	cache = own_cache("figures", 308);
	for (unsigned int i = 0; i < 20; i++)
		objects[i] = new_object(cache);
	kmem_cache_stat_read(cache, &stat);
	EXPECT_EQ(stat.active_objs, 20);
	EXPECT_EQ(stat.num_slabs * 13, stat.num_objs);
	EXPECT(stat.num_slabs >= 2);
	EXPECT_EQ(stat.object_size, 308);
	EXPECT_EQ(stat.stride, 312);
	EXPECT_EQ(stat.objs_per_slab, 13);
	EXPECT_EQ(stat.pages_per_slab, 1);
	for (unsigned int i = 0; i < 20; i++)
		cache_object_free(cache, objects[i]);
	cache_shrink(cache);
	kmem_cache_stat_read(cache, &stat);
	EXPECT_EQ(stat.active_objs, 0);
	EXPECT_EQ(stat.num_slabs, 0);
	EXPECT_EQ(stat.active_slabs, 0);
}

ISOLATED_TEST(objects_count_in_the_usage_of_the_heap)
{
	struct kmalloc_usage before, usage;
	struct kmem_cache *cache;
	struct report report;
	char text[4096] = "";

	heap_up("");
	kmalloc_usage_read(&before);
	cache = own_cache("counted", 312);
	new_object(cache);
	cache_object_free(cache, new_object(cache));
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.small_live, before.small_live + 312);
	EXPECT_EQ(usage.small_live + usage.small_cached + usage.small_free,
		  before.small_live + before.small_cached + before.small_free +
			  cache->nr_slabs * 13 * 312);
	report_init(&report, add_text, text);
	kmalloc_report_caches(&report);
	report_finish(&report);
	EXPECT(strstr(text, "counted             312          1 "));
}

/* --- wrong frees ----------------------------------------------------------------------------- */

ISOLATED_TEST(wrong_frees_are_named)
{
	struct kmem_cache *cache, *other, *alias;
	char *object, *block;

	heap_up("on_error=warn");
	cache = own_cache("mine", 100);
	other = own_cache("theirs", 200);
	alias = cache_of("alias", 64, 0, 0, NULL);
	object = new_object(cache);
	block = kmalloc(100);
	EXPECT(strstr(SAID(cache_object_free(other, object)),
		      "kmem_cache_free(): object of another cache 0x"));
	EXPECT(strstr(SAID(cache_object_free(other, object)), "(mine, not theirs)"));
	EXPECT(strstr(SAID(cache_object_free(alias, object)), "(mine, not alias)"));
	EXPECT(strstr(SAID(cache_object_free(alias, block)), "(kmalloc-112, not alias)"));
	EXPECT(strstr(SAID(cache_object_free(cache, block)), "(kmalloc-112, not mine)"));
	EXPECT(strstr(SAID(cache_object_free(cache, object + 8)), "inside an object: 0x"));
	EXPECT(strstr(SAID(kfree(object + 16)), "(mine)"));
	EXPECT(strstr(SAID(kfree(object + 1)), "free(): invalid pointer, inside an object: 0x"));
	EXPECT(strstr(SAID(cache_object_free(cache, &cache)),
		      "kmem_cache_free(): invalid pointer"));
	EXPECT(!*SAID(cache_object_free(cache, object)));
	EXPECT(strstr(SAID(cache_object_free(cache, object)), "double free of 0x"));
	cache_shrink(cache);
	EXPECT(*SAID(cache_object_free(cache, object)));
	EXPECT(*SAID(kfree(object)));
	kfree(block);
	expect_caches_valid();
}

/* Not twice in a row: found when the sheaf is emptied. */
ISOLATED_TEST(a_double_free_in_a_sheaf_does_no_harm)
{
	struct kmem_cache *cache;
	void *first, *second;
	const char *said;

	heap_up("on_error=warn");
	cache = own_cache("doubled", 100);
	first = new_object(cache);
	second = new_object(cache);
	cache_object_free(cache, first);
	cache_object_free(cache, second);
	cache_object_free(cache, first);
	said = SAID(cache_shrink(cache));
	(void)said;
	EXPECT_EQ(cache->nr_taken, 0);
	expect_caches_valid();
}

/* --- the end of a cache ---------------------------------------------------------------------- */

ISOLATED_TEST(destroy_lists_what_is_alive)
{
	struct kmem_cache *cache;
	void *object, *freed;
	char address[32];
	const char *said;

	heap_up("");
	cache = own_cache("leaky", 100);
	object = new_object(cache);
	freed = new_object(cache);
	cache_object_free(cache, freed);
	said = SAID(cache_destroy(cache));
	snprintf(address, sizeof(address), "Object %p ", object);
	EXPECT(strstr(said, "kmem_cache_destroy(): 1 object of cache leaky is still alive"));
	EXPECT(strstr(said, address));
	snprintf(address, sizeof(address), "Object %p ", freed);
	EXPECT(!strstr(said, address));
	EXPECT(!cache_object_alloc(cache, KERNEL));
	cache_object_free(cache, object); /* unusable but for frees */
	EXPECT_EQ(owner_of(object).kind, OWNER_WRONG);
	expect_caches_valid();
}

ISOLATED_TEST(destroy_is_silent_otherwise)
{
	struct kmem_cache *cache;

	heap_up("");
	cache = own_cache("clean", 100);
	cache_object_free(cache, new_object(cache));
	EXPECT_STREQ(SAID(cache_destroy(cache)), "");
	EXPECT_EQ(kmem_caches.nr_live, 0);
}

/* The object was freed while a thread forked; another one has taken it, to free it, just now. */
ISOLATED_TEST(destroy_waits_for_what_was_freed)
{
	struct kmem_cache *cache;

	heap_up("");
	cache = own_cache("refused", 100);
	deferred_free(new_object(cache));
	settler_start();
	EXPECT_STREQ(SAID(cache_destroy(cache)), "");
	settler_join();
	EXPECT_EQ(kmem_caches.nr_live, 0);
	expect_caches_valid();
}

/* Numbers, structures and sheaves are used again; those of others are not touched. */
ISOLATED_TEST(numbers_are_used_again)
{
	struct kmem_cache *caches[10];
	size_t opened;

	heap_up("");
	for (unsigned int i = 0; i < 10; i++) {
		caches[i] = own_cache("numbered", 100 + 100 * i);
		EXPECT_EQ(caches[i]->id, i + 1);
		cache_object_free(caches[i], new_object(caches[i]));
	}
	opened = memblock_opened();
	for (unsigned int round = 0; round < 1000; round++) {
		cache_destroy(caches[4]);
		caches[4] = own_cache("again", 5000);
		EXPECT_EQ(caches[4]->id, 5);
		cache_object_free(caches[4], new_object(caches[4]));
	}
	EXPECT(memblock_opened() <= opened + KIB(32));
	expect_caches_valid();
}

/* --- the gate, and other threads ------------------------------------------------------------- */

ISOLATED_TEST(the_gate_is_closed)
{
	struct kmem_cache *cache;
	void *before, *meanwhile[MANY];

	heap_up("");
	cache = cache_of("refused", 100, 64, 0, construct);
	before = new_object(cache);
	closer_closes();
	for (unsigned int i = 0; i < MANY; i++) {
		meanwhile[i] = new_object(cache);
		ASSERT_EQ(*(uint64_t *)meanwhile[i], MAGIC);
		ASSERT(is_aligned((uintptr_t)meanwhile[i], 64));
	}
	EXPECT(emergency_contains(meanwhile[MANY - 1]));
	cache_object_free(cache, before);
	kfree(meanwhile[MANY - 1]);
	for (unsigned int i = 0; i < MANY - 1; i++)
		cache_object_free(cache, meanwhile[i]);
	closer_opens();
	kfree(kmalloc(100000)); /* somebody comes by */
	EXPECT_EQ(emergency_live(), 0);
	EXPECT(cache_shrink(cache));
	expect_caches_valid();
}

/* Another is amid a hit: nobody waits. */
ISOLATED_TEST(a_sheaf_is_taken)
{
	struct kmem_cache *cache;
	struct cache_sheaf *sheaf;
	void *object, *second;
	uint32_t nr;

	heap_up("");
	cache = own_cache("busy", 100);
	object = new_object(cache);
	sheaf = cache->sheaf[current_slot->cache_sheaf];
	ASSERT(sheaf);
	nr = sheaf->nr;
	EXPECT(nr > 0);
	sheaf->held_by = 1;
	second = new_object(cache);
	EXPECT(second != object);
	cache_object_free(cache, object);
	cache_object_free(cache, second);
	EXPECT_EQ(sheaf->nr, nr);
	EXPECT_EQ(sheaf->held_by, 1);
	EXPECT(!cache_shrink(cache));
	kmem_caches_after_fork();
	EXPECT_EQ(sheaf->held_by, 0);
	EXPECT(cache_shrink(cache));
	sheaf->held_by = (uintptr_t)__builtin_thread_pointer();
	kmem_caches_after_fork(); /* by a signal handler of whoever holds it */
	EXPECT_EQ(sheaf->held_by, (uintptr_t)__builtin_thread_pointer());
	sheaf->held_by = 0;
	expect_caches_valid();
}

/* It is not here, and will not leave it. */
ISOLATED_TEST(a_sheaf_was_taken_before_a_fork)
{
	struct cache_sheaf *sheaf;
	struct kmem_cache *cache;
	int status = -1;
	pid_t child;

	heap_up("");
	cache = own_cache("busy", 100);
	new_object(cache);
	sheaf = cache->sheaf[current_slot->cache_sheaf];
	sheaf->held_by = 1;
	mm_fork_prepare();
	child = fork();
	if (!child) {
		mm_fork_child();
		_exit(sheaf->held_by != 0);
	}
	mm_fork_parent();
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
	EXPECT_EQ(sheaf->held_by, 1);
}

ISOLATED_TEST(threads_have_sheaves_of_their_own)
{
	struct kmem_cache *cache;
	struct slot *first;
	void *object;

	heap_up("");
	cache = own_cache("shared", 100);
	object = new_object(cache);
	cache_object_free(cache, object);
	first = thread_switch(&slot_none);
	EXPECT(new_object(cache) != object);
	EXPECT(current_slot != first);
	thread_switch(first);
	EXPECT_EQ(new_object(cache), object);
	expect_caches_valid();
}

/* --- no memory ------------------------------------------------------------------------------- */

ISOLATED_TEST(no_memory)
{
	struct kmem_cache_args args = { "none", 100, 0, CACHE_NO_MERGE, NULL };
	struct kmem_cache *cache, *built;
	unsigned int nr = 0;
	void *object = NULL;

	heap_up("reserve=64M");
	cache = own_cache("starved", 40000);
	built = cache_of("built", 3000, 0, 0, construct);
	kfree(kmalloc(10));
	memory_gone();
	for (;;) {
		void *next = cache_object_alloc(cache, KERNEL);

		if (!next)
			break;
		object = next;
		nr++;
	}
	while (cache_object_alloc(built, KERNEL))
		;
	EXPECT(!cache_object_alloc(cache, KERNEL | STITCH__GFP_NORETRY));
	EXPECT(nr > 0);
	EXPECT(!cache_create(&args));
	expect_caches_valid();
	cache_object_free(cache, object);
	EXPECT(cache_object_alloc(cache, KERNEL) != NULL);
	memory_back();
	EXPECT(cache_object_alloc(built, KERNEL) != NULL);
	expect_caches_valid();
}

/* Nobody may wait: from the reserve only, and there is none yet. */
ISOLATED_TEST(without_waiting)
{
	struct kmem_cache *cache;
	void *object;

	heap_up("");
	cache = cache_of("atomic", 100, 0, 0, construct);
	object = cache_object_alloc(cache, STITCH_GFP_ATOMIC);
	ASSERT(object != NULL);
	EXPECT_EQ(pagemap_read(virt_to_pfn(object)), PAGEMAP_RESERVE);
	EXPECT_EQ(*(uint64_t *)object, MAGIC);
	EXPECT(reserve_size(object) >= 100);
	cache_object_free(cache, object);
	EXPECT_EQ(reserve_size(object), 0);
	EXPECT(!cache_object_alloc(cache, KERNEL | STITCH__GFP_DMA));
}

RUN_TESTS
