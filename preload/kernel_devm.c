/*
 * kernel_devm.c - the public functions of include/stitch/devm.h.
 *
 * L10. Memory is kmalloc's and the pages of stitch/mm.h, by their public functions; the list is
 * kmalloc/devres.h. A node is in front of the program's bytes, or in an object of its own that
 * says what is to be done. Nothing is released before it is off the list, so that it is
 * released once.
 */
#include <errno.h>
#include <string.h>

#include "core/misuse.h"
#include "core/report.h"
#include "entry.h"
#include "kmalloc/devres.h"
#include "kmalloc/gfp.h"
#include "stitch/devm.h"
#include "stitch/mm.h"
#include "stitch/slab.h"

_Static_assert(sizeof(struct stitch_device) == sizeof(struct devres_list), "one is the other");
_Static_assert(offsetof(struct stitch_device, internal) == offsetof(struct devres_list, top),
	       "behind the name");

static struct devres_list *list_of(const struct stitch_device *device)
{
	return (struct devres_list *)(uintptr_t)device; // NOLINT
}

/* Of an int function. */
static int answer(int error)
{
	if (!error)
		return 0;
	errno = -error;
	return -1;
}

/* --- releasing -------------------------------------------------------------------------------- */

/* The node first: an action need not return. */
static void release_action(struct devres_action *action)
{
	struct devres_action copy = *action;

	stitch_kfree(action);
	copy.action(copy.data);
}

static void release_pages(struct devres_pages *pages)
{
	stitch_free_pages(pages->address, pages->order);
	stitch_kfree(pages);
}

/* The end of an open group is on no list, that of a closed one has come before. */
static void release_group(struct devres_group *group)
{
	if (!group->is_closed)
		stitch_kfree(group->end);
	stitch_kfree(group);
}

static void release_node(struct devres *node)
{
	switch ((enum devres_kind)node->kind) {
	case DEVRES_PAGES:
		release_pages((struct devres_pages *)(void *)node);
		break;
	case DEVRES_ACTION:
		release_action((struct devres_action *)(void *)node);
		break;
	case DEVRES_GROUP:
		release_group((struct devres_group *)(void *)node);
		break;
	case DEVRES_KMALLOC:
	case DEVRES_GROUP_END:
		stitch_kfree(node);
		break;
	}
}

/* One by one, so that a release finds what is still to be released. The caller's errno stays. */
static int release_doomed(struct devres_list *list, uint32_t release, int *nr)
{
	int saved_errno = errno, error;
	struct devres *node;

	while (!(error = devres_pop(list, release, &node))) {
		*nr += node->kind < DEVRES_GROUP;
		release_node(node);
	}
	errno = saved_errno;
	return error == -ENOENT ? 0 : error;
}

__visible void stitch_device_init(struct stitch_device *device, const char *name)
{
	*device = (struct stitch_device){ .name = name };
}

__visible int stitch_device_release(struct stitch_device *device)
{
	int nr = 0;
	int error = device ? release_doomed(list_of(device), DEVRES_ALL, &nr) : -EINVAL;

	return error ? answer(error) : nr;
}

/* --- memory ----------------------------------------------------------------------------------- */

static void *no_device(void)
{
	errno = EINVAL;
	return NULL;
}

/* What a child of fork has of its parent must not be in a zone that fork wipes. */
static stitch_gfp_t of_books(stitch_gfp_t flags)
{
	return flags & ~(GFP_LOWMEM | STITCH__GFP_ZERO);
}

/* A node with so many bytes behind it; on no list yet. */
static __inline_always struct devres *object_alloc(size_t bytes, stitch_gfp_t flags)
{
	struct devres *node;
	size_t total;

	if (unlikely(__builtin_add_overflow(bytes, sizeof(*node), &total))) {
		errno = ENOMEM;
		return NULL;
	}
	node = stitch_kmalloc(total, flags);
	if (likely(node))
		*node = (struct devres){ .kind = DEVRES_KMALLOC, .bytes = bytes };
	return node;
}

static __inline_always void *alloc(struct stitch_device *device, size_t bytes, stitch_gfp_t flags)
{
	struct devres *node;

	if (unlikely(!device))
		return no_device();
	if (!bytes)
		return STITCH_ZERO_SIZE_PTR;
	node = object_alloc(bytes, flags);
	if (unlikely(!node))
		return NULL;
	devres_add(list_of(device), node);
	return node + 1;
}

static __inline_always void *alloc_array(struct stitch_device *device, size_t count, size_t bytes,
					 stitch_gfp_t flags)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(count, bytes, &total))) {
		errno = ENOMEM;
		return NULL;
	}
	return alloc(device, total, flags);
}

__visible void *stitch_devm_kmalloc(struct stitch_device *device, size_t bytes, stitch_gfp_t flags)
{
	return alloc(device, bytes, flags);
}

__visible void *stitch_devm_kzalloc(struct stitch_device *device, size_t bytes, stitch_gfp_t flags)
{
	return alloc(device, bytes, flags | STITCH__GFP_ZERO);
}

__visible void *stitch_devm_kmalloc_array(struct stitch_device *device, size_t count, size_t bytes,
					  stitch_gfp_t flags)
{
	return alloc_array(device, count, bytes, flags);
}

__visible void *stitch_devm_kcalloc(struct stitch_device *device, size_t count, size_t bytes,
				    stitch_gfp_t flags)
{
	return alloc_array(device, count, bytes, flags | STITCH__GFP_ZERO);
}

__visible void *stitch_devm_kmemdup(struct stitch_device *device, const void *source, size_t bytes,
				    stitch_gfp_t flags)
{
	void *copy = source ? alloc(device, bytes, flags) : NULL;

	return copy && bytes ? memcpy(copy, source, bytes) : copy;
}

__visible char *stitch_devm_kstrdup(struct stitch_device *device, const char *text,
				    stitch_gfp_t flags)
{
	size_t bytes = text ? strlen(text) + 1 : 0;
	char *copy = text ? alloc(device, bytes, flags) : NULL;

	return copy ? memcpy(copy, text, bytes) : NULL;
}

static bool is_no_memory(const void *object)
{
	return !object || object == STITCH_ZERO_SIZE_PTR;
}

static struct devres_key key_of(const void *object)
{
	return (struct devres_key){ .kind = DEVRES_KMALLOC, .address = (uintptr_t)object };
}

/*
 * Of a resource that is wanted no longer. Nobody: a misuse, told by the operation's name. What
 * cannot be taken now stays the device's.
 */
static void free_one(struct stitch_device *device, const struct devres_key *key,
		     const char *operation)
{
	struct devres *node = NULL;
	int error = device ? devres_take(list_of(device), key, &node) : -ENOENT;

	if (!error)
		release_node(node);
	else if (error == -ENOENT)
		misuse_report(operation, "not a resource of the device:",
			      (const void *)key->address, // NOLINT
			      device && device->name ? device->name : "no name");
}

__visible void stitch_devm_kfree(struct stitch_device *device, const void *object)
{
	struct devres_key key = key_of(object);

	if (!is_no_memory(object))
		free_one(device, &key, "devm_kfree()");
}

/* The lock is not held while bytes are copied: of the object nobody else may be freeing it. */
static int move(struct devres_list *list, void **object, size_t old_bytes, size_t bytes,
		stitch_gfp_t flags)
{
	struct devres_key key = key_of(*object);
	struct devres *node = object_alloc(bytes, flags), *old;
	int error;

	if (!node)
		return -ENOMEM;
	memcpy(node + 1, *object, old_bytes);
	error = devres_replace(list, &key, node, &old);
	stitch_kfree(error ? node : old);
	if (!error)
		*object = node + 1;
	return error;
}

__visible void *stitch_devm_krealloc(struct stitch_device *device, void *object, size_t bytes,
				     stitch_gfp_t flags)
{
	struct devres_key key = key_of(object);
	size_t old_bytes;
	int error;

	if (is_no_memory(object))
		return alloc(device, bytes, flags);
	if (!device)
		return no_device();
	if (!bytes) {
		stitch_devm_kfree(device, object);
		return STITCH_ZERO_SIZE_PTR;
	}
	error = devres_resize(list_of(device), &key, bytes, &old_bytes);
	if (error == -EFBIG)
		error = move(list_of(device), &object, old_bytes, bytes, flags);
	if (!error)
		return object;
	errno = error == -ENOENT ? EINVAL : -error;
	return NULL;
}

__visible unsigned long stitch_devm_get_free_pages(struct stitch_device *device, stitch_gfp_t flags,
						   unsigned int order)
{
	struct devres_pages *pages;

	if (!device)
		return (unsigned long)no_device();
	pages = stitch_kmalloc(sizeof(*pages), of_books(flags));
	if (!pages)
		return 0;
	*pages = (struct devres_pages){ .node.kind = DEVRES_PAGES, .order = order };
	pages->address = stitch_get_free_pages(flags, order);
	if (!pages->address) {
		stitch_kfree(pages);
		return 0;
	}
	pages->node.bytes = STITCH_PAGE_SIZE << order;
	devres_add(list_of(device), &pages->node);
	return pages->address;
}

__visible void stitch_devm_free_pages(struct stitch_device *device, unsigned long address)
{
	struct devres_key key = { .kind = DEVRES_PAGES, .address = address };

	if (address)
		free_one(device, &key, "devm_free_pages()");
}

/* --- actions ---------------------------------------------------------------------------------- */

__visible int stitch_devm_add_named_action(struct stitch_device *device,
					   void (*action)(void *data), void *data,
					   const char *name, stitch_gfp_t flags)
{
	struct devres_action *node;

	if (!device || !action)
		return answer(-EINVAL);
	node = stitch_kmalloc(sizeof(*node), of_books(flags));
	if (!node)
		return -1;
	*node = (struct devres_action){ .node.kind = DEVRES_ACTION, .node.name = name,
					.action = action, .data = data };
	devres_add(list_of(device), &node->node);
	return 0;
}

__visible int stitch_devm_add_named_action_or_reset(struct stitch_device *device,
						    void (*action)(void *data), void *data,
						    const char *name, stitch_gfp_t flags)
{
	int failed = stitch_devm_add_named_action(device, action, data, name, flags);
	int saved_errno = errno;

	if (failed && action) {
		action(data);
		errno = saved_errno;
	}
	return failed;
}

/* *node: off the list, and the caller's. */
static int take_action(struct stitch_device *device, void (*action)(void *data), void *data,
		       struct devres **node)
{
	struct devres_key key = { .kind = DEVRES_ACTION, .action = action, .data = data };

	return answer(device ? devres_take(list_of(device), &key, node) : -EINVAL);
}

__visible int stitch_devm_remove_action(struct stitch_device *device, void (*action)(void *data),
					void *data)
{
	struct devres *node;

	if (take_action(device, action, data, &node))
		return -1;
	stitch_kfree(node);
	return 0;
}

__visible int stitch_devm_release_action(struct stitch_device *device, void (*action)(void *data),
					 void *data)
{
	int saved_errno = errno;
	struct devres *node;

	if (take_action(device, action, data, &node))
		return -1;
	release_node(node);
	errno = saved_errno;
	return 0;
}

/* --- groups ----------------------------------------------------------------------------------- */

__visible void *stitch_devres_open_group(struct stitch_device *device, void *id, stitch_gfp_t flags)
{
	struct devres_group *group;
	struct devres_group_end *end;

	if (!device)
		return no_device();
	group = stitch_kmalloc(sizeof(*group), of_books(flags));
	end = group ? stitch_kmalloc(sizeof(*end), of_books(flags)) : NULL;
	if (!end) {
		stitch_kfree(group);
		return NULL;
	}
	*end = (struct devres_group_end){ .node.kind = DEVRES_GROUP_END, .group = group };
	*group = (struct devres_group){ .node.kind = DEVRES_GROUP, .end = end,
					.id = id ? id : group };
	id = group->id;
	devres_add(list_of(device), &group->node);
	return id;
}

__visible int stitch_devres_close_group(struct stitch_device *device, void *id)
{
	return answer(device ? devres_group_close(list_of(device), id) : -EINVAL);
}

__visible int stitch_devres_remove_group(struct stitch_device *device, void *id)
{
	struct devres_group *group;
	int error = device ? devres_group_remove(list_of(device), id, &group) : -EINVAL;

	if (error)
		return answer(error);
	stitch_kfree(group->end);
	stitch_kfree(group);
	return 0;
}

__visible int stitch_devres_release_group(struct stitch_device *device, void *id)
{
	uint32_t release;
	int nr = 0;
	int error = device ? devres_group_doom(list_of(device), id, &release) : -EINVAL;

	if (!error)
		error = release_doomed(list_of(device), release, &nr);
	return error ? answer(error) : nr;
}

/* --- reports ---------------------------------------------------------------------------------- */

/* How many a look under the lock takes down. */
#define NR_VIEWS 32u

__visible int stitch_device_usage(const struct stitch_device *device,
				  struct stitch_device_resources *usage)
{
	struct devres_usage count;
	int error = device && usage ? devres_count(list_of(device), &count) : -EINVAL;

	if (error)
		return answer(error);
	*usage = (struct stitch_device_resources){ .nr_resources = count.nr_resources,
					       .nr_groups = count.nr_groups, .bytes = count.bytes };
	return 0;
}

static void print_view(struct report *report, const struct devres_view *view)
{
	static const char *const kinds[] = {
		[DEVRES_KMALLOC] = "kmalloc", [DEVRES_PAGES] = "pages", [DEVRES_ACTION] = "action",
		[DEVRES_GROUP] = "group", [DEVRES_GROUP_END] = "group",
	};

	report_printf(report, "  %-7s ", kinds[view->kind]);
	if (view->kind == DEVRES_ACTION)
		report_printf(report, "%s(%p)\n", view->name ? view->name : "?",
			      (void *)view->address); // NOLINT
	else if (view->kind == DEVRES_GROUP || view->kind == DEVRES_GROUP_END)
		report_printf(report, "%p %s\n", (void *)view->address, // NOLINT
			      view->kind == DEVRES_GROUP ? "begins" : "ends");
	else
		report_printf(report, "%p %zu bytes\n", (void *)view->address, // NOLINT
			      view->bytes);
}

static int print_device(struct report *report, const struct stitch_device *device)
{
	struct devres_view views[NR_VIEWS];
	size_t below = SIZE_MAX, nr = NR_VIEWS;
	struct devres_usage usage;
	int error = devres_count(list_of(device), &usage);

	if (error)
		return error;
	report_printf(report, "device %s: %zu resources, %zu bytes\n",
		      device->name ? device->name : "(no name)", usage.nr_resources, usage.bytes);
	while (below) {
		nr = NR_VIEWS;
		error = devres_view(list_of(device), below, views, &nr);
		if (error || !nr)
			return error;
		for (size_t i = 0; i < nr; i++)
			print_view(report, &views[i]);
		below = views[nr - 1].nr_older;
	}
	return 0;
}

__visible int stitch_device_report(const struct stitch_device *device, int fd)
{
	struct report report;
	int error, write_error;

	if (!device)
		return answer(-EINVAL);
	report_init(&report, report_to_fd, &fd);
	error = print_device(&report, device);
	write_error = report_finish(&report);
	return answer(error ? error : write_error);
}
