/*
 * test_memmap.c - pfns, addresses, struct pages, pageblocks and page map entries lead to each
 * other (mm/memmap.h, mm/mm_types.h).
 */
#include "mm_test.h"

#define HEAP MIB(64)

static void open_one_unit(void)
{
	size_t unit;

	boot_heap(HEAP);
	zone_lock();
	ASSERT_EQ(section_grow_locked(RANGE_LOW, 1, &unit), 1);
	zone_unlock();
	ASSERT_EQ(unit, 0);
}

MM_TEST(every_name_of_a_page_leads_to_every_other)
{
	open_one_unit();
	for (size_t pfn = 0; pfn < UNIT_PAGES; pfn++) {
		char *address = pfn_to_virt(pfn);
		struct page *page = pfn_to_page(pfn);

		ASSERT_EQ((uintptr_t)address, mm_map.base + pfn * PAGE_SIZE);
		ASSERT_EQ(virt_to_pfn(address), pfn);
		ASSERT_EQ(virt_to_pfn(address + PAGE_SIZE - 1), pfn);
		ASSERT_EQ(page_to_pfn(page), pfn);
		ASSERT_EQ(page_address(page), address);
	}
}

MM_TEST(addresses_outside_the_window_have_no_pfn_in_it)
{
	char *base, *end;
	int local;

	open_one_unit();
	base = pfn_to_virt(0);
	end = base + HEAP;
	EXPECT_EQ(virt_to_pfn(base), 0);
	EXPECT(virt_to_pfn(base - 1) >= mm_map.nr_pages);
	EXPECT_EQ(virt_to_pfn(end - 1), mm_map.nr_pages - 1);
	EXPECT_EQ(virt_to_pfn(end), mm_map.nr_pages);
	EXPECT(virt_to_pfn(NULL) >= mm_map.nr_pages);
	EXPECT(virt_to_pfn((void *)UINTPTR_MAX) >= mm_map.nr_pages);
	EXPECT(virt_to_pfn(&local) >= mm_map.nr_pages);
}

MM_TEST(pageblocks_run_downwards)
{
	open_one_unit();
	EXPECT_EQ(pfn_to_pageblock(0), mm_map.pageblocks - 1);
	EXPECT_EQ(pfn_to_pageblock(PAGEBLOCK_PAGES - 1), mm_map.pageblocks - 1);
	EXPECT_EQ(pfn_to_pageblock(PAGEBLOCK_PAGES), mm_map.pageblocks - 2);
	for (size_t pfn = 0; pfn < UNIT_PAGES; pfn++)
		ASSERT_EQ(pageblock_to_pfn(pfn_to_pageblock(pfn)),
			  align_down(pfn, PAGEBLOCK_PAGES));
}

/* Every address of the window may be asked for before its page was ever opened. */
MM_TEST(page_map_reads_as_zero_everywhere_and_keeps_what_is_written)
{
	open_one_unit();
	for (size_t pfn = 0; pfn < mm_map.nr_pages; pfn++)
		ASSERT_EQ(pagemap_read(pfn), 0);
	pagemap_write(UNIT_PAGES - 1, PAGEMAP_RUN);
	EXPECT_EQ(pagemap_read(UNIT_PAGES - 1), PAGEMAP_RUN);
	EXPECT_EQ(pagemap_read(UNIT_PAGES - 2), 0);
	EXPECT_EQ(pagemap_read(UNIT_PAGES), 0);
}

TEST(page_map_entries_are_told_apart)
{
	EXPECT(!pagemap_is_slab(0));
	EXPECT(!pagemap_is_slab(PAGEMAP_RUN));
	EXPECT(!pagemap_is_slab(PAGEMAP_AREA));
	EXPECT(PAGEMAP_RUN != PAGEMAP_AREA);
	for (unsigned int slot = 1; slot < 1u << 16; slot = slot * 3 + 1) {
		for (unsigned int class = 0; class < 64; class++) {
			uint32_t entry = PAGEMAP_SLAB(slot, class);

			ASSERT(pagemap_is_slab(entry));
			ASSERT_EQ(pagemap_slot(entry), slot);
			ASSERT_EQ(pagemap_class(entry), class);
			ASSERT_EQ(entry ^ PAGEMAP_SLOT(slot), class);
		}
	}
}

RUN_TESTS
