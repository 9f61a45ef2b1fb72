/* huge_memory.c - see huge_memory.h. */
#include "mm/huge_memory.h"

#include <string.h>

#include "core/params.h"
#include "mm/residency.h"
#include "os/os.h"

#define SETTING_FILE "/sys/kernel/mm/transparent_hugepage/enabled"

/*
 * Slabs and page runs in use that prove a heap to be large. What may be wasted, a huge page that is
 * hardly used for slabs and one for runs, is 3 % of it.
 */
#define LARGE_HEAP_PAGES (MIB(128) / PAGE_SIZE)
/* Of an area: what its last huge page may have beyond its end. */
#define AREA_WASTE_SHARE 16u

/* Written at boot. */
static enum huge_state {
	HUGE_NEVER,	/* here, or asked for: thp=never */
	HUGE_ON_ADVICE, /* where a program asks for them, or the setting cannot be read */
	HUGE_ALWAYS,	/* wherever it is not forbidden: areas need no proof */
} state;

/* Areas that still go without. LOCK_ZONE. */
static unsigned int nr_refraining;

void huge_boot(void)
{
	char setting[64] = { 0 };

	state = params.thp == THP_NEVER ? HUGE_NEVER : HUGE_ON_ADVICE;
	if (state == HUGE_NEVER || os_read_file(SETTING_FILE, setting, sizeof(setting) - 1) <= 0)
		return;
	if (strstr(setting, "[always]"))
		state = HUGE_ALWAYS;
	else if (strstr(setting, "[never]"))
		state = HUGE_NEVER;
}

/* -EINVAL from a kernel without huge pages, -ENOMEM with no mapping to spare: as it is. */
void huge_advise_reserved(void *address, size_t bytes)
{
	os_forbid_huge_pages(address, bytes);
}

void huge_advise_opened(enum range_part part, void *address, size_t bytes)
{
	if (part == RANGE_HIGH && state != HUGE_NEVER)
		os_want_huge_pages(address, bytes);
}

void huge_advise_mapping(void *address, size_t bytes)
{
	huge_advise_opened(RANGE_HIGH, address, bytes);
}

static size_t proved_pages(void)
{
	return zone.nr_used[USE_SLAB] + zone.nr_used[USE_RUN];
}

static bool is_large(void)
{
	return params.thp == THP_ALWAYS || proved_pages() >= LARGE_HEAP_PAGES;
}

bool huge_suits_area(size_t nr_pages)
{
	size_t waste = align_up(nr_pages, PAGEBLOCK_PAGES) - nr_pages;

	return waste <= nr_pages / AREA_WASTE_SHARE;
}

void huge_refrain(unsigned int nr_areas)
{
	zone_lock();
	nr_refraining = nr_areas;
	zone_unlock();
}

void huge_note_area_locked(void)
{
	nr_refraining -= nr_refraining > 0;
}

enum range_part huge_area_part_locked(size_t nr_pages)
{
	bool proved = state == HUGE_ALWAYS || (is_large() && nr_pages <= proved_pages());

	if (params.thp == THP_ALWAYS)
		return RANGE_HIGH;
	if (state == HUGE_NEVER || !proved || !huge_suits_area(nr_pages))
		return RANGE_LOW;
	return nr_refraining ? RANGE_LOW : RANGE_HIGH;
}

/* False: the kernel has no huge page for it, or no mapping to spare. */
static bool make_huge(char *address)
{
	unsigned char resident = 0;

	if (os_want_huge_pages(address, PAGEBLOCK_PAGES * PAGE_SIZE))
		return false;
	*(volatile char *)address = 0;
	os_forbid_huge_pages(address, PAGEBLOCK_PAGES * PAGE_SIZE);
	/* Has the first page brought the others? */
	return !os_mincore(address + PAGE_SIZE, PAGE_SIZE, &resident) && resident & 1;
}

void huge_take_locked(struct pageblock *block, unsigned int order)
{
	size_t pfn = pageblock_to_pfn(block);
	bool for_runs = order >= PAGEBLOCK_ORDER && params.thp != THP_ALWAYS;

	if (state == HUGE_NEVER || for_runs || !is_large() ||
	    residency_count_touched(pfn, PAGEBLOCK_PAGES) || !make_huge(pfn_to_virt(pfn)))
		return;
	residency_note_used(pfn, PAGEBLOCK_PAGES);
	residency_note_freed(pfn, PAGEBLOCK_PAGES);
	WRITE_ONCE(block->huge, HUGE_WHOLE);
}
