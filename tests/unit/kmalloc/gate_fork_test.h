/*
 * gate_fork_test.h - children, by which way soever, and what must be true in each of them.
 *
 * Every child has an alarm: one that waits for a thread which it does not have would wait for ever.
 * Include after isolated.h, once.
 */
#ifndef TESTS_GATE_FORK_TEST_H
#define TESTS_GATE_FORK_TEST_H

#include <sys/syscall.h>

#include "gate_test.h"
#include "mm/emergency.h"

/* The handlers before have run. */
__attribute__((unused)) static pid_t fork_within(void)
{
	pid_t child = fork();

	if (child)
		mm_fork_parent();
	else
		mm_fork_child();
	return child;
}

__attribute__((unused)) static pid_t fork_announced(void)
{
	mm_fork_prepare();
	return fork_within();
}

__attribute__((unused)) static pid_t clone_raw(void)
{
	return (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
}

/* The body runs in a child that is made in this way, and fails with it. */
__attribute__((unused)) static void in_child(pid_t (*how)(void), void (*body)(void))
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = how();
	if (!child) {
		alarm(30);
		child_run(body);
	}
	waitpid(child, &status, 0);
	EXPECT_EQ(status, 0);
}

__attribute__((unused)) static void allocate(void)
{
	for (unsigned int i = 0; i < 60; i++) {
		size_t bytes = i % 20 ? i * 10 : i * 9999;
		char *object = kmalloc(bytes);

		ASSERT(object);
		memset(object, 1, bytes);
		object = krealloc(object, bytes * 2 + 1);
		ASSERT(object);
		kfree(object);
	}
}

__attribute__((unused)) static void use_everything(void)
{
	allocate();
	kmalloc_trim();
}

__attribute__((unused)) static void *allocate_as_thread(void *unused)
{
	allocate();
	mm_thread_exit();
	return unused;
}

__attribute__((unused)) static void use_in_threads(void)
{
	pthread_t threads[3];

#ifdef __SANITIZE_ADDRESS__
	return; /* a child may find its malloc locked for ever, which threads that start call */
#endif
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		ASSERT(!pthread_create(&threads[i], NULL, allocate_as_thread, NULL));
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
}

/* Open for everybody, here and in its children. */
__attribute__((unused)) static void expect_open_here(void)
{
	void *object;

	use_everything();
	EXPECT(!gate.closed_by);
	object = kmalloc(KIB(100));
	EXPECT(!emergency_contains(object));
	kfree(object);
	EXPECT(!gate.pending);
	for (unsigned int i = 0; i < NR_VISITOR_PASSES; i++)
		EXPECT_EQ(gate.visitors[i], 0);
	expect_valid();
}

__attribute__((unused)) static void expect_open(void)
{
	expect_open_here();
	use_in_threads();
	in_child(fork_announced, expect_open_here);
	in_child(clone_raw, expect_open_here);
	expect_open_here();
}

/* Its first act is to fork: nothing has noticed yet that this is a child. */
__attribute__((unused)) static void fork_first(void)
{
	in_child(fork_announced, expect_open_here);
	expect_open();
}

/* Its first act is a thread's. */
__attribute__((unused)) static void threads_first(void)
{
	use_in_threads();
	expect_open();
}

__attribute__((unused)) static void report_first(void)
{
	struct kmalloc_usage usage;

	kmalloc_usage_read(&usage);
	EXPECT(usage.reserved > 0);
	expect_open();
}

__attribute__((unused)) static void exit_first(void)
{
	mm_thread_exit();
	EXPECT(!slot_is_held());
	expect_open();
}

__attribute__((unused)) static void expect_open_children(pid_t (*how)(void))
{
	in_child(how, expect_open);
	in_child(how, fork_first);
	in_child(how, threads_first);
	in_child(how, report_first);
	in_child(how, exit_first);
}

#endif
