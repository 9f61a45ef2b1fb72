/*
 * test_list.c - the circular list: order, both directions, removal during a walk.
 */
#include "base/list.h"
#include "kunit.h"

struct item {
	int value;
	struct list_head link;
};

static struct list_head head, other;
static struct item items[4];

static void start_empty(void)
{
	list_init(&head);
	list_init(&other);
	for (int i = 0; i < 4; i++)
		items[i].value = i;
}

/* The values in order, each a decimal digit behind a 1: 1, 2, 3 is 1123. */
static int values(const struct list_head *list)
{
	int digits = 1;

	list_for_each(pos, list) {
		EXPECT_EQ(pos->next->prev, pos);
		EXPECT_EQ(pos->prev->next, pos);
		digits = digits * 10 + list_entry(pos, struct item, link)->value;
	}
	EXPECT_EQ(list->next->prev, list);
	EXPECT_EQ(list->prev->next, list);
	return digits;
}

TEST(add_is_a_stack_and_add_tail_a_queue)
{
	start_empty();
	EXPECT(list_empty(&head));
	EXPECT_EQ(values(&head), 1);
	list_add(&items[1].link, &head);
	list_add(&items[2].link, &head);
	list_add_tail(&items[3].link, &head);
	list_add_tail(&items[0].link, &head);
	EXPECT(!list_empty(&head));
	EXPECT_EQ(values(&head), 12130);
	EXPECT_EQ(list_first_entry(&head, struct item, link)->value, 2);
}

TEST(move_takes_from_one_list_to_another)
{
	start_empty();
	for (int i = 0; i < 4; i++)
		list_add_tail(&items[i].link, &head);
	list_move(&items[2].link, &other);
	list_move(&items[0].link, &other);
	list_move_tail(&items[3].link, &other);
	EXPECT_EQ(values(&head), 11);
	EXPECT_EQ(values(&other), 1023);
	list_move_tail(&items[0].link, &other);
	EXPECT_EQ(values(&other), 1230);
}

TEST(removal_during_a_walk)
{
	start_empty();
	for (int i = 0; i < 4; i++)
		list_add_tail(&items[i].link, &head);
	list_for_each_safe(pos, next, &head) {
		if (list_entry(pos, struct item, link)->value % 2) {
			list_del(pos);
			memset(pos, 0xa5, sizeof(*pos));
		}
	}
	EXPECT_EQ(values(&head), 102);
	list_del(&items[0].link);
	list_del(&items[2].link);
	EXPECT(list_empty(&head));
}

RUN_TESTS
