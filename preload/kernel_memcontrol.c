/*
 * kernel_memcontrol.c - the public functions of include/stitch/memcontrol.h.
 *
 * L10. What the program has a pointer to is struct mem_cgroup. errno where they fail.
 */
#include <errno.h>

#include "entry.h"
#include "kmalloc/memcg.h"
#include "mm/zone.h"
#include "stitch/memcontrol.h"

#define NO_GROUP MAX_MEM_CGROUPS

static void *failed(int error)
{
	errno = error;
	return NULL;
}

static int refused(int error)
{
	errno = error;
	return -1;
}

/* NO_GROUP: it is none that the program may use. */
static unsigned int id_of(const struct stitch_mem_cgroup *memcg)
{
	uintptr_t offset = (uintptr_t)memcg - (uintptr_t)zone.memcg;
	size_t id = offset / sizeof(struct mem_cgroup);

	if (!memcg)
		return 0;
	if (id >= MAX_MEM_CGROUPS || offset % sizeof(struct mem_cgroup) || !id ||
	    zone.memcg[id].state != MEMCG_LIVE)
		return NO_GROUP;
	return (unsigned int)id;
}

static struct stitch_mem_cgroup *group_of(unsigned int id)
{
	return id ? (struct stitch_mem_cgroup *)&zone.memcg[id] : NULL;
}

static size_t pages_of(size_t max_bytes)
{
	return max_bytes == STITCH_MEMCG_MAX ? NO_MEMCG_LIMIT : max_bytes / PAGE_SIZE;
}

static size_t bytes_of(size_t nr_pages)
{
	return nr_pages == NO_MEMCG_LIMIT ? STITCH_MEMCG_MAX : nr_pages * PAGE_SIZE;
}

static int answered(enum memcg_answer answer)
{
	switch (answer) {
	case MEMCG_DONE:
		return 0;
	case MEMCG_BUSY:
		return refused(EBUSY);
	case MEMCG_NONE:
		return refused(EINVAL);
	case MEMCG_NOT_NOW:
	default:
		return refused(EAGAIN);
	}
}

__visible struct stitch_mem_cgroup *stitch_mem_cgroup_create(const char *name,
							     struct stitch_mem_cgroup *parent,
							     size_t max_bytes)
{
	bool had_slot = mm_thread_has_slot();
	unsigned int within, id = 0;
	enum memcg_answer answer;

	if (!heap_ready())
		return failed(ENOMEM);
	within = id_of(parent);
	if (!name || within == NO_GROUP)
		return failed(EINVAL);
	answer = memcg_create(name, within, pages_of(max_bytes), &id);
	thread_settle(had_slot);
	if (answer == MEMCG_DONE)
		return group_of(id);
	return failed(answer == MEMCG_BUSY ? ENOMEM : EAGAIN);
}

__visible int stitch_mem_cgroup_destroy(struct stitch_mem_cgroup *memcg)
{
	bool had_slot = mm_thread_has_slot();
	unsigned int id = id_of(memcg);
	enum memcg_answer answer = MEMCG_NONE;

	if (id && id != NO_GROUP)
		answer = memcg_destroy(id);
	thread_settle(had_slot);
	return answered(answer);
}

__visible int stitch_mem_cgroup_set_max(struct stitch_mem_cgroup *memcg, size_t max_bytes)
{
	bool had_slot = mm_thread_has_slot();
	unsigned int id = id_of(memcg);
	enum memcg_answer answer = MEMCG_NONE;

	if (id && id != NO_GROUP)
		answer = memcg_limit(id, pages_of(max_bytes));
	thread_settle(had_slot);
	return answered(answer);
}

/* The thread's end is to be noticed even if it never allocates. */
__visible struct stitch_mem_cgroup *stitch_set_active_memcg(struct stitch_mem_cgroup *memcg)
{
	struct stitch_mem_cgroup *before = group_of(active_memcg);
	unsigned int id = id_of(memcg);

	if (id == NO_GROUP || !mm_thread_enter(id)) {
		errno = EINVAL;
	} else if (id) {
		thread_register();
		if (active_memcg != id)
			errno = EAGAIN;
	}
	return before;
}

__visible struct stitch_mem_cgroup *stitch_get_active_memcg(void)
{
	return group_of(active_memcg);
}

__visible struct stitch_mem_cgroup *stitch_mem_cgroup_from_obj(const void *object)
{
	return group_of(memcg_of(object));
}

__visible int stitch_mem_cgroup_read(const struct stitch_mem_cgroup *memcg,
				     struct stitch_mem_cgroup_stat *stat)
{
	bool had_slot = mm_thread_has_slot();
	unsigned int id = id_of(memcg);
	enum memcg_answer answer = MEMCG_NONE;
	struct mem_cgroup copy;

	if (id != NO_GROUP && heap_ready())
		answer = memcg_read(id, &copy);
	thread_settle(had_slot);
	if (answer != MEMCG_DONE)
		return answered(answer);
	*stat = (struct stitch_mem_cgroup_stat){
		.current = copy.usage * PAGE_SIZE,
		.peak = copy.peak * PAGE_SIZE,
		.max = bytes_of(copy.max),
		.slab = copy.nr_used[USE_SLAB] * PAGE_SIZE,
		.pages = copy.nr_used[USE_RUN] * PAGE_SIZE,
		.vmalloc = copy.nr_used[USE_AREA] * PAGE_SIZE,
		.failcnt = copy.nr_failed,
		.nr_threads = mem_cgroup_threads(&copy),
	};
	return 0;
}
