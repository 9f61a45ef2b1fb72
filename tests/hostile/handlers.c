/*
 * Handlers that allocate. POSIX does not allow it, programs do it; whatever becomes of the thread
 * that they interrupt, no other thread may pay for it, and nothing may hang.
 *
 * One thread is interrupted all the time, in every kind of allocator call; its handler, on a small
 * stack of its own, allocates and frees. Other threads free each other's blocks and check the
 * tags in them meanwhile.
 */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#include "semantics/check.h"

#define NR_OTHERS 2
#define NR_SHARED 512
#define NR_STEPS 40000
/* What malloc may need of the handler's stack, and snprintf never. */
#define HANDLER_STACK 8192

/* Unknown to the handler whether it may say so: the program cannot know either. */
const char *stitch_conf = "on_error=ignore";

static _Atomic unsigned long nr_signals, nr_others_done;
static void *_Atomic shared[NR_SHARED];

static uint64_t random_next(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	return *state ^= *state << 17;
}

static size_t random_size(uint64_t *state)
{
	switch (random_next(state) % 64) {
	case 0:
		return 16 + random_next(state) % ((size_t)5 << 20);
	case 1 ... 8:
		return 16 + random_next(state) % 500000;
	default:
		return 16 + random_next(state) % 2000;
	}
}

/* The first bytes say how long the block is, the others carry a tag. */
static void *block_new(uint64_t *state)
{
	size_t bytes = random_size(state);
	unsigned char *block = malloc(bytes);

	CHECK(block, "malloc(%zu)", bytes);
	memcpy(block, &bytes, sizeof(bytes));
	memset(block + sizeof(bytes), (unsigned char)bytes, bytes - sizeof(bytes));
	return block;
}

static void block_free(void *memory)
{
	unsigned char *block = memory;
	size_t bytes;

	if (!block)
		return;
	memcpy(&bytes, block, sizeof(bytes));
	CHECK(bytes <= malloc_usable_size(block) &&
	      all_bytes_are(block + sizeof(bytes), (unsigned char)bytes, bytes - sizeof(bytes)),
	      "the block at %p changed: %zu bytes", memory, bytes);
	free(block);
}

static void *other(void *argument)
{
	uint64_t state = (uintptr_t)argument * 0x9e3779b97f4a7c15u;

	for (unsigned int i = 0; i < NR_STEPS; i++) {
		void *block = block_new(&state);
		size_t place = random_next(&state) % NR_SHARED;

		block_free(atomic_exchange(&shared[place], block));
	}
	nr_others_done++;
	return NULL;
}

static void handler(int number)
{
	static const size_t sizes[] = { 24, 100, 1500, 8000, 100000, 3000000 };
	static unsigned int turn;
	size_t bytes = sizes[turn++ % 6];
	void *blocks[3];
	int saved_errno = errno;

	(void)number;
	for (int i = 0; i < 3; i++) {
		blocks[i] = malloc(bytes);
		CHECK(blocks[i], "malloc(%zu) in a handler", bytes);
	}
	for (int i = 0; i < 3; i++)
		free(blocks[i]);
	nr_signals++;
	errno = saved_errno;
}

/* Looks at none of its blocks: a handler may have got the same one. */
static void *victim(void *unused)
{
	static char stack[HANDLER_STACK];
	stack_t alternate = { .ss_sp = stack, .ss_size = sizeof(stack) };
	struct sigaction action = { .sa_handler = handler, .sa_flags = SA_ONSTACK | SA_RESTART };
	uint64_t state = 12345;
	sigset_t ours;

	CHECK(!sigaltstack(&alternate, NULL), "sigaltstack");
	sigaction(SIGUSR1, &action, NULL);
	sigemptyset(&ours);
	sigaddset(&ours, SIGUSR1);
	for (unsigned int i = 0; nr_others_done < NR_OTHERS; i++) {
		void *block = realloc(malloc(random_size(&state)), random_size(&state));

		free(block);
		free(calloc(1, random_size(&state)));
		if (i % 1024 == 0)
			malloc_trim(0);
	}
	pthread_sigmask(SIG_BLOCK, &ours, NULL);
	return unused;
}

int main(void)
{
	const struct sigaction ignore = { .sa_handler = SIG_IGN };
	pthread_t interrupted, others[NR_OTHERS];

	sigaction(SIGUSR1, &ignore, NULL);
	for (uintptr_t i = 0; i < NR_OTHERS; i++)
		CHECK(!pthread_create(&others[i], NULL, other, (void *)(i + 1)), "create");
	CHECK(!pthread_create(&interrupted, NULL, victim, NULL), "create");
	while (nr_others_done < NR_OTHERS) {
		pthread_kill(interrupted, SIGUSR1);
		usleep(50);
	}
	for (unsigned int i = 0; i < NR_OTHERS; i++)
		pthread_join(others[i], NULL);
	pthread_join(interrupted, NULL);
	for (unsigned int i = 0; i < NR_SHARED; i++)
		block_free(shared[i]);
	CHECK(nr_signals > 100, "only %lu signals", nr_signals);
	return 0;
}
