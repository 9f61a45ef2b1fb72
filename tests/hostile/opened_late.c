/*
 * The library opened with dlopen, RTLD_LOCAL or RTLD_GLOBAL, late: in a program on libc's malloc
 * whose threads are at work, among many other libraries with thread-local variables, opened
 * before and after. Threads from before and from after use both heaps; a block of either may be
 * freed by the library. It is never closed, though the program tries.
 */
#include "semantics/again.h"

#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/stat.h>

#define NR_THREADS 4
#define NR_COPIES 12
#define NR_BLOCKS 32

static void *(*_Atomic their_malloc)(size_t);
static void (*their_free)(void *);
static int (*_Atomic touch[NR_COPIES])(int);
static _Atomic bool stop;

static void use_local_variables(int *round)
{
	for (int i = 0; i < NR_COPIES; i++)
		if (touch[i])
			CHECK(touch[i](*round) <= *round, "a thread-local variable changed");
	++*round;
}

static void use_heap(void *(*allocate)(size_t), void (*release)(void *))
{
	unsigned char *blocks[NR_BLOCKS];

	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		size_t bytes = 1 + i * i * 100;

		blocks[i] = allocate(bytes);
		CHECK(blocks[i], "malloc(%zu)", bytes);
		memset(blocks[i], (int)i, bytes);
	}
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		CHECK(all_bytes_are(blocks[i], (unsigned char)i, 1 + i * i * 100), "contents");
		release(blocks[i]);
	}
}

static void *at_work(void *unused)
{
	int round = 1;

	while (!stop || round < 40) {
		use_heap(malloc, free);
		if (their_malloc) {
			use_heap(their_malloc, their_free);
			use_heap(malloc, their_free);
		}
		use_local_variables(&round);
	}
	return unused;
}

/* The same file again would be the same library: a copy is another one. */
static void open_copy(int number)
{
	static char path[1000], content[200000];
	char copy[] = "/tmp/opened_late.XXXXXX";
	ssize_t length = readlink("/proc/self/exe", path, 800);
	void *library;
	int from, to;

	CHECK(length > 0, "/proc/self/exe");
	path[length] = '\0';
	strcpy(strrchr(path, '/'), "/libhostile_libraries_tls_user.so");
	from = open(path, O_RDONLY);
	to = mkstemp(copy);
	CHECK(from >= 0 && to >= 0, "%s, %s", path, copy);
	while ((length = read(from, content, sizeof(content))) > 0)
		CHECK(write(to, content, (size_t)length) == length, "write");
	close(from);
	close(to);
	library = dlopen(copy, RTLD_NOW);
	unlink(copy);
	CHECK(library, "dlopen: %s", dlerror());
	touch[number] = (int (*)(int))dlsym(library, "tls_user_touch");
}

static void open_ours(const char *path, int flags)
{
	void *library = dlopen(path, RTLD_NOW | flags);

	CHECK(library, "dlopen: %s", dlerror());
	their_free = (void (*)(void *))dlsym(library, "free");
	their_malloc = (void *(*)(size_t))dlsym(library, "malloc");
	CHECK(their_malloc && their_malloc != malloc, "dlsym");
	dlclose(library);
}

static void run(const char *path, int flags)
{
	pthread_t threads[2 * NR_THREADS];

	for (int i = 0; i < NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, at_work, NULL), "pthread_create");
	for (int i = 0; i < NR_COPIES / 2; i++)
		open_copy(i);
	open_ours(path, flags);
	for (int i = NR_COPIES / 2; i < NR_COPIES; i++)
		open_copy(i);
	for (int i = NR_THREADS; i < 2 * NR_THREADS; i++)
		CHECK(!pthread_create(&threads[i], NULL, at_work, NULL), "pthread_create");
	stop = true;
	for (int i = 0; i < 2 * NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

int main(int argc, char **argv)
{
	const char *library = getenv("LD_PRELOAD");
	char text[1000];
	int status;

	if (argc > 1) {
		run(argv[1] + 1, argv[1][0] == 'G' ? RTLD_GLOBAL : RTLD_LOCAL);
		return 0;
	}
	CHECK(library, "this test wants the library's path in LD_PRELOAD");
	for (const char *flags = "LG"; *flags; flags++) {
		char argument[1000];

		snprintf(argument, sizeof(argument), "%c%s", *flags, library);
		status = run_again(argument, "LD_PRELOAD", NULL, text, sizeof(text));
		CHECK(!status, "opened %c: status %#x: %s", *flags, status, text);
	}
	return 0;
}
