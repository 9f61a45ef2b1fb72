/*
 * model_idr.c - stitch/idr.h against tables of ids, at both ends of what ids there are.
 */
#include "stitch/idr.h"
#include "tree_nodes.h"

#define NR_IDS 600u /* of each table */
#define BASE 3u

/* Ids from `first` on. */
static struct table {
	unsigned long first;
	bool taken[NR_IDS];
	void *ptr[NR_IDS];
} tables[] = { { .first = BASE },
	       { .first = (unsigned long)INT_MAX + 1 - NR_IDS },
	       { .first = (unsigned long)UINT_MAX + 1 - NR_IDS } };
#define NR_TABLES (sizeof(tables) / sizeof(tables[0]))

static struct stitch_kmem_cache nodes = { sizeof(struct stitch_radix_tree_node), 0, NEVER };
static struct stitch_idr idr;
static unsigned int cursor;

static void check_all(void)
{
	bool empty = true;

	ASSERT(stitch_idr_validate(&idr));
	for (size_t t = 0; t < NR_TABLES; t++) {
		for (size_t i = 0; i < NR_IDS; i++) {
			ASSERT_EQ(stitch_idr_find(&idr, tables[t].first + i), tables[t].ptr[i]);
			empty = empty && !tables[t].taken[i];
		}
	}
	ASSERT_EQ(stitch_idr_is_empty(&idr), empty);
	ASSERT(!empty || !nodes.nr_live);
	ASSERT_EQ(stitch_idr_get_cursor(&idr), cursor);
}

/* The first free one of [from, to]; NR_IDS when there is none. */
static size_t first_free(const struct table *table, size_t from, size_t to)
{
	while (from <= to && table->taken[from])
		from++;
	return from <= to ? from : NR_IDS;
}

static void *new_pointer(uint64_t *random)
{
	return kunit_below(random, 4) ? (void *)(uintptr_t)kunit_random(random) : NULL;
}

static void expect_id(struct table *table, size_t expected, long got, void *ptr)
{
	if (expected == NR_IDS) {
		ASSERT_EQ(got, -ENOSPC);
	} else if (got == -ENOMEM) {
		ASSERT_EQ(nodes.nr_until_failure, 0);
	} else {
		ASSERT_EQ(got, table->first + expected);
		table->taken[expected] = true;
		table->ptr[expected] = ptr;
	}
}

static void alloc_u32(uint64_t *random, struct table *table)
{
	size_t from = kunit_below(random, NR_IDS), to = kunit_below(random, NR_IDS);
	unsigned int id = (unsigned int)(table->first + from), before = id;
	void *ptr = new_pointer(random);
	int error = stitch_idr_alloc_u32(&idr, ptr, &id, table->first + to, STITCH_GFP_KERNEL);

	if (error)
		ASSERT_EQ(id, before);
	expect_id(table, first_free(table, from, to), error ? error : (long)id, ptr);
}

static void alloc_int(uint64_t *random, struct table *table)
{
	size_t from = kunit_below(random, NR_IDS), to = kunit_below(random, NR_IDS);
	int start = (int)(table->first + from), end = (int)(table->first + to);
	struct stitch_radix_tree_nodes preload = { { NULL, NULL }, NULL, 0, false };
	void *ptr = new_pointer(random);

	if (table == &tables[1] && kunit_below(random, 2)) {
		end = -(int)kunit_below(random, 2); /* without end: to INT_MAX */
		to = NR_IDS;
	}
	if (!kunit_below(random, 4)) {
		uint64_t refusing = nodes.nr_until_failure;

		nodes.nr_until_failure = NEVER;
		ASSERT_EQ(stitch_radix_tree_preload(&preload, &idr.idr_rt.source, 0), 0);
		nodes.nr_until_failure = refusing;
		start = stitch_idr_alloc_preloaded(&idr, ptr, start, end, 0, &preload);
		ASSERT(start != -ENOMEM);
		stitch_radix_tree_preload_end(&preload);
	} else {
		start = stitch_idr_alloc(&idr, ptr, start, end, STITCH_GFP_KERNEL);
	}
	expect_id(table, to ? first_free(table, from, to - 1) : NR_IDS, start, ptr);
}

static void alloc_cyclic(uint64_t *random, struct table *table)
{
	size_t from = kunit_below(random, NR_IDS), to = from + kunit_below(random, NR_IDS - from);
	size_t at = cursor > table->first + from ? cursor - table->first : from, expected;
	int end = to == NR_IDS - 1 && table == &tables[1] ? 0 : (int)(table->first + to + 1);
	struct stitch_radix_tree_nodes preload = { { NULL, NULL }, NULL, 0, false };
	uint64_t refusing = nodes.nr_until_failure;
	void *ptr = new_pointer(random);
	int id;

	if (cursor > INT_MAX)
		at = from;
	expected = at > to ? NR_IDS : first_free(table, at, to);
	if (expected == NR_IDS)
		expected = first_free(table, from, to);
	if (kunit_below(random, 2)) {
		nodes.nr_until_failure = NEVER;
		ASSERT_EQ(stitch_radix_tree_preload(&preload, &idr.idr_rt.source, 0), 0);
		nodes.nr_until_failure = refusing;
		id = stitch_idr_alloc_cyclic_preloaded(&idr, ptr, (int)(table->first + from), end,
						       0, &preload);
		ASSERT(id != -ENOMEM);
		stitch_radix_tree_preload_end(&preload);
	} else {
		id = stitch_idr_alloc_cyclic(&idr, ptr, (int)(table->first + from), end, 0);
	}
	expect_id(table, expected, id, ptr);
	if (id >= 0)
		cursor = (unsigned int)id + 1;
}

/* As in 2004; from 0 on, so that only the lowest table is full of what it gives. */
static void get_new(uint64_t *random)
{
	struct table *table = &tables[0];
	size_t from = kunit_below(random, NR_IDS);
	uint64_t refusing = nodes.nr_until_failure;
	void *ptr = new_pointer(random);
	int id = -7, error = -EAGAIN;

	from = kunit_below(random, 2) ? from : 0;
	if (first_free(table, from, NR_IDS - 1) == NR_IDS)
		return;
	while (error == -EAGAIN) {
		if (!stitch_idr_pre_get(&idr, STITCH_GFP_KERNEL)) {
			ASSERT_EQ(nodes.nr_until_failure, 0);
			ASSERT(refusing != NEVER);
			nodes.nr_until_failure = NEVER;
		}
		refusing = nodes.nr_until_failure;
		nodes.nr_until_failure = 0; /* nothing but what was put aside */
		error = from ? stitch_idr_get_new_above(&idr, ptr, (int)(table->first + from),
							&id) :
			       stitch_idr_get_new(&idr, ptr, &id);
		nodes.nr_until_failure = refusing;
		ASSERT(!error || (error == -EAGAIN && id == -7));
	}
	expect_id(table, first_free(table, from, NR_IDS - 1), error ? error : id, ptr);
}

static void change_taken(uint64_t *random, struct table *table)
{
	size_t i = kunit_below(random, NR_IDS);
	unsigned long id = table->first + i;
	void *ptr = new_pointer(random), *old = table->ptr[i];

	if (kunit_below(random, 4)) {
		ASSERT_EQ(stitch_idr_remove(&idr, id), old);
		table->taken[i] = false;
		table->ptr[i] = NULL;
		return;
	}
	if (!table->taken[i]) {
		ASSERT_EQ(stitch_ptr_err(stitch_idr_replace(&idr, ptr, id)), -ENOENT);
		ASSERT(stitch_is_err(stitch_idr_replace(&idr, ptr, id)));
		return;
	}
	ASSERT_EQ(stitch_idr_replace(&idr, ptr, id), old);
	table->ptr[i] = ptr;
}

/* The next one with a pointer, as an index through all tables. */
static size_t next_with_pointer(size_t at)
{
	while (at < NR_TABLES * NR_IDS && !tables[at / NR_IDS].ptr[at % NR_IDS])
		at++;
	return at;
}

static unsigned long id_at(size_t at)
{
	return tables[at / NR_IDS].first + at % NR_IDS;
}

static size_t visited;
static bool stopped;

static int visit(int id, void *ptr, void *data)
{
	ASSERT_EQ(data, &visited);
	visited = next_with_pointer(visited);
	ASSERT(visited < 2 * NR_IDS); /* up to INT_MAX */
	ASSERT_EQ(id, id_at(visited));
	ASSERT_EQ(ptr, tables[visited / NR_IDS].ptr[visited % NR_IDS]);
	ASSERT(!stopped);
	stopped = id % 64 == 63;
	visited++;
	return stopped ? id : 0;
}

static void walk(void)
{
	unsigned long next = 0;
	size_t at = next_with_pointer(0);
	void *entry;
	int id, result;

	for (; (entry = stitch_idr_get_next_ul(&idr, &next)) != NULL; next++) {
		ASSERT(at < NR_TABLES * NR_IDS);
		ASSERT_EQ(next, id_at(at));
		at = next_with_pointer(at + 1);
	}
	ASSERT_EQ(at, NR_TABLES * NR_IDS);

	at = next_with_pointer(0);
	stitch_idr_for_each_entry(&idr, entry, id) {
		ASSERT_EQ(id, id_at(at));
		ASSERT_EQ(entry, tables[at / NR_IDS].ptr[at % NR_IDS]);
		at = next_with_pointer(at + 1);
	}
	ASSERT(at >= 2 * NR_IDS);

	visited = 0;
	stopped = false;
	result = stitch_idr_for_each(&idr, visit, &visited);
	ASSERT_EQ(result, result ? (long)id_at(visited - 1) : 0);
	if (!result)
		ASSERT(next_with_pointer(visited) >= 2 * NR_IDS);
}

static void start(unsigned int base)
{
	stitch_idr_init_base(&idr, &nodes, base);
	for (size_t t = 0; t < NR_TABLES; t++) {
		memset(tables[t].taken, 0, sizeof(tables[t].taken));
		memset(tables[t].ptr, 0, sizeof(tables[t].ptr));
	}
	cursor = base;
}

static void random_operation(uint64_t *random, uint64_t fill)
{
	struct table *table = &tables[kunit_below(random, NR_TABLES)];

	if (kunit_below(random, 100) >= fill) {
		change_taken(random, table);
		return;
	}
	if (!kunit_below(random, 4))
		nodes.nr_until_failure = kunit_below(random, 12);
	if (table == &tables[2])
		alloc_u32(random, table);
	else if (table == &tables[0] && !kunit_below(random, 3))
		get_new(random);
	else if (kunit_below(random, 3))
		alloc_int(random, table);
	else
		alloc_cyclic(random, table);
	nodes.nr_until_failure = NEVER;
}

TEST(model_of_three_tables)
{
	uint64_t random = kunit_seed();
	uint64_t nr_ops = kunit_ops(40000);

	start(BASE);
	for (uint64_t op = 0; op < nr_ops; op++) {
		random_operation(&random, op / 4000 % 2 ? 30 : 80);
		if (idr.spare && op % 8 == 7) { /* so that no node is left but the tree's */
			struct stitch_idr only_spare = idr;

			only_spare.idr_rt.rnode = NULL;
			stitch_idr_destroy(&only_spare);
			idr.spare = NULL;
			idr.nr_spare = 0;
		}
		if (op % 8 == 7)
			check_all();
		else
			ASSERT(stitch_idr_validate(&idr));
		if (op % 16 == 0)
			walk();
	}
	stitch_idr_destroy(&idr);
	start(BASE);
	check_all();
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(wrong_arguments)
{
	int id = -7;

	start(BASE);
	EXPECT_EQ(stitch_idr_alloc(&idr, &id, -1, 0, 0), -EINVAL);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, &id, -1, 0, 0), -EINVAL);
	EXPECT_EQ(stitch_idr_get_new_above(&idr, &id, -1, &id), -EINVAL);
	EXPECT_EQ(stitch_idr_get_new(&idr, &id, &id), -EAGAIN);
	EXPECT_EQ(stitch_idr_alloc(&idr, &id, 0, BASE, 0), -ENOSPC);
	EXPECT_EQ(stitch_idr_alloc(&idr, &id, 0, BASE + 1, 0), BASE);
	EXPECT_EQ(stitch_idr_find(&idr, BASE - 1), NULL);
	EXPECT_EQ(stitch_idr_remove(&idr, BASE - 1), NULL);
	EXPECT_EQ(stitch_idr_find(&idr, ~0ul), NULL);
	EXPECT_EQ(stitch_idr_remove(&idr, ~0ul), NULL);
	EXPECT_EQ(stitch_ptr_err(stitch_idr_replace(&idr, &id, BASE - 1)), -ENOENT);
	EXPECT(!stitch_is_err(&id));
	EXPECT(!stitch_is_err(NULL));
	EXPECT_EQ(stitch_idr_remove(&idr, BASE), &id);
	EXPECT_EQ(nodes.nr_live, 0);
	EXPECT_EQ(id, -7);
}

TEST(cursor_wraps_to_the_start)
{
	start(0);
	stitch_idr_set_cursor(&idr, 8);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, NULL, 5, 10, 0), 8);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, NULL, 5, 10, 0), 9);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, NULL, 5, 10, 0), 5);
	EXPECT_EQ(stitch_idr_get_cursor(&idr), 6);
	stitch_idr_set_cursor(&idr, INT_MAX);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, NULL, 5, 0, 0), INT_MAX);
	EXPECT_EQ(stitch_idr_alloc_cyclic(&idr, NULL, 5, 0, 0), 6);
	stitch_idr_destroy(&idr);
	EXPECT_EQ(stitch_idr_get_cursor(&idr), 0);
	EXPECT_EQ(nodes.nr_live, 0);
}

/* A tree that is full gets a level more; one by one, as its size is a power of 64 and 64^2. */
TEST(full_trees)
{
	start(0);
	for (int id = 0; id < 5000; id++)
		ASSERT_EQ(stitch_idr_alloc(&idr, id & 1 ? &idr : NULL, id < 64 ? 0 : 63, 0, 0), id);
	ASSERT(stitch_idr_validate(&idr));
	for (int id = 4999; id >= 0; id--) {
		ASSERT_EQ(stitch_idr_remove(&idr, (unsigned long)id), id & 1 ? &idr : NULL);
		ASSERT_EQ(stitch_idr_alloc(&idr, &idr, 0, 0, 0), id);
		ASSERT_EQ(stitch_idr_remove(&idr, (unsigned long)id), &idr);
	}
	EXPECT_EQ(nodes.nr_live, 0);
}

/* From a tree of one level to the last id there is, and back, each time with what was put aside. */
TEST(what_is_put_aside_suffices)
{
	int id;

	start(0);
	for (int round = 0; round < 3; round++) {
		nodes.nr_until_failure = NEVER;
		ASSERT_EQ(stitch_idr_pre_get(&idr, 0), 1);
		nodes.nr_until_failure = 0;
		ASSERT_EQ(stitch_idr_get_new(&idr, &idr, &id), 0);
		nodes.nr_until_failure = NEVER;
		ASSERT_EQ(stitch_idr_pre_get(&idr, 0), 1);
		nodes.nr_until_failure = 0;
		ASSERT_EQ(stitch_idr_get_new_above(&idr, &idr, INT_MAX, &id), 0);
		ASSERT_EQ(id, INT_MAX);
		ASSERT_EQ(stitch_idr_get_new_above(&idr, &idr, INT_MAX, &id), -ENOSPC);
		ASSERT_EQ(stitch_idr_remove(&idr, INT_MAX), &idr);
		ASSERT_EQ(stitch_idr_remove(&idr, 0), &idr);
	}
	nodes.nr_until_failure = NEVER;
	stitch_idr_destroy(&idr);
	EXPECT_EQ(nodes.nr_live, 0);
}

TEST(a_definition_is_empty_and_takes_from_kmalloc)
{
	static STITCH_DEFINE_IDR(defined);

	EXPECT(stitch_idr_is_empty(&defined));
	EXPECT(stitch_idr_validate(&defined));
	EXPECT_EQ(stitch_idr_alloc(&defined, &defined, 0, 0, 0), 0);
	EXPECT_EQ(kmalloc_cache.nr_live, 1);
	EXPECT_EQ(stitch_idr_pre_get(&defined, 0), 1);
	EXPECT_EQ(kmalloc_cache.nr_live, 1 + STITCH_IDR_SPARE);
	stitch_idr_destroy(&defined);
	EXPECT_EQ(kmalloc_cache.nr_live, 0);
}

RUN_TESTS
