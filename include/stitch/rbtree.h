/*
 * rbtree.h - the kernel's intrusive red-black tree: plain, with the leftmost node at hand, and
 * augmented (include/linux/rbtree.h, rbtree_augmented.h).
 *
 * The caller owns the nodes, which lie in structures of its own; it walks down by its own
 * comparison, or gives one to stitch_rb_add() and stitch_rb_find(). Nothing here allocates, locks,
 * makes a system call or has state of its own: all of it may be called anywhere, in signal handlers
 * too, as long as nobody else changes the tree meanwhile; any number of threads may read one that
 * nobody changes.
 *
 * An augmented tree keeps in each node a value that the node can compute from itself and the values
 * of its two children (a maximum over the subtree, say).
 *
 * Invariants (stitch_rb_validate): the root is black; a red node has no red child; every way from
 * the root to a missing child passes as many black nodes; a child's parent link is right. So no
 * way is longer than 2 x log2(n + 1).
 */
#ifndef STITCH_RBTREE_H
#define STITCH_RBTREE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "stitch/container_of.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Kernel: struct rb_node. Left and right are also child 0 and 1, for code that has both ways. */
struct stitch_rb_node {
	uintptr_t rb_parent_color; /* address of the parent; bit 0 set: black */
	__extension__ union {
		__extension__ struct {
			struct stitch_rb_node *rb_left, *rb_right;
		};
		struct stitch_rb_node *rb_child[2];
	};
};

/*
 * Kernel: struct rb_root, struct rb_root_cached. The second names are those that the first ones
 * become where stitch/kernel.h is included.
 */
__extension__ struct stitch_rb_root {
	__extension__ union {
		struct stitch_rb_node *rb_node; /* NULL: an empty tree */
		struct stitch_rb_node *stitch_rb_node;
	};
};

__extension__ struct stitch_rb_root_cached {
	__extension__ union {
		struct stitch_rb_root rb_root;
		struct stitch_rb_root stitch_rb_root;
	};
	struct stitch_rb_node *rb_leftmost; /* NULL: an empty tree */
};

/*
 * How the values of an augmented tree are kept. propagate: recompute from `node` up to, but not,
 * `stop`, or as far up as something changes. copy: `to` comes into the place of `from` and gets its
 * value. rotate: `to` is the root of the subtree that `from` was the root of; give it the
 * value that `from` has, and recompute `from`, which is its child now.
 * Kernel: struct rb_augment_callbacks.
 */
struct stitch_rb_augment_callbacks {
	void (*propagate)(struct stitch_rb_node *node, struct stitch_rb_node *stop);
	void (*copy)(struct stitch_rb_node *from, struct stitch_rb_node *to);
	void (*rotate)(struct stitch_rb_node *from, struct stitch_rb_node *to);
};

/* Empty trees. Kernel: RB_ROOT, RB_ROOT_CACHED. */
#ifdef __cplusplus
#define STITCH_RB_ROOT (stitch_rb_root())
#define STITCH_RB_ROOT_CACHED (stitch_rb_root_cached())
#else
#define STITCH_RB_ROOT ((struct stitch_rb_root){ { NULL } })
#define STITCH_RB_ROOT_CACHED ((struct stitch_rb_root_cached){ { { { NULL } } }, NULL })
#endif

/* Kernel: rb_entry, rb_entry_safe (NULL of NULL). */
#define stitch_rb_entry(ptr, type, member) stitch_container_of(ptr, type, member)
#define stitch_rb_entry_safe(ptr, type, member)                                           \
	__extension__({                                                                   \
		__typeof__(ptr) stitch_ptr = (ptr);                                       \
		stitch_ptr ? stitch_container_of(stitch_ptr, type, member) : (type *)0; \
	})

/* Kernel: RB_EMPTY_ROOT. */
#define STITCH_RB_EMPTY_ROOT(root) ((root)->rb_node == NULL)
/* A node that is in no tree may be marked as such. Kernel: RB_CLEAR_NODE, RB_EMPTY_NODE. */
#define STITCH_RB_CLEAR_NODE(node) ((void)((node)->rb_parent_color = (uintptr_t)(node)))
#define STITCH_RB_EMPTY_NODE(node) ((node)->rb_parent_color == (uintptr_t)(node))

/* --- walks ------------------------------------------------------------------------------------ */

/* NULL: the root. Kernel: rb_parent. */
static inline struct stitch_rb_node *stitch_rb_parent(const struct stitch_rb_node *node)
{
	return (struct stitch_rb_node *)(node->rb_parent_color & ~(uintptr_t)1);
}

static inline unsigned int stitch_rb_side(const struct stitch_rb_node *node,
					  const struct stitch_rb_node *parent)
{
	return parent->rb_right == node;
}

static inline struct stitch_rb_node *stitch_rb_outermost(struct stitch_rb_node *node,
							 unsigned int side)
{
	while (node && node->rb_child[side])
		node = node->rb_child[side];
	return node;
}

static inline struct stitch_rb_node *stitch_rb_neighbour(const struct stitch_rb_node *node,
							 unsigned int side)
{
	struct stitch_rb_node *parent;

	if (STITCH_RB_EMPTY_NODE(node))
		return NULL;
	if (node->rb_child[side])
		return stitch_rb_outermost(node->rb_child[side], !side);
	while ((parent = stitch_rb_parent(node)) && stitch_rb_side(node, parent) == side)
		node = parent;
	return parent;
}

/*
 * In order. NULL: an empty tree; no next one; of a cleared node. O(log n); a walk from end to end
 * O(n). Kernel: rb_first, rb_last, rb_next, rb_prev.
 */
static inline struct stitch_rb_node *stitch_rb_first(const struct stitch_rb_root *root)
{
	return stitch_rb_outermost(root->rb_node, 0);
}

static inline struct stitch_rb_node *stitch_rb_last(const struct stitch_rb_root *root)
{
	return stitch_rb_outermost(root->rb_node, 1);
}

static inline struct stitch_rb_node *stitch_rb_next(const struct stitch_rb_node *node)
{
	return stitch_rb_neighbour(node, 1);
}

static inline struct stitch_rb_node *stitch_rb_prev(const struct stitch_rb_node *node)
{
	return stitch_rb_neighbour(node, 0);
}

/* O(1). Kernel: rb_first_cached. */
static inline struct stitch_rb_node *
stitch_rb_first_cached(const struct stitch_rb_root_cached *root)
{
	return root->rb_leftmost;
}

static inline struct stitch_rb_node *stitch_rb_deepest(struct stitch_rb_node *node)
{
	while (node && (node->rb_left || node->rb_right))
		node = node->rb_left ? node->rb_left : node->rb_right;
	return node;
}

/*
 * Children before their parents: a whole tree can be freed so, without being rebalanced.
 * Kernel: rb_first_postorder, rb_next_postorder.
 */
static inline struct stitch_rb_node *stitch_rb_first_postorder(const struct stitch_rb_root *root)
{
	return stitch_rb_deepest(root->rb_node);
}

static inline struct stitch_rb_node *stitch_rb_next_postorder(const struct stitch_rb_node *node)
{
	struct stitch_rb_node *parent = node ? stitch_rb_parent(node) : NULL;

	if (parent && parent->rb_left == node && parent->rb_right)
		return stitch_rb_deepest(parent->rb_right);
	return parent;
}

/*
 * pos, n: pointers to the structure of which `field` is a node; pos may be freed in the body.
 * Kernel: rbtree_postorder_for_each_entry_safe.
 */
#define stitch_rbtree_postorder_for_each_entry_safe(pos, n, root, field)                     \
	for (pos = stitch_rb_entry_safe(stitch_rb_first_postorder(root), __typeof__(*pos), \
					field);                                              \
	     pos && ((n = stitch_rb_entry_safe(stitch_rb_next_postorder(&pos->field),      \
					       __typeof__(*pos), field)),                  \
		     1);                                                                     \
	     pos = n)

/* --- changes: the parts ----------------------------------------------------------------------- */

static inline bool stitch_rb_is_black(const struct stitch_rb_node *node)
{
	return !node || (node->rb_parent_color & 1);
}

static inline bool stitch_rb_is_red(const struct stitch_rb_node *node)
{
	return !stitch_rb_is_black(node);
}

static inline void stitch_rb_set_black(struct stitch_rb_node *node)
{
	node->rb_parent_color |= 1;
}

static inline void stitch_rb_set_red(struct stitch_rb_node *node)
{
	node->rb_parent_color &= ~(uintptr_t)1;
}

static inline void stitch_rb_set_parent(struct stitch_rb_node *node, struct stitch_rb_node *parent)
{
	node->rb_parent_color = (uintptr_t)parent | (node->rb_parent_color & 1);
}

/* Let whatever points down at `old` point at `node`. */
static inline void stitch_rb_replace_child(struct stitch_rb_root *root,
					   struct stitch_rb_node *parent,
					   const struct stitch_rb_node *old,
					   struct stitch_rb_node *node)
{
	if (parent)
		parent->rb_child[stitch_rb_side(old, parent)] = node;
	else
		root->rb_node = node;
}

/*
 * `node` goes down to `side`, its other child comes up into its place. Colours stay. The same nodes
 * are under the place as before, so that values above it are right.
 */
static inline void stitch_rb_rotate(struct stitch_rb_root *root, struct stitch_rb_node *node,
				    unsigned int side,
				    const struct stitch_rb_augment_callbacks *augment)
{
	struct stitch_rb_node *up = node->rb_child[!side];
	struct stitch_rb_node *inner = up->rb_child[side];
	struct stitch_rb_node *parent = stitch_rb_parent(node);

	node->rb_child[!side] = inner;
	if (inner)
		stitch_rb_set_parent(inner, node);
	up->rb_child[side] = node;
	stitch_rb_set_parent(up, parent);
	stitch_rb_set_parent(node, up);
	stitch_rb_replace_child(root, parent, node, up);
	if (augment)
		augment->rotate(node, up);
}

/* All ways through parent->rb_child[side], which is black or missing, lack one black node. */
static inline void stitch_rb_add_black(struct stitch_rb_root *root, struct stitch_rb_node *parent,
				       unsigned int side,
				       const struct stitch_rb_augment_callbacks *augment)
{
	for (;;) {
		struct stitch_rb_node *sibling = parent->rb_child[!side];
		struct stitch_rb_node *node = parent;

		if (stitch_rb_is_red(sibling)) {
			stitch_rb_set_black(sibling);
			stitch_rb_set_red(parent);
			stitch_rb_rotate(root, parent, side, augment);
			sibling = parent->rb_child[!side];
		}
		if (stitch_rb_is_red(sibling->rb_left) || stitch_rb_is_red(sibling->rb_right)) {
			if (stitch_rb_is_black(sibling->rb_child[!side])) {
				stitch_rb_rotate(root, sibling, !side, augment);
				sibling = parent->rb_child[!side];
			}
			/* It comes into the place of the parent, and gets its colour. */
			sibling->rb_parent_color &= ~(uintptr_t)1;
			sibling->rb_parent_color |= parent->rb_parent_color & 1;
			stitch_rb_set_black(parent);
			stitch_rb_set_black(sibling->rb_child[!side]);
			stitch_rb_rotate(root, parent, side, augment);
			return;
		}
		stitch_rb_set_red(sibling);
		parent = stitch_rb_parent(node);
		if (stitch_rb_is_red(node) || !parent) {
			stitch_rb_set_black(node);
			return;
		}
		side = stitch_rb_side(node, parent);
	}
}

/*
 * `next`, the in-order successor of `node` (which has two children), and `node` change places:
 * afterwards `node` is to be taken out where the successor was.
 */
static inline void stitch_rb_swap_with_next(struct stitch_rb_root *root,
					    struct stitch_rb_node *node,
					    struct stitch_rb_node *next)
{
	struct stitch_rb_node *next_parent = stitch_rb_parent(next);
	struct stitch_rb_node *next_right = next->rb_right;
	uintptr_t next_color = next->rb_parent_color & 1;

	stitch_rb_replace_child(root, stitch_rb_parent(node), node, next);
	next->rb_parent_color = node->rb_parent_color;
	next->rb_left = node->rb_left;
	stitch_rb_set_parent(next->rb_left, next);
	if (next_parent == node) {
		next_parent = next;
		next->rb_right = node;
	} else {
		next->rb_right = node->rb_right;
		stitch_rb_set_parent(next->rb_right, next);
		next_parent->rb_left = node;
	}
	node->rb_parent_color = (uintptr_t)next_parent | next_color;
	node->rb_left = NULL;
	node->rb_right = next_right;
	if (next_right)
		stitch_rb_set_parent(next_right, node);
}

/* --- changes ---------------------------------------------------------------------------------- */

/*
 * Hang a new node into the empty place `*link` of `parent` (NULL and &root->rb_node in an empty
 * tree). The tree is legal again after one of the insertions below. Kernel: rb_link_node.
 */
static inline void stitch_rb_link_node(struct stitch_rb_node *node, struct stitch_rb_node *parent,
				       struct stitch_rb_node **link)
{
	node->rb_parent_color = (uintptr_t)parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	*link = node;
}

/*
 * Rebalance after stitch_rb_link_node(). The values of `node` and of all above it must be what they
 * are with `node` (by augment->propagate, say). augment NULL: a plain tree. O(log n), at most two
 * rotations. Kernel: rb_insert_augmented.
 */
static inline void stitch_rb_insert_augmented(struct stitch_rb_node *node,
					      struct stitch_rb_root *root,
					      const struct stitch_rb_augment_callbacks *augment)
{
	struct stitch_rb_node *parent;

	/* `node` is red; the only rule that may be broken is that its parent is red too. */
	while (stitch_rb_is_red(parent = stitch_rb_parent(node))) {
		struct stitch_rb_node *grandparent = stitch_rb_parent(parent);
		unsigned int side = stitch_rb_side(parent, grandparent);
		struct stitch_rb_node *uncle = grandparent->rb_child[!side];

		if (stitch_rb_is_red(uncle)) {
			stitch_rb_set_black(parent);
			stitch_rb_set_black(uncle);
			stitch_rb_set_red(grandparent);
			node = grandparent;
			continue;
		}
		if (stitch_rb_side(node, parent) != side) {
			stitch_rb_rotate(root, parent, side, augment);
			parent = node;
		}
		stitch_rb_set_black(parent);
		stitch_rb_set_red(grandparent);
		stitch_rb_rotate(root, grandparent, !side, augment);
		break;
	}
	stitch_rb_set_black(root->rb_node);
}

/*
 * Take `node` out of the tree that it is in. Its own links are left stale. augment NULL: a plain
 * tree. O(log n), at most three rotations. Kernel: rb_erase_augmented.
 */
static inline void stitch_rb_erase_augmented(struct stitch_rb_node *node,
					     struct stitch_rb_root *root,
					     const struct stitch_rb_augment_callbacks *augment)
{
	struct stitch_rb_node *parent, *child, *next = NULL;
	unsigned int side = 0;

	if (node->rb_left && node->rb_right) {
		next = stitch_rb_next(node);
		stitch_rb_swap_with_next(root, node, next);
		if (augment)
			augment->copy(node, next);
	}
	parent = stitch_rb_parent(node);
	child = node->rb_left ? node->rb_left : node->rb_right;
	if (parent)
		side = stitch_rb_side(node, parent);
	stitch_rb_replace_child(root, parent, node, child);
	if (child)
		stitch_rb_set_parent(child, parent);
	/* What `next` got by the copy still counts `node`: below it nothing may end the way up. */
	if (augment && parent)
		augment->propagate(parent, next);
	if (augment && next)
		augment->propagate(next, NULL);
	/* An only child is red: black, it restores the count that a black node took along. */
	if (child)
		stitch_rb_set_black(child);
	else if (parent && stitch_rb_is_black(node))
		stitch_rb_add_black(root, parent, side, augment);
}

/* The same for plain trees. Kernel: rb_insert_color, rb_erase. */
static inline void stitch_rb_insert_color(struct stitch_rb_node *node, struct stitch_rb_root *root)
{
	stitch_rb_insert_augmented(node, root, NULL);
}

static inline void stitch_rb_erase(struct stitch_rb_node *node, struct stitch_rb_root *root)
{
	stitch_rb_erase_augmented(node, root, NULL);
}

/*
 * `node` comes into the place and colour of `victim`; the order must stay right, and of an
 * augmented tree the value must be given to it by the caller. O(1). Kernel: rb_replace_node.
 */
static inline void stitch_rb_replace_node(struct stitch_rb_node *victim,
					  struct stitch_rb_node *node, struct stitch_rb_root *root)
{
	stitch_rb_replace_child(root, stitch_rb_parent(victim), victim, node);
	*node = *victim;
	if (node->rb_left)
		stitch_rb_set_parent(node->rb_left, node);
	if (node->rb_right)
		stitch_rb_set_parent(node->rb_right, node);
}

/* --- the same with the leftmost node at hand -------------------------------------------------- */

/*
 * leftmost: the way down went left at every node. Kernel: rb_insert_color_cached,
 * rb_insert_augmented_cached.
 */
static inline void
stitch_rb_insert_augmented_cached(struct stitch_rb_node *node, struct stitch_rb_root_cached *root,
				  bool leftmost, const struct stitch_rb_augment_callbacks *augment)
{
	if (leftmost)
		root->rb_leftmost = node;
	stitch_rb_insert_augmented(node, &root->rb_root, augment);
}

static inline void stitch_rb_insert_color_cached(struct stitch_rb_node *node,
						 struct stitch_rb_root_cached *root, bool leftmost)
{
	stitch_rb_insert_augmented_cached(node, root, leftmost, NULL);
}

/*
 * Returns the new leftmost node if there is another now, else NULL.
 * Kernel: rb_erase_cached, rb_erase_augmented_cached.
 */
static inline struct stitch_rb_node *
stitch_rb_erase_augmented_cached(struct stitch_rb_node *node, struct stitch_rb_root_cached *root,
				 const struct stitch_rb_augment_callbacks *augment)
{
	struct stitch_rb_node *leftmost = NULL;

	if (root->rb_leftmost == node)
		leftmost = root->rb_leftmost = stitch_rb_next(node);
	stitch_rb_erase_augmented(node, &root->rb_root, augment);
	return leftmost;
}

static inline struct stitch_rb_node *stitch_rb_erase_cached(struct stitch_rb_node *node,
							    struct stitch_rb_root_cached *root)
{
	return stitch_rb_erase_augmented_cached(node, root, NULL);
}

/* Kernel: rb_replace_node_cached. */
static inline void stitch_rb_replace_node_cached(struct stitch_rb_node *victim,
						 struct stitch_rb_node *node,
						 struct stitch_rb_root_cached *root)
{
	if (root->rb_leftmost == victim)
		root->rb_leftmost = node;
	stitch_rb_replace_node(victim, node, &root->rb_root);
}

/* --- by a comparison -------------------------------------------------------------------------- */

/* The first comes before the second. */
typedef bool stitch_rb_less_t(struct stitch_rb_node *, const struct stitch_rb_node *);
/* < 0, 0, > 0: what is looked for (a key, or a new node) comes before, equals, comes behind it. */
typedef int stitch_rb_cmp_key_t(const void *, const struct stitch_rb_node *);
typedef int stitch_rb_cmp_node_t(struct stitch_rb_node *, const struct stitch_rb_node *);

/* Returns whether it is leftmost now. */
static inline bool stitch_rb_link_sorted(struct stitch_rb_node *node, struct stitch_rb_root *tree,
					 stitch_rb_less_t *less)
{
	struct stitch_rb_node **link = &tree->rb_node, *parent = NULL;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (less(node, parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	stitch_rb_link_node(node, parent, link);
	return leftmost;
}

/* Behind those that are equal. Kernel: rb_add. */
static inline void stitch_rb_add(struct stitch_rb_node *node, struct stitch_rb_root *tree,
				 stitch_rb_less_t *less)
{
	stitch_rb_link_sorted(node, tree, less);
	stitch_rb_insert_color(node, tree);
}

/* Returns `node` if it is leftmost now, else NULL. Kernel: rb_add_cached. */
static inline struct stitch_rb_node *stitch_rb_add_cached(struct stitch_rb_node *node,
							  struct stitch_rb_root_cached *tree,
							  stitch_rb_less_t *less)
{
	bool leftmost = stitch_rb_link_sorted(node, &tree->rb_root, less);

	stitch_rb_insert_color_cached(node, tree, leftmost);
	return leftmost ? node : NULL;
}

/* NULL: added; else the node that equals it, and nothing is added. Kernel: rb_find_add. */
static inline struct stitch_rb_node *stitch_rb_find_add(struct stitch_rb_node *node,
							struct stitch_rb_root *tree,
							stitch_rb_cmp_node_t *cmp)
{
	struct stitch_rb_node **link = &tree->rb_node, *parent = NULL;

	while (*link) {
		int order = cmp(node, *link);

		parent = *link;
		if (!order)
			return parent;
		link = order < 0 ? &parent->rb_left : &parent->rb_right;
	}
	stitch_rb_link_node(node, parent, link);
	stitch_rb_insert_color(node, tree);
	return NULL;
}

/* Any node that equals `key`; NULL: none. Kernel: rb_find. */
static inline struct stitch_rb_node *stitch_rb_find(const void *key,
						    const struct stitch_rb_root *tree,
						    stitch_rb_cmp_key_t *cmp)
{
	struct stitch_rb_node *node = tree->rb_node;
	int order;

	while (node && (order = cmp(key, node)) != 0)
		node = order < 0 ? node->rb_left : node->rb_right;
	return node;
}

/* The first of those that equal `key`; the next of them. Kernel: rb_find_first, rb_next_match. */
static inline struct stitch_rb_node *stitch_rb_find_first(const void *key,
							  const struct stitch_rb_root *tree,
							  stitch_rb_cmp_key_t *cmp)
{
	struct stitch_rb_node *node = tree->rb_node, *match = NULL;

	while (node) {
		int order = cmp(key, node);

		if (!order)
			match = node;
		node = order <= 0 ? node->rb_left : node->rb_right;
	}
	return match;
}

static inline struct stitch_rb_node *
stitch_rb_next_match(const void *key, struct stitch_rb_node *node, stitch_rb_cmp_key_t *cmp)
{
	node = stitch_rb_next(node);
	return node && !cmp(key, node) ? node : NULL;
}

/* All that equal `key`, in order. Kernel: rb_for_each. */
#define stitch_rb_for_each(node, key, tree, cmp)                       \
	for ((node) = stitch_rb_find_first((key), (tree), (cmp)); (node); \
	     (node) = stitch_rb_next_match((key), (node), (cmp)))

/* --- declaring the callbacks of an augmented tree --------------------------------------------- */

/*
 * Callbacks called NAME. STRUCT (with the word struct) has a node FIELD and the value AUGMENTED.
 * COMPUTE(entry, exit): recompute the value of `entry` from itself and its children; returns
 * true when `exit` is set and the value is what it was before. STATIC: `static`, or nothing.
 * Kernel: RB_DECLARE_CALLBACKS.
 */
#define STITCH_RB_DECLARE_CALLBACKS(STATIC, NAME, STRUCT, FIELD, AUGMENTED, COMPUTE)             \
	static inline void NAME##_propagate(struct stitch_rb_node *node,                         \
					    struct stitch_rb_node *stop)                         \
	{                                                                                        \
		while (node != stop && !COMPUTE(stitch_rb_entry(node, STRUCT, FIELD), true))     \
			node = stitch_rb_parent(node);                                           \
	}                                                                                        \
	static inline void NAME##_copy(struct stitch_rb_node *from, struct stitch_rb_node *to)   \
	{                                                                                        \
		stitch_rb_entry(to, STRUCT, FIELD)->AUGMENTED =                                  \
			stitch_rb_entry(from, STRUCT, FIELD)->AUGMENTED;                         \
	}                                                                                        \
	static inline void NAME##_rotate(struct stitch_rb_node *from, struct stitch_rb_node *to) \
	{                                                                                        \
		NAME##_copy(from, to);                                                           \
		(void)COMPUTE(stitch_rb_entry(from, STRUCT, FIELD), false);                      \
	}                                                                                        \
	STATIC const struct stitch_rb_augment_callbacks NAME = { NAME##_propagate, NAME##_copy,  \
								 NAME##_rotate }

/*
 * The value is the maximum over the subtree of what COMPUTE(entry) says of one node, of TYPE.
 * Kernel: RB_DECLARE_CALLBACKS_MAX.
 */
#define STITCH_RB_DECLARE_CALLBACKS_MAX(STATIC, NAME, STRUCT, FIELD, TYPE, AUGMENTED, COMPUTE)    \
	static inline bool NAME##_compute_max(STRUCT *entry, bool exit)                           \
	{                                                                                         \
		TYPE max = COMPUTE(entry);                                                        \
		for (int side = 0; side < 2; side++) {                                            \
			struct stitch_rb_node *child = entry->FIELD.rb_child[side];               \
			if (child && stitch_rb_entry(child, STRUCT, FIELD)->AUGMENTED > max)      \
				max = stitch_rb_entry(child, STRUCT, FIELD)->AUGMENTED;           \
		}                                                                                 \
		if (exit && entry->AUGMENTED == max)                                              \
			return true;                                                              \
		entry->AUGMENTED = max;                                                           \
		return false;                                                                     \
	}                                                                                         \
	STITCH_RB_DECLARE_CALLBACKS(STATIC, NAME, STRUCT, FIELD, AUGMENTED, NAME##_compute_max)

/* --- validation ------------------------------------------------------------------------------- */

/*
 * Black nodes on every way down from `node`, or -1 when a rule is broken under it. Ends even in a
 * graph with a cycle: a node reached a second time has another parent than it says.
 */
static inline int stitch_rb_black_height(const struct stitch_rb_node *node,
					 const struct stitch_rb_node *parent)
{
	int left, right;

	if (!node)
		return 0;
	if (stitch_rb_parent(node) != parent ||
	    (stitch_rb_is_red(node) && parent && stitch_rb_is_red(parent)))
		return -1;
	left = stitch_rb_black_height(node->rb_left, node);
	right = stitch_rb_black_height(node->rb_right, node);
	if (left < 0 || left != right)
		return -1;
	return left + stitch_rb_is_black(node);
}

/* True when the invariants above hold. O(n). */
static inline bool stitch_rb_validate(const struct stitch_rb_root *root)
{
	return stitch_rb_is_black(root->rb_node) &&
	       stitch_rb_black_height(root->rb_node, NULL) >= 0;
}

/* And the leftmost node is that. */
static inline bool stitch_rb_validate_cached(const struct stitch_rb_root_cached *root)
{
	return root->rb_leftmost == stitch_rb_first(&root->rb_root) &&
	       stitch_rb_validate(&root->rb_root);
}

#ifdef __cplusplus
}
#endif

#endif
