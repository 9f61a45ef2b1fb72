/*
 * surroundings_work.c - a program that uses a bit of everything: sizes, threads, a child, and the
 * functions of libc that surroundings.py puts others in front of. The argument "bare" starts it
 * again without any argument, not even its name.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "semantics/check.h"

static void *use_sizes(void *unused)
{
	for (size_t bytes = 1; bytes; bytes = size_after(bytes + bytes / 16)) {
		unsigned char *block = malloc(bytes), *cleared = calloc(1, bytes);

		CHECK(block && cleared, "malloc(%zu)", bytes);
		CHECK(all_bytes_are(cleared, 0, bytes), "calloc(%zu)", bytes);
		memset(block, 3, bytes);
		block = realloc(block, bytes + bytes / 2);
		CHECK(block && all_bytes_are(block, 3, bytes), "realloc from %zu", bytes);
		free(cleared);
		free(block);
	}
	return unused;
}

static void use_libc(void)
{
	int fd = open("/dev/null", O_RDONLY);
	void *memory = mmap(NULL, 10000, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	CHECK(fd >= 0 && memory != MAP_FAILED && !munmap(memory, 10000), "open, mmap, munmap");
	close(fd);
	CHECK(dlsym(RTLD_DEFAULT, "malloc") && !dlsym(RTLD_DEFAULT, "no_such_thing"), "dlsym");
	(void)getenv("PATH");
}

static void use_threads(void)
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, use_sizes, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static void use_child(void)
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (!child) {
		use_sizes(NULL);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "a child ended with %#x", status);
}

extern char **environ;

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "bare")) {
		char *none[] = { NULL };

		execve("/proc/self/exe", none, environ);
		return 2;
	}
	CHECK(on_stitchmalloc(), "this is not stitchmalloc");
	free(realloc(malloc(100), 100000));
	use_sizes(NULL);
	use_libc();
	use_threads();
	use_child();
	malloc_trim(0);
	use_sizes(NULL);
	return 0;
}
