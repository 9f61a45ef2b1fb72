/*
 * stitch_source.h - where stitched frames come from: free pages with frames, in runs.
 *
 * L5. A batch of extents is isolated (mm/page_isolation.h), and the runs in them listed. A run is
 * a stretch of touched pages within one pageblock, but no part of what is known to be a huge
 * page. From what is free between page runs and from the buddy's blocks; or from free ranges,
 * which are where the next areas will lie, and had better keep their frames.
 */
#ifndef VMALLOC_STITCH_SOURCE_H
#define VMALLOC_STITCH_SOURCE_H

#include "mm/page_isolation.h"

#define SOURCE_BATCH 64u

/* Pages with frames. */
struct source_run {
	size_t pfn, nr_pages;
};

struct source_batch {
	size_t min_pages; /* shorter runs are left alone; 512: whole pageblocks */
	unsigned int nid; /* of this node only: frames do not change theirs */
	bool from_ranges; /* and from nowhere else */
	bool no_high;	  /* those of HIGH are left alone, too: huge pages were found there */
	size_t nr_wanted; /* pages */
	size_t nr_pages;  /* in the runs */
	unsigned int nr_extents, nr_runs;
	struct extent extents[SOURCE_BATCH];
	struct source_run runs[SOURCE_BATCH];
};

/* The next run at or behind *pfn, which moves behind it. nr_pages 0: there is none before `end`. */
struct source_run source_next_run(size_t *pfn, size_t end, size_t min_pages);

/* Isolate until the runs have batch->nr_wanted pages. LOCK_RECLAIM. False: there are none. */
bool source_batch_isolate(struct source_batch *batch);

void source_batch_put_back(const struct source_batch *batch);

#endif
