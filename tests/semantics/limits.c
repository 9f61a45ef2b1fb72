/*
 * Under limits of address space and data the program starts, runs into them with every size and
 * entry point, gets NULL and ENOMEM, keeps what it had, and goes on once it has freed. So does
 * a thread whose first call comes when nothing is left.
 */
#include <pthread.h>
#include <semaphore.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "semantics/check.h"

#define MIB ((size_t)1 << 20)

/* More than any of the limits: who gets that far runs without one. */
#define TOO_MUCH (1024 * MIB)

struct block {
	struct block *next;
	size_t bytes;
};

static sem_t exhausted, thread_done;

/* The block's size is in its head and, as far as there is room, at its end. */
static struct block *block_new(size_t bytes, struct block *next)
{
	struct block *block = malloc(bytes);

	if (!block)
		return NULL;
	block->next = next;
	block->bytes = bytes;
	if (bytes >= sizeof(*block) + sizeof(bytes))
		memcpy((char *)block + bytes - sizeof(bytes), &bytes, sizeof(bytes));
	return block;
}

static void free_all(struct block *blocks)
{
	while (blocks) {
		struct block *next = blocks->next;
		size_t bytes = blocks->bytes, end = bytes;

		if (bytes >= sizeof(*blocks) + sizeof(bytes))
			memcpy(&end, (char *)blocks + bytes - sizeof(bytes), sizeof(end));
		CHECK(bytes == end, "a block of %zu bytes has %zu at its end", bytes, end);
		free(blocks);
		blocks = next;
	}
}

static struct block *take_all(size_t bytes, struct block *blocks)
{
	size_t total = 0;

	errno = 0;
	for (struct block *block; (block = block_new(bytes, blocks)); blocks = block) {
		/* glibc's does when brk fails and mmap helps. */
		CHECK(!errno || !on_stitchmalloc(), "a successful malloc set errno to %d", errno);
		total += bytes;
		CHECK(total < TOO_MUCH, "no limit in blocks of %zu", bytes);
	}
	CHECK(errno == ENOMEM, "malloc(%zu): errno is %d", bytes, errno);
	return blocks;
}

#define EXPECT_NO_MEMORY(call) \
	do { \
		errno = 0; \
		CHECK(!launder(call), "memory after the last"); \
		CHECK(errno == ENOMEM, "errno is %d", errno); \
	} while (0)

static void every_entry_point_fails(size_t bytes)
{
	char *kept = realloc(NULL, 0), *untouched = kept;

	EXPECT_NO_MEMORY(calloc(1, bytes));
	EXPECT_NO_MEMORY(realloc(NULL, bytes));
	EXPECT_NO_MEMORY(reallocarray(NULL, 2, bytes));
	EXPECT_NO_MEMORY(memalign(64, bytes));
	EXPECT_NO_MEMORY(aligned_alloc(4096, bytes));
	EXPECT_NO_MEMORY(valloc(bytes));
	EXPECT_NO_MEMORY(pvalloc(bytes));
	CHECK(posix_memalign((void **)&untouched, 64, bytes) == ENOMEM, "posix_memalign");
	CHECK(untouched == kept, "posix_memalign wrote its result on failure");
	if (kept)
		EXPECT_NO_MEMORY(realloc(kept, bytes));
	free(kept);
}

static void *first_call_when_nothing_is_left(void *unused)
{
	void *blocks[3];

	sem_wait(&exhausted);
	for (unsigned int i = 0; i < 3; i++) {
		errno = 0;
		blocks[i] = malloc(i * 3000 + 10);
		CHECK(blocks[i] || errno == ENOMEM, "errno is %d", errno);
	}
	for (unsigned int i = 0; i < 3; i++)
		free(blocks[i]);
	sem_post(&thread_done);
	return unused;
}

/* What there was once is there again after everything was freed, if only for one block. */
static void again_after_free(size_t bytes)
{
	struct block *blocks = take_all(bytes, NULL);
	bool had_some = blocks;

	free_all(blocks);
	blocks = block_new(bytes, NULL);
	CHECK(blocks || !had_some, "malloc(%zu) after everything was freed", bytes);
	free_all(blocks);
}

static void exhaust(void)
{
	static const size_t sizes[] = { 5 * MIB, 600000, 50000, 8000, 1000, 100, 16 };
	const size_t nr = sizeof(sizes) / sizeof(sizes[0]);
	struct block *blocks = NULL;
	pthread_t thread;

	CHECK(!sem_init(&exhausted, 0, 0) && !sem_init(&thread_done, 0, 0), "sem_init");
	CHECK(!pthread_create(&thread, NULL, first_call_when_nothing_is_left, NULL),
	      "pthread_create");
	for (size_t i = 0; i < nr; i++)
		again_after_free(sizes[i]);
	for (size_t i = 0; i < nr; i++) {
		blocks = take_all(sizes[i], blocks);
		if (sizes[i] > 10000)
			every_entry_point_fails(sizes[i]);
	}
	sem_post(&exhausted);
	sem_wait(&thread_done);
	free_all(blocks);
	pthread_join(thread, NULL);
	blocks = take_all(100000, NULL);
	CHECK(blocks, "there is no memory at all under this limit");
	free_all(blocks);
}

static void run_under(int resource, const char *name, size_t bytes)
{
	struct rlimit limit = { bytes, bytes };
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (!child) {
		CHECK(!setrlimit((__rlimit_resource_t)resource, &limit), "setrlimit");
		execl("/proc/self/exe", "limits", "exhaust", (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	CHECK(!status, "under %s of %zu MiB: status %#x", name, bytes / MIB, (unsigned int)status);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		exhaust();
		return 0;
	}
	run_under(RLIMIT_AS, "RLIMIT_AS", 64 * MIB);
	run_under(RLIMIT_AS, "RLIMIT_AS", 200 * MIB);
	run_under(RLIMIT_AS, "RLIMIT_AS", 500 * MIB);
	run_under(RLIMIT_DATA, "RLIMIT_DATA", 20 * MIB);
	run_under(RLIMIT_DATA, "RLIMIT_DATA", 200 * MIB);
	return 0;
}
