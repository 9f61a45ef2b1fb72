/*
 * model_hlist.c - every operation of stitch/hlist.h, on two lists, against arrays of numbers.
 */
#include "kunit.h"
#include "stitch/hlist.h"

#define NR_LISTS 2u
#define NR_ITEMS 12u

struct item {
	unsigned int number; /* items[number] */
	struct stitch_hlist_node link;
};

/* The twin: numbers in order. */
struct sequence {
	unsigned int number[NR_ITEMS];
	size_t nr;
};

static struct stitch_hlist_head heads[NR_LISTS];
static struct item items[NR_ITEMS];
static struct sequence twins[NR_LISTS];
static uint64_t dice;

static size_t below(size_t n)
{
	return (size_t)kunit_below(&dice, n);
}

static void twin_insert(struct sequence *twin, size_t at, unsigned int number)
{
	memmove(twin->number + at + 1, twin->number + at, (twin->nr - at) * sizeof(number));
	twin->number[at] = number;
	twin->nr++;
}

static void twin_remove(struct sequence *twin, size_t at)
{
	twin->nr--;
	memmove(twin->number + at, twin->number + at + 1,
		(twin->nr - at) * sizeof(twin->number[0]));
}

static void check_list(struct stitch_hlist_head *head, const struct sequence *twin)
{
	const struct item *item;
	size_t i = 0;

	ASSERT(stitch_hlist_validate(head));
	stitch_hlist_for_each_entry(item, head, link) {
		ASSERT(i < twin->nr);
		ASSERT_EQ(item->number, twin->number[i++]);
		ASSERT(!stitch_hlist_unhashed(&item->link) && !stitch_hlist_fake(&item->link));
		ASSERT_EQ(stitch_hlist_is_singular_node(&item->link, head), twin->nr == 1);
	}
	ASSERT_EQ(i, twin->nr);
	ASSERT_EQ(stitch_hlist_count_nodes(head), twin->nr);
	ASSERT_EQ(stitch_hlist_empty(head), twin->nr == 0);
}

/* An item that is on no list, or NULL. */
static struct item *free_item(void)
{
	bool used[NR_ITEMS] = { false };
	size_t start = below(NR_ITEMS);

	for (size_t list = 0; list < NR_LISTS; list++)
		for (size_t i = 0; i < twins[list].nr; i++)
			used[twins[list].number[i]] = true;
	for (size_t i = 0; i < NR_ITEMS; i++)
		if (!used[(start + i) % NR_ITEMS])
			return &items[(start + i) % NR_ITEMS];
	return NULL;
}

static void add(size_t list)
{
	struct item *item = free_item();
	struct sequence *twin = &twins[list];
	size_t at;

	if (!item)
		return;
	if (!twin->nr || !below(3)) {
		stitch_hlist_add_head(&item->link, &heads[list]);
		twin_insert(twin, 0, item->number);
		return;
	}
	at = below(twin->nr);
	if (below(2)) {
		stitch_hlist_add_before(&item->link, &items[twin->number[at]].link);
		twin_insert(twin, at, item->number);
	} else {
		stitch_hlist_add_behind(&item->link, &items[twin->number[at]].link);
		twin_insert(twin, at + 1, item->number);
	}
}

static void del(size_t list)
{
	struct stitch_hlist_node *node;
	size_t at;

	if (!twins[list].nr)
		return;
	at = below(twins[list].nr);
	node = &items[twins[list].number[at]].link;
	twin_remove(&twins[list], at);
	if (below(2)) {
		stitch_hlist_del(node);
		ASSERT(node->next == STITCH_HLIST_POISON1 && node->pprev == STITCH_HLIST_POISON2);
		return;
	}
	stitch_hlist_del_init(node);
	ASSERT(stitch_hlist_unhashed(node) && stitch_hlist_unhashed_lockless(node));
	stitch_hlist_del_init(node); /* again: nothing */
}

static void fake(size_t list)
{
	struct item *item = free_item();

	(void)list;
	if (!item)
		return;
	stitch_hlist_add_fake(&item->link);
	ASSERT(stitch_hlist_fake(&item->link) && !stitch_hlist_unhashed(&item->link));
	stitch_hlist_del_init(&item->link);
	ASSERT(!stitch_hlist_fake(&item->link) && stitch_hlist_unhashed(&item->link));
}

/* The other one's nodes come before this one's, or instead of them. */
static void join(size_t list)
{
	struct sequence *twin = &twins[list], *other = &twins[!list];

	if (!twin->nr) {
		stitch_hlist_move_list(&heads[!list], &heads[list]);
	} else {
		if (!other->nr)
			return;
		stitch_hlist_splice_init(&heads[!list], &items[other->number[other->nr - 1]].link,
					 &heads[list]);
	}
	while (other->nr) {
		twin_insert(twin, 0, other->number[other->nr - 1]);
		twin_remove(other, other->nr - 1);
	}
}

/* Some are deleted while they are walked over. */
static void weed(size_t list)
{
	struct sequence *twin = &twins[list];
	struct stitch_hlist_node *next;
	struct item *item;
	size_t at = 0;

	stitch_hlist_for_each_entry_safe(item, next, &heads[list], link) {
		ASSERT_EQ(item->number, twin->number[at]);
		if (!below(3)) {
			stitch_hlist_del(&item->link);
			twin_remove(twin, at);
		} else {
			at++;
		}
	}
	ASSERT_EQ(at, twin->nr);
}

TEST(model_of_two_hlists)
{
	static void (*const operations[])(size_t list) = { add, add, add, add, del, fake, join,
							   weed };
	uint64_t nr_ops = kunit_ops(1000000);

	dice = kunit_seed();
	for (size_t list = 0; list < NR_LISTS; list++) {
		stitch_init_hlist_head(&heads[list]);
		twins[list].nr = 0;
	}
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		items[i].number = i;
	for (uint64_t op = 0; op < nr_ops; op++) {
		operations[below(sizeof(operations) / sizeof(operations[0]))](below(NR_LISTS));
		for (size_t list = 0; list < NR_LISTS; list++)
			check_list(&heads[list], &twins[list]);
	}
}

TEST(a_damaged_hlist_is_found)
{
	struct stitch_hlist_head head;
	struct stitch_hlist_node node[3];

	for (unsigned int wrong = 0; wrong < 3; wrong++) {
		stitch_init_hlist_head(&head);
		for (unsigned int i = 0; i < 3; i++)
			stitch_hlist_add_head(&node[i], &head);
		EXPECT(stitch_hlist_validate(&head));
		node[wrong].pprev = &node[wrong].next;
		EXPECT(!stitch_hlist_validate(&head));
	}
}

RUN_TESTS
