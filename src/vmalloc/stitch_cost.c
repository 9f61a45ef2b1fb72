/* stitch_cost.c - see stitch_cost.h. */
#include "vmalloc/stitch_cost.h"

#include "base/math.h"

/*
 * Before the first measurement: Linux 6.18 on a virtual machine, AMD EPYC (Zen 3); moving with a
 * second thread about costs the process 3.5 to 6 us a run more. Repopulated when the child is gone.
 * Huge pages took 450 ns a page there, 490 elsewhere, and 3,000 to 12,000 where the hypervisor had
 * to find the memory first: more than is seen at most times.
 */
struct stitch_costs stitch_costs = {
	.run.ns = 1450, .page.ns = 90, .touch.ns = 14, .fresh.ns = 2100, .huge.ns = 900,
	.purge.ns = 90, .remap.ns = 6500, .repopulated.ns = 630,
};

/*
 * A new measurement weighs an eighth once there are so many, and counts for no more than 4 times
 * the average then: the thread may have lost its processor meanwhile.
 */
#define NR_AVERAGED 8u
#define MAX_OUTLIER 4u
/* Shorter batches tell of the clock more than of the pages. */
#define MIN_MEASURED_PAGES 16u
/* A system call, at the least: else a run that once seemed to cost nothing would for ever. */
#define MIN_RUN_NS 300u
/* What huge pages save later, in the translation of addresses, is worth half as much again. */
#define HUGE_HALVES 3u
/* Moved runs must cost less than so many tenths of faults. */
#define WORTH_TENTHS 7u
/* By this share a refused cost falls: it is measured again after some dozens of refusals. */
#define FORGET_SHIFT 6u
#define FORGET_QUICKLY_SHIFT 2u /* what has moved nothing, so that nothing would ever be enough */
/* A sixteenth counts as touched at the least: else nothing would ever be tried again. */
#define MAX_UNTOUCHED (PAGES_OF_SHARE - PAGES_OF_SHARE / 16)

/* Upwards, so that an average of 0 rises. */
static int64_t round_away(int64_t difference, uint32_t divisor)
{
	int64_t up = difference > 0 ? (int64_t)divisor - 1 : 0;

	return (difference + up) / (int64_t)divisor;
}

static void average_in(struct cost *cost, uint64_t ns)
{
	int64_t average = cost->ns, value = (int64_t)min_size(ns, UINT32_MAX / 2);

	if (cost->nr_measured < NR_AVERAGED)
		cost->nr_measured++;
	else
		value = (int64_t)min_size((uint64_t)value, MAX_OUTLIER * (uint64_t)average + 1);
	average += round_away(value - average, cost->nr_measured);
	WRITE_ONCE(cost->ns, (uint32_t)average); /* reports read it without a lock */
}

/* The part of the time that the larger term predicts teaches that term. */
void cost_note_moves(size_t nr_runs, size_t nr_pages, uint64_t ns)
{
	uint64_t of_runs = nr_runs * (uint64_t)max_size(stitch_costs.run.ns, MIN_RUN_NS);
	uint64_t of_pages = nr_pages * (uint64_t)stitch_costs.page.ns;

	if (!nr_runs || nr_pages < MIN_MEASURED_PAGES)
		return;
	if (of_runs >= of_pages)
		average_in(&stitch_costs.run, (ns > of_pages ? ns - of_pages : 0) / nr_runs);
	else
		average_in(&stitch_costs.page, (ns > of_runs ? ns - of_runs : 0) / nr_pages);
}

void cost_note_touched(size_t nr_touched, size_t nr_pages)
{
	int64_t share = (int64_t)((nr_pages - nr_touched) * PAGES_OF_SHARE / nr_pages);
	int64_t average = stitch_costs.untouched;

	average += round_away(share - average, NR_AVERAGED);
	stitch_costs.untouched = (uint32_t)min_size((size_t)average, MAX_UNTOUCHED);
}

static uint64_t touched_share(uint64_t of)
{
	return of * (PAGES_OF_SHARE - stitch_costs.untouched) / PAGES_OF_SHARE;
}

size_t cost_expect_touched(size_t nr_pages)
{
	return touched_share(nr_pages);
}

void cost_note_pages(struct cost *cost, size_t nr_pages, uint64_t ns)
{
	average_in(cost, ns / nr_pages);
}

static void forget_some(struct cost *cost)
{
	WRITE_ONCE(cost->ns, cost->ns - div_round_up(cost->ns, 1u << FORGET_SHIFT));
}

/* The first page of a huge one that is touched brings all of them. */
static uint64_t ns_saved(size_t nr_pages, bool huge)
{
	uint64_t purge = stitch_costs.purge.ns;

	if (huge)
		return nr_pages * (stitch_costs.huge.ns + purge);
	return touched_share(nr_pages * (stitch_costs.fresh.ns + purge));
}

/* In tenths of ns. */
static uint64_t page_price(void)
{
	return ((uint64_t)stitch_costs.page.ns + stitch_costs.touch.ns) * 10;
}

bool cost_is_worth_moving(size_t nr_pages, bool huge)
{
	return stitch_costs.run.ns * 10ull + nr_pages * page_price() <=
	       ns_saved(nr_pages, huge) * WORTH_TENTHS;
}

size_t cost_least_run(bool huge)
{
	uint64_t saved = ns_saved(1, huge) * WORTH_TENTHS, price = page_price();

	return saved > price ? div_round_up(stitch_costs.run.ns * 10ull, saved - price) : SIZE_MAX;
}

void cost_note_batch(size_t nr_pages, uint64_t ns)
{
	struct cost_total *total = &stitch_costs.batches;

	total->ns += ns - total->ns / NR_AVERAGED;
	total->nr_pages += nr_pages * PAGES_OF_SHARE - total->nr_pages / NR_AVERAGED;
}

bool cost_allows_batch(bool huge)
{
	struct cost_total *total = &stitch_costs.batches;
	size_t nr_pages = total->nr_pages / PAGES_OF_SHARE;
	uint64_t ns = total->ns + nr_pages * (uint64_t)stitch_costs.touch.ns;
	unsigned int shift = nr_pages ? FORGET_SHIFT : FORGET_QUICKLY_SHIFT;

	if (ns * 10 <= ns_saved(nr_pages, huge) * WORTH_TENTHS)
		return true;
	total->ns -= div_round_up(total->ns, 1u << shift);
	forget_some(&stitch_costs.touch);
	return false;
}

bool cost_allows_moving(size_t nr_pages, bool huge)
{
	if (cost_is_worth_moving(nr_pages, huge))
		return true;
	forget_some(&stitch_costs.run);
	forget_some(&stitch_costs.page);
	forget_some(&stitch_costs.touch);
	return false;
}

bool cost_finds_huge_dear(void)
{
	struct cost *huge = &stitch_costs.huge, *fresh = &stitch_costs.fresh;

	if (!huge->nr_measured || !fresh->nr_measured ||
	    huge->ns * 2ull <= fresh->ns * (uint64_t)HUGE_HALVES)
		return false;
	huge->nr_measured = 1;
	return true;
}

bool cost_allows_repopulating(void)
{
	if (stitch_costs.repopulated.ns * 10ull <= stitch_costs.fresh.ns * (uint64_t)WORTH_TENTHS)
		return true;
	forget_some(&stitch_costs.repopulated);
	return false;
}

void cost_note_remaps(size_t nr_runs, uint64_t ns)
{
	average_in(&stitch_costs.remap, ns / nr_runs);
}

bool cost_allows_remapping(size_t nr_pages)
{
	uint64_t saved = nr_pages * (uint64_t)stitch_costs.fresh.ns;
	uint64_t price = stitch_costs.remap.ns + nr_pages * (uint64_t)stitch_costs.touch.ns;

	if (price * 10 <= saved * WORTH_TENTHS)
		return true;
	forget_some(&stitch_costs.remap);
	return false;
}
