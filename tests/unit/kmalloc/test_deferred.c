/*
 * test_deferred.c - frees of those whom the gate has refused: done later, each once.
 */
#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "gate_test.h"
#include "kmalloc/pages.h"
#include "mm/emergency.h"

#define NR_THREADS 4u

/* As if another thread forked: the address is nobody's thread pointer. */
static void others_fork(bool on)
{
	gate.closed_by = on ? 64 : 0;
}

/* One slow path, in which whoever is next inside finds what is pending. */
static void somebody_comes(void)
{
	kfree(kmalloc(KIB(100)));
}

static size_t live_bytes(void)
{
	struct kmalloc_usage usage;

	kmalloc_usage_read(&usage);
	return usage.small_live + usage.run_live + usage.area_live;
}

static const size_t sizes[] = { 0, 1, 100, 8000, KIB(9), KIB(64), KIB(300), MIB(2), MIB(5) };

/* Made by a thread that is another one afterwards: no free can take a short way. */
static void make_objects(void **objects)
{
	struct slot *mine = thread_switch(&slot_none);

	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++) {
		ASSERT((objects[i] = kmalloc(sizes[i])));
		memset(objects[i], 1, sizes[i]);
	}
	thread_switch(mine);
}

ISOLATED_TEST(freed_by_the_next_inside)
{
	void *objects[ARRAY_SIZE(sizes)];
	size_t before, with;

	heap_up("");
	somebody_comes();
	before = live_bytes();
	make_objects(objects);
	with = live_bytes();
	EXPECT(with > before + MIB(7));
	others_fork(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		kfree(objects[i]);
	EXPECT(gate.pending);
	others_fork(false);
	somebody_comes();
	EXPECT(!gate.pending);
	EXPECT_EQ(live_bytes(), before);
	expect_valid();
}

#define NR_MANY 200u

/* Who has no slot takes none for it: the thread may be about to end, or only ask for figures. */
ISOLATED_TEST(freed_without_a_slot)
{
	void *objects[NR_MANY];
	size_t before;

	heap_up("");
	somebody_comes();
	before = live_bytes();
	for (unsigned int i = 0; i < NR_MANY; i++)
		ASSERT((objects[i] = kmalloc(3000)));
	thread_switch(&slot_none);
	others_fork(true);
	for (unsigned int i = 0; i < NR_MANY; i++)
		kfree(objects[i]);
	others_fork(false);
	EXPECT_EQ(live_bytes(), before);
	EXPECT(!gate.pending);
	EXPECT(current_slot == &slot_none);
	somebody_comes();
	EXPECT(slot_is_held());
	expect_valid();
}

/* Not before: the thread that forks is inside, too. */
ISOLATED_TEST(not_freed_while_the_gate_is_closed)
{
	void *objects[ARRAY_SIZE(sizes)];
	size_t with;

	heap_up("");
	somebody_comes();
	make_objects(objects);
	with = live_bytes();
	gate_close();
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		deferred_free(objects[i]);
	somebody_comes();
	EXPECT_EQ(live_bytes(), with);
	EXPECT(gate.pending);
	gate_open();
	somebody_comes();
	EXPECT(live_bytes() < with);
	EXPECT(!gate.pending);
}

/* Who is inside when another closes the gate can settle still: that one waits. */
ISOLATED_TEST(settled_though_the_gate_is_closed_meanwhile)
{
	void *objects[ARRAY_SIZE(sizes)];
	gate_pass *pass;
	size_t before;

	heap_up("");
	somebody_comes();
	before = live_bytes();
	make_objects(objects);
	pass = gate_enter();
	ASSERT(pass != NULL);
	others_fork(true);
	for (unsigned int i = 0; i < ARRAY_SIZE(sizes); i++)
		deferred_free(objects[i]);
	gate_settle();
	EXPECT(!gate.pending && !gate.settler);
	others_fork(false);
	gate_leave(pass);
	EXPECT_EQ(live_bytes(), before);
	expect_valid();
}

#define MOST_BLOCKS 200u

/* Memory is at an end but for what another thread has taken, to free it, just now. */
static void expect_that_one_waits(size_t bytes, void *(*alloc)(size_t bytes))
{
	static void *blocks[MOST_BLOCKS];
	unsigned int nr = 0;
	void *block;

	while (nr < MOST_BLOCKS && (blocks[nr] = alloc(bytes)))
		nr++;
	ASSERT(nr && nr < MOST_BLOCKS);
	deferred_free(blocks[--nr]);
	settler_start();
	block = alloc(bytes);
	EXPECT(block != NULL);
	settler_join();
	kfree(block);
	while (nr)
		kfree(blocks[--nr]);
	expect_valid();
}

static void *alloc_pages(size_t bytes)
{
	return pages_alloc(bytes / PAGE_SIZE, 1, STITCH_GFP_KERNEL);
}

ISOLATED_TEST(who_finds_no_memory_waits_for_what_was_freed)
{
	heap_up("reserve=16M");
	expect_that_one_waits(KIB(100), kmalloc);
	expect_that_one_waits(MIB(3), kmalloc);
	expect_that_one_waits(MIB(3), kzalloc);
	expect_that_one_waits(KIB(100), kmalloc_pages_of_own);
	expect_that_one_waits(MIB(3), alloc_pages);
}

/* What was freed can be had again, and once. */
ISOLATED_TEST(each_is_freed_once)
{
	static void *objects[500], *again[500];

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = kmalloc(i);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		deferred_free(objects[i]);
	deferred_free_all();
	deferred_free_all();
	EXPECT_EQ(live_bytes(), 0);
	for (unsigned int i = 0; i < ARRAY_SIZE(again); i++) {
		ASSERT((again[i] = kmalloc(i)));
		memset(again[i], (int)i, i);
	}
	for (unsigned int i = 0; i < ARRAY_SIZE(again); i++) {
		for (unsigned int byte = 0; byte < i; byte++)
			ASSERT_EQ(((unsigned char *)again[i])[byte], (unsigned char)i);
		kfree(again[i]);
	}
	expect_valid();
}

/* --- mistakes --------------------------------------------------------------------------------- */

static unsigned int count(const char *text, const char *word)
{
	unsigned int nr = 0;

	while ((text = strstr(text, word))) {
		text++;
		nr++;
	}
	return nr;
}

/* Frees them in this order, with a warning for each mistake, and works the list off. */
static void expect_one_report(void **objects, unsigned int nr)
{
	const char *text;

	os_fake_capture_begin();
	for (unsigned int i = 0; i < nr; i++)
		deferred_free(objects[i]);
	deferred_free_all();
	text = os_fake_capture_end();
	if (count(text, "free(): double free of") != 1 || count(text, "\n") != 1)
		fprintf(stderr, "reported: %s\n", text);
	EXPECT_EQ(count(text, "free(): double free of"), 1);
	EXPECT_EQ(count(text, "\n"), 1);
}

static void expect_double_frees_reported(size_t bytes)
{
	void *a = kmalloc(bytes), *b = kmalloc(bytes), *c = kmalloc(bytes);

	expect_one_report((void *[]){ a, a }, 2);
	expect_one_report((void *[]){ b, c, b }, 3);
	a = kmalloc(bytes);
	b = kmalloc(bytes);
	c = kmalloc(bytes);
	EXPECT(a != b && b != c && a != c);
	expect_one_report((void *[]){ a, b, c, c, b }, 5);
	a = kmalloc(bytes);
	b = kmalloc(bytes);
	EXPECT(a != b);
	kfree(a);
	kfree(b);
}

ISOLATED_TEST(double_frees_are_reported_and_end)
{
	heap_up("on_error=warn");
	for (unsigned int i = 1; i < ARRAY_SIZE(sizes); i++)
		expect_double_frees_reported(sizes[i]);
	expect_valid();
}

static void free_twice(void *object)
{
	deferred_free(object);
	deferred_free(object);
	deferred_free_all();
}

/* At once, and nothing is written to the place. */
static void expect_refused(void *address, const char *text)
{
	uint64_t before, after;
	const char *reported;

	memcpy(&before, address, sizeof(before));
	os_fake_capture_begin();
	deferred_free(address);
	reported = os_fake_capture_end();
	EXPECT(strstr(reported, text));
	memcpy(&after, address, sizeof(after));
	EXPECT_EQ(after, before);
	EXPECT(!gate.pending);
}

ISOLATED_TEST(what_is_no_object_is_reported_at_once)
{
	static uint64_t ours_not[2] = { 5, 6 };
	char *small, *run, *area;

	heap_up("on_error=warn");
	small = kmalloc(100);
	run = kmalloc(KIB(100));
	area = kmalloc(MIB(5));
	expect_refused(small + 16, "inside an object");
	expect_refused(small + 1, "inside an object");
	expect_refused(run + 4096, "inside an object");
	expect_refused(run + 8, "inside an object");
	expect_refused(area + KIB(64), "inside an object");
	expect_refused(ours_not, "invalid pointer");
	kfree(run);
	expect_refused(run, "free");
	EXPECT_DEATH(params.on_error = ON_ERROR_ABORT; free_twice(small), "double free of");
	params.on_error = ON_ERROR_ABORT;
	EXPECT_DEATH(deferred_free(small + 16), "inside an object");
	kfree(small);
	kfree(area);
}

/* --- threads ---------------------------------------------------------------------------------- */

static _Atomic unsigned int nr_through;

static void *free_all_the_time(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	for (uint64_t round = 0; round < kunit_ops(2000); round++) {
		void *objects[50];

		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
			objects[i] = kmalloc(kunit_below(&random, i % 8 ? 500 : 20000));
		/*
		 * One made while pages were taken from others (kmalloc_drain_others) may be in
		 * emergency memory, of which nothing is deferred.
		 */
		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
			if (emergency_contains(objects[i]))
				kfree(objects[i]);
			else
				deferred_free(objects[i]);
	}
	mm_thread_exit();
	nr_through++;
	return NULL;
}

/* Some defer while others work off what was deferred. */
ISOLATED_TEST(deferred_under_load)
{
	pthread_t threads[NR_THREADS];

	heap_up("");
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, free_all_the_time,
				       (void *)(kunit_seed() + i)));
	while (nr_through < NR_THREADS)
		somebody_comes();
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	somebody_comes();
	EXPECT(!gate.pending);
	EXPECT_EQ(live_bytes(), 0);
	expect_valid();
}

RUN_TESTS
