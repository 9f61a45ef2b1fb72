/*
 * The words of a line and how often they occur: an hlist for each hash of a word; and a list of all
 * that is sorted. Words of the same count stay in the order of their first use.
 */
#include <stdio.h>

#include <stitch/hashtable.h>
#include <stitch/list_sort.h>
#include <stitch/slab.h>

struct word {
	struct stitch_hlist_node hash;
	struct stitch_list_head link;
	unsigned int count;
	const char *start;
	size_t length;
};

static struct stitch_hlist_head table[32];
static STITCH_LIST_HEAD(words);

static void count_word(const char *start, size_t length)
{
	uint32_t hash = stitch_hash_32((uint32_t)(start[0] * 31 + start[length - 1]), 5);
	struct stitch_hlist_head *bucket = &table[hash];
	struct word *word; /* NULL after a walk to the end */

	stitch_hlist_for_each_entry(word, bucket, hash)
		if (word->length == length && !memcmp(word->start, start, length))
			break;
	if (!word) {
		word = stitch_kzalloc(sizeof(*word), STITCH_GFP_KERNEL | STITCH__GFP_NOFAIL);
		word->start = start;
		word->length = length;
		stitch_hlist_add_head(&word->hash, bucket);
		stitch_list_add_tail(&word->link, &words);
	}
	word->count++;
}

static int by_count(void *priv, const struct stitch_list_head *a, const struct stitch_list_head *b)
{
	return !priv && stitch_list_entry(a, struct word, link)->count <
				stitch_list_entry(b, struct word, link)->count;
}

int main(void)
{
	const char *line = "the slab is the unit of pages and the object is the unit of slabs";
	struct word *word, *next;

	for (const char *at = line; *at; at += strcspn(at, " "), at += strspn(at, " "))
		count_word(at, strcspn(at, " "));
	stitch_list_sort(NULL, &words, by_count);
	stitch_list_for_each_entry_safe(word, next, &words, link) {
		printf("%u %.*s\n", word->count, (int)word->length, word->start);
		stitch_kfree(word);
	}
	return 0;
}
