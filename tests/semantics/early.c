/*
 * Calls before the library's constructor has run: from the program's preinit array, which comes
 * before every constructor, and from a constructor of the first priority. With an argument
 * the program's first call of all is the one named; every entry point must bring the heap up.
 */
#include <spawn.h>
#include <sys/wait.h>

#include "semantics/check.h"

extern char **environ;

static void *kept[2];
static const char *first_call = "";

static bool is_first(const char *name)
{
	return !strcmp(first_call, name);
}

static void call_first(void)
{
	void *block = NULL;
	int error = 0;

	if (is_first("free"))
		free(NULL);
	else if (is_first("calloc"))
		block = calloc(3, 5);
	else if (is_first("realloc"))
		block = realloc(NULL, 30);
	else if (is_first("reallocarray"))
		block = reallocarray(NULL, 3, 30);
	else if (is_first("posix_memalign"))
		error = posix_memalign(&block, 64, 30);
	else if (is_first("aligned_alloc"))
		block = aligned_alloc(64, 30);
	else if (is_first("memalign"))
		block = memalign(64, 30);
	else if (is_first("valloc"))
		block = valloc(30);
	else if (is_first("pvalloc"))
		block = pvalloc(30);
	else if (is_first("malloc_usable_size"))
		error = malloc_usable_size(NULL) != 0;
	else if (is_first("mallinfo2"))
		error = mallinfo2().uordblks > 1000000;
	else if (is_first("malloc_trim"))
		error = malloc_trim(0) < 0;
	else if (is_first("mallopt"))
		error = mallopt(M_ARENA_MAX, 1) != 1;
	CHECK(!error, "%s as the first call", first_call);
	free(block);
}

static void preinit(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc > 1)
		first_call = argv[1];
	call_first();
	free(NULL);
	kept[0] = malloc(100);
	CHECK(kept[0], "malloc in the preinit array");
	memset(kept[0], 1, 100);
	free(calloc(1, 5000));
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit_entry)(int, char **, char **) = preinit;

__attribute__((constructor(101))) static void constructor(void)
{
	kept[1] = realloc(malloc(10), 300000);
	CHECK(kept[1], "realloc in a constructor");
	memset(kept[1], 2, 300000);
}

static void run_with(const char *self, const char *name)
{
	char *arguments[] = { (char *)(uintptr_t)self, (char *)(uintptr_t)name, NULL };
	int status;
	pid_t child;

	CHECK(!posix_spawn(&child, self, NULL, NULL, arguments, environ), "posix_spawn");
	CHECK(waitpid(child, &status, 0) == child && !status, "%s as the first call: status %d",
	      name, status);
}

int main(int argc, char **argv)
{
	static const char *const names[] = { "free", "calloc", "realloc", "reallocarray",
		"posix_memalign", "aligned_alloc", "memalign", "valloc", "pvalloc",
		"malloc_usable_size", "mallinfo2", "malloc_trim", "mallopt" };

	CHECK(all_bytes_are(kept[0], 1, 100), "an early block was overwritten");
	CHECK(all_bytes_are(kept[1], 2, 300000), "an early block was overwritten");
	free(kept[0]);
	free(kept[1]);
	if (argc > 1)
		return 0;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		run_with(argv[0], names[i]);
	return 0;
}
