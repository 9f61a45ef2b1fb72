/*
 * leak_groups.h - groups of objects, put in order and told to the writers of formats.
 *
 * L7. For one thread at a time.
 */
#ifndef DEBUG_LEAK_GROUPS_H
#define DEBUG_LEAK_GROUPS_H

#include "debug/leak_writer.h"

/* By kind and weight, the most first. */
void leak_groups_sort(struct leak_group *groups, size_t nr);

/* All but the totals of kinds. */
struct leak_summary leak_groups_summarise(const struct leak_group *groups, size_t nr);

struct leak_output {
	const struct leak_writer *writer;
	struct report *report;
};

/* One report, in as many formats as there are outputs. */
void leak_groups_write(const struct leak_group *groups, const struct leak_summary *summary,
		       const struct leak_header *header, struct leak_output *outputs,
		       unsigned int nr_outputs);

#endif
