/*
 * btree_types.h - stitch/btree.h for keys of one type; included by that.
 *
 * For each of the suffixes 32, 64, l (unsigned long) and 128 (two numbers of 64 bits, the higher
 * first) a struct stitch_btree_head<suffix> and functions that do as their namesakes without one.
 * Visitors get the key by value. Kernel: include/linux/btree-type.h, btree-128.h.
 */
#ifndef STITCH_BTREE_TYPES_H
#define STITCH_BTREE_TYPES_H

#include "stitch/btree.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What does not depend on how a key is passed. */
#define STITCH_BTREE_COMMON(SUFFIX, GEO)                                                          \
	struct stitch_btree_head##SUFFIX {                                                        \
		struct stitch_btree_head h;                                                       \
	};                                                                                        \
	static inline int stitch_btree_init##SUFFIX(struct stitch_btree_head##SUFFIX *head,      \
						    struct stitch_kmem_cache *cache)              \
	{                                                                                         \
		return stitch_btree_init(&head->h, cache);                                        \
	}                                                                                         \
	static inline void stitch_btree_init_mempool##SUFFIX(                                     \
		struct stitch_btree_head##SUFFIX *head, struct stitch_mempool *pool)              \
	{                                                                                         \
		stitch_btree_init_mempool(&head->h, pool);                                        \
	}                                                                                         \
	static inline void stitch_btree_destroy##SUFFIX(struct stitch_btree_head##SUFFIX *head)  \
	{                                                                                         \
		stitch_btree_destroy(&head->h);                                                   \
	}                                                                                         \
	static inline int stitch_btree_merge##SUFFIX(struct stitch_btree_head##SUFFIX *target,   \
						     struct stitch_btree_head##SUFFIX *victim,   \
						     stitch_gfp_t flags)                          \
	{                                                                                         \
		return stitch_btree_merge(&target->h, &victim->h, &GEO, flags);                   \
	}                                                                                         \
	static inline bool stitch_btree_validate##SUFFIX(                                         \
		const struct stitch_btree_head##SUFFIX *head)                                     \
	{                                                                                         \
		return stitch_btree_validate(&head->h, &GEO);                                     \
	}

/* Visitors; func2 is where the visitor of this type is. */
#define STITCH_BTREE_VISITORS(SUFFIX, GEO)                                                        \
	static inline size_t stitch_btree_visitor##SUFFIX(                                        \
		struct stitch_btree_head##SUFFIX *head, unsigned long opaque,                     \
		stitch_visitor##SUFFIX##_t func)                                                  \
	{                                                                                         \
		return stitch_btree_visitor(&head->h, &GEO, opaque, stitch_btree_visit##SUFFIX,  \
					    &func);                                               \
	}                                                                                         \
	static inline size_t stitch_btree_grim_visitor##SUFFIX(                                   \
		struct stitch_btree_head##SUFFIX *head, unsigned long opaque,                     \
		stitch_visitor##SUFFIX##_t func)                                                  \
	{                                                                                         \
		return stitch_btree_grim_visitor(&head->h, &GEO, opaque,                          \
						 stitch_btree_visit##SUFFIX, &func);              \
	}

/* Keys of one word: what changes nothing, or one value. */
#define STITCH_BTREE_WORD_VALUES(SUFFIX, TYPE, GEO)                                               \
	static inline void *stitch_btree_lookup##SUFFIX(                                          \
		const struct stitch_btree_head##SUFFIX *head, TYPE key)                           \
	{                                                                                         \
		unsigned long word = key;                                                         \
		return stitch_btree_lookup(&head->h, &GEO, &word);                                \
	}                                                                                         \
	static inline int stitch_btree_insert##SUFFIX(struct stitch_btree_head##SUFFIX *head,    \
						      TYPE key, void *val, stitch_gfp_t flags)    \
	{                                                                                         \
		unsigned long word = key;                                                         \
		return stitch_btree_insert(&head->h, &GEO, &word, val, flags);                    \
	}                                                                                         \
	static inline int stitch_btree_update##SUFFIX(struct stitch_btree_head##SUFFIX *head,    \
						      TYPE key, void *val)                        \
	{                                                                                         \
		unsigned long word = key;                                                         \
		return stitch_btree_update(&head->h, &GEO, &word, val);                           \
	}                                                                                         \
	static inline void *stitch_btree_remove##SUFFIX(struct stitch_btree_head##SUFFIX *head,  \
							TYPE key)                                 \
	{                                                                                         \
		unsigned long word = key;                                                         \
		return stitch_btree_remove(&head->h, &GEO, &word);                                \
	}

#define STITCH_BTREE_WORD_WALKS(SUFFIX, TYPE, GEO)                                                \
	static inline void *stitch_btree_last##SUFFIX(                                            \
		const struct stitch_btree_head##SUFFIX *head, TYPE *key)                          \
	{                                                                                         \
		unsigned long word;                                                               \
		void *val = stitch_btree_last(&head->h, &GEO, &word);                             \
		if (val)                                                                          \
			*key = (TYPE)word;                                                        \
		return val;                                                                       \
	}                                                                                         \
	static inline void *stitch_btree_get_prev##SUFFIX(                                        \
		const struct stitch_btree_head##SUFFIX *head, TYPE *key)                          \
	{                                                                                         \
		unsigned long word = *key;                                                        \
		void *val = stitch_btree_get_prev(&head->h, &GEO, &word);                         \
		if (val)                                                                          \
			*key = (TYPE)word;                                                        \
		return val;                                                                       \
	}                                                                                         \
	typedef void (*stitch_visitor##SUFFIX##_t)(void *elem, unsigned long opaque, TYPE key,   \
						   size_t index);                                 \
	static inline void stitch_btree_visit##SUFFIX(void *elem, unsigned long opaque,           \
						      unsigned long *key, size_t index,           \
						      void *func2)                                \
	{                                                                                         \
		(*(stitch_visitor##SUFFIX##_t *)func2)(elem, opaque, (TYPE)*key, index);         \
	}

#define STITCH_BTREE_WORD(SUFFIX, TYPE, GEO)         \
	STITCH_BTREE_COMMON(SUFFIX, GEO)             \
	STITCH_BTREE_WORD_VALUES(SUFFIX, TYPE, GEO) \
	STITCH_BTREE_WORD_WALKS(SUFFIX, TYPE, GEO)  \
	STITCH_BTREE_VISITORS(SUFFIX, GEO)

STITCH_BTREE_WORD(32, uint32_t, stitch_btree_geo32)
STITCH_BTREE_WORD(64, uint64_t, stitch_btree_geo64)
STITCH_BTREE_WORD(l, unsigned long, stitch_btree_geo32)

#undef STITCH_BTREE_WORD
#undef STITCH_BTREE_WORD_VALUES
#undef STITCH_BTREE_WORD_WALKS

STITCH_BTREE_COMMON(128, stitch_btree_geo128)

static inline void *stitch_btree_lookup128(const struct stitch_btree_head128 *head, uint64_t k1,
					   uint64_t k2)
{
	unsigned long key[] = { k1, k2 };

	return stitch_btree_lookup(&head->h, &stitch_btree_geo128, key);
}

static inline int stitch_btree_insert128(struct stitch_btree_head128 *head, uint64_t k1,
					 uint64_t k2, void *val, stitch_gfp_t flags)
{
	unsigned long key[] = { k1, k2 };

	return stitch_btree_insert(&head->h, &stitch_btree_geo128, key, val, flags);
}

static inline int stitch_btree_update128(struct stitch_btree_head128 *head, uint64_t k1,
					 uint64_t k2, void *val)
{
	unsigned long key[] = { k1, k2 };

	return stitch_btree_update(&head->h, &stitch_btree_geo128, key, val);
}

static inline void *stitch_btree_remove128(struct stitch_btree_head128 *head, uint64_t k1,
					   uint64_t k2)
{
	unsigned long key[] = { k1, k2 };

	return stitch_btree_remove(&head->h, &stitch_btree_geo128, key);
}

static inline void *stitch_btree_last128(const struct stitch_btree_head128 *head, uint64_t *k1,
					 uint64_t *k2)
{
	unsigned long key[2];
	void *val = stitch_btree_last(&head->h, &stitch_btree_geo128, key);

	if (val) {
		*k1 = key[0];
		*k2 = key[1];
	}
	return val;
}

static inline void *stitch_btree_get_prev128(const struct stitch_btree_head128 *head,
					     uint64_t *k1, uint64_t *k2)
{
	unsigned long key[] = { *k1, *k2 };
	void *val = stitch_btree_get_prev(&head->h, &stitch_btree_geo128, key);

	if (val) {
		*k1 = key[0];
		*k2 = key[1];
	}
	return val;
}

typedef void (*stitch_visitor128_t)(void *elem, unsigned long opaque, uint64_t k1, uint64_t k2,
				    size_t index);

static inline void stitch_btree_visit128(void *elem, unsigned long opaque, unsigned long *key,
					 size_t index, void *func2)
{
	(*(stitch_visitor128_t *)func2)(elem, opaque, key[0], key[1], index);
}

STITCH_BTREE_VISITORS(128, stitch_btree_geo128)

#undef STITCH_BTREE_COMMON
#undef STITCH_BTREE_VISITORS

/*
 * All, the largest key first; val: a pointer; the pair may be removed in the body.
 * Kernel: btree_for_each_safel, -32, -64, -128.
 */
#define stitch_btree_for_each_safe32(head, key, val)              \
	for ((val) = stitch_btree_last32((head), &(key)); (val); \
	     (val) = stitch_btree_get_prev32((head), &(key)))
#define stitch_btree_for_each_safe64(head, key, val)              \
	for ((val) = stitch_btree_last64((head), &(key)); (val); \
	     (val) = stitch_btree_get_prev64((head), &(key)))
#define stitch_btree_for_each_safel(head, key, val)              \
	for ((val) = stitch_btree_lastl((head), &(key)); (val); \
	     (val) = stitch_btree_get_prevl((head), &(key)))
#define stitch_btree_for_each_safe128(head, k1, k2, val)                    \
	for ((val) = stitch_btree_last128((head), &(k1), &(k2)); (val); \
	     (val) = stitch_btree_get_prev128((head), &(k1), &(k2)))

#ifdef __cplusplus
}
#endif

#endif
