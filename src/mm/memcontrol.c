/* memcontrol.c - see memcontrol.h. */
#include "mm/memcontrol.h"

#include <string.h>

#include "core/params.h"
#include "mm/zone.h"

_Thread_local uint8_t active_memcg __tls_initial_exec;
_Thread_local uint8_t charged_memcg __tls_initial_exec;

/* Members have been counted anew so often: a thread that was on its way then counts once more. */
static _Atomic uint32_t nr_recounts;

/* What a request for an object may take: a slab of the highest order that a class begins with. */
#define SMALL_REQUEST_PAGES 16u

static struct mem_cgroup *group(unsigned int id)
{
	return &zone.memcg[id];
}

bool mem_cgroup_is_within(unsigned int id, unsigned int around)
{
	while (id && id != around)
		id = READ_ONCE(group(id)->parent);
	return id == around;
}

/* --- pages ------------------------------------------------------------------------------------ */

/* From the group outwards, the first that has no room for so many pages; 0: all have. */
static unsigned int find_full(unsigned int id, size_t nr_pages)
{
	for (; unlikely(id); id = group(id)->parent) {
		size_t max = READ_ONCE(group(id)->max);

		if (nr_pages > max - min_size(READ_ONCE(group(id)->usage), max))
			return id;
	}
	return 0;
}

bool mem_cgroup_has_room_locked(unsigned int id, size_t nr_pages)
{
	return !find_full(id, nr_pages);
}

unsigned int mem_cgroup_full(size_t bytes)
{
	if (likely(!active_memcg))
		return 0;
	return find_full(active_memcg, max_size(bytes / PAGE_SIZE, SMALL_REQUEST_PAGES));
}

void mem_cgroup_note_failure_locked(size_t nr_pages)
{
	unsigned int full = find_full(charged_memcg, nr_pages);

	if (full)
		group(full)->nr_failed++;
}

static void count(struct mem_cgroup *memcg, ptrdiff_t nr_pages)
{
	WRITE_ONCE(memcg->usage, memcg->usage + (size_t)nr_pages);
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
	if (memcg->state != MEMCG_DYING || memcg->usage || memcg->nr_children)
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

/* FREE, so that nothing is charged to it; others may be reading, without a lock. */
static void open_locked(struct mem_cgroup *memcg, const char *name, unsigned int parent,
			size_t max_pages)
{
	strncpy(memcg->name, name, sizeof(memcg->name) - 1);
	memcg->peak = memcg->nr_failed = 0;
	WRITE_ONCE(memcg->max, max_pages);
	WRITE_ONCE(memcg->parent, (uint8_t)parent);
	group(parent)->nr_children++;
	memcg->state = MEMCG_LIVE;
	memcg->members = MEMCG_OPEN;
}

unsigned int mem_cgroup_new(const char *name, unsigned int parent, size_t max_pages)
{
	unsigned int id;

	zone_lock();
	id = is_live(parent) ? find_free_locked() : 0;
	if (id)
		open_locked(group(id), name, parent, max_pages);
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
	uint32_t nobody = MEMCG_OPEN;
	bool done;

	zone_lock();
	done = !has_live_children_locked(id) &&
	       atomic_compare_exchange_strong(&group(id)->members, &nobody, 0);
	if (done)
		group(id)->state = MEMCG_DYING;
	zone_unlock();
	return done;
}

bool mem_cgroup_limit(unsigned int id, size_t max_pages)
{
	bool done;

	zone_lock();
	done = group(id)->state == MEMCG_LIVE;
	if (done)
		WRITE_ONCE(group(id)->max, max_pages);
	zone_unlock();
	return done;
}

/* Nobody counts who is in group 0. False: the group is not LIVE. */
static bool join(unsigned int id)
{
	uint32_t members = group(id)->members;

	do {
		if (id && !(members & MEMCG_OPEN))
			return false;
	} while (id && !atomic_compare_exchange_weak(&group(id)->members, &members, members + 1));
	return true;
}

/* In a process with one thread. */
static void recount(void)
{
	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++)
		group(id)->members = (group(id)->members & MEMCG_OPEN) | (id == active_memcg);
}

/* A signal handler may fork at any instant: in its child the counts are made anew. */
bool mem_cgroup_enter(unsigned int id)
{
	uint32_t before = nr_recounts;
	unsigned int left = active_memcg;

	if (id == left)
		return true;
	if (!join(id))
		return false;
	active_memcg = charged_memcg = (uint8_t)id;
	if (left)
		atomic_fetch_sub(&group(left)->members, 1);
	if (unlikely(nr_recounts != before))
		recount();
	return true;
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
	nr_recounts++;
	recount();
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
