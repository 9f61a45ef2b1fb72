/*
 * A program for debuggers and checkers (sanitizers.sh, plain_valgrind.sh, debuggers.sh, which also
 * compile it themselves): it uses the whole heap, prints what it computed, and makes faults.
 *
 *	tools_work [none | use | overrun | leak | race] ...
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <malloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define NR_OBJECTS 250

/* Made by one thread, freed by another. */
static char *objects[NR_OBJECTS];
static volatile int counter;

static void *make(void *sum)
{
	for (size_t i = 0; i < NR_OBJECTS; i++) {
		size_t bytes = i % 50 ? 16 + i * 7 : i * 12000 + 1;
		char *object = calloc(bytes, 1);

		memset(object, (int)(i % 100), bytes / 2);
		objects[i] = realloc(object, bytes + bytes / 3);
		*(unsigned long *)sum += (unsigned long)objects[i][0] + objects[i][bytes - 1];
	}
	return NULL;
}

static void *increment(void *unused)
{
	counter++;
	return unused;
}

/* One after the other, or at once. */
static void two_threads(void *(*first)(void *), void *(*second)(void *), void *argument, int race)
{
	pthread_t one, two;

	if (pthread_create(&one, NULL, first, argument) || (!race && pthread_join(one, NULL)) ||
	    pthread_create(&two, NULL, second, argument) || (race && pthread_join(one, NULL)) ||
	    pthread_join(two, NULL))
		abort();
}

static void *end(void *sum)
{
	for (int i = 0; i < NR_OBJECTS; i++)
		free(objects[i]);
	(void)sum;
	return NULL;
}

static void aligned(unsigned long *sum)
{
	void *object = NULL;

	for (size_t align = 16; align <= 8192; align *= 2) {
		if (posix_memalign(&object, align, 100))
			abort();
		*sum += (size_t)object % align + (malloc_usable_size(object) >= 100);
		free(object);
		object = aligned_alloc(align, align);
		*sum += (size_t)object % align;
		free(object);
	}
	object = valloc(5000);
	*sum += (size_t)object % 4096;
	free(object);
	object = reallocarray(NULL, 10, 10);
	*sum += object != NULL;
	free(object);
}

/* Ten objects; no pointer to any is left on the stack or in a register. */
static void __attribute__((noinline)) lose(void)
{
	volatile char stack[4096];

	for (int i = 0; i < 10; i++)
		*(volatile char *)malloc(77) = 1;
	for (size_t i = 0; i < sizeof(stack); i++)
		stack[i] = 0;
	__asm__ volatile("xor %%eax, %%eax" ::: "rax", "rbx", "rcx", "rdx", "rsi", "rdi", "r8",
			 "r9", "r10", "r11", "r12", "r13", "r14", "r15", "memory", "cc");
}

static void __attribute__((noinline)) fault(const char *kind)
{
	char *volatile object = malloc(100);

	memset(object, 1, 100);
	if (!strcmp(kind, "overrun"))
		object[100] = 2;
	if (!strcmp(kind, "leak"))
		lose();
	free(object);
	if (!strcmp(kind, "use"))
		object[1] = 3;
	if (!strcmp(kind, "race"))
		two_threads(increment, increment, NULL, 1);
}

int main(int argc, char **argv)
{
	unsigned long sum = 0;

	two_threads(make, end, &sum, 0);
	aligned(&sum);
	for (int i = 1; i < argc; i++)
		fault(argv[i]);
	printf("sum %lu\n", sum);
	return 0;
}
