/* A cache ends with two objects alive; that is no reason to abort. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(0);
	char *object = object_of(cache);

	object_of(cache);
	stitch_kmem_cache_free(cache, object_of(cache));
	stitch_kmem_cache_destroy(cache);
	stitch_kmem_cache_free(cache, object);
	return 0;
}
