/* Who allocated it, and who freed it first. */
#include "death/cache.h"

static __attribute__((noinline)) char *allocator(struct stitch_kmem_cache *cache)
{
	char *object = object_of(cache);

	return launder(object);
}

static __attribute__((noinline)) void releaser(struct stitch_kmem_cache *cache, char *object)
{
	stitch_kmem_cache_free(cache, object);
	launder(object);
}

int main(void)
{
	struct stitch_kmem_cache *cache = cache_with(STITCH_SLAB_STORE_USER);
	char *object = allocator(cache);

	releaser(cache, object);
	stitch_kmem_cache_free(cache, object);
	return 0;
}
