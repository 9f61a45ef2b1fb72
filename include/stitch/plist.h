/*
 * plist.h - the kernel's list sorted by priority (include/linux/plist.h, lib/plist.c).
 *
 * Lower numbers come first, of the same priority who was added first. For few priorities and
 * many nodes: to add takes as many steps as there are different priorities before it, everything
 * else a constant number. The caller owns the nodes, which lie in structures of its own. Nothing
 * here allocates, locks, calls anything or has state of its own: all of it may be called anywhere,
 * in signal handlers too, while nobody else changes the list.
 *
 * Each function is the kernel's of the same name without stitch_.
 *
 *	head -- 10 -- 10 -- 10 -- 20 -- 30 -- 30 -- head		node_list
 *		 |------------------|-----|------ back to the first	prio_list
 *
 * Invariants (stitch_plist_validate): along node_list priorities never go down; the first node of
 * each priority, and no other, is on the ring prio_list, in the same order; the prio_list of all
 * others is empty.
 */
#ifndef STITCH_PLIST_H
#define STITCH_PLIST_H

#include "stitch/list.h"

/* Kernel: struct plist_head, struct plist_node. */
struct stitch_plist_head {
	struct stitch_list_head node_list;
};

struct stitch_plist_node {
	int prio; /* may change while the node is on no list */
	struct stitch_list_head prio_list, node_list;
};

/* Initialisers, definition. Kernel: PLIST_HEAD_INIT, PLIST_HEAD, PLIST_NODE_INIT. */
#define STITCH_PLIST_HEAD_INIT(name) { STITCH_LIST_HEAD_INIT((name).node_list) }
#define STITCH_PLIST_HEAD(name) struct stitch_plist_head name = STITCH_PLIST_HEAD_INIT(name)
#define STITCH_PLIST_NODE_INIT(name, priority) \
	{ \
		(priority), STITCH_LIST_HEAD_INIT((name).prio_list), \
		STITCH_LIST_HEAD_INIT((name).node_list) \
	}

static inline void stitch_plist_head_init(struct stitch_plist_head *head)
{
	stitch_init_list_head(&head->node_list);
}

static inline void stitch_plist_node_init(struct stitch_plist_node *node, int prio)
{
	node->prio = prio;
	stitch_init_list_head(&node->prio_list);
	stitch_init_list_head(&node->node_list);
}

static inline bool stitch_plist_head_empty(const struct stitch_plist_head *head)
{
	return stitch_list_empty(&head->node_list);
}

/* The node is on no list. */
static inline bool stitch_plist_node_empty(const struct stitch_plist_node *node)
{
	return stitch_list_empty(&node->node_list);
}

/* The structures of nodes; type, member: what they lie in. The list may not be empty. */
#define STITCH_PLIST_NODE_OF(link, which) \
	stitch_container_of(link, struct stitch_plist_node, which)

static inline struct stitch_plist_node *stitch_plist_first(const struct stitch_plist_head *head)
{
	return STITCH_PLIST_NODE_OF(head->node_list.next, node_list);
}

static inline struct stitch_plist_node *stitch_plist_last(const struct stitch_plist_head *head)
{
	return STITCH_PLIST_NODE_OF(head->node_list.prev, node_list);
}

#define stitch_plist_first_entry(head, type, member) \
	stitch_container_of(stitch_plist_first(head), type, member)
#define stitch_plist_last_entry(head, type, member) \
	stitch_container_of(stitch_plist_last(head), type, member)

/* The neighbours of a node, where it has them. */
#define stitch_plist_next(pos) stitch_list_next_entry(pos, node_list)
#define stitch_plist_prev(pos) stitch_list_prev_entry(pos, node_list)

/* The first node of the next priority; after the last one that of the first. */
static inline struct stitch_plist_node *stitch_plist_next_prio(const struct stitch_plist_node *node)
{
	return STITCH_PLIST_NODE_OF(node->prio_list.next, prio_list);
}

/* node: on no list, as init and del leave it. It goes behind those of its priority. */
static inline void stitch_plist_add(struct stitch_plist_node *node, struct stitch_plist_head *head)
{
	struct stitch_plist_node *first, *before = NULL, *at;
	struct stitch_list_head *next = &head->node_list; /* what it goes before */

	if (stitch_plist_head_empty(head)) {
		stitch_list_add_tail(&node->node_list, next);
		return;
	}
	first = at = stitch_plist_first(head);
	do { /* from priority to priority */
		if (at->prio > node->prio) {
			next = &at->node_list;
			break;
		}
		before = at;
		at = stitch_plist_next_prio(at);
	} while (at != first);
	/* The ring has no head: before the first is behind the last. */
	if (!before || before->prio != node->prio)
		stitch_list_add_tail(&node->prio_list, &at->prio_list);
	stitch_list_add_tail(&node->node_list, next);
}

/* The node, which is on `head`, leaves it. A next one of its priority stands for it in the ring. */
static inline void stitch_plist_del(struct stitch_plist_node *node, struct stitch_plist_head *head)
{
	struct stitch_plist_node *next = stitch_plist_next(node);

	/* On no ring yet: so it is of the same priority. */
	if (!stitch_list_is_last(&node->node_list, &head->node_list) &&
	    stitch_list_empty(&next->prio_list))
		stitch_list_add(&next->prio_list, &node->prio_list);
	stitch_list_del_init(&node->prio_list);
	stitch_list_del_init(&node->node_list);
}

/* The node, which is on `head`, goes behind all of its priority. */
static inline void stitch_plist_requeue(struct stitch_plist_node *node,
					struct stitch_plist_head *head)
{
	stitch_plist_del(node, head);
	stitch_plist_add(node, head);
}

/* The invariants hold: looks at each node. Kernel: plist_check_head (CONFIG_DEBUG_PLIST). */
static inline bool stitch_plist_validate(const struct stitch_plist_head *head)
{
	const struct stitch_list_head *link = &head->node_list, *end = link;
	const struct stitch_plist_node *first = NULL, *leader = NULL;

	if (!stitch_list_validate(end))
		return false;
	while ((link = link->next) != end) {
		const struct stitch_plist_node *node = STITCH_PLIST_NODE_OF(link, node_list);

		if (leader && node->prio < leader->prio)
			return false;
		if (leader && node->prio == leader->prio) {
			if (!stitch_list_empty(&node->prio_list) ||
			    node->prio_list.prev != &node->prio_list)
				return false;
			continue;
		}
		if (leader && (leader->prio_list.next != &node->prio_list ||
			       node->prio_list.prev != &leader->prio_list))
			return false;
		if (!first)
			first = node;
		leader = node;
	}
	return !first || (leader->prio_list.next == &first->prio_list &&
			  first->prio_list.prev == &leader->prio_list);
}

/*
 * Walks in the order of priority, as those of stitch/list.h. Without entry pos and tmp are
 * stitch_plist_node *, with it pointers to the structure of which `member` is the node.
 */
#define stitch_plist_for_each(pos, head) \
	stitch_list_for_each_entry(pos, &(head)->node_list, node_list)
#define stitch_plist_for_each_continue(pos, head) \
	stitch_list_for_each_entry_continue(pos, &(head)->node_list, node_list)
#define stitch_plist_for_each_safe(pos, tmp, head) \
	stitch_list_for_each_entry_safe(pos, tmp, &(head)->node_list, node_list)
#define stitch_plist_for_each_entry(pos, head, member) \
	stitch_list_for_each_entry(pos, &(head)->node_list, member.node_list)
#define stitch_plist_for_each_entry_continue(pos, head, member) \
	stitch_list_for_each_entry_continue(pos, &(head)->node_list, member.node_list)
#define stitch_plist_for_each_entry_safe(pos, tmp, head, member) \
	stitch_list_for_each_entry_safe(pos, tmp, &(head)->node_list, member.node_list)

#endif
