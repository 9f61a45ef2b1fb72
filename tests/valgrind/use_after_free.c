/* Reads and writes of freed objects are reported, with both stacks, also while others are made. */
#include "valgrind/fault.h"

static NOINLINE char *make(size_t bytes)
{
	return memset(malloc(bytes), 'a', bytes);
}

static NOINLINE void end(char *object)
{
	free(object);
}

static NOINLINE void at_once(size_t bytes)
{
	char *object = make(bytes);

	end(object);
	decide(object + 3);
	write_to(object + bytes - 1);
}

static NOINLINE void later(void)
{
	char *object = make(SMALL);

	end(object);
	for (int i = 0; i < 1000; i++)
		free(make(SMALL));
	decide(object + 7);
}

static NOINLINE void moved(void)
{
	char *object = make(SMALL), *copy = realloc(object, SMALL + 1);

	decide(object + 9);
	free(copy);
}

int main(void)
{
	at_once(SMALL);
	at_once(RUN);
	at_once(AREA);
	later();
	moved();
	return 0;
}
