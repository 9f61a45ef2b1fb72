/*
 * model_ranges.c - the range allocator against an array with an entry a unit: which units are
 * taken, when the heap grows, what is free afterwards and what of it is resident.
 */
#include <errno.h>

#include "mm/range.h"
#include "mm/reclaim.h"
#include "mm/residency.h"
#include "unit/mm/mm_test.h"

#define NR_UNITS 256u
#define MAX_TAKEN NR_UNITS

static struct {
	bool opened, free, touched;
	enum range_part part;
} twin[NR_UNITS];

/* Where the parts end, as in struct section. */
static size_t low_end, high_start = NR_UNITS;

static struct {
	size_t unit, nr_units;
} taken[MAX_TAKEN];
static size_t nr_taken;

static bool memory_refused;

/* --- the twin ------------------------------------------------------------------------------ */

static bool is_free_in(size_t unit, enum range_part part)
{
	return unit < NR_UNITS && twin[unit].opened && twin[unit].free && twin[unit].part == part;
}

/* Length of the free range that starts at this unit; 0: none starts there. */
static size_t range_at(size_t unit, enum range_part part)
{
	size_t end = unit;

	if (unit > 0 && is_free_in(unit - 1, part))
		return 0;
	while (is_free_in(end, part))
		end++;
	return end - unit;
}

static size_t place_in(size_t first, size_t end, enum range_part part, size_t nr, size_t align)
{
	size_t base = mm_map.base / UNIT_BYTES, unit;

	if (part == RANGE_LOW)
		for (unit = first; (base + unit) % align; unit++)
			;
	else
		for (unit = end - nr; (base + unit) % align; unit--)
			;
	return unit;
}

/* Where the request goes without growth; NR_UNITS: nowhere. */
static size_t find_fit(enum range_part part, size_t nr, size_t align)
{
	for (size_t i = 0; i < NR_UNITS; i++) {
		size_t unit = part == RANGE_LOW ? i : NR_UNITS - 1 - i;
		size_t length = range_at(unit, part);

		if (length >= nr + align - 1)
			return place_in(unit, unit + length, part, nr, align);
	}
	return NR_UNITS;
}

/* The last resort: the lowest range in which an aligned place fits. */
static size_t find_lucky(enum range_part part, size_t nr, size_t align)
{
	size_t base = mm_map.base / UNIT_BYTES;

	for (size_t first = 0; first < NR_UNITS; first++) {
		size_t length = range_at(first, part), found = NR_UNITS;

		for (size_t unit = first; unit + nr <= first + length; unit++)
			if ((base + unit) % align == 0 && (part == RANGE_HIGH || found == NR_UNITS))
				found = unit;
		if (found < NR_UNITS)
			return found;
	}
	return NR_UNITS;
}

/* Free units right before the place where the part grows. */
static size_t free_at_edge(enum range_part part)
{
	size_t nr = 0;

	if (part == RANGE_LOW)
		while (nr < low_end && is_free_in(low_end - 1 - nr, part))
			nr++;
	else
		while (is_free_in(high_start + nr, part))
			nr++;
	return nr;
}

static bool can_grow(enum range_part part, size_t nr, size_t align)
{
	size_t missing = nr + align - 1 - free_at_edge(part);

	return !memory_refused && high_start - low_end >= missing;
}

/* The zone has opened more: the twin follows, after a look at how much. */
static void follow_growth(enum range_part part, size_t missing)
{
	const struct section *section = &zone.sections[0];
	size_t grown = part == RANGE_LOW ? section->low - low_end : high_start - section->high;

	ASSERT(grown >= missing);
	for (; grown; grown--) {
		size_t unit = part == RANGE_LOW ? low_end++ : --high_start;

		ASSERT(!twin[unit].opened);
		twin[unit].opened = true;
		twin[unit].free = true;
		twin[unit].part = part;
	}
}

/* Where the request must go, with the twin grown as the zone has; NR_UNITS: it must fail. */
static size_t expected_place(enum range_part part, size_t nr, size_t align)
{
	enum range_part other = part == RANGE_LOW ? RANGE_HIGH : RANGE_LOW;
	size_t unit = find_fit(part, nr, align);

	if (nr + align - 1 > NR_UNITS)
		return NR_UNITS;
	if (unit < NR_UNITS)
		return unit;
	if (!can_grow(part, nr, align)) {
		unit = find_fit(other, nr, align);
		if (unit < NR_UNITS)
			return unit;
		if (!can_grow(other, nr, align))
			return align == 1 ? NR_UNITS : find_lucky(part, nr, align);
		part = other;
	}
	follow_growth(part, nr + align - 1 - free_at_edge(part));
	return find_fit(part, nr, align);
}

/* --- operations ----------------------------------------------------------------------------- */

static void take_units(size_t unit, size_t nr)
{
	for (size_t u = unit; u < unit + nr; u++)
		twin[u].free = false;
	taken[nr_taken].unit = unit;
	taken[nr_taken++].nr_units = nr;
	residency_note_taken(unit * UNIT_PAGES, nr * UNIT_PAGES);
	zone_count_locked(USE_AREA, (ptrdiff_t)(nr * UNIT_PAGES));
}

static void alloc(uint64_t *random)
{
	enum range_part part = (enum range_part)kunit_below(random, 2);
	size_t nr = 1 + kunit_below(random, (size_t)1 << kunit_below(random, 7));
	size_t align = kunit_below(random, 4) ? 1 : (size_t)1 << kunit_below(random, 10);
	size_t unit = NR_UNITS;
	bool done = range_alloc_locked(part, nr, align, &unit);
	size_t expected = expected_place(part, nr, align);

	ASSERT_EQ(done ? unit : NR_UNITS, expected);
	if (done)
		take_units(unit, nr);
}

static void release(uint64_t *random)
{
	size_t i = kunit_below(random, nr_taken);
	size_t unit = taken[i].unit, nr = taken[i].nr_units;

	taken[i] = taken[--nr_taken];
	zone_count_locked(USE_AREA, -(ptrdiff_t)(nr * UNIT_PAGES));
	residency_note_freed(unit * UNIT_PAGES, nr * UNIT_PAGES);
	range_free_locked(unit, nr);
	for (size_t u = unit; u < unit + nr; u++) {
		twin[u].free = true;
		twin[u].touched = true;
	}
}

/* Grow something that is taken, as areas do, or try what cannot be. */
static void claim(uint64_t *random)
{
	size_t i = kunit_below(random, nr_taken);
	size_t unit = taken[i].unit + taken[i].nr_units, nr = 1 + kunit_below(random, 4);
	enum range_part part = twin[taken[i].unit].part;
	size_t at_hand = range_at(unit, part);
	bool can_grow_from = part == RANGE_LOW && unit + at_hand == low_end && !memory_refused &&
			     high_start - low_end >= nr - min_size(at_hand, nr);
	bool can = at_hand >= nr || can_grow_from;

	ASSERT_EQ(range_claim_locked(part, unit, nr), can);
	if (!can)
		return;
	if (at_hand < nr)
		follow_growth(part, nr - at_hand);
	take_units(unit, nr);
	taken[i].nr_units += nr;
	nr_taken--;
}

/* Half of the time the kernel refuses. Lazily: nothing was ever written to these pages. */
static void reclaim(uint64_t *random)
{
	bool refuse = kunit_below(random, 2);
	size_t nr_touched = 0;

	for (size_t unit = 0; unit < NR_UNITS; unit++) {
		nr_touched += twin[unit].free && twin[unit].touched;
		twin[unit].touched = twin[unit].touched && (refuse || !twin[unit].free);
	}
	os_fake_fail(OS_CALL_PURGE_RANGES, refuse, refuse ? UINT_MAX : 0, EINVAL);
	zone_unlock();
	ASSERT_EQ(reclaim_all(), refuse ? 0 : nr_touched * UNIT_PAGES);
	zone_lock();
}

/* --- quiet points ---------------------------------------------------------------------------- */

static void compare_ranges(enum range_part part)
{
	struct pageblock *range = range_next_locked(part, NULL);

	for (size_t unit = 0; unit < NR_UNITS; unit++) {
		if (!range_at(unit, part))
			continue;
		ASSERT(range);
		ASSERT_EQ(range_unit(range), unit);
		ASSERT_EQ(range->nr_units, range_at(unit, part));
		range = range_next_locked(part, range);
	}
	ASSERT(!range);
}

static void compare_all(void)
{
	size_t nr_touched = 0;

	compare_ranges(RANGE_LOW);
	compare_ranges(RANGE_HIGH);
	for (size_t unit = 0; unit < NR_UNITS; unit++) {
		size_t pfn = unit * UNIT_PAGES;

		ASSERT_EQ(pfn_is_open(pfn), twin[unit].opened);
		if (!twin[unit].opened)
			continue;
		nr_touched += twin[unit].free && twin[unit].touched;
		ASSERT_EQ(residency_count_touched(pfn, UNIT_PAGES),
			  twin[unit].touched ? UNIT_PAGES : 0);
	}
	ASSERT_EQ(zone.nr_free_touched, nr_touched * UNIT_PAGES);
	zone_unlock();
	ASSERT(validate_zone());
	zone_lock();
}

TEST(model_of_free_ranges)
{
	uint64_t random = kunit_seed(), nr_ops = kunit_ops(1000000);

	boot_heap(NR_UNITS * UNIT_BYTES);
	zone_lock();
	for (uint64_t op = 0; op < nr_ops; op++) {
		uint64_t what = kunit_below(&random, 1000);
		/* The heap is drained and filled by turns. */
		uint64_t share = op / 500 % 2 ? 350 : 600;

		if (what == 0)
			reclaim(&random);
		if (what % 100 == 1)
			refuse_memory(memory_refused = kunit_below(&random, 2));
		if (what >= 900 && nr_taken)
			claim(&random);
		else if (what < share || !nr_taken)
			alloc(&random);
		else
			release(&random);
		if (op % 4096 == 0)
			compare_all();
	}
	compare_all();
	zone_unlock();
}

RUN_TESTS
