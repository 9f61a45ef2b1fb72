/* Written to after it was freed: found when it would be given out again. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(STITCH_SLAB_POISON);
	char *object = object_of(cache);

	stitch_kmem_cache_free(cache, object);
	object[5] = 0;
	object_of(cache);
	return 0;
}
