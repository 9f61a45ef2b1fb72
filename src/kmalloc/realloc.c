/* realloc.c - see kmalloc.h: resizing, and asking for sizes. */
#include <string.h>

#include "core/hooks.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "mm/pagerun.h"
#include "slab/size_class.h"
#include "vmalloc/vmap_area.h"

/*
 * A small object stays where it is unless less than half of it would be used: moving it
 * costs more than the slack, and programs that shrink in steps would move at each. There is
 * nothing smaller than the smallest class.
 */
static bool small_fits(size_t old_bytes, size_t bytes)
{
	return bytes <= old_bytes && (bytes >= old_bytes / 2 || old_bytes == SIZE_CLASS_GRAIN);
}

/* Pages stay pages, and their kind stays their kind: 2 MiB is where runs end and areas begin. */
static bool resize_pages(const struct owner *owner, size_t bytes)
{
	size_t nr_pages = div_round_up(bytes, PAGE_SIZE);

	if (owner->kind == OWNER_RUN)
		return bytes > SIZE_CLASS_MAX_BYTES && nr_pages <= RUN_MAX_PAGES &&
		       run_resize(owner->page, nr_pages);
	return nr_pages > RUN_MAX_PAGES && area_resize(owner->page, nr_pages);
}

static bool resize_in_place(const struct owner *owner, size_t bytes)
{
	gate_pass *pass;
	bool resized;

	if (owner->kind == OWNER_SLAB || owner->kind == OWNER_EMERGENCY)
		return small_fits(owner_bytes(owner), bytes);
	pass = gate_enter();
	if (!pass)
		return false;
	resized = resize_pages(owner, bytes);
	gate_leave(pass);
	return resized;
}

static void *move(void *object, size_t old_bytes, size_t bytes)
{
	void *copy = kmalloc(bytes);

	if (!copy) /* shrinking never fails: nobody expects it to */
		return bytes <= old_bytes ? object : NULL;
	memcpy(copy, object, min_size(old_bytes, bytes));
	kfree(object);
	return copy;
}

void *krealloc(void *object, size_t bytes)
{
	struct owner owner = owner_of(object);

	if (bytes > KMALLOC_MAX_BYTES)
		return NULL;
	if (owner.kind == OWNER_FOREIGN && foreign_ops.realloc)
		return foreign_ops.realloc(object, bytes);
	if (owner.kind == OWNER_FOREIGN || owner.kind == OWNER_WRONG) {
		owner_report_wrong("realloc()", object);
		return NULL;
	}
	if (resize_in_place(&owner, bytes))
		return object;
	return move(object, owner_bytes(&owner), bytes);
}

size_t ksize(const void *object)
{
	struct owner owner;

	if (!object)
		return 0;
	owner = owner_of(object);
	if (owner.kind == OWNER_FOREIGN && foreign_ops.usable_size)
		return foreign_ops.usable_size(object);
	if (owner.kind == OWNER_FOREIGN || owner.kind == OWNER_WRONG) {
		owner_report_wrong("malloc_usable_size()", object);
		return 0;
	}
	return owner_bytes(&owner);
}
