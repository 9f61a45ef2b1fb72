/* sized.c - see sized.h. */
#include "kmalloc/sized.h"

#include "base/format.h"
#include "core/misuse.h"
#include "core/params.h"
#include "kmalloc/owner.h"
#include "slab/size_class.h"

/* Usable bytes of what kmalloc_aligned(align, bytes) gives out. */
static size_t bytes_given_for(size_t align, size_t bytes)
{
	unsigned int class = NR_SIZE_CLASSES;

	if (bytes <= SIZE_CLASS_MAX_BYTES && align <= PAGE_SIZE)
		class = size_class_of_aligned(align, bytes);
	if (class < NR_SIZE_CLASSES)
		return size_classes[class].size;
	return align_up(max_size(bytes, 1), PAGE_SIZE);
}

/* The kernel's functions do not pad, nor does malloc when there is no memory for records. */
static bool is_given_for(size_t align, size_t bytes, size_t usable)
{
	return bytes_given_for(align, bytes) == usable ||
	       (params_pad_objects() && bytes_given_for(align, bytes + 1) == usable);
}

static bool is_right(const struct owner *owner, size_t align, size_t bytes, bool may_be_resized)
{
	size_t usable = owner_bytes(owner);

	if (bytes > usable)
		return false;
	if (owner->kind == OWNER_RUN && bytes <= SIZE_CLASS_MAX_BYTES &&
	    (may_be_resized || params_take_samples()))
		return usable == align_up(max_size(bytes, 1), PAGE_SIZE);
	if (may_be_resized && owner->kind == OWNER_SLAB && bytes >= usable / 2)
		return true;
	return is_given_for(align, bytes, usable);
}

static void report(const char *operation, const struct owner *owner, const void *object,
		   size_t bytes)
{
	char name[SIZE_CLASS_NAME_BYTES], what[64];
	const char *where = owner->kind == OWNER_RUN ? "page run" : "area";

	if (owner->kind == OWNER_SLAB) {
		size_class_name(&size_classes[pagemap_class(owner->entry)], name);
		where = name;
	}
	format_text(what, sizeof(what), "wrong size %zu for", bytes);
	misuse_report(operation, what, object, where);
}

__slow void sized_free_check(const char *operation, const void *object, size_t align,
			     size_t bytes, bool may_be_resized)
{
	struct owner owner = owner_of(object);

	if (owner.kind != OWNER_SLAB && owner.kind != OWNER_RUN && owner.kind != OWNER_AREA)
		return;
	if (align && (uintptr_t)object % align)
		misuse_report(operation, "wrong alignment for", object, "not that of its address");
	else if (!is_right(&owner, align, bytes, may_be_resized))
		report(operation, &owner, object, bytes);
}
