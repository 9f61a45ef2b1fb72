/*
 * limit= and soft_limit=: what the program may have, what it has when it may have no more, and that
 * all of it is there again afterwards.
 */
#include <fcntl.h>

#include "semantics/again.h"

#define LIMIT ((size_t)64 << 20)
#define MOST_SMALL (LIMIT / 32) /* what small blocks may be above it */
#define MAX_BLOCKS 200000u

static void *blocks[MAX_BLOCKS];
static unsigned int nr_blocks;

static size_t fill(size_t bytes)
{
	size_t sum = 0;
	void *block;

	errno = 0;
	while (nr_blocks < MAX_BLOCKS && (block = malloc(bytes))) {
		memset(block, 1, bytes);
		blocks[nr_blocks++] = block;
		sum += bytes;
	}
	CHECK(nr_blocks < MAX_BLOCKS && errno == ENOMEM, "%zu bytes of %zu: errno is %d", sum,
	      bytes, errno);
	return sum;
}

static void free_all(void)
{
	while (nr_blocks)
		free(blocks[--nr_blocks]);
}

static size_t resident_bytes(void)
{
	char text[128] = "", *resident;
	int fd = open("/proc/self/statm", O_RDONLY); /* stdio would need memory */

	CHECK(fd >= 0 && read(fd, text, sizeof(text) - 1) > 0, "/proc/self/statm");
	close(fd);
	resident = strchr(text, ' ');
	CHECK(resident, "/proc/self/statm: %s", text);
	return strtoul(resident, NULL, 10) * 4096;
}

/* Of blocks of one size the whole limit can be had, and not more, again and again. */
static void fill_with(size_t bytes, size_t most)
{
	size_t first = fill(bytes), again;

	CHECK(first <= most && first >= LIMIT - LIMIT / 8, "%zu bytes of %zu each", first, bytes);
	CHECK(resident_bytes() < most + ((size_t)10 << 20), "%zu resident", resident_bytes());
	free_all();
	again = fill(bytes);
	CHECK(again >= first - first / 50, "%zu bytes of %zu each, then %zu", first, bytes, again);
	free_all();
}

/* What is refused is as it was, and a little is left to say so with. */
static void come_to_an_end(void)
{
	size_t small;
	char *block;

	fill(1 << 20);
	fill(20000);
	block = blocks[0];
	CHECK(!realloc(block, 40 << 20) && errno == ENOMEM, "realloc beyond the limit");
	CHECK(block[0] == 1 && block[(1 << 20) - 1] == 1, "a block that could not be resized");
	small = fill(100);
	CHECK(small >= 100000 && small < MOST_SMALL + (1u << 20), "%zu bytes in small blocks",
	      small);
	free_all();
}

static void limited(void)
{
	CHECK(!malloc(LIMIT + 4096) && errno == ENOMEM, "more than the limit");
	CHECK(!calloc(3, LIMIT / 2) && errno == ENOMEM, "more than the limit");
	CHECK(!aligned_alloc(4096, LIMIT + 4096) && errno == ENOMEM, "more than the limit");
	fill_with(5 << 20, LIMIT);
	fill_with(300000, LIMIT);
	fill_with(20000, LIMIT);
	fill_with(1000, LIMIT + MOST_SMALL);
	fill_with(5 << 20, LIMIT); /* what is kept for small blocks is given back */
	come_to_an_end();
}

/* Freed memory goes back as soon as the program uses more than that. */
static void softly_limited(void)
{
	void *kept = malloc(32 << 20);

	memset(kept, 1, 32 << 20);
	for (unsigned int i = 0; i < 20; i++) {
		blocks[nr_blocks++] = malloc(1 << 20);
		memset(blocks[i], 1, 1 << 20);
	}
	free_all();
	for (unsigned int i = 0; i < 20; i++)
		free(malloc(20000 + 4096 * i));
	CHECK(resident_bytes() < (size_t)42 << 20, "%zu resident", resident_bytes());
	free(kept);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (!strncmp(argv[1], "limit", 5))
			limited();
		else
			softly_limited();
		return 0;
	}
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's options");
	run_with_options("limit=64M");
	run_with_options("limit=64M,stitch=mremap");
	run_with_options("limit=64M,stitch=off");
	run_with_options("soft_limit=24M");
	return 0;
}
