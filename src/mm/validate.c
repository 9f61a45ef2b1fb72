/*
 * validate.c - the page layer's invariants, checked exactly as zone.h, page_alloc.h, pagerun.h and
 * range.h state them.
 *
 * L3. For tests and debugging: slow, takes LOCK_ZONE.
 */
#include "base/bitmap.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/range.h"
#include "mm/residency.h"
#include "mm/section.h"

/* What a walk over the structures finds; compared with what the zone has counted. */
struct census {
	size_t nr_free;	   /* pages */
	size_t nr_touched; /* of these */
	size_t nr_range_touched;
	unsigned int nid; /* the node that is walked over */
};

static void count_free(struct census *census, size_t pfn, size_t nr_pages)
{
	census->nr_free += nr_pages;
	census->nr_touched += residency_count_touched(pfn, nr_pages);
}

static bool validate_free_block(struct page *page, unsigned int order, enum free_list list,
				unsigned int nid)
{
	size_t pfn = page_to_pfn(page), buddy = pfn ^ ((size_t)1 << order);
	size_t nr_touched = residency_count_touched(pfn, (size_t)1 << order);
	bool buddy_free = order < MAX_PAGE_ORDER && pfn_to_page(buddy)->kind == PAGE_BUDDY &&
			  pfn_to_page(buddy)->order == order;

	return page->kind == PAGE_BUDDY && page->order == order && page_to_nid(page) == nid &&
	       pfn_to_pageblock(pfn)->kind == PAGEBLOCK_BUDDY &&
	       is_aligned(pfn, (size_t)1 << order) && !buddy_free &&
	       (list == FREE_HOLE) == !nr_touched && pagemap_read(pfn) == 0;
}

static bool validate_free_list(unsigned int order, enum free_list list, size_t *nr_blocks,
			       struct census *census)
{
	const struct node *node = &zone.nodes[census->nid];
	struct page *page;

	list_for_each_entry(page, &node->free_area[order].free_list[list], list) {
		if (!validate_free_block(page, order, list, census->nid))
			return false;
		count_free(census, page_to_pfn(page), (size_t)1 << order);
		(*nr_blocks)++;
	}
	return true;
}

static bool validate_buddy(struct census *census)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		size_t nr_blocks = 0;

		if (!validate_free_list(order, FREE_TOUCHED, &nr_blocks, census) ||
		    !validate_free_list(order, FREE_HOLE, &nr_blocks, census) ||
		    nr_blocks != zone.nodes[census->nid].free_area[order].nr_free)
			return false;
	}
	return true;
}

static bool validate_run_block(const struct pageblock *block, unsigned int bucket,
			       struct census *census)
{
	size_t pfn = pageblock_to_pfn(block), end;

	for (size_t bit = 0; bit < PAGEBLOCK_PAGES; bit = end) {
		bit = bitmap_find_next_zero(block->run_map, PAGEBLOCK_PAGES, bit);
		end = bitmap_find_next_set(block->run_map, PAGEBLOCK_PAGES, bit);
		count_free(census, pfn + bit, end - bit);
	}
	return block->kind == PAGEBLOCK_RUNS && block->bucket == bucket &&
	       block->nid == census->nid &&
	       block->longest_free == run_map_longest_free(block->run_map) &&
	       block->nr_used == bitmap_count_range(block->run_map, 0, PAGEBLOCK_PAGES);
}

static bool validate_run_blocks(struct census *census)
{
	const struct node *node = &zone.nodes[census->nid];
	size_t nr_empty = 0;

	for (unsigned int bucket = 0; bucket < NR_RUN_BUCKETS; bucket++) {
		const struct list_head *head = &node->run_buckets[bucket];
		const struct pageblock *block;

		if (list_empty(head) != !(node->run_bucket_mask >> bucket & 1))
			return false;
		list_for_each_entry(block, head, list) {
			if (!validate_run_block(block, bucket, census))
				return false;
			nr_empty += !block->nr_used;
		}
	}
	return nr_empty == node->nr_empty_run_blocks && nr_empty <= 1;
}

static size_t subtree_max_of(struct stitch_rb_node *node)
{
	return node ? stitch_rb_entry(node, struct pageblock, node)->subtree_max : 0;
}

static bool validate_range(const struct pageblock *range, enum range_part part)
{
	size_t longest = max_size(subtree_max_of(range->node.rb_left),
				  subtree_max_of(range->node.rb_right));

	return range->kind == PAGEBLOCK_RANGE && range->part == part && range->nr_units > 0 &&
	       range->subtree_max == max_size(longest, range->nr_units);
}

static bool validate_ranges(enum range_part part, struct census *census)
{
	const struct node *node = &zone.nodes[census->nid];
	struct pageblock *range = range_first_locked(node, part);
	size_t last_end = 0;

	if (!stitch_rb_validate(&node->ranges[part]))
		return false;
	for (; range; range = range_next_locked(part, range)) {
		size_t unit = range_unit(range), last = unit + range->nr_units - 1;

		if (!validate_range(range, part) || (last_end && unit <= last_end) ||
		    section_nid(unit) != census->nid || section_nid(last) != census->nid ||
		    range->nid != census->nid)
			return false;
		count_free(census, unit * UNIT_PAGES, range->nr_units * UNIT_PAGES);
		last_end = unit + range->nr_units;
	}
	return true;
}

/*
 * Areas are counted by the pages that were asked for: the rest of their last unit is neither free
 * nor used, so the sum may fall short by less than a unit an area.
 */
static bool validate_sums(const struct census *census)
{
	size_t used = 0;

	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		used += zone.nr_used[use];
	return census->nr_free + used <= zone.nr_opened &&
	       (zone.nr_used[USE_AREA] || census->nr_free + used == zone.nr_opened) &&
	       census->nr_touched == zone.nr_free_touched &&
	       census->nr_range_touched == zone.nr_range_touched;
}

static bool validate_node(struct census *census)
{
	size_t nr_touched = census->nr_touched;

	if (!validate_ranges(RANGE_LOW, census) || !validate_ranges(RANGE_HIGH, census))
		return false;
	census->nr_range_touched += census->nr_touched - nr_touched;
	return validate_buddy(census) && validate_run_blocks(census);
}

bool validate_zone(void)
{
	struct census census = { 0 };
	bool valid = true;

	zone_lock();
	for (; valid && census.nid < zone.nr_nodes; census.nid++)
		valid = validate_node(&census);
	valid = valid && validate_sums(&census) && !zone.trying && validate_mem_cgroups_locked();
	zone_unlock();
	return valid;
}
