// exit is called in a handler that runs on a stack from malloc; a frame there, and one that the
// signal interrupted, hold pointers.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 65652/3
// valgrind: same
#include "corpus.h"

stack_t stack;

NOINLINE void leave(void)
{
	scrub_stack();
	exit(0);
}

NOINLINE void handle(int number)
{
	void *volatile held = malloc(60 + (number & 0));

	leave();
	use(held);
}

int main(void)
{
	struct sigaction action = {.sa_flags = SA_ONSTACK};
	void *volatile held = malloc(56);

	action.sa_handler = handle;
	stack.ss_sp = malloc(65536);
	stack.ss_size = 65536;
	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		return 1;
	raise(SIGUSR1);
	use(held);
	return 1;
}
