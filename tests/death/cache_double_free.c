/* Not twice in a row: CONSISTENCY_CHECKS find it at once. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(STITCH_SLAB_CONSISTENCY_CHECKS);
	char *first = object_of(cache), *second = object_of(cache);

	stitch_kmem_cache_free(cache, first);
	stitch_kmem_cache_free(cache, second);
	stitch_kmem_cache_free(cache, first);
	return 0;
}
