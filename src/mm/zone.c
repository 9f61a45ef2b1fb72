/* zone.c - see zone.h. */
#include "mm/zone.h"

#include "core/params.h"

struct zone zone;

void zone_lock(void)
{
	lock_acquire(LOCK_ZONE);
}

void zone_unlock(void)
{
	lock_release(LOCK_ZONE);
}

struct page *zone_alloc(struct page *(*alloc)(size_t nr_pages, size_t align), size_t nr_pages,
			size_t align)
{
	struct page *page;
	bool wait;

	zone_lock();
	page = alloc(nr_pages, align);
	wait = !page && zone.nr_isolated;
	zone_unlock();
	if (likely(!wait))
		return page;
	lock_acquire(LOCK_RECLAIM);
	zone_lock();
	page = alloc(nr_pages, align);
	zone_unlock();
	lock_release(LOCK_RECLAIM);
	return page;
}

void zone_init(void)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		for (unsigned int list = 0; list < NR_FREE_LISTS; list++)
			INIT_LIST_HEAD(&zone.free_area[order].free_list[list]);
	for (unsigned int bucket = 0; bucket < NR_RUN_BUCKETS; bucket++)
		INIT_LIST_HEAD(&zone.run_buckets[bucket]);
	zone.watermark[WMARK_HIGH] = params.retain / PAGE_SIZE;
	zone.watermark[WMARK_LOW] = zone.watermark[WMARK_HIGH] / 2;
	zone.now = zone_tick(0);
}

void zone_count_locked(enum page_use use, ptrdiff_t nr_pages)
{
	size_t sum = 0;

	WRITE_ONCE(zone.nr_used[use], zone.nr_used[use] + (size_t)nr_pages);
	for (unsigned int u = 0; u < NR_PAGE_USES; u++)
		sum += zone.nr_used[u];
	WRITE_ONCE(zone.peak_used, max_size(zone.peak_used, sum));
	WRITE_ONCE(zone.nr_free_in_peak, zone_peak_pages() - sum);
}
