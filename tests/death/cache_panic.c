/* SLAB_PANIC: creation does not fail. */
#include "death/cache.h"

int main(void)
{
	return stitch_kmem_cache_create("victim", 0, 0, STITCH_SLAB_PANIC, NULL) != NULL;
}
