/*
 * list.h - the kernel's circular, doubly linked, intrusive list (include/linux/list.h).
 *
 *	struct job { int number; struct stitch_list_head link; };
 *	STITCH_LIST_HEAD(jobs);
 *	stitch_list_add_tail(&job->link, &jobs);
 *	stitch_list_for_each_entry(job, &jobs, link) ...
 *
 * The caller owns the nodes, which lie in structures of its own; a head is a node without such a
 * structure. Nothing here allocates, locks, calls anything or has state of its own: all of it may
 * be called anywhere, in signal handlers too, while nobody else changes the list. Any number of
 * threads may walk a list that nobody changes; stitch_list_empty() alone may be asked while
 * another thread changes it (the answer is of some moment). Every function takes a constant
 * number of steps unless it says otherwise. Macros evaluate what they are given several times.
 *
 * Each function is the kernel's of the same name without stitch_.
 *
 * Invariant (stitch_list_validate): n->next->prev == n and n->prev->next == n for every node and
 * head. A node that is on no list is either that, alone (init, del_init), or stale.
 */
#ifndef STITCH_LIST_H
#define STITCH_LIST_H

#include <stdbool.h>

#include "stitch/container_of.h"

/* A node, or a head. Kernel: struct list_head. */
struct stitch_list_head {
	struct stitch_list_head *next, *prev;
};

/* What the links of a deleted node point to: no address that a program can have. */
#define STITCH_LIST_POISON1 ((struct stitch_list_head *)0xdead000000000100u)
#define STITCH_LIST_POISON2 ((struct stitch_list_head *)0xdead000000000122u)

/* Initialiser of an empty list; definition of one. Kernel: LIST_HEAD_INIT, LIST_HEAD. */
#define STITCH_LIST_HEAD_INIT(name) { &(name), &(name) }
#define STITCH_LIST_HEAD(name) struct stitch_list_head name = STITCH_LIST_HEAD_INIT(name)

/* One access of a link: not torn nor repeated, and no data race with another. Orders nothing. */
#define STITCH_LIST_READ(link) __atomic_load_n(&(link), __ATOMIC_RELAXED)
#define STITCH_LIST_WRITE(link, node) __atomic_store_n(&(link), (node), __ATOMIC_RELAXED)

/*
 * --- one node ----------------------------------------------------------------------------------
 */

/* An empty list; or a node that is on no list and says so. Kernel: INIT_LIST_HEAD. */
static inline void stitch_init_list_head(struct stitch_list_head *head)
{
	STITCH_LIST_WRITE(head->next, head);
	head->prev = head;
}

/* The two neighbours, which must be neighbours, get the node between them. Kernel: __list_add. */
static inline void stitch_list_add_between(struct stitch_list_head *node,
					   struct stitch_list_head *prev,
					   struct stitch_list_head *next)
{
	next->prev = node;
	node->next = next;
	node->prev = prev;
	STITCH_LIST_WRITE(prev->next, node);
}

/* Behind `head`, which may be any node: a stack when it is the head. */
static inline void stitch_list_add(struct stitch_list_head *node, struct stitch_list_head *head)
{
	stitch_list_add_between(node, head, head->next);
}

/* Before `head`, which may be any node: a queue when it is the head. */
static inline void stitch_list_add_tail(struct stitch_list_head *node,
					struct stitch_list_head *head)
{
	stitch_list_add_between(node, head->prev, head);
}

/* What is between the two leaves the list. Kernel: __list_del. */
static inline void stitch_list_join(struct stitch_list_head *prev, struct stitch_list_head *next)
{
	next->prev = prev;
	STITCH_LIST_WRITE(prev->next, next);
}

/* The node leaves its list; its own links are left stale. Kernel: __list_del_entry. */
static inline void stitch_list_del_entry(struct stitch_list_head *node)
{
	stitch_list_join(node->prev, node->next);
}

/* The node leaves its list; its links are poisoned, so that using them faults. */
static inline void stitch_list_del(struct stitch_list_head *node)
{
	stitch_list_del_entry(node);
	node->next = STITCH_LIST_POISON1;
	node->prev = STITCH_LIST_POISON2;
}

/* The node leaves its list, if it is on one, and is alone: stitch_list_empty(node) from now on. */
static inline void stitch_list_del_init(struct stitch_list_head *node)
{
	stitch_list_del_entry(node);
	stitch_init_list_head(node);
}

/*
 * As del_init, for a node that another thread watches with stitch_list_empty_careful(): who sees it
 * alone sees also what was written before.
 */
static inline void stitch_list_del_init_careful(struct stitch_list_head *node)
{
	stitch_list_del_entry(node);
	STITCH_LIST_WRITE(node->prev, node);
	__atomic_store_n(&node->next, node, __ATOMIC_RELEASE);
}

/* `node`, which is on no list, takes the place of `old`, whose links are left stale. */
static inline void stitch_list_replace(struct stitch_list_head *old,
				       struct stitch_list_head *node)
{
	node->next = old->next;
	node->next->prev = node;
	node->prev = old->prev;
	STITCH_LIST_WRITE(node->prev->next, node);
}

/* As replace; `old` is alone afterwards. An empty head may be replaced. */
static inline void stitch_list_replace_init(struct stitch_list_head *old,
					    struct stitch_list_head *node)
{
	stitch_list_replace(old, node);
	stitch_init_list_head(old);
}

/* Two different nodes, of one list or of two, change places. */
static inline void stitch_list_swap(struct stitch_list_head *a, struct stitch_list_head *b)
{
	struct stitch_list_head *place = b->prev;

	stitch_list_del_entry(b);
	stitch_list_replace(a, b);
	stitch_list_add(a, place == a ? b : place);
}

/* From its list to behind (move_tail: before) `head`, a node or head of this or another list. */
static inline void stitch_list_move(struct stitch_list_head *node, struct stitch_list_head *head)
{
	stitch_list_del_entry(node);
	stitch_list_add(node, head);
}

static inline void stitch_list_move_tail(struct stitch_list_head *node,
					 struct stitch_list_head *head)
{
	stitch_list_del_entry(node);
	stitch_list_add_tail(node, head);
}

/*
 * --- questions ---------------------------------------------------------------------------------
 */

/* True also of a node that is alone. */
static inline bool stitch_list_empty(const struct stitch_list_head *head)
{
	return STITCH_LIST_READ(head->next) == head;
}

/* As empty, while the only thing that another thread may do is stitch_list_del_init_careful(). */
static inline bool stitch_list_empty_careful(const struct stitch_list_head *head)
{
	const struct stitch_list_head *next = __atomic_load_n(&head->next, __ATOMIC_ACQUIRE);

	return next == head && STITCH_LIST_READ(head->prev) == head;
}

/* The list has one node. */
static inline bool stitch_list_is_singular(const struct stitch_list_head *head)
{
	return !stitch_list_empty(head) && head->next == head->prev;
}

static inline bool stitch_list_is_first(const struct stitch_list_head *node,
					const struct stitch_list_head *head)
{
	return node->prev == head;
}

static inline bool stitch_list_is_last(const struct stitch_list_head *node,
				       const struct stitch_list_head *head)
{
	return node->next == head;
}

static inline bool stitch_list_is_head(const struct stitch_list_head *node,
				       const struct stitch_list_head *head)
{
	return node == head;
}

/* How many nodes the list has: it counts them. */
static inline size_t stitch_list_count_nodes(const struct stitch_list_head *head)
{
	size_t nr_nodes = 0;

	for (const struct stitch_list_head *node = head->next; node != head; node = node->next)
		nr_nodes++;
	return nr_nodes;
}

/*
 * The invariant holds for the head and all nodes: looks at each. It ends whatever the links are,
 * as long as they lead to nodes. Not of the kernel (CONFIG_DEBUG_LIST checks single nodes).
 */
static inline bool stitch_list_validate(const struct stitch_list_head *head)
{
	const struct stitch_list_head *node = head;

	do {
		if (!node->next || node->next->prev != node)
			return false;
		node = node->next;
	} while (node != head);
	return true;
}

/*
 * --- many nodes --------------------------------------------------------------------------------
 */

/* The nodes from first to last, neighbours in one list, go before `head`, in their order. */
static inline void stitch_list_bulk_move_tail(struct stitch_list_head *head,
					      struct stitch_list_head *first,
					      struct stitch_list_head *last)
{
	stitch_list_join(first->prev, last->next);
	first->prev = head->prev;
	STITCH_LIST_WRITE(head->prev->next, first);
	last->next = head;
	head->prev = last;
}

/* The first node becomes the last. An empty list stays so. */
static inline void stitch_list_rotate_left(struct stitch_list_head *head)
{
	if (!stitch_list_empty(head))
		stitch_list_move_tail(head->next, head);
}

/* `node` becomes the first, those that were before it the last; all keep their neighbours. */
static inline void stitch_list_rotate_to_front(struct stitch_list_head *node,
					       struct stitch_list_head *head)
{
	stitch_list_move_tail(head, node);
}

/*
 * The nodes from the first to `node` become the list `list`, whose own nodes, if any, are lost.
 * `node` may be the head: then `list` is empty.
 */
static inline void stitch_list_cut_position(struct stitch_list_head *list,
					    struct stitch_list_head *head,
					    struct stitch_list_head *node)
{
	if (node == head) {
		stitch_init_list_head(list);
		return;
	}
	list->next = head->next;
	list->next->prev = list;
	stitch_list_join(head, node->next);
	list->prev = node;
	node->next = list;
}

/* As cut_position, without `node` itself; all nodes when it is the head. */
static inline void stitch_list_cut_before(struct stitch_list_head *list,
					  struct stitch_list_head *head,
					  struct stitch_list_head *node)
{
	stitch_list_cut_position(list, head, node->prev);
}

/* The nodes of `list`, not empty, between two neighbours. Kernel: __list_splice. */
static inline void stitch_list_splice_between(const struct stitch_list_head *list,
					      struct stitch_list_head *prev,
					      struct stitch_list_head *next)
{
	list->next->prev = prev;
	list->prev->next = next;
	next->prev = list->prev;
	STITCH_LIST_WRITE(prev->next, list->next);
}

/*
 * All nodes of `list` go behind `head` (tail: before it), in their order. The head `list` is left
 * stale; by those with init it is an empty list afterwards.
 */
static inline void stitch_list_splice(const struct stitch_list_head *list,
				      struct stitch_list_head *head)
{
	if (!stitch_list_empty(list))
		stitch_list_splice_between(list, head, head->next);
}

static inline void stitch_list_splice_tail(const struct stitch_list_head *list,
					   struct stitch_list_head *head)
{
	if (!stitch_list_empty(list))
		stitch_list_splice_between(list, head->prev, head);
}

static inline void stitch_list_splice_init(struct stitch_list_head *list,
					   struct stitch_list_head *head)
{
	stitch_list_splice(list, head);
	stitch_init_list_head(list);
}

static inline void stitch_list_splice_tail_init(struct stitch_list_head *list,
						struct stitch_list_head *head)
{
	stitch_list_splice_tail(list, head);
	stitch_init_list_head(list);
}

/*
 * --- from nodes to what they lie in ------------------------------------------------------------
 *
 * type: of the structure; member: its stitch_list_head; pos: a `type *`. What next_entry and its
 * like return behind the last node is no structure: stitch_list_entry_is_head() tells.
 */
#define stitch_list_entry(ptr, type, member) stitch_container_of(ptr, type, member)
/* Of a head, too, which lies in no structure, and not where such a structure may be aligned. */
#define STITCH_LIST_LINK(pos, member) \
	((struct stitch_list_head *)((uintptr_t)(pos) + offsetof(__typeof__(*(pos)), member)))
#define stitch_list_first_entry(head, type, member) \
	stitch_list_entry((head)->next, type, member)
#define stitch_list_last_entry(head, type, member) stitch_list_entry((head)->prev, type, member)
#define stitch_list_next_entry(pos, member) \
	stitch_list_entry(STITCH_LIST_LINK(pos, member)->next, __typeof__(*(pos)), member)
#define stitch_list_prev_entry(pos, member) \
	stitch_list_entry(STITCH_LIST_LINK(pos, member)->prev, __typeof__(*(pos)), member)
#define stitch_list_entry_is_head(pos, head, member) (STITCH_LIST_LINK(pos, member) == (head))

/* NULL when the list is empty; the link is read once. */
#define STITCH_LIST_ENTRY_OR_NULL(head, link, type, member) \
	__extension__({ \
		const struct stitch_list_head *stitch_head_ = (head); \
		struct stitch_list_head *stitch_node_ = STITCH_LIST_READ(stitch_head_->link); \
		stitch_node_ == stitch_head_ ? (type *)0 : \
					       stitch_list_entry(stitch_node_, type, member); \
	})
#define stitch_list_first_entry_or_null(head, type, member) \
	STITCH_LIST_ENTRY_OR_NULL(head, next, type, member)
#define stitch_list_last_entry_or_null(head, type, member) \
	STITCH_LIST_ENTRY_OR_NULL(head, prev, type, member)

/* After the last comes the first, and the other way round. */
#define stitch_list_next_entry_circular(pos, head, member) \
	(stitch_list_is_last(&(pos)->member, head) ? \
		 stitch_list_first_entry(head, __typeof__(*(pos)), member) : \
		 stitch_list_next_entry(pos, member))
#define stitch_list_prev_entry_circular(pos, head, member) \
	(stitch_list_is_first(&(pos)->member, head) ? \
		 stitch_list_last_entry(head, __typeof__(*(pos)), member) : \
		 stitch_list_prev_entry(pos, member))

/*
 * --- walks -------------------------------------------------------------------------------------
 *
 * Each is a for statement whose variable the caller has declared. In those with `safe` the body
 * may delete the node that it is at (tmp has the next). After the end pos is the head, or the
 * structure that it would lie in. continue: starts behind pos; from: at pos.
 */
#define stitch_list_for_each(pos, head) \
	for (pos = (head)->next; pos != (head); pos = pos->next)
#define stitch_list_for_each_continue(pos, head) \
	for (pos = pos->next; pos != (head); pos = pos->next)
#define stitch_list_for_each_prev(pos, head) \
	for (pos = (head)->prev; pos != (head); pos = pos->prev)
#define stitch_list_for_each_safe(pos, tmp, head) \
	for (pos = (head)->next, tmp = pos->next; pos != (head); pos = tmp, tmp = pos->next)
#define stitch_list_for_each_prev_safe(pos, tmp, head) \
	for (pos = (head)->prev, tmp = pos->prev; pos != (head); pos = tmp, tmp = pos->prev)

#define stitch_list_for_each_entry(pos, head, member) \
	for (pos = stitch_list_first_entry(head, __typeof__(*pos), member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_next_entry(pos, member))
#define stitch_list_for_each_entry_reverse(pos, head, member) \
	for (pos = stitch_list_last_entry(head, __typeof__(*pos), member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_prev_entry(pos, member))

/* For continue: pos, or the head if pos is NULL. */
#define stitch_list_prepare_entry(pos, head, member) \
	((pos) ? (pos) : stitch_list_entry(head, __typeof__(*(pos)), member))
#define stitch_list_for_each_entry_continue(pos, head, member) \
	for (pos = stitch_list_next_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_next_entry(pos, member))
#define stitch_list_for_each_entry_continue_reverse(pos, head, member) \
	for (pos = stitch_list_prev_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_prev_entry(pos, member))
#define stitch_list_for_each_entry_from(pos, head, member) \
	for (; !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_next_entry(pos, member))
#define stitch_list_for_each_entry_from_reverse(pos, head, member) \
	for (; !stitch_list_entry_is_head(pos, head, member); \
	     pos = stitch_list_prev_entry(pos, member))

#define stitch_list_for_each_entry_safe(pos, tmp, head, member) \
	for (pos = stitch_list_first_entry(head, __typeof__(*pos), member), \
	    tmp = stitch_list_next_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = tmp, tmp = stitch_list_next_entry(tmp, member))
#define stitch_list_for_each_entry_safe_continue(pos, tmp, head, member) \
	for (pos = stitch_list_next_entry(pos, member), \
	    tmp = stitch_list_next_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = tmp, tmp = stitch_list_next_entry(tmp, member))
#define stitch_list_for_each_entry_safe_from(pos, tmp, head, member) \
	for (tmp = stitch_list_next_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = tmp, tmp = stitch_list_next_entry(tmp, member))
#define stitch_list_for_each_entry_safe_reverse(pos, tmp, head, member) \
	for (pos = stitch_list_last_entry(head, __typeof__(*pos), member), \
	    tmp = stitch_list_prev_entry(pos, member); \
	     !stitch_list_entry_is_head(pos, head, member); \
	     pos = tmp, tmp = stitch_list_prev_entry(tmp, member))
/* Amid entry_safe: tmp is what is behind pos now, after the body has changed that. */
#define stitch_list_safe_reset_next(pos, tmp, member) \
	(tmp = stitch_list_next_entry(pos, member))

#endif
