/*
 * record_work.c - what test_record.sh records. Two threads allocate, move and free in every way and
 * hand each other blocks to free; then a child is forked that does some more. Prints how many calls
 * of each kind it made; the library's own calls (of threads, of stdio) do not depend on ROUNDS.
 *
 *	record_work ROUNDS [close] [kill]
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define KEPT 100

static unsigned long rounds;
static _Atomic unsigned long nr_malloc, nr_calloc, nr_aligned, nr_realloc, nr_free, nr_bytes;
static _Atomic(char *) mailbox[2];
static void *kept[KEPT];

static void *checked(void *p, _Atomic unsigned long *counter, size_t bytes)
{
	if (!p)
		abort();
	(*counter)++;
	nr_bytes += bytes;
	return p;
}

static void free_counted(void *p)
{
	free(p);
	nr_free += p != NULL;
}

/* Leave a block for the other thread, free the one that it left. */
static void hand_over(int self, size_t bytes)
{
	char *mine = checked(malloc(bytes), &nr_malloc, bytes);

	free_counted(atomic_exchange(&mailbox[!self], mine));
	free_counted(atomic_exchange(&mailbox[self], NULL));
}

static void *work(void *arg)
{
	int self = arg != NULL;

	for (unsigned long i = 0; i < rounds; i++) {
		char *p = checked(malloc(i % 5000), &nr_malloc, i % 5000), *q, *r;
		void *s;

		q = checked(calloc(3, i % 700), &nr_calloc, 3 * (i % 700));
		r = checked(aligned_alloc(64, 64 * (i % 9 + 1)), &nr_aligned, 64 * (i % 9 + 1));
		if (posix_memalign(&s, 4096, i % 300))
			abort();
		checked(s, &nr_aligned, i % 300);
		p = checked(realloc(p, i % 9000 + 1), &nr_realloc, i % 9000 + 1);
		q = checked(reallocarray(q, 10, 30), &nr_realloc, 300);
		p[0] = q[0] = r[0] = 1;
		if (realloc(p, 0))
			abort();
		nr_free++;
		free_counted(q);
		free_counted(r);
		free_counted(s);
		hand_over(self, i % 2000);
	}
	return NULL;
}

/* What daemons do: every descriptor becomes somebody else's. */
static void close_all(void)
{
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	for (int fd = 3; fd < 1020; fd++)
		if (open("/dev/null", O_WRONLY) < 0)
			return;
}

static void in_child(void)
{
	for (int i = 0; i < KEPT; i++)
		free(kept[i]);
	for (int i = 0; i < 77; i++)
		free(memalign(32, 333));
	_exit(0);
}

static void fork_one(void)
{
	pid_t pid;
	int status;

	for (size_t i = 0; i < KEPT; i++)
		kept[i] = malloc(10 + 16 * i);
	pid = fork();
	if (!pid)
		in_child();
	if (waitpid(pid, &status, 0) != pid || status)
		abort();
	for (size_t i = 0; i < KEPT; i++)
		free(kept[i]);
}

int main(int argc, char **argv)
{
	char line[300];
	pthread_t other;
	int length;

	rounds = strtoul(argv[1], NULL, 10);
	free(malloc(1)); /* the recording begins with this */
	for (int i = 2; i < argc; i++)
		if (!strcmp(argv[i], "close"))
			close_all();
	if (pthread_create(&other, NULL, work, argv))
		return 1;
	work(NULL);
	pthread_join(other, NULL);
	free_counted(mailbox[0]);
	free_counted(mailbox[1]);
	fork_one();
	length = snprintf(line, sizeof(line), "malloc: %lu\ncalloc: %lu\naligned: %lu\n"
			  "realloc: %lu\nfree: %lu\nbytes: %lu\n", nr_malloc, nr_calloc,
			  nr_aligned, nr_realloc, nr_free, nr_bytes);
	if (write(1, line, (size_t)length) != length)
		return 1;
	if (!strcmp(argv[argc - 1], "kill"))
		raise(SIGKILL);
	return 0;
}
