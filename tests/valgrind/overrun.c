/*
 * Bytes next to an object are not the program's, to the byte: behind what it asked for, though the
 * object's class has more, or not one more; and in front of it.
 */
#include "valgrind/fault.h"

static NOINLINE void behind(size_t bytes)
{
	char *object = malloc(bytes), *neighbour = malloc(bytes);

	memset(object, 'a', bytes);
	memset(neighbour, 'a', bytes);
	decide(object + bytes);
	write_to(object + bytes + 15);
	free(neighbour);
	free(object);
}

static NOINLINE void in_front(void)
{
	char *first = malloc(48), *second = malloc(48);

	write_to((first < second ? second : first) - 1);
	free(second);
	free(first);
}

static NOINLINE void shrunk(void)
{
	char *object = realloc(malloc(SMALL), SMALL - 1);

	write_to(object + SMALL - 1);
	free(object);
}

/* What malloc_usable_size says may be used, and no more. */
static NOINLINE void usable(size_t bytes)
{
	char *object = malloc(bytes);
	size_t usable = malloc_usable_size(object);

	CHECK(usable == bytes, "%zu bytes, usable %zu", bytes, usable);
	memset(object, 'a', usable);
	write_to(object + usable);
	free(object);
}

int main(void)
{
	behind(64);
	behind(SMALL);
	behind(4096);
	behind(AREA);
	in_front();
	shrunk();
	usable(40);
	return 0;
}
