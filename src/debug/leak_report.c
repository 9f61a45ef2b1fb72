/* leak_report.c - see leak_report.h. */
#include "debug/leak_report.h"

#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "core/params.h"
#include "debug/leak_news.h"
#include "debug/leak_stack.h"
#include "debug/leak_track.h"
#include "debug/private_map.h"
#include "debug/stackdepot.h"
#include "slab/kmem_cache.h"

#define MAX_GROUPS (1u << 20)
/* Of MXCSR, and round to nearest. */
#define MASK_ALL_EXCEPTIONS 0x1f80u

static struct {
	struct leak_group *groups; /* as they were found; those listed, sorted, once printed */
	size_t nr_groups, max_groups;
	uint32_t *table; /* a hash table of 1 + index, half full at most */
	size_t nr_entries; /* a power of two */
	struct leak_amount total[NR_LEAK_KINDS];
} leaks;

/* --- counting --------------------------------------------------------------------------------- */

/* The number of the kmem_cache that the object is of; 0: of none. */
static unsigned int cache_of(uintptr_t object)
{
	uint32_t entry = pagemap_read((object - mm_map.base) / PAGE_SIZE);

	return pagemap_is_cache(entry) ? pagemap_cache_id(entry) : 0;
}

/* A number of a cache, behind the bytes of its objects. */
#define CACHE_SHIFT 32u

static uint64_t key_of(enum leak_kind kind, depot_stack_handle stack, size_t usable,
		       unsigned int cache)
{
	if (leak_has_stacks())
		return (uint64_t)stack << 4 | (uint64_t)kind;
	return ((uint64_t)cache << CACHE_SHIFT ^ usable) << 4 | (uint64_t)kind;
}

/* The entry of a key, or the one where it belongs. */
static uint32_t *entry_of(uint64_t key)
{
	size_t at = (key * 0x9e3779b97f4a7c15u) >> 32;
	uint32_t *entry;

	do
		entry = &leaks.table[at++ & (leaks.nr_entries - 1)];
	while (*entry && leaks.groups[*entry - 1].key != key);
	return entry;
}

static struct leak_group *group_of(enum leak_kind kind, depot_stack_handle stack, size_t usable,
				   unsigned int cache)
{
	uint64_t key = key_of(kind, stack, usable, cache);
	uint32_t *entry = entry_of(key);
	struct leak_group *group;

	if (!*entry && leaks.nr_groups < leaks.max_groups) {
		*entry = (uint32_t)++leaks.nr_groups;
		leaks.groups[*entry - 1] =
			(struct leak_group){ .key = key, .kind = kind, .stack = stack };
	}
	group = &leaks.groups[*entry ? *entry - 1 : 0]; /* too many: to the first */
	group->usable = usable;
	group->cache = cache;
	return group;
}

static void add_thread(struct leak_group *group, int32_t tid)
{
	for (unsigned int i = 0; i < min_size(group->nr_threads, LEAK_MAX_THREADS); i++)
		if (group->threads[i] == tid)
			return;
	if (group->nr_threads < LEAK_MAX_THREADS)
		group->threads[group->nr_threads] = tid;
	if (group->nr_threads <= LEAK_MAX_THREADS)
		group->nr_threads++;
}

/* What was asked for, if that is known. */
static size_t bytes_of(const struct heap_object *object, const struct leak_record *record)
{
	return record->tid && record->bytes <= object->bytes ? record->bytes : object->bytes;
}

static void show_object(struct leak_group *group, const struct leak *leak)
{
	if (group->nr_shown == LEAK_MAX_OBJECTS)
		return;
	group->shown[group->nr_shown] = leak->object.start;
	group->holders[group->nr_shown++] = leak->holder;
}

static void add_object(struct leak_amount *amount, size_t bytes)
{
	amount->bytes += bytes;
	amount->nr_blocks++;
}

/* Those that are not of the sample are in no group. */
static void count_sample(void *unused, const struct leak *leak)
{
	struct leak_record record = leak_record_of(leak->object.start);
	size_t bytes = bytes_of(&leak->object, &record);
	struct leak_group *group;

	(void)unused;
	if (!leak_is_new(leak))
		return;
	add_object(&leaks.total[leak->kind], bytes);
	if (!record.tid || leak->kind == LEAK_SUPPRESSED || leak->kind == LEAK_LOADERS)
		return;
	group = group_of(leak->kind, record.stack, bytes, 0);
	leak_estimate_add(&group->estimate, leak_sample_estimate(bytes));
	group->nr_samples++;
	group->direct.bytes = (size_t)(group->estimate.bytes + 0.5);
	group->direct.nr_blocks = (size_t)(group->estimate.nr_blocks + 0.5);
	add_thread(group, record.tid);
	show_object(group, leak);
}

static void count_direct(void *unused, const struct leak *leak)
{
	struct leak_record record = leak_record_of(leak->object.start);
	size_t bytes = bytes_of(&leak->object, &record);
	struct leak_group *group;

	(void)unused;
	if (leak_is_new(leak))
		add_object(&leaks.total[leak->kind], bytes);
	if (leak->kind == LEAK_INDIRECT || leak->kind == LEAK_SUPPRESSED ||
	    leak->kind == LEAK_LOADERS)
		return;
	group = group_of(leak->kind, record.stack, record.tid ? bytes : leak->object.bytes,
			 cache_of(leak->object.start));
	if (leak->kind == LEAK_DEFINITE)
		*kmemleak_note(leak->object.index) = (uint32_t)(group - leaks.groups);
	if (!leak_is_new(leak))
		return;
	add_object(&group->direct, bytes);
	add_thread(group, record.tid);
	show_object(group, leak);
}

static void count_indirect(void *unused, const struct leak *leak)
{
	struct leak_record record = leak_record_of(leak->object.start);
	struct leak_group *group;

	(void)unused;
	if (leak->kind != LEAK_INDIRECT || !leak_is_new(leak))
		return;
	group = &leaks.groups[*kmemleak_note(leak->owner)];
	add_object(&group->indirect, bytes_of(&leak->object, &record));
}

static void visit_all(void)
{
	kmemleak_visit(count_direct, NULL);
	kmemleak_visit(count_indirect, NULL);
}

/* The program may have floating point exceptions trap. */
static void visit_samples(void)
{
	unsigned int mode = __builtin_ia32_stmxcsr();

	__builtin_ia32_ldmxcsr(MASK_ALL_EXCEPTIONS);
	kmemleak_visit(count_sample, NULL);
	__builtin_ia32_ldmxcsr(mode);
}

/* Groups there can be: fewer than objects, if these come from few places. */
static size_t max_groups(void)
{
	size_t nr = min_size(max_size(heap_objects_count(), 8), MAX_GROUPS);

	return leak_has_stacks() ? min_size(nr, NR_LEAK_KINDS * (1 + stack_depot_count())) : nr;
}

bool leak_report_gather(void)
{
	memset(&leaks, 0, sizeof(leaks));
	leaks.max_groups = max_groups();
	leaks.nr_entries = 2 * roundup_pow_of_two(leaks.max_groups);
	leaks.groups = private_map(leaks.max_groups * sizeof(*leaks.groups));
	leaks.table = private_map(leaks.nr_entries * sizeof(*leaks.table));
	if (!leaks.groups || !leaks.table)
		return false;
	if (leak_sampling())
		visit_samples();
	else
		visit_all();
	return true;
}

void leak_report_release(void)
{
	private_unmap(leaks.groups);
	private_unmap(leaks.table);
	leaks.groups = NULL;
	leaks.table = NULL;
}

/*
 * What is not of the sample cannot be suppressed: when something was, only the sample counts.
 */
static bool has_sampled_leaks(void)
{
	for (size_t i = 0; i < leaks.nr_groups; i++)
		if (leaks.groups[i].kind != LEAK_REACHABLE)
			return true;
	return !leaks.total[LEAK_SUPPRESSED].nr_blocks;
}

bool leak_report_has_leaks(void)
{
	if (leak_sampling() && !has_sampled_leaks())
		return false;
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

static bool is_listed(const struct leak_group *group)
{
	if (!group->direct.nr_blocks && !group->indirect.nr_blocks)
		return false; /* nothing new */
	switch (group->kind) {
	case LEAK_DEFINITE:
	case LEAK_INDIRECT: /* leaks=sample: its owner need not be of the sample */
		return true;
	case LEAK_POSSIBLE:
		return params.leak_show >= LEAK_SHOW_POSSIBLE;
	default:
		return params.leak_show >= LEAK_SHOW_REACHABLE;
	}
}

static size_t weight_of(const struct leak_group *group)
{
	struct leak_amount amount = leak_group_amount(group);

	return params.leak_sort == LEAK_SORT_BYTES ? amount.bytes : amount.nr_blocks;
}

/* Those that are listed to the front, and in order. */
static size_t sort_groups(void)
{
	size_t nr = 0;

	for (size_t i = 0; i < leaks.nr_groups; i++) {
		struct leak_group *group = &leaks.groups[i];

		if (!is_listed(group))
			continue;
		group->weight = weight_of(group);
		leaks.groups[nr++] = *group;
	}
	leak_groups_sort(leaks.groups, nr);
	return nr;
}

/* --- writing ---------------------------------------------------------------------------------- */

static bool is_of_class(size_t usable)
{
	return usable <= SIZE_CLASS_MAX_BYTES &&
	       size_classes[size_class_of(usable)].size == usable;
}

void leak_cache_name(const struct leak_group *group, char *name)
{
	if (group->cache && kmem_caches.table[group->cache])
		format_text(name, LEAK_CACHE_NAME_BYTES, "%s",
			    kmem_caches.table[group->cache]->name);
	else if (is_of_class(group->usable))
		size_class_name(&size_classes[size_class_of(group->usable)], name);
	else
		format_text(name, LEAK_CACHE_NAME_BYTES, "%zu pages", group->usable / PAGE_SIZE);
}

void leak_report_write(const struct leak_header *header, struct leak_output *outputs,
		       unsigned int nr_outputs)
{
	struct leak_summary summary = leak_groups_summarise(leaks.groups, sort_groups());

	memcpy(summary.total, leaks.total, sizeof(summary.total));
	leak_groups_write(leaks.groups, &summary, header, outputs, nr_outputs);
}
