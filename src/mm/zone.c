/* zone.c - see zone.h. */
#include "mm/zone.h"

#include "core/params.h"
#include "mm/node.h"

struct zone zone;

void zone_lock(void)
{
	lock_acquire(LOCK_ZONE);
}

void zone_unlock(void)
{
	lock_release(LOCK_ZONE);
}

/* The thread's node has been tried: the others as numbers follow. */
static __slow struct page *fall_back(struct page *(*alloc)(size_t nr_pages, size_t align),
				     unsigned int nid, size_t nr_pages, size_t align)
{
	struct page *page = NULL;

	for (unsigned int n = 1; n < zone.nr_nodes && !page; n++) {
		zone.trying = (nid + n) % zone.nr_nodes;
		page = alloc(nr_pages, align);
	}
	return page;
}

static __slow struct page *alloc_of_nodes(struct page *(*alloc)(size_t nr_pages, size_t align),
					  size_t nr_pages, size_t align)
{
	unsigned int nid = node_wanted();
	struct page *page;

	zone.trying = nid;
	page = alloc(nr_pages, align);
	if (!page && !(active_node & NODE_STRICT))
		page = fall_back(alloc, nid, nr_pages, align);
	zone.trying = 0;
	return page;
}

struct page *zone_alloc_locked(struct page *(*alloc)(size_t nr_pages, size_t align),
			       enum page_use use, size_t nr_pages, size_t align)
{
	if (!zone_has_room_locked(use, nr_pages))
		return NULL;
	if (likely(zone.nr_nodes == 1))
		return alloc(nr_pages, align);
	return alloc_of_nodes(alloc, nr_pages, align);
}

struct page *zone_alloc_near_locked(struct page *(*alloc)(size_t nr_pages, size_t align),
				    enum page_use use, size_t nr_pages, size_t align)
{
	uint8_t before = active_node;
	struct page *page;

	if (likely(zone.nr_nodes == 1))
		return zone_alloc_locked(alloc, use, nr_pages, align);
	active_node = before | NODE_STRICT;
	page = zone_alloc_locked(alloc, use, nr_pages, align);
	active_node = before;
	return page;
}

struct page *zone_alloc(struct page *(*alloc)(size_t nr_pages, size_t align), enum page_use use,
			size_t nr_pages, size_t align)
{
	struct page *page;
	bool wait;

	zone_lock();
	page = zone_alloc_locked(alloc, use, nr_pages, align);
	wait = !page && zone.nr_isolated && mem_cgroup_has_room_locked(charged_memcg, nr_pages);
	if (!page)
		mem_cgroup_note_failure_locked(nr_pages);
	zone_unlock();
	if (likely(!wait))
		return page;
	lock_acquire(LOCK_RECLAIM);
	zone_lock();
	page = zone_alloc_locked(alloc, use, nr_pages, align);
	zone_unlock();
	lock_release(LOCK_RECLAIM);
	return page;
}

static void node_init(struct node *node)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		for (unsigned int list = 0; list < NR_FREE_LISTS; list++)
			INIT_LIST_HEAD(&node->free_area[order].free_list[list]);
	for (unsigned int bucket = 0; bucket < NR_RUN_BUCKETS; bucket++)
		INIT_LIST_HEAD(&node->run_buckets[bucket]);
}

void zone_init(void)
{
	zone.nr_nodes = nodes_boot();
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		node_init(&zone.nodes[nid]);
	zone.watermark[WMARK_HIGH] = params.retain / PAGE_SIZE;
	zone.watermark[WMARK_LOW] = zone.watermark[WMARK_HIGH] / 2;
	zone.now = zone_tick(0);
}

/* What limits are compared with. */
static size_t nr_counted_pages(void)
{
	return zone_used_pages() + READ_ONCE(zone.nr_lowmem);
}

/* --- limits ----------------------------------------------------------------------------------- */

/* Who is refused memory needs some to put things right. */
#define LEAST_CUSHION_PAGES (KIB(256) / PAGE_SIZE)
#define MOST_CUSHION_PAGES (MIB(16) / PAGE_SIZE)
#define CUSHION_SHARE 32u

bool zone_is_bounded(void)
{
	return params.limit || params.soft_limit;
}

bool zone_is_limited(void)
{
	return params.limit;
}

bool zone_could_have(size_t nr_pages)
{
	return nr_pages <= (params.limit ? params.limit / PAGE_SIZE : READ_ONCE(zone.peak_used));
}

bool zone_is_crowded(void)
{
	return unlikely(params.soft_limit) && nr_counted_pages() > params.soft_limit / PAGE_SIZE;
}

static size_t cushion_pages(size_t limit)
{
	return min_size(max_size(limit / CUSHION_SHARE, LEAST_CUSHION_PAGES), MOST_CUSHION_PAGES);
}

bool zone_is_within_limit_locked(enum page_use use, size_t nr_pages)
{
	size_t limit = params.limit / PAGE_SIZE;

	if (likely(!params.limit))
		return true;
	if (use == USE_SLAB)
		limit += cushion_pages(limit);
	return nr_counted_pages() + nr_pages <= limit;
}

bool zone_has_room_locked(enum page_use use, size_t nr_pages)
{
	return zone_is_within_limit_locked(use, nr_pages) &&
	       mem_cgroup_has_room_locked(charged_memcg, nr_pages);
}

bool zone_has_room_for_locked(const struct page *head, enum page_use use, size_t nr_pages)
{
	return zone_is_within_limit_locked(use, nr_pages) &&
	       mem_cgroup_has_room_locked(head->memcg, nr_pages);
}

/* What the other zones have is none of the heap's. */
static size_t pages_of_limit(size_t limit)
{
	return limit / PAGE_SIZE - min_size(zone.nr_lowmem, limit / PAGE_SIZE);
}

/* What pages in use and free ones with frames may be together. */
static size_t most_pages(void)
{
	size_t nr_pages = zone_peak_pages();

	if (unlikely(params.limit))
		nr_pages = min_size(nr_pages, pages_of_limit(params.limit));
	if (unlikely(params.soft_limit))
		nr_pages = min_size(nr_pages, pages_of_limit(params.soft_limit));
	return nr_pages;
}

void zone_count_locked(enum page_use use, ptrdiff_t nr_pages)
{
	size_t sum, frames, most;

	WRITE_ONCE(zone.nr_used[use], zone.nr_used[use] + (size_t)nr_pages);
	sum = zone_used_pages();
	frames = zone_is_bounded() ? sum : sum - zone.nr_spared; /* no limit rests on a guess */
	WRITE_ONCE(zone.peak_used, max_size(zone.peak_used, sum));
	WRITE_ONCE(zone.peak_frames, max_size(zone.peak_frames, frames));
	most = most_pages();
	WRITE_ONCE(zone.nr_free_in_peak, most - min_size(most, frames));
}

void zone_lower_peak_locked(size_t nr_pages)
{
	WRITE_ONCE(zone.peak_frames, zone.peak_frames - min_size(nr_pages, zone.peak_frames));
}

void zone_recharge_locked(const struct page *head, enum page_use use, ptrdiff_t nr_pages)
{
	mem_cgroup_count_locked(head->memcg, use, nr_pages);
	zone_count_locked(use, nr_pages);
}

void zone_charge_locked(struct page *head, enum page_use use, size_t nr_pages)
{
	head->memcg = charged_memcg;
	zone_recharge_locked(head, use, (ptrdiff_t)nr_pages);
}
