/*
 * server_day.c - a day of a server's traffic, compressed: does resident memory stay with the live
 * bytes when lives are of all lengths and the sizes wander?
 *
 * The day has 2^20 moments. A block lives 2^0 to 2^20 of them, uniform in the exponent: six orders
 * of magnitude. What lives longer is smaller (the median falls with the fourth root of the life),
 * else the blocks of the whole day would outweigh all others and the live bytes could never fall.
 * The load rises and falls in four waves, and the median size in four other waves, an eighth of a
 * wave later; the day starts and ends when the load is lowest. Around the median the sizes are
 * spread lognormally, and one block in a thousand is up to a thousand times as large. The scale of
 * the sizes is calculated so that the live bytes reach what is asked for, in the last wave.
 *
 * What is allocated, what lives how long and which thread frees it are the same in every run:
 * threads keep in step by ticks of 256 moments, and hand blocks over from one tick to the next. A
 * block's links are in the block. The tables are mapped, and resident before the start.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdio.h>
#include <string.h>

#include "measure.h"

#define DAY_BITS 20
#define NR_MOMENTS (1u << DAY_BITS)
#define NR_TICKS 4096u
#define TICK_MOMENTS (NR_MOMENTS / NR_TICKS)
#define NR_SAMPLES 512u
#define SAMPLE_TICKS (NR_TICKS / NR_SAMPLES)
#define MAX_THREADS 64u

#define WAVES 4
#define SIZE_LAG 0.125 /* of a wave */
#define SIZE_SPREAD 0.8
#define SIZE_BY_LIFE (-0.25)
#define SMALLEST ((double)sizeof(struct block))
#define LARGEST 0x1p26
#define RARE 0.001
#define RARE_DOUBLINGS 10
#define OTHER_THREAD 0.3
/* Resident over live in a quarter, against the quarter before with the same wave. */
#define STEADY 1.02

static const char usage[] =
	"usage: server_day [OPTION]...\n"
	"\n"
	"Works through a day's malloc and free; prints resident memory over live bytes.\n"
	"  --operations N   blocks allocated in the day (100000000)\n"
	"  --seconds N      what the day lasts at least: who is done sooner waits\n"
	"                   in every tick (60); 0: nobody waits\n"
	"  --mib N          live MiB at the highest, about (500)\n"
	"  --threads N      (4); 30 % of the blocks are freed by another thread\n"
	"  --swing N        how far the load rises above its mean and falls below, percent (90)\n"
	"  --drift N        the highest median size over the lowest (16)\n"
	"  --start N        where in a wave of the load the day starts and ends, percent\n"
	"                   (0: at the bottom; 50: at the top; live bytes lag by a quarter)\n"
	"  --seed N         other random numbers (1)\n"
	"  --csv FILE       live bytes and resident memory over the day\n"
	"  --svg FILE       the same as a drawing; `replay --plot` draws several\n"
	"  --name NAME      the curve's name; by default the library that malloc comes from\n"
	"Memory is what is resident more than before the day. Live bytes are as requested.\n";

struct block {
	struct block *next;
	uint32_t bytes, last_moment;
};

struct worker {
	_Alignas(128) int64_t live_bytes; /* allocated here less freed here */
	uint64_t random;
	uint32_t number;
	struct block **due;		     /* by moment */
	struct block *sent[2][MAX_THREADS]; /* by parity of the tick, and receiver */
	pthread_t thread;
};

static struct {
	uint64_t nr_operations, seconds, mib, nr_threads, swing, drift, start, seed;
	const char *csv, *svg, *name;
} options = {
	.nr_operations = 100000000,
	.seconds = 60,
	.mib = 500,
	.nr_threads = 4,
	.swing = 90,
	.drift = 16,
	.seed = 1,
};

static struct measure measure;
static struct worker *workers;
static struct sample *samples;
static pthread_barrier_t barrier;
static double size_scale;

/* ---- the day ---- */

/* The part of the day's blocks that are allocated by then; `day` is 0 to 1. */
static double load_until(double day)
{
	double swing = (double)options.swing / 100, start = (double)options.start / 100;

	return day - swing * (sin(2 * M_PI * (WAVES * day + start)) - sin(2 * M_PI * start)) /
			     (2 * M_PI * WAVES);
}

static double median_at(double day)
{
	double at = WAVES * day + (double)options.start / 100 - SIZE_LAG;

	return pow((double)options.drift, -cos(2 * M_PI * at) / 2);
}

/* How many bytes of a block, allocated so long ago, are still live on average. */
static double live_after(double day)
{
	double power = SIZE_BY_LIFE * DAY_BITS;
	double part = day > 1.0 / NR_MOMENTS ? 1 + log2(day) / DAY_BITS : 0;

	return (exp2(power) - exp2(power * part)) / (power * M_LN2);
}

/* The highest live bytes, at one block a day with a size of 1 for a life of one moment. */
static double model_peak(void)
{
	enum { STEPS = 512 };
	static double born[STEPS];
	double peak = 0;

	for (int i = 0; i < STEPS; i++) {
		double live = 0, from = (double)i / STEPS, to = (i + 1.0) / STEPS;

		born[i] = (load_until(to) - load_until(from)) * median_at(from);
		for (int j = 0; j <= i; j++)
			live += born[j] * live_after((i - j + 0.5) / STEPS);
		peak = fmax(peak, live);
	}
	return peak;
}

static void scale_sizes(void)
{
	double rare = (exp2(RARE_DOUBLINGS) - 1) / (RARE_DOUBLINGS * M_LN2);
	double mean = exp(SIZE_SPREAD * SIZE_SPREAD / 2) * (1 + RARE * (rare - 1));

	size_scale = (double)options.mib * MIB /
		     (model_peak() * mean * (double)options.nr_operations);
}

static uint64_t nr_until(uint64_t moment)
{
	double all = (double)options.nr_operations / (double)options.nr_threads;

	return (uint64_t)(all * load_until((double)moment / NR_MOMENTS) + 0.5);
}

/* ---- blocks ---- */

static uint32_t draw_bytes(uint64_t *random, double median)
{
	double spread = 0, bytes;

	for (int i = 0; i < 4; i++)
		spread += random_unit(random) - 0.5;
	bytes = size_scale * median * exp(SIZE_SPREAD * sqrt(3) * spread);
	if (random_unit(random) < RARE)
		bytes *= exp2(RARE_DOUBLINGS * random_unit(random));
	return (uint32_t)fmin(fmax(bytes, SMALLEST), LARGEST);
}

static void free_block(struct worker *worker, struct block *block)
{
	worker->live_bytes -= block->bytes;
	free(block);
}

/* What would outlive the day stays. */
static void keep(struct worker *worker, struct block *block)
{
	if (block->last_moment >= NR_MOMENTS)
		return;
	block->next = worker->due[block->last_moment];
	worker->due[block->last_moment] = block;
}

static void allocate(struct worker *worker, uint32_t moment, double median)
{
	double life = exp2(DAY_BITS * random_unit(&worker->random));
	uint32_t bytes = draw_bytes(&worker->random, median * pow(life, SIZE_BY_LIFE));
	struct block *block = malloc(bytes);
	uint64_t to;

	if (!block)
		die("the allocator has no %" PRIu32 " bytes for us", bytes);
	touch_pages((char *)block, bytes);
	worker->live_bytes += bytes;
	block->bytes = bytes;
	block->last_moment = moment + (uint32_t)life;
	if (options.nr_threads == 1 || random_unit(&worker->random) >= OTHER_THREAD) {
		keep(worker, block);
		return;
	}
	to = worker->number + 1 + random_next(&worker->random) % (options.nr_threads - 1);
	to %= options.nr_threads;
	block->next = worker->sent[moment / TICK_MOMENTS % 2][to];
	worker->sent[moment / TICK_MOMENTS % 2][to] = block;
}

/* What the others sent in the tick before. */
static void receive(struct worker *worker, uint32_t tick)
{
	for (uint64_t i = 0; i < options.nr_threads; i++) {
		struct block **sent = &workers[i].sent[(tick + 1) % 2][worker->number];
		struct block *block = *sent, *next;

		*sent = NULL;
		for (; block; block = next) {
			next = block->next;
			if (block->last_moment < tick * TICK_MOMENTS)
				free_block(worker, block);
			else
				keep(worker, block);
		}
	}
}

/* Allocations and frees by turns, while there are both. */
static void work_moment(struct worker *worker, uint32_t moment)
{
	uint64_t nr = nr_until(moment + 1) - nr_until(moment);
	double median = median_at((double)moment / NR_MOMENTS);
	struct block *due = worker->due[moment], *next;

	worker->due[moment] = NULL;
	for (; nr || due; due = next) {
		if (nr && nr--)
			allocate(worker, moment, median);
		next = due ? due->next : NULL;
		if (due)
			free_block(worker, due);
	}
}

/* ---- threads ---- */

static void take_sample(uint32_t tick)
{
	struct sample *sample = &samples[tick / SAMPLE_TICKS];
	int64_t live_bytes = 0;

	for (uint64_t i = 0; i < options.nr_threads; i++)
		live_bytes += workers[i].live_bytes;
	sample->call = (uint64_t)(tick + 1) * CURVE_PARTS / NR_TICKS;
	sample->live_bytes = (uint64_t)live_bytes;
	sample->rss_bytes = resident_above(&measure);
}

static void *work(void *arg)
{
	struct worker *worker = arg;

	pthread_barrier_wait(&barrier); /* all are there */
	if (!worker->number)
		measure_start(&measure);
	pthread_barrier_wait(&barrier);
	for (uint32_t tick = 0; tick < NR_TICKS; tick++) {
		receive(worker, tick);
		for (uint32_t i = 0; i < TICK_MOMENTS; i++)
			work_moment(worker, tick * TICK_MOMENTS + i);
		if (!worker->number)
			sleep_until(measure.start_ns +
				    options.seconds * 1000000000 * (tick + 1) / NR_TICKS);
		pthread_barrier_wait(&barrier);
		if ((tick + 1) % SAMPLE_TICKS)
			continue;
		if (!worker->number)
			take_sample(tick);
		pthread_barrier_wait(&barrier);
	}
	return NULL;
}

static void run_threads(void)
{
	pthread_barrier_init(&barrier, NULL, (unsigned int)options.nr_threads);
	for (uint32_t i = 0; i < options.nr_threads; i++) {
		workers[i].number = i;
		workers[i].random = options.seed * 1000003 + i;
		workers[i].due = map_table(NR_MOMENTS * sizeof(struct block *));
	}
	for (uint32_t i = 1; i < options.nr_threads; i++)
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			die("cannot start thread %" PRIu32, i);
	work(&workers[0]);
	for (uint32_t i = 1; i < options.nr_threads; i++)
		pthread_join(workers[i].thread, NULL);
}

/* ---- figures ---- */

static double ratio_of(const struct sample *sample)
{
	return (double)sample->rss_bytes / (double)(sample->live_bytes ? sample->live_bytes : 1);
}

struct quarter {
	double mean, most, slope; /* of resident over live; the slope per quarter of a day */
};

static struct quarter quarter_of(uint32_t number)
{
	const uint32_t nr = NR_SAMPLES / 4;
	struct quarter quarter = { 0, 0, 0 };
	double squares = 0;

	for (uint32_t i = 0; i < nr; i++) {
		double ratio = ratio_of(&samples[number * nr + i]);
		double x = (i + 0.5) / nr - 0.5;

		quarter.mean += ratio / nr;
		quarter.most = fmax(quarter.most, ratio);
		quarter.slope += x * ratio;
		squares += x * x;
	}
	quarter.slope /= squares;
	return quarter;
}

/* Resident memory at the last wave's top and bottom. */
static void print_wave(void)
{
	const struct sample *from = &samples[NR_SAMPLES * 3 / 4], *low = from, *high = from;

	for (const struct sample *at = from; at < samples + NR_SAMPLES; at++) {
		low = at->live_bytes < low->live_bytes ? at : low;
		high = at->live_bytes > high->live_bytes ? at : high;
	}
	printf("last top: live %.1f MiB, ratio %.3f\nlast bottom: live %.1f MiB, ratio %.3f\n",
	       (double)high->live_bytes / MIB, ratio_of(high), (double)low->live_bytes / MIB,
	       ratio_of(low));
}

static void print_day(void)
{
	const struct sample *end = &samples[NR_SAMPLES - 1];
	struct quarter last = quarter_of(3), before = quarter_of(2);

	printf("operations: %" PRIu64 "\nthreads: %" PRIu64 "\n", options.nr_operations,
	       options.nr_threads);
	print_wave();
	printf("end live MiB: %.1f\nend MiB: %.1f\nend ratio: %.3f\n",
	       (double)end->live_bytes / MIB, (double)end->rss_bytes / MIB, ratio_of(end));
	printf("last quarter max: %.3f\nlast quarter mean: %.3f\nlast quarter slope: %+.3f\n"
	       "third quarter mean: %.3f\nrising: %s\n", last.most, last.mean, last.slope,
	       before.mean, last.mean > before.mean * STEADY ? "yes" : "no");
}

static void write_curve(void)
{
	struct series series = { options.name, samples, NR_SAMPLES, CURVE_DAY };

	if (!series.name)
		series.name = malloc_library();
	if (options.csv)
		csv_write(options.csv, "server_day", &series);
	if (options.svg)
		svg_write(options.svg, "A day of a server's traffic", &series, 1);
}

/* ---- options ---- */

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "server_day: %s?\n%s", what, usage);
	exit(2);
}

static bool parse_text(const char *name, const char *text)
{
	const char **value = !strcmp(name, "--csv")  ? &options.csv :
			     !strcmp(name, "--svg")  ? &options.svg :
			     !strcmp(name, "--name") ? &options.name : NULL;

	if (value)
		*value = text;
	return value;
}

static bool parse_number(const char *name, const char *text)
{
	static const struct {
		const char *name;
		uint64_t *value, least, most;
	} numbers[] = {
		{ "--operations", &options.nr_operations, 1, UINT64_C(1) << 40 },
		{ "--seconds", &options.seconds, 0, 1000000 },
		{ "--mib", &options.mib, 1, 1 << 20 },
		{ "--threads", &options.nr_threads, 1, MAX_THREADS },
		{ "--swing", &options.swing, 0, 99 },
		{ "--drift", &options.drift, 1, 1000 },
		{ "--start", &options.start, 0, 99 },
		{ "--seed", &options.seed, 0, UINT32_MAX },
	};
	char *end;
	uint64_t number = strtoull(text, &end, 10);

	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++) {
		if (strcmp(name, numbers[i].name))
			continue;
		if (end == text || *end || number < numbers[i].least || number > numbers[i].most)
			return false;
		*numbers[i].value = number;
		return true;
	}
	return false;
}

static void parse(char **args)
{
	for (; *args; args += 2) {
		if (!strcmp(*args, "--help")) {
			fputs(usage, stdout);
			exit(0);
		}
		if (!args[1] || (!parse_text(args[0], args[1]) && !parse_number(args[0], args[1])))
			wrong_usage(*args);
	}
}

int main(int argc, char **argv)
{
	(void)argc;
	quiet_stdout();
	parse(argv + 1);
	scale_sizes();
	workers = map_table(options.nr_threads * sizeof(*workers));
	samples = map_table(NR_SAMPLES * sizeof(*samples));
	run_threads();
	print_day();
	measure_print(&measure);
	write_curve();
	return 0;
}
