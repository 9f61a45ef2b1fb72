/*
 * radix_tree.h - the kernel's radix tree: pointers by an unsigned long, with tags
 * (include/linux/radix-tree.h, lib/radix-tree.c).
 *
 * Nodes of 64 slots, as many levels as the largest index needs; dense indices cost 9 bytes each,
 * one that is far from all others up to 11 nodes. Any pointer but NULL may be stored.
 *
 * Nodes come from the cache that the tree was given (objects of sizeof(struct
 * stitch_radix_tree_node) bytes, STITCH_KMEM_CACHE(stitch_radix_tree_node, 0)), or from kmalloc,
 * with the GFP flags of the tree. Only insertions allocate, only they and deletions free: those may
 * be called where an allocation with these flags may be; all the rest anywhere, signal handlers
 * too. Nothing here locks: whoever changes the tree, tags included, must be alone; any number of
 * threads may read one that nobody changes. (In the kernel readers may run beside a writer.)
 *
 * Invariants (stitch_radix_tree_validate): a slot's present bit is set if and only if it is
 * occupied; there is no empty node, and no root node that has nothing but its first child; a tag of
 * a slot with a child is set if and only if the child has that tag somewhere; only present slots
 * have tags; a child's parent, offset and shift are right.
 * In an idr's tree tag 0 says instead: something is free at this slot or under it.
 */
#ifndef STITCH_RADIX_TREE_H
#define STITCH_RADIX_TREE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "stitch/node_source.h"

#ifdef __cplusplus
extern "C" {
#endif

#define STITCH_RADIX_TREE_MAP_SHIFT 6u
#define STITCH_RADIX_TREE_MAP_SIZE 64u
#define STITCH_RADIX_TREE_MAX_TAGS 3u
#define STITCH_RADIX_TREE_MAX_PATH \
	((sizeof(unsigned long) * CHAR_BIT + STITCH_RADIX_TREE_MAP_SHIFT - 1) / \
	 STITCH_RADIX_TREE_MAP_SHIFT)
/* One insertion needs at most so many nodes: up to a new root, and down from it. */
#define STITCH_RADIX_TREE_PRELOAD_SIZE (2 * STITCH_RADIX_TREE_MAX_PATH - 1)

/* What a cache for a tree must have objects of. */
struct stitch_radix_tree_node {
	uint64_t present; /* a bit a slot */
	uint64_t tags[STITCH_RADIX_TREE_MAX_TAGS];
	struct stitch_radix_tree_node *parent; /* NULL: the root; in a preload: the next */
	uint8_t shift;			       /* a slot is 2^shift indices; 0: slots are items */
	uint8_t offset;			       /* in the parent */
	void *slots[STITCH_RADIX_TREE_MAP_SIZE];
};

/* Kernel: struct radix_tree_root. */
struct stitch_radix_tree_root {
	struct stitch_radix_tree_node *rnode; /* NULL: the tree is empty */
	struct stitch_node_source source;
	stitch_gfp_t gfp_mask;
	bool is_idr;
};

/*
 * An empty tree whose nodes come from kmalloc: initialiser, definition. Kernel: RADIX_TREE_INIT,
 * RADIX_TREE.
 */
#define STITCH_RADIX_TREE_INIT(flags) { NULL, { NULL, NULL }, (flags), false }
#define STITCH_RADIX_TREE(name, flags) \
	struct stitch_radix_tree_root name = STITCH_RADIX_TREE_INIT(flags)

/* cache NULL: kmalloc. Kernel: INIT_RADIX_TREE, where all trees have one cache. */
static inline void stitch_radix_tree_init(struct stitch_radix_tree_root *root,
					  struct stitch_kmem_cache *cache, stitch_gfp_t flags)
{
	memset(root, 0, sizeof(*root));
	root->source.cache = cache;
	root->gfp_mask = flags;
}

/* Kernel: radix_tree_empty. */
static inline bool stitch_radix_tree_empty(const struct stitch_radix_tree_root *root)
{
	return !root->rnode;
}

/* --- nodes ahead of an insertion -------------------------------------------------------------- */

/* Nodes for one insertion, the caller's (on its stack, say). All zero: none. */
struct stitch_radix_tree_nodes {
	struct stitch_node_source source;
	struct stitch_radix_tree_node *nodes;
	unsigned int nr;
	bool only; /* none of the source when they are used up */
};

static inline void stitch_radix_tree_keep(struct stitch_radix_tree_nodes *preload,
					  struct stitch_radix_tree_node *node)
{
	node->parent = preload->nodes;
	preload->nodes = node;
	preload->nr++;
}

/* NULL when there is none. */
static inline struct stitch_radix_tree_node *
stitch_radix_tree_take(struct stitch_radix_tree_nodes *preload)
{
	struct stitch_radix_tree_node *node = preload->nodes;

	if (node) {
		preload->nodes = node->parent;
		preload->nr--;
	}
	return node;
}

/* Gives what was not used back. May be called twice. Kernel: radix_tree_preload_end. */
static inline void stitch_radix_tree_preload_end(struct stitch_radix_tree_nodes *preload)
{
	struct stitch_radix_tree_node *node;

	while ((node = stitch_radix_tree_take(preload)) != NULL)
		stitch_node_free(&preload->source, node);
}

/*
 * Allocate, before the lock of the tree is taken, what an insertion under the lock may need: the
 * next stitch_radix_tree_insert_preloaded() into a tree with this source does not fail for memory.
 * 0, or -ENOMEM: then `preload` is empty. Kernel: radix_tree_preload (a preload per processor).
 */
static inline int stitch_radix_tree_preload(struct stitch_radix_tree_nodes *preload,
					    const struct stitch_node_source *source,
					    stitch_gfp_t flags)
{
	struct stitch_radix_tree_node *node;

	preload->source = *source;
	preload->nodes = NULL;
	preload->nr = 0;
	preload->only = false;
	while (preload->nr < STITCH_RADIX_TREE_PRELOAD_SIZE) {
		node = (struct stitch_radix_tree_node *)stitch_node_alloc(source, sizeof(*node),
									  flags);
		if (!node) {
			stitch_radix_tree_preload_end(preload);
			return -ENOMEM;
		}
		stitch_radix_tree_keep(preload, node);
	}
	return 0;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static inline struct stitch_radix_tree_node *
stitch_radix_tree_child(const struct stitch_radix_tree_node *node, unsigned int offset)
{
	return (struct stitch_radix_tree_node *)node->slots[offset];
}

/* The largest index that a tree with this root node has room for. */
static inline unsigned long stitch_radix_tree_max(const struct stitch_radix_tree_node *node)
{
	/* Beyond the word's width this is 0 - 1. */
	return ((unsigned long)STITCH_RADIX_TREE_MAP_SIZE << node->shift) - 1;
}

static inline unsigned int stitch_radix_tree_offset(const struct stitch_radix_tree_node *node,
						    unsigned long index)
{
	return (unsigned int)(index >> node->shift) % STITCH_RADIX_TREE_MAP_SIZE;
}

static inline uint64_t stitch_radix_tree_bit(unsigned int offset)
{
	return (uint64_t)1 << offset;
}

static inline struct stitch_radix_tree_node *
stitch_radix_tree_new_node(const struct stitch_radix_tree_root *root, unsigned int shift,
			   stitch_gfp_t flags, struct stitch_radix_tree_nodes *preload)
{
	struct stitch_radix_tree_node *node = NULL;

	if (preload && preload->source.cache == root->source.cache &&
	    preload->source.pool == root->source.pool)
		node = stitch_radix_tree_take(preload);
	if (!node && !(preload && preload->only))
		node = (struct stitch_radix_tree_node *)stitch_node_alloc(&root->source,
									  sizeof(*node), flags);
	if (!node)
		return NULL;
	memset(node, 0, sizeof(*node));
	node->shift = (uint8_t)shift;
	if (root->is_idr)
		node->tags[0] = ~(uint64_t)0;
	return node;
}

/* Hang `child` into an empty slot; tags are the caller's. */
static inline void stitch_radix_tree_adopt(struct stitch_radix_tree_node *node, unsigned int offset,
					   struct stitch_radix_tree_node *child)
{
	node->slots[offset] = child;
	node->present |= stitch_radix_tree_bit(offset);
	child->parent = node;
	child->offset = (uint8_t)offset;
}

/* Set the tag of a slot, and of all above it. */
static inline void stitch_radix_tree_tag_up(struct stitch_radix_tree_node *node,
					    unsigned int offset, unsigned int tag)
{
	while (node && !(node->tags[tag] & stitch_radix_tree_bit(offset))) {
		node->tags[tag] |= stitch_radix_tree_bit(offset);
		offset = node->offset;
		node = node->parent;
	}
}

/* Clear the tag of a slot, and above it where it was the last. */
static inline void stitch_radix_tree_untag_up(struct stitch_radix_tree_node *node,
					      unsigned int offset, unsigned int tag)
{
	while (node && (node->tags[tag] & stitch_radix_tree_bit(offset))) {
		node->tags[tag] &= ~stitch_radix_tree_bit(offset);
		if (node->tags[tag])
			return;
		offset = node->offset;
		node = node->parent;
	}
}

/* The slot has become empty: it has no tags; in an idr it is free. */
static inline void stitch_radix_tree_vacate(const struct stitch_radix_tree_root *root,
					    struct stitch_radix_tree_node *node,
					    unsigned int offset)
{
	node->slots[offset] = NULL;
	node->present &= ~stitch_radix_tree_bit(offset);
	for (unsigned int tag = root->is_idr; tag < STITCH_RADIX_TREE_MAX_TAGS; tag++)
		stitch_radix_tree_untag_up(node, offset, tag);
	if (root->is_idr)
		stitch_radix_tree_tag_up(node, offset, 0);
}

/* Free `node`, and what is above it, as far as they are empty; take away levels without use. */
static inline void stitch_radix_tree_prune(struct stitch_radix_tree_root *root,
					   struct stitch_radix_tree_node *node)
{
	struct stitch_radix_tree_node *parent;

	for (; node && !node->present; node = parent) {
		parent = node->parent;
		if (parent)
			stitch_radix_tree_vacate(root, parent, node->offset);
		else
			root->rnode = NULL;
		stitch_node_free(&root->source, node);
	}
	while ((node = root->rnode) != NULL && node->shift && node->present == 1) {
		root->rnode = stitch_radix_tree_child(node, 0);
		root->rnode->parent = NULL;
		stitch_node_free(&root->source, node);
	}
}

/* The leaf with the slot of `index`; NULL when there is none. */
static inline struct stitch_radix_tree_node *
stitch_radix_tree_leaf(const struct stitch_radix_tree_root *root, unsigned long index)
{
	struct stitch_radix_tree_node *node = root->rnode;

	if (!node || index > stitch_radix_tree_max(node))
		return NULL;
	while (node && node->shift)
		node = stitch_radix_tree_child(node, stitch_radix_tree_offset(node, index));
	return node;
}

/* --- insertion -------------------------------------------------------------------------------- */

/* More levels, until there is room for `index`. */
static inline int stitch_radix_tree_extend(struct stitch_radix_tree_root *root, unsigned long index,
					   stitch_gfp_t flags,
					   struct stitch_radix_tree_nodes *preload)
{
	struct stitch_radix_tree_node *old, *node;

	while ((old = root->rnode) != NULL && index > stitch_radix_tree_max(old)) {
		node = stitch_radix_tree_new_node(
			root, old->shift + STITCH_RADIX_TREE_MAP_SHIFT, flags, preload);
		if (!node)
			return -ENOMEM;
		stitch_radix_tree_adopt(node, 0, old);
		for (unsigned int tag = 0; tag < STITCH_RADIX_TREE_MAX_TAGS; tag++) {
			node->tags[tag] &= ~(uint64_t)1;
			node->tags[tag] |= old->tags[tag] != 0;
		}
		root->rnode = node;
	}
	if (!old) {
		unsigned int shift = 0;

		while (index >> shift >= STITCH_RADIX_TREE_MAP_SIZE)
			shift += STITCH_RADIX_TREE_MAP_SHIFT;
		root->rnode = stitch_radix_tree_new_node(root, shift, flags, preload);
	}
	return root->rnode ? 0 : -ENOMEM;
}

/*
 * Occupy the slot of `index`: where it is goes to *slot. 0, -EEXIST, -ENOMEM (the tree is as it
 * was). In an idr's tree it is no longer free.
 */
static inline int stitch_radix_tree_occupy(struct stitch_radix_tree_root *root, unsigned long index,
					   stitch_gfp_t flags,
					   struct stitch_radix_tree_nodes *preload, void ***slot)
{
	struct stitch_radix_tree_node *node, *child = NULL;
	int error = stitch_radix_tree_extend(root, index, flags, preload);
	unsigned int offset = 0;

	for (node = root->rnode; !error; node = child) {
		offset = stitch_radix_tree_offset(node, index);
		if (!node->shift)
			break;
		child = stitch_radix_tree_child(node, offset);
		if (child)
			continue;
		child = stitch_radix_tree_new_node(
			root, node->shift - STITCH_RADIX_TREE_MAP_SHIFT, flags, preload);
		if (!child) {
			error = -ENOMEM;
			break;
		}
		stitch_radix_tree_adopt(node, offset, child);
	}
	if (!error && (node->present & stitch_radix_tree_bit(offset)))
		return -EEXIST;
	if (error) {
		stitch_radix_tree_prune(root, node);
		return error;
	}
	node->present |= stitch_radix_tree_bit(offset);
	if (root->is_idr)
		stitch_radix_tree_untag_up(node, offset, 0);
	*slot = &node->slots[offset];
	return 0;
}

/*
 * Store `item` (not NULL) at `index`. 0, -EEXIST: there is one, -ENOMEM, -EINVAL: NULL; then the
 * tree is as it was. O(levels). Kernel: radix_tree_insert; preloaded: between radix_tree_preload
 * and radix_tree_preload_end.
 */
static inline int
stitch_radix_tree_insert_preloaded(struct stitch_radix_tree_root *root, unsigned long index,
				   void *item, struct stitch_radix_tree_nodes *preload)
{
	void **slot = NULL;
	int error = item ? stitch_radix_tree_occupy(root, index, root->gfp_mask, preload, &slot) :
			   -EINVAL;

	if (!error)
		*slot = item;
	return error;
}

static inline int stitch_radix_tree_insert(struct stitch_radix_tree_root *root, unsigned long index,
					   void *item)
{
	return stitch_radix_tree_insert_preloaded(root, index, item, NULL);
}

/* --- lookup and removal ----------------------------------------------------------------------- */

/*
 * The place of the item at `index`, where another may be put by stitch_radix_tree_replace_slot();
 * valid until it is deleted. NULL: there is none. Kernel: radix_tree_lookup_slot.
 */
static inline void **stitch_radix_tree_lookup_slot(const struct stitch_radix_tree_root *root,
						   unsigned long index)
{
	struct stitch_radix_tree_node *node = stitch_radix_tree_leaf(root, index);
	unsigned int offset = (unsigned int)index % STITCH_RADIX_TREE_MAP_SIZE;

	return node && (node->present & stitch_radix_tree_bit(offset)) ? &node->slots[offset] :
									  NULL;
}

/* NULL: there is none. Kernel: radix_tree_lookup. */
static inline void *stitch_radix_tree_lookup(const struct stitch_radix_tree_root *root,
					     unsigned long index)
{
	void **slot = stitch_radix_tree_lookup_slot(root, index);

	return slot ? *slot : NULL;
}

/* Kernel: radix_tree_deref_slot. */
static inline void *stitch_radix_tree_deref_slot(void *const *slot)
{
	return *slot;
}

/* item: not NULL. Tags stay. Kernel: radix_tree_replace_slot. */
static inline void stitch_radix_tree_replace_slot(struct stitch_radix_tree_root *root, void **slot,
						  void *item)
{
	(void)root;
	*slot = item;
}

/*
 * Take the item at `index` out, with its tags; delete_item: only if it is `item` (NULL: any).
 * Returns it; NULL: there was none, or another. Kernel: radix_tree_delete, radix_tree_delete_item.
 */
static inline void *stitch_radix_tree_delete_item(struct stitch_radix_tree_root *root,
						  unsigned long index, const void *item)
{
	struct stitch_radix_tree_node *node = stitch_radix_tree_leaf(root, index);
	unsigned int offset = (unsigned int)index % STITCH_RADIX_TREE_MAP_SIZE;
	void *found;

	if (!node || !(node->present & stitch_radix_tree_bit(offset)))
		return NULL;
	found = node->slots[offset];
	if (item && found != item)
		return NULL;
	stitch_radix_tree_vacate(root, node, offset);
	stitch_radix_tree_prune(root, node);
	return found;
}

static inline void *stitch_radix_tree_delete(struct stitch_radix_tree_root *root,
					     unsigned long index)
{
	return stitch_radix_tree_delete_item(root, index, NULL);
}

/* All nodes are freed; items are the caller's. The tree is empty then. No kernel counterpart. */
static inline void stitch_radix_tree_destroy(struct stitch_radix_tree_root *root)
{
	struct stitch_radix_tree_node *node = root->rnode, *parent;

	while (node) {
		if (node->shift && node->present) {
			unsigned int offset = (unsigned int)__builtin_ctzll(node->present);

			node->present &= node->present - 1;
			node = stitch_radix_tree_child(node, offset);
			continue;
		}
		parent = node->parent;
		stitch_node_free(&root->source, node);
		node = parent;
	}
	root->rnode = NULL;
}

/* --- tags ------------------------------------------------------------------------------------- */

/*
 * tag: 0 .. STITCH_RADIX_TREE_MAX_TAGS - 1. Returns the item; NULL: there is none, nothing is
 * tagged. O(levels). Kernel: radix_tree_tag_set, radix_tree_tag_clear.
 */
static inline void *stitch_radix_tree_tag_set(struct stitch_radix_tree_root *root,
					      unsigned long index, unsigned int tag)
{
	struct stitch_radix_tree_node *node = stitch_radix_tree_leaf(root, index);
	unsigned int offset = (unsigned int)index % STITCH_RADIX_TREE_MAP_SIZE;

	if (!node || !(node->present & stitch_radix_tree_bit(offset)))
		return NULL;
	stitch_radix_tree_tag_up(node, offset, tag);
	return node->slots[offset];
}

static inline void *stitch_radix_tree_tag_clear(struct stitch_radix_tree_root *root,
						unsigned long index, unsigned int tag)
{
	struct stitch_radix_tree_node *node = stitch_radix_tree_leaf(root, index);
	unsigned int offset = (unsigned int)index % STITCH_RADIX_TREE_MAP_SIZE;

	if (!node || !(node->present & stitch_radix_tree_bit(offset)))
		return NULL;
	stitch_radix_tree_untag_up(node, offset, tag);
	return node->slots[offset];
}

/* 1: there is an item, and it has the tag; else 0. Kernel: radix_tree_tag_get. */
static inline int stitch_radix_tree_tag_get(const struct stitch_radix_tree_root *root,
					    unsigned long index, unsigned int tag)
{
	struct stitch_radix_tree_node *node = stitch_radix_tree_leaf(root, index);

	return node && (node->tags[tag] >> index % STITCH_RADIX_TREE_MAP_SIZE & 1);
}

/* Any item has it. O(1). Kernel: radix_tree_tagged. */
static inline bool stitch_radix_tree_tagged(const struct stitch_radix_tree_root *root,
					    unsigned int tag)
{
	return root->rnode && root->rnode->tags[tag];
}

/* --- searches and walks ----------------------------------------------------------------------- */

/* As `tag`: any item. */
#define STITCH_RADIX_TREE_ANY (~0u)

static inline uint64_t stitch_radix_tree_bits(const struct stitch_radix_tree_node *node,
					      unsigned int tag)
{
	return tag == STITCH_RADIX_TREE_ANY ? node->present : node->tags[tag];
}

/*
 * The place of the first item at *index or behind it that has the tag, and its index. NULL: there
 * is none. O(levels).
 */
static inline void **stitch_radix_tree_find(const struct stitch_radix_tree_root *root,
					    unsigned long *index, unsigned int tag)
{
	struct stitch_radix_tree_node *node = root->rnode;
	unsigned long from = *index;
	unsigned int offset;

	if (!node || from > stitch_radix_tree_max(node))
		return NULL;
	offset = stitch_radix_tree_offset(node, from);
	for (;;) {
		uint64_t bits = 0;

		if (offset < STITCH_RADIX_TREE_MAP_SIZE)
			bits = stitch_radix_tree_bits(node, tag) >> offset << offset;
		if (!bits) {
			if (!node->parent)
				return NULL;
			offset = node->offset + 1u;
			node = node->parent;
			continue;
		}
		offset = (unsigned int)__builtin_ctzll(bits);
		if (offset != stitch_radix_tree_offset(node, from)) {
			/* To the start of another slot: all lower digits are 0 there. */
			from &= ~stitch_radix_tree_max(node);
			from |= (unsigned long)offset << node->shift;
		}
		if (!node->shift)
			break;
		node = stitch_radix_tree_child(node, offset);
		offset = stitch_radix_tree_offset(node, from);
	}
	*index = from;
	return &node->slots[offset];
}

/*
 * Up to `max_items` items from `first_index` on, by index; those with the tag. Returns how many.
 * Kernel: radix_tree_gang_lookup, radix_tree_gang_lookup_tag.
 */
static inline unsigned int
stitch_radix_tree_gang_lookup_tag(const struct stitch_radix_tree_root *root, void **results,
				  unsigned long first_index, unsigned int max_items,
				  unsigned int tag)
{
	unsigned long index = first_index;
	unsigned int nr = 0;
	void **slot;

	while (nr < max_items && (slot = stitch_radix_tree_find(root, &index, tag)) != NULL) {
		results[nr++] = *slot;
		if (++index == 0)
			break;
	}
	return nr;
}

static inline unsigned int
stitch_radix_tree_gang_lookup(const struct stitch_radix_tree_root *root, void **results,
			      unsigned long first_index, unsigned int max_items)
{
	return stitch_radix_tree_gang_lookup_tag(root, results, first_index, max_items,
						 STITCH_RADIX_TREE_ANY);
}

/*
 * The places of the items, and their indices unless NULL. tag: STITCH_RADIX_TREE_ANY for all.
 * Kernel: radix_tree_gang_lookup_slot, radix_tree_gang_lookup_tag_slot.
 */
static inline unsigned int
stitch_radix_tree_gang_lookup_slot(const struct stitch_radix_tree_root *root, void ***results,
				   unsigned long *indices, unsigned long first_index,
				   unsigned int max_items, unsigned int tag)
{
	unsigned long index = first_index;
	unsigned int nr = 0;
	void **slot;

	while (nr < max_items && (slot = stitch_radix_tree_find(root, &index, tag)) != NULL) {
		if (indices)
			indices[nr] = index;
		results[nr++] = slot;
		if (++index == 0)
			break;
	}
	return nr;
}

/* Where a walk is. Kernel: struct radix_tree_iter. */
struct stitch_radix_tree_iter {
	unsigned long index;	  /* of the present item */
	unsigned long next_index; /* where the walk goes on; 0: it is over */
};

static inline void **stitch_radix_tree_iter_first(const struct stitch_radix_tree_root *root,
						  struct stitch_radix_tree_iter *iter,
						  unsigned long start, unsigned int tag)
{
	void **slot;

	iter->index = start;
	slot = stitch_radix_tree_find(root, &iter->index, tag);
	iter->next_index = iter->index + 1;
	return slot;
}

static inline void **stitch_radix_tree_iter_next(const struct stitch_radix_tree_root *root,
						 struct stitch_radix_tree_iter *iter,
						 unsigned int tag)
{
	if (!iter->next_index)
		return NULL;
	return stitch_radix_tree_iter_first(root, iter, iter->next_index, tag);
}

/*
 * All items (with the tag) from `start` on: slot is a void **, iter a struct
 * stitch_radix_tree_iter *. The body may do to the tree what it likes, delete the present item too;
 * what it inserts behind that is met. O(levels) a step. Kernel: radix_tree_for_each_slot,
 * radix_tree_for_each_tagged.
 */
#define stitch_radix_tree_for_each_tagged(slot, root, iter, start, tag)               \
	for ((slot) = stitch_radix_tree_iter_first((root), (iter), (start), (tag)); \
	     (slot); (slot) = stitch_radix_tree_iter_next((root), (iter), (tag)))
#define stitch_radix_tree_for_each_slot(slot, root, iter, start)     \
	stitch_radix_tree_for_each_tagged(slot, root, iter, start, \
					  STITCH_RADIX_TREE_ANY)

/* Delete the present item of a walk. Kernel: radix_tree_iter_delete. */
static inline void stitch_radix_tree_iter_delete(struct stitch_radix_tree_root *root,
						 struct stitch_radix_tree_iter *iter, void **slot)
{
	(void)slot;
	stitch_radix_tree_delete(root, iter->index);
}

/* --- validation ------------------------------------------------------------------------------- */

/* What the tag of a slot must be, by the child; of an item's slot it may be either. */
static inline bool
stitch_radix_tree_validate_slot(const struct stitch_radix_tree_root *root,
				const struct stitch_radix_tree_node *node, unsigned int offset)
{
	const struct stitch_radix_tree_node *child = NULL;
	bool present = node->present >> offset & 1;

	if (node->shift)
		child = stitch_radix_tree_child(node, offset);
	if ((!present && node->slots[offset]) ||
	    (present && !node->slots[offset] && (node->shift || !root->is_idr)))
		return false;
	if (child && (child->parent != node || child->offset != offset || !child->present ||
		      child->shift + STITCH_RADIX_TREE_MAP_SHIFT != node->shift))
		return false;
	for (unsigned int tag = 0; tag < STITCH_RADIX_TREE_MAX_TAGS; tag++) {
		bool tagged = node->tags[tag] >> offset & 1;

		if (child ? tagged != (child->tags[tag] != 0) :
			    (root->is_idr && !tag ? tagged == present : tagged && !present))
			return false;
	}
	return true;
}

static inline bool stitch_radix_tree_validate_node(const struct stitch_radix_tree_root *root,
						   const struct stitch_radix_tree_node *node)
{
	for (unsigned int offset = 0; offset < STITCH_RADIX_TREE_MAP_SIZE; offset++) {
		if (!stitch_radix_tree_validate_slot(root, node, offset))
			return false;
		if (node->shift && node->slots[offset] &&
		    !stitch_radix_tree_validate_node(root, stitch_radix_tree_child(node, offset)))
			return false;
	}
	return true;
}

/* True when the invariants above hold. O(nodes). */
static inline bool stitch_radix_tree_validate(const struct stitch_radix_tree_root *root)
{
	const struct stitch_radix_tree_node *node = root->rnode;

	return !node || (!node->parent && node->present && !(node->shift && node->present == 1) &&
			 stitch_radix_tree_validate_node(root, node));
}

#ifdef __cplusplus
}
#endif

#endif
