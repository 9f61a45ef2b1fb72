/*
 * pagerun.h - runs of 1..512 pages, packed first-fit into pageblocks.
 *
 * L3. Serves requests between the largest size class and 2 MiB. A power-of-two buddy whose
 * tails are returned would serve them from a heap 1.2 to 3 times as large (bench/README.md,
 * Free runs). A pageblock is taken from the buddy, mapped by 512 bits, and chosen by best fit
 * of its longest free run.
 *
 * Takes LOCK_ZONE itself. The head's page map entry is PAGEMAP_RUN from run_alloc to run_free.
 * Invariants of a run block: nr_used == set bits of run_map; longest_free is exact; it is on
 * run_buckets[bucket_of(longest_free)].
 */
#ifndef MM_PAGERUN_H
#define MM_PAGERUN_H

#include "mm/zone.h"

#define RUN_MAX_PAGES PAGEBLOCK_PAGES

/*
 * nr_pages contiguous pages, the first a multiple of align_pages (a power of two); both at most
 * RUN_MAX_PAGES. NULL: no memory.
 */
struct page *run_alloc(size_t nr_pages, size_t align_pages);

/* False, and nothing happens, when the page is not the head of a run. */
bool run_free(struct page *page);

/* The same when frames of its pages were moved elsewhere, and it was noted which. */
bool run_free_vacated(struct page *page);

/* Grow or shrink in place (nr_pages >= 1). False, and nothing happens, when the space is taken. */
bool run_resize(struct page *page, size_t nr_pages);

/*
 * For mm/page_isolation.c: take the first stretch of at least min_pages touched free pages at or
 * behind `bit` out of the block; *nr_pages 0: there is none.
 */
size_t run_isolate_locked(struct pageblock *block, size_t bit, size_t min_pages, size_t *nr_pages);
void run_unisolate_locked(size_t pfn, size_t nr_pages);

/* Which of run_buckets a block is in whose longest free run has so many pages. */
unsigned int run_bucket_of(size_t longest);

/* Length of the longest stretch of clear bits. */
size_t run_map_longest_free(const uint64_t *map);

/* Give the empty pageblocks, which nodes keep for the next run, back to the buddy. */
void run_drain(void);

#endif
