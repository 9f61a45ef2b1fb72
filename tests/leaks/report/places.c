/*
 * places.c - allocates in several places so much and frees so much of it that the numbers of an
 * allocation profile are known (test_profile.py). With "fork" a child goes on, with "threads" eight
 * threads do all of it at once.
 */
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define NR_KEPT 1000
#define NR_THREADS 8

static void *kept[NR_THREADS + 1][NR_KEPT];

/* 1000 x 100 bytes, which are there to the end. */
static NOINLINE void keep(int thread)
{
	for (int i = 0; i < NR_KEPT; i++)
		kept[thread][i] = malloc(100);
}

/* 200 x 10,000 bytes at once: the peak. */
static NOINLINE void peak(void)
{
	void *held[200];

	for (int i = 0; i < 200; i++)
		held[i] = calloc(10, 1000);
	for (int i = 0; i < 200; i++)
		free(held[i]);
}

/* 50,000 x 64 bytes, one at a time. */
static NOINLINE void churn(void)
{
	for (int i = 0; i < 50000; i++)
		free(malloc(64));
}

/* Grown to 1 MiB by 1 KiB, and given back: 1024 calls, of 512.5 MiB in all. */
static NOINLINE void grow(void)
{
	char *block = NULL;

	for (size_t bytes = 1024; bytes <= 1 << 20; bytes += 1024)
		block = realloc(block, bytes);
	free(block);
}

/* What cannot be had stays as it was: a block of 500 bytes. */
static NOINLINE void refuse(void)
{
	static void *block;
	void *volatile more;

	block = malloc(500);
	more = realloc(block, (size_t)-1 / 2 - 4096);
	free(more);
}

static void *all(void *thread)
{
	keep((int)(size_t)thread);
	peak();
	churn();
	grow();
	return NULL;
}

static void by_threads(void)
{
	pthread_t threads[NR_THREADS];

	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, all, (void *)(i + 1));
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *how = argc > 1 ? argv[1] : "";
	pid_t child;

	if (!strcmp(how, "threads")) {
		by_threads();
		return 7;
	}
	all(NULL);
	refuse();
	if (strcmp(how, "fork") != 0)
		return 7;
	child = fork();
	if (!child)
		peak();
	else
		waitpid(child, NULL, 0);
	return 7;
}
