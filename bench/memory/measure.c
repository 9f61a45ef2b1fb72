/*
 * measure.c - memory, faults and time of this process, from the kernel's books.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "measure.h"

_Noreturn void die(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	fprintf(stderr, "%s: ", program_invocation_short_name);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
	_exit(1);
}

/* All of it is resident from the start, so that the baseline has it. */
void *map_table(size_t bytes)
{
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for a table of %zu bytes", bytes);
	return p;
}

void quiet_stdout(void)
{
	static char buffer[4096];

	setvbuf(stdout, buffer, _IOLBF, sizeof(buffer));
}

uint64_t now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

void sleep_until(uint64_t ns)
{
	struct timespec until = { (time_t)(ns / 1000000000), (long)(ns % 1000000000) };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &until, NULL) == EINTR)
		;
}

/* The number of KiB behind `name` in a book of ours. */
static uint64_t book_bytes(const char *path, const char *name)
{
	char text[8192], *found;
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);

	if (length <= 0)
		die("cannot read %s: %s", path, strerror(errno));
	close(fd);
	text[length] = '\0';
	found = strstr(text, name);
	if (!found)
		die("no %s in %s", name, path);
	return strtoull(found + strlen(name), NULL, 10) * 1024;
}

static uint64_t above(const struct measure *measure, uint64_t bytes)
{
	return bytes > measure->baseline_bytes ? bytes - measure->baseline_bytes : 0;
}

uint64_t resident_above(const struct measure *measure)
{
	return above(measure, book_bytes("/proc/self/status", "VmRSS:"));
}

uint64_t peak_above(const struct measure *measure)
{
	return above(measure, book_bytes("/proc/self/status", "VmHWM:"));
}

void measure_reset_peak(void)
{
	int fd = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, "5", 1) != 1)
		die("cannot reset the peak: /proc/self/clear_refs: %s", strerror(errno));
	close(fd);
}

void measure_start(struct measure *measure)
{
	measure_reset_peak();
	measure->baseline_bytes = 0;
	measure->baseline_bytes = resident_above(measure);
	measure->start_ns = now_ns();
	getrusage(RUSAGE_SELF, &measure->start);
}

static double seconds_since(struct timeval since, struct timeval now)
{
	return (double)(now.tv_sec - since.tv_sec) + (double)(now.tv_usec - since.tv_usec) / 1e6;
}

const char *malloc_library(void)
{
	Dl_info info;

	if (!dladdr((void *)(uintptr_t)malloc, &info) || !info.dli_fname)
		return "?";
	return info.dli_fname;
}

void measure_print(const struct measure *measure)
{
	double wall = (double)(now_ns() - measure->start_ns) / 1e9, user, system;
	struct rusage now;
	uint64_t faults;

	getrusage(RUSAGE_SELF, &now);
	user = seconds_since(measure->start.ru_utime, now.ru_utime);
	system = seconds_since(measure->start.ru_stime, now.ru_stime);
	faults = (uint64_t)(now.ru_minflt - measure->start.ru_minflt);
	printf("allocator: %s\nbaseline KiB: %" PRIu64 "\nuser s: %.3f\nsystem s: %.3f\n"
	       "wall s: %.3f\nfaults: %" PRIu64 "\npeak KiB: %" PRIu64 "\n", malloc_library(),
	       measure->baseline_bytes / 1024, user, system, wall, faults,
	       peak_above(measure) / 1024);
	printf("figures: cpu_s=%.6f wall_s=%.6f faults=%" PRIu64 " peak_kib=%" PRIu64 "\n",
	       user + system, wall, faults, peak_above(measure) / 1024);
}

uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

double random_unit(uint64_t *state)
{
	return (double)(random_next(state) >> 11) * 0x1p-53;
}

void touch_pages(char *p, size_t bytes)
{
	for (size_t i = 0; i < bytes; i += TOUCH_STEP)
		*(volatile char *)(p + i) = 1;
	*(volatile char *)(p + bytes - 1) = 1;
}
