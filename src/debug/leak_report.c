/* leak_report.c - see leak_report.h. */
#include "debug/leak_report.h"

#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/leak_news.h"
#include "debug/leak_stack.h"
#include "debug/leak_track.h"
#include "debug/private_map.h"
#include "debug/suppress.h"
#include "slab/size_class.h"

#define MAX_GROUPS (1u << 20)
#define MAX_THREADS 4u
#define MAX_SHOWN_OBJECTS 4u
#define SHOWN_BYTES 32u

/* Objects of one kind and one stack; without stacks of one size. */
struct group {
	uint64_t key; /* 0: an entry that is not used */
	enum leak_kind kind;
	depot_stack_handle stack;
	size_t usable; /* bytes of each object; of the last one, with stacks */
	size_t bytes, nr_blocks;
	size_t indirect_bytes, nr_indirect; /* what is lost with them */
	unsigned int nr_threads;	    /* MAX_THREADS + 1: more than that */
	int32_t threads[MAX_THREADS];
	unsigned int nr_shown;
	uintptr_t shown[MAX_SHOWN_OBJECTS], holders[MAX_SHOWN_OBJECTS];
};

static struct {
	struct group *groups; /* a hash table; dense and sorted once it is printed */
	size_t nr_entries;    /* a power of two */
	size_t nr_groups;
	struct {
		size_t bytes, nr_blocks;
	} total[NR_LEAK_KINDS];
} leaks;

/* --- counting --------------------------------------------------------------------------------- */

static uint64_t key_of(enum leak_kind kind, depot_stack_handle stack, size_t usable)
{
	return (leak_tracking ? stack : usable) << 4 | (uint64_t)kind;
}

/* The entry of a key, or the one where it belongs; when the table is full, whatever is there. */
static struct group *find_group(uint64_t key)
{
	size_t at = (key * 0x9e3779b97f4a7c15u) >> 32;

	while (leaks.groups[at & (leaks.nr_entries - 1)].key &&
	       leaks.groups[at & (leaks.nr_entries - 1)].key != key &&
	       leaks.nr_groups < leaks.nr_entries)
		at++;
	return &leaks.groups[at & (leaks.nr_entries - 1)];
}

static struct group *group_of(enum leak_kind kind, depot_stack_handle stack, size_t usable)
{
	uint64_t key = key_of(kind, stack, usable);
	struct group *group = find_group(key);

	if (!group->key) {
		*group = (struct group){ .key = key, .kind = kind, .stack = stack };
		leaks.nr_groups++;
	}
	group->usable = usable;
	return group;
}

static void add_thread(struct group *group, int32_t tid)
{
	for (unsigned int i = 0; i < min_size(group->nr_threads, MAX_THREADS); i++)
		if (group->threads[i] == tid)
			return;
	if (group->nr_threads < MAX_THREADS)
		group->threads[group->nr_threads] = tid;
	if (group->nr_threads <= MAX_THREADS)
		group->nr_threads++;
}

/* What was asked for, if that is known. */
static size_t bytes_of(const struct heap_object *object, const struct leak_record *record)
{
	return record->tid && record->bytes <= object->bytes ? record->bytes : object->bytes;
}

static void show_object(struct group *group, const struct leak *leak)
{
	if (group->nr_shown == MAX_SHOWN_OBJECTS)
		return;
	group->shown[group->nr_shown] = leak->object.start;
	group->holders[group->nr_shown++] = leak->holder;
}

static void count_direct(void *unused, const struct leak *leak)
{
	struct leak_record record = leak_record_of(leak->object.start);
	size_t bytes = bytes_of(&leak->object, &record);
	struct group *group;

	(void)unused;
	if (leak_is_new(leak)) {
		leaks.total[leak->kind].bytes += bytes;
		leaks.total[leak->kind].nr_blocks++;
	}
	if (leak->kind == LEAK_INDIRECT || leak->kind == LEAK_SUPPRESSED ||
	    leak->kind == LEAK_LOADERS)
		return;
	group = group_of(leak->kind, record.stack, record.tid ? bytes : leak->object.bytes);
	if (leak->kind == LEAK_DEFINITE)
		*kmemleak_note(leak->object.index) = (uint32_t)(group - leaks.groups);
	if (!leak_is_new(leak))
		return;
	group->bytes += bytes;
	group->nr_blocks++;
	add_thread(group, record.tid);
	show_object(group, leak);
}

static void count_indirect(void *unused, const struct leak *leak)
{
	struct leak_record record = leak_record_of(leak->object.start);
	struct group *group;

	(void)unused;
	if (leak->kind != LEAK_INDIRECT || !leak_is_new(leak))
		return;
	group = &leaks.groups[*kmemleak_note(leak->owner)];
	group->indirect_bytes += bytes_of(&leak->object, &record);
	group->nr_indirect++;
}

bool leak_report_gather(void)
{
	size_t nr = min_size(max_size(heap_objects_count(), 8), MAX_GROUPS);

	memset(&leaks, 0, sizeof(leaks));
	leaks.nr_entries = 2 * roundup_pow_of_two(nr);
	leaks.groups = private_map(leaks.nr_entries * sizeof(*leaks.groups));
	if (!leaks.groups)
		return false;
	kmemleak_visit(count_direct, NULL);
	kmemleak_visit(count_indirect, NULL);
	return true;
}

void leak_report_release(void)
{
	private_unmap(leaks.groups);
	leaks.groups = NULL;
}

bool leak_report_has_leaks(void)
{
	return leaks.total[LEAK_DEFINITE].nr_blocks || leaks.total[LEAK_INDIRECT].nr_blocks ||
	       (params.leak_show >= LEAK_SHOW_POSSIBLE && leaks.total[LEAK_POSSIBLE].nr_blocks);
}

size_t leak_report_lost_bytes(void)
{
	return leaks.total[LEAK_DEFINITE].bytes + leaks.total[LEAK_INDIRECT].bytes;
}

/* --- known leaks ------------------------------------------------------------------------------ */

bool leak_report_knows(const struct heap_object *object)
{
	struct leak_record record = leak_record_of(object->start);

	return record.stack && leak_stack_is_known(record.stack, bytes_of(object, &record));
}

/* --- order ------------------------------------------------------------------------------------ */

static bool is_listed(const struct group *group)
{
	if (!group->nr_blocks && !group->nr_indirect)
		return false; /* nothing new */
	switch (group->kind) {
	case LEAK_DEFINITE:
		return true;
	case LEAK_POSSIBLE:
		return params.leak_show >= LEAK_SHOW_POSSIBLE;
	default:
		return params.leak_show >= LEAK_SHOW_REACHABLE;
	}
}

/* Lost ones come before those that are held. */
static size_t rank_of(enum leak_kind kind)
{
	return kind == LEAK_DEFINITE ? 2 : kind == LEAK_POSSIBLE;
}

static size_t weight_of(const struct group *group)
{
	return params.leak_sort == LEAK_SORT_BYTES ? group->bytes + group->indirect_bytes :
						     group->nr_blocks + group->nr_indirect;
}

static bool comes_before(const struct group *a, const struct group *b)
{
	if (rank_of(a->kind) != rank_of(b->kind))
		return rank_of(a->kind) > rank_of(b->kind);
	if (weight_of(a) != weight_of(b))
		return weight_of(a) > weight_of(b);
	return a->shown[0] < b->shown[0];
}

static void swap_groups(struct group *a, struct group *b)
{
	struct group kept = *a;

	*a = *b;
	*b = kept;
}

static void sift_down(size_t at, size_t nr)
{
	for (;;) {
		size_t last = at, left = 2 * at + 1, right = left + 1;

		if (left < nr && comes_before(&leaks.groups[last], &leaks.groups[left]))
			last = left;
		if (right < nr && comes_before(&leaks.groups[last], &leaks.groups[right]))
			last = right;
		if (last == at)
			return;
		swap_groups(&leaks.groups[at], &leaks.groups[last]);
		at = last;
	}
}

/* Those that are listed to the front, and in order. Heapsort: no memory, no deep recursion. */
static size_t sort_groups(void)
{
	size_t nr = 0;

	for (size_t i = 0; i < leaks.nr_entries; i++)
		if (leaks.groups[i].key && is_listed(&leaks.groups[i]))
			leaks.groups[nr++] = leaks.groups[i];
	for (size_t i = nr / 2; i-- > 0;)
		sift_down(i, nr);
	for (size_t end = nr; end-- > 1;) {
		swap_groups(&leaks.groups[0], &leaks.groups[end]);
		sift_down(0, end);
	}
	return nr;
}

/* --- text ------------------------------------------------------------------------------------- */

static const char *const kind_names[NR_LEAK_KINDS] = {
	[LEAK_POSSIBLE] = "possibly lost",    [LEAK_SUPPRESSED] = "suppressed",
	[LEAK_REACHABLE] = "still reachable", [LEAK_INDIRECT] = "indirectly lost",
	[LEAK_DEFINITE] = "definitely lost",
};

static const char *plural(size_t nr)
{
	return nr == 1 ? "" : "s";
}

static void print_header(struct report *report, const struct leak_header *header)
{
	report_printf(report, "=== stitchmalloc %s: leak report of process %d, %s\n",
		      STITCH_VERSION, header->pid, header->exe);
	report_printf(report, "=== command: %s\n", header->command);
	report_printf(report, leak_tracking ?
				      "=== leaks=full: sizes as requested" :
				      "=== leaks=1: usable sizes; leaks=full tells stacks");
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

static void print_threads(struct report *report, const struct group *group)
{
	report_printf(report, "    by thread%s", plural(group->nr_threads));
	for (unsigned int i = 0; i < min_size(group->nr_threads, MAX_THREADS); i++)
		report_printf(report, "%s %d", i ? "," : "", group->threads[i]);
	report_printf(report, "%s\n", group->nr_threads > MAX_THREADS ? " and more" : "");
}

static void print_first_bytes(struct report *report, uintptr_t object, size_t usable)
{
	const unsigned char *bytes = (const unsigned char *)object; // NOLINT
	size_t nr = min_size(usable, SHOWN_BYTES);

	report_printf(report, "       ");
	for (size_t i = 0; i < nr; i++)
		report_printf(report, "%s%02x", i % 8 ? " " : "  ", bytes[i]);
	report_printf(report, "  ");
	for (size_t i = 0; i < nr; i++)
		report_printf(report, "%c", bytes[i] >= ' ' && bytes[i] < 127 ? bytes[i] : '.');
	report_printf(report, "\n");
}

static void print_cache(struct report *report, size_t usable)
{
	char name[SIZE_CLASS_NAME_BYTES];

	if (usable <= SIZE_CLASS_MAX_BYTES) {
		size_class_name(&size_classes[size_class_of(usable)], name);
		report_printf(report, "    %s\n", name);
	} else {
		report_printf(report, "    %zu pages\n", usable / PAGE_SIZE);
	}
}

static void print_objects(struct report *report, const struct group *group)
{
	for (unsigned int i = 0; i < group->nr_shown; i++) {
		report_printf(report, "    at 0x%zx", group->shown[i]);
		if (group->holders[i])
			leak_holder_print(report, group->holders[i]);
		report_printf(report, "\n");
		print_first_bytes(report, group->shown[i], group->usable);
	}
	if (group->nr_blocks > group->nr_shown)
		report_printf(report, "    ... and %zu more\n",
			      group->nr_blocks - group->nr_shown);
}

static void print_group(struct report *report, const struct group *group, size_t i, size_t nr)
{
	size_t bytes = group->bytes + group->indirect_bytes;
	size_t nr_blocks = group->nr_blocks + group->nr_indirect;

	report_printf(report, "\n%zu byte%s in %zu block%s", bytes, plural(bytes), nr_blocks,
		      plural(nr_blocks));
	if (group->nr_indirect)
		report_printf(report, " (%zu in %zu directly, %zu in %zu indirectly)", group->bytes,
			      group->nr_blocks, group->indirect_bytes, group->nr_indirect);
	report_printf(report, " %s [%zu of %zu]\n", kind_names[group->kind], i + 1, nr);
	if (!leak_tracking)
		print_cache(report, group->usable);
	if (!group->stack && leak_tracking)
		report_printf(report, "    (allocated without a stack)\n");
	if (group->stack)
		leak_stack_print(report, group->stack);
	if (leak_tracking && group->nr_threads > 1)
		print_threads(report, group);
	if (params.leak_objects)
		print_objects(report, group);
	if (params.gen_suppressions && group->stack)
		leak_stack_print_rule(report, group->stack);
}

static void print_groups(struct report *report)
{
	size_t nr = sort_groups(), nr_listed = min_size(nr, params.leak_groups);
	size_t bytes = 0, nr_blocks = 0;

	for (size_t i = 0; i < nr_listed; i++)
		print_group(report, &leaks.groups[i], i, nr);
	if (nr_listed == nr)
		return;
	for (size_t i = nr_listed; i < nr; i++) {
		bytes += leaks.groups[i].bytes + leaks.groups[i].indirect_bytes;
		nr_blocks += leaks.groups[i].nr_blocks + leaks.groups[i].nr_indirect;
	}
	report_printf(report, "\n... and %zu more group%s, %zu byte%s in %zu block%s "
			      "(leak_groups=%zu lists all)\n",
		      nr - nr_listed, plural(nr - nr_listed), bytes, plural(bytes), nr_blocks,
		      plural(nr_blocks), nr);
}

static void print_totals(struct report *report)
{
	static const enum leak_kind order[] = { LEAK_DEFINITE, LEAK_INDIRECT, LEAK_POSSIBLE,
						LEAK_REACHABLE, LEAK_SUPPRESSED };
	size_t bytes = leaks.total[LEAK_DEFINITE].bytes + leaks.total[LEAK_INDIRECT].bytes;
	size_t nr = leaks.total[LEAK_DEFINITE].nr_blocks + leaks.total[LEAK_INDIRECT].nr_blocks;

	report_printf(report, "\n");
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		report_printf(report, "    %15s: %zu byte%s in %zu block%s\n", kind_names[order[i]],
			      leaks.total[order[i]].bytes, plural(leaks.total[order[i]].bytes),
			      leaks.total[order[i]].nr_blocks,
			      plural(leaks.total[order[i]].nr_blocks));
	suppress_report(report, params.leak_print == LEAK_PRINT_ALWAYS);
	report_printf(report,
		      "SUMMARY: stitchmalloc: %zu byte(s) leaked in %zu allocation(s).\n", bytes,
		      nr);
}

void leak_report_print(struct report *report, const struct leak_header *header)
{
	print_header(report, header);
	print_groups(report);
	print_totals(report);
}
