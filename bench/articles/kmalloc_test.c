/*
 * kmalloc_test.c - what an area of each size takes of memory and of time: the table that a kernel
 * module makes of kmalloc, made of malloc.
 *
 * For each size 1,000 areas are allocated, every page of them is written, and all are freed. Pages
 * are the growth of resident anonymous memory, so that tables of the allocator count and code does
 * not. Each size has a child process of its own, whose heap is that of a program at its start:
 * areas of one size would otherwise lie in what another size has left resident. Nothing here calls
 * malloc but for the areas.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "memory/measure.h"

#define NR_AREAS 1000u
#define MAX_SIZE ((uint64_t)1 << 30)
#define WARM_UP_SIZE 3000u /* of no size that is usually asked for: its pages count for none */

static const char usage[] =
	"usage: kmalloc_test [SIZE]...\n"
	"\n"
	"Allocates 1000 areas of each size (1, 2, 5, ... 500000 bytes), prints what they take:\n"
	"pages of resident memory, bytes an area, ns an allocation (writing to it not included).\n"
	"No pages at all: the allocator had them ready before.\n"
	"Which malloc: whatever LD_PRELOAD brings.\n";

static const uint64_t usual_sizes[] = {
	1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000, 100000, 200000,
	500000,
};

static void **areas;

/* Resident less shared: what no file is behind. */
static uint64_t anonymous_pages(void)
{
	char text[256] = "", *at = text;
	int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	uint64_t resident;

	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		die("cannot read /proc/self/statm");
	close(file);
	strtoull(at, &at, 10);
	resident = strtoull(at, &at, 10);
	return resident - strtoull(at, &at, 10);
}

/* Returns ns. */
static uint64_t allocate(size_t size)
{
	uint64_t start = now_ns();

	for (unsigned int i = 0; i < NR_AREAS; i++)
		areas[i] = malloc(size);
	return now_ns() - start;
}

static void test(uint64_t size)
{
	uint64_t before = anonymous_pages(), ns = allocate((size_t)size), pages;

	for (unsigned int i = 0; i < NR_AREAS; i++) {
		if (!areas[i])
			die("the allocator has no %" PRIu64 " bytes for us", size);
		touch_pages(areas[i], (size_t)size);
	}
	pages = anonymous_pages() - before;
	for (unsigned int i = 0; i < NR_AREAS; i++)
		free(areas[i]);
	printf("%10" PRIu64 " %8u %10" PRIu64 " %12.1f %10.1f\n", size, NR_AREAS, pages,
	       (double)pages * (double)sysconf(_SC_PAGESIZE) / NR_AREAS, (double)ns / NR_AREAS);
}

/* What comes up at the first use is there before: pages of the C library, of the stack. */
static void test_in_child(uint64_t size)
{
	pid_t child = fork();
	int status;

	if (!child) {
		anonymous_pages();
		now_ns();
		test(size);
		fflush(stdout);
		_exit(0);
	}
	if (child < 0 || waitpid(child, &status, 0) != child || status)
		die("no figures of %" PRIu64 " bytes", size);
}

static uint64_t parse_size(const char *text)
{
	char *end;
	uint64_t size = strtoull(text, &end, 10);

	if (end == text || *end || !size || size > MAX_SIZE) {
		fprintf(stderr, "kmalloc_test: %s?\n%s", text, usage);
		exit(2);
	}
	return size;
}

static void print_head(void)
{
	printf("malloc of %s\n%10s %8s %10s %12s %10s\n", malloc_library(), "size", "areas",
	       "pages", "bytes/area", "ns/area");
	fflush(stdout);
}

int main(int argc, char **argv)
{
	if (argc > 1 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	for (int i = 1; i < argc; i++)
		parse_size(argv[i]);
	quiet_stdout();
	areas = map_table(NR_AREAS * sizeof(*areas));
	free(malloc(WARM_UP_SIZE));
	print_head();
	for (int i = 1; i < argc; i++)
		test_in_child(parse_size(argv[i]));
	for (size_t i = 0; argc < 2 && i < sizeof(usual_sizes) / sizeof(*usual_sizes); i++)
		test_in_child(usual_sizes[i]);
	return 0;
}
