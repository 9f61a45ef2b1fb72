/* The same with leaks=full, which knows who allocated it; nothing is lost, for main holds it. */
#include "death/cache.h"

static char *volatile held;

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(0);

	held = object_of(cache);
	stitch_kmem_cache_destroy(cache);
	return 0;
}
