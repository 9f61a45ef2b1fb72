// _exit is called in a handler whose stack is a part of the program's own data: what lies below the
// stack there is as good as what lies above.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 6400/64
// valgrind: same
#include "corpus.h"

static struct {
	void *pointers[600];
	char stack[65536];
} data;

NOINLINE void handle(int number)
{
	_exit(number & 0);
}

int main(void)
{
	stack_t stack = {.ss_sp = data.stack, .ss_size = sizeof(data.stack)};
	struct sigaction action = {.sa_flags = SA_ONSTACK};

	for (int i = 0; i < 64; i++)
		data.pointers[536 + i] = malloc(100);
	action.sa_handler = handle;
	if (sigaltstack(&stack, NULL) || sigaction(SIGUSR1, &action, NULL))
		return 1;
	raise(SIGUSR1);
	return 1;
}
