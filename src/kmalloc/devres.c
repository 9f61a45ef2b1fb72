/* devres.c - see devres.h. */
#include "kmalloc/devres.h"

#include <errno.h>

#include "base/math.h"
#include "core/lock.h"
#include "kmalloc/gate.h"

/* --- the list --------------------------------------------------------------------------------- */

/* NULL: not now. */
static gate_pass *enter(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (pass)
		lock_acquire(LOCK_DEVRES);
	return pass;
}

static void leave(gate_pass *pass)
{
	lock_release(LOCK_DEVRES);
	gate_leave(pass);
}

void devres_add(struct devres_list *list, struct devres *node)
{
	struct devres *top = atomic_load_explicit(&list->top, memory_order_relaxed);

	do
		node->next = top;
	while (!atomic_compare_exchange_weak_explicit(&list->top, &top, node, memory_order_release,
						      memory_order_relaxed));
}

static struct devres *first_of(struct devres_list *list)
{
	return atomic_load_explicit(&list->top, memory_order_acquire);
}

/* In the node's place comes `other`, may be its next. newer: the one above; NULL: the list. */
static void substitute_locked(struct devres_list *list, struct devres *newer, struct devres *node,
			      struct devres *other)
{
	struct devres *top = node;

	if (!newer && atomic_compare_exchange_strong(&list->top, &top, other))
		return;
	if (!newer) /* more has been added */
		for (newer = top; newer->next != node;)
			newer = newer->next;
	newer->next = other;
}

static bool has_key(const struct devres *node, const struct devres_key *key)
{
	const struct devres_action *action = (const void *)node;
	const struct devres_pages *pages = (const void *)node;

	if (node->kind != key->kind)
		return false;
	if (key->kind == DEVRES_KMALLOC)
		return (uintptr_t)(node + 1) == key->address;
	if (key->kind == DEVRES_PAGES)
		return pages->address == key->address;
	return action->action == key->action && action->data == key->data;
}

/* NULL: none has the key. *newer: as in substitute_locked. */
static struct devres *find_locked(struct devres_list *list, const struct devres_key *key,
				  struct devres **newer)
{
	struct devres *node = first_of(list);

	*newer = NULL;
	while (node && !has_key(node, key)) {
		*newer = node;
		node = node->next;
	}
	return node;
}

int devres_take(struct devres_list *list, const struct devres_key *key, struct devres **taken)
{
	gate_pass *pass = enter();
	struct devres *newer;

	if (!pass)
		return -EAGAIN;
	*taken = find_locked(list, key, &newer);
	if (*taken)
		substitute_locked(list, newer, *taken, (*taken)->next);
	leave(pass);
	return *taken ? 0 : -ENOENT;
}

static struct devres *pop_locked(struct devres_list *list, uint32_t release)
{
	struct devres *newer = NULL, *node = first_of(list);
	struct devres_group *group;

	while (release != DEVRES_ALL && node && node->doomed_by != release) {
		newer = node;
		node = node->next;
	}
	if (!node)
		return NULL;
	substitute_locked(list, newer, node, node->next);
	if (node->kind == DEVRES_GROUP_END) {
		group = ((struct devres_group_end *)(void *)node)->group;
		group->node.doomed_by = release;
	}
	return node;
}

int devres_pop(struct devres_list *list, uint32_t release, struct devres **taken)
{
	gate_pass *pass = enter();
	struct devres *node;

	if (!pass)
		return -EAGAIN;
	node = pop_locked(list, release);
	leave(pass);
	*taken = node;
	return node ? 0 : -ENOENT;
}

int devres_resize(struct devres_list *list, const struct devres_key *key, size_t bytes,
		  size_t *old_bytes)
{
	gate_pass *pass = enter();
	struct devres *newer, *node;
	int error = -ENOENT;

	if (!pass)
		return -EAGAIN;
	node = find_locked(list, key, &newer);
	if (node) {
		*old_bytes = node->bytes;
		error = bytes > node->bytes ? -EFBIG : 0;
		node->bytes = min_size(bytes, node->bytes);
	}
	leave(pass);
	return error;
}

int devres_replace(struct devres_list *list, const struct devres_key *key, struct devres *node,
		   struct devres **taken)
{
	gate_pass *pass = enter();
	struct devres *newer, *old;

	if (!pass)
		return -EAGAIN;
	old = find_locked(list, key, &newer);
	if (old) {
		node->next = old->next;
		node->doomed_by = old->doomed_by;
		substitute_locked(list, newer, old, node);
	}
	leave(pass);
	*taken = old;
	return old ? 0 : -ENOENT;
}

/* --- groups ----------------------------------------------------------------------------------- */

static struct devres_group *find_group_locked(struct devres_list *list, const void *id)
{
	for (struct devres *node = first_of(list); node; node = node->next) {
		struct devres_group *group = (void *)node;

		if (node->kind != DEVRES_GROUP || node->doomed_by)
			continue;
		if (id ? group->id == id : !group->is_closed)
			return group;
	}
	return NULL;
}

int devres_group_close(struct devres_list *list, void *id)
{
	gate_pass *pass = enter();
	struct devres_group *group;
	int error = 0;

	if (!pass)
		return -EAGAIN;
	group = find_group_locked(list, id);
	if (!group)
		error = -ENOENT;
	else if (group->is_closed)
		error = -EINVAL;
	else {
		group->is_closed = true;
		devres_add(list, &group->end->node);
	}
	leave(pass);
	return error;
}

static void take_off_locked(struct devres_list *list, struct devres *node)
{
	struct devres *newer = NULL;

	for (struct devres *at = first_of(list); at != node; at = at->next)
		newer = at;
	substitute_locked(list, newer, node, node->next);
}

int devres_group_remove(struct devres_list *list, void *id, struct devres_group **group)
{
	gate_pass *pass = enter();

	if (!pass)
		return -EAGAIN;
	*group = find_group_locked(list, id);
	if (*group) {
		take_off_locked(list, &(*group)->node);
		if ((*group)->is_closed)
			take_off_locked(list, &(*group)->end->node);
	}
	leave(pass);
	return *group ? 0 : -ENOENT;
}

/*
 * A marker between those of the group that is released. Ends come before beginnings: at its
 * beginning it is known whether a group is wholly inside.
 */
static void doom_marker(struct devres *node, uint32_t release)
{
	struct devres_group *group = (void *)node;
	struct devres_group_end *end = (void *)node;

	if (node->kind == DEVRES_GROUP_END) {
		end->group->end_seen_by = release;
		return;
	}
	if (group->is_closed && group->end_seen_by != release)
		return;
	node->doomed_by = release;
	group->end->node.doomed_by = release;
}

/* What another release has doomed stays its. */
static void doom_locked(struct devres *first, struct devres_group *group, uint32_t release)
{
	for (struct devres *node = first; node; node = node->next) {
		if (node->kind >= DEVRES_GROUP)
			doom_marker(node, release);
		else if (!node->doomed_by)
			node->doomed_by = release;
		if (node == &group->node)
			return;
	}
}

int devres_group_doom(struct devres_list *list, void *id, uint32_t *release)
{
	gate_pass *pass = enter();
	struct devres_group *group;

	if (!pass)
		return -EAGAIN;
	group = find_group_locked(list, id);
	if (group) {
		list->last_release = list->last_release % (DEVRES_ALL - 1) + 1;
		*release = list->last_release;
		doom_locked(group->is_closed ? &group->end->node : first_of(list), group, *release);
	}
	leave(pass);
	return group ? 0 : -ENOENT;
}

/* --- reports ---------------------------------------------------------------------------------- */

int devres_count(struct devres_list *list, struct devres_usage *usage)
{
	gate_pass *pass = enter();

	*usage = (struct devres_usage){ 0 };
	if (!pass)
		return -EAGAIN;
	for (const struct devres *node = first_of(list); node; node = node->next) {
		usage->nr_resources += node->kind < DEVRES_GROUP;
		usage->nr_groups += node->kind == DEVRES_GROUP;
		usage->bytes += node->bytes;
	}
	leave(pass);
	return 0;
}

static uintptr_t address_of(const struct devres *node)
{
	switch ((enum devres_kind)node->kind) {
	case DEVRES_KMALLOC:
		return (uintptr_t)(node + 1);
	case DEVRES_PAGES:
		return ((const struct devres_pages *)(const void *)node)->address;
	case DEVRES_ACTION:
		return (uintptr_t)((const struct devres_action *)(const void *)node)->data;
	case DEVRES_GROUP:
		return (uintptr_t)((const struct devres_group *)(const void *)node)->id;
	case DEVRES_GROUP_END:
		return (uintptr_t)((const struct devres_group_end *)(const void *)node)->group->id;
	}
	return 0;
}

static struct devres_view view_of(const struct devres *node, size_t nr_older)
{
	return (struct devres_view){ .kind = (enum devres_kind)node->kind, .name = node->name,
				     .bytes = node->bytes, .address = address_of(node),
				     .nr_older = nr_older };
}

int devres_view(struct devres_list *list, size_t below, struct devres_view *views, size_t *nr)
{
	gate_pass *pass = enter();
	struct devres *first;
	size_t nr_older = 0, filled = 0;

	if (!pass)
		return -EAGAIN;
	first = first_of(list);
	for (struct devres *node = first; node; node = node->next)
		nr_older++;
	for (struct devres *node = first; node && filled < *nr; node = node->next)
		if (--nr_older < below)
			views[filled++] = view_of(node, nr_older);
	leave(pass);
	*nr = filled;
	return 0;
}
