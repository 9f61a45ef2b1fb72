/* The cache is an alias of malloc's class of 64 bytes; the object is of another class. */
#include "death/cache.h"

int main(void)
{
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("victim", 64, 0, 0, NULL);

	stitch_kmem_cache_free(cache, block_of(64));
	stitch_kmem_cache_free(cache, block_of(100));
	return 0;
}
