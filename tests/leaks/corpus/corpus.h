/*
 * corpus.h - what the programs of the corpus share. Each loses blocks in functions that are never
 * inlined, so that main holds no copy of a pointer, and then overwrites the stack they used. Only
 * what a program means to keep is left in memory.
 */
#ifndef LEAKS_CORPUS_H
#define LEAKS_CORPUS_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* Optional: a program need not use all of this. */
#define NOINLINE __attribute__((noipa))
#define HELPER static __attribute__((noipa, unused))

struct node {
	struct node *next, *other;
	long payload;
};

HELPER void use(const void *pointer)
{
	__asm__ volatile("" : : "r"(pointer) : "memory");
}

HELPER void scrub_stack(void)
{
	char area[48 << 10];

	memset(area, 0, sizeof(area));
	use(area);
}

HELPER struct node *make_node(struct node *next)
{
	struct node *node = (struct node *)malloc(sizeof(*node));

	node->next = next;
	node->other = NULL;
	node->payload = 1;
	return node;
}

HELPER struct node *make_list(int nr)
{
	struct node *head = NULL;

	while (nr--)
		head = make_node(head);
	return head;
}

HELPER void *just_end(void *unused)
{
	return unused;
}

#define STACK_BYTES (256 << 10)
#define STACK_GUARD 4096

/* Memory that was a thread's stack, with a guard below as libc makes them. NULL: not to be had. */
HELPER char *stack_of_ended_thread(void)
{
	char *memory = (char *)mmap(NULL, STACK_GUARD + STACK_BYTES, PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pthread_attr_t attributes;
	pthread_t thread;

	if (memory == MAP_FAILED || mprotect(memory, STACK_GUARD, PROT_NONE))
		return NULL;
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, memory + STACK_GUARD, STACK_BYTES);
	if (pthread_create(&thread, &attributes, just_end, NULL))
		return NULL;
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	return memory + STACK_GUARD;
}

static sem_t parked_thread;

/* For a thread that is to be there when the process ends. */
HELPER void park(void)
{
	sem_post(&parked_thread);
	for (;;)
		pause();
}

/* A thread that has come to park() when this returns. */
HELPER void start_parked(void *(*function)(void *))
{
	pthread_t thread;

	sem_init(&parked_thread, 0, 0);
	if (pthread_create(&thread, NULL, function, NULL))
		abort();
	sem_wait(&parked_thread);
}

HELPER void *run_thread(void *(*function)(void *))
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, function, NULL) || pthread_join(thread, &result))
		abort();
	return result;
}

#endif
