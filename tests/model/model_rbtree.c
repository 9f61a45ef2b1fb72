/*
 * model_rbtree.c - stitch/rbtree.h against an array that is searched by brute force: one tree, with
 * the leftmost node at hand and two augmented values, a maximum and a sum.
 */
#include "stitch/rbtree.h"
#include "kunit.h"

#define NR_NODES 200u

struct item {
	uint64_t weight;
	struct stitch_rb_node rb; /* not first: its address is not the item's */
	struct {
		uint64_t max, sum;
	} under;
};

static struct item items[NR_NODES];
static bool present[NR_NODES];
static struct stitch_rb_root_cached tree;

static struct item *item_of(const struct stitch_rb_node *node)
{
	return stitch_rb_entry(node, struct item, rb);
}

static size_t key_of(const struct stitch_rb_node *node)
{
	return (size_t)(item_of(node) - items);
}

static bool compute_under(struct item *item, bool exit)
{
	uint64_t max = item->weight, sum = item->weight;

	for (int side = 0; side < 2; side++) {
		struct stitch_rb_node *child = item->rb.rb_child[side];

		if (!child)
			continue;
		sum += item_of(child)->under.sum;
		if (item_of(child)->under.max > max)
			max = item_of(child)->under.max;
	}
	if (exit && item->under.max == max && item->under.sum == sum)
		return true;
	item->under.max = max;
	item->under.sum = sum;
	return false;
}

STITCH_RB_DECLARE_CALLBACKS(static, under_callbacks, struct item, rb, under, compute_under);

static void insert(size_t key)
{
	struct stitch_rb_node **link = &tree.rb_root.rb_node, *parent = NULL;
	struct stitch_rb_node *node = &items[key].rb;
	bool leftmost = true;

	while (*link) {
		parent = *link;
		if (key < key_of(parent)) {
			link = &parent->rb_left;
		} else {
			link = &parent->rb_right;
			leftmost = false;
		}
	}
	stitch_rb_link_node(node, parent, link);
	compute_under(&items[key], false);
	under_callbacks.propagate(parent, NULL);
	stitch_rb_insert_augmented_cached(node, &tree, leftmost, &under_callbacks);
	present[key] = true;
}

static void start_empty(void)
{
	memset(items, 0xa5, sizeof(items));
	memset(present, 0, sizeof(present));
	for (size_t key = 0; key < NR_NODES; key++)
		items[key].weight = key + 1;
	tree = STITCH_RB_ROOT_CACHED;
}

/* The first present node from `key` on, upwards or downwards; NULL when there is none. */
static struct stitch_rb_node *nearest(size_t key, size_t step)
{
	for (; key < NR_NODES; key += step) {
		if (present[key])
			return &items[key].rb;
	}
	return NULL;
}

static void erase(size_t key)
{
	struct stitch_rb_node *leftmost = nearest(0, 1) == &items[key].rb ? nearest(key + 1, 1) :
									      NULL;

	ASSERT_EQ(stitch_rb_erase_augmented_cached(&items[key].rb, &tree, &under_callbacks),
		  leftmost);
	present[key] = false;
}

/* Both orders, the invariants, every value. */
static void check_all(void)
{
	struct stitch_rb_node *forth = stitch_rb_first_cached(&tree);
	struct stitch_rb_node *back = stitch_rb_last(&tree.rb_root);

	ASSERT(stitch_rb_validate_cached(&tree));
	for (size_t key = 0; key < NR_NODES; key++) {
		if (present[key]) {
			ASSERT_EQ(forth, &items[key].rb);
			ASSERT(compute_under(&items[key], true));
			forth = stitch_rb_next(forth);
		}
		if (present[NR_NODES - 1 - key]) {
			ASSERT_EQ(back, &items[NR_NODES - 1 - key].rb);
			back = stitch_rb_prev(back);
		}
	}
	ASSERT_EQ(forth, NULL);
	ASSERT_EQ(back, NULL);
}

TEST(empty_tree_is_legal_and_has_no_ends)
{
	struct stitch_rb_node node;

	start_empty();
	EXPECT(stitch_rb_validate_cached(&tree));
	EXPECT(STITCH_RB_EMPTY_ROOT(&tree.rb_root));
	EXPECT_EQ(stitch_rb_first_cached(&tree), NULL);
	EXPECT_EQ(stitch_rb_first(&tree.rb_root), NULL);
	EXPECT_EQ(stitch_rb_last(&tree.rb_root), NULL);
	EXPECT_EQ(stitch_rb_first_postorder(&tree.rb_root), NULL);
	EXPECT_EQ(stitch_rb_next_postorder(NULL), NULL);
	STITCH_RB_CLEAR_NODE(&node);
	EXPECT(STITCH_RB_EMPTY_NODE(&node));
	EXPECT_EQ(stitch_rb_next(&node), NULL);
	EXPECT_EQ(stitch_rb_prev(&node), NULL);
	insert(7);
	EXPECT(!STITCH_RB_EMPTY_NODE(&items[7].rb));
	EXPECT(!STITCH_RB_EMPTY_ROOT(&tree.rb_root));
	EXPECT_EQ(stitch_rb_parent(&items[7].rb), NULL);
}

TEST(rising_falling_and_zigzag_insertion_stay_balanced)
{
	for (int order = 0; order < 3; order++) {
		start_empty();
		for (size_t i = 0; i < NR_NODES; i++) {
			size_t zigzag = i & 1 ? NR_NODES - 1 - i / 2 : i / 2;
			size_t keys[] = { i, NR_NODES - 1 - i, zigzag };

			insert(keys[order]);
			ASSERT(stitch_rb_validate_cached(&tree));
		}
		check_all();
		for (size_t i = 0; i < NR_NODES; i++) {
			erase(order == 1 ? i : NR_NODES - 1 - i);
			ASSERT(stitch_rb_validate_cached(&tree));
		}
		EXPECT(STITCH_RB_EMPTY_ROOT(&tree.rb_root));
	}
}

/* Every tree shape that some order of insertion gives to 7 nodes, every victim. */
TEST(each_removal_from_each_small_tree)
{
	for (unsigned int permutation = 0; permutation < 5040; permutation++) {
		for (size_t victim = 0; victim < 7; victim++) {
			size_t left[] = { 0, 1, 2, 3, 4, 5, 6 };
			unsigned int code = permutation;

			start_empty();
			for (unsigned int nr_left = 7; nr_left; nr_left--) {
				unsigned int pick = code % nr_left;

				code /= nr_left;
				insert(left[pick]);
				left[pick] = left[nr_left - 1];
			}
			erase(victim);
			check_all();
		}
	}
}

TEST(validate_notices_damage)
{
	struct stitch_rb_node *node, *root;

	start_empty();
	for (size_t key = 0; key < 20; key++)
		insert(key);
	root = tree.rb_root.rb_node;
	node = stitch_rb_first_cached(&tree);
	EXPECT(stitch_rb_validate_cached(&tree));
	node->rb_parent_color ^= 1; /* a black one missing, or red under red */
	EXPECT(!stitch_rb_validate_cached(&tree));
	node->rb_parent_color ^= 1;
	root->rb_parent_color &= ~(uintptr_t)1;
	EXPECT(!stitch_rb_validate_cached(&tree));
	root->rb_parent_color |= 1;
	node->rb_parent_color = (uintptr_t)root | (node->rb_parent_color & 1);
	EXPECT(!stitch_rb_validate_cached(&tree));
	node->rb_parent_color = (uintptr_t)&items[1].rb | (node->rb_parent_color & 1);
	EXPECT(stitch_rb_validate_cached(&tree));
	tree.rb_leftmost = &items[1].rb;
	EXPECT(!stitch_rb_validate_cached(&tree));

	start_empty();
	insert(0);
	tree.rb_root.rb_node->rb_parent_color &= ~(uintptr_t)1; /* a red root alone */
	EXPECT(!stitch_rb_validate_cached(&tree));

	start_empty();
	insert(2);
	insert(1);
	stitch_rb_link_node(&items[0].rb, &items[1].rb, &items[1].rb.rb_left); /* red under red */
	tree.rb_leftmost = &items[0].rb;
	EXPECT(!stitch_rb_validate_cached(&tree));
}

/* `key` moves out of the array and back, in place. */
static void replace(size_t key)
{
	struct item copy = items[key];

	stitch_rb_replace_node_cached(&items[key].rb, &copy.rb, &tree);
	memset(&items[key].rb, 0xa5, sizeof(items[key].rb));
	ASSERT(stitch_rb_validate_cached(&tree));
	stitch_rb_replace_node_cached(&copy.rb, &items[key].rb, &tree);
}

/* Each node once, no parent before its children. */
static void check_postorder(void)
{
	bool seen[NR_NODES] = { false };
	struct item *item, *next;
	size_t nr = 0;

	stitch_rbtree_postorder_for_each_entry_safe(item, next, &tree.rb_root, rb) {
		ASSERT(!seen[item - items]);
		seen[item - items] = true;
		nr++;
		for (int side = 0; side < 2; side++)
			ASSERT(!item->rb.rb_child[side] || seen[key_of(item->rb.rb_child[side])]);
	}
	for (size_t key = 0; key < NR_NODES; key++)
		nr -= present[key];
	ASSERT_EQ(nr, 0);
}

/* One operation on a random key. `fill`: how likely, in percent, an absent key is put in. */
static void random_operation(uint64_t *random, uint64_t fill)
{
	size_t key = kunit_below(random, NR_NODES);

	switch (kunit_below(random, 6)) {
	case 0:
		items[key].weight = kunit_below(random, 1000);
		if (present[key])
			under_callbacks.propagate(&items[key].rb, NULL);
		break;
	case 1:
		if (present[key]) {
			ASSERT_EQ(stitch_rb_next(&items[key].rb), nearest(key + 1, 1));
			ASSERT_EQ(stitch_rb_prev(&items[key].rb), nearest(key - 1, (size_t)-1));
			replace(key);
		}
		check_postorder();
		break;
	default:
		if (kunit_below(random, 100) < fill) {
			items[key].weight = kunit_below(random, 1000);
			if (!present[key])
				insert(key);
			else
				under_callbacks.propagate(&items[key].rb, NULL);
		} else if (present[key]) {
			erase(key);
		}
	}
}

TEST(model_of_a_sorted_set)
{
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(100000);

	start_empty();
	for (uint64_t op = 0; op < nr_ops; op++) {
		/* Fill and drain in turns: deep trees and nearly empty ones. */
		random_operation(&random, op / 1000 % 2 ? 80 : 20);
		check_all();
	}
}

/* --- equal keys, by a comparison -------------------------------------------------------------- */

struct entry {
	struct stitch_rb_node rb;
	int key;
	unsigned int order; /* of insertion */
	bool in_tree;
};

static struct entry *entry_of(const struct stitch_rb_node *node)
{
	return stitch_rb_entry_safe(node, struct entry, rb);
}

static bool entry_less(struct stitch_rb_node *a, const struct stitch_rb_node *b)
{
	return entry_of(a)->key < entry_of(b)->key;
}

static int key_cmp(const void *key, const struct stitch_rb_node *node)
{
	int a = *(const int *)key, b = entry_of(node)->key;

	return a < b ? -1 : a > b;
}

static int entry_cmp(struct stitch_rb_node *a, const struct stitch_rb_node *b)
{
	return key_cmp(&entry_of(a)->key, b);
}

/* In order by key and, of equal ones, by when they came. */
static void check_entries(const struct stitch_rb_root *root)
{
	const struct entry *last = NULL;

	for (struct stitch_rb_node *node = stitch_rb_first(root); node;
	     node = stitch_rb_next(node)) {
		const struct entry *entry = entry_of(node);

		ASSERT(!last || last->key < entry->key ||
		       (last->key == entry->key && last->order < entry->order));
		last = entry;
	}
}

/* The matches of `key` are those that a scan of the array finds, oldest first. */
static void check_matches(const struct entry *entries, const struct stitch_rb_root *root, int key)
{
	struct stitch_rb_node *node;
	unsigned int nr_expected = 0, nr = 0;
	const struct entry *first = NULL;

	for (size_t i = 0; i < NR_NODES; i++) {
		if (entries[i].in_tree && entries[i].key == key) {
			nr_expected++;
			if (!first || entries[i].order < first->order)
				first = &entries[i];
		}
	}
	ASSERT_EQ(entry_of(stitch_rb_find_first(&key, root, key_cmp)), first);
	stitch_rb_for_each(node, &key, root, key_cmp) {
		ASSERT_EQ(entry_of(node)->key, key);
		nr++;
	}
	ASSERT_EQ(nr, nr_expected);
	node = stitch_rb_find(&key, root, key_cmp);
	ASSERT_EQ(node != NULL, nr > 0);
	ASSERT(!node || entry_of(node)->key == key);
}

static void change_entry(uint64_t *random, struct entry *entry, unsigned int order)
{
	struct stitch_rb_node *leftmost = tree.rb_leftmost, *found;

	if (entry->in_tree) {
		found = stitch_rb_erase_cached(&entry->rb, &tree);
		ASSERT_EQ(found, leftmost == &entry->rb ? tree.rb_leftmost : NULL);
		entry->in_tree = false;
		return;
	}
	entry->key = (int)kunit_below(random, 30);
	entry->order = order;
	entry->in_tree = true;
	if (kunit_below(random, 4)) {
		found = stitch_rb_add_cached(&entry->rb, &tree, entry_less);
		ASSERT_EQ(found, !leftmost || entry->key < entry_of(leftmost)->key ? &entry->rb :
										     NULL);
		return;
	}
	/* Does not know of the leftmost one: only behind that. */
	if (leftmost && entry->key >= entry_of(leftmost)->key) {
		bool is_new = !stitch_rb_find(&entry->key, &tree.rb_root, key_cmp);

		found = stitch_rb_find_add(&entry->rb, &tree.rb_root, entry_cmp);
		ASSERT_EQ(!found, is_new);
		ASSERT(!found || entry_of(found)->key == entry->key);
		entry->in_tree = is_new;
	} else {
		entry->in_tree = false;
	}
}

TEST(model_of_a_multiset)
{
	static struct entry entries[NR_NODES];
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(100000);

	tree = STITCH_RB_ROOT_CACHED;
	for (uint64_t op = 0; op < nr_ops; op++) {
		change_entry(&random, &entries[kunit_below(&random, NR_NODES)], (unsigned int)op);
		ASSERT(stitch_rb_validate_cached(&tree));
		check_entries(&tree.rb_root);
		check_matches(entries, &tree.rb_root, (int)kunit_below(&random, 32));
	}
}

/* rb_add and the plain calls, which know of no leftmost node. */
TEST(plain_tree)
{
	static struct entry entries[NR_NODES];
	struct stitch_rb_root root = STITCH_RB_ROOT;

	for (size_t i = 0; i < NR_NODES; i++) {
		entries[i].key = (int)(i * 7 % 50);
		entries[i].order = (unsigned int)i;
		stitch_rb_add(&entries[i].rb, &root, entry_less);
		ASSERT(stitch_rb_validate(&root));
	}
	for (size_t i = 0; i < NR_NODES; i += 3) {
		stitch_rb_erase(&entries[i].rb, &root);
		ASSERT(stitch_rb_validate(&root));
	}
	check_entries(&root);
}

/* --- a maximum, by the macro ------------------------------------------------------------------ */

struct interval {
	unsigned int start, last, last_under;
	struct stitch_rb_node rb;
	bool in_tree;
};

static unsigned int interval_last(const struct interval *interval)
{
	return interval->last;
}

STITCH_RB_DECLARE_CALLBACKS_MAX(static, last_callbacks, struct interval, rb, unsigned int,
				last_under, interval_last);

static void interval_insert(struct interval *interval, struct stitch_rb_root *root)
{
	struct stitch_rb_node **link = &root->rb_node, *parent = NULL;

	while (*link) {
		struct interval *at = stitch_rb_entry(*link, struct interval, rb);

		parent = *link;
		if (at->last_under < interval->last)
			at->last_under = interval->last;
		link = interval->start < at->start ? &parent->rb_left : &parent->rb_right;
	}
	interval->last_under = interval->last;
	stitch_rb_link_node(&interval->rb, parent, link);
	stitch_rb_insert_augmented(&interval->rb, root, &last_callbacks);
}

TEST(maximum_over_subtrees)
{
	static struct interval intervals[NR_NODES];
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(50000);
	struct stitch_rb_root root = STITCH_RB_ROOT;

	for (uint64_t op = 0; op < nr_ops; op++) {
		struct interval *interval = &intervals[kunit_below(&random, NR_NODES)];

		if (interval->in_tree) {
			stitch_rb_erase_augmented(&interval->rb, &root, &last_callbacks);
		} else {
			interval->start = (unsigned int)kunit_below(&random, 1000);
			interval->last = interval->start + (unsigned int)kunit_below(&random, 100);
			interval_insert(interval, &root);
		}
		interval->in_tree = !interval->in_tree;
		ASSERT(stitch_rb_validate(&root));
		for (size_t i = 0; i < NR_NODES; i++) {
			if (intervals[i].in_tree)
				ASSERT(last_callbacks_compute_max(&intervals[i], true));
		}
	}
}

RUN_TESTS
