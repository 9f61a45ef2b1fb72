/*
 * fastpath.c - counts the user instructions of malloc and free, and looks at each on the hit path.
 *
 * An ordinary program, run under LD_PRELOAD. The processor's counter counts; where there is none
 * (many virtual machines, perf_event_paranoid) the program steps through the same code by its own
 * trap flag, a SIGTRAP an instruction. The path of a hit is always stepped through as well, once
 * per size class: no lock prefix, no exchange with memory, no fence, no system call, no call. All
 * figures are per object, malloc and free together, with the caller's loop and the jumps
 * through the PLT (10 instructions of a hit, 13 of the others). No time is measured.
 *
 *	fastpath            judge the library: 1 if it is above budget, or not stitchmalloc
 *	fastpath --report   print the figures of whatever malloc there is
 *	fastpath --step     (also --report --step) by single steps even if there is a counter
 *	fastpath --trace N  print the file and offset of each instruction of malloc(N) and free
 */
#define _GNU_SOURCE /* dladdr */
#include <malloc.h>
#include <dlfcn.h>
#include <linux/perf_event.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <ucontext.h>
#include <unistd.h>

#include "fastpath/trap.h"

#define LIBRARY "libstitchmalloc"
#define MAX_HIT 16384 /* bytes of the largest size class */
#define BATCH 10000
#define HIT_BUDGET 48
#define BATCH_BUDGET 80
#define PAIR_BUDGET 150
#define USABLE_BUDGET 92
#define MAX_TRACE 4096

/* ---- counting: regions of a thread's instructions ---- */

enum counting { NOT_AT_ALL, BY_PROCESSOR, BY_STEPS };

struct count {
	uint64_t instructions;
	unsigned long calls, atomics, system_calls; /* by steps only */
};

static _Thread_local enum counting counting;
static _Thread_local struct count count;
static _Thread_local int counter_fd = -1;
static _Thread_local uint64_t counter_start;
static enum counting method = BY_PROCESSOR;
static uintptr_t trace[MAX_TRACE];
static unsigned int nr_traced;
static bool tracing;

static __attribute__((noinline, cold)) _Noreturn void give_up(const char *what)
{
	fprintf(stderr, "fastpath: %s\n", what);
	exit(1);
}

static bool counter_open(void)
{
	struct perf_event_attr attributes = {
		.type = PERF_TYPE_HARDWARE,
		.size = sizeof(attributes),
		.config = PERF_COUNT_HW_INSTRUCTIONS,
		.exclude_kernel = 1,
		.exclude_hv = 1,
		.pinned = 1,
	};

	counter_fd = (int)syscall(SYS_perf_event_open, &attributes, 0, -1, -1, 0ul);
	return counter_fd >= 0;
}

static uint64_t counter_read(void)
{
	uint64_t value;

	if (read(counter_fd, &value, sizeof(value)) != sizeof(value))
		give_up("the instruction counter went away; try --step");
	return value;
}

static inline void region_begin(void)
{
	if (counting == BY_PROCESSOR)
		counter_start = counter_read();
	else if (counting == BY_STEPS)
		trap_flag_set();
}

static inline void region_end(void)
{
	if (counting == BY_PROCESSOR)
		count.instructions += counter_read() - counter_start;
	else if (counting == BY_STEPS)
		trap_flag_clear();
}

/* ---- single steps ---- */

extern char __executable_start, etext;

static bool in_program(const unsigned char *code)
{
	uintptr_t address = (uintptr_t)code;

	return address >= (uintptr_t)&__executable_start && address < (uintptr_t)&etext;
}

/* What the instruction at `code` is, as far as a fast path must not have it. */
static void classify(const unsigned char *code)
{
	bool in_library = !in_program(code);
	unsigned int field;

	for (; memchr("\x66\x67\xf0\xf2\xf3\x26\x2e\x36\x3e\x64\x65", *code, 11); code++)
		if (*code == 0xf0) /* lock */
			count.atomics++;
	if ((*code & 0xf0) == 0x40) /* REX */
		code++;
	field = code[1] >> 3 & 7; /* of ModRM: what the opcode leaves open */
	if (*code == 0xe8 || (*code == 0xff && (field == 2 || field == 3)))
		count.calls += in_library; /* those of the loop itself are meant to be */
	else if ((*code & 0xfe) == 0x86 && code[1] < 0xc0) /* xchg with memory */
		count.atomics++;
	else if (code[0] == 0x0f && code[1] == 0xae && code[2] >= 0xe8) /* fences */
		count.atomics++;
	else if (code[0] == 0x0f && code[1] == 0x05)
		count.system_calls++;
}

/* The trap comes before the instruction at the saved program counter. */
static void on_trap(int number, siginfo_t *info, void *context)
{
	const ucontext_t *user = context;
	uintptr_t address = (uintptr_t)user->uc_mcontext.gregs[REG_RIP];

	(void)number;
	(void)info;
	count.instructions++;
	classify((const unsigned char *)address);
	if (tracing && nr_traced < MAX_TRACE)
		trace[nr_traced++] = address;
}

static void catch_traps(void)
{
	struct sigaction action = { .sa_sigaction = on_trap, .sa_flags = SA_SIGINFO };

	sigaction(SIGTRAP, &action, NULL);
}

/* ---- what is counted ---- */

struct work {
	const char *name;
	void (*run)(const struct work *work);
	size_t bytes;
	unsigned int count;	 /* objects a round */
	unsigned int warm;	 /* rounds before those that are counted, to fill caches */
	unsigned int rounds;	 /* counted by the processor */
	unsigned int step_rounds; /* counted by steps */
	bool shuffled;		 /* free in random order */
	double budget;
};

static unsigned int work_rounds(const struct work *work)
{
	return counting == BY_STEPS ? work->step_rounds : work->rounds;
}

static __attribute__((noinline)) void hit_loop(size_t bytes, unsigned int rounds)
{
	void *volatile object; /* kept in memory, as most callers do */

	region_begin();
	for (unsigned int i = 0; i < rounds; i++) {
		object = malloc(bytes);
		free(object);
	}
	region_end();
}

static __attribute__((noinline)) void alloc_loop(void **objects, size_t bytes, unsigned int nr)
{
	region_begin();
	for (unsigned int i = 0; i < nr; i++)
		objects[i] = malloc(bytes);
	region_end();
}

static __attribute__((noinline)) void free_loop(void **objects, unsigned int nr)
{
	region_begin();
	for (unsigned int i = 0; i < nr; i++)
		free(objects[i]);
	region_end();
}

/* With a neighbour that lives: some allocators take a page away with its last object. */
static void run_hit(const struct work *work)
{
	enum counting wanted = counting;
	void *neighbour = malloc(work->bytes);

	counting = NOT_AT_ALL;
	hit_loop(work->bytes, work->warm);
	counting = wanted;
	hit_loop(work->bytes, work_rounds(work));
	free(neighbour);
}

static __attribute__((noinline)) void usable_loop(void *object, unsigned int nr)
{
	size_t volatile bytes;

	region_begin();
	for (unsigned int i = 0; i < nr; i++)
		bytes = malloc_usable_size(object);
	region_end();
	(void)bytes;
}

/* redis asks at every malloc and free of its own. */
static void run_usable(const struct work *work)
{
	void *object = malloc(work->bytes);

	malloc_usable_size(object); /* bound lazily */
	usable_loop(object, work_rounds(work));
	free(object);
}

static void shuffle(void **objects, unsigned int nr)
{
	static uint64_t random = 1;

	for (unsigned int i = nr; i > 1; i--) { /* Fisher and Yates; Knuth's MMIX generator */
		unsigned int other;
		void *object = objects[i - 1];

		random = random * 6364136223846793005u + 1442695040888963407u;
		other = (unsigned int)((random >> 33) % i);
		objects[i - 1] = objects[other];
		objects[other] = object;
	}
}

static void run_batch(const struct work *work)
{
	static void *objects[BATCH];
	enum counting wanted = counting;
	unsigned int rounds = work->warm + work_rounds(work);

	for (unsigned int round = 0; round < rounds; round++) {
		counting = round < work->warm ? NOT_AT_ALL : wanted;
		alloc_loop(objects, work->bytes, work->count);
		if (work->shuffled)
			shuffle(objects, work->count);
		free_loop(objects, work->count);
	}
}

/* One thread allocates, the other frees; they take turns, and wait outside of the regions. */
struct pair {
	const struct work *work;
	pthread_barrier_t turn;
	void *objects[BATCH];
	uint64_t consumed; /* instructions of the second thread */
};

static void *pair_consumer(void *argument)
{
	struct pair *pair = argument;
	const struct work *work = pair->work;
	unsigned int rounds;

	if (method == BY_PROCESSOR && !counter_open())
		give_up("no counter for a second thread; try --step");
	counting = method;
	rounds = work->warm + work_rounds(work);
	for (unsigned int round = 0; round < rounds; round++) {
		counting = round < work->warm ? NOT_AT_ALL : method;
		pthread_barrier_wait(&pair->turn);
		free_loop(pair->objects, work->count);
		pthread_barrier_wait(&pair->turn);
	}
	pair->consumed = count.instructions;
	if (counter_fd >= 0)
		close(counter_fd);
	return NULL;
}

static void run_pair(const struct work *work)
{
	static struct pair pair;
	enum counting wanted = counting;
	unsigned int rounds = work->warm + work_rounds(work);
	pthread_t consumer;

	pair.work = work;
	pthread_barrier_init(&pair.turn, NULL, 2);
	if (pthread_create(&consumer, NULL, pair_consumer, &pair))
		give_up("pthread_create failed");
	for (unsigned int round = 0; round < rounds; round++) {
		counting = round < work->warm ? NOT_AT_ALL : wanted;
		alloc_loop(pair.objects, work->bytes, work->count);
		pthread_barrier_wait(&pair.turn);
		pthread_barrier_wait(&pair.turn);
	}
	pthread_join(consumer, NULL);
	pthread_barrier_destroy(&pair.turn);
	count.instructions += pair.consumed;
}

/* ---- judging ---- */

static struct count run_counted(const struct work *work, enum counting how)
{
	count = (struct count){ 0 };
	counting = how;
	work->run(work);
	counting = NOT_AT_ALL;
	return count;
}

/* Instructions of a region whose loop is not entered. */
static uint64_t region_cost(enum counting how)
{
	static const struct work nothing = { .run = run_hit }; /* no rounds */
	static uint64_t cost[BY_STEPS + 1];

	if (!cost[how]) {
		run_counted(&nothing, how); /* the first time, symbols are bound */
		cost[how] = run_counted(&nothing, how).instructions;
	}
	return cost[how];
}

/* Instructions per object. By the processor the least of three: an interrupt adds one or two. */
static double measure(const struct work *work)
{
	unsigned int rounds = method == BY_STEPS ? work->step_rounds : work->rounds;
	bool is_loop = work->run == run_hit || work->run == run_usable;
	unsigned int nr_regions = is_loop ? 1 : 2 * rounds;
	uint64_t cost = nr_regions * region_cost(method);
	uint64_t least = UINT64_MAX;

	for (unsigned int i = 0; i < (method == BY_STEPS ? 1 : 3); i++) {
		uint64_t instructions = run_counted(work, method).instructions - cost;

		if (instructions < least)
			least = instructions;
	}
	return (double)least / ((double)work->count * rounds);
}

static bool use_report, failed;

/* To a tenth of an instruction: entering the loop is one, shared by all rounds. */
static void judge(const char *name, double figure, double budget)
{
	bool above = figure > budget + 0.05;

	printf("%-44s %8.1f %8.0f%s\n", name, figure, budget,
	       above && !use_report ? "  ABOVE BUDGET" : "");
	failed |= above;
}

/* A hit costs the same at every size, down to the odd byte; the dearest counts. */
static void judge_hits(void)
{
	static const size_t shown[] = { 16, 64, 256, 1024, 4096, 8192, 16384 };
	struct work work = { .run = run_hit, .count = 1, .warm = 200, .rounds = 1000,
			     .step_rounds = 24 };
	size_t step = method == BY_STEPS ? 16 : 1;
	size_t dearest = 0;
	double most = 0;
	char name[64];

	for (work.bytes = 0; work.bytes <= MAX_HIT; work.bytes += step) {
		double figure = measure(&work);

		for (size_t i = 0; use_report && i < sizeof(shown) / sizeof(shown[0]); i++) {
			snprintf(name, sizeof(name), "hit, %zu bytes", work.bytes);
			if (work.bytes == shown[i])
				judge(name, figure, HIT_BUDGET);
		}
		if (figure > most) {
			most = figure;
			dearest = work.bytes;
		}
	}
	snprintf(name, sizeof(name), "hit, dearest size up to %d (%zu)", MAX_HIT, dearest);
	judge(name, most, HIT_BUDGET);
}

/* One round at each size, instruction by instruction. */
static void judge_path(void)
{
	struct work work = { .run = run_hit, .count = 1, .warm = 200, .step_rounds = 1 };
	struct count sum = { 0 };

	for (work.bytes = 0; work.bytes <= MAX_HIT; work.bytes += 16) {
		struct count path = run_counted(&work, BY_STEPS);

		sum.calls += path.calls;
		sum.atomics += path.atomics;
		sum.system_calls += path.system_calls;
	}
	judge("calls on the paths of hits, all sizes", (double)sum.calls, 0);
	judge("locked instructions and fences on them", (double)sum.atomics, 0);
	judge("system calls on them", (double)sum.system_calls, 0);
}

static void judge_works(void)
{
	static const struct work works[] = {
		{ "10,000 x 64 B, freed in order", run_batch, 64, BATCH, 5, 20, 1, false,
		  BATCH_BUDGET },
		{ "10,000 x 64 B, freed in random order", run_batch, 64, BATCH, 5, 20, 1, true,
		  BATCH_BUDGET },
		{ "64 B from thread to thread, 100 at a time", run_pair, 64, 100, 500, 1000, 20,
		  false, PAIR_BUDGET },
		{ "64 B from thread to thread, 10,000 at a time", run_pair, 64, BATCH, 5, 20, 1,
		  false, PAIR_BUDGET },
		{ "malloc_usable_size, 64 B", run_usable, 64, 1, 0, 1000000, 100, false,
		  USABLE_BUDGET },
	};

	for (size_t i = 0; i < sizeof(works) / sizeof(works[0]); i++)
		judge(works[i].name, measure(&works[i]), works[i].budget);
}

static int print_trace(size_t bytes)
{
	struct work work = { .run = run_hit, .bytes = bytes, .count = 1, .warm = 200,
			     .step_rounds = 1 };
	Dl_info info;

	tracing = true;
	run_counted(&work, BY_STEPS);
	tracing = false;
	for (unsigned int i = 0; i < nr_traced; i++)
		if (dladdr((const void *)trace[i], &info))
			printf("%s+%#tx\n", info.dli_fname,
			       (const char *)trace[i] - (const char *)info.dli_fbase);
	return 0;
}

/* The file that malloc comes from. */
static const char *malloc_file(void)
{
	Dl_info info;

	if (!dladdr(dlsym(RTLD_DEFAULT, "malloc"), &info) || !info.dli_fname)
		return "unknown";
	return info.dli_fname;
}

int main(int argc, char **argv)
{
	const char *file = malloc_file();

	catch_traps();
	for (int i = 1; i < argc; i++) {
		use_report |= !strcmp(argv[i], "--report");
		if (!strcmp(argv[i], "--step"))
			method = BY_STEPS;
		if (!strcmp(argv[i], "--trace") && i + 1 < argc)
			return print_trace(strtoul(argv[i + 1], NULL, 0));
	}
	if (!use_report && !strstr(file, LIBRARY)) {
		fprintf(stderr, "fastpath: malloc comes from %s; run under LD_PRELOAD=" LIBRARY
			".so, or with --report\n", file);
		return 1;
	}
	if (method == BY_PROCESSOR && !counter_open())
		method = BY_STEPS;
	printf("malloc of %s, user instructions counted by %s\n", file,
	       method == BY_STEPS ? "single steps" : "the processor");
	judge_hits();
	judge_works();
	judge_path();
	return failed && !use_report;
}
