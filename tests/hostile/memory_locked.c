/*
 * mlockall(MCL_FUTURE) with a small memlock limit, as an unprivileged user: new mappings fail with
 * EAGAIN, malloc gives what it can and then NULL and ENOMEM, and frees work. And with everything
 * locked (root may), pages cannot be dropped: freeing and trimming do no harm, and calloc is zero.
 */
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "hostile/load.h"

#define MIB ((size_t)1 << 20)
#define MEMLOCK (256 * 1024)

static struct load load;

static void give_up_root(void)
{
	if (getuid())
		return;
	CHECK(!setgid(65534) && !setuid(65534), "setuid: errno %d", errno);
}

static void work(void)
{
	load_init(&load, 1, 6 * MIB);
	load_work(&load, 1000);
	malloc_trim(0);
	load_work(&load, 1000);
	load_end(&load);
	malloc_trim(0);
}

static void fill(size_t bytes)
{
	void **last = NULL, **block;
	size_t total = 0;

	errno = LOAD_ERRNO;
	while (total < 400 * MIB && (block = malloc(bytes))) {
		*block = last;
		last = block;
		total += bytes;
	}
	CHECK(total >= 400 * MIB || errno == ENOMEM, "errno is %d", errno);
	while (last) {
		block = *last;
		errno = LOAD_ERRNO;
		free(last);
		CHECK(errno == LOAD_ERRNO, "free set errno to %d", errno);
		last = block;
	}
}

/* Each section of a heap under RLIMIT_AS is a new mapping, which is refused. */
static void future_locked(void)
{
	struct rlimit limit = { MEMLOCK, MEMLOCK };

	free(malloc(1));
	give_up_root();
	CHECK(!setrlimit(RLIMIT_MEMLOCK, &limit), "setrlimit");
	CHECK(!mlockall(MCL_FUTURE), "mlockall: errno %d", errno);
	CHECK(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
		      MAP_FAILED, "a mapping of more than the limit");
	for (size_t bytes = 100; bytes < 100 * MIB; bytes *= 30)
		fill(bytes);
	work();
}

static void all_locked(void)
{
	free(malloc(1));
	if (mlockall(MCL_CURRENT | MCL_FUTURE)) {
		CHECK(getuid() || errno == EPERM || errno == ENOMEM, "mlockall: errno %d", errno);
		puts("mlockall of everything is refused here: freeing locked memory not tested");
		return;
	}
	work();
}

static void again(const char *what, size_t address_space)
{
	struct rlimit limit = { address_space, address_space };
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (!child) {
		CHECK(!address_space || !setrlimit(RLIMIT_AS, &limit), "setrlimit");
		execl("/proc/self/exe", "memory_locked", what, (char *)NULL);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	CHECK(!status, "%s with %zu MiB of address space: status %#x", what, address_space / MIB,
	      (unsigned int)status);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (!strcmp(argv[1], "future"))
			future_locked();
		else
			all_locked();
		return 0;
	}
	again("future", 0);
	again("future", 300 * MIB);
	again("all", 0);
	again("all", 300 * MIB);
	return 0;
}
