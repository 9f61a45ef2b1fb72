// The stack of a suspended coroutine is freed, and what it held is lost.
// expect: definite 66/1 indirect 0/0 possible 0/0 reachable 0/0
// top: run
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
	free(inner.uc_stack.ss_sp);
	memset(&inner, 0, sizeof(inner));
	scrub_stack();
	return 0;
}
