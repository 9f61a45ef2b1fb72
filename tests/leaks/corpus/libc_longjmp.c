// The frames that held the pointer were jumped over.
// expect: definite 48/1 indirect 0/0 possible 0/0 reachable 0/0
// top: deeper deep main
// valgrind: same
#include "corpus.h"
#include <setjmp.h>

static jmp_buf back;

NOINLINE void deeper(void)
{
	void *volatile held = malloc(48);

	use(held);
	longjmp(back, 1);
}

NOINLINE void deep(void)
{
	deeper();
	use(NULL);
}

int main(void)
{
	if (!setjmp(back))
		deep();
	scrub_stack();
	return 0;
}
