/* high_pages.c - see high_pages.h. */
#include "kmalloc/high_pages.h"

#include "core/lock.h"
#include "core/misuse.h"
#include "kmalloc/gate.h"

/* NULL: not now, and for no good reason. */
static gate_pass *enter(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (pass)
		lock_acquire(LOCK_HIGHMEM);
	return pass;
}

static void leave(gate_pass *pass)
{
	lock_release(LOCK_HIGHMEM);
	gate_leave(pass);
}

struct high_page *high_pages_alloc(stitch_gfp_t flags, unsigned int order)
{
	gate_pass *pass = order <= MAX_PAGE_ORDER ? enter() : NULL;
	struct high_page *page;

	if (!pass)
		return NULL;
	page = highmem_alloc_locked(order, flags & STITCH__GFP_ZERO);
	leave(pass);
	return page;
}

void high_pages_free(struct high_page *page, unsigned int order, const char *operation)
{
	gate_pass *pass = enter();
	enum highmem_answer answer;

	if (!pass)
		return; /* a block is lost rather than that a fork waits */
	answer = highmem_free_locked(page, order);
	leave(pass);
	if (answer == HIGHMEM_NO_BLOCK)
		misuse_report(operation, "no block of this order:", page, "highmem");
	else if (answer == HIGHMEM_MAPPED)
		misuse_report(operation, "still mapped:", page, "highmem");
}

void *high_pages_kmap(struct high_page *page)
{
	gate_pass *pass = enter();
	void *address;

	if (!pass)
		return NULL;
	address = highmem_kmap_locked(page);
	leave(pass);
	return address;
}

void high_pages_kunmap(struct high_page *page, const char *operation)
{
	gate_pass *pass = enter();
	bool done;

	if (!pass)
		return;
	done = highmem_kunmap_locked(page);
	leave(pass);
	if (!done)
		misuse_report(operation, "not mapped:", page, "highmem");
}

size_t high_pages_trim(void)
{
	gate_pass *pass = enter();
	size_t nr;

	if (!pass)
		return 0;
	nr = highmem_trim_locked();
	leave(pass);
	return nr;
}
