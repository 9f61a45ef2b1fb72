/*
 * scan_pause.c - for how long a leak scan on demand stops a program, and how long it takes.
 *
 * Threads allocate and free beside a large heap. Each says the time again and again: a pause of the
 * program is the longest time in which none of them did; a stall, the longest of one thread. Both
 * are measured before, during and after the scans, since threads have to wait for processors, too.
 */
#define _GNU_SOURCE
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "measure.h"

#define NR_HELD 256u

static const char usage[] =
	"usage: scan_pause [--mib N] [--threads N] [--rounds N] [--fork]\n"
	"\n"
	"N MiB (1024) of blocks of 16 bytes to 64 KiB, N threads (8), N scans (5)\n"
	"  --fork   in place of a scan a fork, whose child sleeps for a second\n";

long stitch_leak_scan(unsigned int flags) __attribute__((weak));
#define STITCH_LEAKS_QUIET 4u

static _Atomic uint64_t last_sign, longest_pause, longest_stall, nr_steps;

static void raise_to(_Atomic uint64_t *longest, uint64_t value)
{
	uint64_t known = atomic_load(longest);

	while (value > known && !atomic_compare_exchange_weak(longest, &known, value))
		continue;
}

static size_t random_bytes(uint64_t *random)
{
	return (size_t)16 << random_next(random) % 12 | random_next(random) % 16;
}

static void *work(void *seed)
{
	uint64_t random = (uint64_t)(uintptr_t)seed, before = now_ns();
	char *held[NR_HELD] = { NULL };

	for (;;) {
		size_t i = random_next(&random) % NR_HELD;
		uint64_t now;

		free(held[i]);
		held[i] = malloc(random_bytes(&random));
		held[i][0] = 1;
		now = now_ns();
		raise_to(&longest_stall, now - before);
		before = now;
		now -= atomic_exchange(&last_sign, now);
		if ((int64_t)now > 0)
			raise_to(&longest_pause, now);
		nr_steps++;
	}
	return NULL;
}

static void build_heap(size_t mib)
{
	static char **blocks;
	size_t bytes = mib << 20, nr = 0, done = 0;
	uint64_t random = 1;

	blocks = malloc(bytes / 256 * sizeof(*blocks));
	while (done < bytes && nr < bytes / 256) {
		size_t size = random_bytes(&random);

		blocks[nr] = malloc(size);
		memset(blocks[nr++], 1, size);
		done += size;
	}
	printf("%zu MiB in %zu blocks\n", done >> 20, nr);
}

static void fork_and_wait(void)
{
	pid_t child = fork();

	if (!child) {
		sleep(1);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

static void begin_phase(void)
{
	nr_steps = 0;
	last_sign = now_ns();
	longest_pause = longest_stall = 0;
}

static void print_phase(const char *name, uint64_t start)
{
	double ms = (double)(now_ns() - start) * 1e-6;

	printf("%-8s %8.0f ms  pause %7.2f ms  stall %7.2f ms  %8.0f steps/ms\n", name, ms,
	       (double)longest_pause * 1e-6, (double)longest_stall * 1e-6,
	       (double)nr_steps / ms);
}

static void run_phase(const char *name, void (*function)(void))
{
	uint64_t start = now_ns();

	begin_phase();
	function();
	print_phase(name, start);
}

static void idle(void)
{
	sleep(2);
}

static void scan(void)
{
	if (!stitch_leak_scan || stitch_leak_scan(STITCH_LEAKS_QUIET) < 0)
		die("no scan: is stitchmalloc preloaded?");
}

static size_t number_after(char **argument)
{
	char *end;
	size_t number = *argument ? strtoul(*argument, &end, 10) : 0;

	if (!number || *end) {
		fputs(usage, stderr);
		exit(2);
	}
	return number;
}

int main(int argc, char **argv)
{
	size_t mib = 1024, nr_threads = 8, nr_rounds = 5;
	bool forks = false;
	pthread_t thread;

	(void)argc;
	for (char **argument = argv + 1; *argument; argument++) {
		if (!strcmp(*argument, "--mib"))
			mib = number_after(++argument);
		else if (!strcmp(*argument, "--threads"))
			nr_threads = number_after(++argument);
		else if (!strcmp(*argument, "--rounds"))
			nr_rounds = number_after(++argument);
		else if (!strcmp(*argument, "--fork"))
			forks = true;
		else
			number_after((char *[]){ NULL });
	}
	build_heap(mib);
	for (size_t i = 1; i <= nr_threads; i++)
		if (pthread_create(&thread, NULL, work, (void *)i))
			die("no thread");
	run_phase("before", idle);
	for (size_t i = 0; i < nr_rounds; i++)
		run_phase(forks ? "fork" : "scan", forks ? fork_and_wait : scan);
	run_phase("after", idle);
	return 0;
}
