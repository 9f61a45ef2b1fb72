/*
 * mix.c - loads as programs have them: sizes from 16 bytes to 1 MiB, lives over four orders of
 * magnitude, and a server's requests. Each thread has blocks of its own.
 */
#include <string.h>

#include "bench.h"
#include "sizes.h"

#define PLACE_BITS 14
#define NR_PLACES (1u << PLACE_BITS)
#define SESSION_BITS 10
#define NR_SESSION_BLOCKS (1u << SESSION_BITS)
#define MAX_REQUEST_BLOCKS 200u
#define WRITTEN 256u
#define PAGE 4096u

struct block {
	uint64_t size;
	char rest[];
};

struct worker {
	struct block *places[NR_PLACES];
};

static struct block *new_block(size_t size)
{
	struct block *block = bench_malloc(size);
	char *bytes = (char *)block;

	memset(bytes, (char)size, size < WRITTEN ? size : WRITTEN);
	for (size_t at = PAGE; at < size; at += PAGE)
		bytes[at] = (char)size;
	bytes[size - 1] = (char)size;
	block->size = size;
	return block;
}

/* Both ends are read, as by a program that uses its block a last time. */
static void end_block(struct block *block)
{
	if (!block)
		return;
	if (((char *)block)[block->size - 1] != (char)block->size)
		bench_fail("a block has lost its contents");
	free(block);
}

static void *set_up(struct bench_run *run)
{
	return bench_map(run->nr_threads * sizeof(struct worker));
}

static struct worker *worker_of(struct bench_run *run)
{
	return (struct worker *)run->data + run->thread;
}

/* Who allocates it is the thread itself, so that the blocks are in its heap. */
static void fill(struct bench_run *run)
{
	struct worker *worker = worker_of(run);

	for (size_t i = 0; i < NR_PLACES; i++)
		worker->places[i] = new_block(mixed_size(bench_random(run)));
}

static void fill_sessions(struct bench_run *run)
{
	struct worker *worker = worker_of(run);

	for (size_t i = 0; i < NR_SESSION_BLOCKS; i++)
		worker->places[i] = new_block(mixed_size(bench_random(run)));
}

static void tear_down(struct bench_run *run)
{
	struct worker *workers = run->data;

	for (unsigned int i = 0; i < run->nr_threads; i++)
		for (size_t place = 0; place < NR_PLACES; place++)
			end_block(workers[i].places[place]);
	bench_unmap(workers, run->nr_threads * sizeof(*workers));
}

static void replace(struct bench_run *run, unsigned int bits)
{
	struct block **place = &worker_of(run)->places[lasting_place(bench_random(run), bits)];

	end_block(*place);
	*place = new_block(mixed_size(bench_random(run)));
}

static void replace_blocks(struct bench_run *run, uint64_t count)
{
	while (count--)
		replace(run, PLACE_BITS);
}

/* A few of its blocks outlive the request, which frees the others in the order it made them. */
static void serve(struct bench_run *run)
{
	struct block *blocks[MAX_REQUEST_BLOCKS];
	unsigned int nr = 50 + (unsigned int)(bench_random(run) % (MAX_REQUEST_BLOCKS - 49));

	for (unsigned int i = 0; i < nr; i++) {
		if (i % 64 == 32)
			replace(run, SESSION_BITS);
		blocks[i] = new_block(mixed_size(bench_random(run)));
	}
	for (unsigned int i = 0; i < nr; i++)
		end_block(blocks[i]);
}

static void serve_requests(struct bench_run *run, uint64_t count)
{
	while (count--)
		serve(run);
}

BENCH(lives, "blocks with lives over four orders of magnitude replace each other, written and read",
      .run = replace_blocks, .batch = 1000, .set_up = set_up, .warm_up = fill,
      .tear_down = tear_down, .threads = 8, .quick_threads = 2)
BENCH(requests, "a request of 50 to 200 blocks, of which a few live for a session",
      .run = serve_requests, .batch = 10, .set_up = set_up, .warm_up = fill_sessions,
      .tear_down = tear_down, .threads = 8, .quick_threads = 2)
