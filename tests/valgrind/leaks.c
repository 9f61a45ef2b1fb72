/*
 * Objects that nothing points to are lost, with the stack that made them. Pointers that stay behind
 * in the allocator's own arrays do not count, so each kind is made among many that are freed.
 *
 * A limit of memcheck: to its search all of our heap is memory of the program's, where pointers
 * count. What only a lost object points to is reported as reachable.
 */
#include "valgrind/fault.h"

static char *kept;

static NOINLINE char *among_others(size_t bytes)
{
	char *others[64], *object;

	for (int i = 0; i < 64; i++)
		others[i] = malloc(bytes);
	object = malloc(bytes);
	for (int i = 0; i < 64; i++)
		free(others[i]);
	return object;
}

static NOINLINE void lose(size_t bytes)
{
	memset(among_others(bytes), 0, bytes);
}

static NOINLINE void lose_chain(void)
{
	char **head = (char **)malloc(24);

	*head = among_others(40);
}

int main(void)
{
	for (int i = 0; i < 3; i++)
		lose(SMALL);
	lose(RUN);
	lose(AREA);
	lose_chain();
	kept = among_others(200);
	forget_stack();
	return 0;
}
