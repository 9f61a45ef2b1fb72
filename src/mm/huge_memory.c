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

/* Written at boot, but for the step from HUGE_ON_ADVICE to HUGE_ADVISED (LOCK_ZONE). */
static enum huge_state {
	HUGE_NEVER,	/* asked for: thp=never */
	HUGE_ON_ADVICE, /* where the program advises it, or the system's setting cannot be read */
	HUGE_ADVISED,	/* we have advised it for HIGH */
	HUGE_ALWAYS,	/* wherever it is not forbidden: areas need no proof */
} state;

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
	if (part == RANGE_HIGH && state >= HUGE_ADVISED)
		os_want_huge_pages(address, bytes);
}

static size_t proved_pages(void)
{
	return zone.nr_used[USE_SLAB] + zone.nr_used[USE_RUN];
}

static void advise_high(void)
{
	state = HUGE_ADVISED;
	for (unsigned int s = 0; s < zone.nr_sections; s++) {
		const struct section *section = &zone.sections[s];
		size_t nr_units = section->end - section->high;

		if (nr_units)
			os_want_huge_pages(pfn_to_virt(section->high * UNIT_PAGES),
					   nr_units * UNIT_BYTES);
	}
}

static bool is_large(void)
{
	return params.thp == THP_ALWAYS || proved_pages() >= LARGE_HEAP_PAGES;
}

enum range_part huge_buddy_part_locked(void)
{
	if (state == HUGE_ON_ADVICE && is_large())
		advise_high();
	return state == HUGE_ADVISED || (state == HUGE_ALWAYS && is_large()) ? RANGE_HIGH :
									       RANGE_LOW;
}

enum range_part huge_area_part_locked(size_t nr_pages)
{
	size_t waste = align_up(nr_pages, PAGEBLOCK_PAGES) - nr_pages;

	if (params.thp == THP_ALWAYS)
		return RANGE_HIGH;
	if (state < HUGE_ADVISED || waste > nr_pages / AREA_WASTE_SHARE ||
	    (state == HUGE_ADVISED && nr_pages > proved_pages()))
		return RANGE_LOW;
	return RANGE_HIGH;
}

void huge_take_locked(struct pageblock *block)
{
	size_t pfn = pageblock_to_pfn(block);

	if (block->part == RANGE_LOW || state < HUGE_ADVISED ||
	    residency_count_touched(pfn, PAGEBLOCK_PAGES))
		return;
	residency_note_used(pfn, PAGEBLOCK_PAGES);
	residency_note_freed(pfn, PAGEBLOCK_PAGES);
	block->huge = true;
}
