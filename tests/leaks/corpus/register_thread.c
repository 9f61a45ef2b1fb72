// A thread waits in the kernel with the only pointer in a register.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 72/1
// valgrind: same
#include "corpus.h"
#include <sys/syscall.h>

/* pause() for ever, and nothing but the kernel sees the registers in between. */
NOINLINE void *hold(void *unused)
{
	register void *held __asm__("r12") = malloc(72);

	(void)unused;
	scrub_stack();
	__asm__ volatile("" : "+r"(held));
	sem_post(&parked_thread);
	__asm__ volatile("1: movl %0, %%eax\n\tsyscall\n\tjmp 1b"
			 :
			 : "i"(SYS_pause), "r"(held)
			 : "rax", "rcx", "r11", "memory");
	return NULL;
}

int main(void)
{
	start_parked(hold);
	usleep(20000);
	return 0;
}
