/*
 * A program that brings its own malloc along, as browsers do: the loader finds it before any
 * preload, so that libc and all libraries use it, and ours sees next to nothing. The program runs
 * through, with what it defines and what it has left to others.
 */
#include "semantics/check.h"

#include <locale.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

/* Blocks of one arena, never used again: enough of an allocator to be told from ours. */
#define ARENA_BYTES ((size_t)1 << 30)
#define HEADER_BYTES 64

static char *arena;
static _Atomic size_t arena_used;
static _Atomic unsigned int nr_freed;
static pthread_once_t arena_once = PTHREAD_ONCE_INIT;

static void map_arena(void)
{
	arena = mmap(NULL, ARENA_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
}

static bool is_own(const void *block)
{
	return (uintptr_t)block - (uintptr_t)arena < ARENA_BYTES;
}

static void *arena_alloc(size_t align, size_t bytes)
{
	size_t at;

	pthread_once(&arena_once, map_arena);
	if (bytes > ARENA_BYTES / 4 || align > 65536)
		return NULL;
	if (align < HEADER_BYTES)
		align = HEADER_BYTES;
	at = atomic_fetch_add(&arena_used, bytes + 2 * align + HEADER_BYTES);
	if (at + bytes + 3 * align > ARENA_BYTES)
		return NULL;
	at = (at + HEADER_BYTES + align - 1) / align * align;
	*(size_t *)(void *)(arena + at - sizeof(size_t)) = bytes;
	return arena + at;
}

void *malloc(size_t bytes)
{
	return arena_alloc(16, bytes);
}

void free(void *block)
{
	if (!block)
		return;
	CHECK(is_own(block), "the program's free got %p", block);
	atomic_fetch_add(&nr_freed, 1);
}

void *calloc(size_t count, size_t bytes)
{
	return malloc(count * bytes);
}

void *realloc(void *block, size_t bytes)
{
	void *copy = malloc(bytes);
	size_t old_bytes = block ? ((size_t *)block)[-1] : 0;

	if (copy && block) {
		memcpy(copy, block, old_bytes < bytes ? old_bytes : bytes);
		free(block);
	}
	return copy;
}

void *memalign(size_t align, size_t bytes)
{
	return arena_alloc(align, bytes);
}

void *aligned_alloc(size_t align, size_t bytes)
{
	return arena_alloc(align, bytes);
}

int posix_memalign(void **block, size_t align, size_t bytes)
{
	*block = arena_alloc(align, bytes);
	return *block ? 0 : ENOMEM;
}

static void libc_uses_it(void)
{
	size_t bytes = 0;
	char *line = NULL, *text = strdup("text");
	FILE *file = tmpfile();

	CHECK(is_own(text), "strdup gave %p", text);
	free(text);
	CHECK(asprintf(&text, "%d", 4711) == 4 && is_own(text), "asprintf gave %p", text);
	free(text);
	fputs("a line\n", file);
	rewind(file);
	CHECK(getline(&line, &bytes, file) == 7 && is_own(line), "getline gave %p", line);
	free(line);
	fclose(file);
	setlocale(LC_ALL, "C.UTF-8");
	setenv("VARIABLE", "value", 1);
}

/* operator new and delete of the C++ runtime's users are ours, and a pair. */
static void operators_are_a_pair(void)
{
	void *(*operator_new)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");
	void (*operator_delete)(void *) = (void (*)(void *))dlsym(RTLD_DEFAULT, "_ZdlPv");

	for (size_t bytes = 1; operator_new && bytes < 10000000; bytes *= 3)
		operator_delete(memset(operator_new(bytes), 1, bytes));
}

static void *thread(void *unused)
{
	(void)unused;
	for (unsigned int i = 0; i < 100; i++)
		libc_uses_it();
	operators_are_a_pair();
	return NULL;
}

static void module_uses_it(void)
{
	void *module = dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL);
	typedef char *demangler(const char *, char *, size_t *, int *);
	demangler *demangle;
	char *text;

	CHECK(module, "dlopen: %s (package libstdc++6)", dlerror());
	demangle = (demangler *)dlsym(module, "__cxa_demangle");
	text = demangle("_Z5probei", NULL, NULL, NULL);
	CHECK(text && !strcmp(text, "probe(int)") && is_own(text), "__cxa_demangle");
	free(text);
	dlclose(module);
}

int main(void)
{
	pthread_t threads[4];
	int status;
	pid_t child;

	libc_uses_it();
	for (unsigned int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, thread, NULL), "pthread_create");
	for (unsigned int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
	module_uses_it();
	child = fork();
	CHECK(child >= 0, "fork");
	if (!child) {
		libc_uses_it();
		operators_are_a_pair();
		exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "the child: %#x",
	      (unsigned int)status);
	CHECK(nr_freed > 1000, "the program's free was called %u times", nr_freed);
	return 0;
}
