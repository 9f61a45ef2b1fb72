/* cma_alloc.c - see cma_alloc.h. */
#include "kmalloc/cma_alloc.h"

#include <errno.h>

#include "core/hooks.h"
#include "core/lock.h"
#include "kmalloc/gate.h"
#include "mm/memmap.h"
#include "os/os.h"

/* While another thread makes room in the area: 10 seconds. */
#define BUSY_NAP_US 1000u
#define MAX_BUSY_NAPS 10000u

/* NULL: not now. */
static gate_pass *enter(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (pass)
		lock_acquire(LOCK_LOWMEM);
	return pass;
}

/* For what must be brought to an end. NULL: the gate is closed for good. */
static gate_pass *enter_at_last(void)
{
	gate_pass *pass = enter();

	while (!pass && gate.closed_by != GATE_CLOSED_FOR_GOOD) {
		os_nap(BUSY_NAP_US);
		pass = enter();
	}
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

static enum cma_answer release_by(gate_pass *pass, struct cma *cma, void *address, size_t nr_pages)
{
	bool released;

	if (!pass)
		return CMA_NOT_NOW;
	released = cma_of(address) == cma && cma_release_locked(cma, address, nr_pages);
	leave(pass);
	return released ? CMA_DONE : CMA_WRONG;
}

enum cma_answer cma_release(struct cma *cma, void *address, size_t nr_pages)
{
	return release_by(enter(), cma, address, nr_pages);
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

static enum cma_answer return_by(gate_pass *pass, void *page)
{
	bool returned;

	if (!pass)
		return CMA_NOT_NOW;
	returned = cma_return_locked(page);
	leave(pass);
	return returned ? CMA_DONE : CMA_WRONG;
}

enum cma_answer cma_return(void *page)
{
	return return_by(enter(), page);
}

/* --- owners ----------------------------------------------------------------------------------- */

static struct stitch_page *descriptor_of(const void *address)
{
	size_t pfn = virt_to_pfn(address);

	if (pfn < mm_map.nr_pages)
		return (struct stitch_page *)pfn_to_page(pfn);
	return (struct stitch_page *)(uintptr_t)lowmem_page_of(address); // NOLINT
}

/* True: `to` is the owner's, in place of `from`. */
static bool ask_owner(const struct stitch_movable_operations *owner, void *to, void *from)
{
	struct stitch_page *source = descriptor_of(from);
	struct program_state state = { 0 };
	bool moved = false;

	program_begin(&state);
	if (owner->isolate_page(source, 0)) {
		moved = !owner->migrate_page(descriptor_of(to), source, 0);
		if (!moved)
			owner->putback_page(source);
	}
	program_end(&state);
	return moved;
}

/* --- making room ------------------------------------------------------------------------------ */

/* What becomes of one lent page, or of all of a range. */
enum outcome { OUT_OF_THE_WAY, STAYS, NO_PLACE };

/* Another page for the owner, of an area if there is one. NULL: none. */
static void *place_for(const struct stitch_movable_operations *owner,
		       const struct cma_pages *pages)
{
	void *to = cma_lend(owner);

	return to ? to : pages->alloc();
}

static void drop_place(void *to, const struct cma_pages *pages)
{
	if (cma_of(to))
		return_by(enter_at_last(), to);
	else
		pages->free(to);
}

/* Nobody's by now: it was freed while its owner was asked, or has been moved. */
static bool is_lent(const void *page)
{
	gate_pass *pass = enter();
	bool lent;

	if (!pass)
		return true;
	lent = cma_owner_locked(page);
	leave(pass);
	return lent;
}

/* What the owner has done must be known here: he will not be asked for that page again. */
static enum outcome move_away(void *page, const struct stitch_movable_operations *owner,
			      const struct cma_pages *pages)
{
	void *to = place_for(owner, pages);

	if (!to)
		return NO_PLACE;
	if (ask_owner(owner, to, page))
		return return_by(enter_at_last(), page) == CMA_DONE ? OUT_OF_THE_WAY : STAYS;
	drop_place(to, pages);
	return is_lent(page) ? STAYS : OUT_OF_THE_WAY;
}

/* False: not now. *page NULL: nothing of the range is lent. */
static bool next_lent(const struct cma *cma, void **page,
		      const struct stitch_movable_operations **owner)
{
	gate_pass *pass = enter();

	if (!pass)
		return false;
	*page = cma_next_lent_locked(cma);
	*owner = *page ? cma_owner_locked(*page) : NULL;
	leave(pass);
	return true;
}

static enum outcome move_all_away(const struct cma *cma, const struct cma_pages *pages)
{
	const struct stitch_movable_operations *owner;
	enum outcome outcome = OUT_OF_THE_WAY;
	void *page;

	while (outcome == OUT_OF_THE_WAY) {
		if (!next_lent(cma, &page, &owner))
			return STAYS;
		if (!page)
			break;
		outcome = move_away(page, owner, pages);
	}
	return outcome;
}

/* The isolated range, or NULL, and it is no longer isolated. */
static void *finish(struct cma *cma, enum outcome outcome)
{
	void *address = cma_page_address(cma, cma->first);
	gate_pass *pass = enter_at_last();

	if (!pass)
		return NULL;
	if (outcome == OUT_OF_THE_WAY && !cma_next_lent_locked(cma)) {
		cma_join_locked(cma);
	} else {
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

static void *make_room(struct cma *cma, size_t nr_pages, size_t align_pages,
		       const struct cma_pages *pages)
{
	enum outcome outcome = STAYS;
	void *address = NULL;

	for (size_t from = 0; !address && outcome != NO_PLACE &&
			      isolate(cma, nr_pages, align_pages, &from);
	     from++) {
		outcome = move_all_away(cma, pages);
		address = finish(cma, outcome);
	}
	return address;
}

/* --- ranges ----------------------------------------------------------------------------------- */

/* Outside the gate: it may take long. A kernel before 5.14 does it when they are touched. */
static bool fill(void *address, size_t bytes)
{
	int error = os_populate(address, bytes);

	return !error || error == -EINVAL;
}

void *cma_alloc(struct cma *cma, size_t nr_pages, size_t align_pages,
		const struct cma_pages *pages)
{
	void *address = take(cma, nr_pages, align_pages);

	if (!address)
		address = make_room(cma, nr_pages, align_pages, pages);
	if (!address || fill(address, nr_pages * PAGE_SIZE))
		return address;
	release_by(enter_at_last(), cma, address, nr_pages);
	return NULL;
}
