/*
 * Signals that handlers take quietly, and cancellation, in threads that are in the allocator.
 *
 * Four threads allocate, free each other's blocks and check the tags in them, while each of them
 * sends signals to all of them and an interval timer to any of them. The handlers run on stacks of
 * hardly any size, touch memory and errno, and are not restarted: every wait ends with EINTR.
 *
 * Then threads are cancelled at any moment. Cancellation is deferred, as it is by default: no
 * allocating function is a point at which a thread ends, malloc_stats and malloc_trim included.
 */
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/time.h>

#include "semantics/check.h"

#define NR_THREADS 4
#define NR_SHARED 256
#define NR_STEPS 40000
#define NR_CANCELLED 100

struct block {
	unsigned char *address;
	size_t bytes;
	unsigned char tag;
};

static pthread_t threads[NR_THREADS];
static pthread_barrier_t all_started;
static pthread_mutex_t shared_lock = PTHREAD_MUTEX_INITIALIZER;
static struct block shared[NR_SHARED];
static _Atomic unsigned long nr_signals;

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

/* Half of them page runs, for which threads meet at one lock. */
static size_t random_size(uint64_t *state)
{
	switch (random_next(state) % 64) {
	case 0:
		return random_next(state) % ((size_t)5 << 20);
	case 1 ... 32:
		return 270000 + random_next(state) % 200000;
	default:
		return random_next(state) % 2000;
	}
}

/* The ends of a long block are enough: its neighbours are not in its middle. */
static size_t edge(size_t bytes)
{
	return bytes < 256 ? bytes : 128;
}

static void quiet_handler(int number)
{
	int saved_errno = errno;
	volatile char used[256];

	for (size_t i = 0; i < sizeof(used); i++)
		used[i] = (char)number;
	nr_signals++;
	errno = saved_errno;
}

static struct block block_new(uint64_t *state)
{
	struct block block = { .bytes = random_size(state), .tag = (unsigned char)*state };

	errno = 77;
	block.address = malloc(block.bytes);
	CHECK(block.address && errno == 77, "malloc(%zu): errno %d", block.bytes, errno);
	memset(block.address, block.tag, edge(block.bytes));
	memset(block.address + block.bytes - edge(block.bytes), block.tag, edge(block.bytes));
	return block;
}

static void block_free(struct block *block)
{
	if (!block->address)
		return;
	CHECK(all_bytes_are(block->address, block->tag, edge(block->bytes)) &&
	      all_bytes_are(block->address + block->bytes - edge(block->bytes), block->tag,
			    edge(block->bytes)),
	      "%zu bytes at %p changed", block->bytes, (void *)block->address);
	errno = 77;
	free(block->address);
	CHECK(errno == 77, "free: errno %d", errno);
}

static void exchange(struct block *mine, uint64_t *state)
{
	struct block *other = &shared[random_next(state) % NR_SHARED], was;

	pthread_mutex_lock(&shared_lock);
	was = *other;
	*other = *mine;
	pthread_mutex_unlock(&shared_lock);
	*mine = was;
}

static void *storm(void *argument)
{
	size_t stack_bytes = (size_t)sysconf(_SC_MINSIGSTKSZ) + 2048;
	char *stack = malloc(stack_bytes);
	stack_t alternate = { .ss_sp = stack, .ss_size = stack_bytes };
	uint64_t state = (uintptr_t)argument * 0x9e3779b97f4a7c15u;

	CHECK(!sigaltstack(&alternate, NULL), "sigaltstack");
	pthread_barrier_wait(&all_started);
	for (unsigned int i = 0; i < NR_STEPS; i++) {
		struct block block = block_new(&state);

		exchange(&block, &state);
		block_free(&block);
		if (i % 4 == 0)
			pthread_kill(threads[random_next(&state) % NR_THREADS], SIGUSR1);
		if (i % 8192 == 0)
			malloc_trim(0);
	}
	/* The others may still mean us: nobody ends before all are through. */
	pthread_barrier_wait(&all_started);
	alternate.ss_flags = SS_DISABLE;
	sigaltstack(&alternate, NULL);
	free(stack);
	return NULL;
}

static void storm_on_all(void)
{
	const struct itimerval timer = { { 0, 200 }, { 0, 200 } }, off = { { 0, 0 }, { 0, 0 } };
	struct sigaction action = { .sa_handler = quiet_handler, .sa_flags = SA_ONSTACK };

	sigfillset(&action.sa_mask); /* the stack is for one handler at a time */
	sigaction(SIGUSR1, &action, NULL);
	sigaction(SIGALRM, &action, NULL);
	pthread_barrier_init(&all_started, NULL, NR_THREADS);
	for (uintptr_t i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, storm, (void *)(i + 1)), "create");
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	setitimer(ITIMER_REAL, &off, NULL);
	for (unsigned int i = 0; i < NR_SHARED; i++)
		block_free(&shared[i]);
	CHECK(nr_signals > 500, "only %lu signals", nr_signals);
}

static _Atomic bool inside;
static _Atomic unsigned int nr_ended_inside;

static void note_end(void *unused)
{
	(void)unused;
	nr_ended_inside += inside;
}

/* The report of malloc_stats goes to descriptor 2, which main has put aside. */
static void *until_cancelled(void *unused)
{
	uint64_t state = (uintptr_t)&unused;

	pthread_cleanup_push(note_end, NULL);
	for (unsigned int i = 0;; i++) {
		inside = true;
		for (unsigned int j = 0; j < 20; j++) {
			void *block = malloc(random_size(&state));

			free(realloc(block, random_size(&state)));
		}
		if (i % 8 == 0)
			malloc_trim(0);
		malloc_stats();
		(void)mallinfo2();
		inside = false;
		pthread_testcancel();
	}
	pthread_cleanup_pop(0);
	return NULL;
}

static void cancel_many(void)
{
	int kept = dup(2);
	FILE *null = freopen("/dev/null", "w", stderr);

	CHECK(kept >= 0 && null, "standard error");
	for (unsigned int i = 0; i < NR_CANCELLED; i++) {
		pthread_t thread;
		void *result;

		CHECK(!pthread_create(&thread, NULL, until_cancelled, NULL), "pthread_create");
		for (unsigned int j = 0; j < i % 50; j++)
			sched_yield();
		CHECK(!pthread_cancel(thread), "pthread_cancel");
		pthread_join(thread, &result);
		CHECK(result == PTHREAD_CANCELED, "the thread was not cancelled");
	}
	dup2(kept, 2);
	close(kept);
	CHECK(!nr_ended_inside, "%u threads ended in the allocator", nr_ended_inside);
}

int main(void)
{
	storm_on_all();
	cancel_many();
	return 0;
}
