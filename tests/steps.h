/*
 * steps.h - a signal handler at a chosen instruction: the processor steps, and traps at each.
 *
 *	steps_prepare(what_the_handler_does);
 *	act_at = 17;
 *	steps_begin();
 *	... the handler does it once, after 17 instructions ...
 *	steps_end();
 *
 * Include once, before any header of libc. Where nothing steps (Valgrind) the handler never runs:
 * who looks at nr_steps or act_at finds out.
 */
#ifndef TESTS_STEPS_H
#define TESTS_STEPS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* REG_EFL */
#endif
#include <signal.h>
#include <stdbool.h>
#include <ucontext.h>

#include "base/compiler.h"

#define TRAP_FLAG 0x100
#define NEVER 0u

static void (*interruption)(void);
static volatile unsigned int nr_steps, act_at; /* NEVER: it has acted */
static void on_step(int signal_number, siginfo_t *info, void *context)
{
	ucontext_t *interrupted = context;

	(void)signal_number;
	(void)info;
	nr_steps++;
	if (nr_steps != act_at)
		return;
	act_at = NEVER;
	interrupted->uc_mcontext.gregs[REG_EFL] &= ~TRAP_FLAG;
	interruption();
}

/* From the next instruction on. No red zone is touched. */
static __inline_always void steps_begin(void)
{
	if (act_at == NEVER)
		return;
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "orq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 : "i"(TRAP_FLAG)
			 : "cc", "memory");
}

static __inline_always void steps_end(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\t"
			 "pushfq\n\t"
			 "andq %0, (%%rsp)\n\t"
			 "popfq\n\t"
			 "lea 128(%%rsp), %%rsp"
			 :
			 : "i"(~TRAP_FLAG)
			 : "cc", "memory");
}

static void steps_prepare(void (*what)(void))
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &action, NULL);
	interruption = what;
}

#endif
