/*
 * trap.h - the processor's trap flag: a SIGTRAP an instruction, of the calling thread.
 *
 * The flags pass below the red zone.
 */
#ifndef TESTS_FASTPATH_TRAP_H
#define TESTS_FASTPATH_TRAP_H

static inline void trap_flag_set(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torl $0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

static inline void trap_flag_clear(void)
{
	__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandl $~0x100, (%%rsp)\n\tpopfq\n\t"
			 "lea 128(%%rsp), %%rsp" ::: "memory", "cc");
}

#endif
