/*
 * model_devres.c - what a device owns against a twin that knows nothing but when each thing began:
 * a table with a row for each addition and two times for each group. Adding, taking, replacing,
 * groups that nest and overlap anyhow, releases of groups that go on while more is added and
 * taken.
 *
 * What a release takes is, of all rows that it shall take, the one of the latest time.
 */
#include "kmalloc/devres.h"

#include <errno.h>

#include "kunit.h"
#include "isolated.h"

#define MAX_ROWS 60u
#define MAX_RELEASES 3u /* under way at a time */
#define NR_IDS 5u
#define NEVER UINT64_MAX

struct row {
	bool is_group;
	uint64_t began, ended; /* ended: of a group; NEVER: it is open */
	void *id;	       /* of a group */
	unsigned int doomed_by; /* a release, from 1 on; 0: none */
	union {
		struct devres_action action; /* data: the row's own */
		struct {
			struct devres_group group;
			struct devres_group_end end;
		};
	};
};

static struct row *rows[MAX_ROWS];
static unsigned int nr_rows;
static uint64_t now, state;
static struct devres_list list;
static char ids[NR_IDS];

/* Those under way: their numbers with the list, from 1 on with the twin; 0: none. */
static uint32_t releases[MAX_RELEASES + 1];

static void action(void *data)
{
	(void)data;
}

static void forget(struct row *row)
{
	unsigned int i = 0;

	while (rows[i] != row)
		i++;
	rows[i] = rows[--nr_rows];
	free(row);
}

/* --- the twin --------------------------------------------------------------------------------- */

static struct row *twin_group(const void *id)
{
	struct row *found = NULL;

	for (unsigned int i = 0; i < nr_rows; i++) {
		struct row *row = rows[i];

		if (!row->is_group || row->doomed_by || (id ? row->id != id : row->ended != NEVER))
			continue;
		if (!found || row->began > found->began)
			found = row;
	}
	return found;
}

/* An open group inside is wholly so: it began there. One whose end was taken is none. */
static bool is_wholly_before(const struct row *group, uint64_t last)
{
	return group->ended && (group->ended == NEVER || group->ended <= last);
}

static void twin_doom(const struct row *group, unsigned int release)
{
	uint64_t last = group->ended, first = group->began;

	for (unsigned int i = 0; i < nr_rows; i++) {
		struct row *row = rows[i];

		if (row->began < first || row->began > last)
			continue;
		if (row->is_group ? is_wholly_before(row, last) : !row->doomed_by)
			row->doomed_by = release;
	}
}

/* NULL: it is through. A doomed closed group is two things to take, its end first. */
static struct row *twin_next(unsigned int release, bool *is_end)
{
	struct row *found = NULL;
	uint64_t latest = 0;

	for (unsigned int i = 0; i < nr_rows; i++) {
		struct row *row = rows[i];
		bool has_end = row->is_group && row->ended != NEVER && row->ended;
		uint64_t time = has_end ? row->ended : row->began;

		if ((release != DEVRES_ALL && row->doomed_by != release) || time < latest)
			continue;
		found = row;
		latest = time;
		*is_end = has_end;
	}
	return found;
}

/* --- operations ------------------------------------------------------------------------------- */

static struct row *new_row(void)
{
	struct row *row = calloc(1, sizeof(*row));

	ASSERT(row);
	row->began = ++now;
	rows[nr_rows++] = row;
	return row;
}

static void add(void)
{
	struct row *row = new_row();

	row->action = (struct devres_action){ .node.kind = DEVRES_ACTION, .node.bytes = row->began,
					      .action = action, .data = row };
	devres_add(&list, &row->action.node);
}

static void open_group(void)
{
	struct row *row = new_row();

	row->is_group = true;
	row->ended = NEVER;
	row->id = row;
	if (kunit_below(&state, 2))
		row->id = &ids[kunit_below(&state, NR_IDS)];
	row->group = (struct devres_group){ .node.kind = DEVRES_GROUP, .id = row->id,
					    .end = &row->end };
	row->end = (struct devres_group_end){ .node.kind = DEVRES_GROUP_END,
					      .group = &row->group };
	devres_add(&list, &row->group.node);
}

static void *some_id(void)
{
	struct row *row = nr_rows ? rows[kunit_below(&state, nr_rows)] : NULL;

	if (kunit_below(&state, 3) == 0)
		return NULL;
	return row && row->is_group ? row->id : &ids[kunit_below(&state, NR_IDS)];
}

static void close_group(void)
{
	void *id = some_id();
	struct row *row = twin_group(id);

	if (!row) {
		ASSERT_EQ(devres_group_close(&list, id), -ENOENT);
	} else if (row->ended != NEVER) {
		ASSERT_EQ(devres_group_close(&list, id), -EINVAL);
	} else {
		ASSERT_EQ(devres_group_close(&list, id), 0);
		row->ended = ++now;
	}
}

static void remove_group(void)
{
	void *id = some_id();
	struct row *row = twin_group(id);
	struct devres_group *group;

	ASSERT_EQ(devres_group_remove(&list, id, &group), row ? 0 : -ENOENT);
	if (!row)
		return;
	ASSERT_EQ(group, &row->group);
	forget(row);
}

static void begin_release(void)
{
	unsigned int release = 1 + (unsigned int)kunit_below(&state, MAX_RELEASES);
	void *id = some_id();
	struct row *row = twin_group(id);
	uint32_t number;

	if (releases[release])
		return;
	ASSERT_EQ(devres_group_doom(&list, id, &number), row ? 0 : -ENOENT);
	if (!row)
		return;
	releases[release] = number;
	twin_doom(row, release);
}

/* As the twin's; what of a group is taken last ends it. */
static void pop(unsigned int release, uint32_t number)
{
	bool is_end = false;
	struct row *row = twin_next(release, &is_end);
	struct devres *node;

	ASSERT_EQ(devres_pop(&list, number, &node), row ? 0 : -ENOENT);
	if (!row) {
		if (release != DEVRES_ALL)
			releases[release] = 0;
		return;
	}
	if (is_end) {
		ASSERT_EQ(node, &row->end.node);
		row->ended = 0; /* half gone: no group for anybody */
		row->doomed_by = release;
		return;
	}
	ASSERT_EQ(node, row->is_group ? &row->group.node : &row->action.node);
	forget(row);
}

static void go_on_with_release(void)
{
	unsigned int release = 1 + (unsigned int)kunit_below(&state, MAX_RELEASES);

	for (uint64_t nr = kunit_below(&state, 8); nr && releases[release]; nr--)
		pop(release, releases[release]);
}

static struct devres_key key_of(struct row *row)
{
	return (struct devres_key){ .kind = DEVRES_ACTION, .action = action, .data = row };
}

/* Whether it is doomed or not. */
static void take(void)
{
	struct row *row = nr_rows ? rows[kunit_below(&state, nr_rows)] : NULL;
	struct devres_key key = key_of(row);
	struct devres *node;

	if (!row || row->is_group) {
		ASSERT_EQ(devres_take(&list, &key, &node), -ENOENT);
		return;
	}
	ASSERT_EQ(devres_take(&list, &key, &node), 0);
	ASSERT_EQ(node, &row->action.node);
	forget(row);
}

/* In its place, and doomed as it was. */
static void replace(void)
{
	unsigned int i = (unsigned int)kunit_below(&state, MAX_ROWS);
	struct row *row = i < nr_rows ? rows[i] : NULL, *other;
	struct devres_key key = key_of(row);
	struct devres *node;

	if (!row || row->is_group)
		return;
	other = malloc(sizeof(*other));
	ASSERT(other);
	*other = *row;
	other->action.data = other;
	other->action.node.next = NULL;
	other->action.node.doomed_by = 0;
	ASSERT_EQ(devres_replace(&list, &key, &other->action.node, &node), 0);
	ASSERT_EQ(node, &row->action.node);
	rows[i] = other;
	free(row);
}

/* --- quiet points ----------------------------------------------------------------------------- */

/* The list's own order, by the views, in pieces of any size. */
static void compare_views(void)
{
	size_t below = SIZE_MAX, nr_seen = 0;
	uint64_t last = NEVER;

	while (below) {
		struct devres_view views[7];
		size_t nr = 1 + kunit_below(&state, ARRAY_SIZE(views));

		ASSERT_EQ(devres_view(&list, below, views, &nr), 0);
		if (!nr)
			break;
		for (size_t i = 0; i < nr; i++) {
			if (views[i].kind != DEVRES_ACTION)
				continue;
			ASSERT(views[i].bytes < last);
			last = views[i].bytes;
			nr_seen++;
		}
		below = views[nr - 1].nr_older;
	}
	for (unsigned int i = 0; i < nr_rows; i++)
		nr_seen -= !rows[i]->is_group;
	ASSERT_EQ(nr_seen, 0);
}

static void compare_counts(void)
{
	struct devres_usage usage, twin = { 0 };

	ASSERT_EQ(devres_count(&list, &usage), 0);
	for (unsigned int i = 0; i < nr_rows; i++) {
		twin.nr_groups += rows[i]->is_group;
		twin.nr_resources += !rows[i]->is_group;
		twin.bytes += rows[i]->is_group ? 0 : rows[i]->began;
	}
	ASSERT_EQ(usage.nr_groups, twin.nr_groups);
	ASSERT_EQ(usage.nr_resources, twin.nr_resources);
	ASSERT_EQ(usage.bytes, twin.bytes);
}

static void step(void)
{
	static void (*const operations[])(void) = {
		add, add, add, add, add, open_group, open_group, close_group, remove_group,
		begin_release, go_on_with_release, go_on_with_release, take, replace,
	};
	uint64_t what = kunit_below(&state, 500);

	if (what == 0)
		while (nr_rows)
			pop(DEVRES_ALL, DEVRES_ALL);
	else if (what < 8)
		pop(DEVRES_ALL, DEVRES_ALL); /* as far as it comes: its thread may be gone */
	else if (nr_rows < MAX_ROWS)
		operations[what % ARRAY_SIZE(operations)]();
	else
		pop(DEVRES_ALL, DEVRES_ALL);
}

ISOLATED_TEST(what_a_device_owns_and_its_twin)
{
	heap_up("");
	state = kunit_seed();
	for (uint64_t op = 0; op < kunit_ops(300000); op++) {
		step();
		if (op % 16 == 0) {
			compare_counts();
			compare_views();
		}
	}
	while (nr_rows)
		pop(DEVRES_ALL, DEVRES_ALL);
	ASSERT(!list.top);
}

RUN_TESTS
