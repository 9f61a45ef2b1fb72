/*
 * resize.c - what growing a large block takes: by steps, past a neighbour, as programs do it.
 *
 * Prints milliseconds of a round: of the first, and the median of all; and how often a block moved.
 */
#define _GNU_SOURCE
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "measure.h"

#define MAX_ROUNDS 1000u
#define BYTES(mib) ((size_t)(mib) << 20)

static const char usage[] =
	"usage: resize SCENARIO [--rounds N]\n"
	"\n"
	"Grows a block, writing to each new page, N times (10), freeing it in between:\n"
	"  steps    realloc from 1 to 64 MiB by 1 MiB\n"
	"  blocked  realloc from 64 to 128 MiB with a neighbour right behind; only that is timed\n"
	"  copied   the same by mmap, memcpy and munmap, without the allocator\n"
	"  append   realloc from 0 to 64 MiB by 64 KiB, with a block of 1 KiB kept in between, as\n"
	"           Python's s += chunk does it\n"
	"  list     realloc to 200 MiB by eighths, with a block of a third of it that comes and\n"
	"           goes\n"
	"  vector   to 256 MiB by doubling: malloc, memcpy, free, as C++ does it\n";

static size_t nr_moves;

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "resize: %s?\n%s", what, usage);
	exit(2);
}

static char *grow(char *block, size_t old_bytes, size_t bytes)
{
	char *grown = realloc(block, bytes);

	if (!grown)
		die("no memory for %zu MiB", bytes >> 20);
	nr_moves += block && grown != block;
	touch_pages(grown + old_bytes, bytes - old_bytes);
	return grown;
}

static void check(const char *block, size_t bytes)
{
	if (!block[0] || !block[bytes / TOUCH_STEP / 2 * TOUCH_STEP])
		die("the contents of a block changed");
}

static double ms_since(uint64_t start)
{
	return (double)(now_ns() - start) * 1e-6;
}

static double steps(void)
{
	uint64_t start = now_ns();
	char *block = NULL;

	for (size_t mib = 1; mib <= 64; mib++)
		block = grow(block, BYTES(mib - 1), BYTES(mib));
	check(block, BYTES(64));
	free(block);
	return ms_since(start);
}

/* Of two, the lower one: mappings go downwards, heaps upwards. */
static double blocked(void)
{
	char *one = malloc(BYTES(64)), *other = malloc(BYTES(64)), *lower, *grown;
	uint64_t start;
	double ms;

	if (!one || !other)
		die("no memory");
	touch_pages(one, BYTES(64));
	touch_pages(other, BYTES(64));
	lower = one < other ? one : other;
	start = now_ns();
	grown = realloc(lower, BYTES(128));
	ms = ms_since(start);
	if (!grown)
		die("no memory");
	nr_moves += grown != lower;
	check(grown, BYTES(64));
	free(grown);
	free(lower == one ? other : one);
	return ms;
}

static char *map(size_t bytes)
{
	char *block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (block == MAP_FAILED)
		die("no memory");
	return block;
}

static double copied(void)
{
	char *block = map(BYTES(64)), *grown;
	uint64_t start;
	double ms;

	touch_pages(block, BYTES(64));
	start = now_ns();
	grown = map(BYTES(128));
	memcpy(grown, block, BYTES(64));
	munmap(block, BYTES(64));
	ms = ms_since(start);
	check(grown, BYTES(64));
	munmap(grown, BYTES(128));
	return ms;
}

static double append(void)
{
	enum { CHUNK = 65536, NR_CHUNKS = 1024 };
	static char *others[NR_CHUNKS];
	uint64_t start = now_ns();
	char *block = NULL;

	for (size_t i = 0; i < NR_CHUNKS; i++) {
		block = grow(block, i * CHUNK, (i + 1) * CHUNK);
		others[i] = malloc(1024);
	}
	check(block, NR_CHUNKS * CHUNK);
	free(block);
	for (size_t i = 0; i < NR_CHUNKS; i++)
		free(others[i]);
	return ms_since(start);
}

static double list(void)
{
	uint64_t start = now_ns();
	size_t bytes = 0, next;
	char *block = NULL, *other;

	while (bytes < BYTES(200)) {
		next = bytes + (bytes / 8 + TOUCH_STEP) / TOUCH_STEP * TOUCH_STEP;
		block = grow(block, bytes, next);
		bytes = next;
		other = malloc(bytes / 3);
		*(volatile char *)other = 1;
		free(other);
	}
	check(block, bytes);
	free(block);
	return ms_since(start);
}

static double vector(void)
{
	uint64_t start = now_ns();
	size_t bytes = TOUCH_STEP;
	char *block = grow(NULL, 0, bytes), *next;

	for (; bytes < BYTES(256); bytes *= 2) {
		next = malloc(2 * bytes);
		memcpy(next, block, bytes);
		free(block);
		nr_moves++;
		block = next;
		touch_pages(block + bytes, bytes);
	}
	check(block, bytes);
	free(block);
	return ms_since(start);
}

static const struct scenario {
	const char *name;
	double (*round)(void);
} scenarios[] = {
	{ "steps", steps }, { "blocked", blocked }, { "copied", copied },
	{ "append", append }, { "list", list }, { "vector", vector },
};

static const struct scenario *find_scenario(const char *name)
{
	for (size_t i = 0; i < sizeof(scenarios) / sizeof(scenarios[0]); i++)
		if (!strcmp(scenarios[i].name, name))
			return &scenarios[i];
	wrong_usage(name);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static double ms[MAX_ROUNDS];
	const struct scenario *scenario;
	struct measure measure;
	unsigned long nr_rounds = 10;
	double first;

	quiet_stdout();
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc != 2 && (argc != 4 || strcmp(argv[2], "--rounds")))
		wrong_usage(argc > 2 ? argv[2] : "which scenario");
	scenario = find_scenario(argv[1]);
	if (argc == 4)
		nr_rounds = strtoul(argv[3], NULL, 10);
	if (!nr_rounds || nr_rounds > MAX_ROUNDS)
		wrong_usage(argv[3]);
	measure_start(&measure);
	for (unsigned long i = 0; i < nr_rounds; i++)
		ms[i] = scenario->round();
	first = ms[0];
	qsort(ms, nr_rounds, sizeof(ms[0]), compare);
	printf("first ms: %.4f\nms: %.4f\nmoves: %.1f\n", first, ms[nr_rounds / 2],
	       (double)nr_moves / (double)nr_rounds);
	measure_print(&measure);
	return 0;
}
