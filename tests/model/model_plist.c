/*
 * model_plist.c - every operation of stitch/plist.h against an array that is kept sorted.
 */
#include "kunit.h"
#include "stitch/plist.h"

#define NR_TASKS 16u

struct task {
	unsigned int number; /* tasks[number] */
	int prio;	     /* the twin's */
	struct stitch_plist_node node;
} __attribute__((aligned(64))); /* a head does not lie in one: -fsanitize=alignment */

static STITCH_PLIST_HEAD(head);
static struct task tasks[NR_TASKS];
static uint64_t dice;

/* The twin: who is on the list, in order. */
static struct task *order[NR_TASKS];
static size_t nr;

static void twin_add(struct task *task)
{
	size_t at = nr++;

	for (; at && order[at - 1]->prio > task->prio; at--)
		order[at] = order[at - 1];
	order[at] = task;
}

static void twin_remove(size_t at)
{
	nr--;
	memmove(&order[at], &order[at + 1], (nr - at) * sizeof(order[0]));
}

static size_t twin_find(const struct task *task)
{
	size_t at = 0;

	while (at < nr && order[at] != task)
		at++;
	return at;
}

static void check_all(void)
{
	struct task *task;
	size_t i = 0;

	ASSERT(stitch_plist_validate(&head));
	stitch_plist_for_each_entry(task, &head, node) {
		ASSERT(i < nr);
		ASSERT_EQ(task->number, order[i++]->number);
		ASSERT_EQ(task->node.prio, task->prio);
		ASSERT(!stitch_plist_node_empty(&task->node));
	}
	ASSERT_EQ(i, nr);
	ASSERT_EQ(stitch_plist_head_empty(&head), nr == 0);
	if (!nr)
		return;
	ASSERT_EQ(stitch_plist_first(&head), &order[0]->node);
	ASSERT_EQ(stitch_plist_last(&head), &order[nr - 1]->node);
	i = (size_t)kunit_below(&dice, nr);
	if (i)
		ASSERT_EQ(stitch_plist_prev(&order[i]->node), &order[i - 1]->node);
	if (i + 1 < nr)
		ASSERT_EQ(stitch_plist_next(&order[i]->node), &order[i + 1]->node);
}

/* From the first of one priority to the first of the next, round. */
static void check_priorities(void)
{
	struct stitch_plist_node *node;
	size_t nr_priorities = 0;

	if (!nr)
		return;
	node = stitch_plist_first(&head);
	for (size_t i = 0; i < nr; i++) {
		if (i && order[i]->prio == order[i - 1]->prio)
			continue;
		ASSERT_EQ(node, &order[i]->node);
		node = stitch_plist_next_prio(node);
		nr_priorities++;
	}
	ASSERT(nr_priorities && node == stitch_plist_first(&head));
}

static void remove_some(void)
{
	struct task *task, *next;

	stitch_plist_for_each_entry_safe(task, next, &head, node) {
		if (kunit_below(&dice, 2)) {
			stitch_plist_del(&task->node, &head);
			twin_remove(twin_find(task));
		}
	}
}

static void change(struct task *task)
{
	size_t at = twin_find(task);

	if (at == nr) {
		ASSERT(stitch_plist_node_empty(&task->node));
		task->node.prio = task->prio = (int)kunit_below(&dice, 5) - 2;
		stitch_plist_add(&task->node, &head);
		twin_add(task);
	} else if (kunit_below(&dice, 2)) {
		stitch_plist_requeue(&task->node, &head);
		twin_remove(at);
		twin_add(task);
	} else {
		stitch_plist_del(&task->node, &head);
		twin_remove(at);
	}
}

TEST(model_of_a_priority_list)
{
	uint64_t nr_ops = kunit_ops(1000000);

	dice = kunit_seed();
	stitch_plist_head_init(&head);
	nr = 0;
	for (unsigned int i = 0; i < NR_TASKS; i++) {
		tasks[i].number = i;
		stitch_plist_node_init(&tasks[i].node, 0);
	}
	for (uint64_t op = 0; op < nr_ops; op++) {
		if (!kunit_below(&dice, 50))
			remove_some();
		else
			change(&tasks[kunit_below(&dice, NR_TASKS)]);
		check_all();
		check_priorities();
	}
}

static void damage(struct stitch_plist_node *node, unsigned int wrong)
{
	switch (wrong) {
	case 0:
		node[2].prio = 0;
		break;
	case 1: /* the ring is right */
		node[4].prio = 0;
		break;
	case 2:
		stitch_list_del_init(&node[2].prio_list);
		break;
	case 3:
		stitch_list_add(&node[3].prio_list, &node[2].prio_list);
		break;
	case 4:
		stitch_list_move(&node[4].prio_list, &node[0].prio_list);
		break;
	case 5:
		node[1].prio_list.next = &node[2].prio_list;
		break;
	case 6:
		node[1].prio_list.prev = &node[2].prio_list;
		break;
	case 7:
		node[0].prio_list.prev = &node[0].prio_list;
		break;
	case 8:
		node[4].prio_list.next = &node[4].prio_list;
		break;
	case 9:
		stitch_list_move(&node[1].node_list, &node[2].node_list);
		break;
	}
}

TEST(a_damaged_plist_is_found)
{
	static const int priorities[] = { 1, 1, 2, 2, 3 };
	struct stitch_plist_node node[5];
	struct stitch_plist_head list;

	for (unsigned int wrong = 0; wrong < 10; wrong++) {
		stitch_plist_head_init(&list);
		for (unsigned int i = 0; i < 5; i++) {
			stitch_plist_node_init(&node[i], priorities[i]);
			stitch_plist_add(&node[i], &list);
		}
		EXPECT(stitch_plist_validate(&list));
		damage(node, wrong);
		EXPECT(!stitch_plist_validate(&list));
	}
}

RUN_TESTS
