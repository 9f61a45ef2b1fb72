/* vmap.c - see vmap.h. */
#include "kmalloc/vmap.h"

#include <string.h>

#include "base/math.h"
#include "base/rbtree.h"
#include "core/lock.h"
#include "kmalloc/gate.h"
#include "os/os.h"

struct vmap {
	struct rb_node node;
	char *start; /* of the pages */
	size_t nr_pages;
	size_t nr_mapped; /* while it is made: the first so many are */
	struct high_page *pages[];
};

static struct rb_root areas; /* LOCK_HIGHMEM */

/* --- the tree --------------------------------------------------------------------------------- */

static struct vmap *vmap_of(struct rb_node *node)
{
	return node ? rb_entry(node, struct vmap, node) : NULL;
}

static void insert_locked(struct vmap *area)
{
	struct rb_node **link = &areas.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = area->start < vmap_of(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&area->node, parent, link);
	rb_insert_augmented(&area->node, &areas, NULL);
}

/* The area that the address lies in. */
static struct vmap *find_locked(const char *address)
{
	struct vmap *area = vmap_of(areas.rb_node);

	while (area && (size_t)(address - area->start) >= area->nr_pages * PAGE_SIZE)
		area = vmap_of(address < area->start ? area->node.rb_left : area->node.rb_right);
	return area;
}

/* --- address space ---------------------------------------------------------------------------- */

static size_t front_bytes(size_t nr_pages)
{
	return align_up(sizeof(struct vmap) + nr_pages * sizeof(struct high_page *), PAGE_SIZE);
}

static size_t all_bytes(size_t nr_pages)
{
	return front_bytes(nr_pages) + (nr_pages + 2) * PAGE_SIZE;
}

static struct vmap *reserve(size_t nr_pages)
{
	size_t front = front_bytes(nr_pages);
	struct vmap *area;
	void *address;

	if (os_reserve(NULL, all_bytes(nr_pages), &address))
		return NULL;
	if (os_open(address, front)) {
		os_unreserve(address, all_bytes(nr_pages));
		return NULL;
	}
	area = address;
	area->start = (char *)address + front + PAGE_SIZE;
	area->nr_pages = nr_pages;
	return area;
}

static void unreserve(struct vmap *area)
{
	os_unreserve(area, all_bytes(area->nr_pages));
}

/* --- areas ------------------------------------------------------------------------------------ */

static bool map_all_locked(struct vmap *area, bool writable)
{
	while (area->nr_mapped < area->nr_pages) {
		struct high_page *const *pages = area->pages + area->nr_mapped;
		size_t nr = 0;

		if (highmem_owns(*pages))
			nr = highmem_map_locked(pages, area->nr_pages - area->nr_mapped,
						area->start + area->nr_mapped * PAGE_SIZE,
						writable);
		if (!nr)
			return false;
		area->nr_mapped += nr;
	}
	return true;
}

/* The pages may be freed from now on. */
static void let_go_locked(struct vmap *area)
{
	for (size_t i = 0; i < area->nr_mapped; i++)
		area->pages[i]->nr_vmaps--;
}

static bool make_locked(struct vmap *area, bool writable)
{
	bool mapped;

	lock_acquire(LOCK_HIGHMEM);
	mapped = map_all_locked(area, writable);
	if (mapped)
		insert_locked(area);
	else
		let_go_locked(area);
	lock_release(LOCK_HIGHMEM);
	return mapped;
}

void *vmap_pages(struct high_page *const *pages, size_t nr_pages, bool writable)
{
	struct vmap *area = NULL;
	gate_pass *pass;
	bool made;

	if (nr_pages && nr_pages < SIZE_MAX / PAGE_SIZE / 2)
		area = reserve(nr_pages);
	if (!area)
		return NULL;
	memcpy(area->pages, pages, nr_pages * sizeof(*pages));
	pass = gate_enter_patiently();
	made = pass && make_locked(area, writable);
	if (pass)
		gate_leave(pass);
	if (made)
		return area->start;
	unreserve(area);
	return NULL;
}

static struct vmap *take_out(const char *address)
{
	struct vmap *area;

	lock_acquire(LOCK_HIGHMEM);
	area = find_locked(address);
	if (area && area->start == address) {
		rb_erase_augmented(&area->node, &areas, NULL);
		let_go_locked(area);
	} else {
		area = NULL;
	}
	lock_release(LOCK_HIGHMEM);
	return area;
}

bool vmap_end(const void *address)
{
	gate_pass *pass = gate_enter_patiently();
	struct vmap *area;

	if (!pass)
		return true; /* it stays, rather than that a fork waits */
	area = take_out(address);
	gate_leave(pass);
	if (area)
		unreserve(area);
	return area;
}

struct high_page *vmap_page_at(const void *address)
{
	gate_pass *pass = gate_enter_patiently();
	struct high_page *page = NULL;
	struct vmap *area;

	if (!pass)
		return NULL;
	lock_acquire(LOCK_HIGHMEM);
	area = find_locked(address);
	if (area)
		page = area->pages[((const char *)address - area->start) / PAGE_SIZE];
	lock_release(LOCK_HIGHMEM);
	gate_leave(pass);
	return page;
}
