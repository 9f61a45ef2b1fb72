/* One byte too many. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(STITCH_SLAB_RED_ZONE);
	char *object = object_of(cache);

	memset(object, 'x', 101);
	stitch_kmem_cache_free(cache, object);
	return 0;
}
