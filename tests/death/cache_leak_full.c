/* As cache_leak, with stacks. */
#include "death/cache.h"

static char *volatile held;

static __attribute__((noinline)) void lose(struct stitch_kmem_cache *cache)
{
	for (int i = 0; i < 4; i++)
		held = object_of(cache);
	stitch_kmem_cache_free(cache, object_of(cache));
}

/* What calls have left on the stack and in registers holds objects. */
static __attribute__((noinline)) void wipe(void)
{
	char stack[8192];

	launder(memset(stack, 0, sizeof(stack)));
}

int main(void)
{
	lose(cache_with(0));
	wipe();
	return 0;
}
