/*
 * memcontrol.h - memory control groups: whose pages are whose.
 *
 * L3. A thread is in a group, or in none, which is group 0. What it takes out of the zone is
 * charged to its group: the head of each block in use has the group's number (struct page.memcg)
 * until the block goes back. A group may be part of another one, and its pages are that one's,
 * too. Follows mm/page_counter.c of the kernel; here all of it is under LOCK_ZONE, which who takes
 * or gives pages has anyway.
 *
 * For every group, and every use (validate_zone):
 *
 *	usage == own pages of all uses + usages of its children
 *	own pages of all groups, together <= pages in use
 *
 * Group 0 has no numbers: its pages are what is left of the zone's.
 *
 * States: FREE; LIVE; DYING: given up by the program, but blocks are still charged to it. A number
 * is used again when nothing is.
 */
#ifndef MM_MEMCONTROL_H
#define MM_MEMCONTROL_H

#include "mm/mm_types.h"

#define MAX_MEM_CGROUPS 64u
#define MEM_CGROUP_NAME_BYTES 32u
#define NO_MEMCG_LIMIT SIZE_MAX

enum mem_cgroup_state { MEMCG_FREE, MEMCG_LIVE, MEMCG_DYING };

struct mem_cgroup {
	char name[MEM_CGROUP_NAME_BYTES];
	_Atomic uint8_t state; /* written under the lock */
	uint8_t parent;	       /* number */
	uint16_t nr_children;  /* not FREE */
	_Atomic uint32_t members; /* threads, no lock; and MEMCG_OPEN while it is LIVE */
	size_t max; /* pages */
	size_t nr_used[NR_PAGE_USES]; /* its own */
	size_t usage, peak;	      /* with those of its children */
	size_t nr_failed; /* attempts that found no pages for its limit; a request has several */
};

#define MEMCG_OPEN ((uint32_t)1 << 31)

static inline uint32_t mem_cgroup_threads(const struct mem_cgroup *memcg)
{
	return memcg->members & ~MEMCG_OPEN;
}

/*
 * The group of the calling thread, by number; and the one that its pages are charged to, which is
 * another for the while in which the thread works for all (mm/reserve.c).
 */
extern _Thread_local uint8_t active_memcg __tls_initial_exec;
extern _Thread_local uint8_t charged_memcg __tls_initial_exec;

/* The group is this one or part of it; all are within 0. Without a lock a guess, if it may end. */
bool mem_cgroup_is_within(unsigned int id, unsigned int around);

/*
 * The group, of those that the thread is in, that has no room for a request of so many bytes; 0:
 * all have. A guess, without a lock.
 */
unsigned int mem_cgroup_full(size_t bytes);

/* A request for so many pages came to nothing: count it where a limit was in the way. LOCK_ZONE. */
void mem_cgroup_note_failure_locked(size_t nr_pages);

/* So many pages more are within the limits of the group and of those around it. LOCK_ZONE. */
bool mem_cgroup_has_room_locked(unsigned int id, size_t nr_pages);

/* Pages of a block are in use from now on, or no more (negative). LOCK_ZONE. */
void mem_cgroup_count_locked(unsigned int id, enum page_use use, ptrdiff_t nr_pages);

/* These take LOCK_ZONE. */

/*
 * A new group, of a copy of the name, within the parent (0: of none). Returns its number; 0: there
 * are MAX_MEM_CGROUPS, or the parent is not LIVE.
 */
unsigned int mem_cgroup_new(const char *name, unsigned int parent, size_t max_pages);

/*
 * It is none any more, as soon as nothing is charged to it. False: threads or live groups are in
 * it.
 */
bool mem_cgroup_give_up(unsigned int id);

/* Numbers of such are free, to which nothing is charged now. */
void mem_cgroups_bury(void);

/* False: it is not LIVE. */
bool mem_cgroup_limit(unsigned int id, size_t max_pages);

/* A consistent copy. Of group 0: its own pages, and usage, peak and limit of the heap. */
struct mem_cgroup mem_cgroup_read(unsigned int id);

/* These take no lock. */

/*
 * The calling thread goes from its group to this one; it has no slot (slab/slot.h). False: that is
 * not LIVE; nothing happens.
 */
bool mem_cgroup_enter(unsigned int id);

/* In the child of a fork, which has one thread. May be done twice. */
void mem_cgroups_after_fork(void);

/* LOCK_ZONE. */
bool validate_mem_cgroups_locked(void);

#endif
