/*
 * A buffer cache: blocks of a disk by their number, in a hash table; a list has them in the order
 * of their last use, so that the one at its end goes when room is wanted.
 */
#include <stdio.h>

#include <stitch/hashtable.h>
#include <stitch/list.h>

struct buffer {
	unsigned long block;
	struct stitch_hlist_node hash;
	struct stitch_list_head lru;
	char data[512];
};

static struct buffer buffers[64];
static STITCH_DEFINE_HASHTABLE(table, 6);
static STITCH_LIST_HEAD(lru); /* the last used first */
static unsigned int nr_reads;

static void read_disk(struct buffer *buffer, unsigned long block)
{
	buffer->block = block;
	snprintf(buffer->data, sizeof(buffer->data), "block %lu", block);
	nr_reads++;
}

static struct buffer *bread(unsigned long block)
{
	struct buffer *buffer;

	stitch_hash_for_each_possible(table, buffer, hash, block)
		if (buffer->block == block)
			break;
	if (!buffer) { /* the walk has come to the end: take what nobody has used for longest */
		buffer = stitch_list_last_entry(&lru, struct buffer, lru);
		stitch_hash_del(&buffer->hash);
		read_disk(buffer, block);
		stitch_hash_add(table, &buffer->hash, block);
	}
	stitch_list_move(&buffer->lru, &lru);
	return buffer;
}

int main(void)
{
	unsigned long block, found, nr_wrong = 0;

	for (unsigned int i = 0; i < 64; i++)
		stitch_list_add(&buffers[i].lru, &lru);
	for (unsigned int i = 0; i < 10000; i++) {
		block = i % 10 ? i * 7 % 50 : i % 1000; /* most are of the first 50 */
		if (sscanf(bread(block)->data, "block %lu", &found) != 1 || found != block)
			nr_wrong++;
	}
	printf("10000 blocks, %u reads\n", nr_reads);
	return nr_wrong || nr_reads > 2000 ? 2 : 0;
}
