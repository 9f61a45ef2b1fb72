/*
 * background.c - the thread of background_thread=1 (init/kswapd.h): made, and ended.
 *
 * L10. A process ends with its last thread when main has left by pthread_exit; it would never end
 * with a thread that waits for work. So main's exit ends this one.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* pthread_attr_setsigmask_np */
#endif
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>

#include "core/params.h"
#include "entry.h"
#include "init/kswapd.h"

#if !STITCH_PREFIX
/*
 * Enough for shrinkers, which are the program's. The second for programs whose thread-local
 * variables, which lie on the stack, fill the first.
 */
static const size_t stack_bytes[] = { 256 << 10, 1 << 20 };

/* Many children of a fork only start another program. */
#define CALLS_BEFORE_THREAD_OF_CHILD 64u

static pthread_key_t main_key;

static void main_exits(void *unused)
{
	(void)unused;
	kswapd_stop();
}

static void *thread_run(void *unused)
{
	pthread_setname_np(pthread_self(), "stitch-kswapd");
	kswapd_run();
	return unused;
}

/* Detached, all signals blocked. */
static bool thread_make(size_t bytes)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	bool made;

	if (pthread_attr_init(&attributes))
		return false;
	memset(&all, 0xff, sizeof(all)); /* libc takes out what it needs itself */
	made = !pthread_attr_setsigmask_np(&attributes, &all) &&
	       !pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED) &&
	       !pthread_attr_setstacksize(&attributes, bytes) &&
	       !pthread_create(&thread, &attributes, thread_run, NULL);
	pthread_attr_destroy(&attributes);
	return made;
}

/* What it allocates comes here again, and finds that the thread is begun. */
__slow void background_start(void)
{
	int saved_errno = errno;
	bool made = false;

	if (!kswapd_begin())
		return;
	for (size_t i = 0; !made && i < ARRAY_SIZE(stack_bytes); i++)
		made = thread_make(stack_bytes[i]);
	if (!made)
		kswapd_stop();
	errno = saved_errno;
}

void background_arm(void)
{
	if (params.background_thread && !pthread_key_create(&main_key, main_exits) &&
	    !pthread_setspecific(main_key, &main_key))
		kswapd_want(0);
}

/* The thread that has forked is the child's main thread. */
void background_after_fork(void)
{
	if (atomic_load(&kswapd_state) != KSWAPD_OFF && !pthread_setspecific(main_key, &main_key))
		kswapd_want(CALLS_BEFORE_THREAD_OF_CHILD);
}
#endif
