/* clear.c - see clear.h. */
#include "kmalloc/clear.h"

#include <string.h>

#include "kmalloc/gate.h"
#include "mm/residency.h"
#include "os/os.h"
#include "os/os_move.h"

/*
 * Whoever had the pages before need not have touched all of them, and to clear one that has no
 * frame costs a page fault. From this length on the kernel is asked; a question costs as much as
 * clearing a few pages.
 */
#define ASK_MIN_PAGES 32u
#define ASK_MAX_PAGES 512u

/* The first stretch of touched pages in [*pfn, end): returns its length and moves *pfn there. */
static size_t find_touched(size_t *pfn, size_t end)
{
	gate_pass *pass = gate_enter_soon();
	size_t nr_pages;

	if (!pass)
		return end - *pfn; /* all that is left may be */
	zone_lock();
	*pfn = residency_find(*pfn, end - *pfn, true, &nr_pages);
	zone_unlock();
	gate_leave(pass);
	return nr_pages;
}

/* Pages that mincore calls absent may be swapped out: dropped, they are zero for certain. */
static void clear_stretch(size_t pfn, size_t nr_pages, bool resident)
{
	if (resident || os_purge(pfn_to_virt(pfn), nr_pages * PAGE_SIZE))
		memset(pfn_to_virt(pfn), 0, nr_pages * PAGE_SIZE);
}

static size_t stretch_length(const unsigned char *resident, size_t nr_pages)
{
	size_t length = 1;

	while (length < nr_pages && !((resident[length] ^ resident[0]) & 1))
		length++;
	return length;
}

/* At most ASK_MAX_PAGES. */
static void clear_asking(size_t pfn, size_t nr_pages)
{
	unsigned char resident[ASK_MAX_PAGES];
	size_t length;

	if (os_mincore(pfn_to_virt(pfn), nr_pages * PAGE_SIZE, resident)) {
		clear_stretch(pfn, nr_pages, true);
		return;
	}
	for (size_t i = 0; i < nr_pages; i += length) {
		length = stretch_length(resident + i, nr_pages - i);
		clear_stretch(pfn + i, length, resident[i] & 1);
	}
}

static void clear_pages(size_t pfn, size_t nr_pages)
{
	size_t end = pfn + nr_pages;
	bool may_ask = nr_pages >= ASK_MIN_PAGES && !os_is_filtered();

	for (; may_ask && end - pfn >= ASK_MIN_PAGES; pfn += nr_pages) {
		nr_pages = min_size(end - pfn, ASK_MAX_PAGES);
		clear_asking(pfn, nr_pages);
	}
	memset(pfn_to_virt(pfn), 0, (end - pfn) * PAGE_SIZE);
}

void clear_touched(struct page *page, size_t bytes)
{
	size_t pfn = page_to_pfn(page), end = pfn + div_round_up(bytes, PAGE_SIZE), nr_pages;

	for (; pfn < end; pfn += nr_pages) {
		nr_pages = find_touched(&pfn, end);
		if (nr_pages)
			clear_pages(pfn, nr_pages);
	}
}

void clear_stocked(struct page *page, size_t bytes)
{
	clear_pages(page_to_pfn(page), div_round_up(bytes, PAGE_SIZE));
}
