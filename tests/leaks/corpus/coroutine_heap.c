// A suspended coroutine whose stack is a block holds the only pointer.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 65602/2
// valgrind: same
#include "corpus.h"
#include <ucontext.h>

static ucontext_t outer, inner;

NOINLINE void run(void)
{
	void *volatile held = malloc(66);

	swapcontext(&inner, &outer);
	use(held);
}

int main(void)
{
	getcontext(&inner);
	inner.uc_stack.ss_size = 65536;
	inner.uc_stack.ss_sp = calloc(1, inner.uc_stack.ss_size);
	makecontext(&inner, run, 0);
	swapcontext(&outer, &inner);
	scrub_stack();
	return 0;
}
