/*
 * test_devres.c - lists of what a device owns, where the gate is closed: adding goes on, and
 * everything else has done nothing. What it does otherwise is in tests/model/model_devres.c.
 */
#include "kmalloc/devres.h"

#include <errno.h>

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/gate.h"

static struct devres_list list;

static struct devres_action actions[3];
static struct devres_group group;
static struct devres_group_end end = { .node.kind = DEVRES_GROUP_END, .group = &group };

static void act(void *data)
{
	(void)data;
}

static const struct devres_key first = { .kind = DEVRES_ACTION, .action = act,
					 .data = &actions[0] };

static void add(struct devres_action *action)
{
	*action = (struct devres_action){ .node.kind = DEVRES_ACTION, .node.bytes = 1,
					  .action = act, .data = action };
	devres_add(&list, &action->node);
}

static void fill(void)
{
	add(&actions[0]);
	group = (struct devres_group){ .node.kind = DEVRES_GROUP, .id = &group, .end = &end };
	devres_add(&list, &group.node);
	add(&actions[1]);
}

static void expect_all_refused(void)
{
	struct devres_view views[1];
	struct devres_usage usage;
	struct devres_group *removed;
	struct devres *node;
	uint32_t release;
	size_t nr = 1;

	EXPECT_EQ(devres_take(&list, &first, &node), -EAGAIN);
	EXPECT_EQ(devres_pop(&list, DEVRES_ALL, &node), -EAGAIN);
	EXPECT_EQ(devres_resize(&list, &first, 0, &nr), -EAGAIN);
	EXPECT_EQ(devres_replace(&list, &first, &actions[2].node, &node), -EAGAIN);
	EXPECT_EQ(devres_group_close(&list, &group), -EAGAIN);
	EXPECT_EQ(devres_group_remove(&list, &group, &removed), -EAGAIN);
	EXPECT_EQ(devres_group_doom(&list, &group, &release), -EAGAIN);
	EXPECT_EQ(devres_count(&list, &usage), -EAGAIN);
	EXPECT_EQ(devres_view(&list, SIZE_MAX, views, &nr), -EAGAIN);
}

static void expect_pop(uint32_t release, struct devres *expected)
{
	struct devres *node = NULL;

	EXPECT_EQ(devres_pop(&list, release, &node), expected ? 0 : -ENOENT);
	EXPECT_EQ(node, expected);
}

/* As it was before anything was refused, and what was added meanwhile. */
static void expect_untouched(void)
{
	struct devres_usage usage;

	EXPECT_EQ(devres_count(&list, &usage), 0);
	EXPECT_EQ(usage.nr_resources, 3);
	EXPECT_EQ(usage.nr_groups, 1);
	EXPECT_EQ(usage.bytes, 3);
	EXPECT(!group.is_closed);
	expect_pop(DEVRES_ALL, &actions[2].node);
	expect_pop(DEVRES_ALL, &actions[1].node);
	expect_pop(DEVRES_ALL, &group.node);
	expect_pop(DEVRES_ALL, &actions[0].node);
	expect_pop(DEVRES_ALL, NULL);
}

/* As a signal handler does. */
ISOLATED_TEST(amid_a_slow_path)
{
	gate_pass *pass;

	heap_up("");
	fill();
	pass = gate_enter();
	ASSERT(pass);
	expect_all_refused();
	add(&actions[2]);
	gate_leave(pass);
	expect_untouched();
}

ISOLATED_TEST(in_a_child_whose_gate_is_closed_for_good)
{
	heap_up("");
	fill();
	atomic_store(&gate.closed_by, GATE_CLOSED_FOR_GOOD);
	expect_all_refused();
	add(&actions[2]);
	atomic_store(&gate.closed_by, 0);
	expect_untouched();
}

/* Who forks is alone inside. */
ISOLATED_TEST(by_who_has_closed_the_gate)
{
	heap_up("");
	fill();
	gate_close();
	add(&actions[2]);
	expect_untouched();
	gate_open();
}

/* Numbers of releases come around; none is that of all, or of nobody. */
ISOLATED_TEST(many_releases)
{
	uint32_t release;

	heap_up("");
	list.last_release = DEVRES_ALL - 2;
	for (unsigned int i = 0; i < 3; i++) {
		fill();
		EXPECT_EQ(devres_group_doom(&list, NULL, &release), 0);
		EXPECT(release && release != DEVRES_ALL);
		expect_pop(release, &actions[1].node);
		expect_pop(release, &group.node);
		expect_pop(release, NULL);
		expect_pop(DEVRES_ALL, &actions[0].node);
	}
}

RUN_TESTS
