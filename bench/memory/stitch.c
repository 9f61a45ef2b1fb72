/*
 * stitch.c - large blocks in a heap of scattered free pages.
 *
 * Builds a heap of mixed blocks, frees half of it in runs of consecutive allocations, and then
 * keeps four large blocks, each of which is replaced in turn by one of another random size, so
 * that no free fit comes twice; every page of each is written, and small blocks are replaced in
 * between. What is timed is the large blocks: their malloc, the writing and their free.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "measure.h"

#define NR_LARGE 4
#define MAX_THREADS 16
#define CHURN 64 /* small blocks replaced between two large ones */
#define MAX_SAMPLES 100000

static const char usage[] =
	"usage: stitch [OPTION]...\n"
	"\n"
	"Large blocks in a heap of which half is free in scattered runs. Prints nanoseconds and\n"
	"faults for each 4 KiB page of the large blocks, and resident MiB before, at the peak and\n"
	"after.\n"
	"  --heap MIB     live before half is freed (1024)\n"
	"  --low KIB      smallest block of the heap (4)\n"
	"  --high KIB     largest (256)\n"
	"  --run KIB      freed at a time, in consecutive allocations (64)\n"
	"  --large MIB    large blocks are from an eighth of this up to it (16)\n"
	"  --rounds N     large blocks, of each thread (60)\n"
	"  --threads N    so many threads work at large blocks of their own (1)\n"
	"  --compute      another thread computes; prints how much slower it is for that\n"
	"  --same         all large blocks are of one size, and nothing else happens\n"
	"  --idle S       then so many seconds, with one malloc(100) and its free in each (0)\n"
	"  --csv FILE     resident and live memory along the time\n"
	"  --name NAME    of the curve\n"
	"  --seed N       other random numbers (1)\n";

static struct {
	uint64_t heap, low, high, run, large, rounds, threads, idle, seed;
	bool same, compute;
	const char *csv, *name;
} options = { .heap = 1024, .low = 4, .high = 256, .run = 64, .large = 16, .rounds = 60,
	      .threads = 1, .seed = 1, .name = "stitch" };

static struct measure measure;
static struct block {
	char *p;
	size_t bytes;
} *blocks;
static size_t nr_blocks;
static _Atomic uint64_t live_bytes;

static struct sample *samples;
static uint32_t nr_samples;

/* --- arguments ------------------------------------------------------------------------------- */

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "stitch: %s?\n%s", what, usage);
	exit(2);
}

static uint64_t parse_number(const char *name, const char *text)
{
	char *end;
	uint64_t number = text ? strtoull(text, &end, 10) : 0;

	if (!text || !*text || *end)
		wrong_usage(name);
	return number;
}

static void parse(int argc, char **argv)
{
	static const struct {
		const char *name;
		uint64_t *number;
	} numbers[] = {
		{ "--heap", &options.heap }, { "--low", &options.low }, { "--high", &options.high },
		{ "--run", &options.run }, { "--large", &options.large },
		{ "--rounds", &options.rounds }, { "--threads", &options.threads },
		{ "--idle", &options.idle }, { "--seed", &options.seed },
	};

	for (int i = 1; i < argc; i++) {
		size_t n = 0;

		if (!strcmp(argv[i], "--help")) {
			fputs(usage, stdout);
			exit(0);
		} else if (!strcmp(argv[i], "--same")) {
			options.same = true;
			continue;
		} else if (!strcmp(argv[i], "--compute")) {
			options.compute = true;
			continue;
		} else if (!strcmp(argv[i], "--csv") && argv[i + 1]) {
			options.csv = argv[++i];
			continue;
		} else if (!strcmp(argv[i], "--name") && argv[i + 1]) {
			options.name = argv[++i];
			continue;
		}
		while (n < sizeof(numbers) / sizeof(numbers[0]) && strcmp(argv[i], numbers[n].name))
			n++;
		if (n == sizeof(numbers) / sizeof(numbers[0]))
			wrong_usage(argv[i]);
		*numbers[n].number = parse_number(argv[i], argv[i + 1]);
		i++;
	}
	if (!options.threads || options.threads > MAX_THREADS)
		wrong_usage("--threads");
	if (!options.low || options.high < options.low || !options.large || !options.rounds)
		wrong_usage("a size of 0, or --high below --low");
}

/* --- the curve ------------------------------------------------------------------------------- */

/* The curve's x axis: each part of the work has its share, whatever time it takes. */
enum part { BUILD, FREE_HALF, LARGE, IDLE };
static const double part_starts[] = { 0, 0.2, 0.3, 0.8, 1 };

/* `done` of `all` steps of this part. */
static void sample(enum part part, uint64_t done, uint64_t all)
{
	double width = part_starts[part + 1] - part_starts[part];
	uint64_t at = (uint64_t)((part_starts[part] + width * (double)done / (double)all) *
				 CURVE_PARTS);

	if (!options.csv || nr_samples == MAX_SAMPLES ||
	    (part != LARGE && nr_samples && at - samples[nr_samples - 1].call < CURVE_PARTS / 500))
		return;
	samples[nr_samples++] = (struct sample){ .call = at, .live_bytes = live_bytes,
						 .rss_bytes = resident_above(&measure) };
}

/* --- the heap -------------------------------------------------------------------------------- */

static size_t random_size(uint64_t *rng)
{
	size_t low = options.low << 10, high = options.high << 10;

	return low + random_next(rng) % (high - low + 1);
}

static void take(struct block *block, size_t bytes)
{
	block->p = malloc(bytes);
	if (!block->p)
		die("no memory for %zu bytes", bytes);
	block->bytes = bytes;
	live_bytes += bytes;
	touch_pages(block->p, bytes);
}

static void give(struct block *block)
{
	free(block->p);
	block->p = NULL;
	live_bytes -= block->bytes;
}

static void build_heap(void)
{
	uint64_t rng = options.seed;
	size_t room = (options.heap << 20) / (options.low << 10) + 1;

	blocks = map_table(room * sizeof(*blocks));
	measure_start(&measure);
	while (live_bytes < options.heap << 20 && nr_blocks < room) {
		take(&blocks[nr_blocks++], random_size(&rng));
		sample(BUILD, live_bytes, (options.heap << 20) + (options.high << 10));
	}
}

/* Every other run of consecutive allocations. */
static void free_half(void)
{
	bool freeing = false;
	size_t in_run = 0;

	for (size_t i = 0; i < nr_blocks; i++) {
		in_run += blocks[i].bytes;
		if (freeing)
			give(&blocks[i]);
		if (in_run >= options.run << 10) {
			freeing = !freeing;
			in_run = 0;
		}
		sample(FREE_HALF, i, nr_blocks);
	}
}

/* --- large blocks ----------------------------------------------------------------------------- */

struct worker {
	pthread_t thread;
	uint64_t rng;
	size_t first, nr; /* its share of the heap's blocks */
	struct block large[NR_LARGE];
	uint64_t ns, pages, faults, worst_ns;
};

static struct worker workers[MAX_THREADS];

/* Some of the small blocks that live are replaced by others. */
static void churn(struct worker *worker)
{
	for (unsigned int i = 0; i < CHURN && worker->nr; i++) {
		struct block *block =
			&blocks[worker->first + random_next(&worker->rng) % worker->nr];

		if (!block->p)
			continue;
		give(block);
		take(block, random_size(&worker->rng));
	}
}

static uint64_t faults_now(void)
{
	struct rusage now;

	getrusage(RUSAGE_THREAD, &now);
	return (uint64_t)now.ru_minflt;
}

static size_t large_size(uint64_t *rng)
{
	size_t most = options.large << 20;

	return options.same ? most : most / 8 + random_next(rng) % (most - most / 8 + 1);
}

static void replace(struct worker *worker, struct block *block, bool counted)
{
	size_t bytes = large_size(&worker->rng);
	uint64_t faults = faults_now(), ns, start = now_ns();

	if (block->p)
		give(block);
	take(block, bytes);
	ns = now_ns() - start;
	if (!counted)
		return;
	worker->ns += ns;
	worker->pages += (bytes + 4095) / 4096;
	worker->faults += faults_now() - faults;
	if (ns / (bytes / 4096) > worker->worst_ns)
		worker->worst_ns = ns / (bytes / 4096);
}

static void *work(void *argument)
{
	struct worker *worker = argument;

	for (uint64_t i = 0; i < options.rounds + NR_LARGE; i++) {
		/* In the steady state the first blocks bring their memory with them. */
		replace(worker, &worker->large[i % NR_LARGE], !options.same || i >= NR_LARGE);
		if (!options.same)
			churn(worker);
		if (worker == workers)
			sample(LARGE, i, options.rounds + NR_LARGE);
	}
	for (unsigned int i = 0; i < NR_LARGE; i++)
		give(&worker->large[i]);
	return NULL;
}

/* --- who only computes ------------------------------------------------------------------------ */

static _Atomic bool computing;
static _Atomic uint64_t steps, step_ns;

static uint64_t thread_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

/* Steps and processor time: waiting for a processor does not count. */
static void *compute(void *unused)
{
	uint64_t state = 1;

	while (computing) {
		uint64_t start = thread_ns();

		for (unsigned int i = 0; i < 20000; i++)
			random_next(&state);
		step_ns += thread_ns() - start;
		steps += 20000;
	}
	__asm__ volatile("" : : "r"(state));
	return unused;
}

static double steps_per_us(void)
{
	return (double)steps * 1e3 / (double)step_ns;
}

static void work_beside_one_that_computes(void)
{
	pthread_t thread;
	double alone;

	computing = true;
	if (pthread_create(&thread, NULL, compute, NULL))
		die("pthread_create");
	sleep_until(now_ns() + 500000000);
	alone = steps_per_us();
	steps = step_ns = 0;
	work(&workers[0]);
	printf("computes at: %.3f\n", steps_per_us() / alone);
	computing = false;
	pthread_join(thread, NULL);
}

static void work_in_phase(void)
{
	for (unsigned int i = 0; i < options.threads; i++) {
		struct worker *worker = &workers[i];

		worker->rng = options.seed + 1 + i;
		worker->nr = nr_blocks / options.threads;
		worker->first = i * worker->nr;
	}
	if (options.compute) {
		work_beside_one_that_computes();
		return;
	}
	for (unsigned int i = 1; i < options.threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("pthread_create");
	work(&workers[0]);
	for (unsigned int i = 1; i < options.threads; i++)
		pthread_join(workers[i].thread, NULL);
}

static void print_sums(void)
{
	struct worker sum = { 0 };

	for (unsigned int i = 0; i < options.threads; i++) {
		sum.ns += workers[i].ns;
		sum.pages += workers[i].pages;
		sum.faults += workers[i].faults;
		if (workers[i].worst_ns > sum.worst_ns)
			sum.worst_ns = workers[i].worst_ns;
	}
	printf("ns a page: %.0f\nworst: %" PRIu64 "\nfaults a page: %.4f\n",
	       (double)sum.ns / (double)sum.pages, sum.worst_ns,
	       (double)sum.faults / (double)sum.pages);
}

static void be_idle(void)
{
	uint64_t start = now_ns();

	for (uint64_t s = 1; s <= options.idle * 10; s++) {
		sleep_until(start + s * 100000000);
		if (s % 10 == 0)
			free(malloc(100));
		sample(IDLE, s, options.idle * 10);
	}
}

static long count_maps(void)
{
	static char text[1 << 16];
	FILE *maps = fopen("/proc/self/maps", "re");
	long lines = 0;
	size_t got;

	if (!maps)
		die("cannot read /proc/self/maps");
	setvbuf(maps, NULL, _IONBF, 0);
	while ((got = fread(text, 1, sizeof(text), maps)) > 0)
		for (size_t i = 0; i < got; i++)
			lines += text[i] == '\n';
	fclose(maps);
	return lines;
}

int main(int argc, char **argv)
{
	uint64_t before, start;
	long maps;

	parse(argc, argv);
	quiet_stdout();
	samples = map_table(options.csv ? MAX_SAMPLES * sizeof(*samples) : 1);
	if (options.same) {
		measure_start(&measure);
	} else {
		build_heap();
		free_half();
	}
	before = resident_above(&measure);
	maps = count_maps();
	measure_reset_peak();
	start = now_ns();
	work_in_phase();
	printf("phase s: %.3f\n", (double)(now_ns() - start) / 1e9);
	print_sums();
	printf("before MiB: %.1f\npeak MiB: %.1f\nafter MiB: %.1f\nmaps before: %ld\nmaps after: "
	       "%ld\n", (double)before / MIB, (double)peak_above(&measure) / MIB,
	       (double)resident_above(&measure) / MIB, maps, count_maps());
	be_idle();
	if (options.idle)
		printf("idle MiB: %.1f\n", (double)resident_above(&measure) / MIB);
	measure_print(&measure);
	if (options.csv)
		csv_write(options.csv, options.name,
			  &(struct series){ options.name, samples, nr_samples, CURVE_WORK });
	return 0;
}
