/* pagerun.c - see pagerun.h. */
#include "mm/pagerun.h"

#include <string.h>

#include "base/bitmap.h"
#include "core/printk.h"
#include "mm/page_alloc.h"
#include "mm/residency.h"

/* Blocks of one bucket that are looked at before one from a higher bucket is taken. */
#define BUCKET_TRIES 8u
/* Blocks that are looked at for touched pages, before others will do. */
#define RESIDENT_TRIES 16u
/* Buckets are exact below this length and four to an octave from it on. */
#define EXACT_BUCKETS 16u

unsigned int run_bucket_of(size_t longest)
{
	unsigned int octave;

	if (longest < EXACT_BUCKETS)
		return (unsigned int)longest;
	octave = ilog2(longest) - ilog2(EXACT_BUCKETS);
	return EXACT_BUCKETS + 4 * octave + (unsigned int)(longest >> (octave + 2)) % 4;
}
_Static_assert(EXACT_BUCKETS + 4 * 5 + 1 == 37 && NR_RUN_BUCKETS >= 37, "512 pages have a bucket");

/* Longest stretch of ones in a word, when it is longer than `known`. */
static size_t longest_ones(uint64_t word, size_t known)
{
	size_t length = 0;

	if (popcount64(word) <= known)
		return known;
	for (; word; word &= word << 1)
		length++;
	return max_size(length, known);
}

size_t run_map_longest_free(const uint64_t *map)
{
	size_t longest = 0, open = 0; /* open: free pages right before the current word */

	for (unsigned int w = 0; w < PAGEBLOCK_WORDS; w++) {
		uint64_t free = ~map[w];

		if (free == UINT64_MAX) {
			open += 64;
			continue;
		}
		longest = max_size(longest, open + (size_t)__builtin_ctzll(map[w]));
		longest = longest_ones(free, longest);
		open = (size_t)__builtin_clzll(map[w]);
	}
	return max_size(longest, open);
}

static void bucket_add(struct pageblock *block)
{
	unsigned int bucket = run_bucket_of(block->longest_free);
	struct node *node = pageblock_node(block);

	block->bucket = (uint8_t)bucket;
	list_add(&block->list, &node->run_buckets[bucket]);
	node->run_bucket_mask |= (uint64_t)1 << bucket;
}

static void bucket_del(struct pageblock *block)
{
	struct node *node = pageblock_node(block);

	__list_del_entry(&block->list);
	if (list_empty(&node->run_buckets[block->bucket]))
		node->run_bucket_mask &= ~((uint64_t)1 << block->bucket);
}

static void set_longest(struct pageblock *block, size_t longest)
{
	block->longest_free = (uint16_t)longest;
	if (run_bucket_of(longest) == block->bucket)
		return;
	bucket_del(block);
	bucket_add(block);
}

/* What a block is searched for. */
struct wanted {
	size_t nr_pages, align_pages;
	bool resident;	    /* all of them touched: no page fault */
	unsigned int tries; /* blocks to look at: of a bucket; of all, if resident */
};

static size_t find_area(const struct pageblock *block, const struct wanted *wanted)
{
	uint64_t map[PAGEBLOCK_WORDS];

	if (block->longest_free < wanted->nr_pages)
		return PAGEBLOCK_PAGES;
	for (unsigned int w = 0; w < PAGEBLOCK_WORDS; w++)
		map[w] = block->run_map[w] | (wanted->resident ? ~block->touched[w] : 0);
	return bitmap_find_zero_area(map, PAGEBLOCK_PAGES, 0, wanted->nr_pages,
				     wanted->align_pages);
}

/* The block of one bucket, among its first few, that has the space. */
static struct pageblock *search_bucket(unsigned int bucket, const struct wanted *wanted,
				       unsigned int *tries, size_t *bit)
{
	struct pageblock *block;

	list_for_each_entry(block, &zone_node_tried()->run_buckets[bucket], list) {
		*bit = find_area(block, wanted);
		if (*bit < PAGEBLOCK_PAGES)
			return block;
		if (!--*tries)
			break;
	}
	return NULL;
}

static struct pageblock *add_run_block(void)
{
	struct page *page = alloc_pages_locked(PAGEBLOCK_ORDER);
	struct pageblock *block;
	size_t pfn;

	if (!page)
		return NULL;
	pfn = page_to_pfn(page);
	block = pfn_to_pageblock(pfn);
	zone_add_free_touched(residency_count_touched(pfn, PAGEBLOCK_PAGES)); /* still free */
	block->kind = PAGEBLOCK_RUNS;
	block->nr_used = 0;
	block->longest_free = PAGEBLOCK_PAGES;
	memset(block->run_map, 0, sizeof(block->run_map));
	bucket_add(block);
	pageblock_node(block)->nr_empty_run_blocks++;
	return block;
}

/* Give an empty block back to the buddy. */
static void release_block(struct pageblock *block)
{
	size_t pfn = pageblock_to_pfn(block);

	pageblock_node(block)->nr_empty_run_blocks--;
	bucket_del(block);
	block->kind = PAGEBLOCK_BUDDY;
	zone_sub_free_touched(residency_count_touched(pfn, PAGEBLOCK_PAGES));
	buddy_unisolate_locked(pfn_to_page(pfn), PAGEBLOCK_ORDER);
}

static void drain_node_locked(struct node *node)
{
	struct list_head *empty = &node->run_buckets[run_bucket_of(PAGEBLOCK_PAGES)];

	while (!list_empty(empty))
		release_block(list_first_entry(empty, struct pageblock, list));
}

void run_drain(void)
{
	zone_lock();
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		drain_node_locked(&zone.nodes[nid]);
	zone_unlock();
}

/* Smallest sufficient bucket first: best fit, which fills the fullest blocks. */
static struct pageblock *search_buckets(const struct wanted *wanted, size_t *bit)
{
	uint64_t buckets = zone_node_tried()->run_bucket_mask &
			   (UINT64_MAX << run_bucket_of(wanted->nr_pages));
	unsigned int tries = wanted->tries;
	struct pageblock *block = NULL;

	for (; buckets && tries && !block; buckets &= buckets - 1) {
		if (!wanted->resident)
			tries = wanted->tries;
		block = search_bucket((unsigned int)__builtin_ctzll(buckets), wanted, &tries, bit);
	}
	return block;
}

/* First where no page fault will be, if that is soon found. */
static struct pageblock *find_block(size_t nr_pages, size_t align_pages, size_t *bit)
{
	struct wanted wanted = { nr_pages, align_pages, true, RESIDENT_TRIES };
	struct pageblock *block = NULL;

	if (zone.nr_free_touched >= nr_pages)
		block = search_buckets(&wanted, bit);
	if (block)
		return block;
	wanted = (struct wanted){ nr_pages, align_pages, false, BUCKET_TRIES };
	block = search_buckets(&wanted, bit);
	if (block)
		return block;
	*bit = 0; /* a fresh block is aligned to its own size */
	block = add_run_block();
	if (block)
		return block;
	/* When there is no memory for one, the last gap will do, however long the search. */
	wanted.tries = UINT32_MAX;
	return search_buckets(&wanted, bit);
}

static void take_bits(struct pageblock *block, size_t bit, size_t nr_pages)
{
	if (!block->nr_used)
		pageblock_node(block)->nr_empty_run_blocks--;
	bitmap_set_range(block->run_map, bit, nr_pages);
	block->nr_used = (uint16_t)(block->nr_used + nr_pages);
	set_longest(block, run_map_longest_free(block->run_map));
}

static void give_bits(struct pageblock *block, size_t bit, size_t nr_pages)
{
	bitmap_clear_range(block->run_map, bit, nr_pages);
	block->nr_used = (uint16_t)(block->nr_used - nr_pages);
	set_longest(block, run_map_longest_free(block->run_map));
	if (!block->nr_used && ++pageblock_node(block)->nr_empty_run_blocks > 1)
		release_block(block); /* one is kept */
}

static struct page *alloc_locked(size_t nr_pages, size_t align_pages)
{
	struct page *page;
	size_t bit, pfn;
	struct pageblock *block = find_block(nr_pages, align_pages, &bit);

	if (!block)
		return NULL;
	take_bits(block, bit, nr_pages);
	pfn = pageblock_to_pfn(block) + bit;
	residency_note_taken(pfn, nr_pages);
	residency_note_used(pfn, nr_pages);
	page = pfn_to_page(pfn);
	zone_charge_locked(page, USE_RUN, nr_pages);
	WRITE_ONCE(page->record.tid, 0);
	WRITE_ONCE(page->kind, PAGE_RUN);
	WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	pagemap_write(pfn, PAGEMAP_RUN);
	return page;
}

struct page *run_alloc(size_t nr_pages, size_t align_pages)
{
	return zone_alloc(alloc_locked, USE_RUN, nr_pages, align_pages);
}

/* Pages of a run, all or its last ones. Their residency has been noted. */
static void release_locked(const struct page *head, size_t pfn, size_t nr_pages)
{
	zone_recharge_locked(head, USE_RUN, -(ptrdiff_t)nr_pages);
	give_bits(pfn_to_pageblock(pfn), pfn % PAGEBLOCK_PAGES, nr_pages);
}

static bool free_run(struct page *page, void (*note)(size_t pfn, size_t nr_pages))
{
	size_t pfn = page_to_pfn(page);
	bool is_run;

	zone_lock();
	is_run = pagemap_claim(pfn, PAGEMAP_RUN);
	if (is_run) {
		WRITE_ONCE(page->kind, PAGE_NONE);
		note(pfn, page->nr_pages);
		release_locked(page, pfn, page->nr_pages);
	}
	zone_unlock();
	return is_run;
}

bool run_free(struct page *page)
{
	return free_run(page, residency_note_freed);
}

bool run_free_vacated(struct page *page)
{
	return free_run(page, residency_note_vacated);
}

static void shrink_locked(struct page *page, size_t nr_pages)
{
	size_t pfn = page_to_pfn(page) + nr_pages, nr_less = page->nr_pages - nr_pages;

	residency_note_freed(pfn, nr_less);
	release_locked(page, pfn, nr_less);
}

static bool extend_locked(struct page *page, size_t nr_more)
{
	size_t pfn = page_to_pfn(page) + page->nr_pages, bit = pfn % PAGEBLOCK_PAGES;
	struct pageblock *block = pfn_to_pageblock(page_to_pfn(page));

	if (!bit || bit + nr_more > PAGEBLOCK_PAGES ||
	    !zone_has_room_for_locked(page, USE_RUN, nr_more) ||
	    bitmap_test_range_any(block->run_map, bit, nr_more))
		return false;
	take_bits(block, bit, nr_more);
	residency_note_taken(pfn, nr_more);
	residency_note_used(pfn, nr_more);
	zone_recharge_locked(page, USE_RUN, (ptrdiff_t)nr_more);
	return true;
}

bool run_resize(struct page *page, size_t nr_pages)
{
	bool done = true;

	zone_lock();
	if (nr_pages > page->nr_pages)
		done = extend_locked(page, nr_pages - page->nr_pages);
	else if (nr_pages < page->nr_pages)
		shrink_locked(page, nr_pages);
	if (done)
		WRITE_ONCE(page->nr_pages, (uint32_t)nr_pages);
	zone_unlock();
	return done;
}

size_t run_isolate_locked(struct pageblock *block, size_t bit, size_t min_pages, size_t *nr_pages)
{
	size_t pfn = pageblock_to_pfn(block), end;

	for (; bit < PAGEBLOCK_PAGES; bit += *nr_pages) {
		bit = bitmap_find_next_zero(block->run_map, PAGEBLOCK_PAGES, bit);
		end = bitmap_find_next_set(block->run_map, PAGEBLOCK_PAGES, bit);
		bit = residency_find(pfn + bit, end - bit, true, nr_pages) - pfn;
		if (*nr_pages < min_pages)
			continue;
		zone_sub_free_touched(*nr_pages);
		take_bits(block, bit, *nr_pages);
		return pfn + bit;
	}
	*nr_pages = 0;
	return 0;
}

void run_unisolate_locked(size_t pfn, size_t nr_pages)
{
	zone_add_free_touched(residency_count_touched(pfn, nr_pages));
	give_bits(pfn_to_pageblock(pfn), pfn % PAGEBLOCK_PAGES, nr_pages);
}
