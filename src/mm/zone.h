/*
 * zone.h - the state of the page layer, and what its files offer each other.
 *
 * L3. The zone NORMAL, which is the heap; others are in lowmem.h and highmem.h. Its free memory is
 * kept by node (mm/node.h); what is counted, and what limits and decay are about, is the zone's.
 * LOCK_ZONE protects everything here, and every struct page and struct pageblock that is not handed
 * out. Functions named _locked want it held.
 *
 * Where a page can be (validate_zone checks that these add up to the opened pages):
 *
 *	opened = ranges + buddy + (free in run blocks) + slab + run + area
 */
#ifndef MM_ZONE_H
#define MM_ZONE_H

#include "base/math.h"
#include "core/lock.h"
#include "mm/memcontrol.h"
#include "mm/memmap.h"

/*
 * The heap's two parts (mm/huge_memory.h). LOW grows upwards: slabs, page runs, areas. HIGH grows
 * downwards: areas that huge pages suit. Each is one mapping, however large.
 */
enum range_part { RANGE_LOW, RANGE_HIGH, NR_RANGE_PARTS };

/*
 * A reserved piece of the window, in units:
 *
 *	start        low               high        end
 *	  | opened LOW | not opened yet | opened HIGH |
 */
struct section {
	size_t start, low, high, end;
	unsigned int nid; /* the node that it is of */
};

#define MAX_SECTIONS 32u

/* Free lists of one order: blocks with a touched page come first, they cost no page fault. */
enum free_list { FREE_TOUCHED, FREE_HOLE, NR_FREE_LISTS };

struct free_area {
	struct list_head free_list[NR_FREE_LISTS];
	size_t nr_free;
};

/* Lists of run blocks by their longest free run; exact below 16 pages, a quarter octave above. */
#define NR_RUN_BUCKETS 41u

/* Bounds of free pages with frames (mm/decay.h). */
enum watermark { WMARK_LOW, WMARK_HIGH, NR_WATERMARKS };

#define MAX_NODES 8u

/* Where free memory of a node is: whole sections are of one, so that nothing merges across. */
struct node {
	struct free_area free_area[NR_PAGE_ORDERS];
	struct list_head run_buckets[NR_RUN_BUCKETS];
	uint64_t run_bucket_mask; /* bit b: run_buckets[b] is not empty */
	struct stitch_rb_root ranges[NR_RANGE_PARTS];
	unsigned int nr_empty_run_blocks; /* kept for the next run; 0 or 1 */
};

struct zone {
	unsigned int nr_nodes; /* constant after boot */
	unsigned int trying;   /* the node that memory is taken of, by number; 0 between requests */
	struct section sections[MAX_SECTIONS];
	unsigned int nr_sections;
	size_t nr_opened;	  /* pages */
	size_t nr_free_touched;	  /* free pages, wherever they are, that are not HOLE */
	size_t nr_range_touched;  /* of these, those in free ranges */
	size_t nr_slack_touched;  /* pages with frames behind the ends of areas */
	size_t nr_kept_outside;	  /* pages kept for reuse that are not the heap's; LOCK_MAPPINGS */
	size_t nr_lowmem;	  /* pages of other zones (mm/lowmem.h), counted for limits only */
	size_t nr_holes_used;	  /* HOLE pages given to the program, ever */
	size_t nr_holes_filled;	  /* of these, filled before it saw them (vmalloc/stitch.h) */
	size_t watermark[NR_WATERMARKS]; /* pages; LOCK_RECLAIM */
	size_t nr_free_in_peak;	  /* free pages with which the heap is no larger than at its peak,
				   * or than a limit lets it be */
	size_t nr_free_beyond;	  /* how many more may be (mm/decay.h); LOCK_RECLAIM */
	uint16_t now;		  /* zone_tick when somebody last looked at the clock */
	size_t nr_isolated;	  /* extents that mm/reclaim.c holds at this moment */
	size_t nr_used[NR_PAGE_USES];
	size_t nr_spared;   /* of all areas (vmalloc/sparse.h) */
	size_t peak_used;   /* highest sum of nr_used */
	size_t peak_frames; /* the same; without limits, less nr_spared as far as known */
	size_t peak_shared; /* peak_frames when slots last gave up what they keep for themselves */
	struct node nodes[MAX_NODES]; /* the first one beside what is above */
	struct mem_cgroup memcg[MAX_MEM_CGROUPS]; /* mm/memcontrol.h; the first is none */
};

extern struct zone zone;

/* The node that is being tried: the only one that memory comes from, and that grows. */
static inline struct node *zone_node_tried(void)
{
	return &zone.nodes[zone.trying];
}

/* Whose the pageblock is: its free pages go there, whoever frees them. */
static inline struct node *pageblock_node(const struct pageblock *block)
{
	return &zone.nodes[block->nid];
}

static inline unsigned int page_to_nid(const struct page *page)
{
	return pfn_to_pageblock(page_to_pfn(page))->nid;
}

/* What is charged to no group; usage and peak are those of all. */
static inline struct mem_cgroup zone_of_no_memcg(const struct zone *z)
{
	struct mem_cgroup nobody = { .peak = z->peak_used, .max = NO_MEMCG_LIMIT };

	for (unsigned int use = 0; use < NR_PAGE_USES; use++) {
		size_t charged = 0;

		for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++)
			charged += z->memcg[id].nr_used[use];
		nobody.usage += z->nr_used[use];
		/* A report's copy of the zone is of several moments. */
		nobody.nr_used[use] = z->nr_used[use] - min_size(charged, z->nr_used[use]);
	}
	return nobody;
}

/* The coarse time by which pageblocks age, in units of 64 ms; never 0. */
#define TICK_MS 64u
static inline uint16_t zone_tick(uint64_t ms)
{
	uint16_t tick = (uint16_t)(ms / TICK_MS);

	return tick ? tick : 1;
}

/* What the heap may have in frames without being larger than at its peak: a little more. */
static inline size_t zone_peak_pages(void)
{
	size_t nr_pages = READ_ONCE(zone.peak_frames);

	return nr_pages + nr_pages / 128;
}

/* Pages in use. Racy without the lock. */
static inline size_t zone_used_pages(void)
{
	size_t sum = 0;

	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		sum += READ_ONCE(zone.nr_used[use]);
	return sum;
}

/*
 * Since *seen, which is set to now then, untouched pages have been handed out: so many, and a share
 * of what is in use. Who keeps free pages or objects gives them up then before it asks for more. A
 * heap that does not grow asks nobody to, and one that does not too often. Racy and cheap.
 */
#define ZONE_GROWTH_PAGES 8u
#define ZONE_GROWTH_SHARE 256u
static inline bool zone_has_grown(size_t *seen)
{
	size_t nr_faulted = READ_ONCE(zone.nr_holes_used) - READ_ONCE(zone.nr_holes_filled);

	if (nr_faulted - *seen < ZONE_GROWTH_PAGES)
		return false;
	/* Holes are filled after they have been counted: it may have been more. */
	if (nr_faulted > *seen && nr_faulted - *seen < zone_used_pages() / ZONE_GROWTH_SHARE)
		return false;
	*seen = nr_faulted;
	return true;
}

/*
 * The same for what others keep, which may be asleep: they have to be kept out of their slow paths,
 * so that it is done when a heap of some hundred KiB has grown by a sixteenth. Racy and cheap.
 */
#define ZONE_OUTGROWN_PAGES 64u
#define ZONE_OUTGROWN_SHARE 16u
static inline bool zone_is_outgrown(void)
{
	size_t before = READ_ONCE(zone.peak_shared);

	return READ_ONCE(zone.peak_frames) >=
	       before + before / ZONE_OUTGROWN_SHARE + ZONE_OUTGROWN_PAGES;
}

/* Under the lock; decay_is_due() looks without it. */
static inline void zone_add_free_touched(size_t nr_pages)
{
	WRITE_ONCE(zone.nr_free_touched, zone.nr_free_touched + nr_pages);
}

static inline void zone_sub_free_touched(size_t nr_pages)
{
	WRITE_ONCE(zone.nr_free_touched, zone.nr_free_touched - nr_pages);
}

void zone_lock(void);
void zone_unlock(void);

/* Lay out an empty zone over mm_map. Boot only. */
void zone_init(void);

/*
 * Call `alloc` under the lock, for one node after the other, the thread's first (mm/node.h): each
 * may grow before the next is tried. When it finds nothing while reclaim holds free pages, once
 * more after those have been put back: who trims must not make others fail.
 *
 * No node is tried when so many pages for this use are not within limits.
 */
struct page *zone_alloc(struct page *(*alloc)(size_t nr_pages, size_t align), enum page_use use,
			size_t nr_pages, size_t align);

/* The same with the lock held, and once. */
struct page *zone_alloc_locked(struct page *(*alloc)(size_t nr_pages, size_t align),
			       enum page_use use, size_t nr_pages, size_t align);

/* The same of the thread's node only: what is not worth going to another for. */
struct page *zone_alloc_near_locked(struct page *(*alloc)(size_t nr_pages, size_t align),
				    enum page_use use, size_t nr_pages, size_t align);

/* limit= or soft_limit= is given. */
bool zone_is_bounded(void);

/* limit= is given: all memory of the program has to be in the zone, to be counted. */
bool zone_is_limited(void);

/* As many pages more for this use are within limit=. */
bool zone_is_within_limit_locked(enum page_use use, size_t nr_pages);

/* As many pages more for this use are within limit=, and within what the thread's group may. */
bool zone_has_room_locked(enum page_use use, size_t nr_pages);

/* The same for pages that are added to a block in use, which may be another group's. */
bool zone_has_room_for_locked(const struct page *head, enum page_use use, size_t nr_pages);

/*
 * It is not out of the question that so many pages can be had when others are given back: no more
 * than limit=, or, without one, than were ever in use. Racy and cheap.
 */
bool zone_could_have(size_t nr_pages);

/* Pages in use are more than soft_limit= allows. Racy and cheap. */
bool zone_is_crowded(void);

/*
 * A block is in use from now on: it is counted and charged to the thread's group. Later pages are
 * added to it or go back (negative), for its group.
 */
void zone_charge_locked(struct page *head, enum page_use use, size_t nr_pages);
void zone_recharge_locked(const struct page *head, enum page_use use, ptrdiff_t nr_pages);

/* Count pages of nobody into or out of use, with the peak. */
void zone_count_locked(enum page_use use, ptrdiff_t nr_pages);

/* So many pages that count as frames at the peak had none, as has turned out. */
void zone_lower_peak_locked(size_t nr_pages);

/* True when every invariant of this layer holds; takes the lock. For tests and debug builds. */
bool validate_zone(void);

#endif
