/*
 * memcontrol.h - which part of a program uses what memory, and how much it may
 * (include/linux/memcontrol.h of the kernel).
 *
 * A program makes a group for each of its parts: a plugin, a tenant, a cache, a kind of request.
 * What a thread allocates while it is in a group is charged to the group until it is freed, whoever
 * frees it: by malloc, operator new, stitch_kmalloc() and the like, pages, vmalloc. Groups lie
 * within others, which are charged, too; each may have a limit.
 *
 *	parser = stitch_mem_cgroup_create("parser", NULL, 64 << 20);
 *	old = stitch_set_active_memcg(parser);
 *	document = parse(text);				malloc in it answers NULL beyond 64 MiB
 *	stitch_set_active_memcg(old);
 *	owner = stitch_mem_cgroup_from_obj(document);	parser
 *
 * What is charged is pages: of a group's small objects the slabs in which they lie, with what is
 * free there and kept for the next ones; groups share no slab of malloc's. So a group costs some
 * pages for each size that it uses. A limit is no more exact than that. It is a limit as limit=:
 * before an allocation fails what threads in the group keep for reuse goes back, and shrinkers are
 * called (stitch/shrinker.h).
 *
 * To be in a group costs nothing at malloc and free; to go from one to another costs about as much
 * as ten of them, and so do the frees of what is of other groups more than of one's own.
 *
 * Not charged: objects of ZONE_DMA and DMA32, areas of CMA, pages of HIGHMEM, the reserve of
 * GFP_ATOMIC, and what is allocated while another thread forks, trims or looks for leaks, or by a
 * signal handler that has interrupted malloc. A slab of a kmem_cache is charged to whoever's object
 * was its first. What realloc adds to a block where it is is charged to the block's group, a block
 * that it moves to the thread's. A thread begins in no group, whoever has made it; a child of fork
 * is in the group that its thread was in, and has groups of its own from then on.
 *
 * Not in signal handlers. Any thread may call. Where a group is asked for NULL is none: what is
 * charged to no group.
 */
#ifndef STITCH_MEMCONTROL_H
#define STITCH_MEMCONTROL_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

struct stitch_mem_cgroup;

/* No limit. */
#define STITCH_MEMCG_MAX (~(size_t)0)

/*
 * A new group within `parent`, which may use max_bytes (rounded down to pages; STITCH_MEMCG_MAX:
 * whatever there is). The name is copied (31 bytes of it). NULL, and errno: EINVAL: no name, or a
 * parent that was destroyed; ENOMEM: there are 63 groups, or no memory; EAGAIN: another thread has
 * been forking for a second.
 */
struct stitch_mem_cgroup *stitch_mem_cgroup_create(const char *name,
						   struct stitch_mem_cgroup *parent,
						   size_t max_bytes);

/*
 * The group is no more, and its pointer means nothing. What is charged to it stays so, for its
 * parents and in reports, until it is freed. 0; or -1 and errno: EBUSY: a thread is in it, or a
 * group; EINVAL: it is none; EAGAIN: as above. Nothing happens then.
 */
int stitch_mem_cgroup_destroy(struct stitch_mem_cgroup *memcg);

/*
 * Another limit, which may be less than what the group uses: then it gets nothing more until it is
 * below. 0; or -1 and errno: EINVAL, EAGAIN. Kernel: writing to memory.max.
 */
int stitch_mem_cgroup_set_max(struct stitch_mem_cgroup *memcg, size_t max_bytes);

/*
 * The calling thread allocates for this group from now on. Returns the one before. At its end a
 * thread leaves its group by itself. errno, else unchanged: EINVAL: it is no group, and nothing
 * happens; EAGAIN: the program has taken all keys of pthread_key_create, by which the thread's end
 * would be noticed, and the thread is in no group. Kernel: the same.
 */
struct stitch_mem_cgroup *stitch_set_active_memcg(struct stitch_mem_cgroup *memcg);

/* The group of the calling thread. */
struct stitch_mem_cgroup *stitch_get_active_memcg(void);

/*
 * The group that the object is charged to. It is one that has not been freed, of any of the
 * functions that charge; of anything else the answer is NULL. If the group was destroyed since, it
 * is a pointer to be compared and nothing else. Kernel: mem_cgroup_from_slab_obj.
 */
struct stitch_mem_cgroup *stitch_mem_cgroup_from_obj(const void *object);

/* Bytes. */
struct stitch_mem_cgroup_stat {
	size_t current, peak; /* with what is within it: now, and at the most */
	size_t max;	      /* STITCH_MEMCG_MAX: no limit */
	size_t slab;	      /* its own: objects up to 16 KiB, */
	size_t pages;	      /* ... up to 2 MiB, */
	size_t vmalloc;	      /* ... above */
	unsigned long failcnt; /* times that its own limit refused pages: more than one a request */
	unsigned int nr_threads; /* that are in it now; of none: 0 */
};

/*
 * What the group uses. Of none: current, peak and max are those of the whole heap. 0; or -1 and
 * errno: EINVAL, EAGAIN. Kernel: memory.current, memory.peak, memory.max, memory.stat.
 */
int stitch_mem_cgroup_read(const struct stitch_mem_cgroup *memcg,
			   struct stitch_mem_cgroup_stat *stat);

#ifdef __cplusplus
}
#endif

#endif
