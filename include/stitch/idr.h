/*
 * idr.h - small integers for pointers: the lowest free one, or one after the other
 * (include/linux/idr.h, lib/idr.c), on a radix tree.
 *
 * Ids are 0 .. INT_MAX (idr_alloc_u32: UINT_MAX). NULL may be stored: an id can be taken now and
 * get its pointer later, by stitch_idr_replace(). Nodes, locking and where functions may be called:
 * as stitch/radix_tree.h says; only allocations of ids allocate.
 *
 * Invariants (stitch_idr_validate): those of the tree, in which tag 0 says where ids are free.
 */
#ifndef STITCH_IDR_H
#define STITCH_IDR_H

#include "stitch/radix_tree.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kernel: struct idr. */
struct stitch_idr {
	struct stitch_radix_tree_root idr_rt;
	unsigned int idr_base; /* the lowest id that there will be: index 0 */
	unsigned int idr_next; /* where alloc_cyclic begins */
	/* What idr_pre_get has put aside; atomic: a stack, and how many are in it, at most. */
	struct stitch_radix_tree_node *spare;
	unsigned int nr_spare;
};

/* An empty one, with nodes from kmalloc: initialiser, definition. Kernel: IDR_INIT, DEFINE_IDR. */
#define STITCH_IDR_INIT { { NULL, { NULL, NULL }, 0, true }, 0, 0, NULL, 0 }
#define STITCH_DEFINE_IDR(name) struct stitch_idr name = STITCH_IDR_INIT

/*
 * cache: as of a radix tree; NULL: kmalloc. base: ids below it are never given out, and cost
 * nothing. Kernel: idr_init, idr_init_base, where all have one cache.
 */
static inline void stitch_idr_init_base(struct stitch_idr *idr, struct stitch_kmem_cache *cache,
					unsigned int base)
{
	memset(idr, 0, sizeof(*idr));
	idr->idr_rt.is_idr = true;
	idr->idr_rt.source.cache = cache;
	idr->idr_base = base;
	idr->idr_next = base;
}

static inline void stitch_idr_init(struct stitch_idr *idr, struct stitch_kmem_cache *cache)
{
	stitch_idr_init_base(idr, cache, 0);
}

/* No id is taken. Kernel: idr_is_empty. */
static inline bool stitch_idr_is_empty(const struct stitch_idr *idr)
{
	return stitch_radix_tree_empty(&idr->idr_rt);
}

/* Where the next alloc_cyclic begins. Kernel: idr_get_cursor, idr_set_cursor. */
static inline unsigned int stitch_idr_get_cursor(const struct stitch_idr *idr)
{
	return idr->idr_next;
}

static inline void stitch_idr_set_cursor(struct stitch_idr *idr, unsigned int next)
{
	idr->idr_next = next;
}

/* Errors in place of pointers. Kernel: ERR_PTR, PTR_ERR, IS_ERR. */
static inline void *stitch_err_ptr(long error)
{
	return (void *)(intptr_t)error;
}

static inline long stitch_ptr_err(const void *pointer)
{
	return (long)(intptr_t)pointer;
}

static inline bool stitch_is_err(const void *pointer)
{
	return (uintptr_t)pointer >= (uintptr_t)-4095;
}

/* --- allocation ------------------------------------------------------------------------------- */

/* The first free index from `from` on; there is always one (in 64 bits). */
static inline unsigned long stitch_idr_first_free(const struct stitch_radix_tree_root *root,
						  unsigned long from)
{
	const struct stitch_radix_tree_node *node = root->rnode;
	unsigned int offset;

	if (!node || from > stitch_radix_tree_max(node))
		return from;
	offset = stitch_radix_tree_offset(node, from);
	for (;;) {
		uint64_t bits = 0;

		if (offset < STITCH_RADIX_TREE_MAP_SIZE)
			bits = node->tags[0] >> offset << offset;
		if (!bits) {
			if (!node->parent)
				return stitch_radix_tree_max(node) + 1;
			offset = node->offset + 1u;
			node = node->parent;
			continue;
		}
		offset = (unsigned int)__builtin_ctzll(bits);
		if (offset != stitch_radix_tree_offset(node, from)) {
			from &= ~stitch_radix_tree_max(node);
			from |= (unsigned long)offset << node->shift;
		}
		if (!node->shift || !node->slots[offset])
			return from;
		node = stitch_radix_tree_child(node, offset);
		offset = stitch_radix_tree_offset(node, from);
	}
}

/* As stitch_idr_alloc_u32(), with nodes ahead (NULL: none). */
static inline int stitch_idr_alloc_from(struct stitch_idr *idr, void *ptr, unsigned int *nextid,
					unsigned long max, stitch_gfp_t flags,
					struct stitch_radix_tree_nodes *preload)
{
	unsigned int base = idr->idr_base;
	unsigned long index = *nextid < base ? 0 : *nextid - base;
	void **slot = NULL;
	int error;

	index = stitch_idr_first_free(&idr->idr_rt, index);
	if (max > UINT_MAX)
		max = UINT_MAX;
	if (max < base || index > max - base)
		return -ENOSPC;
	error = stitch_radix_tree_occupy(&idr->idr_rt, index, flags, preload, &slot);
	if (error)
		return error;
	*nextid = (unsigned int)index + base;
	*slot = ptr;
	return 0;
}

/*
 * The lowest free id of *nextid .. max, both included, goes to *nextid, and gets `ptr`. 0, -ENOSPC:
 * none is free, -ENOMEM; then nothing has changed. O(levels). Kernel: idr_alloc_u32.
 */
static inline int stitch_idr_alloc_u32(struct stitch_idr *idr, void *ptr, unsigned int *nextid,
				       unsigned long max, stitch_gfp_t flags)
{
	return stitch_idr_alloc_from(idr, ptr, nextid, max, flags, NULL);
}

/* The largest id below `end`; 0 and less: there is no end. */
static inline unsigned long stitch_idr_max(int end)
{
	return end > 0 ? (unsigned long)end - 1 : (unsigned long)INT_MAX;
}

/*
 * The lowest free id of [start, end) gets `ptr`; end <= 0: up to INT_MAX. Returns the id, -ENOSPC:
 * none is free, -ENOMEM, -EINVAL: start < 0. preloaded: does not fail for memory between
 * stitch_radix_tree_preload() for idr->idr_rt.source and its end. Kernel: idr_alloc; between
 * idr_preload and idr_preload_end.
 */
static inline int stitch_idr_alloc_preloaded(struct stitch_idr *idr, void *ptr, int start, int end,
					     stitch_gfp_t flags,
					     struct stitch_radix_tree_nodes *preload)
{
	unsigned int id = (unsigned int)start;
	int error;

	if (start < 0)
		return -EINVAL;
	error = stitch_idr_alloc_from(idr, ptr, &id, stitch_idr_max(end), flags, preload);
	return error ? error : (int)id;
}

static inline int stitch_idr_alloc(struct stitch_idr *idr, void *ptr, int start, int end,
				   stitch_gfp_t flags)
{
	return stitch_idr_alloc_preloaded(idr, ptr, start, end, flags, NULL);
}

/*
 * As stitch_idr_alloc(), but the first free id behind the last that was given out so; from `start`
 * on when there is none up to `end`. preloaded: as there. Kernel: idr_alloc_cyclic.
 */
static inline int stitch_idr_alloc_cyclic_preloaded(struct stitch_idr *idr, void *ptr, int start,
						    int end, stitch_gfp_t flags,
						    struct stitch_radix_tree_nodes *preload)
{
	unsigned int id = idr->idr_next;
	int error;

	if (start < 0)
		return -EINVAL;
	if (id < (unsigned int)start)
		id = (unsigned int)start;
	error = stitch_idr_alloc_from(idr, ptr, &id, stitch_idr_max(end), flags, preload);
	if (error == -ENOSPC && id > (unsigned int)start) {
		id = (unsigned int)start;
		error = stitch_idr_alloc_from(idr, ptr, &id, stitch_idr_max(end), flags,
					      preload);
	}
	if (error)
		return error;
	idr->idr_next = id + 1;
	return (int)id;
}

static inline int stitch_idr_alloc_cyclic(struct stitch_idr *idr, void *ptr, int start, int end,
					  stitch_gfp_t flags)
{
	return stitch_idr_alloc_cyclic_preloaded(idr, ptr, start, end, flags, NULL);
}

/* --- ids that are taken ----------------------------------------------------------------------- */

/* The pointer of `id`. NULL: it is free, or has NULL. Kernel: idr_find. */
static inline void *stitch_idr_find(const struct stitch_idr *idr, unsigned long id)
{
	return id < idr->idr_base ? NULL : stitch_radix_tree_lookup(&idr->idr_rt,
								     id - idr->idr_base);
}

/* `id` is free now. Returns what it had; NULL: that, or it was free. Kernel: idr_remove. */
static inline void *stitch_idr_remove(struct stitch_idr *idr, unsigned long id)
{
	return id < idr->idr_base ? NULL : stitch_radix_tree_delete(&idr->idr_rt,
								     id - idr->idr_base);
}

/*
 * Another pointer for `id`. Returns the old one, or stitch_err_ptr(-ENOENT): it is free.
 * Kernel: idr_replace.
 */
static inline void *stitch_idr_replace(struct stitch_idr *idr, void *ptr, unsigned long id)
{
	void **slot = NULL, *old;

	if (id >= idr->idr_base)
		slot = stitch_radix_tree_lookup_slot(&idr->idr_rt, id - idr->idr_base);
	if (!slot)
		return stitch_err_ptr(-ENOENT);
	old = *slot;
	*slot = ptr;
	return old;
}

/* All ids are free now and all nodes freed; what they had is the caller's. Kernel: idr_destroy. */
static inline void stitch_idr_destroy(struct stitch_idr *idr)
{
	struct stitch_radix_tree_node *spare = idr->spare;

	stitch_radix_tree_destroy(&idr->idr_rt);
	while (spare) {
		struct stitch_radix_tree_node *next = spare->parent;

		stitch_node_free(&idr->idr_rt.source, spare);
		spare = next;
	}
	idr->spare = NULL;
	idr->nr_spare = 0;
	idr->idr_next = idr->idr_base;
}

/* --- walks ------------------------------------------------------------------------------------ */

/*
 * The first id from *nextid on whose pointer is not NULL goes to *nextid. Returns the pointer;
 * NULL: there is none. Kernel: idr_get_next_ul; idr_get_next (up to INT_MAX).
 */
static inline void *stitch_idr_get_next_ul(const struct stitch_idr *idr, unsigned long *nextid)
{
	unsigned long index = *nextid < idr->idr_base ? 0 : *nextid - idr->idr_base;
	void **slot;

	while ((slot = stitch_radix_tree_find(&idr->idr_rt, &index, STITCH_RADIX_TREE_ANY)) !=
		       NULL &&
	       !*slot)
		index++;
	if (!slot)
		return NULL;
	*nextid = index + idr->idr_base;
	return *slot;
}

static inline void *stitch_idr_get_next(const struct stitch_idr *idr, int *nextid)
{
	unsigned long id = (unsigned long)*nextid;
	void *ptr = *nextid < 0 ? NULL : stitch_idr_get_next_ul(idr, &id);

	if (!ptr || id > INT_MAX)
		return NULL;
	*nextid = (int)id;
	return ptr;
}

/*
 * Call fn for all ids up to INT_MAX whose pointer is not NULL, in order, until it returns other
 * than 0; returns that. fn may remove ids, and take new ones. Kernel: idr_for_each.
 */
static inline int stitch_idr_for_each(const struct stitch_idr *idr,
				      int (*fn)(int id, void *ptr, void *data), void *data)
{
	int result = 0;
	void *ptr;

	for (int id = 0; (ptr = stitch_idr_get_next(idr, &id)) != NULL; id++) {
		result = fn(id, ptr, data);
		if (result || id == INT_MAX)
			break;
	}
	return result;
}

/*
 * All whose pointer is not NULL, which goes to `entry`; id: an int. `entry` may be removed in the
 * body. NULL at the end. continue: from `id` on. Kernel: idr_for_each_entry,
 * idr_for_each_entry_continue.
 */
#define STITCH_IDR_ENTRY(idr, entry, id) \
	((entry) = (__typeof__(entry))stitch_idr_get_next((idr), &(id))) != NULL
#define stitch_idr_for_each_entry_continue(idr, entry, id) \
	for (; STITCH_IDR_ENTRY(idr, entry, id); (id) = (id) == INT_MAX ? -1 : (id) + 1)
#define stitch_idr_for_each_entry(idr, entry, id)               \
	for ((id) = 0; STITCH_IDR_ENTRY(idr, entry, id);        \
	     (id) = (id) == INT_MAX ? -1 : (id) + 1)

/* --- as in 2004 ------------------------------------------------------------------------------- */

/*
 * Until 3.9 nodes were put aside first, without the caller's lock, then an id was taken with the
 * lock, and all again at -EAGAIN: another thread had been faster.
 */
#define STITCH_IDR_SPARE \
	(2 * ((32 + STITCH_RADIX_TREE_MAP_SHIFT - 1) / STITCH_RADIX_TREE_MAP_SHIFT))

static inline void stitch_idr_put_aside(struct stitch_idr *idr, struct stitch_radix_tree_node *node)
{
	node->parent = __atomic_load_n(&idr->spare, __ATOMIC_RELAXED);
	while (!__atomic_compare_exchange_n(&idr->spare, &node->parent, node, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

/*
 * Put aside what one allocation of an id may need. 1, or 0: there is no memory. Any thread, beside
 * all other functions but destroy. Kernel: idr_pre_get.
 */
static inline int stitch_idr_pre_get(struct stitch_idr *idr, stitch_gfp_t flags)
{
	struct stitch_radix_tree_node *node;

	while (__atomic_load_n(&idr->nr_spare, __ATOMIC_RELAXED) < STITCH_IDR_SPARE) {
		node = (struct stitch_radix_tree_node *)stitch_node_alloc(&idr->idr_rt.source,
									  sizeof(*node), flags);
		if (!node)
			return 0;
		/* Counted first: who takes it subtracts it. */
		__atomic_fetch_add(&idr->nr_spare, 1, __ATOMIC_RELAXED);
		stitch_idr_put_aside(idr, node);
	}
	return 1;
}

/*
 * The lowest free id from `start` on gets `ptr`, and goes to *id, with nodes that were put aside
 * and no others. 0, -EAGAIN: too few were, -ENOSPC, -EINVAL: start < 0. Kernel: idr_get_new_above,
 * idr_get_new.
 */
static inline int stitch_idr_get_new_above(struct stitch_idr *idr, void *ptr, int start, int *id)
{
	struct stitch_radix_tree_nodes preload = { idr->idr_rt.source, NULL, 0, true };
	struct stitch_radix_tree_node *node =
		__atomic_exchange_n(&idr->spare, NULL, __ATOMIC_ACQUIRE);
	unsigned int next = (unsigned int)start, nr_taken;
	int error = start < 0 ? -EINVAL : 0;

	while (node) {
		struct stitch_radix_tree_node *following = node->parent;

		stitch_radix_tree_keep(&preload, node);
		node = following;
	}
	nr_taken = preload.nr;
	if (!error)
		error = stitch_idr_alloc_from(idr, ptr, &next, INT_MAX, 0, &preload);
	__atomic_fetch_sub(&idr->nr_spare, nr_taken - preload.nr, __ATOMIC_RELAXED);
	while ((node = stitch_radix_tree_take(&preload)) != NULL)
		stitch_idr_put_aside(idr, node);
	if (!error)
		*id = (int)next;
	return error == -ENOMEM ? -EAGAIN : error;
}

static inline int stitch_idr_get_new(struct stitch_idr *idr, void *ptr, int *id)
{
	return stitch_idr_get_new_above(idr, ptr, 0, id);
}

/* True when the invariants above hold. O(nodes). */
static inline bool stitch_idr_validate(const struct stitch_idr *idr)
{
	return idr->idr_rt.is_idr && stitch_radix_tree_validate(&idr->idr_rt);
}

#ifdef __cplusplus
}
#endif

#endif
