/* test_proc_view.c - the walk over a heap of which it is known what it holds. */
#include "proc/proc_view.h"

#include "kunit.h"
#include "isolated.h"
#include "mm/pagerun.h"
#include "vmalloc/vmap_area.h"

static bool copy(void *context, uint64_t address, void *to, size_t bytes)
{
	(void)context;
	memcpy(to, (const void *)(uintptr_t)address, bytes); // NOLINT
	return true;
}

static const struct proc_root root = {
	.version = PROC_ROOT_VERSION,
	.zone_bytes = sizeof(struct zone),
	.page_bytes = sizeof(struct page),
	.pageblock_bytes = sizeof(struct pageblock),
	.cache_bytes = sizeof(struct kmem_cache),
	.nr_classes = NR_SIZE_CLASSES,
	.mappings_bytes = sizeof(struct mapping_table),
	.vmap_bytes = sizeof(struct vmap),
	.part_bytes = sizeof(struct lowmem_part),
	.zone = (uint64_t)&zone,
	.mm_map = (uint64_t)&mm_map,
	.caches = (uint64_t)&kmem_caches,
	.mappings = (uint64_t)&mapping_table,
	.vmaps = (uint64_t)&vmaps,
	.lowmem = (uint64_t)&lowmem_parts,
};

static const struct proc_view *look(void)
{
	static struct proc_view view;

	EXPECT_EQ(proc_view_fill(&view, copy, NULL, (uint64_t)&root), PROC_OK);
	return &view;
}

static size_t resident_pages(const struct proc_view *view)
{
	size_t nr = 0;

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		nr += view->nr_resident[0][order] << order;
	return nr;
}

static unsigned int nr_seen;
static uint64_t seen_address;

static void note(void *context, uint64_t address, size_t nr_pages, bool is_vmap)
{
	EXPECT(!is_vmap);
	nr_seen += nr_pages == *(const size_t *)context;
	seen_address = address;
}

/* Free ranges of units: whole blocks of the highest order. */
ISOLATED_TEST(an_area_in_use_and_freed)
{
	size_t nr_pages = 3 * UNIT_PAGES, before, live;
	struct page *area;

	heap_up("decay_ms=1000000");
	kfree(kmalloc(100));
	before = look()->nr_resident[0][MAX_PAGE_ORDER];
	area = area_alloc(nr_pages, PAGE_SIZE);
	ASSERT(area != NULL);
	live = look()->nr_areas;
	EXPECT_EQ(live, 1);
	EXPECT_EQ(look()->area_pages, nr_pages);
	proc_view_areas(look(), note, &nr_pages);
	EXPECT_EQ(nr_seen, 1);
	EXPECT_EQ(seen_address, page_address(area));
	EXPECT_EQ(look()->nr_resident[0][MAX_PAGE_ORDER], before); /* in use, not free */
	memset(page_address(area), 1, nr_pages * PAGE_SIZE);
	area_free(area);
	EXPECT_EQ(look()->nr_areas, 0);
	EXPECT_EQ(look()->nr_resident[0][MAX_PAGE_ORDER], before + 3);
}

/* Pages between runs: in a pageblock of which other pages are in use. */
ISOLATED_TEST(runs_freed_among_others)
{
	struct page *runs[64];
	size_t before;

	heap_up("decay_ms=1000000");
	for (size_t i = 0; i < 64; i++) {
		runs[i] = run_alloc(3, 1);
		ASSERT(runs[i] != NULL);
	}
	before = resident_pages(look());
	for (size_t i = 0; i < 64; i += 2)
		run_free(runs[i]);
	EXPECT_EQ(resident_pages(look()), before + 32 * 3);
	/* Three pages between others are at most a pair and a single one, at least that. */
	EXPECT(look()->nr_resident[0][0] >= 32 && look()->nr_resident[0][1] <= 32 + before / 2);
	for (unsigned int order = 2; order < 4; order++)
		EXPECT(look()->nr_resident[0][order] <= before);
}

ISOLATED_TEST(slabs_and_objects)
{
	unsigned int class = (unsigned int)size_class_of(5000);
	struct proc_class row;

	heap_up("hardened=1"); /* without sheaves what is free is known to be */
	for (size_t i = 0; i < 100; i++)
		kmalloc(5000);
	kfree(kmalloc(5000));
	row = look()->class[class];
	EXPECT_EQ(row.nr_active, 100);
	EXPECT(row.nr_objects >= 100 && row.nr_slabs >= row.nr_active_slabs);
	EXPECT(row.nr_pages * PAGE_SIZE >= row.nr_objects * size_classes[class].size);
	EXPECT_EQ(proc_view_nr_free(look()), zone.nr_opened - zone.nr_used[USE_SLAB] -
		  zone.nr_used[USE_RUN] - zone.nr_used[USE_AREA]);
}
RUN_TESTS
