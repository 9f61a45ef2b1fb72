/*
 * klist.h - a list that may be walked while nodes are added and removed (include/linux/klist.h,
 * lib/klist.c).
 *
 *	STITCH_DEFINE_KLIST(devices, device_get, device_put);
 *	stitch_klist_iter_init(&devices, &iter);
 *	while ((node = stitch_klist_next(&iter)))
 *		...			any thread, this one too, may add and delete meanwhile
 *	stitch_klist_iter_exit(&iter);
 *
 * A node has a reference of the list's and one of each iterator that is at it. Deleted, it is
 * passed over by who comes now, but stays where it is until those at it have gone on. Only then
 * it leaves the list, and put is called. get and put (either may be NULL) are for a count of
 * references of the structure that the node lies in; they are called without the lock, and may use
 * this list.
 *
 * Each list has a spin lock of its own, held for a constant number of steps (a walk over nodes
 * that are deleted counts them), or uses a mutex that it is given: where threads have real-time
 * priorities one that inherits them, for who spins does not let the holder run. Any thread may
 * call; not in signal handlers; nothing is allocated. In a child of fork a list is usable if no
 * other thread was in one of these functions.
 *
 * Each function is the kernel's of the same name without stitch_.
 *
 * Invariants (stitch_klist_validate): k_list is a good list of the nodes with n_ref > 0; these
 * and no others have n_klist set to it; n_ref is the number of iterators at it, and 1 more if it
 * is not n_dead.
 */
#ifndef STITCH_KLIST_H
#define STITCH_KLIST_H

#include <pthread.h>
#include <sched.h>

#include "stitch/list.h"

struct stitch_klist;

/* Kernel: struct klist_node, struct klist. Nobody's but the functions'. */
struct stitch_klist_node {
	struct stitch_klist *n_klist;
	struct stitch_list_head n_node;
	unsigned int n_ref;
	bool n_dead;
};

struct stitch_klist {
	struct stitch_list_head k_list, k_waiters;
	pthread_mutex_t *k_mutex; /* NULL: k_locked */
	bool k_locked;
	void (*get)(struct stitch_klist_node *node);
	void (*put)(struct stitch_klist_node *node);
};

/* NULL: before the first, or after the end. Kernel: struct klist_iter. */
struct stitch_klist_iter {
	struct stitch_klist *i_klist;
	struct stitch_klist_node *i_cur;
};

/* Kernel: KLIST_INIT, DEFINE_KLIST. */
#define STITCH_KLIST_INIT(name, get, put) \
	{ \
		STITCH_LIST_HEAD_INIT((name).k_list), STITCH_LIST_HEAD_INIT((name).k_waiters), \
		NULL, false, (get), (put) \
	}
#define STITCH_DEFINE_KLIST(name, get, put) \
	struct stitch_klist name = STITCH_KLIST_INIT(name, get, put)

/* mutex: protects the list instead of its own lock; NULL: none. Not of the kernel. */
static inline void stitch_klist_init_mutex(struct stitch_klist *list, pthread_mutex_t *mutex,
					   void (*get)(struct stitch_klist_node *node),
					   void (*put)(struct stitch_klist_node *node))
{
	stitch_init_list_head(&list->k_list);
	stitch_init_list_head(&list->k_waiters);
	list->k_mutex = mutex;
	list->k_locked = false;
	list->get = get;
	list->put = put;
}

static inline void stitch_klist_init(struct stitch_klist *list,
				     void (*get)(struct stitch_klist_node *node),
				     void (*put)(struct stitch_klist_node *node))
{
	stitch_klist_init_mutex(list, NULL, get, put);
}

/*
 * --- within ------------------------------------------------------------------------------------
 */

/* Who waits in klist_remove; on its stack, and on k_waiters. */
struct stitch_klist_waiter {
	struct stitch_list_head list;
	struct stitch_klist_node *node;
	bool woken; /* mutex */
	pthread_mutex_t mutex;
	pthread_cond_t condition;
};

static inline void stitch_klist_lock(struct stitch_klist *list)
{
	unsigned int nr_spins = 0;

	if (list->k_mutex) {
		pthread_mutex_lock(list->k_mutex);
		return;
	}
	while (__atomic_exchange_n(&list->k_locked, true, __ATOMIC_ACQUIRE))
		while (__atomic_load_n(&list->k_locked, __ATOMIC_RELAXED))
			if (++nr_spins % 128 == 0) /* its holder may have no processor */
				sched_yield();
}

static inline void stitch_klist_unlock(struct stitch_klist *list)
{
	if (list->k_mutex)
		pthread_mutex_unlock(list->k_mutex);
	else
		__atomic_store_n(&list->k_locked, false, __ATOMIC_RELEASE);
}

/*
 * A reference goes, with the lock held. True if it was the last: the node is off the list, and
 * those that wait for that are moved to `waiters`. Then stitch_klist_released() without the lock.
 */
static inline bool stitch_klist_drop_locked(struct stitch_klist_node *node,
					    struct stitch_list_head *waiters)
{
	struct stitch_klist_waiter *waiter, *next;

	if (--node->n_ref)
		return false;
	stitch_list_for_each_entry_safe(waiter, next, &node->n_klist->k_waiters, list)
		if (waiter->node == node)
			stitch_list_move_tail(&waiter->list, waiters);
	stitch_list_del_init(&node->n_node);
	__atomic_store_n(&node->n_klist, (struct stitch_klist *)NULL, __ATOMIC_RELEASE);
	return true;
}

/* put may free the node; a waiter's stack goes when it is woken. */
static inline void stitch_klist_released(const struct stitch_klist *list,
					 struct stitch_klist_node *node,
					 struct stitch_list_head *waiters)
{
	struct stitch_klist_waiter *waiter, *next;

	if (list->put)
		list->put(node);
	stitch_list_for_each_entry_safe(waiter, next, waiters, list) {
		pthread_mutex_lock(&waiter->mutex);
		waiter->woken = true;
		pthread_cond_signal(&waiter->condition);
		pthread_mutex_unlock(&waiter->mutex);
	}
}

static inline void stitch_klist_node_init(struct stitch_klist *list,
					  struct stitch_klist_node *node)
{
	stitch_init_list_head(&node->n_node);
	node->n_ref = 1;
	node->n_dead = false;
	node->n_klist = list;
	if (list->get)
		list->get(node);
}

/* The list's reference goes, with the lock held, if it has not gone yet; as drop_locked. */
static inline bool stitch_klist_kill_locked(struct stitch_klist_node *node,
					    struct stitch_list_head *waiters)
{
	if (node->n_dead)
		return false;
	node->n_dead = true;
	return stitch_klist_drop_locked(node, waiters);
}

/*
 * --- nodes -------------------------------------------------------------------------------------
 */

/* node: on no list; get is called. At the end, at the beginning. */
static inline void stitch_klist_add_tail(struct stitch_klist_node *node, struct stitch_klist *list)
{
	stitch_klist_node_init(list, node);
	stitch_klist_lock(list);
	stitch_list_add_tail(&node->n_node, &list->k_list);
	stitch_klist_unlock(list);
}

static inline void stitch_klist_add_head(struct stitch_klist_node *node, struct stitch_klist *list)
{
	stitch_klist_node_init(list, node);
	stitch_klist_lock(list);
	stitch_list_add(&node->n_node, &list->k_list);
	stitch_klist_unlock(list);
}

/* Beside pos, which is on a list, and which the caller keeps there. */
static inline void stitch_klist_add_behind(struct stitch_klist_node *node,
					   struct stitch_klist_node *pos)
{
	struct stitch_klist *list = pos->n_klist;

	stitch_klist_node_init(list, node);
	stitch_klist_lock(list);
	stitch_list_add(&node->n_node, &pos->n_node);
	stitch_klist_unlock(list);
}

static inline void stitch_klist_add_before(struct stitch_klist_node *node,
					   struct stitch_klist_node *pos)
{
	struct stitch_klist *list = pos->n_klist;

	stitch_klist_node_init(list, node);
	stitch_klist_lock(list);
	stitch_list_add_tail(&node->n_node, &pos->n_node);
	stitch_klist_unlock(list);
}

/*
 * The node is deleted: no walk comes to it any more. It leaves the list, and put is called (by this
 * call, or by an iterator's), when no iterator is at it. Nothing, where the node is deleted already
 * but still there (the kernel warns).
 */
static inline void stitch_klist_del(struct stitch_klist_node *node)
{
	struct stitch_klist *list = node->n_klist;
	STITCH_LIST_HEAD(waiters);
	bool gone;

	stitch_klist_lock(list);
	gone = stitch_klist_kill_locked(node, &waiters);
	stitch_klist_unlock(list);
	if (gone)
		stitch_klist_released(list, node, &waiters);
}

/*
 * As del, and waits until the node has left the list and put has returned (the kernel does not wait
 * for that). For ever if the caller has an iterator at it. Not a cancellation point.
 */
static inline void stitch_klist_remove(struct stitch_klist_node *node)
{
	struct stitch_klist *list = node->n_klist;
	struct stitch_klist_waiter waiter;
	STITCH_LIST_HEAD(waiters);
	int cancel_state;

	stitch_klist_lock(list);
	if (stitch_klist_kill_locked(node, &waiters)) {
		stitch_klist_unlock(list);
		stitch_klist_released(list, node, &waiters);
		return;
	}
	/* The list has the address of our stack until we are woken. */
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancel_state);
	waiter.node = node;
	waiter.woken = false;
	pthread_mutex_init(&waiter.mutex, NULL);
	pthread_cond_init(&waiter.condition, NULL);
	stitch_list_add_tail(&waiter.list, &list->k_waiters);
	stitch_klist_unlock(list);
	pthread_mutex_lock(&waiter.mutex);
	while (!waiter.woken)
		pthread_cond_wait(&waiter.condition, &waiter.mutex);
	pthread_mutex_unlock(&waiter.mutex);
	pthread_cond_destroy(&waiter.condition);
	pthread_mutex_destroy(&waiter.mutex);
	pthread_setcancelstate(cancel_state, NULL);
}

/*
 * The node is on a list, deleted or not. false: put may not have been called yet. The node was on a
 * list once, or is zero.
 */
static inline bool stitch_klist_node_attached(const struct stitch_klist_node *node)
{
	return __atomic_load_n(&node->n_klist, __ATOMIC_ACQUIRE) != NULL;
}

/*
 * --- walks -------------------------------------------------------------------------------------
 *
 * An iterator is one thread's. Whoever has begun one ends it by iter_exit; not needed when next or
 * prev has returned NULL.
 */

/* To begin behind `node` (or, for prev, before it), which becomes held, if it is on the list. */
static inline void stitch_klist_iter_init_node(struct stitch_klist *list,
					       struct stitch_klist_iter *iter,
					       struct stitch_klist_node *node)
{
	iter->i_klist = list;
	iter->i_cur = NULL;
	if (!node)
		return;
	stitch_klist_lock(list);
	if (node->n_klist == list) {
		node->n_ref++;
		iter->i_cur = node;
	}
	stitch_klist_unlock(list);
}

/* To begin at the first (for prev, at the last). */
static inline void stitch_klist_iter_init(struct stitch_klist *list,
					  struct stitch_klist_iter *iter)
{
	stitch_klist_iter_init_node(list, iter, NULL);
}

/* The next node that is not deleted, forwards or backwards. What it was at is held no more. */
static inline struct stitch_klist_node *stitch_klist_step(struct stitch_klist_iter *iter,
							  bool forwards)
{
	struct stitch_klist *list = iter->i_klist;
	struct stitch_klist_node *last = iter->i_cur, *found = NULL, *node;
	struct stitch_list_head *at = last ? &last->n_node : &list->k_list;
	STITCH_LIST_HEAD(waiters);
	bool gone;

	stitch_klist_lock(list);
	while (!found && (at = forwards ? at->next : at->prev) != &list->k_list) {
		node = stitch_list_entry(at, struct stitch_klist_node, n_node);
		if (!node->n_dead)
			found = node;
	}
	if (found)
		found->n_ref++;
	gone = last && stitch_klist_drop_locked(last, &waiters);
	stitch_klist_unlock(list);
	iter->i_cur = found;
	if (gone)
		stitch_klist_released(list, last, &waiters);
	return found;
}

/* NULL at the end; then the next one is the first again. */
static inline struct stitch_klist_node *stitch_klist_next(struct stitch_klist_iter *iter)
{
	return stitch_klist_step(iter, true);
}

static inline struct stitch_klist_node *stitch_klist_prev(struct stitch_klist_iter *iter)
{
	return stitch_klist_step(iter, false);
}

/* The iterator holds no node any more; put may be called. */
static inline void stitch_klist_iter_exit(struct stitch_klist_iter *iter)
{
	struct stitch_klist *list = iter->i_klist;
	struct stitch_klist_node *node = iter->i_cur;
	STITCH_LIST_HEAD(waiters);
	bool gone;

	if (!node)
		return;
	iter->i_cur = NULL;
	stitch_klist_lock(list);
	gone = stitch_klist_drop_locked(node, &waiters);
	stitch_klist_unlock(list);
	if (gone)
		stitch_klist_released(list, node, &waiters);
}

/* The invariants hold: looks at each node. Not of the kernel. */
static inline bool stitch_klist_validate(struct stitch_klist *list)
{
	struct stitch_klist_node *node;
	bool good;

	stitch_klist_lock(list);
	good = stitch_list_validate(&list->k_list) && stitch_list_validate(&list->k_waiters);
	if (good)
		stitch_list_for_each_entry(node, &list->k_list, n_node)
			good = good && node->n_klist == list && node->n_ref;
	stitch_klist_unlock(list);
	return good;
}

#endif
