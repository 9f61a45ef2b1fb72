/*
 * kernel_shrinker.h - the kernel's own names for stitch/shrinker.h, as stitch/kernel.h has them
 * for the rest: those of Linux 6.7 and later (shrinker_alloc), and those before
 * (register_shrinker). A plain word among them (shrinker) becomes a macro.
 */
#ifndef STITCH_KERNEL_SHRINKER_H
#define STITCH_KERNEL_SHRINKER_H

#include "stitch/kernel_devm.h"
#include "stitch/shrinker.h"
#include "stitch/slab.h"

/* NULL: no memory. The kernel's flags and name are for control groups and debugfs. */
static inline struct stitch_shrinker *stitch_new_shrinker(void)
{
	struct stitch_shrinker *made =
		(struct stitch_shrinker *)stitch_kzalloc(sizeof(*made), STITCH_GFP_KERNEL);

	if (made)
		made->seeks = STITCH_DEFAULT_SEEKS;
	return made;
}

/* Not to be called in signal handlers, so that EAGAIN passes. */
static inline void stitch_unregister_for_good(struct stitch_shrinker *made)
{
	while (stitch_unregister_shrinker(made) && errno == EAGAIN)
		;
}

static inline void stitch_free_shrinker(struct stitch_shrinker *made)
{
	stitch_unregister_for_good(made);
	stitch_kfree(made);
}

#define shrinker stitch_shrinker /* struct shrinker */
#define shrink_control stitch_shrink_control
#define SHRINK_STOP STITCH_SHRINK_STOP
#define SHRINK_EMPTY STITCH_SHRINK_EMPTY
#define DEFAULT_SEEKS STITCH_DEFAULT_SEEKS
#define shrinker_alloc(...) stitch_new_shrinker()
#define shrinker_register(made) ((void)stitch_register_shrinker(made))
#define shrinker_free stitch_free_shrinker
#define register_shrinker(made, ...) stitch_negative_errno(stitch_register_shrinker(made))
#define unregister_shrinker stitch_unregister_for_good

#endif
