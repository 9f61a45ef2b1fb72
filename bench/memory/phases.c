/*
 * phases.c - what stays resident when a program that was large becomes small, or wants other
 * sizes than before.
 *
 * A phase builds so many bytes of blocks, writes to every page of them, and frees all in a random
 * order. Sizes are drawn so that every doubling between the lowest and the highest has the same
 * number of bytes (a count that falls with the square of the size). After the last phase comes a
 * quiet time with one malloc(100) and its free every second. Live bytes are as requested.
 */
#define _GNU_SOURCE
#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "measure.h"

#define MAX_PHASES 16

static const char usage[] =
	"usage: phases [OPTION]... [LOW-HIGH]...\n"
	"\n"
	"Builds and frees a heap of blocks of LOW to HIGH bytes (K and M are understood), then of\n"
	"the next LOW-HIGH; one phase of 16-1M by default. Then a quiet time. Prints resident\n"
	"memory above what the program had at its start (its own table included), in MiB.\n"
	"  --second     the phases 16-8K 64K-8M\n"
	"  --reverse    the phases in reverse order\n"
	"  --mib N      live MiB of each phase (1024)\n"
	"  --cycles N   all phases so many times (1)\n"
	"  --quiet N    seconds of the quiet time (10)\n"
	"  --seed N     other random numbers (1)\n";

struct phase {
	uint64_t low, high;
};

static struct {
	struct phase phases[MAX_PHASES];
	size_t nr_phases;
	uint64_t mib, nr_cycles, quiet_seconds, seed;
	bool reverse;
} options = { .mib = 1024, .nr_cycles = 1, .quiet_seconds = 10, .seed = 1 };

static struct measure measure;
static char **blocks;
static size_t room;

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "phases: %s?\n%s", what, usage);
	exit(2);
}

static uint64_t parse_bytes(const char *text, const char **end)
{
	uint64_t bytes = strtoull(text, (char **)(uintptr_t)end, 10);

	if (**end == 'K' || **end == 'M')
		bytes <<= *(*end)++ == 'K' ? 10 : 20;
	return bytes;
}

static void add_phase(const char *text)
{
	const char *at;
	struct phase phase;

	phase.low = parse_bytes(text, &at);
	if (*at++ != '-')
		wrong_usage(text);
	phase.high = parse_bytes(at, &at);
	if (*at || !phase.low || phase.high < phase.low || options.nr_phases == MAX_PHASES)
		wrong_usage(text);
	options.phases[options.nr_phases++] = phase;
}

static uint64_t parse_number(const char *name, const char *text)
{
	char *end;
	uint64_t number = text ? strtoull(text, &end, 10) : 0;

	if (!text || end == text || *end)
		wrong_usage(name);
	return number;
}

static void parse_value(const char *name, const char *text)
{
	uint64_t number;

	if (strcmp(name, "--mib") && strcmp(name, "--cycles") && strcmp(name, "--quiet") &&
	    strcmp(name, "--seed"))
		wrong_usage(name);
	number = parse_number(name, text);
	if (!strcmp(name, "--mib"))
		options.mib = number ? number : 1;
	else if (!strcmp(name, "--cycles"))
		options.nr_cycles = number ? number : 1;
	else if (!strcmp(name, "--quiet"))
		options.quiet_seconds = number;
	else
		options.seed = number;
}

static void parse(char **args)
{
	for (; *args; args++) {
		if (!strcmp(*args, "--help")) {
			fputs(usage, stdout);
			exit(0);
		} else if (!strcmp(*args, "--second")) {
			add_phase("16-8K");
			add_phase("64K-8M");
		} else if (!strcmp(*args, "--reverse")) {
			options.reverse = true;
		} else if (**args == '-') {
			parse_value(args[0], args[1]);
			args++;
		} else {
			add_phase(*args);
		}
	}
	if (!options.nr_phases)
		add_phase("16-1M");
}

/* As many bytes in every doubling: the inverse of the size is uniform. */
static size_t draw_size(const struct phase *phase, uint64_t *random)
{
	double low = (double)phase->low, high = (double)phase->high + 1;

	return (size_t)(1 / (1 / low - random_unit(random) * (1 / low - 1 / high)));
}

/* The table has room for the phase of the smallest blocks: known before anything is allocated. */
static size_t count_blocks(const struct phase *phase, uint64_t random)
{
	uint64_t left = options.mib << 20;
	size_t nr = 0, bytes;

	for (; left; nr++) {
		bytes = draw_size(phase, &random);
		left -= bytes < left ? bytes : left;
	}
	return nr;
}

static uint64_t seed_of(uint64_t cycle, size_t phase)
{
	return options.seed * 1000003 + cycle * MAX_PHASES + phase;
}

static void make_room(void)
{
	for (uint64_t cycle = 0; cycle < options.nr_cycles; cycle++) {
		for (size_t i = 0; i < options.nr_phases; i++) {
			size_t nr = count_blocks(&options.phases[i], seed_of(cycle, i));

			room = nr > room ? nr : room;
		}
	}
	blocks = map_table(room * sizeof(*blocks));
}

static size_t build(const struct phase *phase, uint64_t *random)
{
	uint64_t left = options.mib << 20;
	size_t nr = 0;

	while (left) {
		size_t bytes = draw_size(phase, random);

		bytes = bytes < left ? bytes : left;
		blocks[nr] = malloc(bytes);
		if (!blocks[nr])
			die("the allocator has no %zu bytes for us", bytes);
		touch_pages(blocks[nr++], bytes);
		left -= bytes;
	}
	return nr;
}

static void free_all(size_t nr, uint64_t *random)
{
	while (nr) {
		size_t i = random_next(random) % nr;

		free(blocks[i]);
		blocks[i] = blocks[--nr];
	}
}

static double resident_mib(void)
{
	return (double)resident_above(&measure) / MIB;
}

static void run_phase(uint64_t cycle, size_t i)
{
	size_t at = options.reverse ? options.nr_phases - 1 - i : i;
	const struct phase *phase = &options.phases[at];
	uint64_t random = seed_of(cycle, at);
	size_t nr = build(phase, &random);
	double built = resident_mib();

	printf("phase %" PRIu64 ".%zu: %" PRIu64 "-%" PRIu64 " bytes, %zu blocks, live %" PRIu64
	       " MiB, built %.1f MiB (%.3f)", cycle + 1, i + 1, phase->low, phase->high, nr,
	       options.mib, built, built / (double)options.mib);
	free_all(nr, &random);
	printf(", freed %.1f MiB\n", resident_mib());
}

static void be_quiet(void)
{
	uint64_t start = now_ns();

	for (uint64_t second = 1; second <= options.quiet_seconds; second++) {
		char *p;

		sleep_until(start + second * 1000000000);
		p = malloc(100);
		if (!p)
			die("the allocator has no 100 bytes for us");
		*(volatile char *)p = 1;
		free(p);
		printf("quiet %" PRIu64 " s: %.1f MiB\n", second, resident_mib());
	}
}

int main(int argc, char **argv)
{
	double peak;

	(void)argc;
	quiet_stdout();
	parse(argv + 1);
	make_room();
	measure_start(&measure);
	for (uint64_t cycle = 0; cycle < options.nr_cycles; cycle++)
		for (size_t i = 0; i < options.nr_phases; i++)
			run_phase(cycle, i);
	peak = (double)peak_above(&measure) / MIB;
	printf("peak: %.1f MiB\npeak over live: %.3f\n", peak, peak / (double)options.mib);
	be_quiet();
	printf("end: %.1f MiB\n", resident_mib());
	measure_print(&measure);
	return 0;
}
