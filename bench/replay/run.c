/*
 * run.c - performs a script: each thread its stream, the main thread the first one.
 *
 * Order: a thread enters epoch e when everybody has left the epochs before e - EPOCHS_APART; and
 * one that is to free an object waits until its slot is filled. Both first spin and then sleep.
 *
 * Resident memory is read from /proc/self/statm, peak memory from VmHWM, which is reset at the
 * start; both less what was resident before the replay. The tables are resident by then and do not
 * change.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "replay.h"

/* Some 5 us: two threads side by side; when there are more threads than processors, sleep. */
#define SPINS 200

struct slot {
	_Atomic(char *) p;
	size_t bytes;
};

struct player {
	_Alignas(128) _Atomic int64_t live_bytes; /* allocated here less freed here */
	uint64_t nr_waits;
	const uint64_t *ops;
	pid_t tid; /* 0: the main thread */
};

static struct script *script;
static struct player *players;
static struct slot *slots;
static enum touch touch;
static _Atomic uint32_t *nr_threads_in, nr_left, nr_waiting; /* epochs that everybody has left */
static int statm_fd;
static uint64_t start_ns, baseline_bytes;

static uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

static uint64_t resident_bytes(void)
{
	char text[128];
	ssize_t length = pread(statm_fd, text, sizeof(text) - 1, 0);
	char *at = text;

	if (length <= 0)
		die("cannot read /proc/self/statm: %s", strerror(errno));
	text[length] = '\0';
	strtoull(at, &at, 10);
	return strtoull(at, &at, 10) * TRACE_PAGE;
}

static uint64_t above_baseline(uint64_t bytes)
{
	return bytes > baseline_bytes ? bytes - baseline_bytes : 0;
}

/* The number behind `name` in /proc/self/status. */
static uint64_t status_number(const char *name)
{
	char text[4096], *found;
	int fd = open("/proc/self/status", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length <= 0)
		die("cannot read /proc/self/status: %s", strerror(errno));
	close(fd);
	text[length] = '\0';
	found = strstr(text, name);
	return found ? strtoull(found + strlen(name), NULL, 10) : 0;
}

static uint64_t live_bytes(void)
{
	int64_t sum = 0;

	for (uint32_t i = 0; i < script->nr_threads; i++)
		sum += atomic_load_explicit(&players[i].live_bytes, memory_order_relaxed);
	return sum > 0 ? (uint64_t)sum : 0;
}

static void take_sample(struct sample *sample)
{
	sample->replay_ns = now_ns() - start_ns;
	sample->live_bytes = live_bytes();
	sample->rss_bytes = above_baseline(resident_bytes());
}

static void add_live(struct player *player, int64_t bytes)
{
	int64_t old = atomic_load_explicit(&player->live_bytes, memory_order_relaxed);

	atomic_store_explicit(&player->live_bytes, old + bytes, memory_order_relaxed);
}

/* Write to what the program would have written to. */
static void touch_bytes(char *p, size_t from, size_t to)
{
	if (touch == TOUCH_NONE || from >= to)
		return;
	if (touch == TOUCH_BYTES) {
		memset(p + from, 0x5a, to - from);
		return;
	}
	for (size_t i = from; i < to; i += TRACE_PAGE)
		*(volatile char *)(p + i) = 1;
	*(volatile char *)(p + to - 1) = 1;
}

static char *slot_take(struct player *player, struct slot *slot)
{
	unsigned int spins = 0;
	char *p;

	while (!(p = atomic_load_explicit(&slot->p, memory_order_acquire))) {
		if (spins++ < SPINS)
			__builtin_ia32_pause();
		else
			nanosleep(&(struct timespec){ .tv_nsec = 20000 }, NULL);
	}
	player->nr_waits += spins != 0;
	atomic_store_explicit(&slot->p, NULL, memory_order_relaxed);
	add_live(player, -(int64_t)slot->bytes);
	return p;
}

static void slot_put(struct player *player, struct slot *slot, char *p, size_t old, size_t bytes)
{
	if (!p)
		die("the allocator has no %zu bytes for us", bytes);
	touch_bytes(p, old, bytes);
	slot->bytes = bytes;
	add_live(player, (int64_t)bytes);
	atomic_store_explicit(&slot->p, p, memory_order_release);
}

static struct slot *slot_of(uint64_t op)
{
	return &slots[(uint32_t)op >> 4];
}

static size_t size_of(struct player *player, uint64_t op)
{
	return op >> 32 == BIG_SIZE ? *player->ops++ : op >> 32;
}

static void futex(_Atomic uint32_t *word, int what, uint32_t value)
{
	syscall(SYS_futex, word, what | FUTEX_PRIVATE_FLAG, value, NULL, NULL, 0);
}

static void epoch_enter(struct player *player, uint32_t epoch)
{
	unsigned int spins = 0;
	uint32_t left;

	while ((left = atomic_load(&nr_left)) + EPOCHS_APART < epoch) {
		if (spins++ < SPINS) {
			__builtin_ia32_pause();
			continue;
		}
		atomic_fetch_add(&nr_waiting, 1);
		if (atomic_load(&nr_left) == left)
			futex(&nr_left, FUTEX_WAIT, left);
		atomic_fetch_sub(&nr_waiting, 1);
	}
	player->nr_waits += spins != 0;
}

static void epoch_leave(uint32_t epoch)
{
	uint32_t left;

	if (atomic_fetch_sub(&nr_threads_in[epoch], 1) > 1)
		return;
	left = atomic_load(&nr_left);
	while (left < script->nr_epochs && !atomic_load(&nr_threads_in[left]))
		if (atomic_compare_exchange_strong(&nr_left, &left, left + 1))
			left++;
	if (atomic_load(&nr_waiting))
		futex(&nr_left, FUTEX_WAKE, INT32_MAX);
}

static void pace(uint64_t ms)
{
	uint64_t ns = start_ns + ms * 1000000;
	struct timespec until = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

static void play(struct player *player);

static void *thread_main(void *arg)
{
	struct player *player = arg;

	player->tid = gettid();
	play(player);
	return NULL;
}

static void start_thread(uint64_t number)
{
	pthread_attr_t attributes;
	pthread_t thread;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	error = pthread_create(&thread, &attributes, thread_main, &players[number]);
	if (error)
		die("cannot start thread %llu: %s", (unsigned long long)number, strerror(error));
	pthread_attr_destroy(&attributes);
}

/*
 * Threads that are through may still be handing back what they have. The allocator may have threads
 * of its own, one of them with a number of ours by now: ten milliseconds for each are enough.
 */
static void wait_for_threads(void)
{
	char path[64];

	for (uint32_t i = 0; i < script->nr_threads; i++) {
		snprintf(path, sizeof(path), "/proc/self/task/%d", players[i].tid);
		for (int tries = 0; players[i].tid && !access(path, F_OK) && tries < 100; tries++)
			nanosleep(&(struct timespec){ .tv_nsec = 100000 }, NULL);
	}
}

/* NULL is a failure: a realloc to 0 that is no free in the trace gave a block. */
static void *resized(void *block, size_t bytes)
{
	if (bytes)
		return realloc(block, bytes);
	free(block);
	return malloc(0);
}

static void play_realloc(struct player *player, uint64_t from)
{
	uint64_t to = *player->ops++;
	size_t bytes = size_of(player, to);
	char *p = slot_take(player, slot_of(from));

	slot_put(player, slot_of(to), resized(p, bytes), slot_of(from)->bytes, bytes);
}

static char *allocate(struct player *player, uint64_t op, size_t bytes)
{
	void *p = NULL;

	switch (op & 15) {
	case OP_MALLOC:
		return malloc(bytes);
	case OP_CALLOC:
		return calloc(1, bytes);
	default:
		return posix_memalign(&p, *player->ops < sizeof(p) ? sizeof(p) : *player->ops,
				      bytes) ? NULL : p;
	}
}

static void play_alloc(struct player *player, uint64_t op)
{
	size_t bytes = size_of(player, op);

	slot_put(player, slot_of(op), allocate(player, op, bytes), 0, bytes);
	player->ops += (op & 15) == OP_ALIGNED;
}

static void play(struct player *player)
{
	uint32_t epoch = UINT32_MAX;

	for (;;) {
		uint64_t op = *player->ops++;

		switch (op & 15) {
		case OP_FREE:
			free(slot_take(player, slot_of(op)));
			break;
		case OP_REALLOC:
			play_realloc(player, op);
			break;
		case OP_EPOCH:
			if (epoch != UINT32_MAX)
				epoch_leave(epoch);
			epoch = (uint32_t)(op >> 32);
			epoch_enter(player, epoch);
			break;
		case OP_START:
			start_thread(op >> 32);
			break;
		case OP_SAMPLE:
			take_sample(&script->samples[op >> 32]);
			break;
		case OP_PACE:
			pace(op >> 32);
			break;
		case OP_END:
			if (epoch != UINT32_MAX)
				epoch_leave(epoch);
			return;
		default:
			play_alloc(player, op);
		}
	}
}

static double seconds(struct timeval time)
{
	return (double)time.tv_sec + (double)time.tv_usec / 1e6;
}

static void prepare(void)
{
	size_t bytes = (script->nr_slots + (size_t)1) * sizeof(*slots);

	slots = map_table(bytes);
	memset(slots, 0, bytes); /* a write: from here on all of it is resident */
	players = map_table(script->nr_threads * sizeof(*players));
	memset(players, 0, script->nr_threads * sizeof(*players));
	for (uint32_t i = 0; i < script->nr_threads; i++)
		players[i].ops = script->streams[i].ops;
	nr_threads_in = (_Atomic uint32_t *)script->nr_threads_in;
	statm_fd = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
}

static bool reset_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && write(fd, "5", 1) == 1;

	if (fd >= 0)
		close(fd);
	return done;
}

static void find_peak(struct figures *figures)
{
	figures->peak_bytes = figures->end_bytes;
	for (uint32_t i = 0; figures->peak_is_sampled && i < script->nr_samples; i++)
		if (script->samples[i].rss_bytes > figures->peak_bytes)
			figures->peak_bytes = script->samples[i].rss_bytes;
	if (!figures->peak_is_sampled)
		figures->peak_bytes = above_baseline(status_number("VmHWM:") * 1024);
}

void run(struct script *the_script, enum touch the_touch, struct figures *figures)
{
	struct rusage before, after;

	script = the_script;
	touch = the_touch;
	prepare();
	figures->peak_is_sampled = !reset_peak();
	baseline_bytes = resident_bytes();
	getrusage(RUSAGE_SELF, &before);
	start_ns = now_ns();
	play(&players[0]);
	if (script->nr_threads > 1)
		epoch_enter(&players[0], script->nr_epochs + EPOCHS_APART);
	figures->wall = (double)(now_ns() - start_ns) / 1e9;
	wait_for_threads();
	getrusage(RUSAGE_SELF, &after);
	figures->user = seconds(after.ru_utime) - seconds(before.ru_utime);
	figures->system = seconds(after.ru_stime) - seconds(before.ru_stime);
	figures->faults = (uint64_t)(after.ru_minflt - before.ru_minflt);
	figures->baseline_bytes = baseline_bytes;
	figures->end_bytes = above_baseline(resident_bytes());
	figures->end_live_bytes = live_bytes();
	for (uint32_t i = 0; i < script->nr_threads; i++)
		figures->nr_waits += players[i].nr_waits;
	find_peak(figures);
}
