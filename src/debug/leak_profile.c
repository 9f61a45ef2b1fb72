/*
 * leak_profile.c - leaks as a heap profile: jemalloc's heap_v2, for jeprof, and that of gperftools,
 * for google-pprof and Go's pprof, which cannot read the former.
 *
 * L7. Both have addresses only, and /proc/self/maps for the reader to find the names by. Nothing is
 * named here, so that all groups go in. "Allocated" is what is still there, but for a profile of
 * allocations.
 *
 *	heap_v2/0                      heap profile: 3: 144 [3: 144] @ heapprofile
 *	  t*: 3: 144 [3: 144]          3: 144 [3: 144] @ 0x55.. 0x55..
 *	@ 0x55.. 0x55..
 *	  t*: 3: 144 [3: 144]
 *
 *	MAPPED_LIBRARIES:
 *	...
 *
 * What stands behind heap_v2 is the sampling rate in bytes; with 0 readers scale nothing.
 */
#include "debug/leak_writer.h"
#include "debug/unwind.h"
#include "os/os_proc.h"

static void put_amounts(struct report *report, struct leak_amount left, struct leak_amount all)
{
	report_printf(report, "%zu: %zu [%zu: %zu]", left.nr_blocks, left.bytes, all.nr_blocks,
		      all.bytes);
}

/*
 * Readers take the first address as it is and all others for those behind a call. The innermost
 * frame, malloc's own, would be the function to blame: it is left out.
 */
static void put_stack(struct report *report, depot_stack_handle stack)
{
	unsigned int nr;
	const uintptr_t *pcs = stack_depot_fetch(stack, &nr);
	unsigned int first = nr > 1;

	nr -= nr && pcs[nr - 1] == UNWIND_NO_INFORMATION;
	report_printf(report, "@");
	for (unsigned int i = first; i < nr; i++)
		report_printf(report, " 0x%zx", i == first ? pcs[i] - 1 : pcs[i]);
	report_printf(report, nr ? "" : " 0x0");
}

static int put_maps(void *report, const char *text, size_t bytes)
{
	report_text(report, text, bytes);
	return 0;
}

static void end(struct report *report, const struct leak_summary *summary)
{
	(void)summary;
	report_printf(report, "\nMAPPED_LIBRARIES:\n");
	os_read_maps(put_maps, report);
}

/* --- jemalloc's ------------------------------------------------------------------------------- */

static void put_threads(struct report *report, struct leak_amount left, struct leak_amount all)
{
	report_printf(report, "  t*: ");
	put_amounts(report, left, all);
	report_printf(report, "\n");
}

static void begin_heap_v2(struct report *report, const struct leak_header *header,
			  const struct leak_summary *summary)
{
	(void)header;
	report_printf(report, "heap_v2/0\n");
	put_threads(report, summary->all.left, summary->all.allocated);
}

static void put_heap_v2(struct report *report, const struct leak_group *group, size_t index,
			const struct leak_summary *summary)
{
	(void)index;
	(void)summary;
	put_stack(report, group->stack);
	report_printf(report, "\n");
	put_threads(report, leak_group_amount(group), leak_group_allocated(group));
}

const struct leak_writer leak_heap_v2_writer = {
	.begin = begin_heap_v2,
	.begin_group = put_heap_v2,
	.end = end,
	.takes_all_groups = true,
};

/* --- gperftools' ------------------------------------------------------------------------------ */

static void begin_pprof(struct report *report, const struct leak_header *header,
			const struct leak_summary *summary)
{
	(void)header;
	report_printf(report, "heap profile: ");
	put_amounts(report, summary->all.left, summary->all.allocated);
	report_printf(report, " @ heapprofile\n");
}

static void put_pprof(struct report *report, const struct leak_group *group, size_t index,
		      const struct leak_summary *summary)
{
	(void)index;
	(void)summary;
	put_amounts(report, leak_group_amount(group), leak_group_allocated(group));
	report_printf(report, " ");
	put_stack(report, group->stack);
	report_printf(report, "\n");
}

const struct leak_writer leak_pprof_writer = {
	.begin = begin_pprof,
	.begin_group = put_pprof,
	.end = end,
	.takes_all_groups = true,
};
