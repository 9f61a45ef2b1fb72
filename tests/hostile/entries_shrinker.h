/* entries_shrinker.h - see entries.h: include/stitch/shrinker.h. */
#ifndef HOSTILE_ENTRIES_SHRINKER_H
#define HOSTILE_ENTRIES_SHRINKER_H

#include "kernel_api.h"

static inline unsigned long entry_count_objects(struct stitch_shrinker *shrinker,
						struct stitch_shrink_control *control)
{
	(void)shrinker;
	(void)control;
	return 3;
}

static inline unsigned long entry_scan_objects(struct stitch_shrinker *shrinker,
					       struct stitch_shrink_control *control)
{
	(void)shrinker;
	return control->nr_to_scan;
}

/* Called, or not; registered, called, and no longer there. */
static inline bool entry_shrinks(void)
{
	static struct stitch_shrinker cache;

	cache.count_objects = entry_count_objects;
	cache.scan_objects = entry_scan_objects;
	cache.seeks = STITCH_DEFAULT_SEEKS;
	return !stitch_register_shrinker(&cache) &&
	       stitch_shrink_slab(STITCH_GFP_KERNEL, 0) == 6 &&
	       !stitch_unregister_shrinker(&cache) && !stitch_shrink_slab(STITCH_GFP_KERNEL, 0);
}

static inline bool entry_call_shrinker(const char *name)
{
	SAYS(stitch_register_shrinker, entry_shrinks())
	SAYS(stitch_unregister_shrinker, !stitch_unregister_shrinker(NULL))
	SAYS(stitch_shrink_slab, !stitch_shrink_slab(STITCH_GFP_KERNEL, 0))
	return false;
}

#endif
