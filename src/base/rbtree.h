/*
 * rbtree.h - the kernel's intrusive red-black tree, augmented.
 *
 * L0. The caller owns the nodes, walks down by its own comparison, and provides any locking.
 * An augmented value is one that a node can compute from itself and its two children (a maximum
 * over the subtree, say): `update` recomputes it for one node; NULL for a plain tree.
 * Invariants (rb_validate): the root is black; a red node has no red child; every way from
 * the root to a missing child passes as many black nodes; a child's parent link is right.
 * Follows include/linux/rbtree_augmented.h, with one shape for both mirror images.
 */
#ifndef BASE_RBTREE_H
#define BASE_RBTREE_H

#include "base/compiler.h"

struct rb_node {
	uintptr_t rb_parent_color; /* address of the parent; bit 0 set: black */
	union {
		struct {
			struct rb_node *rb_left, *rb_right;
		};
		struct rb_node *rb_child[2];
	};
};

struct rb_root {
	struct rb_node *rb_node;
};

/* Recompute the augmented value of `node` from itself and its children. */
typedef void rb_update(struct rb_node *node);

#define rb_entry(ptr, type, member) container_of(ptr, type, member)

static inline struct rb_node *rb_parent(const struct rb_node *node)
{
	return (struct rb_node *)(node->rb_parent_color & ~(uintptr_t)1);
}

/* In order; NULL at the end or in an empty tree. O(log n), O(1) amortised over a walk. */
struct rb_node *rb_first(const struct rb_root *root);
struct rb_node *rb_last(const struct rb_root *root);
struct rb_node *rb_next(const struct rb_node *node);
struct rb_node *rb_prev(const struct rb_node *node);

/*
 * Hang a new node into the empty place `*link` of `parent` (NULL and &root->rb_node in
 * an empty tree). The tree is legal again after rb_insert_augmented.
 */
static inline void rb_link_node(struct rb_node *node, struct rb_node *parent, struct rb_node **link)
{
	node->rb_parent_color = (uintptr_t)parent;
	node->rb_left = NULL;
	node->rb_right = NULL;
	*link = node;
}

/* Rebalance after rb_link_node; computes the value of `node` and of everything above it. */
void rb_insert_augmented(struct rb_node *node, struct rb_root *root, rb_update *update);

/* Take `node` out. Its own links are left stale. */
void rb_erase_augmented(struct rb_node *node, struct rb_root *root, rb_update *update);

/* What `node` contributes has changed: recompute from it up to the root. */
void rb_augment_path(struct rb_node *node, rb_update *update);

/* True when the invariants above hold. */
bool rb_validate(const struct rb_root *root);

#endif
