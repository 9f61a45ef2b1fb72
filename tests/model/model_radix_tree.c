/*
 * model_radix_tree.c - stitch/radix_tree.h against a sorted table of all indices that are used, and
 * a cache that refuses.
 */
#include "stitch/radix_tree.h"
#include "tree_nodes.h"

#define NR_KEYS 400u
#define NR_TAGS STITCH_RADIX_TREE_MAX_TAGS
#define ANY STITCH_RADIX_TREE_ANY

/* The twin: by index. */
static struct {
	unsigned long index;
	void *item; /* NULL: absent */
	bool tags[NR_TAGS];
} keys[NR_KEYS];

static struct stitch_kmem_cache nodes = { sizeof(struct stitch_radix_tree_node), 0, NEVER };
static struct stitch_radix_tree_root tree;

static int by_value(const void *a, const void *b)
{
	unsigned long x = *(const unsigned long *)a, y = *(const unsigned long *)b;

	return x < y ? -1 : x > y;
}

/* Dense ones, both sides of where a level ends, the very last ones, and anywhere. */
static void choose_indices(uint64_t *random)
{
	unsigned long values[NR_KEYS];
	size_t nr = 0;

	for (unsigned int digit = 0; digit <= 60; digit += 6)
		for (unsigned long near = 0; near < 4; near++)
			values[nr++] = (64ul << digit) - 2 + near;
	for (unsigned long i = 0; i < 100; i++)
		values[nr++] = 1000 + i;
	for (unsigned long i = 0; i < 20; i++)
		values[nr++] = ~0ul - 100 - i;
	while (nr < NR_KEYS)
		values[nr++] = (kunit_random(random) >> kunit_below(random, 64)) + 2000;
	qsort(values, nr, sizeof(values[0]), by_value);
	memset(keys, 0, sizeof(keys));
	for (size_t i = 0; i < NR_KEYS; i++) {
		keys[i].index = i && values[i] <= keys[i - 1].index ? keys[i - 1].index + 1 :
								      values[i];
		ASSERT(!i || keys[i].index > keys[i - 1].index);
	}
}

static size_t count_nodes(const struct stitch_radix_tree_node *node)
{
	size_t nr = 1;

	if (!node)
		return 0;
	for (unsigned int offset = 0; node->shift && offset < 64; offset++)
		nr += count_nodes(stitch_radix_tree_child(node, offset));
	return nr;
}

/* The first item from `key` on with the tag; NR_KEYS when there is none. */
static size_t nearest(size_t key, unsigned int tag)
{
	while (key < NR_KEYS && (!keys[key].item || (tag != ANY && !keys[key].tags[tag])))
		key++;
	return key;
}

static void check_all(void)
{
	ASSERT(stitch_radix_tree_validate(&tree));
	ASSERT_EQ(count_nodes(tree.rnode), nodes.nr_live);
	ASSERT_EQ(stitch_radix_tree_empty(&tree), nearest(0, ANY) == NR_KEYS);
	for (size_t i = 0; i < NR_KEYS; i++) {
		void **slot = stitch_radix_tree_lookup_slot(&tree, keys[i].index);

		ASSERT_EQ(stitch_radix_tree_lookup(&tree, keys[i].index), keys[i].item);
		ASSERT_EQ(slot != NULL, keys[i].item != NULL);
		ASSERT(!slot || stitch_radix_tree_deref_slot(slot) == keys[i].item);
		for (unsigned int tag = 0; tag < NR_TAGS; tag++)
			ASSERT_EQ(stitch_radix_tree_tag_get(&tree, keys[i].index, tag),
				  keys[i].tags[tag]);
	}
	for (unsigned int tag = 0; tag < NR_TAGS; tag++)
		ASSERT_EQ(stitch_radix_tree_tagged(&tree, tag), nearest(0, tag) < NR_KEYS);
}

/* An item that is never NULL, nor aligned. */
static void *new_item(uint64_t *random)
{
	return (void *)(uintptr_t)(kunit_random(random) | 1);
}

static void insert(uint64_t *random, size_t key)
{
	struct stitch_radix_tree_nodes preload = { { NULL, NULL }, NULL, 0, false };
	void *item = new_item(random);
	bool refusing = !kunit_below(random, 4), preloaded = !kunit_below(random, 4);
	int error;

	if (preloaded)
		ASSERT_EQ(stitch_radix_tree_preload(&preload, &tree.source, 0), 0);
	if (refusing || preloaded)
		nodes.nr_until_failure = preloaded ? 0 : kunit_below(random, 12);
	error = stitch_radix_tree_insert_preloaded(&tree, keys[key].index, item, &preload);
	if (keys[key].item)
		ASSERT_EQ(error, -EEXIST);
	else if (preloaded || !refusing || nodes.nr_until_failure)
		ASSERT_EQ(error, 0);
	else
		ASSERT(!error || error == -ENOMEM);
	nodes.nr_until_failure = NEVER;
	stitch_radix_tree_preload_end(&preload);
	stitch_radix_tree_preload_end(&preload);
	if (!error)
		keys[key].item = item;
}

static void forget(size_t key)
{
	keys[key].item = NULL;
	memset(keys[key].tags, 0, sizeof(keys[key].tags));
}

static void erase(uint64_t *random, size_t key)
{
	void *item = keys[key].item;

	if (item) {
		ASSERT_EQ(stitch_radix_tree_delete_item(&tree, keys[key].index, &tree), NULL);
		ASSERT_EQ(stitch_radix_tree_lookup(&tree, keys[key].index), item);
	}
	if (kunit_below(random, 2))
		ASSERT_EQ(stitch_radix_tree_delete_item(&tree, keys[key].index, item), item);
	else
		ASSERT_EQ(stitch_radix_tree_delete(&tree, keys[key].index), item);
	forget(key);
}

static void tag(uint64_t *random, size_t key)
{
	unsigned int which = (unsigned int)kunit_below(random, NR_TAGS);
	bool set = kunit_below(random, 2);

	if (set)
		ASSERT_EQ(stitch_radix_tree_tag_set(&tree, keys[key].index, which), keys[key].item);
	else
		ASSERT_EQ(stitch_radix_tree_tag_clear(&tree, keys[key].index, which),
			  keys[key].item);
	if (keys[key].item)
		keys[key].tags[which] = set;
}

/* From `key`, or from the index behind it, which may be no key's. */
static void gang(uint64_t *random, size_t key)
{
	unsigned int which = kunit_below(random, 2) ? ANY :
						      (unsigned int)kunit_below(random, NR_TAGS);
	unsigned int most = (unsigned int)kunit_below(random, 50), nr;
	void *items[50], **slots[50];
	unsigned long indices[50], from = keys[key].index;

	if (kunit_below(random, 2) && from != ~0ul) {
		from++;
		key++;
	}
	nr = which == ANY ? stitch_radix_tree_gang_lookup(&tree, items, from, most) :
			    stitch_radix_tree_gang_lookup_tag(&tree, items, from, most, which);
	ASSERT_EQ(stitch_radix_tree_gang_lookup_slot(&tree, slots, indices, from, most, which), nr);
	key = nearest(key, which);
	for (unsigned int i = 0; i < nr; i++) {
		ASSERT(key < NR_KEYS);
		ASSERT_EQ(items[i], keys[key].item);
		ASSERT_EQ(*slots[i], keys[key].item);
		ASSERT_EQ(indices[i], keys[key].index);
		key = nearest(key + 1, which);
	}
	ASSERT(nr == most || key == NR_KEYS);
}

/* The whole walk; some of the items are deleted on the way. */
static void walk(uint64_t *random, size_t key)
{
	struct stitch_radix_tree_iter iter;
	unsigned int which = kunit_below(random, 2) ? ANY :
						      (unsigned int)kunit_below(random, NR_TAGS);
	uint64_t share = kunit_below(random, 20);
	void **slot;

	key = nearest(key, which);
	stitch_radix_tree_for_each_tagged(slot, &tree, &iter, key < NR_KEYS ? keys[key].index : 0,
					  which) {
		if (key >= NR_KEYS) /* there was none from there on: from 0 on, then */
			key = nearest(0, which);
		ASSERT(key < NR_KEYS);
		ASSERT_EQ(iter.index, keys[key].index);
		ASSERT_EQ(*slot, keys[key].item);
		if (!share && kunit_below(random, 2)) {
			stitch_radix_tree_iter_delete(&tree, &iter, slot);
			forget(key);
			ASSERT(stitch_radix_tree_validate(&tree));
		}
		key = nearest(key + 1, which);
	}
	ASSERT_EQ(key, NR_KEYS);
}

static void random_operation(uint64_t *random, uint64_t fill)
{
	size_t key = kunit_below(random, NR_KEYS);
	void *item = new_item(random);

	switch (kunit_below(random, 10)) {
	case 0:
		gang(random, key);
		break;
	case 1:
		walk(random, key);
		break;
	case 2:
	case 3:
		tag(random, key);
		break;
	case 4:
		if (keys[key].item) {
			stitch_radix_tree_replace_slot(
				&tree, stitch_radix_tree_lookup_slot(&tree, keys[key].index), item);
			keys[key].item = item;
		}
		break;
	default:
		if (kunit_below(random, 100) < fill)
			insert(random, key);
		else
			erase(random, key);
	}
}

TEST(model_of_a_sparse_array)
{
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(20000);

	stitch_radix_tree_init(&tree, &nodes, STITCH_GFP_KERNEL);
	choose_indices(&random);
	for (uint64_t op = 0; op < nr_ops; op++) {
		random_operation(&random, op / 2000 % 2 ? 80 : 30);
		ASSERT(stitch_radix_tree_validate(&tree));
		if (op % 4 == 3)
			check_all();
		if (op % 5000 == 4999) {
			stitch_radix_tree_destroy(&tree);
			for (size_t key = 0; key < NR_KEYS; key++)
				forget(key);
			check_all();
		}
	}
	stitch_radix_tree_destroy(&tree);
	EXPECT_EQ(nodes.nr_live, 0);
}

/* Every insertion of a few, each of its allocations refused in turn: nothing changes. */
TEST(each_refusal)
{
	static const unsigned long few[] = { 5, 64, ~0ul, 1ul << 40, 0, (1ul << 40) + 64, 1 };

	stitch_radix_tree_init(&tree, &nodes, STITCH_GFP_KERNEL);
	for (size_t i = 0; i < 7; i++) {
		for (uint64_t nth = 0;; nth++) {
			size_t nr_before = nodes.nr_live;
			int error;

			nodes.nr_until_failure = nth;
			error = stitch_radix_tree_insert(&tree, few[i], &tree);
			ASSERT(stitch_radix_tree_validate(&tree));
			if (!error)
				break;
			ASSERT_EQ(error, -ENOMEM);
			ASSERT_EQ(nodes.nr_live, nr_before);
		}
		nodes.nr_until_failure = NEVER;
	}
	stitch_radix_tree_destroy(&tree);
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(null_is_no_item)
{
	stitch_radix_tree_init(&tree, &nodes, STITCH_GFP_KERNEL);
	EXPECT_EQ(stitch_radix_tree_insert(&tree, 3, NULL), -EINVAL);
	EXPECT(stitch_radix_tree_empty(&tree));
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(a_refused_preload_is_empty)
{
	struct stitch_radix_tree_nodes preload;
	struct stitch_radix_tree_nodes other = { { NULL, NULL }, NULL, 0, false };

	stitch_radix_tree_init(&tree, &nodes, STITCH_GFP_KERNEL);
	for (uint64_t nth = 0; nth < STITCH_RADIX_TREE_PRELOAD_SIZE; nth++) {
		nodes.nr_until_failure = nth;
		EXPECT_EQ(stitch_radix_tree_preload(&preload, &tree.source, 0), -ENOMEM);
		EXPECT_EQ(preload.nodes, NULL);
		EXPECT_EQ(nodes.nr_live, 0);
	}
	nodes.nr_until_failure = NEVER;

	/* One of another source is left alone. */
	EXPECT_EQ(stitch_radix_tree_preload(&other, &other.source, 0), 0);
	EXPECT_EQ(kmalloc_cache.nr_live, STITCH_RADIX_TREE_PRELOAD_SIZE);
	EXPECT_EQ(stitch_radix_tree_insert_preloaded(&tree, 1, &tree, &other), 0);
	EXPECT_EQ(other.nr, STITCH_RADIX_TREE_PRELOAD_SIZE);
	EXPECT_EQ(nodes.nr_live, 1);
	stitch_radix_tree_preload_end(&other);
	EXPECT_EQ(kmalloc_cache.nr_live, 0);
	stitch_radix_tree_destroy(&tree);
}

TEST(nodes_from_a_pool_and_from_kmalloc)
{
	struct stitch_mempool pool = { { sizeof(struct stitch_radix_tree_node), 0, NEVER } };
	STITCH_RADIX_TREE(plain, STITCH_GFP_KERNEL);
	struct stitch_radix_tree_root pooled = plain;

	pooled.source.pool = &pool;
	EXPECT_EQ(stitch_radix_tree_insert(&plain, 100, &tree), 0);
	EXPECT_EQ(stitch_radix_tree_insert(&pooled, 100, &tree), 0);
	EXPECT_EQ(kmalloc_cache.nr_live, 2);
	EXPECT_EQ(pool.elements.nr_live, 2);
	stitch_radix_tree_destroy(&plain);
	EXPECT_EQ(stitch_radix_tree_delete(&pooled, 100), &tree);
	EXPECT_EQ(kmalloc_cache.nr_live, 0);
	EXPECT_EQ(pool.elements.nr_live, 0);
}

TEST(validate_notices_damage)
{
	struct stitch_radix_tree_node *root, *leaf;
	uint64_t *words[4];

	stitch_radix_tree_init(&tree, &nodes, STITCH_GFP_KERNEL);
	for (unsigned long index = 0; index < 200; index += 5)
		ASSERT_EQ(stitch_radix_tree_insert(&tree, index, &tree), 0);
	stitch_radix_tree_tag_set(&tree, 70, 1);
	root = tree.rnode;
	leaf = stitch_radix_tree_child(root, 1);
	EXPECT(stitch_radix_tree_validate(&tree));
	words[0] = &root->present;
	words[1] = &leaf->present;
	words[2] = &root->tags[1];
	words[3] = &root->tags[2];
	for (int i = 0; i < 4; i++) {
		*words[i] ^= 2;
		EXPECT(!stitch_radix_tree_validate(&tree));
		*words[i] ^= 2;
	}
	leaf->offset++;
	EXPECT(!stitch_radix_tree_validate(&tree));
	leaf->offset--;
	leaf->parent = NULL;
	EXPECT(!stitch_radix_tree_validate(&tree));
	leaf->parent = root;
	leaf->tags[0] |= 1; /* an empty slot */
	EXPECT(!stitch_radix_tree_validate(&tree));
	leaf->tags[0] = 0;
	EXPECT(stitch_radix_tree_validate(&tree));
	stitch_radix_tree_destroy(&tree);
}

RUN_TESTS
