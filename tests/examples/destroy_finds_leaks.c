/*
 * A leak that kmem_cache_destroy finds: whoever unloads a part of the program learns which of its
 * objects are still alive, and, with STITCH_SLAB_STORE_USER, who has allocated them.
 */
#include <stdio.h>

#include <stitch/slab.h>

struct session {
	int id;
	char user[60];
};

int main(void)
{
	struct stitch_kmem_cache *sessions =
		STITCH_KMEM_CACHE(session, STITCH_SLAB_STORE_USER | STITCH_SLAB_NO_MERGE);
	struct session *first, *second;

	if (!sessions)
		return 1;
	first = stitch_kmem_cache_alloc(sessions, STITCH_GFP_KERNEL);
	second = stitch_kmem_cache_alloc(sessions, STITCH_GFP_KERNEL);
	if (!first || !second)
		return 1;
	stitch_kmem_cache_free(sessions, first);
	stitch_kmem_cache_destroy(sessions); /* one object is left: on standard error */
	puts("the second session was forgotten");
	return 0;
}
