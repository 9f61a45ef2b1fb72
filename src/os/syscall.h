/*
 * syscall.h - entering the kernel by one instruction of our own, so that errno stays as it is and
 * no interposed wrapper is run.
 *
 * L1. For the files of src/os only.
 */
#ifndef OS_SYSCALL_H
#define OS_SYSCALL_H

#include "base/compiler.h"

static __inline_always long syscall6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

static __inline_always long syscall3(long nr, long a, long b, long c)
{
	return syscall6(nr, a, b, c, 0, 0, 0);
}

static __inline_always bool is_error(long ret)
{
	return (unsigned long)ret >= (unsigned long)-4095L;
}

#endif
