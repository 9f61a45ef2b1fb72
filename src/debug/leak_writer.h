/*
 * leak_writer.h - what a leak report consists of, and the formats that it is written in.
 *
 * L7. leak_report.c goes through the groups once and tells each of the writers what comes, in this
 * order, so that stacks are named once for all of them:
 *
 *	begin
 *	for each group that is listed:  begin_group, frame for each frame, end_group
 *	end
 *
 * Writers look nothing up that others need as well. One report is written at a time.
 */
#ifndef DEBUG_LEAK_WRITER_H
#define DEBUG_LEAK_WRITER_H

#include "core/report.h"
#include "debug/kmemleak.h"
#include "debug/leak_sample.h"
#include "debug/stackdepot.h"
#include "debug/symbolise.h"

/*
 * exe, command: may hold any bytes. nr_running: threads that went on during the scan. scan: which
 * one on demand; 0: it is the report at the end. since: only what is new since that scan is
 * reported, which was so many seconds before; 0: all is.
 */
struct leak_header {
	const char *exe, *command;
	int pid;
	unsigned int nr_threads, nr_running;
	unsigned int scan, since, seconds;
};

struct leak_amount {
	size_t bytes, nr_blocks;
};

#define LEAK_MAX_THREADS 4u
#define LEAK_MAX_OBJECTS 4u
/* The first bytes of an object that are shown. */
#define LEAK_OBJECT_BYTES 32u
/* Of this one: none when the program has protected it. */
size_t leak_shown_bytes(uintptr_t object, size_t usable);

/* Objects of one kind and one stack; without stacks of one size. */
struct leak_group {
	uint64_t key; /* of leak_report.c's table; 0: an entry that is not used */
	enum leak_kind kind;
	depot_stack_handle stack; /* 0: none, or not known */
	size_t usable; /* bytes of each object; of the last one, with stacks */
	unsigned int cache; /* their kmem_cache, of the last one with stacks; 0: none */
	struct leak_amount direct;
	struct leak_amount indirect; /* what is lost with them */
	/* leaks=sample: `direct` is an estimate, by so many objects, with this error. */
	size_t nr_samples;
	struct leak_estimate estimate;
	/* Of a profile (alloc_profile.h), where `direct` is what is there now. */
	struct leak_amount peak, allocated;
	size_t weight; /* what it is sorted by */
	unsigned int nr_threads; /* LEAK_MAX_THREADS + 1: more than that */
	int32_t threads[LEAK_MAX_THREADS];
	unsigned int nr_shown;
	uintptr_t shown[LEAK_MAX_OBJECTS], holders[LEAK_MAX_OBJECTS];
};

/* Of several groups. left: what is lost with their objects included; of a profile what is live. */
struct leak_sums {
	struct leak_amount left, peak, allocated;
	size_t value; /* as leak_group_value */
};

/* Groups are sorted; the first nr_listed are told of, and the rest is a sum. */
struct leak_summary {
	struct leak_amount total[NR_LEAK_KINDS]; /* whether listed or not */
	size_t nr_groups, nr_listed;
	struct leak_sums all, rest; /* of the groups */
};

/* number: in the stack, inlined functions counted. The symbol's texts are valid during the call. */
struct leak_frame {
	unsigned int number;
	uintptr_t pc; /* of the call */
	const struct symbol *symbol; /* with symbolize=0 only module and offset are known */
};

/* Any may be NULL. */
struct leak_writer {
	void (*begin)(struct report *report, const struct leak_header *header,
		      const struct leak_summary *summary);
	/* index: 0 to nr_groups - 1. */
	void (*begin_group)(struct report *report, const struct leak_group *group, size_t index,
			    const struct leak_summary *summary);
	void (*frame)(struct report *report, const struct leak_frame *frame);
	void (*end_group)(struct report *report, const struct leak_group *group);
	void (*end)(struct report *report, const struct leak_summary *summary);
	/* leak_groups= is no bound: it is told of all groups, of the rest without frames. */
	bool takes_all_groups;
};

extern const struct leak_writer leak_text_writer, leak_json_writer, leak_collapsed_writer,
	leak_heap_v2_writer, leak_pprof_writer;
/* Of a profile (alloc_profile.h): the groups are places; kinds and totals say nothing. */
extern const struct leak_writer profile_text_writer, profile_json_writer;

static inline struct leak_amount leak_amount_sum(struct leak_amount a, struct leak_amount b)
{
	return (struct leak_amount){ a.bytes + b.bytes, a.nr_blocks + b.nr_blocks };
}

/* Of a group, what is lost with its objects included. */
static inline struct leak_amount leak_group_amount(const struct leak_group *group)
{
	return leak_amount_sum(group->direct, group->indirect);
}

/* What was ever allocated there; where nobody has counted that, what is left of it. */
static inline struct leak_amount leak_group_allocated(const struct leak_group *group)
{
	return group->allocated.nr_blocks ? group->allocated : leak_group_amount(group);
}

/* The one number, for formats that have no more: bytes lost; of a profile what it is sorted by. */
static inline size_t leak_group_value(const struct leak_group *group)
{
	return group->allocated.nr_blocks ? group->weight : leak_group_amount(group).bytes;
}

/* What "leaked" is in the last line of a report. */
static inline struct leak_amount leak_summary_lost(const struct leak_summary *summary)
{
	return leak_amount_sum(summary->total[LEAK_DEFINITE], summary->total[LEAK_INDIRECT]);
}

/* The group's objects, where there are no stacks: "kmalloc-64", a kmem_cache, or "3 pages". */
#define LEAK_CACHE_NAME_BYTES 48u
void leak_cache_name(const struct leak_group *group, char *name);

#endif
