/*
 * A server works for several tenants. Each has a group of its own, within one for all, and a limit:
 * who asks for too much is refused, the others go on, and at the end it is known who uses what. The
 * code that works for them calls malloc and knows of no groups.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <stitch/memcontrol.h>

enum { NR_TENANTS = 3, TENANT_BYTES = 8 << 20, RECORD_BYTES = 1000 };

struct record {
	struct record *next;
	char text[RECORD_BYTES];
};

struct tenant {
	const char *name;
	int nr_requests;
	struct stitch_mem_cgroup *group;
	struct record *records;
	int nr_kept, nr_refused;
};

/* --- what works for a tenant ------------------------------------------------------------------ */

static int keep_record(struct record **records, const char *text)
{
	struct record *record = malloc(sizeof(*record));

	if (!record)
		return 0;
	snprintf(record->text, sizeof(record->text), "%s", text);
	record->next = *records;
	*records = record;
	return 1;
}

static void drop_records(struct record *records)
{
	while (records) {
		struct record *next = records->next;

		free(records);
		records = next;
	}
}

/* --- the server ------------------------------------------------------------------------------- */

static void serve(struct tenant *tenant, const char *text)
{
	struct stitch_mem_cgroup *before = stitch_set_active_memcg(tenant->group);

	if (keep_record(&tenant->records, text))
		tenant->nr_kept++;
	else
		tenant->nr_refused++;
	stitch_set_active_memcg(before);
}

static void print_usage(const struct tenant *tenant)
{
	struct stitch_mem_cgroup_stat stat;

	if (!stitch_mem_cgroup_read(tenant->group, &stat))
		printf("%s: %zu of %zu KiB, %d records, %d refused\n", tenant->name,
		       stat.current >> 10, stat.max >> 10, tenant->nr_kept, tenant->nr_refused);
}

int main(void)
{
	struct tenant tenants[NR_TENANTS] = {
		{ .name = "modest", .nr_requests = 1000 },
		{ .name = "greedy", .nr_requests = 100000 },
		{ .name = "silent" },
	};
	struct stitch_mem_cgroup *all = stitch_mem_cgroup_create("tenants", NULL, STITCH_MEMCG_MAX);
	struct stitch_mem_cgroup_stat stat;

	for (int i = 0; i < NR_TENANTS; i++) {
		struct tenant *tenant = &tenants[i];

		tenant->group = stitch_mem_cgroup_create(tenant->name, all, TENANT_BYTES);
		if (!tenant->group) {
			perror(tenant->name);
			return 1;
		}
	}
	for (int request = 0; request < 100000; request++)
		for (int i = 0; i < NR_TENANTS; i++)
			if (request < tenants[i].nr_requests)
				serve(&tenants[i], "a request");
	for (int i = 0; i < NR_TENANTS; i++)
		print_usage(&tenants[i]);
	if (tenants[0].records &&
	    stitch_mem_cgroup_from_obj(tenants[0].records) == tenants[0].group)
		printf("the first record is the modest one's\n");
	for (int i = 0; i < NR_TENANTS; i++) {
		drop_records(tenants[i].records);
		stitch_mem_cgroup_destroy(tenants[i].group);
	}
	if (stitch_mem_cgroup_read(all, &stat) || stat.peak > 2 * TENANT_BYTES)
		return 1;
	printf("%s\n", stat.current < 1 << 20 ? "all of it is free" : "something is left");
	return stitch_mem_cgroup_destroy(all);
}
