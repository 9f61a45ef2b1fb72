/*
 * gate_test.h - another thread that forks, as far as the gate can see.
 *
 * Include after isolated.h, once.
 */
#ifndef TESTS_GATE_TEST_H
#define TESTS_GATE_TEST_H

#include <pthread.h>
#include <sched.h>

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

#endif
