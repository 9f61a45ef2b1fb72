/*
 * rbtree.c - insertion, removal and walks of the augmented red-black tree.
 *
 * L0. Freestanding. Left and right are the indices 0 and 1 of rb_child, so that each
 * case is written once and its mirror image is `!side`.
 * A rotation keeps the set of nodes under its place, so it leaves every augmented value above
 * that place right; only the two nodes that changed places are recomputed.
 */
#include "base/rbtree.h"

#define RB_LEFT 0u
#define RB_RIGHT 1u

static bool is_black(const struct rb_node *node)
{
	return !node || (node->rb_parent_color & 1);
}

static bool is_red(const struct rb_node *node)
{
	return !is_black(node);
}

static void set_black(struct rb_node *node)
{
	node->rb_parent_color |= 1;
}

static void set_red(struct rb_node *node)
{
	node->rb_parent_color &= ~(uintptr_t)1;
}

static void copy_color(struct rb_node *to, const struct rb_node *from)
{
	to->rb_parent_color = (uintptr_t)rb_parent(to) | (from->rb_parent_color & 1);
}

static void set_parent(struct rb_node *node, struct rb_node *parent)
{
	node->rb_parent_color = (uintptr_t)parent | (node->rb_parent_color & 1);
}

static unsigned int side_of(const struct rb_node *node, const struct rb_node *parent)
{
	return parent->rb_right == node ? RB_RIGHT : RB_LEFT;
}

/* Let whatever pointed down at `old` point at `new`. */
static void replace_child(struct rb_root *root, struct rb_node *parent, const struct rb_node *old,
			  struct rb_node *new)
{
	if (parent)
		parent->rb_child[side_of(old, parent)] = new;
	else
		root->rb_node = new;
}

/* `node` goes down to `side`, its other child comes up into its place. Colours stay. */
static void rotate(struct rb_root *root, struct rb_node *node, unsigned int side, rb_update *update)
{
	struct rb_node *up = node->rb_child[!side];
	struct rb_node *inner = up->rb_child[side];
	struct rb_node *parent = rb_parent(node);

	node->rb_child[!side] = inner;
	if (inner)
		set_parent(inner, node);
	up->rb_child[side] = node;
	set_parent(up, parent);
	set_parent(node, up);
	replace_child(root, parent, node, up);
	if (update) {
		update(node);
		update(up);
	}
}

void rb_augment_path(struct rb_node *node, rb_update *update)
{
	for (; update && node; node = rb_parent(node))
		update(node);
}

void rb_insert_augmented(struct rb_node *node, struct rb_root *root, rb_update *update)
{
	struct rb_node *parent;

	rb_augment_path(node, update);
	/* `node` is red; the only rule that may be broken is that its parent is red too. */
	while (is_red(parent = rb_parent(node))) {
		struct rb_node *grandparent = rb_parent(parent);
		unsigned int side = side_of(parent, grandparent);
		struct rb_node *uncle = grandparent->rb_child[!side];

		if (is_red(uncle)) {
			set_black(parent);
			set_black(uncle);
			set_red(grandparent);
			node = grandparent;
			continue;
		}
		if (side_of(node, parent) != side) {
			rotate(root, parent, side, update);
			parent = node;
		}
		set_black(parent);
		set_red(grandparent);
		rotate(root, grandparent, !side, update);
		break;
	}
	set_black(root->rb_node);
}

/* All ways through parent->rb_child[side], which is black or missing, lack one black node. */
static void erase_rebalance(struct rb_root *root, struct rb_node *parent, unsigned int side,
			    rb_update *update)
{
	for (;;) {
		struct rb_node *sibling = parent->rb_child[!side];
		struct rb_node *node = parent;

		if (is_red(sibling)) {
			set_black(sibling);
			set_red(parent);
			rotate(root, parent, side, update);
			sibling = parent->rb_child[!side];
		}
		if (is_red(sibling->rb_left) || is_red(sibling->rb_right)) {
			if (is_black(sibling->rb_child[!side])) {
				rotate(root, sibling, !side, update);
				sibling = parent->rb_child[!side];
			}
			copy_color(sibling, parent);
			set_black(parent);
			set_black(sibling->rb_child[!side]);
			rotate(root, parent, side, update);
			return;
		}
		set_red(sibling);
		parent = rb_parent(node);
		if (is_red(node) || !parent) {
			set_black(node);
			return;
		}
		side = side_of(node, parent);
	}
}

/*
 * Put the in-order successor of `node`, which has two children, into its place. Before that,
 * exchange the roles: afterwards `node` is to be taken out where the successor was.
 */
static void swap_with_successor(struct rb_node *node, struct rb_root *root)
{
	struct rb_node *next = rb_next(node);
	struct rb_node *next_parent = rb_parent(next);
	struct rb_node *next_right = next->rb_right;
	uintptr_t next_color = next->rb_parent_color & 1;

	replace_child(root, rb_parent(node), node, next);
	next->rb_parent_color = node->rb_parent_color;
	next->rb_left = node->rb_left;
	set_parent(next->rb_left, next);
	if (next_parent == node) {
		next_parent = next;
	} else {
		next->rb_right = node->rb_right;
		set_parent(next->rb_right, next);
		next_parent->rb_left = node;
	}
	if (next_parent == next)
		next->rb_right = node;
	node->rb_parent_color = (uintptr_t)next_parent | next_color;
	node->rb_left = NULL;
	node->rb_right = next_right;
	if (next_right)
		set_parent(next_right, node);
}

void rb_erase_augmented(struct rb_node *node, struct rb_root *root, rb_update *update)
{
	struct rb_node *parent, *child;
	unsigned int side = RB_LEFT;

	if (node->rb_left && node->rb_right)
		swap_with_successor(node, root);

	parent = rb_parent(node);
	child = node->rb_left ? node->rb_left : node->rb_right;
	if (parent)
		side = side_of(node, parent);
	replace_child(root, parent, node, child);
	if (child)
		set_parent(child, parent);
	rb_augment_path(parent, update);

	/* An only child is red: black, it restores the count that a black node took along. */
	if (child)
		set_black(child);
	else if (parent && is_black(node))
		erase_rebalance(root, parent, side, update);
}

static struct rb_node *outermost(struct rb_node *node, unsigned int side)
{
	while (node && node->rb_child[side])
		node = node->rb_child[side];
	return node;
}

static struct rb_node *neighbour(const struct rb_node *node, unsigned int side)
{
	struct rb_node *parent;

	if (node->rb_child[side])
		return outermost(node->rb_child[side], !side);
	while ((parent = rb_parent(node)) && side_of(node, parent) == side)
		node = parent;
	return parent;
}

struct rb_node *rb_first(const struct rb_root *root)
{
	return outermost(root->rb_node, RB_LEFT);
}

struct rb_node *rb_last(const struct rb_root *root)
{
	return outermost(root->rb_node, RB_RIGHT);
}

struct rb_node *rb_next(const struct rb_node *node)
{
	return neighbour(node, RB_RIGHT);
}

struct rb_node *rb_prev(const struct rb_node *node)
{
	return neighbour(node, RB_LEFT);
}

/*
 * Black nodes on every way down from `node`, or -1 when a rule is broken under it. Ends even in
 * a graph with a cycle: a node reached a second time has another parent than it says.
 */
static int black_height(const struct rb_node *node, const struct rb_node *parent)
{
	int left, right;

	if (!node)
		return 0;
	if (rb_parent(node) != parent || (is_red(node) && parent && is_red(parent)))
		return -1;
	left = black_height(node->rb_left, node);
	right = black_height(node->rb_right, node);
	if (left < 0 || left != right)
		return -1;
	return left + is_black(node);
}

bool rb_validate(const struct rb_root *root)
{
	return is_black(root->rb_node) && black_height(root->rb_node, NULL) >= 0;
}
