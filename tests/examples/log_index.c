/*
 * A B+tree by 128 bits: lines of a log by time and number, with nodes from a cache of their own.
 * What was the last line before a moment?
 */
#include <inttypes.h>
#include <stdio.h>

#include <stitch/btree.h>

int main(void)
{
	struct stitch_kmem_cache *nodes = STITCH_KMEM_CACHE(stitch_btree_node, 0);
	struct stitch_btree_head128 index;
	static char lines[20000][24];
	uint64_t second, number, when = 5000;
	const char *line;
	size_t nr_old = 0;

	if (!nodes || stitch_btree_init128(&index, nodes))
		return 1;
	for (uint64_t i = 0; i < 20000; i++) { /* as they come in: not in order of time */
		uint64_t key = i * 7919 % 20000;

		snprintf(lines[i], sizeof(lines[i]), "%" PRIu64 ".%" PRIu64, key / 2, key % 2);
		if (stitch_btree_insert128(&index, key / 2, key % 2, lines[i], STITCH_GFP_KERNEL))
			return 1;
	}
	second = when;
	number = 0;
	line = stitch_btree_get_prev128(&index, &second, &number);
	printf("last line before %" PRIu64 ": %s\n", when, line ? line : "none");
	if (!line || second != when - 1 || number != 1)
		return 2;

	/* What is older than that is forgotten, the newest first. */
	stitch_btree_for_each_safe128(&index, second, number, line) {
		if (second < when && stitch_btree_remove128(&index, second, number))
			nr_old++;
	}
	printf("%zu lines forgotten, %s is kept\n", nr_old,
	       (const char *)stitch_btree_lookup128(&index, when, 0));
	stitch_btree_destroy128(&index);
	stitch_kmem_cache_destroy(nodes); /* says so if a node is left */
	return nr_old == 10000 ? 0 : 2;
}
