/*
 * fork with other threads in the middle of malloc: parent and child both go on, blocks keep their
 * contents on both sides, and the child may start threads, fork again and exit normally.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "semantics/check.h"

#define NR_FORKS 25u
#define NR_THREADS 3u
#define NR_BLOCKS 160u

static _Atomic bool stop;

static size_t size_of(unsigned int i)
{
	return 1 + (size_t)i * i * (i % 50 ? 1 : 40);
}

static void *churns(void *unused)
{
	for (unsigned int i = 0; !stop; i = (i + 7) % NR_BLOCKS) {
		void *block = malloc(size_of(i));

		CHECK(block, "malloc(%zu)", size_of(i));
		memset(block, 1, size_of(i) % 5000);
		free(block);
	}
	return unused;
}

static void *works(void *unused)
{
	void *blocks[NR_BLOCKS];

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = malloc(size_of(i));
		CHECK(blocks[i], "malloc(%zu) after fork", size_of(i));
		memset(blocks[i], (int)i, size_of(i));
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		CHECK(all_bytes_are(blocks[i], (unsigned char)i, size_of(i)),
		      "a block was overwritten after fork");
		free(blocks[i]);
	}
	return unused;
}

static void expect_success_of(pid_t child)
{
	int status;

	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	CHECK(!status, "the child's status is %#x", (unsigned int)status);
}

static void child_life(void **inherited)
{
	pthread_t thread;
	pid_t grandchild;

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		CHECK(all_bytes_are(inherited[i], (unsigned char)~i, size_of(i)),
		      "an inherited block changed");
		free(inherited[i]);
	}
	works(NULL);
	CHECK(!pthread_create(&thread, NULL, works, NULL), "pthread_create in the child");
	works(NULL);
	pthread_join(thread, NULL);
	grandchild = fork();
	CHECK(grandchild >= 0, "fork in the child");
	if (!grandchild) {
		works(NULL);
		exit(0);
	}
	expect_success_of(grandchild);
	exit(0);
}

int main(void)
{
	pthread_t threads[NR_THREADS];
	void *blocks[NR_BLOCKS];

	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		memset(blocks[i] = malloc(size_of(i)), (int)~i, size_of(i));
	for (unsigned int i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, churns, NULL), "pthread_create");
	for (unsigned int i = 0; i < NR_FORKS; i++) {
		pid_t child = fork();

		CHECK(child >= 0, "fork");
		if (!child)
			child_life(blocks);
		expect_success_of(child);
		works(NULL);
	}
	stop = true;
	for (unsigned int i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		CHECK(all_bytes_are(blocks[i], (unsigned char)~i, size_of(i)),
		      "the parent's block changed");
		free(blocks[i]);
	}
	return 0;
}
