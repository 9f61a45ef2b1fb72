/* module.c - is loaded and closed; MODULE_FUNCTION loses what lose_in_module asks it to. */
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))

void lose_in_module(void);

static NOINLINE void MODULE_FUNCTION(void)
{
	void *volatile object = malloc(700);

	object = NULL;
}

void lose_in_module(void)
{
	MODULE_FUNCTION();
}
