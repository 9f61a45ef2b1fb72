/* entries_memcontrol.h - see entries.h: include/stitch/memcontrol.h. */
#ifndef ENTRIES_MEMCONTROL_H
#define ENTRIES_MEMCONTROL_H

#include "stitch/memcontrol.h"

/* One for all: there are 63 in a process. */
static inline struct stitch_mem_cgroup *entry_memcg(void)
{
	static struct stitch_mem_cgroup *group;

	if (!group)
		group = stitch_mem_cgroup_create("entries", NULL, STITCH_MEMCG_MAX);
	return group;
}

/* In it, and out again. */
static inline bool entry_allocates_in_group(void)
{
	struct stitch_mem_cgroup *before = stitch_set_active_memcg(entry_memcg());
	void *block = malloc(100);
	bool is_its = stitch_get_active_memcg() == entry_memcg() &&
		      stitch_mem_cgroup_from_obj(block) == entry_memcg();

	return stitch_set_active_memcg(before) == entry_memcg() && (free(block), is_its);
}

static inline bool entry_tells_usage(void)
{
	struct stitch_mem_cgroup_stat stat;

	return !stitch_mem_cgroup_read(entry_memcg(), &stat) && stat.max == STITCH_MEMCG_MAX;
}

static inline bool entry_goes(void)
{
	struct stitch_mem_cgroup *group = stitch_mem_cgroup_create("short", entry_memcg(), 0);

	return group && !stitch_mem_cgroup_destroy(group);
}

static inline bool entry_call_memcontrol(const char *name)
{
	SAYS(stitch_mem_cgroup_create, entry_memcg() != NULL)
	SAYS(stitch_mem_cgroup_destroy, entry_goes())
	SAYS(stitch_mem_cgroup_set_max, !stitch_mem_cgroup_set_max(entry_memcg(), STITCH_MEMCG_MAX))
	SAYS(stitch_set_active_memcg, entry_allocates_in_group())
	SAYS(stitch_get_active_memcg, !stitch_get_active_memcg())
	SAYS(stitch_mem_cgroup_from_obj, !stitch_mem_cgroup_from_obj(name))
	SAYS(stitch_mem_cgroup_read, entry_tells_usage())
	return false;
}

#endif
