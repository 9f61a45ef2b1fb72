/*
 * model_hashtable.c - a table of stitch/hashtable.h against an array that is searched from end to
 * end; and its hashes.
 */
#include "kunit.h"
#include "stitch/hashtable.h"

#define NR_USERS 64u
#define NR_KEYS 40u /* so that some are the same */

struct user {
	uint64_t key;
	bool in_table; /* the twin */
	bool seen;
	struct stitch_hlist_node link;
};

static STITCH_DEFINE_HASHTABLE(table, 4);
static struct user users[NR_USERS];
static uint64_t dice;

static void forget_seen(void)
{
	for (size_t i = 0; i < NR_USERS; i++)
		users[i].seen = false;
}

/* The walk must have come to these users once, and to no others. */
static void check_seen(bool all, uint64_t key)
{
	for (size_t i = 0; i < NR_USERS; i++)
		ASSERT_EQ(users[i].seen, users[i].in_table && (all || users[i].key == key));
}

static void see(struct user *user)
{
	ASSERT(!user->seen);
	user->seen = true;
}

static void check_all(void)
{
	struct user *user;
	size_t bucket, nr = 0;

	ASSERT(stitch_hash_validate(table));
	forget_seen();
	stitch_hash_for_each(table, bucket, user, link) {
		ASSERT_EQ(bucket, stitch_hash_64(user->key, 4));
		see(user);
		nr++;
	}
	ASSERT_EQ(bucket, 16);
	check_seen(true, 0);
	ASSERT_EQ(stitch_hash_empty(table), nr == 0);
}

static void find(uint64_t key)
{
	struct user *user;

	forget_seen();
	stitch_hash_for_each_possible(table, user, link, key)
		if (user->key == key)
			see(user);
	check_seen(false, key);
}

static void remove_key(uint64_t key)
{
	struct stitch_hlist_node *next;
	struct user *user;

	stitch_hash_for_each_possible_safe(table, user, next, link, key) {
		if (user->key == key) {
			stitch_hash_del(&user->link);
			ASSERT(!stitch_hash_hashed(&user->link));
		}
	}
	for (size_t i = 0; i < NR_USERS; i++)
		users[i].in_table &= users[i].key != key;
}

/* A break ends the whole walk, at the node. */
static void stop_at(struct user *wanted)
{
	struct user *user;
	size_t bucket;

	stitch_hash_for_each(table, bucket, user, link)
		if (user == wanted)
			break;
	ASSERT_EQ(user, wanted->in_table ? wanted : NULL);
}

static void remove_some(void)
{
	struct stitch_hlist_node *next;
	struct user *user;
	unsigned int bucket;

	forget_seen();
	stitch_hash_for_each_safe(table, bucket, next, user, link) {
		see(user);
		if (kunit_below(&dice, 2)) {
			stitch_hash_del(&user->link);
			memset(&user->link, 0, sizeof(user->link));
		}
	}
	check_seen(true, 0);
	for (size_t i = 0; i < NR_USERS; i++)
		users[i].in_table &= stitch_hash_hashed(&users[i].link);
}

static void change(struct user *user)
{
	if (user->in_table) {
		stitch_hash_del(&user->link);
	} else {
		user->key = kunit_below(&dice, NR_KEYS) << kunit_below(&dice, 2) * 40;
		stitch_hash_add(table, &user->link, user->key);
	}
	user->in_table = !user->in_table;
	ASSERT_EQ(stitch_hash_hashed(&user->link), user->in_table);
}

TEST(model_of_a_hash_table)
{
	uint64_t nr_ops = kunit_ops(300000);

	dice = kunit_seed();
	memset(users, 0, sizeof(users));
	stitch_hash_init(table);
	for (uint64_t op = 0; op < nr_ops; op++) {
		struct user *user = &users[kunit_below(&dice, NR_USERS)];

		if (!kunit_below(&dice, 200))
			remove_some();
		else if (!kunit_below(&dice, 20))
			remove_key(user->key);
		else
			change(user);
		find(user->key);
		stop_at(user);
		check_all();
	}
}

TEST(empty_looks_at_every_bucket)
{
	struct stitch_hlist_node node;

	stitch_hash_init(table);
	for (size_t bucket = 0; bucket < 16; bucket++) {
		EXPECT(stitch_hash_empty(table));
		stitch_hlist_add_head(&node, &table[bucket]);
		EXPECT(!stitch_hash_empty(table));
		EXPECT(stitch_hash_validate(table));
		node.pprev = NULL;
		EXPECT(!stitch_hash_validate(table));
		stitch_hash_init(table);
	}
}

/* The values are those of the kernel's functions: products by hand. */
TEST(hashes_are_the_kernels)
{
	EXPECT_EQ(stitch_hash_32(1, 32), 0x61c88647u);
	EXPECT_EQ(stitch_hash_32(3, 8), 0x25u); /* 0x125592d5, modulo 2^32 */
	EXPECT_EQ(stitch_hash_32(0xffffffffu, 16), 0x9e37u);
	EXPECT_EQ(stitch_hash_64(1, 32), 0x61c88646u);
	EXPECT_EQ(stitch_hash_64(1ull << 32, 32), 0x80b583ebu);
	EXPECT_EQ(stitch_hash_64(1ull << 63, 1), 1);
	EXPECT_EQ(stitch_hash_64(2, 4), 0xcu);
	EXPECT_EQ(stitch_hash_long(2, 4), 0xcu);
	EXPECT_EQ(stitch_hash_ptr((void *)2, 4), 0xcu);
	EXPECT_EQ(stitch_hash_32(12345, 0), 0);
	EXPECT_EQ(stitch_hash_64(12345, 0), 0);
	EXPECT_EQ(stitch_hash_min((unsigned short)1, 32), 0x61c88647u);
	EXPECT_EQ(stitch_hash_min((uint64_t)1, 32), 0x61c88646u);
	EXPECT_EQ(STITCH_HASH_BITS(table), 4);
	EXPECT_EQ(STITCH_HASH_SIZE(table), 16);
}

RUN_TESTS
