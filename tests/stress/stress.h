/*
 * stress.h - what the stress programs share: tagged blocks, time, the resident set, the last word.
 *
 * STRESS_SECONDS (10) in the environment says how long a program goes on. It ends with a line of
 * figures and 0, or with a line that says what was wrong and 1. Programs include this once.
 */
#ifndef TESTS_STRESS_STRESS_H
#define TESTS_STRESS_STRESS_H

#include <fcntl.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "../fuzz/tag.h"
#include "../stitch_api.h"

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct block {
	void *address; /* NULL: none */
	size_t bytes;
	uint64_t id;
};

__attribute__((format(printf, 1, 2))) static inline _Noreturn void die(const char *format, ...)
{
	va_list arguments;

	fflush(stdout);
	va_start(arguments, format);
	fprintf(stderr, "FAILED: ");
	vfprintf(stderr, format, arguments);
	fputc('\n', stderr);
	va_end(arguments);
	_exit(1);
}

static inline double seconds_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec + (double)now.tv_nsec * 1e-9;
}

static inline double stress_end(void)
{
	const char *text = getenv("STRESS_SECONDS");

	return seconds_now() + (text ? atof(text) : 10);
}

/* Mostly small; one in 64 up to 64 KiB, one in 1024 up to 1 MiB. */
static inline size_t stress_size(struct rng *rng)
{
	size_t place = rng_below(rng, 1024);

	if (place == 0)
		return 1 + rng_below(rng, MIB(1));
	if (place < 17)
		return 1 + rng_below(rng, KIB(64));
	return 1 + rng_below(rng, (size_t)16 << rng_below(rng, 8));
}

static inline void block_new(struct block *block, size_t bytes)
{
	static _Atomic uint64_t next_id;

	block->bytes = bytes;
	block->id = atomic_fetch_add_explicit(&next_id, 1, memory_order_relaxed);
	block->address = stitch_malloc(bytes);
	if (!block->address)
		die("malloc(%zu) answered NULL", bytes);
	tag_block(block->address, block->id, bytes);
}

static inline void block_check(const struct block *block)
{
	size_t bad = tag_block_check(block->address, block->id, block->bytes, block->bytes);

	if (bad != TAG_OK)
		die("byte %zu of the block of %zu bytes at %p changed", bad, block->bytes,
		    block->address);
}

static inline void block_free(struct block *block)
{
	if (!block->address)
		return;
	block_check(block);
	stitch_free(block->address);
	block->address = NULL;
}

static inline void block_resize(struct block *block, size_t bytes)
{
	size_t kept = bytes < block->bytes ? bytes : block->bytes;
	size_t bad;

	block->address = stitch_realloc(block->address, bytes);
	if (!block->address)
		die("realloc from %zu to %zu answered NULL", block->bytes, bytes);
	bad = tag_block_check(block->address, block->id, block->bytes, kept);
	if (bad != TAG_OK)
		die("realloc from %zu to %zu: byte %zu changed", block->bytes, bytes, bad);
	block->bytes = bytes;
	tag_block(block->address, block->id, bytes);
}

/* The value in KiB of a line of a file in /proc, e.g. "Rss:" of /proc/self/smaps_rollup. */
static inline size_t proc_kib(const char *path, const char *key)
{
	static char text[16384]; /* one thread at a time asks */
	ssize_t length;
	char *line;
	int file = open(path, O_RDONLY);

	if (file < 0)
		die("cannot open %s", path);
	length = read(file, text, sizeof(text) - 1);
	close(file);
	text[length > 0 ? length : 0] = 0;
	line = strstr(text, key);
	if (!line)
		die("%s has no line %s", path, key);
	return strtoul(line + strlen(key), NULL, 10);
}

static inline size_t resident_bytes(void)
{
	return KIB(proc_kib("/proc/self/smaps_rollup", "Rss:"));
}

/* All blocks have been freed, all other threads are gone: the heap must know it, too. */
static inline void expect_nothing_live(void)
{
	struct mallinfo2 info = stitch_mallinfo2();

	if (!USES_LIBC && info.uordblks + info.hblkhd)
		die("%zu bytes are lost: freed by the program, and live to the heap",
		    info.uordblks + info.hblkhd);
}

static inline void thread_start(pthread_t *thread, void *(*run)(void *), void *argument)
{
	pthread_attr_t attributes;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, KIB(128)); /* a thousand of them fit anywhere */
	error = pthread_create(thread, &attributes, run, argument);
	if (error)
		die("pthread_create: %s", strerror(error));
	pthread_attr_destroy(&attributes);
}

#endif
