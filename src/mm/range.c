/* range.c - see range.h. */
#include "mm/range.h"

#include "mm/residency.h"
#include "mm/section.h"

static struct pageblock *node_range(struct stitch_rb_node *node)
{
	return stitch_rb_entry(node, struct pageblock, node);
}

static struct pageblock *unit_range(size_t unit)
{
	return pfn_to_pageblock(unit * UNIT_PAGES);
}

static size_t subtree_max(struct stitch_rb_node *node)
{
	return node ? node_range(node)->subtree_max : 0;
}

static uint32_t range_length(const struct pageblock *range)
{
	return range->nr_units;
}

STITCH_RB_DECLARE_CALLBACKS_MAX(static, range_callbacks, struct pageblock, node, uint32_t,
				subtree_max, range_length);

static size_t range_end(const struct pageblock *range)
{
	return range_unit(range) + range->nr_units;
}

static struct stitch_rb_root *root_of(const struct pageblock *range)
{
	return &pageblock_node(range)->ranges[range->part];
}

static void range_insert(struct pageblock *range, size_t nr_units)
{
	struct stitch_rb_root *root = root_of(range);
	struct stitch_rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = range_unit(range) < range_unit(node_range(parent)) ? &parent->rb_left :
									    &parent->rb_right;
	}
	range->kind = PAGEBLOCK_RANGE;
	range->nr_units = (uint32_t)nr_units;
	range->subtree_max = range->nr_units;
	stitch_rb_link_node(&range->node, parent, link);
	range_callbacks.propagate(parent, NULL);
	stitch_rb_insert_augmented(&range->node, root, &range_callbacks);
}

static void range_erase(struct pageblock *range)
{
	stitch_rb_erase_augmented(&range->node, root_of(range), &range_callbacks);
	range->kind = PAGEBLOCK_NONE;
}

static void range_resize(struct pageblock *range, size_t nr_units)
{
	range->nr_units = (uint32_t)nr_units;
	range_callbacks.propagate(&range->node, NULL);
}

static size_t units_touched(size_t unit, size_t nr_units)
{
	return residency_count_touched(unit * UNIT_PAGES, nr_units * UNIT_PAGES);
}

/*
 * Take [unit, unit + nr_units) out of the range that covers it:
 *
 *	|--- left ---|--- taken ---|--- right ---|
 */
void range_clip_locked(struct pageblock *range, size_t unit, size_t nr_units)
{
	size_t left = unit - range_unit(range);
	size_t right = range_end(range) - (unit + nr_units);

	zone.nr_range_touched -= units_touched(unit, nr_units);
	if (left)
		range_resize(range, left);
	else
		range_erase(range);
	if (right)
		range_insert(unit_range(unit + nr_units), right);
}

/*
 * The fitting range that is nearest to the part's packed end: lowest address in LOW, highest in
 * HIGH. A subtree whose maximum is too small is never entered.
 */
static struct pageblock *find_fit(enum range_part part, size_t nr_units)
{
	unsigned int near = part == RANGE_LOW ? 0 : 1;
	struct stitch_rb_node *node = zone_node_tried()->ranges[part].rb_node;

	if (subtree_max(node) < nr_units)
		return NULL;
	for (;;) {
		if (subtree_max(node->rb_child[near]) >= nr_units)
			node = node->rb_child[near];
		else if (node_range(node)->nr_units >= nr_units)
			return node_range(node);
		else
			node = node->rb_child[!near];
	}
}

/*
 * The aligned place in a range that is nearest to the part's packed end. False when there is none.
 * Alignment is that of addresses: units are counted from address 0 here, so that nothing wraps.
 */
static bool aligned_place(const struct pageblock *range, size_t nr_units, size_t align_units,
			  size_t *unit)
{
	size_t base = mm_map.base / UNIT_BYTES;
	size_t first = base + range_unit(range), end = base + range_end(range), place;

	if (range->nr_units < nr_units)
		return false;
	if (range->part == RANGE_LOW)
		place = align_up(first, align_units);
	else
		place = align_down(end - nr_units, align_units);
	*unit = place - base;
	return place >= first && place + nr_units <= end;
}

static bool take_fit(enum range_part part, size_t nr_units, size_t align_units, size_t *unit)
{
	struct pageblock *range = find_fit(part, nr_units + align_units - 1);

	if (!range || !aligned_place(range, nr_units, align_units, unit))
		return false;
	range_clip_locked(range, *unit, nr_units);
	return true;
}

/* The last resort for aligned requests: a range that is long enough and happens to be aligned. */
static bool take_lucky_fit(enum range_part part, size_t nr_units, size_t align_units, size_t *unit)
{
	struct pageblock *range = NULL;

	while ((range = range_next_locked(part, range))) {
		if (!aligned_place(range, nr_units, align_units, unit))
			continue;
		range_clip_locked(range, *unit, nr_units);
		return true;
	}
	return false;
}

/*
 * Units that are free where the part's next growth would begin: growth need only add the rest.
 * Looks at the node's first section only; a mistaken guess costs address space, nothing else.
 */
static size_t free_at_frontier(enum range_part part)
{
	const struct section *section = section_first_of(zone.trying);
	const struct stitch_rb_root *root = &zone_node_tried()->ranges[part];
	struct stitch_rb_node *node = part == RANGE_LOW ? stitch_rb_last(root) :
							  stitch_rb_first(root);

	if (!node || !section)
		return 0;
	if (part == RANGE_LOW)
		return range_end(node_range(node)) == section->low ? node_range(node)->nr_units : 0;
	return range_unit(node_range(node)) == section->high ? node_range(node)->nr_units : 0;
}

static bool open_units(enum range_part part, size_t nr_units)
{
	size_t unit, grown = section_grow_locked(part, nr_units, &unit);

	if (grown)
		range_free_locked(unit, grown);
	return grown;
}

static bool grow(enum range_part part, size_t nr_units, size_t align_units)
{
	size_t wanted = nr_units + align_units - 1;
	size_t at_hand = free_at_frontier(part);

	if (at_hand && at_hand < wanted)
		open_units(part, wanted - at_hand);
	return find_fit(part, wanted) || open_units(part, wanted);
}

static bool take_grown(enum range_part part, size_t nr_units, size_t align_units, size_t *unit)
{
	return grow(part, nr_units, align_units) && take_fit(part, nr_units, align_units, unit);
}

/*
 * When a part cannot grow the other may: before a new piece of HIGH is advised to be huge it is a
 * mapping of its own, for which a program that has used up vm.max_map_count has no room.
 */
bool range_alloc_locked(enum range_part part, size_t nr_units, size_t align_units, size_t *unit)
{
	enum range_part other = part == RANGE_LOW ? RANGE_HIGH : RANGE_LOW;

	if (nr_units + align_units - 1 > mm_map.nr_pages / UNIT_PAGES)
		return false;
	return take_fit(part, nr_units, align_units, unit) ||
	       take_grown(part, nr_units, align_units, unit) ||
	       take_fit(other, nr_units, align_units, unit) ||
	       take_grown(other, nr_units, align_units, unit) ||
	       (align_units > 1 && take_lucky_fit(part, nr_units, align_units, unit));
}

/* Units that are looked at, so that a large heap of which little has frames costs little. */
#define TOUCHED_SEARCH_UNITS 512u

/* The best place so far for nr_pages pages. */
struct search {
	size_t nr_pages, nr_units;
	bool holes; /* are wanted, not touched pages */
	struct pageblock *range;
	size_t unit;
	ptrdiff_t worth;
};

/* Behind the pages that are wanted so few touched ones are not worth looking on for. */
#define FEW_BEHIND 64

/* What is touched and wanted, less what is touched and not: that would be lost to everybody. */
static ptrdiff_t worth_of(const struct search *search, size_t unit, size_t nr_touched)
{
	size_t pfn = unit * UNIT_PAGES + search->nr_pages;
	size_t nr_behind;

	if (search->holes)
		return (ptrdiff_t)(search->nr_units * UNIT_PAGES - nr_touched) + 1;
	if (!nr_touched)
		return 0;
	nr_behind = residency_count_touched(pfn,
					    search->nr_units * UNIT_PAGES - search->nr_pages);
	return (ptrdiff_t)nr_touched - 2 * (ptrdiff_t)nr_behind;
}

static bool is_found(const struct search *search)
{
	if (search->holes)
		return search->worth > (ptrdiff_t)(search->nr_units * UNIT_PAGES);
	return search->worth >= (ptrdiff_t)search->nr_pages - FEW_BEHIND;
}

static void search_range(struct search *search, struct pageblock *range)
{
	size_t unit = range_unit(range);
	size_t last = unit + min_size(range->nr_units - search->nr_units, TOUCHED_SEARCH_UNITS);
	size_t nr_touched = units_touched(unit, search->nr_units);

	for (;; unit++) {
		ptrdiff_t worth = worth_of(search, unit, nr_touched);

		if (worth > search->worth) {
			search->range = range;
			search->unit = unit;
			search->worth = worth;
		}
		if (unit == last || is_found(search))
			return;
		nr_touched += units_touched(unit + search->nr_units, 1) - units_touched(unit, 1);
	}
}

/* Returns whether it has looked at all there is. */
static bool search_part(struct search *search, enum range_part part)
{
	struct pageblock *range = NULL;
	size_t nr_looked = 0;

	if (subtree_max(zone_node_tried()->ranges[part].rb_node) < search->nr_units)
		return true;
	while (nr_looked < TOUCHED_SEARCH_UNITS && !is_found(search) &&
	       (range = range_next_locked(part, range))) {
		if (range->nr_units >= search->nr_units)
			search_range(search, range);
		nr_looked += range->nr_units;
	}
	return nr_looked < TOUCHED_SEARCH_UNITS;
}

bool range_take_resident_locked(enum range_part part, size_t nr_pages, bool full, size_t *unit)
{
	struct search search = { .nr_pages = nr_pages,
				 .nr_units = div_round_up(nr_pages, UNIT_PAGES) };

	if (zone.nr_range_touched < (full ? nr_pages : 1))
		return false;
	search_part(&search, part);
	if (!search.range || (full && residency_count_touched(search.unit * UNIT_PAGES, nr_pages) <
					      nr_pages))
		return false;
	*unit = search.unit;
	range_clip_locked(search.range, search.unit, search.nr_units);
	return true;
}

/* Units that nothing has been in, from the end from which the part is filled. */
static bool take_opened(enum range_part part, size_t nr_units, size_t *unit)
{
	size_t first, grown = section_grow_locked(part, nr_units, &first);

	if (!grown)
		return false;
	*unit = part == RANGE_LOW ? first : first + grown - nr_units;
	if (grown > nr_units)
		range_free_locked(part == RANGE_LOW ? first + nr_units : first, grown - nr_units);
	return true;
}

/* Otherwise address space that nothing has been in is better. */
static bool has_holes_enough(const struct search *search)
{
	return search->worth > (ptrdiff_t)(search->nr_units * UNIT_PAGES - search->nr_pages / 4);
}

/* Where not all was looked at there may be places enough: opening more would not end. */
bool range_take_holes_locked(enum range_part part, size_t nr_pages, size_t *unit)
{
	struct search search = { .nr_pages = nr_pages,
				 .nr_units = div_round_up(nr_pages, UNIT_PAGES),
				 .holes = true };

	if (search_part(&search, part) && !has_holes_enough(&search) &&
	    take_opened(part, search.nr_units, unit))
		return true;
	if (!search.range)
		return false;
	*unit = search.unit;
	range_clip_locked(search.range, search.unit, search.nr_units);
	return true;
}

bool range_take_touched_locked(size_t *unit)
{
	size_t nr_to_look = zone.nr_range_touched ? TOUCHED_SEARCH_UNITS : 0;
	struct pageblock *range = NULL;

	while (nr_to_look && (range = range_next_locked(RANGE_LOW, range))) {
		size_t nr_units = min_size(range->nr_units, nr_to_look), length;
		size_t pfn = residency_find(range_unit(range) * UNIT_PAGES, nr_units * UNIT_PAGES,
					    true, &length);

		nr_to_look -= nr_units;
		if (!length)
			continue;
		*unit = pfn / UNIT_PAGES;
		range_clip_locked(range, *unit, 1);
		return true;
	}
	return false;
}

static bool claim_free(enum range_part part, size_t unit, size_t nr_units)
{
	struct pageblock *range;

	if (!pfn_is_open(unit * UNIT_PAGES))
		return false;
	range = unit_range(unit);
	if (range->kind != PAGEBLOCK_RANGE || range->part != part || range->nr_units < nr_units ||
	    range->nid != zone.trying)
		return false;
	range_clip_locked(range, unit, nr_units);
	return true;
}

/* When what is free from there on ends where the node's first section's LOW does: open the rest. */
static bool grow_from(size_t unit, size_t nr_units)
{
	const struct section *section = section_first_of(zone.trying);
	size_t at_hand = section ? section->low - unit : 0, first, grown;

	if (!section || unit > section->low || at_hand >= nr_units ||
	    section->high - section->low < nr_units - at_hand ||
	    (at_hand && free_at_frontier(RANGE_LOW) != at_hand))
		return false;
	grown = section_grow_locked(RANGE_LOW, nr_units - at_hand, &first);
	if (grown)
		range_free_locked(first, grown);
	return grown;
}

/* What is claimed is of the node that the unit before is of: nothing reaches across. */
bool range_claim_locked(enum range_part part, size_t unit, size_t nr_units)
{
	bool done;

	zone.trying = section_nid(unit - min_size(unit, 1));
	done = claim_free(part, unit, nr_units) ||
	       (part == RANGE_LOW && grow_from(unit, nr_units) &&
		claim_free(part, unit, nr_units));
	zone.trying = 0;
	return done;
}

void range_free_locked(size_t unit, size_t nr_units)
{
	struct pageblock *range = unit_range(unit);
	struct stitch_rb_node *next, *prev;

	zone.nr_range_touched += units_touched(unit, nr_units);
	range_insert(range, nr_units);
	next = stitch_rb_next(&range->node);
	if (next && range_end(range) == range_unit(node_range(next))) {
		nr_units += node_range(next)->nr_units;
		range_erase(node_range(next));
		range_resize(range, nr_units);
	}
	prev = stitch_rb_prev(&range->node);
	if (prev && range_end(node_range(prev)) == range_unit(range)) {
		range_erase(range);
		range_resize(node_range(prev), node_range(prev)->nr_units + nr_units);
	}
}

struct pageblock *range_first_locked(const struct node *of, enum range_part part)
{
	struct stitch_rb_node *node = stitch_rb_first(&of->ranges[part]);

	return node ? node_range(node) : NULL;
}

struct pageblock *range_next_locked(enum range_part part, struct pageblock *range)
{
	struct stitch_rb_node *node;

	if (!range)
		return range_first_locked(zone_node_tried(), part);
	node = stitch_rb_next(&range->node);
	return node ? node_range(node) : NULL;
}
