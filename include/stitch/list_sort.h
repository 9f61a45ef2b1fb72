/*
 * list_sort.h - a stable merge sort of a list (include/linux/list_sort.h, lib/list_sort.c).
 *
 * Nothing is allocated: the links are what is sorted. At most n x log2(n) comparisons.
 */
#ifndef STITCH_LIST_SORT_H
#define STITCH_LIST_SORT_H

#include "stitch/list.h"

/* > 0: a belongs behind b; else they keep their order. priv: as given to list_sort. */
typedef int stitch_list_cmp_t(void *priv, const struct stitch_list_head *a,
			      const struct stitch_list_head *b);

/* Two sorted chains (next, ended by NULL) as one; of equals those of `a` come first. */
static inline struct stitch_list_head *stitch_list_merge(void *priv, stitch_list_cmp_t *cmp,
							 struct stitch_list_head *a,
							 struct stitch_list_head *b)
{
	struct stitch_list_head *first = NULL, **end = &first;

	while (a && b) {
		struct stitch_list_head **from = cmp(priv, a, b) > 0 ? &b : &a;

		*end = *from;
		end = &(*end)->next;
		*from = *end;
	}
	*end = a ? a : b;
	return first;
}

/*
 * Sort the list by cmp, which may not change it. May be called wherever cmp may, while nobody else
 * uses the list. Kernel: list_sort.
 */
static inline void stitch_list_sort(void *priv, struct stitch_list_head *head,
				    stitch_list_cmp_t *cmp)
{
	/* [i]: NULL or a sorted chain of 2^i nodes; those of higher i were there first. */
	struct stitch_list_head *chains[64] = { NULL };
	struct stitch_list_head *node = head->next, *sorted = NULL, *last = head;

	while (node != head) {
		struct stitch_list_head *chain = node;
		size_t i = 0;

		node = node->next;
		chain->next = NULL;
		for (; chains[i]; i++) {
			chain = stitch_list_merge(priv, cmp, chains[i], chain);
			chains[i] = NULL;
		}
		chains[i] = chain;
	}
	for (size_t i = 0; i < 64; i++)
		sorted = stitch_list_merge(priv, cmp, chains[i], sorted);
	for (; sorted; sorted = sorted->next) {
		last->next = sorted;
		sorted->prev = last;
		last = sorted;
	}
	last->next = head;
	head->prev = last;
}

#endif
