/* realloc.c - see kmalloc.h: resizing, and asking for sizes. */
#include <string.h>

#include "core/hooks.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "mm/pagerun.h"
#include "slab/size_class.h"
#include "vmalloc/mapping.h"
#include "vmalloc/relocate.h"
#include "vmalloc/stitch.h"
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

	if (owner->kind != OWNER_RUN && owner->kind != OWNER_AREA)
		return false;
	if (nr_pages > owner->page->nr_pages)
		slot_want_pages(); /* they may lie behind it */
	if (owner->kind == OWNER_RUN)
		return nr_pages == owner->page->nr_pages ||
		       (bytes > SIZE_CLASS_MAX_BYTES && nr_pages <= RUN_MAX_PAGES &&
			run_resize(owner->page, nr_pages));
	return nr_pages > RUN_MAX_PAGES && area_resize(owner->page, nr_pages);
}

static bool resize_in_place(const struct owner *owner, size_t bytes)
{
	gate_pass *pass;
	bool resized;

	if (owner->kind == OWNER_SLAB || owner->kind == OWNER_EMERGENCY ||
	    owner->kind == OWNER_CACHE || owner->kind == OWNER_RESERVE ||
	    owner->kind == OWNER_LOWMEM)
		return small_fits(owner_bytes(owner), bytes);
	pass = gate_enter_soon();
	if (!pass)
		return false;
	resized = resize_pages(owner, bytes);
	gate_leave(pass);
	return resized;
}

/* --- moving ----------------------------------------------------------------------------------- */

static void *move_bytes(void *object, size_t old_bytes, size_t bytes)
{
	void *copy = kmalloc(bytes);

	if (!copy) /* shrinking never fails: nobody expects it to */
		return bytes <= old_bytes ? object : NULL;
	memcpy(copy, object, min_size(old_bytes, bytes));
	kfree(object);
	return copy;
}

static struct page *alloc_unfilled(size_t nr_pages)
{
	return nr_pages > RUN_MAX_PAGES ? area_alloc_unfilled(nr_pages) :
					  run_alloc(nr_pages, 1);
}

/* Behind what was moved there. */
static void fill_rest(struct page *page, size_t nr_moved)
{
	if (page->nr_pages > RUN_MAX_PAGES)
		area_fill(page, nr_moved);
	else
		stitch_fill(page_to_pfn(page) + nr_moved, page->nr_pages - nr_moved, 0, 0);
}

/* A new place for the block; NULL: not now. */
static struct page *relocation_begin(struct page *from, size_t nr_pages)
{
	gate_pass *pass = gate_enter_soon();
	struct page *to;

	if (!pass)
		return NULL;
	slot_want_pages();
	to = alloc_unfilled(nr_pages);
	if (to)
		relocate_begin(page_to_pfn(from), from->nr_pages);
	gate_leave(pass);
	return to;
}

static void relocation_end(const struct owner *owner, struct page *to)
{
	gate_pass *pass = gate_enter_soon();

	if (!pass) {
		kfree(page_address(owner->page));
		return;
	}
	fill_rest(to, owner->page->nr_pages);
	if (owner->kind == OWNER_RUN)
		run_free_vacated(owner->page);
	else
		area_free_vacated(owner->page);
	gate_leave(pass);
}

/*
 * Returns how many pages were dealt with. Copies outside the gate: it may take long. Not much at a
 * time while refused, since both places have frames then.
 */
static size_t relocate_or_copy(size_t to, size_t from, size_t nr_pages)
{
	gate_pass *pass = gate_enter_soon();
	bool moved = false;

	if (pass) {
		nr_pages = relocate_some(to, from, nr_pages, &moved);
		gate_leave(pass);
	} else {
		nr_pages = min_size(nr_pages, RUN_MAX_PAGES);
	}
	if (!moved)
		memcpy(pfn_to_virt(to), pfn_to_virt(from), nr_pages * PAGE_SIZE);
	return nr_pages;
}

static void *relocate(const struct owner *owner, size_t nr_pages)
{
	size_t nr_left = owner->page->nr_pages, from = page_to_pfn(owner->page), to, nr_done;
	struct page *page = relocation_begin(owner->page, nr_pages);

	if (!page)
		return NULL;
	for (to = page_to_pfn(page); nr_left; nr_left -= nr_done) {
		nr_done = relocate_or_copy(to, from, nr_left);
		to += nr_done;
		from += nr_done;
	}
	relocation_end(owner, page);
	return page_address(page);
}

/* Into a mapping of its own, or with that. NULL: not this block, or not now. */
static void *move_mapping(void *object, const struct owner *owner, size_t nr_pages)
{
	gate_pass *pass = gate_enter_soon();
	void *moved = NULL;

	if (!pass)
		return NULL;
	if (owner->kind == OWNER_MAPPING)
		moved = mapping_resize(object, nr_pages);
	if (owner->kind == OWNER_AREA && nr_pages > owner->page->nr_pages)
		moved = mapping_move_in(owner->page, nr_pages);
	if (moved && owner->kind == OWNER_AREA)
		area_free_vacated(owner->page);
	gate_leave(pass);
	return moved;
}

/* Without copying, or most of it. NULL: the object is to be copied. */
static void *move_pages(void *object, const struct owner *owner, size_t bytes)
{
	size_t nr_pages = div_round_up(bytes, PAGE_SIZE);
	void *moved = NULL;

	if (mapping_suits(nr_pages) && owner->kind != OWNER_MAPPING && !active_memcg)
		return NULL; /* to one that is kept for reuse, and has frames: they are dearer */
	if (owner->kind == OWNER_MAPPING || owner->kind == OWNER_AREA)
		moved = move_mapping(object, owner, nr_pages);
	if (!moved && (owner->kind == OWNER_RUN || owner->kind == OWNER_AREA) &&
	    owner->page->nr_pages >= RELOCATE_MIN_PAGES && nr_pages > owner->page->nr_pages)
		moved = relocate(owner, nr_pages);
	return moved;
}

void *krealloc(void *object, size_t bytes)
{
	struct owner owner = owner_of(object);
	void *moved;

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
	moved = move_pages(object, &owner, bytes);
	return moved ? moved : move_bytes(object, owner_bytes(&owner), bytes);
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
