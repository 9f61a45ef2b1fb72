/*
 * test_deferred_steps.c - a signal handler allocates at every instruction of deferred_free_all.
 *
 * Not under ThreadSanitizer, whose own instructions must not be interrupted, nor under Valgrind,
 * which knows no trap flag (tests/valgrind.cmake).
 */
#include <signal.h>

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"

#define NR_OTHERS 8u

static volatile unsigned int nr_steps, step_of_handler;
static void *volatile had_by_handler;

static void on_step(int number)
{
	(void)number;
	if (++nr_steps == step_of_handler)
		had_by_handler = kmalloc(100);
}

/* With a trap after every instruction. */
static void work_off_in_steps(void)
{
	gate_pass *pass = gate_enter();

	ASSERT(pass);
	__asm__ volatile("pushf; orl $0x100, (%%rsp); popf" ::: "memory", "cc");
	deferred_free_all();
	__asm__ volatile("pushf; andl $~0x100, (%%rsp); popf" ::: "memory", "cc");
	gate_leave(pass);
}

/* A signal handler allocates after `step` instructions: nobody else gets the object. */
static void interrupt_after(unsigned int step)
{
	void *others[NR_OTHERS];

	for (unsigned int i = 0; i < NR_OTHERS; i++)
		ASSERT((others[i] = kmalloc(100)));
	for (unsigned int i = 1; i < NR_OTHERS; i++)
		kfree(others[i]);
	deferred_free(others[0]);
	gate.pending = 0; /* not before */
	nr_steps = 0;
	step_of_handler = step;
	had_by_handler = NULL;
	work_off_in_steps();
	for (unsigned int i = 0; i < NR_OTHERS; i++) {
		others[i] = kmalloc(100);
		if (others[i] == had_by_handler)
			fprintf(stderr, "given out twice: interrupted after %u steps\n", step);
		EXPECT(others[i] != had_by_handler);
	}
	for (unsigned int i = 0; i < NR_OTHERS; i++)
		kfree(others[i]);
	kfree(had_by_handler);
}

/* As for all slow paths: only the fast paths of the entry points have instructions that matter. */
ISOLATED_TEST(handlers_may_allocate_amid_the_frees)
{
	struct sigaction action = { .sa_handler = on_step };

	sigaction(SIGTRAP, &action, NULL);
	heap_up("");
	for (unsigned int step = 1; nr_steps + 1 >= step; step++)
		interrupt_after(step);
	EXPECT(nr_steps > 30);
	expect_valid();
}

RUN_TESTS
