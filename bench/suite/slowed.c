/*
 * slowed.c - a library to check the suite with: stitchmalloc, with DELAY_NS added to every malloc.
 * Built with 20 and with 0: their difference is known, so the report must find it, where malloc is
 * called and nowhere else.
 */
#include <time.h>
#include <x86intrin.h>

#include "stitch_api.h"

#define EXPORT __attribute__((visibility("default")))
#define CALIBRATION_NS 200000

static unsigned long long delay_ticks;

static long long now_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000LL + now.tv_nsec;
}

/* The ticks of DELAY_NS, less what it takes to read the counter once more. */
__attribute__((constructor)) static void calibrate(void)
{
	unsigned long long start = __rdtsc(), reading;
	long long start_ns = now_ns(), ns;

	while ((ns = now_ns() - start_ns) < CALIBRATION_NS)
		;
	delay_ticks = (__rdtsc() - start) * DELAY_NS / (unsigned long long)ns;
	start = __rdtsc();
	for (int i = 0; i < 1000; i++)
		(void)*(volatile unsigned long long *)&(unsigned long long){ __rdtsc() };
	reading = (__rdtsc() - start) / 1000;
	delay_ticks = delay_ticks > reading ? delay_ticks - reading : 0;
}

EXPORT void *malloc(size_t bytes)
{
	unsigned long long start;

	if (DELAY_NS)
		for (start = __rdtsc(); __rdtsc() - start < delay_ticks;)
			;
	return stitch_malloc(bytes);
}

EXPORT void free(void *object)
{
	stitch_free(object);
}

EXPORT void *calloc(size_t count, size_t bytes)
{
	return stitch_calloc(count, bytes);
}

EXPORT void *realloc(void *object, size_t bytes)
{
	return stitch_realloc(object, bytes);
}

EXPORT void *reallocarray(void *object, size_t count, size_t bytes)
{
	return stitch_reallocarray(object, count, bytes);
}

EXPORT int posix_memalign(void **object, size_t align, size_t bytes)
{
	return stitch_posix_memalign(object, align, bytes);
}

EXPORT void *aligned_alloc(size_t align, size_t bytes)
{
	return stitch_aligned_alloc(align, bytes);
}

EXPORT void *memalign(size_t align, size_t bytes)
{
	return stitch_memalign(align, bytes);
}

EXPORT size_t malloc_usable_size(void *object)
{
	return stitch_malloc_usable_size(object);
}
