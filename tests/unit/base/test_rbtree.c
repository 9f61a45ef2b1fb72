/*
 * test_rbtree.c - the red-black tree against an array that is searched by brute force.
 */
#include "base/rbtree.h"
#include "kunit.h"

#define NR_NODES 600u

/* Node i has key i; present[] is the twin. The augmented value is the sum over the subtree. */
struct item {
	struct rb_node rb;
	uint64_t weight, sum;
};

static struct item items[NR_NODES];
static bool present[NR_NODES];
static struct rb_root root;

static struct item *item_of(const struct rb_node *node)
{
	return rb_entry((struct rb_node *)(uintptr_t)node, struct item, rb);
}

static size_t key_of(const struct rb_node *node)
{
	return (size_t)(item_of(node) - items);
}

static uint64_t sum_of(const struct rb_node *node)
{
	return node ? item_of(node)->sum : 0;
}

static void update_sum(struct rb_node *node)
{
	item_of(node)->sum =
		item_of(node)->weight + sum_of(node->rb_left) + sum_of(node->rb_right);
}

static void insert(size_t key, rb_update *update)
{
	struct rb_node **link = &root.rb_node, *parent = NULL;

	while (*link) {
		parent = *link;
		link = key < key_of(parent) ? &parent->rb_left : &parent->rb_right;
	}
	rb_link_node(&items[key].rb, parent, link);
	rb_insert_augmented(&items[key].rb, &root, update);
	present[key] = true;
}

static void erase(size_t key, rb_update *update)
{
	rb_erase_augmented(&items[key].rb, &root, update);
	memset(&items[key].rb, 0xa5, sizeof(items[key].rb));
	present[key] = false;
}

static void start_empty(void)
{
	root.rb_node = NULL;
	memset(present, 0, sizeof(present));
	memset(items, 0, sizeof(items));
}

/* The nearest present key from `key` on in steps of +1 or -1; NULL when there is none. */
static struct rb_node *nearest(size_t key, size_t step)
{
	for (; key < NR_NODES; key += step) {
		if (present[key])
			return &items[key].rb;
	}
	return NULL;
}

/* Walks both ways give exactly the present keys in order, the rules hold, the sums are right. */
static void check_all(bool augmented)
{
	struct rb_node *forth = rb_first(&root), *back = rb_last(&root);
	uint64_t total = 0;

	ASSERT(rb_validate(&root));
	for (size_t key = 0; key < NR_NODES; key++) {
		if (present[key]) {
			ASSERT_EQ(forth, &items[key].rb);
			forth = rb_next(forth);
			total += items[key].weight;
			if (augmented) {
				uint64_t sum = items[key].sum;

				update_sum(&items[key].rb);
				ASSERT_EQ(sum, items[key].sum);
			}
		}
		if (present[NR_NODES - 1 - key]) {
			ASSERT_EQ(back, &items[NR_NODES - 1 - key].rb);
			back = rb_prev(back);
		}
	}
	ASSERT_EQ(forth, NULL);
	ASSERT_EQ(back, NULL);
	if (augmented)
		ASSERT_EQ(total, sum_of(root.rb_node));
}

TEST(empty_tree_is_legal_and_has_no_ends)
{
	start_empty();
	EXPECT(rb_validate(&root));
	EXPECT_EQ(rb_first(&root), NULL);
	EXPECT_EQ(rb_last(&root), NULL);
}

TEST(rising_falling_and_zigzag_insertion_stay_balanced)
{
	for (int order = 0; order < 3; order++) {
		start_empty();
		for (size_t i = 0; i < NR_NODES; i++) {
			size_t zigzag = i & 1 ? NR_NODES - 1 - i / 2 : i / 2;
			size_t keys[] = { i, NR_NODES - 1 - i, zigzag };

			insert(keys[order], update_sum);
			ASSERT(rb_validate(&root));
		}
		check_all(true);
		for (size_t i = 0; i < NR_NODES; i++) {
			erase(order == 1 ? i : NR_NODES - 1 - i, update_sum);
			ASSERT(rb_validate(&root));
		}
		EXPECT_EQ(root.rb_node, NULL);
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
				items[left[pick]].weight = left[pick] + 1;
				insert(left[pick], update_sum);
				left[pick] = left[nr_left - 1];
			}
			erase(victim, update_sum);
			check_all(true);
		}
	}
}

TEST(plain_tree_needs_no_update)
{
	start_empty();
	for (size_t key = 0; key < NR_NODES; key++)
		insert(key * 7 % NR_NODES, NULL);
	for (size_t key = 0; key < NR_NODES; key += 3)
		erase(key, NULL);
	rb_augment_path(root.rb_node, NULL);
	check_all(false);
}

TEST(validate_notices_damage)
{
	struct rb_node *node;

	start_empty();
	for (size_t key = 0; key < 20; key++)
		insert(key, NULL);
	node = rb_first(&root);
	EXPECT(rb_validate(&root));

	node->rb_parent_color ^= 1;
	EXPECT(!rb_validate(&root));
	node->rb_parent_color ^= 1;

	root.rb_node->rb_parent_color &= ~(uintptr_t)1;
	EXPECT(!rb_validate(&root));
	root.rb_node->rb_parent_color |= 1;

	node->rb_parent_color = (uintptr_t)root.rb_node | (node->rb_parent_color & 1);
	EXPECT(!rb_validate(&root));

	start_empty();
	insert(0, NULL);
	root.rb_node->rb_parent_color &= ~(uintptr_t)1;
	EXPECT(!rb_validate(&root));
}

/* One operation on a random key. `fill`: how likely, in percent, an absent key is put in. */
static void random_operation(uint64_t *random, uint64_t fill)
{
	size_t key = kunit_below(random, NR_NODES);

	switch (kunit_below(random, 4)) {
	case 0:
		if (present[key]) {
			items[key].weight = kunit_below(random, 1000);
			rb_augment_path(&items[key].rb, update_sum);
		}
		break;
	case 1:
		if (present[key]) {
			ASSERT_EQ(rb_next(&items[key].rb), nearest(key + 1, 1));
			ASSERT_EQ(rb_prev(&items[key].rb), nearest(key - 1, (size_t)-1));
		}
		ASSERT_EQ(rb_first(&root), nearest(0, 1));
		ASSERT_EQ(rb_last(&root), nearest(NR_NODES - 1, (size_t)-1));
		break;
	default:
		if (kunit_below(random, 100) < fill) {
			items[key].weight = kunit_below(random, 1000);
			if (!present[key])
				insert(key, update_sum);
			else
				rb_augment_path(&items[key].rb, update_sum);
		} else if (present[key]) {
			erase(key, update_sum);
		}
	}
}

TEST(model_of_a_sorted_set)
{
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(1000000);

	start_empty();
	for (uint64_t op = 0; op < nr_ops; op++) {
		/* Long tides, so that the tree is nearly empty and nearly full in turn. */
		random_operation(&random, op / 5000 % 2 ? 20 : 80);
		if (op % 200 == 0)
			check_all(true);
	}
	check_all(true);
}

RUN_TESTS
