/* An object of another cache. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *other =
		stitch_kmem_cache_create("other", 200, 0, STITCH_SLAB_NO_MERGE, NULL);

	stitch_kmem_cache_free(cache_with(0), object_of(other));
	return 0;
}
