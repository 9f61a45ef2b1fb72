// Stacks of coroutines without guards are one mapping to the kernel; the process ends on the lowest
// of them.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 240/4
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>
#include <ucontext.h>

#define NR 4

static ucontext_t outer, inner[NR];

NOINLINE void run(int i)
{
	void *volatile held = malloc(60);

	if (!i)
		_exit(0);
	swapcontext(&inner[i], &inner[i - 1]);
	use(held);
}

int main(void)
{
	char *stacks = mmap(NULL, NR * 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	for (int i = 0; i < NR; i++) {
		getcontext(&inner[i]);
		inner[i].uc_stack.ss_sp = stacks + i * 65536;
		inner[i].uc_stack.ss_size = 65536;
		inner[i].uc_link = &outer;
		makecontext(&inner[i], (void (*)(void))run, 1, i);
	}
	swapcontext(&outer, &inner[NR - 1]);
	return 1;
}
