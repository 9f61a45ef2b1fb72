/*
 * kmalloc's alignment while another thread forks, when memory comes from outside the heap. The
 * forks take long: there is much to share.
 */
#include <pthread.h>
#include <sys/wait.h>

#include "kernel_api.h"
#include "semantics/check.h"

#define NR_FORKS 100
#define SHARED_BYTES (64ul << 20)
#define BYTES 65536
#define KERNEL STITCH_GFP_KERNEL

static _Atomic bool has_forked;

static void *forks(void *unused)
{
	char *shared = malloc(SHARED_BYTES);

	memset(shared, 1, SHARED_BYTES);
	for (int i = 0; i < NR_FORKS; i++) {
		pid_t child = fork();
		int status;

		CHECK(child >= 0, "fork");
		if (!child)
			_exit(0);
		CHECK(waitpid(child, &status, 0) == child && !status, "status %#x",
		      (unsigned int)status);
	}
	free(shared);
	has_forked = true;
	return unused;
}

static void expect_aligned(char *object, const char *what)
{
	CHECK(object && !((size_t)object % STITCH_PAGE_SIZE), "%s: %p", what, (void *)object);
	memset(object, 1, BYTES);
}

int main(void)
{
	pthread_t thread;

	if (!on_stitchmalloc())
		return 0;
	CHECK(!pthread_create(&thread, NULL, forks, NULL), "a thread");
	while (!has_forked) {
		char *object = stitch_kmalloc(BYTES, KERNEL), *zeroed, *small;

		expect_aligned(object, "kmalloc");
		zeroed = stitch_kzalloc(BYTES, KERNEL);
		expect_aligned(zeroed, "kzalloc");
		small = stitch_kmalloc(20000, KERNEL);
		memset(small, 5, 20000);
		small = stitch_krealloc(small, BYTES, KERNEL);
		CHECK(small && small[0] == 5 && small[19999] == 5, "krealloc has lost bytes");
		expect_aligned(small, "krealloc");
		stitch_kfree(small);
		stitch_kfree(zeroed);
		stitch_kfree(object);
	}
	pthread_join(thread, NULL);
	return 0;
}
