/*
 * Nine threads run to exhaustion in 200 MB of address space, again and again, while others start
 * and end: whose first call finds nothing left, who cannot be started at all, who frees what
 * another has made, gets an answer. (The constellation of glibc's tst-malloc-thread-fail.) At the
 * end everything is there again.
 */
#include <pthread.h>
#include <sys/resource.h>
#include <time.h>

#include "hostile/load.h"

#define NR_HOGS 9u
#define LIMIT ((size_t)200 << 20)
#define TOO_MUCH ((size_t)300 << 20)
#define STACK_BYTES ((size_t)64 << 10)

struct link {
	struct link *next;
	size_t bytes;
};

static _Atomic bool all_started, stop;
static _Atomic size_t nr_refused_starts, nr_started, nr_exhausted;

static struct link *take_all(size_t bytes)
{
	struct link *links = NULL, *link;
	size_t total = 0;

	errno = LOAD_ERRNO;
	while (!stop && (link = malloc(bytes))) {
		*link = (struct link){ links, bytes };
		links = link;
		total += bytes;
		CHECK(total < TOO_MUCH, "no limit in blocks of %zu bytes", bytes);
	}
	CHECK(stop || errno == ENOMEM, "errno is %d", errno);
	nr_exhausted++;
	return links;
}

static void free_all(struct link *links)
{
	while (links) {
		struct link *next = links->next;

		errno = LOAD_ERRNO;
		free(links);
		CHECK(errno == LOAD_ERRNO, "free set errno to %d", errno);
		links = next;
	}
}

/* Takes nothing until all hogs have a stack: the first could leave none for the others. */
static void *hog(void *number)
{
	struct rng rng = { (uintptr_t)number };

	while (!all_started)
		usleep(100);
	while (!stop) {
		size_t limit = (size_t)64 << rng_below(&rng, 16);

		free_all(take_all(sizeof(struct link) + rng_below(&rng, limit)));
	}
	return NULL;
}

/* Lives shortly, in the dark for the most part. */
static void *guest(void *number)
{
	struct load *load = calloc(1, sizeof(*load));

	if (!load)
		return NULL;
	load_init(load, (uintptr_t)number + 100, (size_t)1 << 18);
	load_work(load, 100);
	load_end(load);
	free(load);
	return NULL;
}

static bool start(pthread_t *thread, void *(*run)(void *), uintptr_t number)
{
	pthread_attr_t attr;
	int error;

	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	error = pthread_create(thread, &attr, run, (void *)number);
	pthread_attr_destroy(&attr);
	CHECK(!error || error == EAGAIN, "pthread_create: %d", error);
	return !error;
}

static void guests_come_and_go(double seconds)
{
	time_t end = time(NULL) + (time_t)seconds + 1;

	for (uintptr_t number = 0; time(NULL) < end; number += 4) {
		pthread_t guests[4];
		bool came[4];

		for (unsigned int i = 0; i < 4; i++) {
			came[i] = start(&guests[i], guest, number + i);
			nr_refused_starts += !came[i];
			nr_started += came[i];
		}
		for (unsigned int i = 0; i < 4; i++)
			if (came[i])
				pthread_join(guests[i], NULL);
	}
}

/* A start that takes a stack of its own, since all that libc has kept are in use. */
static void refused_softly(void)
{
	struct link *links = NULL, *link;
	pthread_attr_t attr;
	pthread_t thread;
	int error;

	for (size_t bytes = LIMIT; bytes > 4096; bytes /= 2)
		while ((link = malloc(bytes))) {
			link->next = links;
			links = link;
		}
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, LIMIT / 2);
	error = pthread_create(&thread, &attr, guest, NULL);
	CHECK(error == EAGAIN, "pthread_create with nothing left: %d", error);
	pthread_attr_destroy(&attr);
	free_all(links);
}

static void run_limited(void)
{
	const char *seconds = getenv("STRESS_SECONDS");
	pthread_t hogs[NR_HOGS];

	for (uintptr_t i = 0; i < NR_HOGS; i++)
		CHECK(start(&hogs[i], hog, i), "the first threads do not start");
	all_started = true;
	guests_come_and_go(seconds ? atof(seconds) : 2);
	stop = true;
	for (unsigned int i = 0; i < NR_HOGS; i++)
		pthread_join(hogs[i], NULL);
	load_end_exchange();
	CHECK(nr_exhausted > NR_HOGS && nr_started, "%zu times exhausted, %zu guests",
	      nr_exhausted, nr_started);
	stop = false;
	malloc_trim(0);
	refused_softly();
	for (size_t bytes = 16; bytes < LIMIT / 16; bytes *= 2)
		free_all(take_all(sizeof(struct link) + bytes));
}

int main(int argc, char **argv)
{
	struct rlimit limit = { LIMIT, LIMIT };

	(void)argv;
	if (argc > 1) {
		run_limited();
		return 0;
	}
	CHECK(!setrlimit(RLIMIT_AS, &limit), "setrlimit");
	execl("/proc/self/exe", "threads_exhausted", "limited", (char *)NULL);
	return 127;
}
