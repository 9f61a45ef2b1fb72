/* trees.c - many small nodes of one size: built at once and freed, and exchanged one by one. */
#include "bench.h"

#define NR_KEYS 65536u

struct node {
	struct node *children[2];
	uint64_t key;
};

static struct node *new_node(uint64_t key)
{
	struct node *node = bench_malloc(sizeof(*node));

	*node = (struct node){ .key = key };
	return node;
}

/* --- full binary trees, as in the benchmarks game --------------------------------------------- */

static struct node *build(unsigned int depth)
{
	struct node *node = new_node(depth);

	if (depth) {
		node->children[0] = build(depth - 1);
		node->children[1] = build(depth - 1);
	}
	return node;
}

static uint64_t count_and_free(struct node *node)
{
	uint64_t nr = 1;

	if (node->children[0])
		nr += count_and_free(node->children[0]) + count_and_free(node->children[1]);
	free(node);
	return nr;
}

/* The argument is the depth: 2^(depth + 1) - 1 nodes. */
static void build_and_free(struct bench_run *run, uint64_t count)
{
	unsigned int depth = (unsigned int)run->argument;

	while (count--)
		if (count_and_free(build(depth)) != ((uint64_t)2 << depth) - 1)
			bench_fail("a tree has lost nodes");
}

/* --- a search tree of random keys, which nothing balances ------------------------------------- */

struct tree {
	struct node *root;
	uint64_t keys[NR_KEYS];
};

/* Where the node of the key hangs, or would. */
static struct node **find(struct node **link, uint64_t key)
{
	while (*link && (*link)->key != key)
		link = &(*link)->children[(*link)->key < key];
	return link;
}

static void insert(struct tree *tree, uint64_t key)
{
	struct node **link = find(&tree->root, key);

	if (*link)
		bench_fail("random keys repeat");
	*link = new_node(key);
}

/* The lowest node on the right takes the place of one with two children. */
static void erase(struct tree *tree, uint64_t key)
{
	struct node **link = find(&tree->root, key), *node = *link, **lowest, *heir;

	if (!node)
		bench_fail("the tree has lost a key");
	heir = node->children[!node->children[0]];
	if (node->children[0] && node->children[1]) {
		for (lowest = &node->children[1]; (*lowest)->children[0];)
			lowest = &(*lowest)->children[0];
		heir = *lowest;
		*lowest = heir->children[1];
		heir->children[0] = node->children[0];
		heir->children[1] = node->children[1];
	}
	*link = heir;
	free(node);
}

static void *plant(struct bench_run *run)
{
	struct tree *tree = bench_map(sizeof(*tree));

	for (size_t i = 0; i < NR_KEYS; i++) {
		tree->keys[i] = bench_random(run);
		insert(tree, tree->keys[i]);
	}
	return tree;
}

static void exchange(struct bench_run *run, uint64_t count)
{
	struct tree *tree = run->data;

	while (count--) {
		uint64_t *key = &tree->keys[bench_random(run) % NR_KEYS];

		erase(tree, *key);
		*key = bench_random(run);
		insert(tree, *key);
	}
}

static void fell(struct bench_run *run)
{
	struct tree *tree = run->data;

	for (size_t i = 0; i < NR_KEYS; i++)
		erase(tree, tree->keys[i]);
	bench_unmap(tree, sizeof(*tree));
}

BENCH(binary_trees, "a binary tree of so many levels is built, walked and freed",
      .run = build_and_free, .from = 10, .to = 20, .times = 2, .quick_times = 4)
BENCH(search_tree, "nodes of a search tree are removed and inserted at random",
      .run = exchange, .batch = 100, .set_up = plant, .tear_down = fell)
