/* leak_groups.c - see leak_groups.h. */
#include "debug/leak_groups.h"

#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/leak_stack.h"
#include "os/os_proc.h"

size_t leak_shown_bytes(uintptr_t object, size_t usable)
{
	size_t nr = min_size(usable, LEAK_OBJECT_BYTES), word = sizeof(uint64_t);
	uintptr_t last = object + (nr > word ? nr - word : 0);

	return os_can_read(object) && os_can_read(last) ? nr : 0;
}

/* --- order ------------------------------------------------------------------------------------ */

/* Lost ones come before those that are held. */
static size_t rank_of(enum leak_kind kind)
{
	return kind == LEAK_DEFINITE || kind == LEAK_INDIRECT ? 2 : kind == LEAK_POSSIBLE;
}

static bool comes_before(const struct leak_group *a, const struct leak_group *b)
{
	if (rank_of(a->kind) != rank_of(b->kind))
		return rank_of(a->kind) > rank_of(b->kind);
	if (a->weight != b->weight)
		return a->weight > b->weight;
	return a->shown[0] != b->shown[0] ? a->shown[0] < b->shown[0] : a->stack < b->stack;
}

static void swap_groups(struct leak_group *a, struct leak_group *b)
{
	struct leak_group kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_down(struct leak_group *groups, size_t at, size_t nr)
{
	for (;;) {
		size_t last = at, left = 2 * at + 1, right = left + 1;

		if (left < nr && comes_before(&groups[last], &groups[left]))
			last = left;
		if (right < nr && comes_before(&groups[last], &groups[right]))
			last = right;
		if (last == at)
			return;
		swap_groups(&groups[at], &groups[last]);
		at = last;
	}
}

/* Heapsort: no memory, no deep recursion. */
void leak_groups_sort(struct leak_group *groups, size_t nr)
{
	for (size_t i = nr / 2; i-- > 0;)
		sift_down(groups, i, nr);
	for (size_t end = nr; end-- > 1;) {
		swap_groups(&groups[0], &groups[end]);
		sift_down(groups, 0, end);
	}
}

/* --- sums ------------------------------------------------------------------------------------- */

static struct leak_sums sums_of(const struct leak_group *group)
{
	return (struct leak_sums){ leak_group_amount(group), group->peak,
				   leak_group_allocated(group), leak_group_value(group) };
}

static void add_sums(struct leak_sums *sums, struct leak_sums more)
{
	sums->left = leak_amount_sum(sums->left, more.left);
	sums->peak = leak_amount_sum(sums->peak, more.peak);
	sums->allocated = leak_amount_sum(sums->allocated, more.allocated);
	sums->value += more.value;
}

struct leak_summary leak_groups_summarise(const struct leak_group *groups, size_t nr)
{
	struct leak_summary summary = { .nr_groups = nr };

	summary.nr_listed = min_size(nr, params.leak_groups);
	for (size_t i = 0; i < nr; i++) {
		add_sums(&summary.all, sums_of(&groups[i]));
		if (i >= summary.nr_listed)
			add_sums(&summary.rest, sums_of(&groups[i]));
	}
	return summary;
}

/* --- writing ---------------------------------------------------------------------------------- */

/* All that writes the report. */
struct pass {
	const struct leak_group *groups;
	struct leak_output *outputs;
	unsigned int nr_outputs;
	bool has_frames; /* some output wants them */
};

/* Down to main: what has called it is libc's. */
static bool write_frame(void *context, unsigned int number, uintptr_t pc,
			const struct symbol *symbol)
{
	const struct pass *pass = context;
	struct leak_frame frame = { number, pc, symbol };

	for (unsigned int i = 0; i < pass->nr_outputs; i++)
		if (pass->outputs[i].writer->frame)
			pass->outputs[i].writer->frame(pass->outputs[i].report, &frame);
	return !symbol->function || strcmp(symbol->function, "main") != 0;
}

static void write_group(struct pass *pass, size_t at, const struct leak_summary *summary)
{
	const struct leak_group *group = &pass->groups[at];
	bool is_listed = at < summary->nr_listed;

	for (unsigned int i = 0; i < pass->nr_outputs; i++) {
		const struct leak_writer *writer = pass->outputs[i].writer;

		if (writer->begin_group && (is_listed || writer->takes_all_groups))
			writer->begin_group(pass->outputs[i].report, group, at, summary);
	}
	if (!is_listed)
		return;
	if (pass->has_frames && group->stack)
		leak_stack_visit(group->stack, write_frame, pass);
	for (unsigned int i = 0; i < pass->nr_outputs; i++)
		if (pass->outputs[i].writer->end_group)
			pass->outputs[i].writer->end_group(pass->outputs[i].report, group);
}

void leak_groups_write(const struct leak_group *groups, const struct leak_summary *summary,
		       const struct leak_header *header, struct leak_output *outputs,
		       unsigned int nr_outputs)
{
	struct pass pass = { groups, outputs, nr_outputs, false };

	for (unsigned int i = 0; i < nr_outputs; i++) {
		pass.has_frames |= outputs[i].writer->frame != NULL;
		if (outputs[i].writer->begin)
			outputs[i].writer->begin(outputs[i].report, header, summary);
	}
	for (size_t i = 0; i < summary->nr_groups; i++)
		write_group(&pass, i, summary);
	for (unsigned int i = 0; i < nr_outputs; i++)
		if (outputs[i].writer->end)
			outputs[i].writer->end(outputs[i].report, summary);
}
