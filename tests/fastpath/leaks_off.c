/*
 * leaks_off.c - while nobody looks for leaks, a call executes as many instructions as in a library
 * that cannot (STITCH_LEAKS=OFF).
 *
 * The program runs itself twice, under either library, and compares what the two print: for each
 * line of one script the instructions of the calls in it, counted by single steps. The same in both
 * runs are addresses (no randomization), the length of the environment, and all that depends on
 * time: nothing is freed by age, and no frames are moved, whose costs are measured in use.
 *
 *	leaks_off LIBRARY LIBRARY_WITHOUT	1 if they differ
 *	leaks_off --count			what a run prints, under LD_PRELOAD
 *
 * Not in it: the boot of the heap, which reads options; kmem_cache_create, once a cache; pages of
 * HIGHMEM, which are had with all signals blocked, that of a step, too.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fastpath/trap.h"
#include "kernel_api.h"

#define NR_OBJECTS 200u
#define NR_BLOCKS 4u
#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)

/* ---- counting ---- */

static _Thread_local uint64_t nr_steps;

static void on_trap(int number)
{
	(void)number;
	nr_steps++;
}

static void print_count(const char *name)
{
	printf("%s\t%llu\n", name, (unsigned long long)nr_steps);
	nr_steps = 0;
}

/* Each a line of the script: its name, and the instructions of all that is in it. */
#define COUNTED(name, ...) \
	do { \
		trap_flag_set(); \
		__VA_ARGS__; \
		trap_flag_clear(); \
		print_count(name); \
	} while (0)

/* ---- the script ---- */

static void *objects[NR_OBJECTS], *blocks[NR_BLOCKS];
static void *volatile object;
static volatile size_t size;

static void alloc_objects(size_t bytes)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		objects[i] = malloc(bytes);
}

static void calloc_objects(size_t bytes)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		objects[i] = calloc(1, bytes);
}

static void free_objects(void)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		free(objects[i]);
}

static void alloc_blocks(size_t bytes)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		blocks[i] = malloc(bytes);
}

static void free_blocks(void)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		free(blocks[i]);
}

static void count_objects(void)
{
	COUNTED("malloc(64), the first", object = malloc(64));
	COUNTED("free(64)", free(object));
	COUNTED("malloc(64), a hit", object = malloc(64));
	COUNTED("free(64), a hit", free(object));
	COUNTED("malloc(48), 200: refills, slabs", alloc_objects(48));
	COUNTED("free(48), 200: flushes", free_objects());
	COUNTED("malloc(48), 200 again", alloc_objects(48));
	COUNTED("free(48), 200 again", free_objects());
	COUNTED("malloc(5000), 200", alloc_objects(5000));
	COUNTED("free(5000), 200", free_objects());
	COUNTED("calloc(100), 200", calloc_objects(100));
	COUNTED("malloc_usable_size(100)", size = malloc_usable_size(objects[0]));
	COUNTED("free(100), 200", free_objects());
	COUNTED("calloc(100), a hit", object = calloc(1, 100));
	COUNTED("free(100), a hit", free(object));
	COUNTED("free(NULL)", free(NULL));
	COUNTED("malloc(SIZE_MAX)", object = malloc(SIZE_MAX));
}

static void count_blocks(void)
{
	COUNTED("malloc(20 KiB), 4", alloc_blocks(KIB(20)));
	COUNTED("malloc_usable_size(20 KiB)", size = malloc_usable_size(blocks[0]));
	COUNTED("free(20 KiB), 4", free_blocks());
	COUNTED("malloc(300 KiB), 4", alloc_blocks(KIB(300)));
	COUNTED("free(300 KiB), 4", free_blocks());
	COUNTED("malloc(5 MiB), 4", alloc_blocks(MIB(5)));
	COUNTED("malloc_usable_size(5 MiB)", size = malloc_usable_size(blocks[0]));
	COUNTED("free(5 MiB), 4", free_blocks());
	COUNTED("calloc(300 KiB)", object = calloc(1, KIB(300)));
	COUNTED("free(300 KiB)", free(object));
	COUNTED("calloc(5 MiB)", object = calloc(1, MIB(5)));
	COUNTED("free(5 MiB)", free(object));
}

static void count_resizes(void)
{
	static const size_t sizes[] = { 100, 110, 1000, 300, KIB(5), KIB(40), KIB(20), KIB(700),
					MIB(3), MIB(9), KIB(200), 24 };
	char name[64];

	object = NULL;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		snprintf(name, sizeof(name), "realloc to %zu", sizes[i]);
		COUNTED(name, object = realloc(object, sizes[i]));
	}
	COUNTED("realloc to 0", object = realloc(object, 0));
	COUNTED("reallocarray", object = reallocarray(NULL, 7, 9));
	free(object);
}

static void count_aligned(void)
{
	void *result = NULL;

	COUNTED("memalign(64, 100)", objects[0] = memalign(64, 100));
	COUNTED("memalign(256, 700)", objects[1] = memalign(256, 700));
	COUNTED("memalign(64 KiB, 5000)", objects[2] = memalign(KIB(64), 5000));
	COUNTED("memalign(1 MiB, 300 KiB)", objects[3] = memalign(MIB(1), KIB(300)));
	COUNTED("aligned_alloc(32, 64)", objects[4] = aligned_alloc(32, 64));
	COUNTED("posix_memalign(64, 4000)", posix_memalign(&result, 64, 4000));
	objects[5] = result;
	COUNTED("valloc(100)", objects[6] = valloc(100));
	COUNTED("pvalloc(100)", objects[7] = pvalloc(100));
	for (unsigned int i = 0; i < 8; i++)
		COUNTED("free of aligned", free(objects[i]));
}

/* ---- threads: they take turns, by being joined ---- */

static void *first_calls(void *unused)
{
	COUNTED("malloc(64), a thread's first", object = malloc(64));
	COUNTED("free(64), a thread's first", free(object));
	COUNTED("free(48), 200 of another thread", free_objects());
	return unused;
}

static void *first_frees(void *unused)
{
	COUNTED("free(48), 200 of another thread, without a malloc", free_objects());
	return unused;
}

static void *first_call(void *what)
{
	switch (*(const char *)what) {
	case 'c':
		COUNTED("calloc(64), a thread's first", object = calloc(1, 64));
		break;
	case 'r':
		COUNTED("realloc(300 KiB), a thread's first", object = realloc(NULL, KIB(300)));
		break;
	case 'm':
		COUNTED("memalign(64, 64), a thread's first", object = memalign(64, 64));
		break;
	case 'g':
		COUNTED("realloc of another thread's, a thread's first",
			object = realloc(objects[0], 200));
		break;
	}
	return NULL;
}

static void in_thread(void *(*what)(void *), const void *argument)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, what, (void *)(uintptr_t)argument))
		exit(2);
	pthread_join(thread, NULL);
}

static void count_threads(void)
{
	alloc_objects(48);
	in_thread(first_calls, NULL);
	COUNTED("malloc(48), 200 that came back", alloc_objects(48));
	in_thread(first_frees, NULL);
	COUNTED("malloc(48), 200 that came back", alloc_objects(48));
	in_thread(first_call, "calloc");
	in_thread(first_call, "realloc");
	in_thread(first_call, "memalign");
	in_thread(first_call, "grow");
	objects[0] = object;
	free_objects();
}

/* ---- the kernel's functions ---- */

static void kmalloc_objects(size_t bytes, stitch_gfp_t flags)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		objects[i] = stitch_kmalloc(bytes, flags);
}

static void kfree_objects(void)
{
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		stitch_kfree(objects[i]);
}

static void count_kmalloc(void)
{
	COUNTED("kmalloc(128), 200", kmalloc_objects(128, STITCH_GFP_KERNEL));
	COUNTED("kfree(128), 200", kfree_objects());
	COUNTED("kmalloc(48), 200", kmalloc_objects(48, STITCH_GFP_KERNEL));
	COUNTED("kfree(48), 200", kfree_objects());
	COUNTED("kmalloc(128), a hit", object = stitch_kmalloc(128, STITCH_GFP_KERNEL));
	COUNTED("kfree(128), a hit", stitch_kfree(object));
	COUNTED("kzalloc(128), a hit", object = stitch_kzalloc(128, STITCH_GFP_KERNEL));
	COUNTED("krealloc to 300", object = stitch_krealloc(object, 300, STITCH_GFP_KERNEL));
	COUNTED("krealloc to 30 KiB", object = stitch_krealloc(object, KIB(30),
							       STITCH_GFP_KERNEL));
	COUNTED("krealloc to 90 KiB", object = stitch_krealloc(object, KIB(90),
							       STITCH_GFP_KERNEL));
	COUNTED("ksize", size = stitch_ksize(object));
	COUNTED("kfree(90 KiB)", stitch_kfree(object));
	COUNTED("kzalloc(300 KiB)", object = stitch_kzalloc(KIB(300), STITCH_GFP_KERNEL));
	COUNTED("kfree(300 KiB)", stitch_kfree(object));
	COUNTED("kmalloc(64, GFP_ATOMIC)", object = stitch_kmalloc(64, STITCH_GFP_ATOMIC));
	COUNTED("kfree(64)", stitch_kfree(object));
	COUNTED("kmalloc(64, GFP_DMA)", object = stitch_kmalloc(64, STITCH_GFP_KERNEL |
							       STITCH__GFP_DMA));
	COUNTED("kfree(64)", stitch_kfree(object));
}

struct cached {
	struct stitch_kmem_cache *cache;
	void *object;
};

static void *first_cache_free(void *cached)
{
	const struct cached *one = cached;

	COUNTED("kmem_cache_free, a thread's first", stitch_kmem_cache_free(one->cache,
									    one->object));
	return NULL;
}

static void count_cache(unsigned int bytes, stitch_slab_flags_t flags)
{
	struct stitch_kmem_cache *cache = stitch_kmem_cache_create("test", bytes, 0, flags, NULL);

	COUNTED("kmem_cache_alloc, 200", for (unsigned int i = 0; i < NR_OBJECTS; i++)
		objects[i] = stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL));
	COUNTED("kmem_cache_free, 200", for (unsigned int i = 0; i < NR_OBJECTS; i++)
		stitch_kmem_cache_free(cache, objects[i]));
	COUNTED("kmem_cache_zalloc", object = stitch_kmem_cache_zalloc(cache, STITCH_GFP_KERNEL));
	COUNTED("kmem_cache_free", stitch_kmem_cache_free(cache, object));
	COUNTED("kmem_cache_alloc, GFP_ATOMIC",
		object = stitch_kmem_cache_alloc(cache, STITCH_GFP_ATOMIC));
	COUNTED("kmem_cache_free", stitch_kmem_cache_free(cache, object));
	object = stitch_kmem_cache_alloc(cache, STITCH_GFP_KERNEL);
	in_thread(first_cache_free, &(struct cached){ cache, object });
	stitch_kmem_cache_destroy(cache);
}

static void count_pages(void)
{
	struct stitch_page *page;
	unsigned long address;

	COUNTED("alloc_pages, order 0", page = stitch_alloc_pages(STITCH_GFP_KERNEL, 0));
	COUNTED("__free_pages, order 0", stitch_free_pages_of(page, 0));
	COUNTED("alloc_pages, order 9", page = stitch_alloc_pages(STITCH_GFP_KERNEL, 9));
	COUNTED("__free_pages, order 9", stitch_free_pages_of(page, 9));
	COUNTED("get_free_pages, order 2", address = stitch_get_free_pages(STITCH_GFP_KERNEL, 2));
	COUNTED("free_pages, order 2", stitch_free_pages(address, 2));
	COUNTED("get_zeroed_page", address = stitch_get_zeroed_page(STITCH_GFP_KERNEL));
	COUNTED("free_pages, order 0", stitch_free_pages(address, 0));
	COUNTED("get_free_pages, GFP_ATOMIC",
		address = stitch_get_free_pages(STITCH_GFP_ATOMIC, 0));
	COUNTED("free_pages, order 0", stitch_free_pages(address, 0));
	COUNTED("alloc_pages_exact", object = stitch_alloc_pages_exact(KIB(20), STITCH_GFP_KERNEL));
	COUNTED("free_pages_exact", stitch_free_pages_exact(object, KIB(20)));
	COUNTED("vmalloc", object = stitch_vmalloc(KIB(300)));
	COUNTED("vfree", stitch_vfree(object));
	COUNTED("vzalloc", object = stitch_vzalloc(KIB(30)));
	COUNTED("vfree", stitch_vfree(object));
}

static int print_counts(void)
{
	static char buffer[KIB(64)];
	struct sigaction action = { .sa_handler = on_trap };

	sigaction(SIGTRAP, &action, NULL);
	setvbuf(stdout, buffer, _IOFBF, sizeof(buffer)); /* malloc is the script's alone */
	count_objects();
	count_blocks();
	count_resizes();
	count_aligned();
	count_threads();
	count_kmalloc();
	count_cache(72, 0); /* malloc's own class */
	count_cache(72, STITCH_SLAB_NO_MERGE);
	count_pages();
	return 0;
}

/* ---- the two runs ---- */

/*
 * rep movsb is as many steps as bytes. The last variable makes all environments equally long, so
 * that stacks begin at the same address.
 */
static void become_run(const char *library, const char *other)
{
	static char preload[4096], filler[4096];
	char *environment[] = {
		preload, filler, "LD_BIND_NOW=1",
		"STITCH_CONF=retain=1T,stitch=off,thp=never",
		"GLIBC_TUNABLES=glibc.cpu.x86_rep_movsb_threshold=1000000000:"
		"glibc.cpu.x86_rep_stosb_threshold=1000000000",
		NULL
	};
	char *arguments[] = { "/proc/self/exe", "--count", NULL };
	size_t length = strlen(library), longest = strlen(other) > length ? strlen(other) : length;

	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
	snprintf(filler, sizeof(filler), "FILLER=%*s", (int)(longest - length + 1), "");
	personality(ADDR_NO_RANDOMIZE);
	execve(arguments[0], arguments, environment);
}

static FILE *start_run(const char *library, const char *other, pid_t *pid)
{
	int ends[2];

	if (pipe(ends) || (*pid = fork()) < 0) {
		perror("leaks_off");
		exit(2);
	}
	if (!*pid) {
		dup2(ends[1], STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		become_run(library, other);
		_exit(2);
	}
	close(ends[1]);
	return fdopen(ends[0], "r");
}

struct line {
	char name[80];
	unsigned long long count;
};

static bool read_line(FILE *run, struct line *line)
{
	return fscanf(run, " %79[^\t]\t%llu", line->name, &line->count) == 2;
}

static bool has_ended_well(pid_t pid)
{
	int status;

	return waitpid(pid, &status, 0) == pid && WIFEXITED(status) && !WEXITSTATUS(status);
}

/* How many lines of the script differ; -1: the runs do not have the same lines. */
static int compare(FILE *run, FILE *run_without)
{
	struct line line, without;
	int nr_different = 0;

	printf("%-52s %10s %10s\n", "", "off", "without");
	while (read_line(run, &line)) {
		bool differs;

		if (!read_line(run_without, &without) || strcmp(line.name, without.name))
			return -1;
		differs = line.count != without.count;
		nr_different += differs;
		printf("%-52s %10llu %10llu%s\n", line.name, line.count, without.count,
		       differs ? "  DIFFERENT" : "");
	}
	return read_line(run_without, &without) ? -1 : nr_different;
}

int main(int argc, char **argv)
{
	int nr_different;
	FILE *runs[2];
	pid_t pids[2];

	if (argc == 2 && !strcmp(argv[1], "--count"))
		return print_counts();
	if (argc != 3) {
		fprintf(stderr, "leaks_off LIBRARY LIBRARY_WITHOUT\n");
		return 2;
	}
	for (int i = 0; i < 2; i++)
		runs[i] = start_run(argv[1 + i], argv[2 - i], &pids[i]);
	nr_different = compare(runs[0], runs[1]);
	for (int i = 0; i < 2; i++) {
		fclose(runs[i]);
		if (!has_ended_well(pids[i]))
			nr_different = -1;
	}
	fflush(stdout);
	if (nr_different < 0)
		fprintf(stderr, "leaks_off: a run has failed\n");
	else if (nr_different)
		fprintf(stderr, "leaks_off: %d lines differ\n", nr_different);
	return nr_different != 0;
}
