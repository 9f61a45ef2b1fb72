// A thread that computes has the only pointer in a vector register.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 300/1
// valgrind: same
#include "corpus.h"

static volatile int ready;

NOINLINE void *work(void *unused)
{
	void *block = malloc(300);

	__asm__ volatile("movq %0, %%xmm7\n\txor %0, %0\n\tmovl $1, %1\n"
			 "1:\tpause\n\tjmp 1b"
			 : "+r"(block), "=m"(ready)
			 :
			 : "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "xmm7",
			   "memory");
	return unused;
}

int main(void)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, work, NULL))
		return 1;
	while (!ready)
		usleep(1000);
	return 0;
}
