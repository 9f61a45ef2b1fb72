/*
 * test_nodes.c - nodes: memory is of the thread's own first, of others only when that has none, and
 * goes back to where it is from.
 */
#include <errno.h>

#include "core/params.h"
#include "mm/node.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/pcp.h"
#include "mm/range.h"
#include "mm/section.h"
#include "mm_test.h"

#define NR 4u
#define UNITS 4u /* of each node */

static void boot(void)
{
	params.numa_fake = NR;
	boot_heap(NR * UNITS * UNIT_BYTES);
	ASSERT_EQ(zone.nr_nodes, NR);
}

static void be_on(unsigned int nid)
{
	active_node = node_mark(nid);
}

static struct page *take_run(size_t nr_pages)
{
	struct page *page = run_alloc(nr_pages, 1);

	EXPECT(validate_zone());
	return page;
}

/* All that the node can have, in whole pageblocks. Returns how many they were. */
static unsigned int fill_node(unsigned int nid)
{
	unsigned int nr = 0;

	be_on(nid);
	active_node |= NODE_STRICT;
	while (run_alloc(PAGEBLOCK_PAGES, 1))
		nr++;
	be_on(nid);
	EXPECT(validate_zone());
	return nr;
}

MM_TEST(each_node_has_an_equal_part)
{
	boot();
	ASSERT_EQ(zone.nr_sections, NR);
	for (unsigned int nid = 0; nid < NR; nid++) {
		const struct section *section = section_first_of(nid);

		ASSERT(section);
		EXPECT_EQ(section->nid, nid);
		EXPECT_EQ(section->start, nid * UNITS);
		EXPECT_EQ(section->end, (nid + 1) * UNITS);
		EXPECT_EQ(section_nid(section->end - 1), nid);
	}
	EXPECT(validate_zone());
}

MM_TEST(the_last_node_has_the_rest)
{
	params.numa_fake = 3;
	boot_heap(NR * UNITS * UNIT_BYTES);
	EXPECT_EQ(section_first_of(2)->start, 10);
	EXPECT_EQ(section_first_of(2)->end, 16);
}

MM_TEST(a_node_without_a_section_gets_memory_of_others)
{
	params.numa_fake = 8;
	boot_heap(4 * UNIT_BYTES);
	EXPECT_EQ(zone.nr_sections, 4);
	EXPECT(!section_first_of(7));
	be_on(7);
	EXPECT_EQ(page_to_nid(take_run(10)), 0);
}

MM_TEST(each_node_has_room_for_all)
{
	params.numa_fake = 2;
	os_fake_physical_set(GIB(4));
	zone_init();
	ASSERT(sections_boot(0));
	EXPECT_EQ(sections_reserved(), GIB(32));
	EXPECT_EQ(section_first_of(1)->start * UNIT_BYTES, GIB(16));
}

/* Under a limit a node gets further sections before others are asked. */
MM_TEST(sections_that_are_added_are_of_the_node)
{
	struct page *page;
	size_t unit;

	params.numa_fake = NR;
	os_fake_address_space_limit_set(MIB(64));
	zone_init();
	ASSERT(sections_boot(0));
	ASSERT_EQ(zone.nr_sections, NR); /* of one unit each */
	be_on(2);
	for (unsigned int i = 0; i < 3 * UNIT_PAGEBLOCKS; i++) {
		page = take_run(PAGEBLOCK_PAGES);
		ASSERT(page);
		EXPECT_EQ(page_to_nid(page), 2);
	}
	ASSERT_EQ(zone.nr_sections, NR + 2);
	EXPECT_EQ(zone.sections[NR].nid, 2);
	EXPECT_EQ(zone.sections[NR + 1].nid, 2);
	zone_lock();
	zone.trying = 1;
	ASSERT(section_grow_locked(RANGE_LOW, 1, &unit)); /* its own first one */
	zone.trying = 0;
	range_free_locked(unit, 1);
	zone_unlock();
	EXPECT_EQ(unit, section_first_of(1)->start);
	EXPECT(validate_zone());
}

MM_TEST(memory_is_of_the_threads_node)
{
	size_t unit;

	boot();
	for (unsigned int nid = NR; nid-- > 0;) {
		struct page *run, *block;

		be_on(nid);
		run = take_run(20);
		ASSERT(run);
		EXPECT_EQ(page_to_nid(run), nid);
		EXPECT_EQ(section_nid(page_to_pfn(run) / UNIT_PAGES), nid);
		zone_lock();
		zone.trying = nid;
		block = alloc_pages_locked(3);
		ASSERT(block && range_alloc_locked(RANGE_HIGH, 1, 1, &unit));
		zone.trying = 0;
		free_pages_locked(block, 3); /* for they are nobody's */
		range_free_locked(unit, 1);
		zone_unlock();
		EXPECT_EQ(page_to_nid(block), nid);
		EXPECT_EQ(section_nid(unit), nid);
	}
}

MM_TEST(others_help_only_when_the_node_is_full)
{
	struct page *page;

	boot();
	EXPECT_EQ(fill_node(2), UNITS * UNIT_PAGEBLOCKS);
	page = take_run(10);
	ASSERT(page);
	EXPECT_EQ(page_to_nid(page), 3); /* as numbers follow */
	EXPECT_EQ(fill_node(3), UNITS * UNIT_PAGEBLOCKS - 1);
	be_on(2);
	page = take_run(PAGEBLOCK_PAGES);
	ASSERT(page);
	EXPECT_EQ(page_to_nid(page), 0);
}

MM_TEST(who_is_strict_gets_nothing_of_others)
{
	boot();
	fill_node(1);
	be_on(1);
	active_node |= NODE_STRICT;
	EXPECT(!take_run(1));
	be_on(1);
	EXPECT(take_run(1));
}

MM_TEST(memory_returns_to_its_node_whoever_frees_it)
{
	struct page *page;

	boot();
	be_on(1);
	page = take_run(PAGEBLOCK_PAGES);
	ASSERT(page);
	EXPECT(!zone.nodes[1].free_area[MAX_PAGE_ORDER].nr_free);
	be_on(3);
	ASSERT(run_free(page));
	EXPECT(validate_zone());
	run_drain();
	EXPECT(validate_zone());
	EXPECT_EQ(zone.nodes[1].free_area[MAX_PAGE_ORDER].nr_free, 1);
	EXPECT_EQ(zone.nodes[3].free_area[MAX_PAGE_ORDER].nr_free, 0);
	be_on(1);
	EXPECT_EQ(take_run(PAGEBLOCK_PAGES), page);
}

/* Free units of two nodes touch where one ends and the next begins. */
MM_TEST(nothing_merges_across)
{
	size_t low, high, unit = UNITS - 1;

	boot();
	zone_lock();
	ASSERT_EQ(section_grow_locked(RANGE_HIGH, UNITS, &low), UNITS);
	zone.trying = 1;
	ASSERT_EQ(section_grow_locked(RANGE_HIGH, UNITS, &high), UNITS);
	zone.trying = 0;
	ASSERT_EQ(low + UNITS, high);
	range_free_locked(low, UNITS);
	range_free_locked(high, UNITS);
	EXPECT_EQ(range_first_locked(&zone.nodes[0], RANGE_HIGH)->nr_units, UNITS);
	EXPECT_EQ(range_first_locked(&zone.nodes[1], RANGE_HIGH)->nr_units, UNITS);
	zone_unlock();
	EXPECT(validate_zone());
	zone_lock();
	EXPECT(!range_alloc_locked(RANGE_HIGH, UNITS + 1, 1, &unit));
	range_clip_locked(range_first_locked(&zone.nodes[0], RANGE_HIGH), UNITS - 1, 1);
	/* What is free behind it is another node's. */
	EXPECT(!range_claim_locked(RANGE_HIGH, UNITS, 1));
	EXPECT(!range_claim_locked(RANGE_LOW, UNITS, 1));
	zone_unlock();
}

MM_TEST(an_area_does_not_grow_into_the_next_node)
{
	size_t unit;

	boot();
	zone_lock();
	ASSERT(range_alloc_locked(RANGE_LOW, UNITS, 1, &unit));
	EXPECT_EQ(unit, 0);
	EXPECT(!range_claim_locked(RANGE_LOW, UNITS, 1)); /* node 1's frontier */
	EXPECT_EQ(zone.sections[1].low, UNITS);
	zone.trying = 2;
	ASSERT(range_alloc_locked(RANGE_LOW, 1, 1, &unit));
	zone.trying = 0;
	EXPECT(range_claim_locked(RANGE_LOW, unit + 1, 1));
	EXPECT_EQ(section_nid(unit + 1), 2);
	zone_unlock();
}

MM_TEST(a_stock_keeps_blocks_of_its_node_only)
{
	struct page *own, *others, *run;
	static struct pcp pcp;

	boot();
	pcp_init(&pcp, 0, 1);
	be_on(2);
	others = pcp_alloc(&pcp, 4, true);
	run = take_run(4);
	be_on(1);
	own = pcp_alloc(&pcp, 0, true);
	ASSERT(own && others && run);
	EXPECT_EQ(page_to_nid(own), 1);
	EXPECT_EQ(pcp.count[3], 0);
	pcp_free(&pcp, others, 3);
	EXPECT_EQ(pcp.count[3], 0);
	EXPECT(!pcp_run_free(&pcp, run));
	ASSERT(run_free(run));
	run = take_run(4);
	EXPECT(pcp_run_free(&pcp, run));
	pcp_free(&pcp, own, 0);
	pcp_drain(&pcp);
}

MM_TEST(a_stock_is_not_filled_from_other_nodes)
{
	static struct pcp pcp;
	struct page *page;

	boot();
	pcp_init(&pcp, 0, 1);
	fill_node(1);
	page = pcp_alloc(&pcp, 0, true);
	ASSERT(page);
	EXPECT_EQ(page_to_nid(page), 2);
	EXPECT_EQ(pcp.count[0], 0);
	EXPECT_EQ(active_node, node_mark(1));
	pcp_free(&pcp, page, 0);
	EXPECT_EQ(pcp.count[0], 0);
	EXPECT(validate_zone());
}

/* A batch that the node has only one block for. */
MM_TEST(the_rest_of_a_batch_is_not_of_other_nodes)
{
	static struct pcp pcp, other;
	struct page *page, *last = NULL;

	boot();
	pcp_init(&pcp, 0, 1);
	pcp_init(&other, 0, 1);
	be_on(1);
	active_node |= NODE_STRICT;
	while ((page = pcp_alloc(&pcp, 0, true)))
		last = page;
	ASSERT(last);
	EXPECT_EQ(page_to_nid(last), 1);
	be_on(1);
	pcp_free(&other, last, 0);
	pcp_drain(&other);
	EXPECT_EQ(pcp_alloc(&pcp, 0, true), last);
	EXPECT_EQ(pcp.count[0], 0);
	EXPECT(validate_zone());
}

MM_TEST(processors_are_of_nodes_by_turns)
{
	boot();
	active_node = NO_NODE;
	os_fake_run_on(6, 0);
	EXPECT_EQ(node_current(), 2);
	EXPECT_EQ(node_wanted(), 2);
	EXPECT_EQ(page_to_nid(take_run(1)), 2);
	be_on(3);
	EXPECT_EQ(node_wanted(), 3);
}

MM_TEST(real_nodes_are_found_and_bound)
{
	os_fake_machine(1 << 0 | 1 << 2 | 1 << 3, false);
	boot_heap(MIB(64));
	ASSERT_EQ(zone.nr_nodes, 3);
	EXPECT_EQ(node_os_id(1), 2);
	EXPECT_EQ(os_fake_node_of(pfn_to_virt(0)), 0);
	EXPECT_EQ(os_fake_node_of(pfn_to_virt(section_first_of(1)->start * UNIT_PAGES)), 2);
	EXPECT_EQ(os_fake_node_of(pfn_to_virt(section_first_of(2)->start * UNIT_PAGES)), 3);
	active_node = NO_NODE;
	os_fake_run_on(17, 3);
	EXPECT_EQ(node_current(), 2);
	os_fake_run_on(17, 7); /* it was not there at the start */
	EXPECT_EQ(node_current(), 1);
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	EXPECT_EQ(node_current(), 0);
}

MM_TEST(one_node_is_not_asked_about)
{
	os_fake_machine(1 << 0, false);
	boot_heap(MIB(64));
	EXPECT_EQ(zone.nr_nodes, 1);
	EXPECT_EQ(node_current(), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_BIND_NODE), 0);
	EXPECT_EQ(os_fake_calls(OS_CALL_CURRENT_NODE), 0);
}

static void expect_one_node(void)
{
	boot_heap(MIB(64));
	EXPECT_EQ(zone.nr_nodes, 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_BIND_NODE), 0);
}

MM_TEST(who_has_a_policy_keeps_it)
{
	os_fake_machine(3, true);
	expect_one_node();
}

MM_TEST(of_too_many_nodes_none_is_preferred)
{
	os_fake_machine((1 << (MAX_NODES + 1)) - 1, false);
	expect_one_node();
}

MM_TEST(as_many_as_there_can_be)
{
	os_fake_machine((1 << MAX_NODES) - 1, false);
	boot_heap(MIB(64));
	EXPECT_EQ(zone.nr_nodes, MAX_NODES);
	EXPECT_EQ(node_os_id(MAX_NODES - 1), MAX_NODES - 1);
}

MM_TEST(a_kernel_without_nodes_has_one)
{
	os_fake_machine(3, false);
	os_fake_fail(OS_CALL_MEMORY_NODES, 1, 1, ENOSYS);
	expect_one_node();
}

MM_TEST(a_thread_asks_once_where_it_is)
{
	boot();
	active_node = NO_NODE;
	os_fake_run_on(1, 0);
	EXPECT_EQ(node_wanted(), 1);
	os_fake_run_on(2, 0);
	EXPECT_EQ(node_wanted(), 1);
	EXPECT_EQ(os_fake_calls(OS_CALL_CURRENT_NODE), 1);
	active_node = NODE_STRICT;
	EXPECT_EQ(node_wanted(), 2);
	EXPECT_EQ(active_node, node_mark(2) | NODE_STRICT);
}

MM_TEST(under_a_filter_there_is_one)
{
	os_fake_machine(3, false);
	os_fake_feature(OS_FEATURE_NO_FILTER, false);
	expect_one_node();
	EXPECT_EQ(os_fake_calls(OS_CALL_MEMORY_NODES), 0); /* it may be fatal */
}

MM_TEST(a_memory_limit_counts_a_refusal_once)
{
	unsigned int group;

	boot();
	group = mem_cgroup_new("group", 0, 4);
	ASSERT(group);
	active_memcg = charged_memcg = (uint8_t)group;
	EXPECT(!take_run(5));
	EXPECT_EQ(mem_cgroup_read(group).nr_failed, 1);
	active_memcg = charged_memcg = 0;
}

/* --- what validate_zone sees ------------------------------------------------------------------ */

MM_TEST(a_block_of_another_node_is_seen)
{
	struct pageblock *block;
	struct page *page;
	size_t unit;

	boot();
	be_on(1);
	page = take_run(10);
	ASSERT(page);
	block = pfn_to_pageblock(page_to_pfn(page));
	block->nid = 2;
	EXPECT(!validate_zone());
	block->nid = 1;
	ASSERT(validate_zone());
	block = pfn_to_pageblock(page_to_pfn(page) ^ PAGEBLOCK_PAGES); /* the buddy's */
	block->nid = 0;
	EXPECT(!validate_zone());
	block->nid = 1;
	zone.trying = 1;
	EXPECT(!validate_zone());
	ASSERT(section_grow_locked(RANGE_LOW, 1, &unit));
	zone.trying = 0;
	range_free_locked(unit, 1);
	ASSERT(validate_zone());
	pfn_to_pageblock(unit * UNIT_PAGES)->nid = 3;
	EXPECT(!validate_zone());
	pfn_to_pageblock(unit * UNIT_PAGES)->nid = 1;
	zone.sections[1].nid = 2;
	EXPECT(!validate_zone());
}

RUN_TESTS
