/*
 * kernel_cma.c - the public functions of include/stitch/cma.h.
 *
 * L10. What the program has a pointer to is struct cma. errno where they fail.
 */
#include <errno.h>

#include "core/misuse.h"
#include "core/printk.h"
#include "entry.h"
#include "kmalloc/cma_alloc.h"
#include "kmalloc/gfp.h"
#include "mm/memmap.h"

static struct cma *cma_of_program(const struct stitch_cma *area)
{
	return (struct cma *)(uintptr_t)area; // NOLINT
}

static void *failed(int error)
{
	errno = error;
	return NULL;
}

__visible struct stitch_cma *stitch_cma_declare(const char *name, size_t bytes)
{
	bool had_slot = mm_thread_has_slot();
	struct cma *cma;

	if (!name || !bytes)
		return failed(EINVAL);
	if (!heap_ready() || bytes > PTRDIFF_MAX)
		return failed(ENOMEM);
	program_state_use();
	cma = cma_declare(name, align_up(bytes, PAGE_SIZE));
	thread_settle(had_slot);
	return cma ? (struct stitch_cma *)cma : failed(ENOMEM);
}

/* By the program's functions, so that leak reports know of them. */
static void *page_alloc(void)
{
	return (void *)stitch_get_free_pages(STITCH_GFP_KERNEL | STITCH__GFP_NORETRY | // NOLINT
						     STITCH__GFP_NOWARN, 0);
}

static void page_free(void *page)
{
	stitch_free_pages((unsigned long)page, 0);
}

static const struct cma_pages heap_pages = { page_alloc, page_free };

static bool could_be(const struct cma *cma, unsigned long count, unsigned int align_order)
{
	return count <= cma->nr_pages && align_order < 40 &&
	       (size_t)1 << align_order <= cma->nr_pages;
}

__visible struct stitch_page *stitch_cma_alloc(struct stitch_cma *area, unsigned long count,
					       unsigned int align_order, int no_warn)
{
	struct cma *cma = cma_of_program(area);
	bool had_slot = mm_thread_has_slot();
	void *address = NULL;

	if (!count)
		return failed(EINVAL);
	if (could_be(cma, count, align_order))
		address = cma_alloc(cma, count, (size_t)1 << align_order, &heap_pages);
	thread_settle(had_slot);
	if (address)
		return stitch_virt_to_page(address);
	if (!no_warn)
		pr_err("cma_alloc(): no %lu pages in a row in area %s", count, cma->name);
	return failed(ENOMEM);
}

__visible int stitch_cma_release(struct stitch_cma *area, const struct stitch_page *pages,
				 unsigned long count)
{
	bool had_slot = mm_thread_has_slot();
	void *address = pages ? stitch_page_address(pages) : NULL;
	enum cma_answer answer = CMA_WRONG;

	if (address)
		answer = cma_release(cma_of_program(area), address, count);
	thread_settle(had_slot);
	if (answer != CMA_DONE)
		errno = answer == CMA_WRONG ? EINVAL : EAGAIN;
	return answer == CMA_DONE;
}

__visible void *stitch_cma_get_base(const struct stitch_cma *area)
{
	return cma_of_program(area)->part->base;
}

__visible size_t stitch_cma_get_size(const struct stitch_cma *area)
{
	return cma_of_program(area)->nr_pages * PAGE_SIZE;
}

__visible const char *stitch_cma_get_name(const struct stitch_cma *area)
{
	return cma_of_program(area)->name;
}

__visible struct stitch_page *
stitch_alloc_movable_page(const struct stitch_movable_operations *operations, stitch_gfp_t flags)
{
	bool had_slot = mm_thread_has_slot();
	void *page = heap_ready() && operations ? cma_lend(operations) : NULL;

	thread_settle(had_slot);
	if (page)
		return stitch_virt_to_page(page);
	page = (void *)stitch_get_zeroed_page(flags & ~GFP_ZONES); // NOLINT
	return page ? stitch_virt_to_page(page) : NULL;
}

__visible void stitch_free_movable_page(struct stitch_page *page)
{
	bool had_slot = mm_thread_has_slot();
	void *address = page ? stitch_page_address(page) : NULL;

	if (!page)
		return;
	/* CMA_NOT_NOW: a page is lost rather than that a fork waits */
	if (!cma_of(address))
		stitch_free_pages_of(page, 0);
	else if (cma_return(address) == CMA_WRONG)
		misuse_report("free_movable_page()", "no lent page:", address, "area");
	thread_settle(had_slot);
}
