/*
 * model_btree.c - stitch/btree.h against a sorted table of all keys that are used, of one word and
 * of two, and a source of nodes that refuses.
 */
#include "stitch/btree.h"
#include "tree_nodes.h"

#define NR_KEYS 1200u

/* The twin: by key. */
static struct {
	unsigned long key[2]; /* [1]: only of keys of two words */
	void *val;	      /* NULL: absent */
} keys[NR_KEYS];

static struct stitch_kmem_cache nodes = { sizeof(struct stitch_btree_node), 0, NEVER };
static struct stitch_btree_head tree;
static const struct stitch_btree_geo *geo;

static int by_key(const void *a, const void *b)
{
	return stitch_btree_compare(&stitch_btree_geo128, a, b);
}

/* Dense ones, the first and last that there are, anywhere; of two words many share the first. */
static void choose_keys(uint64_t *random)
{
	unsigned long last[2] = { 0, 0 };

	memset(keys, 0, sizeof(keys));
	for (size_t i = 0; i < NR_KEYS; i++) {
		unsigned long *key = keys[i].key;

		key[0] = i < 400 ? i : kunit_random(random) >> kunit_below(random, 64);
		if (geo->keylen == 2 && i >= 100) {
			key[1] = kunit_random(random) >> kunit_below(random, 64);
			key[0] = i < 1000 ? key[0] % 8 : key[0];
		}
		if (i == NR_KEYS - 1)
			memset(key, 0xff, geo->keylen * sizeof(key[0]));
	}
	qsort(keys, NR_KEYS, sizeof(keys[0]), by_key);
	for (size_t i = 0; i < NR_KEYS; i++) {
		unsigned long *key = keys[i].key;

		if (i && by_key(key, last) <= 0) { /* one twice: the next that is free */
			memcpy(key, last, sizeof(last));
			if (++key[geo->keylen - 1] == 0)
				key[0]++;
		}
		ASSERT(!i || by_key(key, last) > 0);
		memcpy(last, key, sizeof(last));
	}
}

static size_t count_nodes(struct stitch_btree_node *node, int level)
{
	size_t nr = 1;

	for (unsigned int at = 0; level > 0 && at < node->nr; at++)
		nr += count_nodes(stitch_btree_child(node, at), level - 1);
	return nr;
}

/* The last key that is there below number `key`; NR_KEYS: there is none. */
static size_t before(size_t key)
{
	while (key-- > 0) {
		if (keys[key].val)
			return key;
	}
	return NR_KEYS;
}

static void check_prev(size_t key)
{
	unsigned long found[2] = { keys[key].key[0], keys[key].key[1] };
	void *val = stitch_btree_get_prev(&tree, geo, found);
	size_t expected = before(key);

	ASSERT_EQ(val, expected < NR_KEYS ? keys[expected].val : NULL);
	if (expected == NR_KEYS)
		expected = key; /* untouched */
	ASSERT(!memcmp(found, keys[expected].key, geo->keylen * sizeof(found[0])));
}

static void check_last(void)
{
	unsigned long found[2] = { 7, 7 };
	void *val = stitch_btree_last(&tree, geo, found);
	size_t expected = before(NR_KEYS);

	ASSERT_EQ(val, expected < NR_KEYS ? keys[expected].val : NULL);
	if (val)
		ASSERT(!memcmp(found, keys[expected].key, geo->keylen * sizeof(found[0])));
	else
		ASSERT(found[0] == 7 && found[1] == 7);
}

static size_t visited;

static void visit(void *elem, unsigned long opaque, unsigned long *key, size_t index, void *func2)
{
	ASSERT_EQ(opaque, 1234);
	ASSERT_EQ(func2, &visited);
	visited = before(index ? visited : NR_KEYS);
	ASSERT(visited < NR_KEYS);
	ASSERT_EQ(elem, keys[visited].val);
	ASSERT(!memcmp(key, keys[visited].key, geo->keylen * sizeof(key[0])));
}

static void check_all(void)
{
	size_t nr = 0;

	ASSERT(stitch_btree_validate(&tree, geo));
	ASSERT_EQ(tree.node ? count_nodes(tree.node, tree.height - 1) : 0, nodes.nr_live);
	for (size_t key = 0; key < NR_KEYS; key++) {
		ASSERT_EQ(stitch_btree_lookup(&tree, geo, keys[key].key), keys[key].val);
		nr += keys[key].val != NULL;
	}
	check_last();
	ASSERT_EQ(stitch_btree_visitor(&tree, geo, 1234, visit, &visited), nr);
	ASSERT_EQ(before(nr ? visited : NR_KEYS), NR_KEYS);
}

static void *new_value(uint64_t *random)
{
	return (void *)(uintptr_t)(kunit_random(random) | 1);
}

static void insert(uint64_t *random, size_t key)
{
	void *val = new_value(random);
	size_t nr_before = nodes.nr_live;
	int error;

	if (!kunit_below(random, 3))
		nodes.nr_until_failure = kunit_below(random, 4);
	error = stitch_btree_insert(&tree, geo, keys[key].key, val, STITCH_GFP_KERNEL);
	if (keys[key].val)
		ASSERT_EQ(error, -EEXIST);
	else if (error)
		ASSERT(error == -ENOMEM && !nodes.nr_until_failure);
	nodes.nr_until_failure = NEVER;
	if (error)
		ASSERT_EQ(nodes.nr_live, nr_before);
	else
		keys[key].val = val;
}

static void random_operation(uint64_t *random, uint64_t fill)
{
	size_t key = kunit_below(random, NR_KEYS);
	void *val = new_value(random);

	switch (kunit_below(random, 8)) {
	case 0:
		check_prev(key);
		break;
	case 1:
		ASSERT_EQ(stitch_btree_update(&tree, geo, keys[key].key, val),
			  keys[key].val ? 0 : -ENOENT);
		if (keys[key].val)
			keys[key].val = val;
		break;
	default:
		if (kunit_below(random, 100) < fill) {
			insert(random, key);
		} else {
			ASSERT_EQ(stitch_btree_remove(&tree, geo, keys[key].key), keys[key].val);
			keys[key].val = NULL;
		}
	}
}

/* A run of neighbours, up or down: nodes become full, or empty, one after the other. */
static void sweep(uint64_t *random)
{
	size_t key = kunit_below(random, NR_KEYS), nr = kunit_below(random, 300);
	size_t step = kunit_below(random, 2) ? 1 : (size_t)-1;
	bool remove = kunit_below(random, 2);

	for (; nr-- && key < NR_KEYS; key += step) {
		if (!remove) {
			insert(random, key);
		} else {
			ASSERT_EQ(stitch_btree_remove(&tree, geo, keys[key].key), keys[key].val);
			keys[key].val = NULL;
		}
		ASSERT(stitch_btree_validate(&tree, geo));
	}
}

static void run_model(const struct stitch_btree_geo *of, uint64_t *random)
{
	uint64_t nr_ops = kunit_ops(15000);

	geo = of;
	ASSERT_EQ(stitch_btree_init(&tree, &nodes), 0);
	choose_keys(random);
	for (uint64_t op = 0; op < nr_ops; op++) {
		random_operation(random, op / 4000 % 2 ? 20 : 80);
		ASSERT(stitch_btree_validate(&tree, geo));
		if (op % 64 == 0)
			sweep(random);
		if (op % 8 == 0)
			check_all();
	}
	for (size_t key = 0; key < NR_KEYS; key++)
		check_prev(key);
	visited = 0;
	stitch_btree_grim_visitor(&tree, geo, 1234, visit, &visited);
	EXPECT_EQ(tree.node, NULL);
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(model_of_keys_of_one_word)
{
	uint64_t random = kunit_seed();

	run_model(&stitch_btree_geo64, &random);
}

TEST(model_of_keys_of_two_words)
{
	uint64_t random = kunit_seed();

	run_model(&stitch_btree_geo128, &random);
}

TEST(full_and_empty_again_in_order)
{
	for (int down = 0; down < 4; down++) {
		stitch_btree_init(&tree, &nodes);
		for (unsigned long i = 0; i < 5000; i++) {
			unsigned long key = down & 1 ? 5000 - i : i;

			ASSERT_EQ(stitch_btree_insert(&tree, &stitch_btree_geo32, &key, &tree, 0),
				  0);
		}
		ASSERT(stitch_btree_validate(&tree, &stitch_btree_geo32));
		ASSERT(tree.height <= 5);
		for (unsigned long i = 0; i < 5000; i++) {
			unsigned long key = down & 1 ? i + 1 : i;

			if (down & 2)
				key = (down & 1 ? 5001 : 4999) - key;
			ASSERT_EQ(stitch_btree_remove(&tree, &stitch_btree_geo32, &key), &tree);
			ASSERT(i % 64 || stitch_btree_validate(&tree, &stitch_btree_geo32));
		}
		EXPECT_EQ(tree.node, NULL);
		EXPECT_EQ(tree.height, 0);
		EXPECT_EQ(nodes.nr_live, 0);
	}
}

TEST(merge)
{
	struct stitch_btree_headl all, odd, kept;
	struct stitch_mempool pool = { { sizeof(struct stitch_btree_node), 0, NEVER } };
	unsigned long nr = 0;

	stitch_btree_initl(&all, &nodes);
	stitch_btree_initl(&odd, &nodes);
	for (unsigned long i = 1; i < 1000; i += 2)
		ASSERT_EQ(stitch_btree_insertl(&odd, i, &all, 0), 0);
	nodes.nr_until_failure = 0;
	ASSERT_EQ(stitch_btree_mergel(&all, &odd, 0), 0); /* into an empty one: as it is */
	nodes.nr_until_failure = NEVER;
	EXPECT_EQ(odd.h.node, NULL);

	stitch_btree_init_mempooll(&odd, &pool);
	for (unsigned long i = 0; i < 1000; i += 2)
		ASSERT_EQ(stitch_btree_insertl(&odd, i, &odd, 0), 0);
	nodes.nr_until_failure = 1;
	EXPECT_EQ(stitch_btree_mergel(&all, &odd, 0), -ENOMEM);
	nodes.nr_until_failure = NEVER;
	for (unsigned long i = 0; i < 1000; i++) {
		void *here = stitch_btree_lookupl(&all, i), *there = stitch_btree_lookupl(&odd, i);

		ASSERT(i & 1 ? here == &all && !there : (here == &odd) != (there == &odd));
		nr += there != NULL;
	}
	EXPECT(nr > 0 && nr < 500);
	EXPECT_EQ(stitch_btree_insertl(&odd, 501, &odd, 0), 0);
	EXPECT_EQ(stitch_btree_mergel(&all, &odd, 0), -EEXIST);
	EXPECT_EQ(stitch_btree_removel(&odd, 501), &odd);
	EXPECT_EQ(stitch_btree_mergel(&all, &odd, 0), 0);
	EXPECT_EQ(pool.elements.nr_live, 0);
	EXPECT(stitch_btree_validatel(&all));
	for (unsigned long i = 0; i < 1000; i++)
		ASSERT_EQ(stitch_btree_lookupl(&all, i), i & 1 ? (void *)&all : (void *)&odd);
	/* Into another with the same source that is not empty. */
	stitch_btree_initl(&odd, &nodes);
	EXPECT_EQ(stitch_btree_insertl(&odd, 1000, &odd, 0), 0);
	EXPECT_EQ(stitch_btree_mergel(&all, &odd, 0), 0);
	EXPECT_EQ(stitch_btree_removel(&all, 1000), &odd);
	/* Into an empty one with another source: node by node; of pools, too. */
	stitch_btree_initl(&odd, NULL);
	stitch_btree_init_mempooll(&kept, &pool);
	EXPECT_EQ(stitch_btree_insertl(&kept, 1000, &odd, 0), 0);
	EXPECT_EQ(stitch_btree_mergel(&odd, &kept, 0), 0);
	EXPECT_EQ(pool.elements.nr_live, 0);
	EXPECT_EQ(kmalloc_cache.nr_live, 1);
	stitch_btree_destroyl(&odd);
	EXPECT_EQ(kmalloc_cache.nr_live, 0);
	stitch_btree_init_mempooll(&odd, &pool);
	EXPECT_EQ(stitch_btree_mergel(&odd, &all, 0), 0);
	EXPECT_EQ(nodes.nr_live, 0);
	EXPECT(pool.elements.nr_live > 0);
	stitch_btree_destroyl(&odd);
	EXPECT_EQ(pool.elements.nr_live, 0);
}

static void visit32(void *elem, unsigned long opaque, uint32_t key, size_t index)
{
	ASSERT_EQ(elem, &keys[key]);
	ASSERT_EQ(opaque, index + key);
}

static void visit128(void *elem, unsigned long opaque, uint64_t k1, uint64_t k2, size_t index)
{
	ASSERT_EQ(elem, &keys[k1 * 10 + k2]);
	ASSERT_EQ(opaque, index + k1 * 10 + k2);
}

TEST(by_type)
{
	struct stitch_btree_head32 by32;
	struct stitch_btree_head64 by64;
	struct stitch_btree_head128 by128;
	uint64_t k64, k1, k2;
	uint32_t k32;
	void *val;
	size_t nr = 0;

	stitch_btree_init32(&by32, NULL);
	stitch_btree_init64(&by64, NULL);
	stitch_btree_init128(&by128, NULL);
	for (uint32_t i = 0; i < 100; i++) {
		ASSERT_EQ(stitch_btree_insert32(&by32, i, &keys[i], 0), 0);
		ASSERT_EQ(stitch_btree_insert64(&by64, (uint64_t)i << 40, &keys[i], 0), 0);
		ASSERT_EQ(stitch_btree_insert128(&by128, i / 10, i % 10, &keys[i], 0), 0);
	}
	EXPECT_EQ(stitch_btree_visitor32(&by32, 99, visit32), 100);
	EXPECT_EQ(stitch_btree_visitor128(&by128, 99, visit128), 100);
	EXPECT_EQ(stitch_btree_update32(&by32, 5, &by32), 0);
	EXPECT_EQ(stitch_btree_update64(&by64, 5ull << 40, &by64), 0);
	EXPECT_EQ(stitch_btree_update128(&by128, 0, 5, &by128), 0);
	EXPECT_EQ(stitch_btree_lookup32(&by32, 5), &by32);
	EXPECT_EQ(stitch_btree_lookup64(&by64, 5ull << 40), &by64);
	EXPECT_EQ(stitch_btree_lookup128(&by128, 0, 5), &by128);
	EXPECT_EQ(stitch_btree_lookup128(&by128, 5, 0), &keys[50]);
	EXPECT_EQ(stitch_btree_remove32(&by32, 99), &keys[99]);
	stitch_btree_for_each_safe32(&by32, k32, val) {
		nr++;
		ASSERT_EQ(k32, 99 - nr);
		ASSERT_EQ(stitch_btree_remove32(&by32, k32), val);
	}
	stitch_btree_for_each_safe64(&by64, k64, val) {
		nr++;
		ASSERT_EQ(k64 >> 40, 199 - nr);
		ASSERT_EQ(stitch_btree_remove64(&by64, k64), val);
	}
	stitch_btree_for_each_safe128(&by128, k1, k2, val) {
		nr++;
		ASSERT_EQ(k1 * 10 + k2, 299 - nr);
		ASSERT_EQ(stitch_btree_remove128(&by128, k1, k2), val);
	}
	EXPECT_EQ(nr, 299);
	EXPECT_EQ(kmalloc_cache.nr_live, 0);
}

TEST(wrong_arguments)
{
	unsigned long key = 3;

	stitch_btree_init(&tree, &nodes);
	EXPECT_EQ(stitch_btree_insert(&tree, &stitch_btree_geo64, &key, NULL, 0), -EINVAL);
	EXPECT_EQ(stitch_btree_remove(&tree, &stitch_btree_geo64, &key), NULL);
	EXPECT_EQ(stitch_btree_lookup(&tree, &stitch_btree_geo64, &key), NULL);
	EXPECT_EQ(stitch_btree_get_prev(&tree, &stitch_btree_geo64, &key), NULL);
	EXPECT_EQ(stitch_btree_visitor(&tree, &stitch_btree_geo64, 0, visit, NULL), 0);
	EXPECT_EQ(stitch_btree_insert(&tree, &stitch_btree_geo64, &key, &tree, 0), 0);
	EXPECT_EQ(stitch_btree_update(&tree, &stitch_btree_geo64, &key, NULL), -EINVAL);
	stitch_btree_destroy(&tree);
	stitch_btree_destroy(&tree);
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(validate_notices_damage)
{
	struct stitch_btree_node *leaf;

	geo = &stitch_btree_geo64;
	stitch_btree_init(&tree, &nodes);
	for (unsigned long key = 0; key < 200; key += 2)
		ASSERT_EQ(stitch_btree_insert(&tree, geo, &key, &tree, 0), 0);
	ASSERT_EQ(tree.height, 2);
	leaf = stitch_btree_child(tree.node, 1);
	EXPECT(stitch_btree_validate(&tree, geo));
	EXPECT(!stitch_btree_validate(&tree, &stitch_btree_geo128));
	*stitch_btree_key(leaf, 1) -= 2; /* as the first */
	EXPECT(!stitch_btree_validate(&tree, geo));
	*stitch_btree_key(leaf, 1) += 2;
	*stitch_btree_key(tree.node, 1) += 1; /* above the first under it */
	EXPECT(!stitch_btree_validate(&tree, geo));
	*stitch_btree_key(tree.node, 1) -= 1;
	*stitch_btree_key(leaf, leaf->nr - 1u) += 2; /* as the next leaf's first */
	EXPECT(!stitch_btree_validate(&tree, geo));
	*stitch_btree_key(leaf, leaf->nr - 1u) -= 2;
	*stitch_btree_val(leaf, 2) = 0;
	EXPECT(!stitch_btree_validate(&tree, geo));
	*stitch_btree_val(leaf, 2) = 1;
	leaf->nr = 6;
	EXPECT(!stitch_btree_validate(&tree, geo));
	leaf->nr = 8;
	EXPECT(stitch_btree_validate(&tree, geo));
	for (unsigned long key = 200; key < 1000; key++)
		ASSERT_EQ(stitch_btree_insert(&tree, geo, &key, &tree, 0), 0);
	ASSERT_EQ(tree.height, 3);
	EXPECT(stitch_btree_validate(&tree, geo));
	*stitch_btree_key(stitch_btree_child(tree.node, 1), 0) -= 1; /* not as the one above */
	EXPECT(!stitch_btree_validate(&tree, geo));
	stitch_btree_destroy(&tree);
	tree.height = 1;
	EXPECT(!stitch_btree_validate(&tree, geo));
}

RUN_TESTS
