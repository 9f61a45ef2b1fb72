/* What is no live block is reported by memcheck, is not freed, and the program goes on. */
#include "valgrind/fault.h"

static NOINLINE void twice(size_t bytes)
{
	char *object = launder(malloc(bytes));

	free(object);
	free(object);
	CHECK(!realloc(object, 10), "realloc of a freed object");
}

static NOINLINE void inside(size_t bytes)
{
	char *object = malloc(bytes);

	free(launder(object + 16));
	free(object);
}

static NOINLINE void on_the_stack(void)
{
	char array[64];

	free(launder(array + 16));
}

int main(void)
{
	twice(SMALL);
	inside(SMALL);
	twice(RUN);
	inside(RUN);
	twice(AREA);
	inside(AREA);
	on_the_stack();
	free(malloc(SMALL));
	return 0;
}
