/*
 * exhausted_work.c - the workload for scripts that set limits or inject errors from outside.
 *
 *	work	four threads allocate, pass blocks on, and end, whatever fails
 *	fill	the same, and in between everything is allocated until nothing is left, three times;
 *		prints how many MiB the fullest was
 *
 * Says "started" first, so that a script can tell its failures from the loader's. Ends with 0, or
 * with 1 and one line on stderr. Output is by write(2) only.
 */
#include <pthread.h>

#include "hostile/load.h"

#define NR_THREADS 4u
#define NR_OPS 250u
#define NR_FILLS 3u
#define STACK_BYTES ((size_t)256 << 10)
#define TOO_MUCH ((size_t)2 << 30)

struct link {
	struct link *next;
	size_t bytes;
};

static void say(const char *text)
{
	CHECK(write(1, text, strlen(text)) == (ssize_t)strlen(text), "write");
}

static void *work(void *number)
{
	static struct load loads[NR_THREADS];
	struct load *load = &loads[(uintptr_t)number];

	load_init(load, (uintptr_t)number + 1, (size_t)1 << 20);
	load_work(load, NR_OPS);
	load_end(load);
	return NULL;
}

/* A thread that cannot be started is work for this one. */
static void work_in_threads(void)
{
	pthread_t threads[NR_THREADS];
	bool started[NR_THREADS];
	pthread_attr_t attr;

	/* Stacks of 8 MiB, of which libc keeps some, would be most of a small address space. */
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	for (uintptr_t i = 0; i < NR_THREADS; i++) {
		started[i] = !pthread_create(&threads[i], &attr, work, (void *)i);
		if (!started[i])
			work((void *)i);
	}
	for (unsigned int i = 0; i < NR_THREADS; i++)
		if (started[i])
			pthread_join(threads[i], NULL);
	load_end_exchange();
}

/* Blocks of one size until there are no more; each knows its size at both ends. */
static struct link *fill_with(size_t bytes, struct link *links, size_t *total)
{
	struct link *link;

	errno = LOAD_ERRNO;
	while ((link = malloc(bytes))) {
		*link = (struct link){ links, bytes };
		memcpy((char *)link + bytes - sizeof(bytes), &bytes, sizeof(bytes));
		links = link;
		*total += bytes;
		CHECK(*total < TOO_MUCH, "there is no limit in blocks of %zu bytes", bytes);
	}
	CHECK(errno == ENOMEM, "errno is %d", errno);
	return links;
}

static void empty(struct link *links)
{
	while (links) {
		struct link *next = links->next;
		size_t end;

		memcpy(&end, (char *)links + links->bytes - sizeof(end), sizeof(end));
		CHECK(end == links->bytes, "a block of %zu bytes ends in %zu", links->bytes, end);
		errno = LOAD_ERRNO;
		free(links);
		CHECK(errno == LOAD_ERRNO, "free set errno to %d", errno);
		links = next;
	}
}

static size_t fill(void)
{
	static const size_t sizes[] = { 40 << 20, 3 << 20, 1100000, 70000, 9000, 2000, 200, 24 };
	struct link *links = NULL;
	size_t total = 0;

	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		links = fill_with(sizes[i], links, &total);
	work_in_threads(); /* in the dark */
	empty(links);
	return total;
}

/* Nothing is lost from one fill to the next but what 56 classes keep, a slab each. */
static void fill_and_compare(void)
{
	size_t first = fill(), bytes = first;
	char text[64];

	for (unsigned int i = 1; i < NR_FILLS; i++) {
		bytes = fill();
		CHECK(bytes >= first - first / 8, "%zu bytes at first, then %zu", first, bytes);
	}
	snprintf(text, sizeof(text), "%zu\n", first >> 20);
	say(text);
}

int main(int argc, char **argv)
{
	say("started\n");
	work_in_threads();
	if (argc > 1 && !strcmp(argv[1], "fill"))
		fill_and_compare();
	work_in_threads();
	malloc_trim(0);
	return 0;
}
