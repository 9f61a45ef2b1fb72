/*
 * hashtable.h - hash tables of a fixed number of buckets (include/linux/hashtable.h, hash.h).
 *
 *	STITCH_DEFINE_HASHTABLE(users, 8);
 *	stitch_hash_add(users, &user->link, user->id);
 *	stitch_hash_for_each_possible(users, user, link, id)
 *		if (user->id == id) ...
 *
 * A table is an array of 2^bits stitch_hlist_head; its name must be the array, not a pointer to it.
 * The caller owns the nodes (stitch_hlist_node). Keys are integers; of two nodes with the same
 * key each is found, of others that happen to share the bucket, too: the caller compares.
 * Nothing here allocates, locks or has state of its own: all of it may be called anywhere, in
 * signal handlers too, while nobody else changes the table.
 *
 * To add and remove takes a constant number of steps, to find as many as the bucket has nodes:
 * about nodes / 2^bits if keys are spread; walks of all look at each bucket.
 *
 * Invariant (stitch_hash_validate): every bucket is a good stitch_hlist.
 */
#ifndef STITCH_HASHTABLE_H
#define STITCH_HASHTABLE_H

#include <string.h>

#include "stitch/hlist.h"

/*
 * --- numbers -----------------------------------------------------------------------------------
 */

/* 2^32 and 2^64, divided by the square of the golden ratio: as the kernel's, so hashes agree. */
#define STITCH_GOLDEN_RATIO_32 0x61c88647u
#define STITCH_GOLDEN_RATIO_64 0x61c8864680b583ebu

/* The uppermost `bits` (0 to 32) of the product. Kernel: hash_32, hash_64, hash_long, hash_ptr. */
static inline uint32_t stitch_hash_32(uint32_t value, unsigned int bits)
{
	return bits ? (value * STITCH_GOLDEN_RATIO_32) >> (32 - bits) : 0;
}

static inline uint32_t stitch_hash_64(uint64_t value, unsigned int bits)
{
	return bits ? (uint32_t)((value * STITCH_GOLDEN_RATIO_64) >> (64 - bits)) : 0;
}

static inline uint32_t stitch_hash_long(unsigned long value, unsigned int bits)
{
	return stitch_hash_64(value, bits);
}

static inline uint32_t stitch_hash_ptr(const void *pointer, unsigned int bits)
{
	return stitch_hash_64((uintptr_t)pointer, bits);
}

/* By the type of the integer: 4 bytes or less by hash_32. Kernel: hash_min. */
#define stitch_hash_min(value, bits) \
	(sizeof(value) <= 4 ? stitch_hash_32((uint32_t)(value), bits) : \
			      stitch_hash_64((uint64_t)(value), bits))

/*
 * --- tables ------------------------------------------------------------------------------------
 */

/* An empty table of 2^bits buckets; one to be initialised, in a structure say. */
#define STITCH_DEFINE_HASHTABLE(name, bits) \
	struct stitch_hlist_head name[(size_t)1 << (bits)] = { STITCH_HLIST_HEAD_INIT }
#define STITCH_DECLARE_HASHTABLE(name, bits) struct stitch_hlist_head name[(size_t)1 << (bits)]

/* Buckets of a table, and log2 of that. */
#define STITCH_HASH_SIZE(name) (sizeof(name) / sizeof((name)[0]))
#define STITCH_HASH_BITS(name) ((unsigned int)__builtin_ctzll(STITCH_HASH_SIZE(name)))

/* All buckets empty; nodes that are in it are forgotten. */
#define stitch_hash_init(table) memset((table), 0, sizeof(table))

/* The bucket of a key. Not of the kernel by this name. */
#define stitch_hash_bucket(table, key) \
	(&(table)[stitch_hash_min(key, STITCH_HASH_BITS(table))])

/* node: on no table. */
#define stitch_hash_add(table, node, key) \
	stitch_hlist_add_head(node, stitch_hash_bucket(table, key))

/* The node is in a table; for nodes after stitch_init_hlist_node() or hash_del. */
static inline bool stitch_hash_hashed(const struct stitch_hlist_node *node)
{
	return !stitch_hlist_unhashed(node);
}

/* The node leaves its table, if it is in one. */
static inline void stitch_hash_del(struct stitch_hlist_node *node)
{
	stitch_hlist_del_init(node);
}

/* No bucket has a node: looks at each. nr_buckets: for functions that have a pointer only. */
#define stitch_hash_empty(table) stitch_hash_buckets_empty(table, STITCH_HASH_SIZE(table))

static inline bool stitch_hash_buckets_empty(const struct stitch_hlist_head *table,
					     size_t nr_buckets)
{
	for (size_t i = 0; i < nr_buckets; i++)
		if (!stitch_hlist_empty(&table[i]))
			return false;
	return true;
}

/* Looks at each node. Not of the kernel. */
#define stitch_hash_validate(table) stitch_hash_buckets_validate(table, STITCH_HASH_SIZE(table))

static inline bool stitch_hash_buckets_validate(const struct stitch_hlist_head *table,
						size_t nr_buckets)
{
	for (size_t i = 0; i < nr_buckets; i++)
		if (!stitch_hlist_validate(&table[i]))
			return false;
	return true;
}

/*
 * Walks: bucket: a variable of an integer type; pos: a pointer to the structure, which the caller
 * has declared; member: its stitch_hlist_node. With safe the body may delete the node that it is
 * at; tmp: a stitch_hlist_node *. possible: those of the key's bucket. A break ends the whole
 * walk and leaves pos at its node; after the end pos is NULL.
 */
#define stitch_hash_for_each(table, bucket, pos, member) \
	for ((bucket) = 0, pos = NULL; \
	     pos == NULL && (size_t)(bucket) < STITCH_HASH_SIZE(table); (bucket)++) \
		stitch_hlist_for_each_entry(pos, &(table)[bucket], member)
#define stitch_hash_for_each_safe(table, bucket, tmp, pos, member) \
	for ((bucket) = 0, pos = NULL; \
	     pos == NULL && (size_t)(bucket) < STITCH_HASH_SIZE(table); (bucket)++) \
		stitch_hlist_for_each_entry_safe(pos, tmp, &(table)[bucket], member)
#define stitch_hash_for_each_possible(table, pos, member, key) \
	stitch_hlist_for_each_entry(pos, stitch_hash_bucket(table, key), member)
#define stitch_hash_for_each_possible_safe(table, pos, tmp, member, key) \
	stitch_hlist_for_each_entry_safe(pos, tmp, stitch_hash_bucket(table, key), member)

#endif
