/* alloc_profile.c - see alloc_profile.h. */
#include "debug/alloc_profile.h"

#include "base/math.h"
#include "core/params.h"
#include "debug/leak_track.h"
#include "debug/private_map.h"

struct amount {
	_Atomic uint64_t bytes, nr; /* nr in 1 / 2^LEAK_FRACTION_BITS */
};

/* With each stack. */
struct site {
	struct amount live, peak, total;
	_Atomic uint64_t nr_samples;
};
_Static_assert(sizeof(struct site) == ALLOC_PROFILE_STACK_BYTES, "what the depot keeps");

static struct {
	struct amount live, total;
	struct site unknown; /* objects without a stack */
	_Atomic uint64_t peak_bytes; /* of all sites, when their peaks were last taken down */
	_Atomic bool is_busy;	     /* somebody takes them down */
} profile;

static struct site *site_of(depot_stack_handle stack)
{
	return stack ? stack_depot_extra(stack) : &profile.unknown;
}

/* What is added can be taken away again. */
static struct leak_weight weight_of(size_t bytes)
{
	if (leak_sampling())
		return leak_sample_weight(bytes);
	return (struct leak_weight){ bytes, 1u << LEAK_FRACTION_BITS };
}

static uint64_t add(struct amount *amount, struct leak_weight weight)
{
	atomic_fetch_add_explicit(&amount->nr, weight.nr, memory_order_relaxed);
	return atomic_fetch_add_explicit(&amount->bytes, weight.bytes, memory_order_relaxed) +
	       weight.bytes;
}

static void subtract(struct amount *amount, struct leak_weight weight)
{
	atomic_fetch_sub_explicit(&amount->nr, weight.nr, memory_order_relaxed);
	atomic_fetch_sub_explicit(&amount->bytes, weight.bytes, memory_order_relaxed);
}

/* --- the peak --------------------------------------------------------------------------------- */

static void take_down_site(struct site *site)
{
	site->peak.bytes = site->live.bytes;
	site->peak.nr = site->live.nr;
}

static void take_down_stack(void *unused, depot_stack_handle stack)
{
	(void)unused;
	take_down_site(site_of(stack));
}

/* It costs as much as there are stacks: not for less than a hundredth. */
static __attribute__((noinline)) void take_down_peak(uint64_t bytes)
{
	if (atomic_exchange(&profile.is_busy, true))
		return;
	profile.peak_bytes = bytes;
	stack_depot_visit(take_down_stack, NULL);
	take_down_site(&profile.unknown);
	profile.is_busy = false;
}

void alloc_profile_add(depot_stack_handle stack, size_t bytes)
{
	struct site *site = site_of(stack);
	struct leak_weight weight = weight_of(bytes);
	uint64_t peak = atomic_load_explicit(&profile.peak_bytes, memory_order_relaxed), live;

	add(&site->live, weight);
	add(&site->total, weight);
	atomic_fetch_add_explicit(&site->nr_samples, 1, memory_order_relaxed);
	add(&profile.total, weight);
	live = add(&profile.live, weight);
	if (unlikely(live > peak + peak / 100))
		take_down_peak(live);
}

void alloc_profile_remove(depot_stack_handle stack, size_t bytes)
{
	struct leak_weight weight = weight_of(bytes);

	subtract(&site_of(stack)->live, weight);
	subtract(&profile.live, weight);
}

void alloc_profile_restore(depot_stack_handle stack, size_t bytes)
{
	struct leak_weight weight = weight_of(bytes);

	add(&site_of(stack)->live, weight);
	add(&profile.live, weight);
}

void alloc_profile_after_fork(void)
{
	profile.is_busy = false;
}

/* --- the end ---------------------------------------------------------------------------------- */

static struct {
	struct leak_group *groups;
	size_t nr, nr_entries;
} list;

static struct leak_amount read_amount(struct amount *amount)
{
	uint64_t half = 1u << (LEAK_FRACTION_BITS - 1);

	return (struct leak_amount){ amount->bytes, (amount->nr + half) >> LEAK_FRACTION_BITS };
}

static size_t sort_weight(const struct leak_group *group)
{
	switch (params.profile_sort) {
	case PROFILE_SORT_LIVE:
		return group->direct.bytes;
	case PROFILE_SORT_TOTAL:
		return group->allocated.bytes;
	case PROFILE_SORT_CALLS:
		return group->allocated.nr_blocks;
	default:
		return group->peak.bytes;
	}
}

static void add_site(depot_stack_handle stack, struct site *site)
{
	struct leak_group *group = &list.groups[list.nr];

	if (!site->nr_samples || list.nr == list.nr_entries)
		return;
	*group = (struct leak_group){ .kind = LEAK_REACHABLE,
				      .stack = stack,
				      .direct = read_amount(&site->live),
				      .peak = read_amount(&site->peak),
				      .allocated = read_amount(&site->total),
				      .nr_samples = site->nr_samples };
	group->weight = sort_weight(group);
	list.nr++;
}

static void add_stack(void *unused, depot_stack_handle stack)
{
	(void)unused;
	add_site(stack, site_of(stack));
}

/* Others may still allocate: those of their stacks that come meanwhile are left out. */
static bool gather(void)
{
	list.nr = 0;
	list.nr_entries = 1 + stack_depot_count();
	list.groups = private_map(list.nr_entries * sizeof(*list.groups));
	if (!list.groups)
		return false;
	add_site(0, &profile.unknown);
	stack_depot_visit(add_stack, NULL);
	return true;
}

bool alloc_profile_write(const struct leak_header *header, struct leak_output *outputs,
			 unsigned int nr_outputs)
{
	uint64_t live = profile.live.bytes;
	struct leak_summary summary;

	if (live > profile.peak_bytes)
		take_down_peak(live);
	if (!gather())
		return false;
	leak_groups_sort(list.groups, list.nr);
	summary = leak_groups_summarise(list.groups, list.nr);
	leak_groups_write(list.groups, &summary, header, outputs, nr_outputs);
	private_unmap(list.groups);
	return true;
}
