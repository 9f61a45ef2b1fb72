// A coroutine on a stack from malloc calls exit: main's frames hold pointers as before.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 65600/2
// top: run
// valgrind: same
#include "corpus.h"
#include <ucontext.h>

static ucontext_t outer, inner;

NOINLINE void run(void)
{
	use(malloc(48));
	exit(0);
}

int main(void)
{
	void *volatile held = malloc(64);

	getcontext(&inner);
	inner.uc_stack.ss_size = 65536;
	inner.uc_stack.ss_sp = calloc(1, inner.uc_stack.ss_size);
	makecontext(&inner, run, 0);
	swapcontext(&outer, &inner);
	use(held);
	return 1;
}
