/* gather.c - see gather.h. */
#include "vmalloc/gather.h"

#include "core/params.h"
#include "mm/decay.h"
#include "mm/residency.h"
#include "mm/node.h"
#include "os/os.h"
#include "os/os_map.h"
#include "os/os_move.h"
#include "vmalloc/mapping.h"
#include "vmalloc/mover.h"
#include "vmalloc/sparse.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"
#include "vmalloc/stitch_source.h"
#include "vmalloc/vmap_area.h"

/* 256 KiB: a move takes some 7 us, whatever its length. */
#define MIN_RUN 64u
/* Of the mappings that the process may have, and at most. */
#define MAPS_SHARE 8u
#define MAX_MAPS 4096u
/* The kernel's default, for who may not look. */
#define DEFAULT_MAX_MAP_COUNT 65530u

struct gather_counts gather_counts;

struct gather {
	char *block;
	size_t nr_filled, nr_wanted; /* pages */
	size_t nr_budget;	     /* that may still be moved */
	size_t nr_maps;		     /* that may still be made */
	size_t nr_runs;		     /* moved */
	bool failed;
};

static void count(size_t *counter, size_t n)
{
	WRITE_ONCE(*counter, *counter + n);
}

/*
 * By default where there is no mover; not under a seccomp filter, which may kill: a malloc that
 * calls mremap is nothing that its author has reckoned with.
 */
static bool is_wanted(void)
{
	if (params_joint.no_leaving)
		return false;
	if (params.stitch == STITCH_MREMAP)
		return true;
	return params.stitch == STITCH_AUTO && mover_error() && !os_is_filtered();
}

size_t max_map_count(void)
{
	char text[24] = { 0 };
	size_t number = 0;

	if (os_is_filtered() ||
	    os_read_kernel_file("/proc/sys/vm/max_map_count", text, sizeof(text) - 1) <= 0)
		return 0;
	for (const char *c = text; *c >= '0' && *c <= '9'; c++)
		number = number * 10 + (size_t)(*c - '0');
	return number;
}

/* How many more there may be. */
static size_t nr_maps_left(void)
{
	static size_t budget;
	struct mapping_counts counts;

	if (!budget) {
		size_t max_maps = max_map_count();

		budget = min_size((max_maps ? max_maps : DEFAULT_MAX_MAP_COUNT) / MAPS_SHARE,
				  MAX_MAPS);
	}
	mapping_count(&counts);
	return budget > counts.nr_maps ? budget - counts.nr_maps : 0;
}

static bool is_done(const struct gather *gt)
{
	return gt->failed || gt->nr_filled >= gt->nr_wanted || gt->nr_runs >= gt->nr_maps ||
	       !gt->nr_budget;
}

/*
 * A move has failed, and what was mapped where it should have gone has perhaps been unmapped; now
 * it cannot be mapped again, or something is there, ours or another thread's.
 */
static void abandon(struct gather *gt, size_t nr_pages)
{
	mapping_abandon(gt->block, gt->nr_filled, nr_pages);
	gt->block = NULL;
}

/* A move has failed: was it refused at once, all that is to be filled is mapped still. */
static bool is_mapped_still(const struct gather *gt, char *to)
{
	size_t nr_pages = max_size(gt->nr_wanted - gt->nr_filled - 1, 1);

	return os_is_one_map(to, nr_pages * PAGE_SIZE);
}

static void move_run(struct gather *gt, struct source_run run)
{
	size_t nr_pages = min_size(run.nr_pages, gt->nr_wanted - gt->nr_filled);
	char *to = gt->block + gt->nr_filled * PAGE_SIZE;

	if (os_move_out(pfn_to_virt(run.pfn), nr_pages * PAGE_SIZE, to)) {
		gt->failed = true;
		if (!is_mapped_still(gt, to) && os_map_at(to, nr_pages * PAGE_SIZE))
			abandon(gt, nr_pages);
		return;
	}
	zone_lock();
	residency_note_purged(run.pfn, nr_pages);
	zone_unlock();
	gt->nr_filled += nr_pages;
	gt->nr_budget -= min_size(gt->nr_budget, nr_pages);
	gt->nr_runs++;
	count(&gather_counts.pages, nr_pages);
}

static void gather_from(struct gather *gt, bool from_ranges)
{
	struct source_batch batch;
	size_t nr_before;

	do {
		nr_before = gt->nr_runs;
		batch.min_pages = MIN_RUN;
		batch.nid = node_wanted();
		batch.from_ranges = from_ranges;
		batch.no_high = true; /* huge pages, perhaps */
		batch.nr_wanted = gt->nr_wanted - gt->nr_filled;
		if (is_done(gt) || !source_batch_isolate(&batch))
			return;
		if (!mapping_may_leave(pfn_to_virt(batch.runs[0].pfn)))
			gt->failed = true;
		for (unsigned int i = 0; i < batch.nr_runs && !is_done(gt); i++)
			move_run(gt, batch.runs[i]);
		source_batch_put_back(&batch);
	} while (gt->nr_runs > nr_before);
}

static void gather_frames(struct gather *gt)
{
	uint64_t start = os_clock_ns(), ns;

	gather_from(gt, false);
	gather_from(gt, true);
	ns = os_clock_ns() - start;
	count(&gather_counts.requests, gt->nr_runs > 0);
	count(&gather_counts.runs, gt->nr_runs);
	count(&gather_counts.ns, ns);
	if (gt->nr_runs >= gt->nr_maps && gt->nr_filled < gt->nr_wanted)
		count(&gather_counts.no_maps, 1);
	if (gt->nr_runs)
		cost_note_remaps(gt->nr_runs, ns);
	if (gt->block)
		mapping_note_gathered(gt->block, gt->nr_filled, gt->nr_runs);
}

/* What is not there will be faulted in; as much is dropped elsewhere. */
static void make_up_for(const struct gather *gt)
{
	size_t nr_missing = gt->nr_wanted - min_size(gt->nr_filled, gt->nr_wanted);
	size_t nr_pages = min_size(nr_missing, stitch_count_available());

	if (nr_pages >= STITCH_MIN_PAGES)
		decay_drop_locked(nr_pages);
	mapping_note_gathered(gt->block, gt->nr_wanted, 0);
}

/* What is kept for others gives way. */
static size_t find_maps(size_t nr_maps)
{
	size_t nr_left = nr_maps_left();

	while (nr_left < nr_maps && mapping_drop(0))
		nr_left = nr_maps_left();
	return nr_left;
}

/* Half of it at least, or it is left to the heap. */
static void *gather_locked(size_t nr_pages)
{
	struct gather gt = { .nr_wanted = nr_pages, .nr_budget = stitch_count_available() };

	gt.block = mapping_open_gathered(nr_pages, &gt.nr_filled);
	if (!gt.block)
		return NULL;
	gt.nr_maps = find_maps((nr_pages - min_size(gt.nr_filled, nr_pages)) / MIN_RUN);
	gather_frames(&gt);
	if (!gt.block)
		return NULL;
	if (gt.nr_filled >= nr_pages / 2) {
		make_up_for(&gt);
		return gt.block;
	}
	mapping_free(gt.block);
	return NULL;
}

void *gather_alloc(size_t nr_pages)
{
	struct page *page;
	void *block = NULL;

	if (nr_pages < GATHER_MIN_PAGES || nr_pages > GATHER_MAX_PAGES ||
	    sparse_spared(nr_pages) || !is_wanted())
		return NULL;
	page = area_alloc_resident(nr_pages);
	if (page)
		return page_address(page);
	if (stitch_count_available() + READ_ONCE(zone.nr_kept_outside) < nr_pages / 2 ||
	    !stitch_lock())
		return NULL;
	if (params.stitch == STITCH_MREMAP || cost_allows_remapping(MIN_RUN))
		block = gather_locked(nr_pages);
	stitch_unlock();
	return block;
}
