/*
 * kernel_shrinker.c - the public functions of include/stitch/shrinker.h.
 *
 * L10. errno where they fail, and nowhere else.
 */
#include <errno.h>

#include "entry.h"
#include "kmalloc/shrinker.h"

static int answer(int error)
{
	if (!error)
		return 0;
	errno = -error;
	return -1;
}

__visible int stitch_register_shrinker(struct stitch_shrinker *shrinker)
{
	bool had_slot = mm_thread_has_slot();
	int error;

	program_state_use();
	error = heap_ready() ? shrinker_register(shrinker) : -ENOSYS;
	thread_settle(had_slot);
	return answer(error);
}

__visible int stitch_unregister_shrinker(struct stitch_shrinker *shrinker)
{
	bool had_slot = mm_thread_has_slot();
	int error = shrinker_unregister(shrinker);

	thread_settle(had_slot);
	return answer(error);
}

__visible unsigned long stitch_shrink_slab(stitch_gfp_t flags, int priority)
{
	bool had_slot = mm_thread_has_slot();
	unsigned long nr_freed = 0;

	if (priority >= 0 && priority <= STITCH_DEF_PRIORITY)
		nr_freed = shrink_slab(flags, (unsigned int)priority);
	thread_settle(had_slot);
	return nr_freed;
}
