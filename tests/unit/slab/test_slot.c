/*
 * test_slot.c - heap slots: taken, left whole, inherited by the next, shared, lost in a fork.
 */
#include "slab/slot.h"

#include <pthread.h>

#include "kunit.h"
#include "isolated.h"

/* A thread that has not called yet makes its first slow call. */
static struct slot *newcomer(void)
{
	thread_switch(&slot_none);
	return slot_visit();
}

ISOLATED_TEST(before_the_first_call)
{
	os_fake_reset();
	EXPECT_EQ(current_slot, &slot_none);
	EXPECT(!slot_is_held());
	EXPECT_EQ(slot_count(), 0);
	EXPECT_EQ(slot_by_id(0), NULL);
	EXPECT_EQ(slot_by_id(1), NULL);
	slot_release();
	EXPECT_EQ(current_slot, &slot_none);
	heap_up("");
	EXPECT_EQ(slot_count(), 1);
	EXPECT_EQ(slot_count_held(), 0);
	EXPECT_EQ(slot_by_id(1)->state, SLOT_SHARED);
}

/* Both are the empty sheaf in every class: all pops and pushes miss, whatever the address. */
ISOLATED_TEST(no_slot_takes_the_slow_path)
{
	struct slot *none[] = { &slot_none, &slot_gone };
	char *object;

	heap_up("");
	object = kmalloc(64);
	for (unsigned int i = 0; i < ARRAY_SIZE(none); i++) {
		thread_switch(none[i]);
		EXPECT_EQ(none[i]->tag, 0);
		for (size_t bytes = 0; bytes <= SIZE_CLASS_MAX_BYTES; bytes += 8)
			EXPECT_EQ(sheaf_alloc(bytes), NULL);
		EXPECT(!sheaf_free(object));
		EXPECT(!sheaf_free(NULL));
		EXPECT(!sheaf_free((void *)mm_map.base));
		EXPECT(!sheaf_free(pfn_to_virt(mm_map.nr_pages - 1))); /* page map entry 0 */
		EXPECT(!sheaf_free(&object));
	}
}

ISOLATED_TEST(slots_are_inherited_last_first)
{
	struct slot *a, *b, *c;

	heap_up("");
	a = newcomer();
	b = newcomer();
	c = newcomer();
	ASSERT(a != b && b != c && a != c);
	EXPECT_EQ(slot_count(), 4);
	EXPECT_EQ(slot_count_held(), 3);
	EXPECT_EQ(slot_by_id(a->id), a);
	EXPECT_EQ(a->tag, PAGEMAP_SLOT(a->id));
	thread_switch(b);
	slot_release();
	EXPECT_EQ(current_slot, &slot_gone);
	EXPECT(!slot_is_held());
	EXPECT_EQ(b->state, SLOT_FREE);
	thread_switch(a);
	slot_release();
	EXPECT_EQ(slot_count_held(), 1);
	slot_release(); /* of a thread that has none any more: nothing */
	EXPECT_EQ(slot_count_held(), 1);
	EXPECT_EQ(newcomer(), a);
	EXPECT_EQ(newcomer(), b);
	EXPECT_EQ(slot_count(), 4);
	EXPECT_EQ(slot_count_held(), 3);
	newcomer();
	EXPECT_EQ(slot_count(), 5);
}

/* Sheaves and slabs come with the slot: the heir pops what its predecessor pushed. */
ISOLATED_TEST(heirs_find_everything)
{
	void *object;
	struct slot *slot;
	unsigned int nr_cached;

	heap_up("");
	object = kmalloc(100);
	kfree(object);
	slot = current_slot;
	nr_cached = sheaf_count(slot, class_of(100));
	EXPECT(nr_cached > 1);
	mm_thread_exit();
	EXPECT_EQ(sheaf_count(slot, class_of(100)), nr_cached);
	thread_switch(&slot_none);
	EXPECT_EQ(kmalloc(100), object);
	EXPECT_EQ(current_slot, slot);
	EXPECT(mm_thread_has_slot());
	EXPECT_EQ(sheaf_count(slot, class_of(100)), nr_cached - 1);
}

/* After the end of the thread: TLS destructors of others still allocate and free. */
ISOLATED_TEST(gone_threads_borrow)
{
	void *objects[200], *own;

	heap_up("");
	own = kmalloc(100);
	mm_thread_exit();
	EXPECT(!mm_thread_has_slot());
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(i * 40);
		ASSERT(objects[i]);
		memset(objects[i], (int)i, i * 40);
		EXPECT_EQ(current_slot, &slot_gone);
	}
	EXPECT_EQ(pagemap_slot(pagemap_read(virt_to_pfn(objects[0]))), 1);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	kfree(own);
	EXPECT_EQ(slot_count_held(), 0);
	EXPECT_EQ(current_slot, &slot_gone);
	mm_thread_exit();
	kmalloc_trim();
	expect_valid();
	EXPECT_EQ(zone.nr_used[USE_SLAB], 0);
}

/* A detached thread's storage is freed as its last act: that must not cost a slot for ever. */
ISOLATED_TEST(few_frees_borrow_and_many_earn_a_slot)
{
	void *objects[500];
	unsigned int nr = 0;

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		ASSERT((objects[i] = kmalloc(40)));
	thread_switch(&slot_none);
	while (nr < 10)
		kfree(objects[nr++]);
	EXPECT(!slot_is_held());
	EXPECT_EQ(slot_count(), 2);
	while (nr < ARRAY_SIZE(objects))
		kfree(objects[nr++]);
	EXPECT(slot_is_held());
	expect_valid();
}

/* Without memory for a slot of its own, a thread works with the shared one, and tries again. */
ISOLATED_TEST(no_memory_for_a_slot)
{
	void *objects[100], *large;

	heap_up("");
	kfree(kmalloc(1)); /* this slot opens a part of the heap */
	thread_switch(&slot_none);
	while (memblock_alloc(CACHE_LINE))
		;
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = kmalloc(i * 30);
		ASSERT(objects[i]);
		EXPECT_EQ(current_slot, &slot_none);
	}
	large = kmalloc(KIB(100));
	EXPECT(large);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
		objects[i] = krealloc(objects[i], 1000);
		ASSERT(objects[i]);
		kfree(objects[i]);
	}
	kfree(large);
	EXPECT_EQ(slot_count_held(), 1);
	EXPECT_EQ(slot_count(), 2);
	expect_valid();
}

/* The failure passes: the same thread gets a slot when there is memory again. */
ISOLATED_TEST(memory_for_a_slot_comes_back)
{
	void *object;

	heap_up("");
	object = kmalloc(1);
	thread_switch(&slot_none);
	memory_gone();
	kfree(kmalloc(1));
	EXPECT(!slot_is_held());
	memory_back();
	kfree(kmalloc(1));
	EXPECT(slot_is_held());
	kfree(object);
	expect_valid();
}

static unsigned int nr_visited;
static struct slot *visited[8];

static void visit(struct slot *slot)
{
	ASSERT(nr_visited < 8);
	visited[nr_visited++] = slot;
}

ISOLATED_TEST(visits_what_nobody_holds)
{
	struct slot *a, *b;

	heap_up("");
	a = newcomer();
	b = newcomer();
	newcomer();
	thread_switch(a);
	slot_release();
	thread_switch(b);
	slot_release();
	slots_visit_free(visit, 0);
	EXPECT_EQ(nr_visited, 3);
	EXPECT_EQ(visited[0], slot_by_id(1));
	EXPECT_EQ(visited[1], b);
	EXPECT_EQ(visited[2], a);
}

/* Whoever was in a slow path is lost; everybody else's slot is inherited. */
ISOLATED_TEST(fork_leaves_the_slots_of_others)
{
	struct slot *mine, *free_one, *other, *idle, *left;

	heap_up("");
	other = newcomer();
	idle = newcomer();
	left = newcomer();
	slot_abandon();
	EXPECT_EQ(left->state, SLOT_LEFT);
	free_one = newcomer();
	slot_release();
	mine = newcomer();
	ASSERT_EQ(mine, free_one);
	free_one = newcomer();
	slot_release();
	thread_switch(mine);
	mine->inside = 1;
	other->inside = 1;
	slots_after_fork(false);
	EXPECT_EQ(other->state, SLOT_LOST);
	EXPECT_EQ(mine->state, SLOT_HELD);
	EXPECT_EQ(free_one->state, SLOT_FREE);
	EXPECT_EQ(slot_by_id(1)->state, SLOT_SHARED);
	EXPECT_EQ(slot_count_held(), 1);
	EXPECT_EQ(left->state, SLOT_LEFT);
	EXPECT_EQ(idle->state, SLOT_LEFT);
	slots_after_fork(false); /* amid it a signal handler forks */
	EXPECT_EQ(other->state, SLOT_LOST);
	slots_collect_left();
	EXPECT_EQ(newcomer(), left);
	EXPECT_EQ(newcomer(), idle);
	EXPECT_EQ(newcomer(), free_one);
	EXPECT(newcomer() != other);
	EXPECT_EQ(other->state, SLOT_LOST);
}

ISOLATED_TEST(a_slot_that_was_left_in_haste_is_collected)
{
	struct slot *mine, *left;

	heap_up("");
	left = newcomer();
	slot_abandon();
	EXPECT_EQ(current_slot, &slot_gone);
	slot_abandon(); /* nothing left to leave */
	mine = newcomer();
	EXPECT(mine != left);
	slots_collect_left();
	EXPECT_EQ(slot_count_held(), 1);
	EXPECT_EQ(newcomer(), left);
	EXPECT_EQ(mine->state, SLOT_HELD);
}

/* Real threads, one after another: all get the same slot. */
static void *one_life(void *seen)
{
	kfree(kmalloc(10));
	*(struct slot **)seen = current_slot;
	mm_thread_exit();
	return NULL;
}

ISOLATED_TEST(threads_one_after_another_use_one_slot)
{
	struct slot *first = NULL, *seen = NULL;
	pthread_t thread;

	heap_up("");
	kfree(kmalloc(10));
	for (unsigned int i = 0; i < 50; i++) {
		ASSERT(!pthread_create(&thread, NULL, one_life, &seen));
		ASSERT(!pthread_join(thread, NULL));
		if (!first)
			first = seen;
		EXPECT_EQ(seen, first);
	}
	EXPECT(first != current_slot);
	EXPECT_EQ(slot_count(), 3);
	EXPECT_EQ(slot_count_held(), 1);
}

/* More than one table of slots. */
ISOLATED_TEST(many_slots)
{
	heap_up("reserve=4G");
	for (unsigned int i = 0; i < 600; i++)
		ASSERT(newcomer()->state == SLOT_HELD);
	EXPECT_EQ(slot_count(), 601);
	for (uint32_t id = 1; id <= 601; id++) {
		struct slot *slot = slot_by_id(id);

		ASSERT(slot);
		EXPECT_EQ(slot->id, id);
		EXPECT(is_aligned((uintptr_t)&slot->inbox, CACHE_LINE));
	}
	EXPECT_EQ(slot_by_id(602), NULL);
}

RUN_TESTS
