/* memcontrol.c - see memcontrol.h. */
#include "mm/memcontrol.h"

#include <string.h>

#include "core/params.h"
#include "mm/zone.h"

_Thread_local uint8_t active_memcg __tls_initial_exec;

static struct mem_cgroup *group(unsigned int id)
{
	return &zone.memcg[id];
}

struct mem_cgroup *mem_cgroup_by_id(unsigned int id)
{
	bool is_there = id && id < MAX_MEM_CGROUPS && group(id)->state != MEMCG_FREE;

	return is_there ? group(id) : NULL;
}

unsigned int mem_cgroup_id(const struct mem_cgroup *memcg)
{
	return (unsigned int)(memcg - zone.memcg);
}

/* --- pages ------------------------------------------------------------------------------------ */

bool mem_cgroup_has_room_locked(unsigned int id, size_t nr_pages)
{
	for (; unlikely(id); id = group(id)->parent) {
		struct mem_cgroup *memcg = group(id);

		if (nr_pages > memcg->max - min_size(memcg->usage, memcg->max)) {
			memcg->nr_failed++;
			return false;
		}
	}
	return true;
}

static void count(struct mem_cgroup *memcg, ptrdiff_t nr_pages)
{
	memcg->usage += (size_t)nr_pages;
	memcg->peak = max_size(memcg->peak, memcg->usage);
}

void mem_cgroup_count_locked(unsigned int id, enum page_use use, ptrdiff_t nr_pages)
{
	if (likely(!id))
		return;
	group(id)->nr_used[use] += (size_t)nr_pages;
	for (; id; id = group(id)->parent)
		count(group(id), nr_pages);
}

/* --- groups ----------------------------------------------------------------------------------- */

/* A dying one whose last page has gone is free for others. */
static void bury_locked(struct mem_cgroup *memcg)
{
	if (memcg->state != MEMCG_DYING || memcg->usage || memcg->nr_children || memcg->nr_threads)
		return;
	memcg->state = MEMCG_FREE;
	group(memcg->parent)->nr_children--;
	bury_locked(group(memcg->parent));
}

static void bury_all_locked(void)
{
	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++)
		bury_locked(group(id));
}

void mem_cgroups_bury(void)
{
	zone_lock();
	bury_all_locked();
	zone_unlock();
}

static unsigned int find_free_locked(void)
{
	bury_all_locked();
	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++)
		if (group(id)->state == MEMCG_FREE)
			return id;
	return 0;
}

static bool is_live(unsigned int id)
{
	return !id || group(id)->state == MEMCG_LIVE;
}

unsigned int mem_cgroup_new(const char *name, unsigned int parent, size_t max_pages)
{
	unsigned int id;

	zone_lock();
	id = is_live(parent) ? find_free_locked() : 0;
	if (id) {
		struct mem_cgroup *memcg = group(id);

		*memcg = (struct mem_cgroup){ .parent = (uint8_t)parent, .max = max_pages };
		strncpy(memcg->name, name, sizeof(memcg->name) - 1);
		group(parent)->nr_children++;
		memcg->state = MEMCG_LIVE;
	}
	zone_unlock();
	return id;
}

static bool has_live_children_locked(unsigned int id)
{
	for (unsigned int child = 1; child < MAX_MEM_CGROUPS; child++)
		if (group(child)->state == MEMCG_LIVE && group(child)->parent == id)
			return true;
	return false;
}

bool mem_cgroup_give_up(unsigned int id)
{
	struct mem_cgroup *memcg = group(id);
	bool done;

	zone_lock();
	done = memcg->state == MEMCG_LIVE && !has_live_children_locked(id);
	if (done) {
		memcg->state = MEMCG_DYING;
		done = !memcg->nr_threads;
		if (!done)
			memcg->state = MEMCG_LIVE;
	}
	zone_unlock();
	return done;
}

bool mem_cgroup_limit(unsigned int id, size_t max_pages)
{
	bool done;

	zone_lock();
	done = group(id)->state == MEMCG_LIVE;
	if (done)
		group(id)->max = max_pages;
	zone_unlock();
	return done;
}

bool mem_cgroup_enter(unsigned int id)
{
	unsigned int left = active_memcg;

	if (id == left)
		return true;
	group(id)->nr_threads++;
	if (is_live(id))
		active_memcg = (uint8_t)id;
	else
		left = id;
	group(left)->nr_threads--;
	return active_memcg == id;
}

struct mem_cgroup mem_cgroup_read(unsigned int id)
{
	struct mem_cgroup copy;

	zone_lock();
	copy = id ? *group(id) : zone_of_no_memcg(&zone);
	zone_unlock();
	if (!id && params.limit)
		copy.max = params.limit / PAGE_SIZE;
	return copy;
}

void mem_cgroups_after_fork(void)
{
	for (unsigned int id = 0; id < MAX_MEM_CGROUPS; id++)
		group(id)->nr_threads = id == active_memcg;
}

/* --- validation ------------------------------------------------------------------------------- */

static size_t own_pages(const struct mem_cgroup *memcg)
{
	size_t sum = 0;

	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		sum += memcg->nr_used[use];
	return sum;
}

/* Of all that are there and have this parent. */
static size_t usages_of_children(unsigned int parent)
{
	size_t sum = 0;

	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++)
		if (group(id)->state != MEMCG_FREE && group(id)->parent == parent)
			sum += group(id)->usage;
	return sum;
}

bool validate_mem_cgroups_locked(void)
{
	size_t used[NR_PAGE_USES] = { 0 };

	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++) {
		const struct mem_cgroup *memcg = group(id);

		if (memcg->state == MEMCG_FREE)
			continue;
		if (memcg->usage != own_pages(memcg) + usages_of_children(id) ||
		    memcg->peak < memcg->usage)
			return false;
		for (unsigned int use = 0; use < NR_PAGE_USES; use++)
			used[use] += memcg->nr_used[use];
	}
	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		if (used[use] > zone.nr_used[use])
			return false;
	return true;
}
