/*
 * test_memcontrol.c - memory control groups: pages are charged to the right ones, and go back to
 * them; limits; numbers.
 */
#include "mm/memcontrol.h"
#include "mm/pagerun.h"
#include "mm/pcp.h"
#include "mm_test.h"

static unsigned int outer, inner;

static void boot(void)
{
	boot_heap(MIB(64));
	outer = mem_cgroup_new("outer", 0, NO_MEMCG_LIMIT);
	inner = mem_cgroup_new("inner", outer, NO_MEMCG_LIMIT);
	ASSERT(outer && inner && outer != inner);
}

static size_t usage(unsigned int id)
{
	EXPECT(validate_zone());
	return mem_cgroup_read(id).usage;
}

static uint32_t nr_threads(unsigned int id)
{
	return mem_cgroup_threads(&zone.memcg[id]);
}

static bool is_there(unsigned int id)
{
	return zone.memcg[id].state != MEMCG_FREE;
}

static struct page *take_run(unsigned int memcg, size_t nr_pages)
{
	active_memcg = charged_memcg = (uint8_t)memcg;
	return run_alloc(nr_pages, 1);
}

MM_TEST(pages_are_charged_to_a_group_and_to_those_around_it)
{
	struct page *a, *b;

	boot();
	a = take_run(inner, 4);
	b = take_run(outer, 10);
	ASSERT(a && b && take_run(0, 100));
	EXPECT_EQ(usage(inner), 4);
	EXPECT_EQ(usage(outer), 14);
	EXPECT_EQ(mem_cgroup_read(outer).nr_used[USE_RUN], 10);
	EXPECT_EQ(mem_cgroup_read(0).nr_used[USE_RUN], 100);
	EXPECT_EQ(usage(0), 114);
	ASSERT(run_resize(a, 2));
	EXPECT_EQ(usage(inner), 2);
	ASSERT(run_resize(a, 4));
	EXPECT_EQ(usage(inner), 4); /* by a thread of no group */
	ASSERT(run_free(a) && run_free(b));
	EXPECT_EQ(usage(inner), 0);
	EXPECT_EQ(usage(outer), 0);
	EXPECT_EQ(mem_cgroup_read(outer).peak, 14);
	EXPECT_EQ(mem_cgroup_read(inner).peak, 4);
}

MM_TEST(a_limit_holds_for_all_that_is_within)
{
	struct page *a;

	boot();
	ASSERT(mem_cgroup_limit(outer, 10));
	a = take_run(inner, 8);
	ASSERT(a);
	EXPECT(!take_run(inner, 3));
	EXPECT(take_run(0, 3));
	EXPECT_EQ(mem_cgroup_read(outer).nr_failed, 1);
	EXPECT_EQ(mem_cgroup_read(inner).nr_failed, 0);
	EXPECT(take_run(inner, 2));
	EXPECT(!take_run(outer, 1));
	EXPECT_EQ(usage(outer), 10);
	EXPECT_EQ(mem_cgroup_read(outer).peak, 10);
	ASSERT(mem_cgroup_limit(outer, 5));
	EXPECT(!take_run(inner, 1));
	ASSERT(run_free(a));
	EXPECT(take_run(inner, 3));
	EXPECT(!take_run(inner, 1));
}

MM_TEST(growth_in_place_is_the_blocks_groups)
{
	struct page *a;

	boot();
	ASSERT(mem_cgroup_limit(inner, 6));
	a = take_run(inner, 4);
	ASSERT(a);
	active_memcg = charged_memcg = 0;
	EXPECT(!run_resize(a, 7));
	EXPECT(run_resize(a, 6));
	EXPECT_EQ(usage(inner), 6);
}

MM_TEST(a_pcp_keeps_nothing_of_other_groups)
{
	static struct pcp pcp;
	struct page *own, *others, *run;

	boot();
	active_memcg = charged_memcg = 0;
	pcp_init(&pcp, inner, 0);
	others = pcp_alloc(&pcp, 4, true); /* an order that it does not keep */
	run = take_run(0, 4);
	active_memcg = charged_memcg = (uint8_t)inner;
	own = pcp_alloc(&pcp, 4, true);
	ASSERT(own && others && run);
	EXPECT_EQ(usage(inner), 16);
	EXPECT(!pcp_run_free(&pcp, run));
	pcp_free(&pcp, own, 3);
	EXPECT_EQ(pcp.count[3], 1);
	pcp_free(&pcp, others, 3);
	EXPECT_EQ(pcp.count[3], 1);
	EXPECT_EQ(usage(inner), 16);
	run = take_run(inner, 4);
	ASSERT(run && pcp_run_free(&pcp, run));
	pcp_drain(&pcp);
	EXPECT_EQ(usage(inner), 8); /* the other half of what was order 4 */
}

MM_TEST(who_is_in_a_group_keeps_it)
{
	boot();
	EXPECT(!mem_cgroup_give_up(outer)); /* inner is */
	ASSERT(mem_cgroup_enter(inner));
	EXPECT_EQ(active_memcg, inner);
	EXPECT(!mem_cgroup_give_up(inner));
	EXPECT_EQ(nr_threads(inner), 1);
	ASSERT(mem_cgroup_enter(0));
	EXPECT(mem_cgroup_give_up(inner));
	EXPECT(!mem_cgroup_give_up(inner));
	EXPECT(!mem_cgroup_enter(inner));
	EXPECT_EQ(active_memcg, 0);
	EXPECT_EQ(nr_threads(inner), 0);
	EXPECT(!mem_cgroup_limit(inner, 1));
	EXPECT(!mem_cgroup_new("late", inner, 1));
}

MM_TEST(a_number_is_free_when_nothing_is_charged_to_it)
{
	struct page *a;

	boot();
	a = take_run(inner, 4);
	active_memcg = charged_memcg = 0;
	ASSERT(mem_cgroup_give_up(inner));
	mem_cgroups_bury();
	EXPECT(is_there(inner));
	EXPECT(mem_cgroup_new("other", 0, 1) > inner);
	EXPECT_EQ(usage(outer), 4);
	EXPECT(mem_cgroup_give_up(outer)); /* with one in it that is no more */
	mem_cgroups_bury();
	EXPECT(is_there(outer));
	ASSERT(run_free(a));
	mem_cgroups_bury();
	EXPECT(!is_there(inner) && !is_there(outer));
	EXPECT_EQ(mem_cgroup_new("again", 0, 1), min_size(inner, outer));
	EXPECT_EQ(mem_cgroup_read((unsigned int)min_size(inner, outer)).peak, 0);
}

MM_TEST(a_number_that_is_used_again_has_nothing_of_the_one_before)
{
	unsigned int first, again;
	struct mem_cgroup read;

	boot();
	first = mem_cgroup_new("a long name", outer, 4);
	ASSERT(first);
	ASSERT(run_free(take_run(first, 4)));
	EXPECT(!take_run(first, 5));
	active_memcg = charged_memcg = 0;
	EXPECT_EQ(mem_cgroup_read(first).nr_failed, 1);
	ASSERT(mem_cgroup_give_up(first));
	again = mem_cgroup_new("short", 0, 7);
	ASSERT_EQ(again, first);
	read = mem_cgroup_read(again);
	EXPECT(!strcmp(read.name, "short"));
	EXPECT_EQ(read.max, 7);
	EXPECT_EQ(read.parent, 0);
	EXPECT_EQ(read.peak, 0);
	EXPECT_EQ(read.nr_failed, 0);
	EXPECT_EQ(mem_cgroup_threads(&read), 0);
}

MM_TEST(there_are_as_many_as_there_are)
{
	unsigned int nr = 2;

	boot();
	while (mem_cgroup_new("many", inner, 1))
		nr++;
	EXPECT_EQ(nr, MAX_MEM_CGROUPS - 1);
	EXPECT(validate_zone());
}

MM_TEST(a_child_has_one_thread)
{
	boot();
	ASSERT(mem_cgroup_enter(inner));
	zone.memcg[outer].members = MEMCG_OPEN | 5;
	zone.memcg[inner].members = MEMCG_OPEN | 3;
	mem_cgroups_after_fork();
	EXPECT_EQ(nr_threads(outer), 0);
	EXPECT_EQ(nr_threads(inner), 1);
}

MM_TEST(wrong_sums_are_seen)
{
	boot();
	ASSERT(take_run(inner, 4));
	EXPECT(validate_zone());
	zone.memcg[outer].usage++;
	EXPECT(!validate_zone());
	zone.memcg[outer].usage--;
	zone.memcg[inner].nr_used[USE_AREA]++;
	zone.memcg[inner].nr_used[USE_RUN]--;
	EXPECT(!validate_zone());
}

RUN_TESTS
