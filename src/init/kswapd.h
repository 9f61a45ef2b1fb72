/*
 * kswapd.h - decay (mm/decay.h) while the program makes no call: what background_thread=1 adds.
 *
 * L9. What the thread does and when there shall be one; preload/background.c makes it, by
 * pthread_create, since libc must know of it (setuid changes all threads that libc knows).
 *
 * Once a second it asks whether memory is short (core/pressure.h): then everything that is free
 * goes back, whatever its age, and shrinkers are called. Whoever finds the heap above a soft limit
 * wakes it to call them.
 *
 * There is none before the heap could have something to give back, so that small programs stay
 * single-threaded. It is made by a thread that has just allocated, never by one that frees: libc
 * frees the storage of ended threads under a lock that pthread_create takes. It keeps all signals
 * blocked, is a visitor of the gate as any other thread, and waits for nobody: a fork and an exit
 * need not know of it. A child of a fork has none and makes its own by the same rule.
 */
#ifndef INIT_KSWAPD_H
#define INIT_KSWAPD_H

#include "base/compiler.h"

enum kswapd_state {
	KSWAPD_OFF,
	KSWAPD_WANTED, /* who allocates may make the thread */
	KSWAPD_RUNNING,
	KSWAPD_ASKED, /* running; a soft limit is to be relieved */
	KSWAPD_STOPPED, /* for good, in this process */
};

extern _Atomic uint32_t kswapd_state;

/* Milliseconds between two looks: while something is due, and at the longest. */
#define KSWAPD_BUSY_MS 100u
#define KSWAPD_IDLE_MS 1000u

/* This process shall have a thread. In a child of a fork not before so many slow allocations. */
void kswapd_want(unsigned int nr_calls_before);

/*
 * True: the caller makes the thread now, and it is the only one to do so. Outside the gate. False
 * also in a child of vfork, whose thread would be the child's, and its memory the parent's.
 */
bool kswapd_begin(void);

/* Of the thread: until kswapd_stop. */
void kswapd_run(void);

/*
 * The heap is above a soft limit, the low mark of the kernel: call shrinkers. False: there is no
 * thread that does it. Never waits.
 */
bool kswapd_wake(void);

/* One look. The last pause was nap_ms long; returns how long the next is. */
uint32_t kswapd_look(uint32_t nap_ms);

/* Any state to KSWAPD_STOPPED; the thread ends soon. */
void kswapd_stop(void);

#endif
