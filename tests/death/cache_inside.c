/* A pointer into an object. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(0);

	stitch_kmem_cache_free(cache, object_of(cache) + 16);
	return 0;
}
