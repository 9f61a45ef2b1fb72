/* leak_text.c - leak reports and profiles for readers. */
#include "base/math.h"
#include "core/params.h"
#include "debug/heap_objects.h"
#include "debug/leak_stack.h"
#include "debug/leak_track.h"
#include "debug/leak_writer.h"
#include "debug/suppress.h"

static const char *const kind_names[NR_LEAK_KINDS] = {
	[LEAK_POSSIBLE] = "possibly lost",    [LEAK_SUPPRESSED] = "suppressed",
	[LEAK_REACHABLE] = "still reachable", [LEAK_INDIRECT] = "indirectly lost",
	[LEAK_DEFINITE] = "definitely lost",
};

static const char *plural(size_t nr)
{
	return nr == 1 ? "" : "s";
}

static void print_mode(struct report *report)
{
	if (leak_tracking())
		report_printf(report, "=== leaks=full: sizes as requested");
	else if (leak_sampling())
		report_printf(report, "=== leaks=sample:%zu: stacks of a sample; what is behind "
				      "\"about\" is estimated, with 95 %% in the bounds",
			      (size_t)params.leak_sample);
	else
		report_printf(report, "=== leaks=1: usable sizes; leaks=full tells stacks");
}

static void begin(struct report *report, const struct leak_header *header,
		  const struct leak_summary *summary)
{
	(void)summary;
	report_printf(report, "=== stitchmalloc %s: leak report of process %d, %s\n",
		      STITCH_VERSION, header->pid, header->exe);
	report_printf(report, "=== command: %s\n", header->command);
	print_mode(report);
	if (header->nr_threads > 1)
		report_printf(report, "; %u threads", header->nr_threads);
	if (header->nr_running)
		report_printf(report, ", of which %u could not be stopped", header->nr_running);
	if (header->scan)
		report_printf(report, "\n=== scan %u on demand", header->scan);
	if (header->since)
		report_printf(report, "; only what is new since scan %u, %u second%s before",
			      header->since, header->seconds, plural(header->seconds));
	report_printf(report, "\n");
}

/* --- groups ----------------------------------------------------------------------------------- */

static void print_estimate(struct report *report, const struct leak_group *group)
{
	report_printf(report, "about %zu +- %zu bytes in about %zu block%s (%zu in the sample)",
		      group->direct.bytes, leak_estimate_error(&group->estimate),
		      group->direct.nr_blocks, plural(group->direct.nr_blocks), group->nr_samples);
}

static void begin_group(struct report *report, const struct leak_group *group, size_t index,
			const struct leak_summary *summary)
{
	struct leak_amount amount = leak_group_amount(group);
	char name[LEAK_CACHE_NAME_BYTES];

	report_printf(report, "\n");
	if (group->nr_samples)
		print_estimate(report, group);
	else
		report_printf(report, "%zu byte%s in %zu block%s", amount.bytes,
			      plural(amount.bytes), amount.nr_blocks, plural(amount.nr_blocks));
	if (group->indirect.nr_blocks)
		report_printf(report, " (%zu in %zu directly, %zu in %zu indirectly)",
			      group->direct.bytes, group->direct.nr_blocks, group->indirect.bytes,
			      group->indirect.nr_blocks);
	report_printf(report, " %s [%zu of %zu]\n", kind_names[group->kind], index + 1,
		      summary->nr_groups);
	leak_cache_name(group, name);
	if (!leak_has_stacks() || group->cache)
		report_printf(report, "    %s\n", name);
	if (leak_has_stacks() && !group->stack)
		report_printf(report, "    (allocated without a stack)\n");
}

static void print_named(struct report *report, const struct symbol *symbol)
{
	if (symbol->function)
		report_printf(report, " in %s", symbol->function);
	if (symbol->file)
		report_printf(report, " %s:%u", symbol->file, symbol->line);
	if (symbol->module)
		report_printf(report, " (%s+0x%zx)\n", symbol->module, symbol->offset);
	else
		report_printf(report, " (in no module: unloaded, or made at run time)\n");
}

/* For who resolves the report elsewhere. */
static void print_place(struct report *report, uintptr_t pc, const struct symbol *symbol)
{
	char id[64];

	report_printf(report, " (%s+0x%zx)", symbol->module ? symbol->module : "?",
		      symbol->offset);
	if (symbolise_build_id(pc, id, sizeof(id)))
		report_printf(report, " (BuildId: %s)", id);
	report_printf(report, "\n");
}

static void print_frame(struct report *report, const struct leak_frame *frame)
{
	if (!frame->pc) {
		report_printf(report, "    %s\n", frame->symbol->function);
		return;
	}
	report_printf(report, "    #%u 0x%zx", frame->number, frame->pc);
	if (params.symbolize)
		print_named(report, frame->symbol);
	else
		print_place(report, frame->pc, frame->symbol);
}

static void print_threads(struct report *report, const struct leak_group *group)
{
	report_printf(report, "    by thread%s", plural(group->nr_threads));
	for (unsigned int i = 0; i < min_size(group->nr_threads, LEAK_MAX_THREADS); i++)
		report_printf(report, "%s %d", i ? "," : "", group->threads[i]);
	report_printf(report, "%s\n", group->nr_threads > LEAK_MAX_THREADS ? " and more" : "");
}

static void print_holder(struct report *report, uintptr_t holder)
{
	struct heap_object object;

	if (heap_object_at(holder, &object))
		report_printf(report, ", held by 0x%zx in the object at 0x%zx", holder,
			      object.start);
	else
		report_printf(report, ", held by 0x%zx outside the heap", holder);
}

static void print_first_bytes(struct report *report, uintptr_t object, size_t usable)
{
	const unsigned char *bytes = (const unsigned char *)object; // NOLINT
	size_t nr = leak_shown_bytes(object, usable);

	if (!nr) {
		report_printf(report, "         (not to be read)\n");
		return;
	}
	report_printf(report, "       ");
	for (size_t i = 0; i < nr; i++)
		report_printf(report, "%s%02x", i % 8 ? " " : "  ", bytes[i]);
	report_printf(report, "  ");
	for (size_t i = 0; i < nr; i++)
		report_printf(report, "%c", bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] : '.');
	report_printf(report, "\n");
}

static void print_objects(struct report *report, const struct leak_group *group)
{
	for (unsigned int i = 0; i < group->nr_shown; i++) {
		report_printf(report, "    at 0x%zx", group->shown[i]);
		if (group->holders[i])
			print_holder(report, group->holders[i]);
		report_printf(report, "\n");
		print_first_bytes(report, group->shown[i], group->usable);
	}
	if (group->direct.nr_blocks > group->nr_shown)
		report_printf(report, "    ... and %zu more\n",
			      group->direct.nr_blocks - group->nr_shown);
}

static void end_group(struct report *report, const struct leak_group *group)
{
	if (leak_has_stacks() && group->nr_threads > 1)
		print_threads(report, group);
	if (params.leak_objects)
		print_objects(report, group);
	if (params.gen_suppressions && group->stack)
		leak_stack_print_rule(report, group->stack);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void print_rest(struct report *report, const struct leak_summary *summary)
{
	size_t nr = summary->nr_groups - summary->nr_listed;

	if (!nr)
		return;
	report_printf(report, "\n... and %zu more group%s, %zu byte%s in %zu block%s "
			      "(leak_groups=%zu lists all)\n",
		      nr, plural(nr), summary->rest.left.bytes, plural(summary->rest.left.bytes),
		      summary->rest.left.nr_blocks, plural(summary->rest.left.nr_blocks),
		      summary->nr_groups);
}

static void print_totals(struct report *report, const struct leak_amount *total)
{
	static const enum leak_kind order[] = { LEAK_DEFINITE, LEAK_INDIRECT, LEAK_POSSIBLE,
						LEAK_REACHABLE, LEAK_SUPPRESSED };

	report_printf(report, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		report_printf(report, "    %15s: %zu byte%s in %zu block%s\n", kind_names[order[i]],
			      total[order[i]].bytes, plural(total[order[i]].bytes),
			      total[order[i]].nr_blocks, plural(total[order[i]].nr_blocks));
}

static void end(struct report *report, const struct leak_summary *summary)
{
	struct leak_amount lost = leak_summary_lost(summary);

	print_rest(report, summary);
	print_totals(report, summary->total);
	suppress_report(report, params.leak_print == LEAK_PRINT_ALWAYS);
	report_printf(report,
		      "SUMMARY: stitchmalloc: %zu byte(s) leaked in %zu allocation(s).\n",
		      lost.bytes, lost.nr_blocks);
}

const struct leak_writer leak_text_writer = {
	.begin = begin,
	.begin_group = begin_group,
	.frame = print_frame,
	.end_group = end_group,
	.end = end,
};

/* --- a profile -------------------------------------------------------------------------------- */

static void begin_profile(struct report *report, const struct leak_header *header,
			  const struct leak_summary *summary)
{
	(void)summary;
	report_printf(report, "=== stitchmalloc %s: allocation profile of process %d, %s\n",
		      STITCH_VERSION, header->pid, header->exe);
	report_printf(report, "=== command: %s\n", header->command);
	if (leak_sampling())
		report_printf(report, "=== profile=sample:%zu: all of it is estimated, with 95 %% "
				      "within 196 / sqrt(samples) %%\n",
			      (size_t)params.leak_sample);
	else
		report_printf(report, "=== profile=full: sizes as requested\n");
}

static void print_amounts(struct report *report, const struct leak_sums *sums)
{
	report_printf(report, "%zu byte%s in %zu block%s at the peak, %zu in %zu at the end, ",
		      sums->peak.bytes, plural(sums->peak.bytes), sums->peak.nr_blocks,
		      plural(sums->peak.nr_blocks), sums->left.bytes, sums->left.nr_blocks);
	report_printf(report, "%zu in %zu call%s in all", sums->allocated.bytes,
		      sums->allocated.nr_blocks, plural(sums->allocated.nr_blocks));
}

static void begin_site(struct report *report, const struct leak_group *group, size_t index,
		       const struct leak_summary *summary)
{
	struct leak_sums sums = { group->direct, group->peak, group->allocated, 0 };

	report_printf(report, "\n");
	print_amounts(report, &sums);
	if (leak_sampling())
		report_printf(report, ", %zu sample%s", group->nr_samples,
			      plural(group->nr_samples));
	report_printf(report, " [%zu of %zu]\n", index + 1, summary->nr_groups);
	if (!group->stack)
		report_printf(report, "    (allocated without a stack)\n");
}

static void end_profile(struct report *report, const struct leak_summary *summary)
{
	size_t nr = summary->nr_groups - summary->nr_listed;

	if (nr) {
		report_printf(report, "\n... and %zu more place%s: ", nr, plural(nr));
		print_amounts(report, &summary->rest);
		report_printf(report, " (leak_groups=%zu lists all)\n", summary->nr_groups);
	}
	report_printf(report, "\nSUMMARY: stitchmalloc: ");
	print_amounts(report, &summary->all);
	report_printf(report, ".\n");
}

const struct leak_writer profile_text_writer = {
	.begin = begin_profile,
	.begin_group = begin_site,
	.frame = print_frame,
	.end = end_profile,
};
