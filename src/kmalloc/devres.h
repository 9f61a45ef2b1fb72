/*
 * devres.h - what a device owns: one list, newest first, from which everything is released in the
 * reverse order of its acquisition.
 *
 * L6. A node and what belongs to it come from above (preload/kernel_devm.c), where they are also
 * released: nothing here allocates, frees, or calls the program.
 *
 * To add is one compare and swap at the top: in any thread, at any moment, in a signal handler that
 * has interrupted any of the functions below. Everything else is done inside the gate, holding
 * LOCK_DEVRES, one lock for all lists; nothing else is taken under it. So the child of a fork finds
 * every list whole.
 *
 * Invariants: a node's next is the one that was added before it. Only the holder of the lock takes
 * nodes off or changes one that is on a list. So a top that somebody has read and that is the top
 * once more has below it what it is to have, whatever has happened in between. A closed group has
 * its GROUP_END on the list, above its GROUP; an open one has it nowhere.
 *
 * Links lead from the list to the first byte of each node, and never back: a leak check finds all
 * that a reachable device owns, and who is lost is not held by what it had.
 *
 * Functions that take the lock return -EAGAIN where there is no entering the gate: a thread has
 * forked for a second, a signal handler has interrupted a slow path, the gate is closed for good.
 * Follows drivers/base/devres.c.
 */
#ifndef KMALLOC_DEVRES_H
#define KMALLOC_DEVRES_H

#include "base/compiler.h"

enum devres_kind {
	DEVRES_KMALLOC,
	DEVRES_PAGES,
	DEVRES_ACTION,
	DEVRES_GROUP,	  /* a group begins */
	DEVRES_GROUP_END, /* and ends */
};

struct devres {
	struct devres *next;
	const char *name; /* for reports */
	size_t bytes;	  /* that were asked for */
	uint32_t kind;
	uint32_t doomed_by; /* the release that will take it; 0: none */
};

/* The release of all that the device owns. Those of groups have the numbers below. */
#define DEVRES_ALL UINT32_MAX

/* The program's bytes follow. */
_Static_assert(sizeof(struct devres) % 16 == 0, "they are aligned as malloc's");

struct devres_pages {
	struct devres node;
	uintptr_t address;
	unsigned int order;
};

struct devres_action {
	struct devres node;
	void (*action)(void *data);
	void *data;
};

struct devres_group_end {
	struct devres node;
	struct devres_group *group;
};

struct devres_group {
	struct devres node;
	void *id;
	struct devres_group_end *end;
	bool is_closed;
	uint32_t end_seen_by; /* a release that has come by its end */
};

/* All zero: it owns nothing. May be moved while nobody uses it. */
struct devres_list {
	const char *name;
	_Atomic(struct devres *) top;
	uint32_t last_release; /* of a group */
	uint32_t unused[3];
};

/* What a resource is known by. */
struct devres_key {
	enum devres_kind kind; /* not of a group */
	uintptr_t address;     /* of the program's bytes, or of pages */
	void (*action)(void *data);
	void *data;
};

struct devres_usage {
	size_t nr_resources, bytes, nr_groups;
};

/* A copy of a node that can be looked at without the lock. */
struct devres_view {
	enum devres_kind kind;
	const char *name;
	size_t bytes;
	uintptr_t address; /* of what it holds; the id of a group */
	size_t nr_older;
};

/* Anywhere. The node has all but `next`. */
void devres_add(struct devres_list *list, struct devres *node);

/* Take off the newest that has the key. 0, -ENOENT, -EAGAIN. */
int devres_take(struct devres_list *list, const struct devres_key *key, struct devres **taken);

/*
 * Take off the newest of those that the release dooms; of all, if it is DEVRES_ALL. A group whose
 * end is gone is none any more.
 */
int devres_pop(struct devres_list *list, uint32_t release, struct devres **taken);

/*
 * An object is to have `bytes` bytes. 0: it has now, in place; else -EFBIG and *old_bytes, which is
 * less; -ENOENT, -EAGAIN.
 */
int devres_resize(struct devres_list *list, const struct devres_key *key, size_t bytes,
		  size_t *old_bytes);
/* The new node takes the place of the one with the key, which is taken off. */
int devres_replace(struct devres_list *list, const struct devres_key *key, struct devres *node,
		   struct devres **taken);

/*
 * Groups: the newest with this id; id NULL: the newest that is open. One that is doomed is none
 * any more. 0, -ENOENT, -EAGAIN; close also -EINVAL: it is closed.
 */
int devres_group_close(struct devres_list *list, void *id);
/* Its markers are taken off and the caller's; what is in it stays. */
int devres_group_remove(struct devres_list *list, void *id, struct devres_group **group);
/*
 * Doom what is in it, and the groups that are wholly in it. A closed group is between its markers,
 * an open one from its beginning on.
 */
int devres_group_doom(struct devres_list *list, void *id, uint32_t *release);

/* For reports. A view for each node that has less than `below` older ones, newest first. */
int devres_count(struct devres_list *list, struct devres_usage *usage);
int devres_view(struct devres_list *list, size_t below, struct devres_view *views, size_t *nr);

#endif
