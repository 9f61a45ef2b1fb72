// The same on a stack from mmap.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 66/1
// valgrind: same
#include "corpus.h"
#include <sys/mman.h>
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
	inner.uc_stack.ss_sp =
		mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	makecontext(&inner, run, 0);
	swapcontext(&outer, &inner);
	scrub_stack();
	return 0;
}
