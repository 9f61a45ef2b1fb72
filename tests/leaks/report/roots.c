/*
 * roots.c - a program for test_roots.py: what holds an object lies where programs seldom have it.
 * Each argument is done, and the program ends.
 */
#include <pthread.h>
#include <semaphore.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define PAGE 4096ul
#define STACK_BYTES (256ul << 10)
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

static sem_t is_ready;

static void *map(size_t bytes)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	void *memory = mmap(NULL, bytes, PROT_READ | PROT_WRITE, flags, -1, 0);

	if (memory == MAP_FAILED)
		abort();
	return memory;
}

/* What is left of calls on the stack. */
static NOINLINE void wipe(void)
{
	volatile char bytes[8192];

	for (size_t i = 0; i < sizeof(bytes); i++)
		bytes[i] = 0;
}

/* --- stacks ----------------------------------------------------------------------------------- */

static void end_here(void)
{
	wipe();
	exit(0);
}

/* As minicoro and libtask: what describes the coroutine, and its stack, in one block. */
struct coroutine {
	char *held; /* 100 bytes */
	ucontext_t context;
	char stack[STACK_BYTES];
};

static struct coroutine *coroutine;

static NOINLINE void make_coroutine(void)
{
	coroutine = calloc(1, sizeof(*coroutine));
	coroutine->held = malloc(100);
	/* Below what is in use of it. */
	*(char **)(void *)(coroutine->stack + STACK_BYTES / 2) = malloc(3000);
	if (getcontext(&coroutine->context))
		abort();
	coroutine->context.uc_stack.ss_sp = coroutine->stack;
	coroutine->context.uc_stack.ss_size = STACK_BYTES;
	makecontext(&coroutine->context, end_here, 0);
}

static void end_in_coroutine(void)
{
	make_coroutine();
	wipe();
	setcontext(&coroutine->context);
	abort();
}

/* Each has an object that only its own stack holds. */
static void *hold(void *bytes)
{
	char *volatile object = malloc((size_t)bytes);

	sem_post(&is_ready);
	for (;;)
		object[0] += (char)pause();
	return NULL;
}

static void start(char *stack, size_t bytes)
{
	pthread_attr_t attributes;
	pthread_t thread;

	pthread_attr_init(&attributes);
	if (pthread_attr_setstack(&attributes, stack, STACK_BYTES) ||
	    pthread_create(&thread, &attributes, hold, (void *)bytes))
		abort();
	while (sem_wait(&is_ready))
		continue;
	usleep(20000);
}

/* Stacks that are neighbours, the upper one's thread first, or the lower one's. */
static void two_on(char *stacks)
{
	start(stacks + STACK_BYTES, 200);
	start(stacks, 300);
	start(stacks + 2 * STACK_BYTES, 400);
}

static void two_in_mapping(void)
{
	char *memory = map(3 * STACK_BYTES + PAGE);

	if (mprotect(memory, PAGE, PROT_NONE))
		abort();
	two_on(memory + PAGE);
}

static void two_in_block(void)
{
	static char *block;

	block = aligned_alloc(PAGE, 3 * STACK_BYTES);
	two_on(block);
}

/* --- mappings --------------------------------------------------------------------------------- */

/* Behind a guard, as a stack: with pages that cannot be read, by what no map tells. */
static char *make_guarded(void)
{
	char *memory = map(16 * PAGE);

	memset(memory, 1, 16 * PAGE);
	if (mprotect(memory, PAGE, PROT_NONE))
		abort();
	*(char **)(void *)(memory + 15 * PAGE) = malloc(500);
	return memory;
}

static void guard(void)
{
	if (madvise(make_guarded() + 4 * PAGE, PAGE, MADV_GUARD_INSTALL))
		puts("no MADV_GUARD_INSTALL here");
}

static void key(void)
{
	int number = pkey_alloc(0, PKEY_DISABLE_ACCESS);
	char *memory = make_guarded();

	if (number < 0)
		puts("no protection keys here");
	else if (pkey_mprotect(memory + 4 * PAGE, PAGE, PROT_READ | PROT_WRITE, number))
		abort();
}

/* Of the file, and with something in it, so that it is none of zeros. */
static struct {
	char before[PAGE];
	char *held;
	char behind[2 * PAGE];
} sealed = {.before = "data"};

static void seal(void)
{
	char *first = (char *)(((unsigned long)&sealed + PAGE - 1) & -PAGE);

	sealed.held = malloc(600);
	if (mprotect(first, 2 * PAGE, PROT_READ))
		abort();
}

static const struct {
	const char *name;
	void (*function)(void);
} actions[] = {
	{"coroutine", end_in_coroutine}, {"mapping", two_in_mapping}, {"block", two_in_block},
	{"guard", guard}, {"key", key}, {"seal", seal},
};

int main(int argc, char **argv)
{
	if (sem_init(&is_ready, 0, 0))
		return 2;
	for (int i = 1; i < argc; i++)
		for (size_t k = 0; k < sizeof(actions) / sizeof(*actions); k++)
			if (!strcmp(argv[i], actions[k].name))
				actions[k].function();
	wipe();
	return 0;
}
