/*
 * test_emergency_fork.c - emergency memory is whole at every instant: for the child of a fork,
 * whatever other threads were at, and for a signal handler that comes at any instruction.
 */
#include "steps.h" /* first: it asks for GNU's names */

#include <pthread.h>
#include <sys/syscall.h>

#include "kunit.h"
#include "isolated.h"
#include "emergency_test.h"

#define NR_THREADS 3u

/* What other threads had in their hands is lost. */
static void live_in_child(uint64_t number)
{
	uint64_t random = number;

	alarm(30);
	for (unsigned int i = 0; i < 3000; i++)
		exchange_mail(&random);
	for (unsigned int i = 0; i < NR_MAILS; i++)
		mail_end(mails[i]);
	EXPECT_EQ(nr_refused, 0);
	_exit(kunit.nr_failed_checks != 0);
}

static _Atomic bool stop;

static void *exchange_all_the_time(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	while (!stop)
		exchange_mail(&random);
	return NULL;
}

ISOLATED_TEST(children_at_any_time)
{
	pthread_t threads[NR_THREADS];

	part_up(MIB(64));
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		ASSERT(!pthread_create(&threads[i], NULL, exchange_all_the_time,
				       (void *)(kunit_seed() + i)));
	for (unsigned int i = 0; i < 150; i++) {
		pid_t child = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
		int status = -1;

		if (!child)
			live_in_child(i);
		waitpid(child, &status, 0);
		EXPECT_EQ(status, 0);
	}
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_MAILS; i++)
		mail_end(mails[i]);
	EXPECT_EQ(emergency_live(), 0);
}

/* --- a handler at every instruction ----------------------------------------------------------- */

static size_t bytes_of_all;
static void *kept_by_handler, *kept[3];

/*
 * The block, or the front, that the interrupted call has its eye on is there again afterwards, but
 * what it has seen behind it is in use.
 */
static void take_two_free_one(void)
{
	void *first = emergency_alloc(bytes_of_all, 16);

	kept_by_handler = emergency_alloc(bytes_of_all, 16);
	if (first)
		EXPECT(emergency_free(first));
	if (kept_by_handler)
		fill(kept_by_handler, bytes_of_all, 0x11);
}

static void expect_kept(void *object, unsigned char tag)
{
	if (!object)
		return;
	EXPECT(is_filled(object, bytes_of_all, tag));
	EXPECT(emergency_free(object));
}

/* False: the deed has not so many instructions. */
static bool interrupt_at(unsigned int nth)
{
	void *object, *freed = emergency_alloc(bytes_of_all, 16);

	kept_by_handler = NULL;
	nr_steps = 0;
	act_at = nth;
	steps_begin();
	emergency_free(freed);
	object = emergency_alloc(bytes_of_all, 16);
	steps_end();
	ASSERT(object);
	fill(object, bytes_of_all, 0x22);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++) {
		ASSERT((kept[i] = emergency_alloc(bytes_of_all, 16)));
		fill(kept[i], bytes_of_all, (unsigned char)(0x33 + i));
	}
	expect_kept(object, 0x22);
	expect_kept(kept_by_handler, 0x11);
	for (unsigned int i = 0; i < ARRAY_SIZE(kept); i++)
		expect_kept(kept[i], (unsigned char)(0x33 + i));
	EXPECT_EQ(emergency_live(), 0);
	return act_at == NEVER;
}

static void interrupt_everywhere(size_t bytes)
{
	unsigned int nth = 1;

	bytes_of_all = bytes;
	steps_prepare(take_two_free_one);
	while (interrupt_at(nth))
		nth++;
	EXPECT(nth > 20);
}

ISOLATED_TEST(a_handler_at_every_instruction)
{
	alarm(100); /* what is broken may go round for ever */
	part_up(MIB(16));
	interrupt_everywhere(100);
	interrupt_everywhere(KIB(15)); /* four fill a chunk */
	interrupt_everywhere(KIB(20));
	interrupt_everywhere(KIB(100));
}

RUN_TESTS
