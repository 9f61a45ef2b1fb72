/*
 * fault.h - what the programs for memcheck share. Each makes its faults in functions of their own,
 * whose names the reports must show, on a small object, a page run and an area. Calls are on lines
 * of their own: memcheck prints an error once a place. The programs are compiled with -O0.
 */
#ifndef VALGRIND_FAULT_H
#define VALGRIND_FAULT_H

#include "semantics/check.h"

#define NOINLINE __attribute__((noinline))

#define SMALL ((size_t)100)
#define RUN ((size_t)300 * 1000)
#define AREA ((size_t)5 * 1000 * 1000)

/* A decision by a byte: what memcheck reports when the byte was never written. */
static NOINLINE __attribute__((unused)) int decide(const char *byte)
{
	const volatile char *at = byte;

	return *at == 'x' ? getppid() : 0;
}

static NOINLINE __attribute__((unused)) void write_to(char *byte)
{
	volatile char *at = byte;

	*at = 'x';
}

/* What earlier calls left on the stack or in registers shall not be found by a search for leaks. */
static NOINLINE __attribute__((unused)) void forget_stack(void)
{
	volatile char stack[4096];

	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
	__asm__ volatile("" ::: "rbx", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
			 "memory");
}

#endif
