/*
 * fuzz_api.c - the whole API against a shadow that knows every live range.
 *
 * Rounds, each in a child of its own with its own seed: first one thread, whose operations the
 * seed alone decides; then THREADS threads (in generations of short-lived ones, so that heaps are
 * inherited) which free each other's blocks. Every block is tagged by its owner's id, claims its
 * usable bytes in the shadow and is checked when it is freed, resized, exchanged or looked at.
 * Before the first round each fault of calls.h is planted in turn, and must be seen.
 *
 * All of it goes on in a storm of SIGALRM, whose handler touches memory, its stack and errno, and
 * leaves every system call that waits with EINTR.
 *
 * Environment: FUZZ_SECONDS (10), SEED (random), THREADS (4), FUZZ_OPS (single-threaded
 * operations a round), FUZZ_LIVE_MIB (bound on what is live), FUZZ_ALARM (microseconds between two
 * signals, 300; 0: none). SEED=n makes n the first round's seed; with --replay the
 * single-threaded part of that round is all that runs.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "shadow.h"
#include "tag.h"
#include "calls.h"
#include "requests.h"
#include "validators.h"

#define NR_SLOTS 2048
#define NR_EXCHANGE 256
#define NR_HISTORY 64
#define MAX_THREADS 64
#define PHASE_OPS 1024 /* operations between two changes of profile */
#define GENERATION_OPS 16384
#define ROUND_SECONDS 15
#define SENTINEL 7777 /* an errno that no call sets */
#define EXIT_FAULT 3

/* ThreadSanitizer prints what it finds in between, and goes on. */
#ifdef __SANITIZE_THREAD__
#define REPORTS_CHANGE_ERRNO 1
#else
#define REPORTS_CHANGE_ERRNO 0
#endif

struct block {
	unsigned char *address; /* NULL: the slot is free */
	size_t bytes;		/* asked for */
	size_t owned;		/* tagged: bytes, or usable */
	size_t usable;
	size_t align;
	uint64_t id;
	enum call source;
};

struct record {
	enum call call;
	void *before;
	void *after;
	size_t align;
	size_t bytes;
};

struct seat {
	unsigned int index;
	uint64_t seed;
	struct rng rng;
	uint64_t next_id;
	const struct profile *profile;
	unsigned int fill; /* of 100 visits to a free slot, how many allocate */
	unsigned long nr_ops;
	struct block slots[NR_SLOTS];
	struct record history[NR_HISTORY];
	unsigned long nr_records;
};

struct exchange {
	pthread_mutex_t lock;
	struct block block;
};

static struct seat seats[MAX_THREADS];
static struct exchange exchanges[NR_EXCHANGE];
static _Thread_local struct seat *my_seat;
static _Atomic size_t live_bytes;  /* asked for */
static _Atomic size_t live_usable; /* and handed out */
static _Atomic size_t peak_live_bytes;
static size_t live_limit;
static unsigned int nr_threads;
static uint64_t round_seed;
static bool accounts_known; /* mallinfo2 speaks of the malloc under test */

/* ---- what to say when it is wrong ---- */

static void print_history(const struct seat *seat)
{
	unsigned long first = seat->nr_records > NR_HISTORY ? seat->nr_records - NR_HISTORY : 0;

	fprintf(stderr, "thread %u, seed %#llx, last operations (profile %s, %lu done):\n",
		seat->index, (unsigned long long)seat->seed,
		seat->profile ? seat->profile->name : "none", seat->nr_ops);
	for (unsigned long i = first; i < seat->nr_records; i++) {
		const struct record *record = &seat->history[i % NR_HISTORY];

		fprintf(stderr, "  %8lu %-18s %14p bytes %9zu align %6zu -> %p\n", i,
			call_names[record->call], record->before, record->bytes, record->align,
			record->after);
	}
}

static void print_block(const char *what, const struct block *block)
{
	fprintf(stderr, "%s: %p bytes %zu usable %zu owned %zu align %zu id %#llx from %s\n", what,
		(void *)block->address, block->bytes, block->usable, block->owned, block->align,
		(unsigned long long)block->id, call_names[block->source]);
}

/* Racy, as the other threads run on: good enough to point at the neighbour. */
__attribute__((no_sanitize_thread)) static void print_owners(const struct block *block)
{
	for (size_t i = 0; i < MAX_THREADS * NR_SLOTS + NR_EXCHANGE; i++) {
		size_t slot = i - MAX_THREADS * NR_SLOTS;
		const struct block *other = i < MAX_THREADS * NR_SLOTS ?
						    &seats[i / NR_SLOTS].slots[i % NR_SLOTS] :
						    &exchanges[slot].block;

		if (other != block && other->address &&
		    other->address < block->address + block->usable &&
		    block->address < other->address + other->usable)
			print_block("overlaps", other);
	}
}

static void print_seed(void)
{
	fprintf(stderr, "the round again: SEED=%llu FUZZ_SECONDS=%d THREADS=%u fuzz_api; "
		"single-threaded part alone: SEED=%llu fuzz_api --replay\n",
		(unsigned long long)round_seed, ROUND_SECONDS, nr_threads,
		(unsigned long long)round_seed);
}

__attribute__((format(printf, 3, 4))) static _Noreturn void
fault(const struct seat *seat, const struct block *block, const char *format, ...)
{
	static atomic_flag taken = ATOMIC_FLAG_INIT;
	va_list arguments;

	while (atomic_flag_test_and_set(&taken))
		pause(); /* another thread is on its way out */
	fprintf(stderr, "fuzz_api: ");
	va_start(arguments, format);
	vfprintf(stderr, format, arguments);
	va_end(arguments);
	fputc('\n', stderr);
	if (block) {
		print_block("block", block);
		print_owners(block);
	}
	if (seat)
		print_history(seat);
	fflush(stderr);
	_exit(EXIT_FAULT);
}

static void handle_signal(int number)
{
	fault(my_seat, NULL, "signal %d (%s)", number, strsignal(number));
}

static void catch_signals(void)
{
	static char stack[65536];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = handle_signal, .sa_flags = SA_ONSTACK };
	static const int numbers[] = { SIGSEGV, SIGBUS, SIGABRT, SIGILL, SIGFPE };

	sigaltstack(&alternate, NULL);
	for (size_t i = 0; i < ARRAY_SIZE(numbers); i++)
		sigaction(numbers[i], &action, NULL);
}

static suseconds_t alarm_us;
static _Atomic unsigned long nr_alarms;

/* As a handler should: nothing of it is left but what it counts. */
static void handle_alarm(int number)
{
	volatile unsigned char used_stack[512];
	int saved_errno = errno;

	for (size_t i = 0; i < sizeof(used_stack); i++)
		used_stack[i] = (unsigned char)number;
	errno = EINTR;
	atomic_fetch_add(&nr_alarms, 1);
	errno = saved_errno;
}

/* Timers are not inherited: for each round anew. Without SA_RESTART, so that futexes return. */
static void start_storm(void)
{
	const struct timeval period = { 0, alarm_us };
	const struct itimerval timer = { period, period };
	struct sigaction action = { .sa_handler = handle_alarm };

	if (!alarm_us)
		return;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void remember(struct seat *seat, enum call call, void *before, const struct block *request,
		     void *after)
{
	seat->history[seat->nr_records++ % NR_HISTORY] = (struct record){
		.call = call,
		.before = before,
		.after = after,
		.align = request->align,
		.bytes = request->bytes,
	};
}

/* ---- the life of a block ---- */

static void count_live(size_t gone, size_t come)
{
	size_t now = atomic_fetch_add(&live_bytes, come - gone) + come - gone;
	size_t peak = atomic_load(&peak_live_bytes);

	while (now > peak && !atomic_compare_exchange_weak(&peak_live_bytes, &peak, now))
		;
}

static void expect_errno(const struct seat *seat, const struct block *block, int expected)
{
	int got = errno;

	if (got != expected && !REPORTS_CHANGE_ERRNO)
		fault(seat, block, "errno is %d, expected %d (%d: as before the call)", got,
		      expected, SENTINEL);
}

static void expect_usable(const struct seat *seat, const struct block *block)
{
	size_t usable = call_usable(block->address);

	if (usable != block->usable)
		fault(seat, block, "the usable size became %zu", usable);
}

static void expect_tags(const struct seat *seat, const struct block *block, size_t limit)
{
	size_t bad = tag_block_check(block->address, block->id, block->owned, limit);

	if (bad != TAG_OK)
		fault(seat, block, "byte %zu changed: it is %#x", bad, block->address[bad]);
}

static void block_claim(const struct seat *seat, const struct block *block)
{
	void *taken = shadow_claim(block->address, block->usable ? block->usable : 1);

	if (taken)
		fault(seat, block, "%p belongs to a live block", taken);
	atomic_fetch_add(&live_usable, block->usable);
}

static void block_release(const struct seat *seat, const struct block *block)
{
	void *missing = shadow_release(block->address, block->usable ? block->usable : 1);

	if (missing)
		fault(seat, block, "%p belongs to no live block", missing);
	atomic_fetch_sub(&live_usable, block->usable);
}

/* A new id and tags; sometimes the program uses what malloc_usable_size promises. */
static void block_tag(struct seat *seat, struct block *block)
{
	uint64_t chance = rng_below(&seat->rng, 8);

	block->id = (uint64_t)(seat->index + 1) << 48 | seat->next_id++;
	block->owned = chance ? block->bytes : block->usable;
	tag_block(block->address, block->id, block->owned);
}

/* The address has come from the allocator: may it be what was asked for? */
static void block_arrive(const struct seat *seat, struct block *block)
{
	size_t align = block->align < 16 ? 16 : block->align;

	if (!block->address)
		fault(seat, block, "NULL, errno %d (%s)", errno, strerror(errno));
	if (!USES_LIBC) /* glibc leaves ENOMEM behind when a second arena had the memory */
		expect_errno(seat, block, SENTINEL);
	if ((uintptr_t)block->address % align)
		fault(seat, block, "misaligned");
	block->usable = call_usable(block->address);
	if (block->usable < block->bytes)
		fault(seat, block, "the usable size is too small");
	block_claim(seat, block);
}

static void block_new(struct seat *seat, struct block *block)
{
	struct rng *rng = &seat->rng;
	enum call call = pick_alloc(rng);
	size_t bytes = pick_size(rng, seat->profile);
	uint64_t shape = rng_next(rng);
	size_t align = 16;
	size_t bad;

	if (call == CALL_VALLOC || call == CALL_PVALLOC)
		align = 4096;
	else if (call >= CALL_POSIX_MEMALIGN && call <= CALL_MEMALIGN)
		align = pick_align(rng);
	if (atomic_load(&live_bytes) + bytes > live_limit)
		bytes %= 1024;
	if (call == CALL_ALIGNED_ALLOC && align <= bytes)
		bytes -= bytes % align;
	*block = (struct block){ .bytes = bytes, .align = align, .source = call };
	errno = SENTINEL;
	block->address = call_alloc(call, align, bytes, shape);
	remember(seat, call, NULL, block, block->address);
	block_arrive(seat, block);
	count_live(0, bytes);
	if (call == CALL_CALLOC) {
		bad = tag_block_zero(block->address, bytes);
		if (bad != TAG_OK)
			fault(seat, block, "calloc: byte %zu is %#x", bad, block->address[bad]);
	}
	block_tag(seat, block);
}

static void block_check(const struct seat *seat, const struct block *block)
{
	expect_usable(seat, block);
	expect_tags(seat, block, block->owned);
}

static enum call pick_free(struct rng *rng, const struct block *block)
{
	switch (rng_below(rng, 8)) {
	case 0:
		return CALL_REALLOC_ZERO;
	case 1:
		switch (block->source) {
		case CALL_ALIGNED_ALLOC:
			return CALL_FREE_ALIGNED_SIZED;
		case CALL_MALLOC:
		case CALL_CALLOC:
		case CALL_REALLOC:
		case CALL_REALLOCARRAY:
			return CALL_FREE_SIZED;
		default:
			return CALL_FREE;
		}
	default:
		return CALL_FREE;
	}
}

static void block_free(struct seat *seat, struct block *block)
{
	enum call call = pick_free(&seat->rng, block);

	block_check(seat, block);
	remember(seat, call, block->address, block, NULL);
	count_live(block->bytes, 0);
	block_release(seat, block);
	errno = SENTINEL;
	if (call == CALL_REALLOC_ZERO) {
		void *left = call_realloc(CALL_REALLOC, block->address, block->bytes, 0);

		if (left)
			fault(seat, block, "realloc(p, 0) answered %p", left);
	} else {
		call_free(call, block->address, block->align, block->bytes);
	}
	expect_errno(seat, block, SENTINEL);
	block->address = NULL;
}

static size_t pick_resize(struct seat *seat, size_t bytes)
{
	struct rng *rng = &seat->rng;
	size_t wanted;

	switch (rng_below(rng, 4)) {
	case 0:
		wanted = bytes + 1 + rng_below(rng, 64);
		break;
	case 1:
		wanted = bytes + 1 + rng_below(rng, bytes + 1);
		break;
	case 2:
		wanted = 1 + rng_below(rng, bytes + 1);
		break;
	default:
		wanted = 1 + pick_size(rng, seat->profile);
	}
	if (wanted > MIB(64))
		wanted = MIB(64);
	if (atomic_load(&live_bytes) + wanted > live_limit && wanted > bytes)
		wanted = 1 + wanted % 1024;
	return wanted;
}

static void block_resize(struct seat *seat, struct block *block)
{
	struct block old = *block;
	enum call call = rng_below(&seat->rng, 4) ? CALL_REALLOC : CALL_REALLOCARRAY;

	block_check(seat, block);
	block->bytes = pick_resize(seat, old.bytes);
	block->align = 16;
	block->source = call;
	block_release(seat, &old);
	errno = SENTINEL;
	block->address = call_realloc(call, old.address, old.owned, block->bytes);
	remember(seat, call, old.address, block, block->address);
	block_arrive(seat, block);
	count_live(old.bytes, block->bytes);
	expect_tags(seat, block, block->bytes);
	block_tag(seat, block);
}

/* Swap with a place that all threads share: the block ends in another thread's hands. */
static void block_exchange(struct seat *seat, struct block *block)
{
	struct exchange *exchange = &exchanges[rng_below(&seat->rng, NR_EXCHANGE)];
	struct block mine = *block;

	remember(seat, CALL_EXCHANGE, mine.address, &mine, NULL);
	pthread_mutex_lock(&exchange->lock);
	*block = exchange->block;
	exchange->block = mine;
	pthread_mutex_unlock(&exchange->lock);
	if (block->address)
		block_check(seat, block);
}

/* ---- calls that must fail, and leave everything as it was ---- */

static void expect_refusal(struct seat *seat, const struct block *request, const void *answer)
{
	if (answer)
		fault(seat, request, "served: %p", answer);
	expect_errno(seat, request, ENOMEM);
}

static void try_impossible(struct seat *seat, struct block *live)
{
	volatile size_t huge = (size_t)PTRDIFF_MAX + 1 + rng_below(&seat->rng, KIB(64));
	enum call call = pick_alloc(&seat->rng);
	struct block request = { .bytes = huge, .align = 4096, .source = call };
	void *pointer = &request;

	errno = SENTINEL;
	expect_refusal(seat, &request, call_alloc(call, 4096, huge, 0));
	errno = SENTINEL;
	if (stitch_calloc(huge, 4))
		fault(seat, NULL, "calloc that overflows was served");
	expect_errno(seat, NULL, ENOMEM);
	errno = SENTINEL;
	if (stitch_posix_memalign(&pointer, 24, 8) != EINVAL || pointer != &request)
		fault(seat, NULL, "posix_memalign(24) was not refused properly");
	expect_errno(seat, NULL, SENTINEL);
	if (stitch_malloc_usable_size(NULL))
		fault(seat, NULL, "malloc_usable_size(NULL) is not 0");
	stitch_free(NULL);
	expect_errno(seat, NULL, SENTINEL);
	if (!live->address)
		return;
	expect_refusal(seat, live, call_realloc(CALL_REALLOC, live->address, 0, huge));
	errno = SENTINEL;
	expect_refusal(seat, live, stitch_reallocarray(live->address, huge, 2));
	block_check(seat, live);
}

/* ---- the account: what mallinfo2 says at a quiet point ---- */

static size_t account_live(void)
{
	struct mallinfo2 info = stitch_mallinfo2();

	return info.uordblks + info.hblkhd;
}

static void probe_accounts(void)
{
	size_t before = account_live();
	void *block = stitch_malloc(MIB(1));

	accounts_known = account_live() - before >= MIB(1);
	if (!accounts_known && !USES_LIBC)
		fault(NULL, NULL, "mallinfo2 does not see 1 MiB");
	stitch_free(block);
}

/*
 * No thread is in the allocator: its own invariants hold, and its account is right to the byte
 * (glibc counts its headers and what threads cache as well).
 */
static void check_heap(void)
{
	size_t usable = atomic_load(&live_usable);
	size_t most = USES_LIBC ? 2 * usable + MIB(4) : usable;
	size_t said;

	if (!heap_is_valid())
		fault(my_seat, NULL, "the validators of the heap found it broken");
	if (!accounts_known)
		return;
	said = account_live();
	if (said < usable || said > most)
		fault(my_seat, NULL, "mallinfo2 says that %zu bytes are live, in truth %zu", said,
		      usable);
}

/* ---- threads and rounds ---- */

static void visit_slot(struct seat *seat, struct block *block)
{
	size_t place = rng_below(&seat->rng, 100);

	if (!block->address) {
		if (place < seat->fill)
			block_new(seat, block);
	} else if (place < 45) {
		block_free(seat, block);
	} else if (place < 70) {
		block_resize(seat, block);
	} else if (place < 72) {
		for (size_t i = rng_below(&seat->rng, 16); i > 0; i--)
			block_resize(seat, block);
	} else if (place < 85) {
		block_exchange(seat, block);
	} else {
		block_check(seat, block);
	}
}

static void seat_step(struct seat *seat)
{
	static const unsigned char fills[] = { 100, 100, 60, 20 };
	struct rng *rng = &seat->rng;
	struct block *block;

	if (seat->nr_ops++ % PHASE_OPS == 0) {
		seat->profile = &profiles[phases[rng_below(rng, ARRAY_SIZE(phases))]];
		seat->fill = fills[rng_below(rng, ARRAY_SIZE(fills))];
	}
	block = &seat->slots[rng_below(rng, NR_SLOTS)];
	switch (rng_below(rng, 16384)) {
	case 0:
		stitch_malloc_trim(0);
		break;
	case 1 ... 4:
		account_live();
		break;
	case 5 ... 60:
		try_impossible(seat, block);
		break;
	default:
		visit_slot(seat, block);
	}
}

static void seat_init(struct seat *seat, unsigned int index)
{
	seat->index = index;
	seat->seed = mix64(mix64(round_seed) + index);
	seat->rng.state = seat->seed;
	seat->nr_ops = 0;
	seat->nr_records = 0;
}

static void free_everything(void)
{
	for (unsigned int i = 0; i < MAX_THREADS; i++)
		for (unsigned int slot = 0; slot < NR_SLOTS; slot++)
			if (seats[i].slots[slot].address)
				block_free(&seats[i], &seats[i].slots[slot]);
	for (unsigned int i = 0; i < NR_EXCHANGE; i++)
		if (exchanges[i].block.address)
			block_free(&seats[0], &exchanges[i].block);
	if (atomic_load(&live_bytes))
		fault(NULL, NULL, "the test lost count of its own blocks");
	check_heap();
}

static void run_single(unsigned long nr_ops)
{
	struct seat *seat = &seats[0];

	my_seat = seat;
	seat_init(seat, 0);
	for (unsigned long i = 0; i < nr_ops; i++) {
		seat_step(seat);
		if (i % GENERATION_OPS == 0)
			check_heap();
	}
	free_everything();
}

static void *run_generation(void *argument)
{
	struct seat *seat = argument;

	my_seat = seat;
	for (unsigned int i = 0; i < GENERATION_OPS; i++)
		seat_step(seat);
	return NULL;
}

static double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static void run_threads(double deadline)
{
	pthread_t threads[MAX_THREADS];

	for (unsigned int i = 0; i < nr_threads; i++) {
		seat_init(&seats[i], i + 1);
		printf("%s%#llx", i ? ", " : "thread seeds ", (unsigned long long)seats[i].seed);
	}
	putchar('\n');
	fflush(stdout);
	do {
		for (unsigned int i = 0; i < nr_threads; i++)
			if (pthread_create(&threads[i], NULL, run_generation, &seats[i]))
				fault(NULL, NULL, "pthread_create failed");
		for (unsigned int i = 0; i < nr_threads; i++)
			pthread_join(threads[i], NULL);
		check_heap();
	} while (seconds_now() < deadline);
	my_seat = &seats[0];
	free_everything();
}

static void check_memory(void)
{
	struct rusage usage;
	size_t peak;
	unsigned long nr_ops = 0;

	getrusage(RUSAGE_SELF, &usage);
	peak = (size_t)usage.ru_maxrss * 1024;
	for (unsigned int i = 0; i < nr_threads; i++)
		nr_ops += seats[i].nr_ops;
	printf("%lu threaded operations, %lu alarms, peak live %zu MiB, peak RSS %zu MiB\n", nr_ops,
	       atomic_load(&nr_alarms), atomic_load(&peak_live_bytes) >> 20, peak >> 20);
	if (alarm_us && !atomic_load(&nr_alarms))
		fault(NULL, NULL, "no alarm has come");
	if (!SANITIZED && peak > 3 * live_limit + MIB(256))
		fault(NULL, NULL, "the resident set is out of bounds");
}

/* Run work in a child, the status of which is returned. */
static int in_child(void (*work)(unsigned long, double), unsigned long nr_ops, double deadline)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0) {
		perror("fork");
		exit(1);
	}
	if (!child) {
		catch_signals();
		start_storm();
		work(nr_ops, deadline);
		exit(0); /* with exit handlers: a sanitizer has its say there */
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

static void round_single(unsigned long nr_ops, double deadline)
{
	(void)deadline;
	probe_accounts();
	run_single(nr_ops);
}

static void round_whole(unsigned long nr_ops, double deadline)
{
	probe_accounts();
	run_single(nr_ops);
	run_threads(deadline);
	check_memory();
}

static void round_sabotaged(unsigned long nr_ops, double deadline)
{
	int null = open("/dev/null", O_WRONLY);

	(void)deadline;
	dup2(null, STDERR_FILENO);
	probe_accounts();
	run_single(nr_ops);
}

/* Plant every fault and see it found, by the fuzz or by the allocator's own checks. */
static void check_eyesight(void)
{
	for (unsigned int i = 1; i < NR_SABOTAGES; i++) {
		int status;

		if (i == SABOTAGE_ERRNO && USES_LIBC)
			continue;
		if (i >= SABOTAGE_ERRNO && i <= SABOTAGE_ERRNO_SILENT && REPORTS_CHANGE_ERRNO)
			continue;
		sabotage = (enum sabotage)i;
		status = in_child(round_sabotaged, 400000, 0);
		if (!status) {
			fprintf(stderr, "fuzz_api: the planted fault \"%s\" was not seen "
				"(seed %llu)\n", sabotage_names[i],
				(unsigned long long)round_seed);
			exit(1);
		}
	}
	sabotage = SABOTAGE_NONE;
	printf("every planted fault seen\n");
}

static unsigned long long env_number(const char *name, unsigned long long otherwise)
{
	const char *text = getenv(name);

	return text && *text ? strtoull(text, NULL, 0) : otherwise;
}

int main(int argc, char **argv)
{
	bool replay = argc > 1 && !strcmp(argv[1], "--replay");
	unsigned long nr_ops = env_number("FUZZ_OPS", 100000);
	double end = seconds_now() + (double)env_number("FUZZ_SECONDS", 10);
	uint64_t random_seed;
	int status;

	if (getrandom(&random_seed, sizeof(random_seed), 0) != sizeof(random_seed))
		random_seed = (uint64_t)getpid();
	round_seed = env_number("SEED", random_seed >> 32);
	nr_threads = (unsigned int)env_number("THREADS", 4);
	alarm_us = (suseconds_t)env_number("FUZZ_ALARM", 300) % 1000000;
	live_limit = MIB(env_number("FUZZ_LIVE_MIB", SANITIZED ? 64 : 512));
	if (nr_threads < 1 || nr_threads > MAX_THREADS)
		nr_threads = 4;
	for (unsigned int i = 0; i < NR_EXCHANGE; i++)
		pthread_mutex_init(&exchanges[i].lock, NULL);
	if (!replay)
		check_eyesight();
	do {
		double deadline = seconds_now() + ROUND_SECONDS;

		printf("round seed %llu\n", (unsigned long long)round_seed);
		status = in_child(replay ? round_single : round_whole, nr_ops,
				  deadline < end ? deadline : end);
		if (status) {
			fprintf(stderr, "fuzz_api: the round failed (status %#x)\n", status);
			print_seed();
			return 1;
		}
		round_seed++;
	} while (!replay && seconds_now() < end);
	return 0;
}
