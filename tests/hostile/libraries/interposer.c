/*
 * A preload that puts itself before open, mmap, munmap, dlsym, pthread_create and getenv, as
 * tracers and file-system wrappers do, and allocates in each of them: whoever calls one of these
 * with a lock of the allocator held, or before its heap is up, comes back into it. Exits with 3
 * when a function was never called: the test would prove nothing.
 */
#include "semantics/check.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/syscall.h>

extern char **environ;

static atomic_uint nr_open, nr_mmap, nr_munmap, nr_dlsym, nr_create, nr_getenv;

/* Several kinds of memory, and back at once. */
static void allocate(atomic_uint *nr_calls)
{
	static const size_t sizes[] = { 100, 5000, 70000, 3000000 };
	int saved_errno = errno;

	(*nr_calls)++;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		char *block = malloc(sizes[i]);

		CHECK(block, "malloc(%zu) in an interposed function", sizes[i]);
		block[0] = block[sizes[i] - 1] = 1;
		free(realloc(block, sizes[i] + 100));
	}
	errno = saved_errno;
}

static void *next(const char *name, const char *version)
{
	void *function = dlvsym(RTLD_NEXT, name, version);

	return function ? function : dlvsym(RTLD_NEXT, name, "GLIBC_2.34");
}

int open(const char *path, int flags, ...)
{
	allocate(&nr_open);
	return (int)syscall(__NR_openat, AT_FDCWD, path, flags, 0600);
}

void *mmap(void *address, size_t bytes, int protection, int flags, int fd, off_t offset)
{
	allocate(&nr_mmap);
	return (void *)syscall(__NR_mmap, address, bytes, protection, flags, fd, offset);
}

int munmap(void *address, size_t bytes)
{
	allocate(&nr_munmap);
	return (int)syscall(__NR_munmap, address, bytes);
}

/* Who asks for the next one after the caller's own library gets the next after this one. */
void *dlsym(void *handle, const char *name)
{
	void *(*real)(void *, const char *) = (__typeof__(real))next("dlsym", "GLIBC_2.2.5");

	allocate(&nr_dlsym);
	return real(handle, name);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*start)(void *),
		   void *argument)
{
	__typeof__(pthread_create) *real =
		(__typeof__(real))next("pthread_create", "GLIBC_2.2.5");

	allocate(&nr_create);
	return real(thread, attributes, start, argument);
}

char *getenv(const char *name)
{
	size_t length = strlen(name);

	allocate(&nr_getenv);
	for (char **variable = environ; *variable; variable++)
		if (!strncmp(*variable, name, length) && (*variable)[length] == '=')
			return *variable + length + 1;
	return NULL;
}

__attribute__((constructor)) static void first(void)
{
	(void)getenv("HOME");
}

__attribute__((destructor)) static void last(void)
{
	if (!nr_open || !nr_mmap || !nr_munmap || !nr_dlsym || !nr_create || !nr_getenv)
		_exit(3);
}
