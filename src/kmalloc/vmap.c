/* vmap.c - see vmap.h. */
#include "kmalloc/vmap.h"

#include <string.h>

#include "base/math.h"
#include "core/lock.h"
#include "core/memblock.h"
#include "kmalloc/gate.h"
#include "os/os.h"

struct vmaps vmaps;

static struct stitch_rb_root areas; /* LOCK_HIGHMEM */
static struct vmap *spare;	    /* LOCK_HIGHMEM: those that are none at present */

/* --- descriptors ------------------------------------------------------------------------------ */

/* In memory that stays, whatever becomes of the area: others may be looking. NULL: none is left. */
static struct vmap *take_spare_locked(void)
{
	struct vmap *area = spare;

	if (area) {
		spare = area->next_spare;
		return area;
	}
	area = memblock_alloc(sizeof(*area));
	if (area) {
		area->next = vmaps.first;
		atomic_store_explicit(&vmaps.first, area, memory_order_release);
	}
	return area;
}

static void put_spare_locked(struct vmap *area)
{
	area->next_spare = spare;
	spare = area;
}

/* --- the tree --------------------------------------------------------------------------------- */

static struct vmap *vmap_of(struct stitch_rb_node *node)
{
	return node ? stitch_rb_entry(node, struct vmap, node) : NULL;
}

static void insert_locked(struct vmap *area)
{
	struct stitch_rb_node **link = &areas.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = area->start < vmap_of(parent)->start ? &parent->rb_left : &parent->rb_right;
	}
	stitch_rb_link_node(&area->node, parent, link);
	stitch_rb_insert_color(&area->node, &areas);
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
	return align_up(nr_pages * sizeof(struct high_page *), PAGE_SIZE);
}

static size_t all_bytes(size_t nr_pages)
{
	return front_bytes(nr_pages) + (nr_pages + 2) * PAGE_SIZE;
}

/* The array of pages, with room for the area behind. NULL: there is none. */
static struct high_page **reserve(size_t nr_pages)
{
	void *address;

	if (os_reserve(NULL, all_bytes(nr_pages), &address))
		return NULL;
	if (!os_open(address, front_bytes(nr_pages)))
		return address;
	os_unreserve(address, all_bytes(nr_pages));
	return NULL;
}

static char *start_of(struct high_page **pages, size_t nr_pages)
{
	return (char *)pages + front_bytes(nr_pages) + PAGE_SIZE;
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

/* The address of its pages, or NULL. */
static void *make_locked(struct high_page **pages, size_t nr_pages, bool writable)
{
	struct vmap *area = take_spare_locked();

	if (!area)
		return NULL;
	area->pages = pages;
	area->nr_pages = nr_pages;
	area->nr_mapped = 0;
	area->start = start_of(pages, nr_pages);
	if (map_all_locked(area, writable)) {
		insert_locked(area);
		return area->start;
	}
	let_go_locked(area);
	area->start = NULL;
	put_spare_locked(area);
	return NULL;
}

static void *make(struct high_page **pages, size_t nr_pages, bool writable)
{
	gate_pass *pass = gate_enter_patiently();
	void *address;

	if (!pass)
		return NULL;
	lock_acquire(LOCK_HIGHMEM);
	address = make_locked(pages, nr_pages, writable);
	lock_release(LOCK_HIGHMEM);
	gate_leave(pass);
	return address;
}

void *vmap_pages(struct high_page *const *pages, size_t nr_pages, bool writable)
{
	struct high_page **copy = NULL;
	void *address;

	if (nr_pages && nr_pages < SIZE_MAX / PAGE_SIZE / 2)
		copy = reserve(nr_pages);
	if (!copy)
		return NULL;
	memcpy(copy, pages, nr_pages * sizeof(*pages));
	address = make(copy, nr_pages, writable);
	if (!address)
		os_unreserve(copy, all_bytes(nr_pages));
	return address;
}

/* What is to be unmapped; NULL: no area begins there. */
static struct high_page **take_out(const char *address, size_t *nr_pages)
{
	struct high_page **pages = NULL;
	struct vmap *area;

	lock_acquire(LOCK_HIGHMEM);
	area = find_locked(address);
	if (area && area->start == address) {
		stitch_rb_erase(&area->node, &areas);
		let_go_locked(area);
		pages = area->pages;
		*nr_pages = area->nr_pages;
		area->start = NULL;
		put_spare_locked(area);
	}
	lock_release(LOCK_HIGHMEM);
	return pages;
}

bool vmap_end(const void *address)
{
	gate_pass *pass = gate_enter_patiently();
	struct high_page **pages;
	size_t nr_pages;

	if (!pass)
		return true; /* it stays, rather than that a fork waits */
	pages = take_out(address, &nr_pages);
	gate_leave(pass);
	if (pages)
		os_unreserve(pages, all_bytes(nr_pages));
	return pages;
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
