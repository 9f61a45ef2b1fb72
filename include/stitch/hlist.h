/*
 * hlist.h - the kernel's list with a head of one pointer, for the buckets of hash tables
 * (include/linux/list.h).
 *
 * The caller owns the nodes, which lie in structures of its own. Nothing here allocates, locks,
 * calls anything or has state of its own: all of it may be called anywhere, in signal handlers
 * too, while nobody else changes the list. Every function takes a constant number of steps unless
 * it says otherwise; there is no way to the last node but a walk. Macros evaluate what they are
 * given several times. Each function is the kernel's of the same name without stitch_.
 *
 * Invariant (stitch_hlist_validate): *n->pprev == n for every node on a list; the last one's next
 * is NULL. pprev is NULL in a node that is on no list and says so (init, del_init), and stale in
 * one that was deleted.
 */
#ifndef STITCH_HLIST_H
#define STITCH_HLIST_H

#include <stdbool.h>

#include "stitch/container_of.h"

/* pprev: the pointer that points to this node. Kernel: struct hlist_node. */
struct stitch_hlist_node {
	struct stitch_hlist_node *next, **pprev;
};

/* NULL: empty. Kernel: struct hlist_head. */
struct stitch_hlist_head {
	struct stitch_hlist_node *first;
};

/* What the links of a deleted node point to: no address that a program can have. */
#define STITCH_HLIST_POISON1 ((struct stitch_hlist_node *)0xdead000000000100u)
#define STITCH_HLIST_POISON2 ((struct stitch_hlist_node **)0xdead000000000122u)

/* Kernel: HLIST_HEAD_INIT, HLIST_HEAD, INIT_HLIST_HEAD, INIT_HLIST_NODE. */
#define STITCH_HLIST_HEAD_INIT { NULL }
#define STITCH_HLIST_HEAD(name) struct stitch_hlist_head name = STITCH_HLIST_HEAD_INIT

static inline void stitch_init_hlist_head(struct stitch_hlist_head *head)
{
	head->first = NULL;
}

static inline void stitch_init_hlist_node(struct stitch_hlist_node *node)
{
	node->next = NULL;
	node->pprev = NULL;
}

static inline bool stitch_hlist_empty(const struct stitch_hlist_head *head)
{
	return !__atomic_load_n(&head->first, __ATOMIC_RELAXED);
}

/* The node is on no list, as init and del_init leave it. lockless: while another thread changes. */
static inline bool stitch_hlist_unhashed(const struct stitch_hlist_node *node)
{
	return !node->pprev;
}

static inline bool stitch_hlist_unhashed_lockless(const struct stitch_hlist_node *node)
{
	return !__atomic_load_n(&node->pprev, __ATOMIC_RELAXED);
}

/* The node behind the pointer `place`, a head's or a node's. Not of the kernel. */
static inline void stitch_hlist_add_at(struct stitch_hlist_node *node,
				       struct stitch_hlist_node **place)
{
	node->next = *place;
	if (node->next)
		node->next->pprev = &node->next;
	__atomic_store_n(&node->pprev, place, __ATOMIC_RELAXED);
	__atomic_store_n(place, node, __ATOMIC_RELAXED);
}

static inline void stitch_hlist_add_head(struct stitch_hlist_node *node,
					 struct stitch_hlist_head *head)
{
	stitch_hlist_add_at(node, &head->first);
}

/* Beside `other`, which is on a list. */
static inline void stitch_hlist_add_before(struct stitch_hlist_node *node,
					   struct stitch_hlist_node *other)
{
	stitch_hlist_add_at(node, other->pprev);
}

static inline void stitch_hlist_add_behind(struct stitch_hlist_node *node,
					   struct stitch_hlist_node *other)
{
	stitch_hlist_add_at(node, &other->next);
}

/* The node leaves its list; its own links are left stale. Kernel: __hlist_del. */
static inline void stitch_hlist_del_entry(struct stitch_hlist_node *node)
{
	__atomic_store_n(node->pprev, node->next, __ATOMIC_RELAXED);
	if (node->next)
		node->next->pprev = node->pprev;
}

/* The node leaves its list; its links are poisoned, so that using them faults. */
static inline void stitch_hlist_del(struct stitch_hlist_node *node)
{
	stitch_hlist_del_entry(node);
	node->next = STITCH_HLIST_POISON1;
	node->pprev = STITCH_HLIST_POISON2;
}

/* The node leaves its list, if it is on one: stitch_hlist_unhashed(node) from now on. */
static inline void stitch_hlist_del_init(struct stitch_hlist_node *node)
{
	if (!stitch_hlist_unhashed(node)) {
		stitch_hlist_del_entry(node);
		stitch_init_hlist_node(node);
	}
}

/* On a list of its own without a head, so that del and unhashed work; whether it is so. */
static inline void stitch_hlist_add_fake(struct stitch_hlist_node *node)
{
	node->next = NULL;
	node->pprev = &node->next;
}

static inline bool stitch_hlist_fake(const struct stitch_hlist_node *node)
{
	return node->pprev == &node->next;
}

/* It is the list's only node. */
static inline bool stitch_hlist_is_singular_node(const struct stitch_hlist_node *node,
						 const struct stitch_hlist_head *head)
{
	return !node->next && node->pprev == &head->first;
}

/* The nodes of `old` become those of `head`, whose own are lost; `old` is empty. */
static inline void stitch_hlist_move_list(struct stitch_hlist_head *old,
					  struct stitch_hlist_head *head)
{
	head->first = old->first;
	if (head->first)
		head->first->pprev = &head->first;
	old->first = NULL;
}

/* All of `from`, whose last node is `last`, before those of `to`; `from` is empty. */
static inline void stitch_hlist_splice_init(struct stitch_hlist_head *from,
					    struct stitch_hlist_node *last,
					    struct stitch_hlist_head *to)
{
	last->next = to->first;
	if (last->next)
		last->next->pprev = &last->next;
	stitch_hlist_move_list(from, to);
}

/* How many nodes the list has: it counts them. */
static inline size_t stitch_hlist_count_nodes(const struct stitch_hlist_head *head)
{
	size_t nr_nodes = 0;

	for (const struct stitch_hlist_node *node = head->first; node; node = node->next)
		nr_nodes++;
	return nr_nodes;
}

/* The invariant holds for all nodes: looks at each. Not of the kernel. */
static inline bool stitch_hlist_validate(const struct stitch_hlist_head *head)
{
	struct stitch_hlist_node *const *place = &head->first;

	for (; *place; place = &(*place)->next)
		if ((*place)->pprev != place)
			return false;
	return true;
}

/*
 * --- from nodes to what they lie in, and walks ---------------------------------------------------
 *
 * type: of the structure; member: its stitch_hlist_node; pos: a `type *` that the caller has
 * declared, NULL after the end. In those with `safe` the body may delete the node that it is at;
 * tmp is a stitch_hlist_node *. continue: starts behind pos; from: at pos.
 */
#define stitch_hlist_entry(ptr, type, member) stitch_container_of(ptr, type, member)
/* NULL of NULL. */
#define stitch_hlist_entry_safe(ptr, type, member) \
	__extension__({ \
		struct stitch_hlist_node *stitch_node_ = (ptr); \
		stitch_node_ ? stitch_hlist_entry(stitch_node_, type, member) : (type *)0; \
	})

#define stitch_hlist_for_each(pos, head) for (pos = (head)->first; pos; pos = pos->next)
#define stitch_hlist_for_each_safe(pos, tmp, head) \
	for (pos = (head)->first; pos && (tmp = pos->next, true); pos = tmp)

#define stitch_hlist_for_each_entry(pos, head, member) \
	for (pos = stitch_hlist_entry_safe((head)->first, __typeof__(*pos), member); pos; \
	     pos = stitch_hlist_entry_safe(pos->member.next, __typeof__(*pos), member))
#define stitch_hlist_for_each_entry_continue(pos, member) \
	for (pos = stitch_hlist_entry_safe(pos->member.next, __typeof__(*pos), member); pos; \
	     pos = stitch_hlist_entry_safe(pos->member.next, __typeof__(*pos), member))
#define stitch_hlist_for_each_entry_from(pos, member) \
	for (; pos; pos = stitch_hlist_entry_safe(pos->member.next, __typeof__(*pos), member))
#define stitch_hlist_for_each_entry_safe(pos, tmp, head, member) \
	for (pos = stitch_hlist_entry_safe((head)->first, __typeof__(*pos), member); \
	     pos && (tmp = pos->member.next, true); \
	     pos = stitch_hlist_entry_safe(tmp, __typeof__(*pos), member))

#endif
