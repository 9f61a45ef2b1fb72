/* cma_alloc.c - see cma_alloc.h. */
#include "kmalloc/cma_alloc.h"

#include "core/lock.h"
#include "kmalloc/gate.h"
#include "kmalloc/pages.h"
#include "mm/memmap.h"
#include "os/os.h"

/* While another thread makes room in the area: a second. */
#define BUSY_NAP_US 1000u
#define MAX_BUSY_NAPS 1000u

/* NULL: not now. */
static gate_pass *enter(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (pass)
		lock_acquire(LOCK_LOWMEM);
	return pass;
}

static void leave(gate_pass *pass)
{
	lock_release(LOCK_LOWMEM);
	gate_leave(pass);
}

struct cma *cma_declare(const char *name, size_t bytes)
{
	gate_pass *pass = enter();
	struct cma *cma;

	if (!pass)
		return NULL;
	cma = cma_new_locked(name, bytes);
	leave(pass);
	return cma;
}

static void *take(struct cma *cma, size_t nr_pages, size_t align_pages)
{
	gate_pass *pass = enter();
	void *address;

	if (!pass)
		return NULL;
	address = cma_take_locked(cma, nr_pages, align_pages);
	leave(pass);
	return address;
}

bool cma_release(struct cma *cma, void *address, size_t nr_pages)
{
	gate_pass *pass = enter();
	bool released;

	if (!pass)
		return false;
	released = cma_of(address) == cma && cma_release_locked(cma, address, nr_pages);
	leave(pass);
	return released;
}

void *cma_lend(const struct stitch_movable_operations *owner)
{
	gate_pass *pass = atomic_load(&cma_table.nr_areas) ? enter() : NULL;
	void *page;

	if (!pass)
		return NULL;
	page = cma_lend_locked(owner);
	leave(pass);
	return page;
}

bool cma_return(void *page)
{
	gate_pass *pass = enter();
	bool returned;

	if (!pass)
		return false;
	returned = cma_return_locked(page);
	leave(pass);
	return returned;
}

/* --- making room ------------------------------------------------------------------------------ */

static struct stitch_page *descriptor_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);

	if (pfn < mm_map.nr_pages)
		return (struct stitch_page *)pfn_to_page(pfn);
	return (struct stitch_page *)(uintptr_t)lowmem_page_of(address); // NOLINT
}

/* NULL: it is lent to nobody by now. */
static const struct stitch_movable_operations *owner_of_page(const void *page)
{
	const struct stitch_movable_operations *owner;
	gate_pass *pass = enter();

	if (!pass)
		return NULL;
	owner = cma_owner_locked(page);
	leave(pass);
	return owner;
}

/* The owner has agreed, and cannot have freed it since. */
static bool migrate(const struct stitch_movable_operations *owner, void *to, void *from)
{
	if (!owner->migrate_page(descriptor_of(to), descriptor_of(from), 0))
		return cma_return(from);
	owner->putback_page(descriptor_of(from));
	return false;
}

/* False: it is where it was. */
static bool move_away(void *page)
{
	const struct stitch_movable_operations *owner = owner_of_page(page);
	void *to;

	if (!owner)
		return true;
	to = pages_alloc(1, 1, STITCH_GFP_KERNEL | STITCH__GFP_NOWARN);
	if (!to)
		return false;
	if (owner->isolate_page(descriptor_of(page), 0)) {
		if (migrate(owner, to, page))
			return true;
		pages_free(to, 1, "cma_alloc()");
		return false;
	}
	pages_free(to, 1, "cma_alloc()");
	return !owner_of_page(page); /* it may have been freed instead */
}

static void *next_lent(const struct cma *cma)
{
	gate_pass *pass = enter();
	void *page;

	if (!pass)
		return NULL;
	page = cma_next_lent_locked(cma);
	leave(pass);
	return page;
}

static bool move_all_away(const struct cma *cma)
{
	void *page;

	while ((page = next_lent(cma)))
		if (!move_away(page))
			return false;
	return true;
}

/* The isolated range, or NULL, and it is no longer isolated. */
static void *finish(struct cma *cma, bool is_empty)
{
	void *address = cma_page_address(cma, cma->first);
	gate_pass *pass;

	while (!(pass = enter()))
		os_nap(BUSY_NAP_US); /* it would be lost for all */
	if (!is_empty || !cma_join_locked(cma)) {
		cma_unisolate_locked(cma);
		address = NULL;
	}
	leave(pass);
	return address;
}

/* False: there is none; or others are at it, and do not come to an end. */
static bool isolate(struct cma *cma, size_t nr_pages, size_t align_pages, size_t *from)
{
	bool isolated = false, is_busy = true;

	for (unsigned int nap = 0; is_busy && nap < MAX_BUSY_NAPS; nap++) {
		gate_pass *pass = enter();

		if (!pass)
			return false;
		is_busy = cma->nr_isolated;
		isolated = cma_isolate_locked(cma, nr_pages, align_pages, from);
		leave(pass);
		if (is_busy)
			os_nap(BUSY_NAP_US);
	}
	return isolated;
}

void *cma_alloc(struct cma *cma, size_t nr_pages, size_t align_pages)
{
	void *address = take(cma, nr_pages, align_pages);

	for (size_t from = 0; !address && isolate(cma, nr_pages, align_pages, &from); from++)
		address = finish(cma, move_all_away(cma));
	return address;
}
