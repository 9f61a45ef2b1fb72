/*
 * kernel_pages.c - the public functions of include/stitch/mm.h and vmalloc.h.
 *
 * L10. What the program has a pointer to is the struct page itself. Pages are runs and areas as
 * malloc's are, for leak reports, too.
 */
#include <errno.h>

#include "debug/alloc_failure.h"
#include "debug/fault_inject.h"
#include "debug/leak_track.h"
#include "debug/stack_name.h"
#include "entry.h"
#include "kernel_track.h"
#include "kmalloc/gfp.h"
#include "kmalloc/high_pages.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/pages.h"
#include "mm/lowmem.h"
#include "mm/memmap.h"
#include "mm/section.h"
#include "stitch/mm.h"
#include "stitch/slab.h"
#include "stitch/vmalloc.h"

_Static_assert(STITCH_PAGE_SHIFT == PAGE_SHIFT && STITCH_MAX_PAGE_ORDER == MAX_PAGE_ORDER,
	       "they are the heap's");

/* Not in a signal handler: to write would be a system call. What can never be had is no failure. */
static __slow void note_failure(size_t nr_pages, stitch_gfp_t flags)
{
	errno = ENOMEM;
	if (gfp_may_wait(flags) && nr_pages <= KMALLOC_MAX_BYTES / PAGE_SIZE)
		alloc_failure_report("alloc_pages()", flags,
				     stitch_get_order(nr_pages * PAGE_SIZE));
}

static __inline_always bool fails_on_purpose(size_t nr_pages, stitch_gfp_t flags)
{
	return fault_inject("alloc_pages()", min_size(nr_pages, SIZE_MAX / PAGE_SIZE) * PAGE_SIZE,
			    flags);
}

static __attribute__((noinline)) void *alloc_plain(size_t nr_pages, size_t align_pages,
						   stitch_gfp_t flags)
{
	bool had_slot = mm_thread_has_slot();
	void *address = pages_alloc(nr_pages, align_pages, flags);

	thread_settle(had_slot);
	if (unlikely(!address)) {
		note_failure(nr_pages, flags);
		return NULL;
	}
	if (gfp_may_wait(flags)) {
		background_consider();
		relief_consider(flags);
	}
	return address;
}

static __inline_always void *alloc_watched(size_t nr_pages, size_t align_pages, stitch_gfp_t flags)
{
	void *address;

	if (!heap_ready() || fails_on_purpose(nr_pages, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	address = alloc_plain(nr_pages, align_pages, flags);
	if (leak_has_stacks() && address)
		kernel_track(address, nr_pages * PAGE_SIZE, flags);
	return address;
}

static size_t pages_asked_for(unsigned int order)
{
	return order <= MAX_PAGE_ORDER ? (size_t)1 << order : SIZE_MAX;
}

static __inline_always void *alloc_order_plain(stitch_gfp_t flags, unsigned int order)
{
	return alloc_plain(pages_asked_for(order), pages_asked_for(order), flags);
}

static __inline_always void *alloc_order_watched(stitch_gfp_t flags, unsigned int order)
{
	return alloc_watched(pages_asked_for(order), pages_asked_for(order), flags);
}

/* False: there is no heap, and nothing to be freed. */
static __slow bool free_detour(void *address)
{
	if (!heap_ready())
		return false;
	if (leak_profiling())
		leak_track_end(address);
	return true;
}

static void free_pages_at(void *address, size_t nr_pages, bool hot, const char *operation)
{
	bool had_slot = mm_thread_has_slot();

	if (!address || (unlikely(mm_has_detours()) && !free_detour(address)))
		return;
	if (hot)
		pages_free(address, nr_pages, operation);
	else
		pages_free_cold(address, nr_pages, operation);
	thread_settle(had_slot);
}

/* An order that there is not matches no pages. */
static size_t pages_of_order(unsigned int order)
{
	return order <= MAX_PAGE_ORDER ? (size_t)1 << order : 0;
}

/* --- by descriptor ---------------------------------------------------------------------------- */

/* Pfns of the zones below the heap: of their addresses, above all others. */
#define LOWMEM_PFN ((unsigned long)1 << 40)

/* What the program has a pointer to is the descriptor of highmem, then. */
static struct high_page *high_of(const struct stitch_page *page)
{
	return unlikely(highmem_owns(page)) ? (struct high_page *)(uintptr_t)page : NULL; // NOLINT
}

/* Of a struct page; of anything else it is none. */
static size_t pfn_of(const struct stitch_page *page)
{
	return ((uintptr_t)page - (uintptr_t)mm_map.memmap) / sizeof(struct page);
}

/* NULL: the address is in none of these zones. */
static struct stitch_page *lowmem_page(const void *address)
{
	return (struct stitch_page *)(uintptr_t)lowmem_page_of(address); // NOLINT
}

__visible void *stitch_page_address(const struct stitch_page *page)
{
	const struct high_page *high = high_of(page);
	size_t pfn = pfn_of(page);

	if (high)
		return highmem_kmap_address(high);
	if (likely(page && pfn < mm_map.nr_pages))
		return pfn_to_virt(pfn);
	return lowmem_page_address(page);
}

/* Pfns of highmem follow those of the heap's window. */
__visible struct stitch_page *stitch_pfn_to_page(unsigned long pfn)
{
	if (likely(pfn < mm_map.nr_pages))
		return (struct stitch_page *)pfn_to_page(pfn);
	if (pfn >= LOWMEM_PFN && pfn < 2 * LOWMEM_PFN)
		return lowmem_page((void *)((pfn - LOWMEM_PFN) << PAGE_SHIFT)); // NOLINT
	return (struct stitch_page *)highmem_page(pfn - mm_map.nr_pages);
}

__visible unsigned long stitch_page_to_pfn(const struct stitch_page *page)
{
	const struct high_page *high = high_of(page);

	if (high)
		return mm_map.nr_pages + highmem_index(high);
	if (likely(pfn_of(page) < mm_map.nr_pages))
		return pfn_of(page);
	return LOWMEM_PFN + ((uintptr_t)lowmem_page_address(page) >> PAGE_SHIFT);
}

__visible struct stitch_page *stitch_virt_to_page(const void *address)
{
	size_t pfn = virt_to_pfn(address);

	/* Between the window's sections there may be other zones. */
	if (likely(pfn < mm_map.nr_pages && pfn_is_reserved(pfn)))
		return (struct stitch_page *)pfn_to_page(pfn);
	return lowmem_page(address);
}

__visible int stitch_pfn_valid(unsigned long pfn)
{
	if (likely(pfn < mm_map.nr_pages))
		return pfn_is_open(pfn);
	return stitch_pfn_to_page(pfn) != NULL;
}

/* NULL: none can be had. */
static struct high_page *alloc_high(stitch_gfp_t flags, unsigned int order)
{
	bool had_slot = mm_thread_has_slot();
	struct high_page *page = heap_ready() ? high_pages_alloc(flags, order) : NULL;

	thread_settle(had_slot);
	return page;
}

static void free_high(struct high_page *page, unsigned int order)
{
	bool had_slot = mm_thread_has_slot();

	high_pages_free(page, order, "__free_pages()");
	thread_settle(had_slot);
}

static struct stitch_page *page_or_null(const void *address)
{
	return address ? stitch_virt_to_page(address) : NULL;
}

static __slow struct stitch_page *stitch_alloc_pages_detour(stitch_gfp_t flags, unsigned int order)
{
	return page_or_null(alloc_order_watched(flags, order));
}
STACK_NAME(stitch_alloc_pages_detour, "stitch_alloc_pages");

/* The lot has been drawn: a page of the heap is no second request. */
static __inline_always void *alloc_order_instead(stitch_gfp_t flags, unsigned int order)
{
	unsigned int faults = fault_inject_pause();
	void *address = unlikely(mm_has_detours()) ? alloc_order_watched(flags, order) :
						     alloc_order_plain(flags, order);

	fault_inject_resume(faults);
	return address;
}

/* The kernel's fallback list: HIGHMEM, NORMAL. NULL: neither. */
static __slow struct stitch_page *stitch_alloc_pages_slow(stitch_gfp_t flags, unsigned int order)
{
	struct high_page *high;

	if (fails_on_purpose((size_t)1 << min_size(order, MAX_PAGE_ORDER), flags)) {
		errno = ENOMEM;
		return NULL;
	}
	high = alloc_high(flags, order);
	if (high)
		return (struct stitch_page *)high;
	return page_or_null(alloc_order_instead(flags & ~STITCH__GFP_HIGHMEM, order));
}
STACK_NAME(stitch_alloc_pages_slow, "stitch_alloc_pages");

__visible struct stitch_page *stitch_alloc_pages(stitch_gfp_t flags, unsigned int order)
{
	if (unlikely(flags & STITCH__GFP_HIGHMEM) && gfp_may_wait(flags))
		return stitch_alloc_pages_slow(flags, order);
	flags &= ~STITCH__GFP_HIGHMEM;
	if (unlikely(mm_has_detours()))
		return stitch_alloc_pages_detour(flags, order);
	return page_or_null(alloc_order_plain(flags, order));
}

__visible void stitch_free_pages_of(struct stitch_page *page, unsigned int order)
{
	if (high_of(page))
		free_high(high_of(page), order);
	else
		free_pages_at(stitch_page_address(page), pages_of_order(order), true,
			      "__free_pages()");
}

__visible void stitch_free_cold_page(struct stitch_page *page)
{
	if (high_of(page))
		free_high(high_of(page), 0);
	else
		free_pages_at(stitch_page_address(page), 1, false, "free_cold_page()");
}

/* --- by address ------------------------------------------------------------------------------- */

static __slow void *stitch_get_free_pages_detour(stitch_gfp_t flags, unsigned int order)
{
	return alloc_order_watched(flags, order);
}
STACK_NAME(stitch_get_free_pages_detour, "stitch_get_free_pages");

__visible unsigned long stitch_get_free_pages(stitch_gfp_t flags, unsigned int order)
{
	return (unsigned long)(likely(!mm_has_detours()) ?
				       alloc_order_plain(flags, order) :
				       stitch_get_free_pages_detour(flags, order));
}

static __slow void *stitch_get_zeroed_page_detour(stitch_gfp_t flags)
{
	return alloc_watched(1, 1, flags);
}
STACK_NAME(stitch_get_zeroed_page_detour, "stitch_get_zeroed_page");

__visible unsigned long stitch_get_zeroed_page(stitch_gfp_t flags)
{
	flags |= STITCH__GFP_ZERO;
	return (unsigned long)(likely(!mm_has_detours()) ? alloc_plain(1, 1, flags) :
							   stitch_get_zeroed_page_detour(flags));
}

__visible void stitch_free_pages(unsigned long address, unsigned int order)
{
	free_pages_at((void *)address, pages_of_order(order), true, "free_pages()"); // NOLINT
}

static size_t pages_of_bytes(size_t bytes)
{
	return div_round_up(bytes, PAGE_SIZE);
}

/* False, with errno: so many there never are. */
static bool can_be_had(size_t bytes)
{
	if (likely(bytes && bytes <= KMALLOC_MAX_BYTES))
		return true;
	errno = ENOMEM;
	return false;
}

static __slow void *stitch_alloc_pages_exact_detour(size_t bytes, stitch_gfp_t flags)
{
	return alloc_watched(pages_of_bytes(bytes), 1, flags);
}
STACK_NAME(stitch_alloc_pages_exact_detour, "stitch_alloc_pages_exact");

__visible void *stitch_alloc_pages_exact(size_t bytes, stitch_gfp_t flags)
{
	if (!can_be_had(bytes))
		return NULL;
	return likely(!mm_has_detours()) ? alloc_plain(pages_of_bytes(bytes), 1, flags) :
					   stitch_alloc_pages_exact_detour(bytes, flags);
}

__visible void stitch_free_pages_exact(void *address, size_t bytes)
{
	free_pages_at(address, pages_of_bytes(min_size(bytes, KMALLOC_MAX_BYTES)), true,
		      "free_pages_exact()");
}

__visible void stitch_si_meminfo(struct stitch_sysinfo *info)
{
	bool had_slot = mm_thread_has_slot();
	struct pages_count count = { 0 };
	struct highmem_count high = { 0 };

	if (heap_ready()) {
		pages_count(&count);
		highmem_count(&high);
	}
	thread_settle(had_slot);
	*info = (struct stitch_sysinfo){
		.totalram = count.nr_reserved,
		.freeram = count.nr_free,
		.totalhigh = high.nr_frames,
		.freehigh = high.nr_frames - min_size(high.nr_used, high.nr_frames),
		.mem_unit = PAGE_SIZE,
	};
}

/* --- vmalloc ---------------------------------------------------------------------------------- */

static __slow void *stitch_vmalloc_detour(size_t bytes)
{
	return alloc_watched(pages_of_bytes(bytes), 1, STITCH_GFP_KERNEL);
}
STACK_NAME(stitch_vmalloc_detour, "stitch_vmalloc");

__visible void *stitch_vmalloc(size_t bytes)
{
	if (!can_be_had(bytes))
		return NULL;
	return likely(!mm_has_detours()) ?
		       alloc_plain(pages_of_bytes(bytes), 1, STITCH_GFP_KERNEL) :
		       stitch_vmalloc_detour(bytes);
}

#define ZEROED (STITCH_GFP_KERNEL | STITCH__GFP_ZERO)

static __slow void *stitch_vzalloc_detour(size_t bytes)
{
	return alloc_watched(pages_of_bytes(bytes), 1, ZEROED);
}
STACK_NAME(stitch_vzalloc_detour, "stitch_vzalloc");

__visible void *stitch_vzalloc(size_t bytes)
{
	if (!can_be_had(bytes))
		return NULL;
	return likely(!mm_has_detours()) ? alloc_plain(pages_of_bytes(bytes), 1, ZEROED) :
					   stitch_vzalloc_detour(bytes);
}

__visible void stitch_vfree(const void *address)
{
	stitch_kfree(address);
}
