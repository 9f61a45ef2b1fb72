/*
 * gate_test.h - another thread that forks, or frees what was deferred, as far as the gate can see.
 *
 * Include after isolated.h, once.
 */
#ifndef TESTS_GATE_TEST_H
#define TESTS_GATE_TEST_H

#include <pthread.h>
#include <sched.h>

#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"

static pthread_t closer;
static _Atomic bool is_closed, may_open;

static void *close_and_open(void *unused)
{
	gate_close();
	is_closed = true;
	while (!may_open)
		sched_yield();
	is_closed = false;
	gate_open();
	return unused;
}

__attribute__((unused)) static void closer_start(void)
{
	is_closed = may_open = false;
	ASSERT(!pthread_create(&closer, NULL, close_and_open, NULL));
}

__attribute__((unused)) static void closer_closes(void)
{
	closer_start();
	while (!is_closed)
		sched_yield();
}

__attribute__((unused)) static void closer_opens(void)
{
	may_open = true;
	pthread_join(closer, NULL);
}

__attribute__((unused)) static void wait_for_naps(unsigned int nr)
{
	unsigned int before = os_fake_calls(OS_CALL_NAP);

	while (os_fake_calls(OS_CALL_NAP) < before + nr)
		sched_yield();
}

static pthread_t settler;
static _Atomic bool need_not_wait;

static void *settle_after_naps(void *unused)
{
	unsigned int before = os_fake_calls(OS_CALL_NAP);
	gate_pass *pass;

	while (os_fake_calls(OS_CALL_NAP) < before + 3 && !need_not_wait)
		sched_yield();
	pass = gate_enter();
	ASSERT(pass != NULL);
	deferred_free_all();
	gate_leave(pass);
	gate.settler = 0;
	mm_thread_exit();
	return unused;
}

/* Has taken what was deferred, to free it, and is slow: somebody naps three times first. */
__attribute__((unused)) static void settler_start(void)
{
	gate.pending = 0;
	gate.settler = 64; /* nobody's thread pointer */
	need_not_wait = false;
	ASSERT(!pthread_create(&settler, NULL, settle_after_naps, NULL));
}

/* Whoever was to wait has, or will not. */
__attribute__((unused)) static void settler_join(void)
{
	need_not_wait = true;
	pthread_join(settler, NULL);
}

#endif
