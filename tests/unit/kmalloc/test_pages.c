/*
 * test_pages.c - whole pages beside a brute-force twin, a map that says of each page whose it is;
 * frees of the wrong length, of the middle, of objects, twice; zeroes; hot and cold.
 */
#include "kmalloc/pages.h"

#include "kunit.h"
#include "isolated.h"
#include "fuzz/tag.h"
#include "core/report.h"
#include "kmalloc/kmalloc.h"
#include "mm/reserve.h"
#include "mm/section.h"

#define KERNEL STITCH_GFP_KERNEL
#define NR_LIVE 40u
#define NR_STEPS 3000u
#define NR_ORDERS (MAX_PAGE_ORDER + 1u)
#define TWIN_PAGES ((size_t)1 << 19)

/* --- the twin -------------------------------------------------------------------------------- */

static struct block {
	size_t pfn, nr_pages;
	uint64_t tag; /* 0: none */
} live[NR_LIVE];

/* By page: the tag of its owner. */
static uint64_t twin[TWIN_PAGES];

static struct page *alloc(size_t nr_pages, size_t align_pages, stitch_gfp_t flags)
{
	void *address = pages_alloc(nr_pages, align_pages, flags);

	return address ? pfn_to_page(virt_to_pfn(address)) : NULL;
}

static uint64_t *word_of(size_t pfn)
{
	return pfn_to_virt(pfn);
}

static void fill(const struct block *block)
{
	for (size_t pfn = block->pfn; pfn < block->pfn + block->nr_pages; pfn++) {
		ASSERT_EQ(twin[pfn], 0); /* nobody's */
		twin[pfn] = block->tag;
		memset(word_of(pfn), 0xff, PAGE_SIZE);
		*word_of(pfn) = block->tag + pfn;
	}
}

static void drop(struct block *block)
{
	for (size_t pfn = block->pfn; pfn < block->pfn + block->nr_pages; pfn++) {
		ASSERT_EQ(twin[pfn], block->tag);
		ASSERT_EQ(*word_of(pfn), block->tag + pfn);
		twin[pfn] = 0;
	}
	block->tag = 0;
}

static bool is_zero(size_t pfn, size_t nr_pages)
{
	const uint64_t *words = word_of(pfn);

	for (size_t i = 0; i < nr_pages * PAGE_SIZE / sizeof(*words); i++)
		if (words[i])
			return false;
	return true;
}

static void give(struct block *block, struct rng *rng)
{
	void *address = word_of(block->pfn);
	size_t nr_pages = block->nr_pages;

	drop(block);
	if (rng_below(rng, 8) == 0)
		kfree(address);
	else if (rng_below(rng, 4))
		pages_free(address, nr_pages, "free_pages()");
	else
		pages_free_cold(address, nr_pages, "free_cold_page()");
}

/* An order, aligned, or any number of pages. Small orders more often than large ones. */
static void take(struct block *block, uint64_t tag, struct rng *rng)
{
	static const stitch_gfp_t kinds[] = { 0, 0, STITCH__GFP_ZERO, STITCH__GFP_COLD };
	stitch_gfp_t flags = KERNEL | kinds[rng_below(rng, ARRAY_SIZE(kinds))];
	bool is_exact = rng_below(rng, 6) == 0;
	size_t order = rng_below(rng, rng_below(rng, 3) ? 4 : NR_ORDERS);
	size_t nr_pages = is_exact ? 1 + rng_below(rng, 1500) : (size_t)1 << order;
	size_t align_pages = is_exact ? 1 : nr_pages;
	struct page *page = alloc(nr_pages, align_pages, flags);

	ASSERT(page != NULL);
	*block = (struct block){ page_to_pfn(page), nr_pages, tag };
	ASSERT(block->pfn + nr_pages <= TWIN_PAGES);
	EXPECT(is_aligned((uintptr_t)page_address(page), align_pages * PAGE_SIZE));
	EXPECT(!(flags & STITCH__GFP_ZERO) || is_zero(block->pfn, nr_pages));
	EXPECT_EQ(ksize(page_address(page)), nr_pages * PAGE_SIZE);
	fill(block);
}

ISOLATED_TEST(every_order_beside_a_twin)
{
	struct rng rng = { 7 };
	struct pages_count count;

	heap_up("reserve=2G");
	for (uint64_t n = 1; n <= NR_STEPS; n++) {
		struct block *block = &live[rng_below(&rng, NR_LIVE)];

		if (block->tag)
			give(block, &rng);
		else
			take(block, n << 32, &rng);
		if (n % 64 == 0)
			expect_valid();
	}
	pages_count(&count);
	EXPECT(count.nr_free < count.nr_reserved);
	for (unsigned int i = 0; i < NR_LIVE; i++)
		if (live[i].tag)
			give(&live[i], &rng);
	expect_valid();
}

/* --- one by one ------------------------------------------------------------------------------ */

ISOLATED_TEST(too_many_are_null)
{
	heap_up("");
	EXPECT_EQ(pages_alloc(SIZE_MAX, 1, KERNEL), NULL);
	EXPECT_EQ(pages_alloc(SIZE_MAX / PAGE_SIZE + 1, 1, KERNEL), NULL);
	EXPECT_EQ(pages_alloc(SIZE_MAX, 1, STITCH_GFP_ATOMIC), NULL);
	EXPECT_EQ(pages_alloc(1, 1, KERNEL | STITCH__GFP_HIGHMEM | STITCH__GFP_NOWARN), NULL);
	EXPECT_EQ(pages_alloc(1024, 1, KERNEL | STITCH__GFP_DMA32), NULL);
	expect_valid();
}

/* What is wrong is said, and the pages stay whose they are. */
ISOLATED_TEST(wrong_frees_change_nothing)
{
	char *pages, *object, *area;

	heap_up("on_error=ignore");
	pages = pages_alloc(4, 4, KERNEL);
	area = pages_alloc(1024, 1024, KERNEL);
	object = kmalloc(100);
	memset(pages, 1, 4 * PAGE_SIZE);
	pages_free(pages, 2, "free_pages()");
	pages_free(pages, 8, "free_pages()");
	pages_free(pages + PAGE_SIZE, 1, "free_pages()");
	pages_free(pages + 8, 4, "free_pages()");
	pages_free(area, 512, "free_pages()");
	pages_free(object, 1, "free_pages()");
	pages_free(&object, 1, "free_pages()");
	pages_free((void *)8, 0, "free_pages()");
	EXPECT_EQ(ksize(pages), 4 * PAGE_SIZE);
	EXPECT_EQ(ksize(area), 1024 * PAGE_SIZE);
	EXPECT_EQ(ksize(object), 112);
	EXPECT(pages[0] == 1 && pages[4 * PAGE_SIZE - 1] == 1);
	expect_valid();
	pages_free(area, 1024, "free_pages()");
	pages_free(pages, 4, "free_pages()");
	pages_free(pages, 4, "free_pages()"); /* twice */
	kfree(object);
	expect_valid();
}

ISOLATED_TEST(the_hot_page_is_the_next)
{
	struct page *page, *other;

	heap_up("");
	page = alloc(1, 1, KERNEL);
	pages_free(page_address(page), 1, "free_pages()");
	other = alloc(1, 1, KERNEL | STITCH__GFP_COLD);
	EXPECT(other != page);
	EXPECT_EQ(alloc(1, 1, KERNEL), page);
	pages_free(page_address(other), 1, "free_pages()");
	pages_free_cold(page_address(page), 1, "free_cold_page()");
	EXPECT_EQ(alloc(1, 1, KERNEL), other);
}

ISOLATED_TEST(a_stocked_page_is_cleared)
{
	struct page *page;

	heap_up("");
	page = alloc(2, 2, KERNEL);
	memset(page_address(page), 0xee, 2 * PAGE_SIZE);
	pages_free(page_address(page), 2, "free_pages()");
	EXPECT_EQ(alloc(2, 2, KERNEL | STITCH__GFP_ZERO), page);
	EXPECT(is_zero(page_to_pfn(page), 2));
}

/* A run that lies anywhere waits in the slot's stock, as long as the pages that are wanted. */
ISOLATED_TEST(what_is_kept_is_aligned_or_not_taken)
{
	struct page *exact = NULL, *pair;
	size_t pfn;

	heap_up("");
	for (unsigned int i = 0; i < 100 && (!exact || page_to_pfn(exact) % 2 == 0); i++) {
		exact = alloc(i % 2 ? 2 : 3, 1, KERNEL);
		ASSERT(exact != NULL);
	}
	pfn = page_to_pfn(exact);
	ASSERT_EQ(pfn % 2, 1);
	ASSERT_EQ(exact->nr_pages, 2);
	pages_free(page_address(exact), 2, "test");
	pair = alloc(2, 2, KERNEL);
	EXPECT_EQ(page_to_pfn(pair) % 2, 0);
	EXPECT_EQ(page_to_pfn(alloc(2, 1, KERNEL)), pfn); /* it was there to be had */
}

RUN_TESTS
