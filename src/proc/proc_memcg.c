/* proc_memcg.c - memory control groups, for proc_view.h: a line for what cgroupfs has files for. */
#include <string.h>

#include "proc/proc_view.h"

/* "<path> <current> <peak> <max> <failcnt> <slab> <pages> <vmalloc> <threads>" */
static void print_numbers(struct report *report, const struct mem_cgroup *memcg)
{
	report_printf(report, " %lu %lu", memcg->usage * PAGE_SIZE, memcg->peak * PAGE_SIZE);
	if (memcg->max == NO_MEMCG_LIMIT)
		report_printf(report, " max");
	else
		report_printf(report, " %lu", memcg->max * PAGE_SIZE);
	report_printf(report, " %lu %lu %lu %lu %u\n", memcg->nr_failed,
		      memcg->nr_used[USE_SLAB] * PAGE_SIZE, memcg->nr_used[USE_RUN] * PAGE_SIZE,
		      memcg->nr_used[USE_AREA] * PAGE_SIZE, mem_cgroup_threads(memcg));
}

static void print_name(struct report *report, const struct mem_cgroup *memcg)
{
	char name[MEM_CGROUP_NAME_BYTES];

	memcpy(name, memcg->name, sizeof(name));
	proc_make_word(name, sizeof(name));
	report_printf(report, "/%s", name);
}

/* From the outermost on. What is read from elsewhere may be a ring. */
static void print_path(struct report *report, const struct mem_cgroup *groups, unsigned int id)
{
	unsigned int path[MAX_MEM_CGROUPS], nr = 0;

	for (; id && id < MAX_MEM_CGROUPS && nr < MAX_MEM_CGROUPS; id = groups[id].parent)
		path[nr++] = id;
	while (nr)
		print_name(report, &groups[path[--nr]]);
}

void proc_print_memcg(struct report *report, const struct proc_view *view)
{
	const struct mem_cgroup *groups = view->zone.memcg;
	struct mem_cgroup nobody = zone_of_no_memcg(&view->zone);

	report_printf(report, "# path current peak max failcnt slab pages vmalloc threads\n/");
	print_numbers(report, &nobody);
	for (unsigned int id = 1; id < MAX_MEM_CGROUPS; id++) {
		if (groups[id].state == MEMCG_FREE)
			continue;
		print_path(report, groups, id);
		if (groups[id].state == MEMCG_DYING)
			report_printf(report, "(destroyed)");
		print_numbers(report, &groups[id]);
	}
}
