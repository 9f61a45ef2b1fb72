/*
 * Threads with the smallest stack that there is (PTHREAD_STACK_MIN, 16 KiB), a part of which holds
 * the thread's own data: every slow path in one of its own, on a painted stack. None may need
 * more than MOST_BYTES of it, so that signal handlers on small stacks can live, too.
 * With an argument it prints what each needs.
 */
#include <limits.h>
#include <pthread.h>
#include <sys/mman.h>

#include "semantics/check.h"

#define PAINT 0xa5
/* The deepest is malloc_stats with 4.2 KiB: a buffer for text, and one for what is gathered. */
#define MOST_BYTES 6144

const char *stitch_conf = "on_error=warn,foreign=warn";

static unsigned char *stack;
static FILE *null;
static void *foreign;
static void *batch[20000];

static void do_nothing(void)
{
}

static void first_malloc(void)
{
	free(malloc(100));
}

static void small_blocks(void)
{
	for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i++)
		batch[i] = malloc(16 + i % 8000);
	for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i++)
		free(batch[i]);
}

static void keep_blocks(void)
{
	for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i++)
		batch[i] = malloc(16 + i % 8000);
}

/* Of another thread that has ended: keep_blocks. */
static void free_kept_blocks(void)
{
	for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i++)
		free(batch[i]);
}

static void runs_and_areas(void)
{
	for (size_t bytes = 8000; bytes < (size_t)400 << 20; bytes += bytes / 4) {
		char *block = calloc(1, bytes);

		CHECK(block, "calloc(%zu)", bytes);
		block = realloc(block, bytes + 50000);
		block = realloc(block, 100 + bytes / 3);
		free(block);
		block = aligned_alloc((size_t)4 << 20, bytes);
		free(block);
	}
}

static void trim(void)
{
	keep_blocks();
	for (size_t i = 0; i < sizeof(batch) / sizeof(batch[0]); i += 2)
		free(batch[i]);
	malloc_trim(0);
	for (size_t i = 1; i < sizeof(batch) / sizeof(batch[0]); i += 2)
		free(batch[i]);
	malloc_trim(0);
}

static void figures(void)
{
	CHECK(mallinfo2().arena, "mallinfo2");
	CHECK(mallinfo().arena >= 0, "mallinfo");
}

static void info(void)
{
	CHECK(!malloc_info(0, null), "malloc_info");
}

static void misuse(void)
{
	char *small = malloc(100), *run = malloc(100000), *area = malloc(5000000);

	free(small + 16);
	free(run + 16);
	free(area + 4096);
	free(small);
	free(small);
	free(run);
	free(run);
	free(area);
	free(area);
}

static void too_much(void)
{
	CHECK(!malloc(opaque((size_t)1 << 46)) && errno == ENOMEM, "64 TiB");
}

static void free_foreign(void)
{
	free(foreign);
}

static void *run_on_stack(void *function)
{
	/* A function pointer and an object pointer are one thing here (POSIX: dlsym). */
	void (*work)(void);

	memcpy(&work, &function, sizeof(work));
	work();
	return NULL;
}

/* How many bytes of the stack the thread has written to. */
static size_t depth_of(void (*work)(void))
{
	pthread_attr_t attributes;
	pthread_t thread;
	void *function;
	size_t untouched = 0;

	memcpy(&function, &work, sizeof(function));
	memset(stack, PAINT, PTHREAD_STACK_MIN);
	pthread_attr_init(&attributes);
	CHECK(!pthread_attr_setstack(&attributes, stack, PTHREAD_STACK_MIN), "setstack");
	CHECK(!pthread_create(&thread, &attributes, run_on_stack, function), "pthread_create");
	pthread_join(thread, NULL);
	pthread_attr_destroy(&attributes);
	while (untouched < PTHREAD_STACK_MIN && stack[untouched] == PAINT)
		untouched++;
	return (size_t)PTHREAD_STACK_MIN - untouched;
}

struct step {
	const char *name;
	void (*work)(void);
	bool through_libc; /* its own depth counts: stdio, or the loader's search */
};

static const struct step steps[] = {
	{ "the first malloc of a thread", first_malloc, false },
	{ "small blocks", small_blocks, false },
	{ "small blocks to keep", keep_blocks, false },
	{ "another thread's blocks", free_kept_blocks, false },
	{ "runs and areas", runs_and_areas, false },
	{ "malloc_trim", trim, false },
	{ "mallinfo", figures, false },
	{ "malloc_stats", malloc_stats, false },
	{ "malloc_info", info, true },
	{ "misuse", misuse, false },
	{ "too much", too_much, false },
	{ "a foreign pointer", free_foreign, true },
};

int main(int argc, char **argv)
{
	void *(*libc_malloc)(size_t);
	size_t nothing;
	char *memory;
	int kept = dup(2);

	(void)argv;
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc");
	null = fopen("/dev/null", "w");
	libc_malloc = (__typeof__(libc_malloc))dlsym(dlopen("libc.so.6", RTLD_LAZY), "malloc");
	CHECK(null && libc_malloc && libc_malloc != malloc, "libc's malloc");
	foreign = libc_malloc(100);
	memory = mmap(NULL, 4096 + (size_t)PTHREAD_STACK_MIN, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	CHECK(memory != MAP_FAILED && !mprotect(memory, 4096, PROT_NONE), "mmap");
	stack = (unsigned char *)memory + 4096;
	dup2(fileno(null), 2);
	depth_of(do_nothing); /* what the loader binds once */
	nothing = depth_of(do_nothing);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		size_t depth = depth_of(steps[i].work) - nothing;

		if (argc > 1)
			printf("%6zu bytes: %s\n", depth, steps[i].name);
		dup2(kept, 2);
		CHECK(depth <= MOST_BYTES || steps[i].through_libc, "%zu bytes of stack for %s",
		      depth, steps[i].name);
		dup2(fileno(null), 2);
	}
	return 0;
}
