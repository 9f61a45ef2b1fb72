/* test_high_pages.c - mm/highmem, kmalloc/high_pages, kmalloc/vmap over the fake kernel. */
#include "kmalloc/high_pages.h"

#include <errno.h>

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/vmap.h"

#define KERNEL STITCH_GFP_KERNEL

static struct high_page *new_block(unsigned int order)
{
	struct high_page *page = high_pages_alloc(KERNEL, order);

	ASSERT(page != NULL);
	return page;
}

static struct highmem_count counts(void)
{
	struct highmem_count count;

	highmem_count(&count);
	return count;
}

static void write_tag(struct high_page *page, uint64_t tag)
{
	uint64_t *words = high_pages_kmap(page);

	ASSERT(words != NULL);
	words[0] = tag;
	words[PAGE_SIZE / sizeof(*words) - 1] = tag;
	high_pages_kunmap(page, "test");
}

static bool has_tag(struct high_page *page, uint64_t tag)
{
	uint64_t *words = high_pages_kmap(page);
	bool has;

	ASSERT(words != NULL);
	has = words[0] == tag && words[PAGE_SIZE / sizeof(*words) - 1] == tag;
	high_pages_kunmap(page, "test");
	return has;
}

static bool is_zero(struct high_page *page)
{
	static const char zeroes[PAGE_SIZE];
	const char *address = high_pages_kmap(page);
	bool zero = !memcmp(address, zeroes, PAGE_SIZE);

	high_pages_kunmap(page, "test");
	return zero;
}

ISOLATED_TEST(pages_and_indices)
{
	struct high_page *page;

	heap_up("");
	EXPECT(!highmem_owns(NULL));
	page = new_block(3);
	EXPECT(highmem_owns(page));
	EXPECT(!highmem_owns((char *)page + 1));
	EXPECT_EQ(highmem_page(highmem_index(page)), page);
	EXPECT_EQ(highmem_index(page) % 8, 0);
	EXPECT(!highmem_page(SIZE_MAX));
	EXPECT_EQ(counts().nr_used, 8);
	EXPECT(validate_highmem());
	high_pages_free(page, 3, "test");
	EXPECT_EQ(counts().nr_used, 0);
	EXPECT(validate_highmem());
}

ISOLATED_TEST(zeroed_when_asked)
{
	struct high_page *page, *again;

	heap_up("");
	page = new_block(0);
	EXPECT(is_zero(page));
	write_tag(page, 7);
	high_pages_free(page, 0, "test");
	again = high_pages_alloc(KERNEL, 0);
	EXPECT_EQ(again, page);
	EXPECT(has_tag(again, 7)); /* nobody has cleared it unasked */
	high_pages_free(again, 0, "test");
	again = high_pages_alloc(KERNEL | STITCH__GFP_ZERO, 0);
	EXPECT_EQ(again, page);
	EXPECT(is_zero(again));
	EXPECT(validate_highmem());
}

/* Random blocks against a list of what there is; each page tagged with its own number. */
ISOLATED_TEST(blocks_come_and_go)
{
	enum { NR = 300 };
	static struct {
		struct high_page *page;
		unsigned int order;
		uint64_t tag;
	} blocks[NR];
	uint64_t random = 5, tag = 1;

	heap_up("");
	for (unsigned int step = 0; step < 6000; step++) {
		size_t i = kunit_below(&random, NR);

		if (!blocks[i].page) {
			blocks[i].order = (unsigned int)kunit_below(&random, 5);
			blocks[i].page = new_block(blocks[i].order);
			blocks[i].tag = tag;
			for (size_t p = 0; p < (size_t)1 << blocks[i].order; p++)
				write_tag(blocks[i].page + p, tag++);
			continue;
		}
		for (size_t p = 0; p < (size_t)1 << blocks[i].order; p++)
			ASSERT(has_tag(blocks[i].page + p, blocks[i].tag + p));
		high_pages_free(blocks[i].page, blocks[i].order, "test");
		blocks[i].page = NULL;
		if (step % 500 == 0)
			ASSERT(validate_highmem());
		if (step % 1000 == 0)
			high_pages_trim();
	}
	EXPECT(validate_highmem());
	for (size_t i = 0; i < NR; i++)
		if (blocks[i].page)
			high_pages_free(blocks[i].page, blocks[i].order, "test");
	EXPECT_EQ(counts().nr_used, 0);
	EXPECT(counts().nr_kept <= HIGHMEM_MAX_KEPT);
	EXPECT(validate_highmem());
	EXPECT(high_pages_trim() > 0);
	EXPECT_EQ(high_pages_trim(), 0);
}

/* As a child may do that has it mapped still. */
ISOLATED_TEST(written_to_after_it_was_freed)
{
	struct high_page *page;
	char *stale;

	heap_up("");
	page = new_block(0);
	stale = high_pages_kmap(page);
	high_pages_kunmap(page, "test");
	high_pages_free(page, 0, "test");
	high_pages_trim();
	memset(stale, 5, PAGE_SIZE);
	EXPECT_EQ(high_pages_alloc(KERNEL | STITCH__GFP_ZERO, 0), page);
	EXPECT(is_zero(page));
	EXPECT(validate_highmem());
}

ISOLATED_TEST(trim_takes_the_memory)
{
	struct high_page *page, *kept;

	heap_up("");
	page = new_block(5);
	kept = new_block(0);
	write_tag(page, 7);
	write_tag(kept, 8);
	high_pages_free(page, 5, "test");
	EXPECT(counts().nr_kept >= 32);
	EXPECT(high_pages_trim() >= 32);
	EXPECT_EQ(counts().nr_kept, 0);
	EXPECT(validate_highmem());
	EXPECT(has_tag(kept, 8));
	EXPECT(is_zero(new_block(5)));
	EXPECT(validate_highmem());
}

ISOLATED_TEST(much_is_not_kept)
{
	struct high_page *pages[6];

	heap_up("");
	for (size_t i = 0; i < 6; i++)
		pages[i] = new_block(MAX_PAGE_ORDER);
	for (size_t i = 0; i < 6; i++)
		high_pages_free(pages[i], MAX_PAGE_ORDER, "test");
	EXPECT(counts().nr_kept <= HIGHMEM_MAX_KEPT);
	EXPECT(validate_highmem());
}

/* --- what is wrong ---------------------------------------------------------------------------- */

#define SAID(statement) \
	({ \
		os_fake_capture_begin(); \
		statement; \
		os_fake_capture_end(); \
	})

ISOLATED_TEST(wrong_frees)
{
	struct high_page *page;

	heap_up("on_error=warn");
	page = new_block(2);
	EXPECT(strstr(SAID(high_pages_free(page, 1, "test")), "no block of this order"));
	EXPECT(strstr(SAID(high_pages_free(page + 1, 0, "test")), "no block of this order"));
	EXPECT(strstr(SAID(high_pages_free(page, 99, "test")), "no block of this order"));
	high_pages_kmap(page + 3);
	EXPECT(strstr(SAID(high_pages_free(page, 2, "test")), "still mapped"));
	high_pages_kunmap(page + 3, "test");
	EXPECT(strstr(SAID(high_pages_kunmap(page + 3, "test")), "not mapped"));
	EXPECT_STREQ(SAID(high_pages_free(page, 2, "test")), "");
	EXPECT(strstr(SAID(high_pages_free(page, 2, "test")), "no block of this order"));
	EXPECT(!high_pages_kmap(page));
	EXPECT(validate_highmem());
}

ISOLATED_TEST(pages_of_an_area_stay)
{
	struct high_page *page;
	void *area;

	heap_up("on_error=warn");
	page = new_block(0);
	area = vmap_pages(&page, 1, true);
	EXPECT(strstr(SAID(high_pages_free(page, 0, "test")), "still mapped"));
	EXPECT(vmap_end(area));
	EXPECT_STREQ(SAID(high_pages_free(page, 0, "test")), "");
}

/* --- the window ------------------------------------------------------------------------------- */

ISOLATED_TEST(the_window_is_bounded)
{
	static struct high_page *pages[HIGHMEM_WINDOW_PAGES + 1];
	void *first;

	heap_up("");
	for (size_t i = 0; i <= HIGHMEM_WINDOW_PAGES; i++)
		pages[i] = new_block(0);
	first = high_pages_kmap(pages[0]);
	EXPECT_EQ(high_pages_kmap(pages[0]), first);
	for (size_t i = 1; i < HIGHMEM_WINDOW_PAGES; i++)
		ASSERT(high_pages_kmap(pages[i]) != NULL);
	EXPECT(!high_pages_kmap(pages[HIGHMEM_WINDOW_PAGES]));
	high_pages_kunmap(pages[0], "test");
	EXPECT(!high_pages_kmap(pages[HIGHMEM_WINDOW_PAGES])); /* once more to go */
	EXPECT_EQ(highmem_kmap_address(pages[0]), first);
	EXPECT_EQ(highmem_kmap_page(first), pages[0]);
	high_pages_kunmap(pages[0], "test");
	EXPECT(!highmem_kmap_address(pages[0]));
	EXPECT_EQ(high_pages_kmap(pages[HIGHMEM_WINDOW_PAGES]), first);
	EXPECT(validate_highmem());
}

ISOLATED_TEST(a_place_keeps_its_page)
{
	struct high_page *page;
	unsigned int nr_calls;
	void *address;

	heap_up("");
	page = new_block(0);
	address = high_pages_kmap(page);
	high_pages_kunmap(page, "test");
	nr_calls = os_fake_calls(OS_CALL_FRAMES_MAP);
	EXPECT_EQ(high_pages_kmap(page), address);
	EXPECT_EQ(os_fake_calls(OS_CALL_FRAMES_MAP), nr_calls);
}

/* --- failures --------------------------------------------------------------------------------- */

ISOLATED_TEST(no_file_no_page)
{
	heap_up("");
	os_fake_fail(OS_CALL_FRAMES_OPEN, 1, UINT_MAX, ENOSYS);
	EXPECT(!high_pages_alloc(KERNEL, 0));
	EXPECT(!high_pages_alloc(KERNEL, 0));
	EXPECT_EQ(os_fake_calls(OS_CALL_FRAMES_OPEN), 1);
	EXPECT(validate_highmem());
}

ISOLATED_TEST(descriptors_may_be_short_for_a_while)
{
	heap_up("");
	os_fake_fail(OS_CALL_FRAMES_OPEN, 1, 1, EMFILE);
	EXPECT(!high_pages_alloc(KERNEL, 0));
	EXPECT(high_pages_alloc(KERNEL, 0) != NULL);
	EXPECT(validate_highmem());
}

/* Any call fails: NULL, and everything is as before; then it goes on. */
ISOLATED_TEST(any_call_may_fail)
{
	for (unsigned int nth = 1; nth < 12; nth++) {
		struct high_page *pages[4] = { NULL };
		void *address = NULL;

		if (nth == 1)
			heap_up("");
		os_fake_fail(OS_CALL_ANY, nth, 1, ENOMEM);
		pages[0] = high_pages_alloc(KERNEL, 0);
		pages[1] = high_pages_alloc(KERNEL | STITCH__GFP_ZERO, 0);
		if (pages[0] && pages[1]) {
			pages[2] = pages[0];
			pages[3] = pages[1];
			address = vmap_pages(pages, 4, true);
			if (high_pages_kmap(pages[1]))
				high_pages_kunmap(pages[1], "test");
		}
		os_fake_fail(OS_CALL_ANY, 0, 0, 0);
		if (address)
			EXPECT(vmap_end(address));
		for (size_t i = 0; i < 2; i++)
			if (pages[i])
				high_pages_free(pages[i], 0, "test");
		high_pages_trim();
		ASSERT(validate_highmem());
		EXPECT_EQ(counts().nr_used, 0);
	}
}

ISOLATED_TEST(memory_runs_out)
{
	struct high_page *page;

	heap_up("");
	page = new_block(0);
	os_fake_fail(OS_CALL_FRAMES_FILL, 1, UINT_MAX, ENOSPC);
	EXPECT(!high_pages_alloc(KERNEL, 8));
	EXPECT(high_pages_alloc(KERNEL, 0) != NULL); /* the first has brought some more */
	EXPECT(validate_highmem());
	os_fake_fail(OS_CALL_FRAMES_FILL, 0, 0, 0);
	EXPECT(high_pages_alloc(KERNEL, 5) != NULL); /* the rest of these */
	os_fake_fail(OS_CALL_FRAMES_FILL, 1, 1, ENOSPC);
	EXPECT(high_pages_alloc(KERNEL, 5) != NULL); /* just what is wanted can be had */
	EXPECT(validate_highmem());
	high_pages_free(page, 0, "test");
}

/* The kernel undoes a call that fails, of pages that nobody has touched: not those of others. */
ISOLATED_TEST(who_fills_asks_for_no_others_frames)
{
	struct high_page *first, *others;
	unsigned int nr_calls;

	heap_up("");
	first = new_block(4);
	others = new_block(4);
	EXPECT_EQ(others, first + 16);
	high_pages_free(first, 4, "test");
	high_pages_trim();
	os_fake_fail(OS_CALL_FRAMES_FILL, 1, UINT_MAX, ENOSPC);
	nr_calls = os_fake_calls(OS_CALL_FRAMES_FILL);
	EXPECT(!high_pages_alloc(KERNEL, 4));
	/* It ends where the others begin, so that a shorter one need not be tried. */
	EXPECT_EQ(os_fake_calls(OS_CALL_FRAMES_FILL) - nr_calls, 1);
	os_fake_fail(OS_CALL_FRAMES_FILL, 0, 0, 0);
	EXPECT_EQ(high_pages_alloc(KERNEL, 4), first);
	EXPECT(validate_highmem());
}

ISOLATED_TEST(little_of_a_limited_address_space)
{
	struct highmem_count count;

	heap_up("");
	os_fake_address_space_limit_set(GIB(64));
	new_block(0);
	count = counts();
	EXPECT(count.nr_frames <= GIB(2) / PAGE_SIZE);
}

/* --- areas ------------------------------------------------------------------------------------ */

ISOLATED_TEST(one_page_at_many_addresses)
{
	struct high_page *block, *pages[6];
	char *area, *other;

	heap_up("");
	block = new_block(1);
	for (size_t i = 0; i < 6; i++)
		pages[i] = block + i % 2;
	area = vmap_pages(pages, 6, true);
	other = vmap_pages(pages, 1, true);
	ASSERT(area && other);
	memset(area, 1, PAGE_SIZE);
	memset(area + PAGE_SIZE, 2, PAGE_SIZE);
	EXPECT_EQ(area[2 * PAGE_SIZE], 1);
	EXPECT_EQ(area[6 * PAGE_SIZE - 1], 2);
	EXPECT_EQ(other[5], 1);
	EXPECT_EQ(vmap_page_at(area + 5 * PAGE_SIZE + 7), block + 1);
	EXPECT(!vmap_page_at(area + 6 * PAGE_SIZE));
	EXPECT(!vmap_page_at(area - 1));
	EXPECT_EQ(block->nr_vmaps, 4);
	EXPECT(!vmap_end(area + PAGE_SIZE));
	EXPECT(vmap_end(area));
	EXPECT(!vmap_end(area));
	EXPECT_EQ(other[5], 1);
	EXPECT(vmap_end(other));
	EXPECT_EQ(block->nr_vmaps, 0);
	EXPECT(validate_highmem());
}

/* A run of pages that follow each other is one call, and one mapping. */
ISOLATED_TEST(runs_are_mapped_at_once)
{
	struct high_page *block, *pages[16];
	unsigned int nr_calls;
	char *area;

	heap_up("");
	block = new_block(4);
	for (size_t i = 0; i < 16; i++)
		pages[i] = block + (i + 8) % 16;
	nr_calls = os_fake_calls(OS_CALL_FRAMES_MAP);
	area = vmap_pages(pages, 16, true);
	EXPECT_EQ(os_fake_calls(OS_CALL_FRAMES_MAP) - nr_calls, 2);
	for (size_t i = 0; i < 16; i++)
		write_tag(pages[i], i);
	for (size_t i = 0; i < 16; i++)
		EXPECT_EQ(*(uint64_t *)(void *)(area + i * PAGE_SIZE), i);
	EXPECT(vmap_end(area));
}

ISOLATED_TEST(nothing_is_half_mapped)
{
	struct high_page *pages[3];

	heap_up("");
	for (size_t i = 0; i < 3; i++)
		pages[i] = new_block(1); /* no two follow each other */
	os_fake_fail(OS_CALL_FRAMES_MAP, 3, 1, ENOMEM);
	EXPECT(!vmap_pages(pages, 3, true));
	for (size_t i = 0; i < 3; i++)
		EXPECT_EQ(pages[i]->nr_vmaps, 0);
	EXPECT(!vmap_pages(pages, 0, true));
	EXPECT(!vmap_pages(pages, SIZE_MAX / PAGE_SIZE, true));
	high_pages_free(pages[1], 1, "test");
	EXPECT(!vmap_pages(pages, 3, true)); /* one is free */
	EXPECT(validate_highmem());
}

ISOLATED_TEST(many_areas)
{
	enum { NR = 50 };
	struct high_page *page;
	char *areas[NR];

	heap_up("");
	page = new_block(0);
	for (size_t i = 0; i < NR; i++)
		areas[i] = vmap_pages(&page, 1, true);
	for (size_t i = 0; i < NR; i++)
		EXPECT_EQ(vmap_page_at(areas[i] + i), page);
	for (size_t i = 0; i < NR; i += 2)
		EXPECT(vmap_end(areas[i]));
	for (size_t i = 0; i < NR; i++)
		EXPECT_EQ(vmap_page_at(areas[i] + i), i % 2 ? page : NULL);
	EXPECT_EQ(page->nr_vmaps, NR / 2);
}

/* --- processes -------------------------------------------------------------------------------- */

static int child_has_its_own(struct high_page *mapped, struct high_page *other)
{
	char *address = highmem_kmap_address(mapped);
	struct high_page *own;

	if (strcmp(address, "parent") || high_pages_kmap(other))
		return 1;
	strcpy(address, "child"); /* it is shared */
	own = high_pages_alloc(KERNEL, 0);
	if (!own || highmem_index(own) / HIGHMEM_CHUNK_FRAMES == 0)
		return 2;
	write_tag(own, 9);
	high_pages_free(other, 0, "test"); /* forgotten here only */
	high_pages_kunmap(mapped, "test");
	high_pages_free(mapped, 0, "test");
	if (counts().nr_used != 1 || !has_tag(own, 9) || !validate_highmem())
		return 3;
	return high_pages_alloc(KERNEL, 3) ? 0 : 4;
}

ISOLATED_TEST(a_child_has_its_own)
{
	struct high_page *mapped, *other;
	char *address;
	pid_t child;
	int status;

	heap_up("");
	mapped = new_block(0);
	other = new_block(0);
	address = strcpy(high_pages_kmap(mapped), "parent");
	child = fork();
	if (!child)
		_exit(child_has_its_own(mapped, other));
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
	EXPECT_STREQ(address, "child");
	write_tag(other, 5);
	EXPECT(has_tag(other, 5));
	EXPECT_EQ(counts().nr_used, 2);
	EXPECT(validate_highmem());
}
RUN_TESTS
