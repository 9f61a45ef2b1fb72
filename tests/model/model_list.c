/*
 * model_list.c - every operation of stitch/list.h, on three lists, against arrays of numbers.
 */
#include "kunit.h"
#include "stitch/list_sort.h"

#define NR_LISTS 3u
#define NR_ITEMS 20u

struct item {
	unsigned int number; /* items[number] */
	unsigned int key;
	struct stitch_list_head link;
} __attribute__((aligned(64))); /* a head does not lie in one: -fsanitize=alignment */

/* The twin: numbers in order. */
struct sequence {
	unsigned int number[NR_ITEMS];
	size_t nr;
};

static struct stitch_list_head heads[NR_LISTS];
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

static unsigned int twin_remove(struct sequence *twin, size_t at)
{
	unsigned int number = twin->number[at];

	twin->nr--;
	memmove(twin->number + at, twin->number + at + 1, (twin->nr - at) * sizeof(number));
	return number;
}

/* Items from..from + nr - 1 of one go before `at` of another, which is not the same. */
static void twin_transfer(struct sequence *from, size_t first, size_t nr, struct sequence *to,
			  size_t at)
{
	while (nr--)
		twin_insert(to, at++, twin_remove(from, first));
}

static void check_list(struct stitch_list_head *head, const struct sequence *twin)
{
	const struct item *item;
	size_t i = 0;

	ASSERT(stitch_list_validate(head));
	stitch_list_for_each_entry(item, head, link) {
		ASSERT(i < twin->nr);
		ASSERT_EQ(item->number, twin->number[i++]);
	}
	ASSERT_EQ(i, twin->nr);
	stitch_list_for_each_entry_reverse(item, head, link)
		ASSERT_EQ(item->number, twin->number[--i]);
	ASSERT_EQ(stitch_list_count_nodes(head), twin->nr);
	ASSERT_EQ(stitch_list_empty(head), twin->nr == 0);
	ASSERT_EQ(stitch_list_empty_careful(head), twin->nr == 0);
	ASSERT_EQ(stitch_list_is_singular(head), twin->nr == 1);
}

/* Node number `at` of a list; its head behind the last. */
static struct stitch_list_head *node_at(size_t list, size_t at)
{
	return at == twins[list].nr ? &heads[list] : &items[twins[list].number[at]].link;
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
	size_t at = below(twins[list].nr + 1);

	if (!item)
		return;
	if (below(2)) { /* before number `at` */
		stitch_list_add_tail(&item->link, node_at(list, at));
		twin_insert(&twins[list], at, item->number);
	} else { /* behind it; behind the head is the first */
		stitch_list_add(&item->link, node_at(list, at));
		twin_insert(&twins[list], at == twins[list].nr ? 0 : at + 1, item->number);
	}
}

static void del(size_t list)
{
	size_t at = below(twins[list].nr + 1);
	struct stitch_list_head *node = node_at(list, at);

	if (at == twins[list].nr)
		return;
	twin_remove(&twins[list], at);
	switch (below(4)) {
	case 0:
		stitch_list_del(node);
		ASSERT(node->next == STITCH_LIST_POISON1 && node->prev == STITCH_LIST_POISON2);
		break;
	case 1:
		stitch_list_del_entry(node);
		break;
	case 2:
		stitch_list_del_init(node);
		ASSERT(stitch_list_empty(node) && stitch_list_validate(node));
		stitch_list_del_init(node); /* again: nothing */
		break;
	case 3:
		stitch_list_del_init_careful(node);
		ASSERT(stitch_list_empty_careful(node) && stitch_list_validate(node));
		break;
	}
}

static void replace(size_t list)
{
	struct item *item = free_item();
	size_t at = below(twins[list].nr + 1);
	struct stitch_list_head *old = node_at(list, at);

	if (!item || at == twins[list].nr)
		return;
	if (below(2)) {
		stitch_list_replace(old, &item->link);
	} else {
		stitch_list_replace_init(old, &item->link);
		ASSERT(stitch_list_empty(old) && stitch_list_validate(old));
	}
	twins[list].number[at] = item->number;
}

static void swap(size_t list)
{
	size_t other = below(NR_LISTS), a, b;
	unsigned int number;

	if (!twins[list].nr || !twins[other].nr)
		return;
	a = below(twins[list].nr);
	b = below(4) ? below(twins[other].nr) : (a + 1) % twins[other].nr; /* often neighbours */
	if (list == other && a == b)
		return;
	stitch_list_swap(node_at(list, a), node_at(other, b));
	number = twins[list].number[a];
	twins[list].number[a] = twins[other].number[b];
	twins[other].number[b] = number;
}

static void move(size_t list)
{
	size_t other = below(NR_LISTS), at;
	bool tail = below(2);
	unsigned int number;

	if (!twins[list].nr)
		return;
	at = below(twins[list].nr);
	if (tail)
		stitch_list_move_tail(node_at(list, at), &heads[other]);
	else
		stitch_list_move(node_at(list, at), &heads[other]);
	number = twin_remove(&twins[list], at);
	twin_insert(&twins[other], tail ? twins[other].nr : 0, number);
}

static void bulk_move_tail(size_t list)
{
	size_t other = below(NR_LISTS), first, nr;

	if (!twins[list].nr)
		return;
	first = below(twins[list].nr);
	nr = 1 + below(twins[list].nr - first);
	stitch_list_bulk_move_tail(&heads[other], node_at(list, first),
				   node_at(list, first + nr - 1));
	for (size_t i = 0; i < nr; i++) { /* also to its own end */
		unsigned int number = twin_remove(&twins[list], first);

		twin_insert(&twins[other], twins[other].nr, number);
	}
}

static void rotate(size_t list)
{
	size_t first = twins[list].nr ? 1 % twins[list].nr : 0;

	if (below(2) || !twins[list].nr) {
		stitch_list_rotate_left(&heads[list]);
	} else {
		first = below(twins[list].nr);
		stitch_list_rotate_to_front(node_at(list, first), &heads[list]);
	}
	while (first--) {
		unsigned int number = twin_remove(&twins[list], 0);

		twin_insert(&twins[list], twins[list].nr, number);
	}
}

static void cut(size_t list)
{
	size_t other = (list + 1) % NR_LISTS, at = below(twins[list].nr + 1), nr;

	if (twins[other].nr)
		return;
	memset(&heads[other], 0xa5, sizeof(heads[other])); /* what it was does not count */
	if (below(2)) {
		stitch_list_cut_position(&heads[other], &heads[list], node_at(list, at));
		nr = at == twins[list].nr ? 0 : at + 1;
	} else {
		stitch_list_cut_before(&heads[other], &heads[list], node_at(list, at));
		nr = at;
	}
	twin_transfer(&twins[list], 0, nr, &twins[other], 0);
}

static void splice(size_t list)
{
	size_t other = (list + 1) % NR_LISTS, variant = below(4);
	static void (*const splicing[])(struct stitch_list_head *, struct stitch_list_head *) = {
		stitch_list_splice_init, stitch_list_splice_tail_init,
	};

	if (variant == 0)
		stitch_list_splice(&heads[list], &heads[other]);
	else if (variant == 1)
		stitch_list_splice_tail(&heads[list], &heads[other]);
	else
		splicing[variant % 2](&heads[list], &heads[other]);
	twin_transfer(&twins[list], 0, twins[list].nr, &twins[other],
		      variant % 2 ? twins[other].nr : 0);
	if (variant < 2)
		stitch_init_list_head(&heads[list]);
}

static void ask(size_t list)
{
	const struct sequence *twin = &twins[list];
	struct item *item;
	size_t at;

	item = stitch_list_first_entry_or_null(&heads[list], struct item, link);
	ASSERT_EQ(item, twin->nr ? &items[twin->number[0]] : NULL);
	item = stitch_list_last_entry_or_null(&heads[list], struct item, link);
	ASSERT_EQ(item, twin->nr ? &items[twin->number[twin->nr - 1]] : NULL);
	if (!twin->nr)
		return;
	at = below(twin->nr);
	item = &items[twin->number[at]];
	ASSERT_EQ(stitch_list_is_first(&item->link, &heads[list]), at == 0);
	ASSERT_EQ(stitch_list_is_last(&item->link, &heads[list]), at == twin->nr - 1);
	ASSERT(!stitch_list_is_head(&item->link, &heads[list]));
	ASSERT_EQ(stitch_list_next_entry_circular(item, &heads[list], link)->number,
		  twin->number[(at + 1) % twin->nr]);
	ASSERT_EQ(stitch_list_prev_entry_circular(item, &heads[list], link)->number,
		  twin->number[(at + twin->nr - 1) % twin->nr]);
}

/* Some are deleted while they are walked over. */
static void weed(size_t list)
{
	struct sequence *twin = &twins[list];
	struct item *item, *next;
	bool backwards = below(2);
	size_t at = 0;

	if (backwards) {
		at = twin->nr;
		stitch_list_for_each_entry_safe_reverse(item, next, &heads[list], link) {
			ASSERT_EQ(item->number, twin->number[--at]);
			if (!below(4)) {
				stitch_list_del(&item->link);
				twin_remove(twin, at);
			}
		}
		return;
	}
	stitch_list_for_each_entry_safe(item, next, &heads[list], link) {
		ASSERT_EQ(item->number, twin->number[at]);
		if (!below(4)) {
			stitch_list_del(&item->link);
			twin_remove(twin, at);
		} else {
			at++;
		}
	}
}

static int compare(void *priv, const struct stitch_list_head *a, const struct stitch_list_head *b)
{
	++*(size_t *)priv;
	return (int)stitch_list_entry(a, struct item, link)->key -
	       (int)stitch_list_entry(b, struct item, link)->key;
}

static void sort(size_t list)
{
	struct sequence *twin = &twins[list], sorted = { .nr = 0 };
	size_t nr_compared = 0;

	stitch_list_sort(&nr_compared, &heads[list], compare);
	ASSERT(nr_compared <= NR_ITEMS * 5); /* 2^5 > NR_ITEMS */
	for (size_t i = 0; i < twin->nr; i++) { /* behind all that are not larger */
		size_t at = sorted.nr;

		while (at && items[sorted.number[at - 1]].key > items[twin->number[i]].key)
			at--;
		twin_insert(&sorted, at, twin->number[i]);
	}
	*twin = sorted;
}

TEST(model_of_three_lists)
{
	static void (*const operations[])(size_t list) = {
		add, add, add, add, del, replace, swap, move, bulk_move_tail, rotate,
		cut, splice, ask, weed, sort,
	};
	uint64_t nr_ops = kunit_ops(1000000);

	dice = kunit_seed();
	for (size_t list = 0; list < NR_LISTS; list++) {
		stitch_init_list_head(&heads[list]);
		twins[list].nr = 0;
	}
	for (unsigned int i = 0; i < NR_ITEMS; i++)
		items[i].number = i;
	for (uint64_t op = 0; op < nr_ops; op++) {
		items[below(NR_ITEMS)].key = (unsigned int)below(6);
		operations[below(sizeof(operations) / sizeof(operations[0]))](below(NR_LISTS));
		for (size_t list = 0; list < NR_LISTS; list++)
			check_list(&heads[list], &twins[list]);
	}
}

/* validate finds each wrong link, and ends. */
TEST(a_damaged_list_is_found)
{
	struct stitch_list_head head, node[3];

	for (unsigned int wrong = 0; wrong < 8; wrong++) {
		struct stitch_list_head *of = wrong / 2 == 3 ? &head : &node[wrong / 2];

		stitch_init_list_head(&head);
		for (unsigned int i = 0; i < 3; i++)
			stitch_list_add_tail(&node[i], &head);
		EXPECT(stitch_list_validate(&head));
		if (wrong % 2)
			of->next = of;
		else
			of->prev = of->prev->prev;
		EXPECT(!stitch_list_validate(&head));
	}
}

RUN_TESTS
