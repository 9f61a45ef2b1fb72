/* stitch_source.c - see stitch_source.h. */
#include "vmalloc/stitch_source.h"

#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"

/* Bounds of what one batch looks at under the zone lock: some 50 us. */
#define MAX_UNITS 256u
#define MAX_BLOCKS 64u
#define MAX_RUN_BLOCKS 512u

static struct node *node_of(const struct source_batch *batch)
{
	return &zone.nodes[batch->nid];
}

static bool is_full(const struct source_batch *batch)
{
	return batch->nr_pages >= batch->nr_wanted || batch->nr_extents == SOURCE_BATCH ||
	       batch->nr_runs == SOURCE_BATCH;
}

struct source_run source_next_run(size_t *pfn, size_t end, size_t min_pages)
{
	struct source_run run = { 0 };

	while (*pfn < end) {
		size_t stop = min_size(end, align_down(*pfn, PAGEBLOCK_PAGES) + PAGEBLOCK_PAGES);

		run.pfn = residency_find(*pfn, stop - *pfn, true, &run.nr_pages);
		*pfn = run.nr_pages ? run.pfn + run.nr_pages : stop;
		if (run.nr_pages >= min_pages)
			return run;
	}
	return (struct source_run){ 0 };
}

static bool is_fit(const struct source_batch *batch, const struct pageblock *block)
{
	return batch->min_pages == PAGEBLOCK_PAGES ||
	       !(block->huge || (batch->no_high && block->part == RANGE_HIGH));
}

/* As source_next_run, of those that the batch may have. */
static struct source_run next_fit(const struct source_batch *batch, size_t *pfn, size_t end)
{
	struct source_run run;

	do
		run = source_next_run(pfn, end, batch->min_pages);
	while (run.nr_pages && !is_fit(batch, pfn_to_pageblock(run.pfn)));
	return run;
}

static bool has_run(const struct source_batch *batch, size_t pfn, size_t nr_pages)
{
	return next_fit(batch, &pfn, pfn + nr_pages).nr_pages;
}

/* What does not fit on the list stays where it is. */
static void add_extent(struct source_batch *batch, struct extent extent)
{
	size_t pfn = extent.pfn, end = pfn + extent.nr_pages;
	struct source_run run;

	batch->extents[batch->nr_extents++] = extent;
	while (!is_full(batch) && (run = next_fit(batch, &pfn, end)).nr_pages) {
		batch->runs[batch->nr_runs++] = run;
		batch->nr_pages += run.nr_pages;
	}
}

/* A range changes when units are taken out of it: the walk goes on by address. */
static void search_range(struct source_batch *batch, struct pageblock *range, size_t *nr_looked)
{
	size_t unit = range_unit(range), end = unit + range->nr_units;

	for (; unit < end && !is_full(batch) && *nr_looked < MAX_UNITS; unit++, (*nr_looked)++) {
		if (!has_run(batch, unit * UNIT_PAGES, UNIT_PAGES))
			continue;
		add_extent(batch, isolate_units_locked(range, unit, 1));
		if (unit + 1 < end)
			range = pfn_to_pageblock((unit + 1) * UNIT_PAGES);
	}
}

static void search_ranges(struct source_batch *batch, enum range_part part)
{
	struct pageblock *range = range_first_locked(node_of(batch), part), *next;
	size_t nr_looked = 0;

	if (zone.nr_range_touched < batch->min_pages)
		return;
	for (; range && !is_full(batch) && nr_looked < MAX_UNITS; range = next) {
		next = range_next_locked(part, range);
		search_range(batch, range, &nr_looked);
	}
}

static void search_order(struct source_batch *batch, unsigned int order)
{
	struct list_head *touched = &node_of(batch)->free_area[order].free_list[FREE_TOUCHED];
	struct page *page, *next;
	unsigned int nr_looked = 0;

	list_for_each_entry_safe(page, next, touched, list) {
		if (is_full(batch) || ++nr_looked > MAX_BLOCKS)
			return;
		if (has_run(batch, page_to_pfn(page), (size_t)1 << order))
			add_extent(batch, isolate_block_locked(page));
	}
}

static void search_buddy(struct source_batch *batch)
{
	unsigned int lowest = ilog2(batch->min_pages);

	for (unsigned int order = MAX_PAGE_ORDER; order + 1 > lowest; order--)
		search_order(batch, order);
}

/* Cheaper than looking for runs. */
static size_t count_free_touched(const struct pageblock *block)
{
	size_t nr_pages = 0;

	for (unsigned int w = 0; w < PAGEBLOCK_WORDS; w++)
		nr_pages += popcount64(~block->run_map[w] & block->touched[w]);
	return nr_pages;
}

static void search_run_block(struct source_batch *batch, struct pageblock *block)
{
	size_t bit = 0;

	if (count_free_touched(block) < batch->min_pages || !is_fit(batch, block))
		return;
	while (bit < PAGEBLOCK_PAGES && !is_full(batch)) {
		struct extent extent = isolate_run_locked(block, &bit, batch->min_pages);

		if (extent.nr_pages)
			add_extent(batch, extent);
	}
}

/*
 * Blocks with long free runs first. Who has been looked at goes to the tail, so that the next batch
 * begins with others: most of what is free there may have lost its frames long since.
 */
static void search_run_blocks(struct source_batch *batch)
{
	struct node *node = node_of(batch);
	unsigned int nr_looked = 0;

	for (unsigned int bucket = NR_RUN_BUCKETS; bucket-- > run_bucket_of(batch->min_pages);) {
		struct list_head *head = &node->run_buckets[bucket], *last = head->prev;

		for (bool more = !list_empty(head); more;) {
			struct list_head *entry = head->next;

			more = entry != last;
			if (is_full(batch) || ++nr_looked > MAX_RUN_BLOCKS)
				return;
			list_move_tail(entry, head);
			search_run_block(batch, list_entry(entry, struct pageblock, list));
		}
	}
}

bool source_batch_isolate(struct source_batch *batch)
{
	batch->nr_extents = batch->nr_runs = 0;
	batch->nr_pages = 0;
	zone_lock();
	if (batch->from_ranges) {
		search_ranges(batch, RANGE_LOW);
		search_ranges(batch, RANGE_HIGH);
	} else {
		search_run_blocks(batch);
		search_buddy(batch);
	}
	zone.nr_isolated = batch->nr_extents;
	zone_unlock();
	return batch->nr_extents;
}

void source_batch_put_back(const struct source_batch *batch)
{
	zone_lock();
	for (unsigned int i = 0; i < batch->nr_extents; i++)
		unisolate_locked(&batch->extents[i]);
	zone.nr_isolated = 0;
	zone_unlock();
}
