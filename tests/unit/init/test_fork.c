/*
 * test_fork.c - the child of a fork has a whole heap, less what only its absent threads knew.
 */
#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"

static void *objects[2000];
static pthread_barrier_t met;
static _Atomic bool stop;

/* A fork with our handlers around it, as pthread_atfork makes it. */
static pid_t heap_fork(void)
{
	pid_t child;

	mm_fork_prepare();
	child = fork();
	if (child)
		mm_fork_parent();
	else
		mm_fork_child();
	return child;
}

static void expect_child_well(pid_t child)
{
	int status = -1;

	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

static _Noreturn void child_end(void)
{
	fflush(NULL);
	_exit(kunit.nr_failed_checks != 0);
}

static void use_everything(void)
{
	for (unsigned int i = 0; i < 500; i++) {
		size_t bytes = i % 20 ? i * 10 : i * 9999;
		char *object = kmalloc(bytes);

		EXPECT(object);
		memset(object, 1, bytes);
		object = krealloc(object, bytes * 2 + 1);
		EXPECT(object);
		kfree(object);
	}
	kmalloc_trim();
}

/* The other threads are at rest, or absent. */
static void use_and_validate(void)
{
	use_everything();
	expect_valid();
}

ISOLATED_TEST(both_sides_go_on)
{
	char *object;
	pid_t child;

	heap_up("");
	object = kmalloc(100);
	strcpy(object, "before");
	child = heap_fork();
	EXPECT_STREQ(object, "before");
	kfree(object);
	use_and_validate();
	if (!child)
		child_end();
	expect_child_well(child);
}

static void *use_as_thread(void *unused)
{
	use_everything();
	mm_thread_exit();
	return unused;
}

/* The child's locks are free: its new threads do not wait for the forker. */
ISOLATED_TEST(child_makes_threads)
{
	pthread_t thread;
	pid_t child;

	heap_up("");
	use_everything();
	child = heap_fork();
	if (!child) {
		alarm(20);
		EXPECT(!pthread_create(&thread, NULL, use_as_thread, NULL));
		pthread_join(thread, NULL);
		use_and_validate();
		child_end();
	}
	expect_child_well(child);
}

ISOLATED_TEST(before_the_boot)
{
	pid_t child;

	os_fake_reset();
	child = heap_fork();
	ASSERT(mm_init());
	use_and_validate();
	if (!child)
		child_end();
	expect_child_well(child);
}

/* Handlers of other libraries run between ours and call malloc: the forker may. */
ISOLATED_TEST(forker_may_allocate_meanwhile)
{
	heap_up("");
	kfree(kmalloc(10));
	mm_fork_prepare();
	use_and_validate();
	mm_fork_parent();
	use_and_validate();
	mm_fork_prepare();
	mm_fork_child();
	use_and_validate();
	/* Also when it has no slot of its own yet. */
	thread_switch(&slot_none);
	mm_fork_prepare();
	use_and_validate();
	mm_fork_parent();
	use_and_validate();
}

static void *other_thread(void *unused)
{
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		objects[i] = kmalloc(i);
	pthread_barrier_wait(&met);
	pthread_barrier_wait(&met);
	mm_thread_exit();
	return unused;
}

/* The objects of threads that are not here live on, and their frees do no harm. */
ISOLATED_TEST(objects_of_absent_threads)
{
	pthread_t thread;
	struct slot *theirs;
	pid_t child;

	heap_up("");
	kfree(kmalloc(10));
	pthread_barrier_init(&met, NULL, 2);
	ASSERT(!pthread_create(&thread, NULL, other_thread, NULL));
	pthread_barrier_wait(&met);
	theirs = slot_by_id(pagemap_slot(pagemap_read(virt_to_pfn(objects[0]))));
	EXPECT(theirs != current_slot);
	child = heap_fork();
	if (!child) {
		EXPECT_EQ(theirs->state, SLOT_FREE);
		EXPECT_EQ(slot_count_held(), 1);
		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++) {
			memset(objects[i], 1, i);
			if (i % 2)
				kfree(objects[i]);
			else
				objects[i] = krealloc(objects[i], i + 5000);
		}
		use_and_validate();
		for (unsigned int i = 0; i < ARRAY_SIZE(objects); i += 2)
			kfree(objects[i]);
		/* A second generation. */
		child = heap_fork();
		use_and_validate();
		if (!child)
			child_end();
		expect_child_well(child);
		child_end();
	}
	EXPECT_EQ(theirs->state, SLOT_HELD);
	EXPECT_EQ(slot_count_held(), 2);
	expect_child_well(child);
	pthread_barrier_wait(&met);
	pthread_join(thread, NULL);
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		kfree(objects[i]);
	use_and_validate();
}

static void *busy_thread(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	while (!stop) {
		void *mine[50];

		for (unsigned int i = 0; i < 50; i++)
			mine[i] = kmalloc(kunit_below(&random, i % 10 ? 500 : 20000));
		for (unsigned int i = 0; i < 50; i++)
			kfree(mine[i]);
		if (kunit_below(&random, 50) == 0) {
			mm_thread_exit();
			current_slot = &slot_none;
		}
	}
	mm_thread_exit();
	return NULL;
}

/* While others are amid anything. */
ISOLATED_TEST(forks_under_load)
{
	pthread_t threads[3];

	heap_up("");
	for (uintptr_t i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT(!pthread_create(&threads[i], NULL, busy_thread, (void *)(i + 1)));
	for (unsigned int i = 0; i < 50; i++) {
		pid_t child = heap_fork();

		use_everything();
		if (!child) {
			expect_valid();
			child_end();
		}
		expect_child_well(child);
	}
	stop = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	expect_valid();
}

/* Free stretches without end, between runs in use, so that hundreds are isolated by turns. */
static void *trimming_thread(void *unused)
{
	while (!stop) {
		for (unsigned int i = 1; i < ARRAY_SIZE(objects); i += 2)
			memset(objects[i], 1, KIB(20));
		for (unsigned int i = 1; i < ARRAY_SIZE(objects); i += 2)
			kfree(objects[i]);
		kmalloc_trim();
		for (unsigned int i = 1; i < ARRAY_SIZE(objects); i += 2)
			EXPECT((objects[i] = kmalloc(KIB(20))));
	}
	mm_thread_exit();
	return unused;
}

/* What a trim has taken out of the free lists is back before the fork. */
ISOLATED_TEST(forks_beside_a_trim)
{
	pthread_t thread;

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(objects); i++)
		ASSERT((objects[i] = kmalloc(KIB(20))));
	ASSERT(!pthread_create(&thread, NULL, trimming_thread, NULL));
	for (unsigned int i = 0; i < 20; i++) {
		pid_t child = heap_fork();

		if (!child) {
			EXPECT_EQ(zone.nr_isolated, 0);
			EXPECT(validate_zone());
			kmalloc_trim();
			use_and_validate();
			child_end();
		}
		expect_child_well(child);
	}
	stop = true;
	pthread_join(thread, NULL);
	expect_valid();
}

RUN_TESTS
