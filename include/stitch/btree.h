/*
 * btree.h - the kernel's B+tree: pointers by keys of 32, 64 or 128 bits (lib/btree.c,
 * include/linux/btree.h).
 *
 * A node is STITCH_BTREE_NODE_SIZE bytes: four cache lines, with keys beside each other. Nodes
 * come from a cache or a mempool with elements of that size, or from kmalloc. Only insertions
 * allocate, with the GFP flags of the call: all nodes that one needs before it changes anything. A
 * mempool has to guarantee as many (a node for each level and one more, 29 do in any case), or is
 * asked without DIRECT_RECLAIM: else who needs more than it has waits for itself.
 * Insertions and removals may be called where allocation and free may be; all the rest anywhere,
 * signal handlers too. Nothing here locks: who changes a tree must be alone; any number of threads
 * may read one that nobody changes.
 *
 * Use the functions by type: stitch_btree_insert32(), ...64(), ...128() and ...l() for unsigned
 * long. The general ones take the geometry, and keys as unsigned longs, the highest first.
 *
 * Invariants (stitch_btree_validate): all leaves are at the same depth; keys of a node ascend;
 * those under child i are not below key i and below key i + 1, but that the first key of inner
 * nodes at the left edge means nothing; that of others is the key above them. Every node but the
 * root is at least half full, a root that is no leaf has two children; no value is NULL.
 */
#ifndef STITCH_BTREE_H
#define STITCH_BTREE_H

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "stitch/node_source.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a cache or a pool for a tree must have elements of. (The kernel's: two cache lines.) */
#define STITCH_BTREE_NODE_SIZE 256u
#define STITCH_BTREE_WORDS (STITCH_BTREE_NODE_SIZE / sizeof(unsigned long) - 1)
/* Fewest children of a node: 5; they are exhausted before the address space is. */
#define STITCH_BTREE_MAX_HEIGHT 28

struct stitch_btree_node {
	__extension__ union {
		__extension__ struct {
			uint16_t nr;	 /* pairs in use */
			uint16_t keylen; /* as the geometry's */
		};
		struct stitch_btree_node *next; /* while it is in no tree */
	};
	unsigned long words[STITCH_BTREE_WORDS]; /* all keys, then all values or children */
};

/* Kernel: struct btree_geo. */
struct stitch_btree_geo {
	unsigned int keylen;   /* unsigned longs a key */
	unsigned int no_pairs; /* that a node has room for */
};

#define STITCH_BTREE_GEO(keylen) { (keylen), (unsigned int)(STITCH_BTREE_WORDS / ((keylen) + 1)) }
#define STITCH_BTREE_LONG_BITS (sizeof(unsigned long) * CHAR_BIT)
#define STITCH_BTREE_LONGS(bits) \
	((unsigned int)(((bits) + STITCH_BTREE_LONG_BITS - 1) / STITCH_BTREE_LONG_BITS))

/* Kernel: btree_geo32, btree_geo64, btree_geo128. */
static const struct stitch_btree_geo stitch_btree_geo32 __attribute__((unused)) =
	STITCH_BTREE_GEO(STITCH_BTREE_LONGS(32));
static const struct stitch_btree_geo stitch_btree_geo64 __attribute__((unused)) =
	STITCH_BTREE_GEO(STITCH_BTREE_LONGS(64));
static const struct stitch_btree_geo stitch_btree_geo128 __attribute__((unused)) =
	STITCH_BTREE_GEO(STITCH_BTREE_LONGS(128));

/* Kernel: struct btree_head. */
struct stitch_btree_head {
	struct stitch_btree_node *node; /* NULL: the tree is empty */
	int height;			/* levels; 1: the root is a leaf */
	struct stitch_node_source source;
};

/*
 * An empty tree; cache NULL: kmalloc. Returns 0. Kernel: btree_init, which makes a pool of its own,
 * btree_init_mempool.
 */
static inline int stitch_btree_init(struct stitch_btree_head *head,
				    struct stitch_kmem_cache *cache)
{
	memset(head, 0, sizeof(*head));
	head->source.cache = cache;
	return 0;
}

static inline void stitch_btree_init_mempool(struct stitch_btree_head *head,
					     struct stitch_mempool *pool)
{
	memset(head, 0, sizeof(*head));
	head->source.pool = pool;
}

/* --- nodes ------------------------------------------------------------------------------------ */

static inline unsigned long *stitch_btree_key(struct stitch_btree_node *node, unsigned int at)
{
	return node->words + (size_t)at * node->keylen;
}

/* Value, or child, as a number. */
static inline unsigned long *stitch_btree_val(struct stitch_btree_node *node, unsigned int at)
{
	return node->words + STITCH_BTREE_WORDS / (node->keylen + 1u) * node->keylen + at;
}

static inline struct stitch_btree_node *stitch_btree_child(struct stitch_btree_node *node,
							   unsigned int at)
{
	return (struct stitch_btree_node *)*stitch_btree_val(node, at);
}

static inline void stitch_btree_copy_key(const struct stitch_btree_geo *geo, unsigned long *to,
					 const unsigned long *from)
{
	for (unsigned int i = 0; i < geo->keylen; i++)
		to[i] = from[i];
}

/* < 0, 0, > 0 */
static inline int stitch_btree_compare(const struct stitch_btree_geo *geo, const unsigned long *a,
				       const unsigned long *b)
{
	for (unsigned int i = 0; i < geo->keylen; i++) {
		if (a[i] != b[i])
			return a[i] < b[i] ? -1 : 1;
	}
	return 0;
}

/* How many keys from number `from` on are below `key` (or equal to it), and the `from` before. */
static inline unsigned int stitch_btree_below(const struct stitch_btree_geo *geo,
					      struct stitch_btree_node *node, unsigned int from,
					      const unsigned long *key, bool or_equal)
{
	const int bound = or_equal ? 1 : 0;

	while (from < node->nr &&
	       stitch_btree_compare(geo, stitch_btree_key(node, from), key) < bound)
		from++;
	return from;
}

/* The child that has `key`, if any; the last with keys below it, if not or_equal. */
static inline unsigned int stitch_btree_which(const struct stitch_btree_geo *geo,
					      struct stitch_btree_node *node,
					      const unsigned long *key, bool or_equal)
{
	return stitch_btree_below(geo, node, 1, key, or_equal) - 1;
}

/* Open a gap for `count` pairs at `at`, or close one. */
static inline void stitch_btree_shift(const struct stitch_btree_geo *geo,
				      struct stitch_btree_node *node, unsigned int at, int count)
{
	unsigned int from = count > 0 ? at : at + (unsigned int)-count;
	unsigned int to = count > 0 ? at + (unsigned int)count : at;
	size_t nr = node->nr - from;

	memmove(stitch_btree_key(node, to), stitch_btree_key(node, from),
		nr * geo->keylen * sizeof(unsigned long));
	memmove(stitch_btree_val(node, to), stitch_btree_val(node, from),
		nr * sizeof(unsigned long));
	node->nr = (uint16_t)(node->nr + count);
}

/* Copy `nr` pairs over. */
static inline void stitch_btree_copy(const struct stitch_btree_geo *geo,
				     struct stitch_btree_node *to, unsigned int to_at,
				     struct stitch_btree_node *from, unsigned int from_at,
				     unsigned int nr)
{
	memcpy(stitch_btree_key(to, to_at), stitch_btree_key(from, from_at),
	       (size_t)nr * geo->keylen * sizeof(unsigned long));
	memcpy(stitch_btree_val(to, to_at), stitch_btree_val(from, from_at),
	       nr * sizeof(unsigned long));
}

static inline void stitch_btree_put(const struct stitch_btree_geo *geo,
				    struct stitch_btree_node *node, unsigned int at,
				    const unsigned long *key, unsigned long val)
{
	stitch_btree_shift(geo, node, at, 1);
	stitch_btree_copy_key(geo, stitch_btree_key(node, at), key);
	*stitch_btree_val(node, at) = val;
}

/*
 * The way down from the root, [height - 1], to a leaf, [0]; at: the child taken; in the leaf: where
 * the key is, or would be.
 */
struct stitch_btree_path {
	struct stitch_btree_node *nodes[STITCH_BTREE_MAX_HEIGHT];
	unsigned int at[STITCH_BTREE_MAX_HEIGHT];
};

/* Not for an empty tree. Returns whether the key is there. */
static inline bool stitch_btree_descend(const struct stitch_btree_head *head,
					const struct stitch_btree_geo *geo,
					const unsigned long *key, struct stitch_btree_path *path)
{
	struct stitch_btree_node *node = head->node;

	for (int level = head->height - 1; level > 0; level--) {
		path->nodes[level] = node;
		path->at[level] = stitch_btree_which(geo, node, key, true);
		node = stitch_btree_child(node, path->at[level]);
	}
	path->nodes[0] = node;
	path->at[0] = stitch_btree_below(geo, node, 0, key, false);
	return path->at[0] < node->nr &&
	       !stitch_btree_compare(geo, stitch_btree_key(node, path->at[0]), key);
}

/* --- lookup ----------------------------------------------------------------------------------- */

/* The place of the value of `key`; NULL: there is none. */
static inline unsigned long *stitch_btree_find(const struct stitch_btree_head *head,
					       const struct stitch_btree_geo *geo,
					       const unsigned long *key)
{
	struct stitch_btree_node *node = head->node;
	unsigned int at;

	if (!node)
		return NULL;
	for (int level = head->height - 1; level > 0; level--)
		node = stitch_btree_child(node, stitch_btree_which(geo, node, key, true));
	at = stitch_btree_below(geo, node, 0, key, false);
	if (at == node->nr || stitch_btree_compare(geo, stitch_btree_key(node, at), key))
		return NULL;
	return stitch_btree_val(node, at);
}

/* The value; NULL: there is none. O(log n). Kernel: btree_lookup. */
static inline void *stitch_btree_lookup(const struct stitch_btree_head *head,
					const struct stitch_btree_geo *geo,
					const unsigned long *key)
{
	unsigned long *val = stitch_btree_find(head, geo, key);

	return val ? (void *)*val : NULL;
}

/* Another value (not NULL) for a key that is there. 0, -ENOENT, -EINVAL. Kernel: btree_update. */
static inline int stitch_btree_update(struct stitch_btree_head *head,
				      const struct stitch_btree_geo *geo, const unsigned long *key,
				      void *val)
{
	unsigned long *place = stitch_btree_find(head, geo, key);

	if (!val)
		return -EINVAL;
	if (!place)
		return -ENOENT;
	*place = (unsigned long)val;
	return 0;
}

/* The last value under `node`; its key goes to *key. */
static inline void *stitch_btree_last_under(const struct stitch_btree_geo *geo,
					    struct stitch_btree_node *node, int level,
					    unsigned long *key)
{
	for (; level > 0; level--)
		node = stitch_btree_child(node, node->nr - 1u);
	stitch_btree_copy_key(geo, key, stitch_btree_key(node, node->nr - 1u));
	return (void *)*stitch_btree_val(node, node->nr - 1u);
}

/* The value with the largest key, which goes to *key; NULL: an empty tree. Kernel: btree_last. */
static inline void *stitch_btree_last(const struct stitch_btree_head *head,
				      const struct stitch_btree_geo *geo, unsigned long *key)
{
	return head->node ? stitch_btree_last_under(geo, head->node, head->height - 1, key) : NULL;
}

/*
 * The value with the largest key below *key, which goes to *key; NULL: there is none, *key stays.
 * *key need not be there. Kernel: btree_get_prev.
 */
static inline void *stitch_btree_get_prev(const struct stitch_btree_head *head,
					  const struct stitch_btree_geo *geo, unsigned long *key)
{
	struct stitch_btree_node *node = head->node, *before = NULL;
	int level, level_before = 0;
	unsigned int at;

	if (!node)
		return NULL;
	for (level = head->height - 1; level > 0; level--) {
		at = stitch_btree_which(geo, node, key, false);
		if (at) {
			before = stitch_btree_child(node, at - 1);
			level_before = level - 1;
		}
		node = stitch_btree_child(node, at);
	}
	at = stitch_btree_below(geo, node, 0, key, false);
	if (!at) /* all keys of the leaf are above */
		return before ? stitch_btree_last_under(geo, before, level_before, key) : NULL;
	stitch_btree_copy_key(geo, key, stitch_btree_key(node, at - 1));
	return (void *)*stitch_btree_val(node, at - 1);
}

/* --- insertion -------------------------------------------------------------------------------- */

static inline void stitch_btree_free_all(struct stitch_btree_head *head,
					 struct stitch_btree_node *nodes)
{
	while (nodes) {
		struct stitch_btree_node *next = nodes->next;

		stitch_node_free(&head->source, nodes);
		nodes = next;
	}
}

/* `count` nodes, or NULL. */
static inline struct stitch_btree_node *stitch_btree_alloc_all(struct stitch_btree_head *head,
							       unsigned int count,
							       stitch_gfp_t flags)
{
	struct stitch_btree_node *nodes = NULL, *node;

	while (count--) {
		node = (struct stitch_btree_node *)stitch_node_alloc(&head->source, sizeof(*node),
								     flags);
		if (!node) {
			stitch_btree_free_all(head, nodes);
			return NULL;
		}
		node->next = nodes;
		nodes = node;
	}
	return nodes;
}

static inline struct stitch_btree_node *stitch_btree_take(const struct stitch_btree_geo *geo,
							  struct stitch_btree_node **nodes)
{
	struct stitch_btree_node *node = *nodes;

	*nodes = node->next;
	node->next = NULL; /* all of the word */
	node->nr = 0;
	node->keylen = (uint16_t)geo->keylen;
	return node;
}

/* One for each full node from the leaf up, and a root above a full root. */
static inline unsigned int stitch_btree_nodes_needed(const struct stitch_btree_head *head,
						     const struct stitch_btree_geo *geo,
						     const struct stitch_btree_path *path)
{
	int level = 0;

	while (level < head->height && path->nodes[level]->nr == geo->no_pairs)
		level++;
	return (unsigned int)level + (level == head->height);
}

/* `node` is full: the upper half goes to `right`, the pair into one of them. */
static inline void stitch_btree_split(const struct stitch_btree_geo *geo,
				      struct stitch_btree_node *node,
				      struct stitch_btree_node *right, unsigned int at,
				      const unsigned long *key, unsigned long val)
{
	unsigned int nr_left = (geo->no_pairs + 1) / 2;

	stitch_btree_copy(geo, right, 0, node, nr_left, node->nr - nr_left);
	right->nr = (uint16_t)(node->nr - nr_left);
	node->nr = (uint16_t)nr_left;
	if (at < nr_left)
		stitch_btree_put(geo, node, at, key, val);
	else
		stitch_btree_put(geo, right, at - nr_left, key, val);
}

/* A root above, with the old one (if any) as first child. */
static inline void stitch_btree_grow(struct stitch_btree_head *head,
				     const struct stitch_btree_geo *geo,
				     struct stitch_btree_node *root)
{
	if (head->node)
		stitch_btree_put(geo, root, 0, stitch_btree_key(head->node, 0),
				 (unsigned long)head->node);
	head->node = root;
	head->height++;
}

/*
 * A new key with a value (not NULL). 0, -EEXIST, -ENOMEM, -EINVAL: NULL; then the tree is as it
 * was. O(log n). Kernel: btree_insert (where a key that is there already is a bug).
 */
static inline int stitch_btree_insert(struct stitch_btree_head *head,
				      const struct stitch_btree_geo *geo, const unsigned long *key,
				      void *val, stitch_gfp_t flags)
{
	struct stitch_btree_node *nodes = NULL, *right;
	struct stitch_btree_path path;
	unsigned long pair = (unsigned long)val;
	unsigned int count;
	int level = 0;

	if (!val)
		return -EINVAL;
	if (head->node && stitch_btree_descend(head, geo, key, &path))
		return -EEXIST;
	count = stitch_btree_nodes_needed(head, geo, &path);
	if (count && !(nodes = stitch_btree_alloc_all(head, count, flags)))
		return -ENOMEM;
	for (; level < head->height && path.nodes[level]->nr == geo->no_pairs; level++) {
		/* What goes up is the new node, to stand behind the one that was split. */
		right = stitch_btree_take(geo, &nodes);
		stitch_btree_split(geo, path.nodes[level], right, path.at[level] + (level > 0),
				   key, pair);
		key = stitch_btree_key(right, 0);
		pair = (unsigned long)right;
	}
	if (level == head->height) {
		stitch_btree_grow(head, geo, stitch_btree_take(geo, &nodes));
		stitch_btree_put(geo, head->node, head->node->nr, key, pair);
	} else {
		stitch_btree_put(geo, path.nodes[level], path.at[level] + (level > 0), key, pair);
	}
	return 0;
}

/* --- removal ---------------------------------------------------------------------------------- */

/* Child `at` + 1 of `parent` gives a pair to child `at`, or gets one. */
static inline void stitch_btree_balance(const struct stitch_btree_geo *geo,
					struct stitch_btree_node *parent, unsigned int at,
					bool to_left)
{
	struct stitch_btree_node *left = stitch_btree_child(parent, at);
	struct stitch_btree_node *right = stitch_btree_child(parent, at + 1);

	if (to_left) {
		stitch_btree_copy(geo, left, left->nr, right, 0, 1);
		left->nr++;
		stitch_btree_shift(geo, right, 0, -1);
	} else {
		stitch_btree_shift(geo, right, 0, 1);
		stitch_btree_copy(geo, right, 0, left, left->nr - 1u, 1);
		left->nr--;
	}
	stitch_btree_copy_key(geo, stitch_btree_key(parent, at + 1), stitch_btree_key(right, 0));
}

/* All of child `at` + 1 goes to child `at`. */
static inline void stitch_btree_join(struct stitch_btree_head *head,
				     const struct stitch_btree_geo *geo,
				     struct stitch_btree_node *parent, unsigned int at)
{
	struct stitch_btree_node *left = stitch_btree_child(parent, at);
	struct stitch_btree_node *right = stitch_btree_child(parent, at + 1);

	stitch_btree_copy(geo, left, left->nr, right, 0, right->nr);
	left->nr = (uint16_t)(left->nr + right->nr);
	stitch_btree_shift(geo, parent, at + 1, -1);
	stitch_node_free(&head->source, right);
}

/* The node has lost a pair: fill it up from a sibling, or join them. True: its parent lost one. */
static inline bool stitch_btree_mend(struct stitch_btree_head *head,
				     const struct stitch_btree_geo *geo,
				     struct stitch_btree_path *path, int level)
{
	struct stitch_btree_node *parent = path->nodes[level + 1];
	unsigned int at = path->at[level + 1], sibling = at ? at - 1 : 1;

	if (path->nodes[level]->nr >= geo->no_pairs / 2)
		return false;
	if (stitch_btree_child(parent, sibling)->nr > geo->no_pairs / 2) {
		stitch_btree_balance(geo, parent, at ? sibling : at, !at);
		return false;
	}
	stitch_btree_join(head, geo, parent, at ? sibling : at);
	return true;
}

/* Take the key out. Returns its value; NULL: it was not there. O(log n). Kernel: btree_remove. */
static inline void *stitch_btree_remove(struct stitch_btree_head *head,
					const struct stitch_btree_geo *geo,
					const unsigned long *key)
{
	struct stitch_btree_node *root = head->node;
	struct stitch_btree_path path;
	int level = 0;
	void *val;

	if (!root || !stitch_btree_descend(head, geo, key, &path))
		return NULL;
	val = (void *)*stitch_btree_val(path.nodes[0], path.at[0]);
	stitch_btree_shift(geo, path.nodes[0], path.at[0], -1);
	while (level + 1 < head->height && stitch_btree_mend(head, geo, &path, level))
		level++;
	if (root->nr > (head->height > 1))
		return val;
	/* A root without a pair, or with one child. */
	head->node = head->height > 1 ? stitch_btree_child(root, 0) : NULL;
	head->height--;
	stitch_node_free(&head->source, root);
	return val;
}

/* --- whole trees ------------------------------------------------------------------------------ */

static inline void stitch_btree_destroy_under(struct stitch_btree_head *head,
					      struct stitch_btree_node *node, int level)
{
	for (unsigned int at = 0; level > 0 && at < node->nr; at++)
		stitch_btree_destroy_under(head, stitch_btree_child(node, at), level - 1);
	stitch_node_free(&head->source, node);
}

/*
 * All nodes are freed, values are the caller's; the tree is empty. Kernel: btree_destroy (which
 * expects an empty one).
 */
static inline void stitch_btree_destroy(struct stitch_btree_head *head)
{
	if (head->node)
		stitch_btree_destroy_under(head, head->node, head->height - 1);
	head->node = NULL;
	head->height = 0;
}

/* key: not to be changed; index: 0 for the first that is visited; func2: as given. */
typedef void stitch_btree_visit_t(void *elem, unsigned long opaque, unsigned long *key,
				  size_t index, void *func2);

static inline size_t stitch_btree_visit_under(struct stitch_btree_node *node, int level,
					      unsigned long opaque, stitch_btree_visit_t *func,
					      size_t index, void *func2)
{
	for (unsigned int at = node->nr; at--;) {
		if (level > 0)
			index = stitch_btree_visit_under(stitch_btree_child(node, at), level - 1,
							 opaque, func, index, func2);
		else
			func((void *)*stitch_btree_val(node, at), opaque,
			     stitch_btree_key(node, at), index++, func2);
	}
	return index;
}

/*
 * Call `func` for all, the largest key first; it must not change the tree. Returns how many there
 * are. grim: then all are gone, as by stitch_btree_destroy(). Kernel: btree_visitor,
 * btree_grim_visitor.
 */
static inline size_t stitch_btree_visitor(struct stitch_btree_head *head,
					  const struct stitch_btree_geo *geo, unsigned long opaque,
					  stitch_btree_visit_t *func, void *func2)
{
	(void)geo;
	return head->node ? stitch_btree_visit_under(head->node, head->height - 1, opaque, func,
						     0, func2) :
			    0;
}

static inline size_t stitch_btree_grim_visitor(struct stitch_btree_head *head,
					       const struct stitch_btree_geo *geo,
					       unsigned long opaque, stitch_btree_visit_t *func,
					       void *func2)
{
	size_t count = stitch_btree_visitor(head, geo, opaque, func, func2);

	stitch_btree_destroy(head);
	return count;
}

/*
 * All of `victim` goes to `target`, another tree. 0; -ENOMEM, -EEXIST: not all, the rest is in
 * `victim`. O(1) into an empty tree with the same source of nodes. Kernel: btree_merge.
 */
static inline int stitch_btree_merge(struct stitch_btree_head *target,
				     struct stitch_btree_head *victim,
				     const struct stitch_btree_geo *geo, stitch_gfp_t flags)
{
	unsigned long key[STITCH_BTREE_LONGS(128)];
	void *val;
	int error;

	if (!target->node && target->source.cache == victim->source.cache &&
	    target->source.pool == victim->source.pool) {
		*target = *victim;
		victim->node = NULL;
		victim->height = 0;
		return 0;
	}
	while ((val = stitch_btree_last(victim, geo, key)) != NULL) {
		error = stitch_btree_insert(target, geo, key, val, flags);
		if (error)
			return error;
		stitch_btree_remove(victim, geo, key);
	}
	return 0;
}

/* --- validation ------------------------------------------------------------------------------- */

/* Of a node whose keys are in [low, high); NULL: no such bound. */
static inline bool stitch_btree_validate_under(const struct stitch_btree_geo *geo,
					       struct stitch_btree_node *node, int level,
					       bool is_root, const unsigned long *low,
					       const unsigned long *high)
{
	unsigned int least = is_root ? 1u + (level > 0) : geo->no_pairs / 2;

	if (node->keylen != geo->keylen || node->nr < least || node->nr > geo->no_pairs)
		return false;
	for (unsigned int at = 0; at < node->nr; at++) {
		const unsigned long *key = stitch_btree_key(node, at);
		const unsigned long *next = at + 1u < node->nr ? stitch_btree_key(node, at + 1) :
								 high;

		if (!*stitch_btree_val(node, at) ||
		    (level > 0 && !at && low && stitch_btree_compare(geo, key, low)))
			return false;
		if (level > 0 && !at)
			key = low; /* at the left edge none */
		if (key && ((next && stitch_btree_compare(geo, key, next) >= 0) ||
			    (low && stitch_btree_compare(geo, key, low) < 0)))
			return false;
		if (level > 0 && !stitch_btree_validate_under(geo, stitch_btree_child(node, at),
							      level - 1, false, key, next))
			return false;
	}
	return true;
}

/* True when the invariants above hold. O(n). */
static inline bool stitch_btree_validate(const struct stitch_btree_head *head,
					 const struct stitch_btree_geo *geo)
{
	if (!head->node)
		return !head->height;
	return head->height > 0 && stitch_btree_validate_under(geo, head->node, head->height - 1,
							       true, NULL, NULL);
}

#ifdef __cplusplus
}
#endif

#include "stitch/btree_types.h"

#endif
