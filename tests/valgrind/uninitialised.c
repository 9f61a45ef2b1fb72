/* What malloc gives is undefined, and the new part of what realloc enlarges; zero is defined. */
#include "valgrind/fault.h"

static NOINLINE void fresh(size_t bytes)
{
	char *object = malloc(bytes);

	decide(object + bytes / 2);
	free(object);
}

/* The same object again: what the program wrote before counts no more. */
static NOINLINE void used_before(size_t bytes)
{
	for (int i = 0; i < 5000; i++)
		free(memset(malloc(bytes), 'a', bytes));
	fresh(bytes);
}

static NOINLINE void grown(size_t bytes)
{
	char *object = memset(malloc(bytes), 'a', bytes);

	object = realloc(object, 2 * bytes);
	CHECK(all_bytes_are(object, 'a', bytes), "realloc of %zu bytes", bytes);
	decide(object + bytes);
	free(object);
}

static NOINLINE void zeroed(size_t bytes)
{
	char *object = calloc(1, bytes);

	CHECK(all_bytes_are(object, 0, bytes), "calloc of %zu bytes", bytes);
	free(object);
}

int main(void)
{
	fresh(SMALL);
	grown(SMALL);
	zeroed(SMALL);
	fresh(RUN);
	grown(RUN);
	zeroed(RUN);
	fresh(AREA);
	grown(AREA);
	zeroed(AREA);
	used_before(SMALL);
	return 0;
}
