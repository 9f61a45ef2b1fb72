/* test_stitch_cost.c - costs are learnt from what moving takes, and decide what is moved. */
#include "kunit.h"
#include "vmalloc/stitch_cost.h"

static void reset(void)
{
	stitch_costs = (struct stitch_costs){ .run.ns = 1500, .page.ns = 90, .fresh.ns = 2000,
					      .huge.ns = 400, .repopulated.ns = 600 };
}

static bool is_near(uint32_t value, uint32_t wanted)
{
	return value >= wanted - wanted / 10 - 8 && value <= wanted + wanted / 10 + 8;
}

TEST(both_parts_of_the_cost_are_learnt)
{
	reset();
	for (unsigned int i = 0; i < 200; i++) {
		cost_note_moves(64, 64 * 4, 64 * 6000 + 64 * 4 * 50);
		cost_note_moves(8, 8 * 512, 8 * 6000 + 8 * 512 * 50);
	}
	EXPECT(is_near(stitch_costs.run.ns, 6000));
	EXPECT(is_near(stitch_costs.page.ns, 50));
}

TEST(nothing_moved_teaches_nothing)
{
	reset();
	cost_note_moves(0, 0, 1000000);
	EXPECT_EQ(stitch_costs.run.ns, 1500);
	EXPECT_EQ(stitch_costs.page.ns, 90);
}

TEST(long_runs_are_worth_more_than_short_ones)
{
	reset();
	EXPECT(!cost_allows_moving(1, false));
	reset();
	EXPECT(cost_allows_moving(2, false));
	EXPECT(!cost_allows_moving(4, true)); /* 465 ns a page against 0.7 x 400 */
	reset();
	EXPECT(cost_allows_moving(64, true));
	stitch_costs.run.ns = 10000; /* threads */
	EXPECT(!cost_allows_moving(4, false));
	EXPECT(cost_allows_moving(16, false));
}

TEST(the_least_run_is_the_shortest_that_is_worth_it)
{
	for (uint32_t run = 700; run < 20000; run += 300) {
		reset();
		stitch_costs.run.ns = run;
		for (unsigned int huge = 0; huge < 2; huge++) {
			size_t least = cost_least_run(huge);

			EXPECT(cost_is_worth_moving(least, huge));
			EXPECT(!cost_is_worth_moving(least - 1, huge));
		}
	}
	stitch_costs.touch.ns = 190; /* 280 ns a page, which is all that 400 are worth */
	EXPECT_EQ(cost_least_run(true), SIZE_MAX);
}

/* As many pages are dropped as are faulted in. */
TEST(a_fault_costs_a_purge)
{
	reset();
	EXPECT(!cost_is_worth_moving(7, true));
	stitch_costs.purge.ns = 50;
	EXPECT(cost_is_worth_moving(7, true));
	EXPECT(!cost_is_worth_moving(1, false));
	stitch_costs.purge.ns = 300;
	EXPECT(cost_is_worth_moving(1, false));
}

TEST(what_was_refused_is_tried_again_after_a_while)
{
	unsigned int nr_refused = 0;

	reset();
	stitch_costs.run.ns = 100000;
	while (!cost_allows_moving(16, false) && nr_refused < 10000)
		nr_refused++;
	EXPECT(nr_refused > 20);
	EXPECT(nr_refused < 1000);
}

TEST(faults_and_copies_are_averaged)
{
	reset();
	for (unsigned int i = 0; i < 100; i++) {
		cost_note_pages(&stitch_costs.fresh, 8, 8 * 300);
		cost_note_pages(&stitch_costs.huge, 512, 512 * 700);
	}
	EXPECT(is_near(stitch_costs.fresh.ns, 300));
	EXPECT(is_near(stitch_costs.huge.ns, 700));
	EXPECT(!cost_allows_repopulating());
	stitch_costs.fresh.ns = 2000;
	EXPECT(cost_allows_repopulating());
}

TEST(the_first_measurement_replaces_the_reference_and_an_outlier_weighs_little)
{
	reset();
	cost_note_pages(&stitch_costs.touch, 8, 8 * 5000);
	EXPECT_EQ(stitch_costs.touch.ns, 5000);
	for (unsigned int i = 0; i < 10; i++)
		cost_note_pages(&stitch_costs.touch, 8, 8 * 5000);
	cost_note_pages(&stitch_costs.touch, 8, 8 * 5000000);
	EXPECT(stitch_costs.touch.ns < 7000);
}

TEST(the_first_access_counts)
{
	reset();
	EXPECT(cost_allows_moving(64, false));
	stitch_costs.touch.ns = 2000;
	EXPECT(!cost_allows_moving(64, false));
}

/* 2000 ns a fault, of which a sixteenth is saved at the least. */
TEST(pages_that_nobody_touches_are_not_worth_moving)
{
	reset();
	EXPECT(cost_is_worth_moving(64, false));
	EXPECT_EQ(cost_expect_touched(1000), 1000);
	for (unsigned int i = 0; i < 50; i++)
		cost_note_touched(1, 128);
	EXPECT(cost_expect_touched(1024) <= 64 + 8);
	EXPECT(!cost_is_worth_moving(64, false));
	EXPECT(cost_is_worth_moving(512, true)); /* one touch brings a huge page */
	for (unsigned int i = 0; i < 50; i++)
		cost_note_touched(64, 64);
	EXPECT(cost_expect_touched(1024) > 1000);
	EXPECT(cost_is_worth_moving(64, false));
}

TEST(batches_that_take_longer_than_faults_end_and_are_tried_again)
{
	unsigned int nr_refused = 0;

	reset();
	EXPECT(cost_allows_batch(false));
	for (unsigned int i = 0; i < 20; i++)
		cost_note_batch(10, 10 * 5000);
	cost_note_batch(0, 5000); /* nothing was moved in all that time */
	while (!cost_allows_batch(false) && nr_refused < 10000)
		nr_refused++;
	EXPECT(nr_refused > 20);
	EXPECT(nr_refused < 1000);
}

/* The last of the sources may be hardly worth it. */
TEST(a_batch_that_moves_little_counts_by_its_time)
{
	reset();
	for (unsigned int i = 0; i < 100; i++) {
		cost_note_batch(1000, 1000 * 200);
		cost_note_batch(1, 20000);
	}
	EXPECT(cost_allows_batch(false));
}

TEST(huge_pages_are_dear_if_measured_to_be_and_that_is_measured_again)
{
	reset();
	stitch_costs.huge.ns = 100000;
	EXPECT(!cost_finds_huge_dear()); /* nobody knows */
	for (unsigned int i = 0; i < 50; i++) {
		cost_note_pages(&stitch_costs.fresh, 8, 8 * 1000);
		cost_note_pages(&stitch_costs.huge, 512, 512 * 1400);
	}
	EXPECT(!cost_finds_huge_dear());
	for (unsigned int i = 0; i < 50; i++)
		cost_note_pages(&stitch_costs.huge, 512, 512 * 4000);
	EXPECT(cost_finds_huge_dear());
	cost_note_pages(&stitch_costs.huge, 512, 512 * 200);
	EXPECT(cost_finds_huge_dear());
	cost_note_pages(&stitch_costs.huge, 512, 512 * 200);
	EXPECT(!cost_finds_huge_dear());
}

TEST(even_a_fault_that_saves_little_is_tried_again)
{
	unsigned int nr_refused = 0;

	reset();
	stitch_costs.fresh.ns = 100;
	for (unsigned int i = 0; i < 50; i++)
		cost_note_touched(0, 128);
	cost_note_batch(1, 1000);
	while (!cost_allows_batch(false) && nr_refused < 10000)
		nr_refused++;
	EXPECT(nr_refused < 1000);
}

RUN_TESTS
