/*
 * test_leak_sample.c - samples are a Poisson process over bytes, and stand for what there is.
 */
#include "kunit.h"

#include "core/params.h"
#include "debug/leak_sample.h"

#include <math.h>
#include <pthread.h>

#define MEAN 4096u
#define NR_THREADS 4000u
#define NR_DRAWS 1000000u

static void setup(void)
{
	params.leak_sample = MEAN;
	leak_sample_left = 0;
}

/* Against the exponential distribution: mean, and the share below each of some distances. */
TEST(distances)
{
	static const double points[] = { 0.01, 0.1, 0.5, 1, 2, 4, 8 };
	uint64_t random = kunit_seed();
	unsigned int below[ARRAY_SIZE(points)] = { 0 };
	double sum = 0;

	setup();
	for (unsigned int i = 0; i < NR_DRAWS; i++) {
		int64_t distance = leak_sample_distance(kunit_random(&random));

		ASSERT(distance >= 0);
		sum += (double)distance + 0.5; /* they are rounded down */
		for (size_t p = 0; p < ARRAY_SIZE(points); p++)
			below[p] += (double)distance < points[p] * MEAN;
	}
	EXPECT(fabs(sum / NR_DRAWS / MEAN - 1) < 0.006); /* six standard deviations */
	for (size_t p = 0; p < ARRAY_SIZE(points); p++) {
		double share = 1 - exp(-points[p]);
		double deviation = sqrt(share * (1 - share) / NR_DRAWS);

		EXPECT(fabs(below[p] / (double)NR_DRAWS - share) < 6 * deviation + 0.0003);
	}
}

TEST(extreme_randoms)
{
	setup();
	EXPECT_EQ(leak_sample_distance(UINT64_MAX), 0);
	EXPECT_EQ(leak_sample_distance((uint64_t)1 << 63), 2839); /* 4096 * ln 2 */
	EXPECT(leak_sample_distance(0) / MEAN == 44);		  /* 64 * ln 2 */
	params.leak_sample = TIB(1);
	EXPECT(leak_sample_distance(0) / (int64_t)TIB(1) == 44);
}

/* Of objects of one size the share that is sampled, and what the samples add up to. */
static void check_size(size_t bytes)
{
	double share = -expm1(-(double)bytes / MEAN), nr_blocks = 0, sum = 0, variance = 0;
	unsigned int nr_hits = 0, nr = NR_DRAWS;

	for (unsigned int i = 0; i < nr; i++) {
		struct leak_estimate one;

		if (!leak_sample_hits(bytes))
			continue;
		one = leak_sample_estimate(bytes);
		nr_hits++;
		nr_blocks += one.nr_blocks;
		sum += one.bytes;
		variance += one.variance;
	}
	EXPECT(fabs(nr_hits / (double)nr - share) <= 6 * sqrt(share * (1 - share) / nr));
	EXPECT(fabs(sum - (double)bytes * nr) <= 6 * sqrt(variance) + 1);
	EXPECT(fabs(nr_blocks - nr) * (double)bytes <= 6 * sqrt(variance) + (double)bytes);
}

TEST(samples_stand_for_all)
{
	setup();
	check_size(1);
	check_size(16);
	check_size(100);
	check_size(MEAN);
	check_size(10 * (size_t)MEAN);
	check_size(1000 * (size_t)MEAN);
}

/* Exactly 1 / (1 - exp(-x)) whatever x. */
TEST(estimates)
{
	setup();
	for (double x = 1e-3; x < 100; x *= 1.01) {
		size_t bytes = (size_t)(x * MEAN);
		double share = -expm1(-(double)bytes / MEAN);

		EXPECT(fabs(leak_sample_estimate(bytes).nr_blocks * share - 1) < 1e-9);
	}
}

static void *hit_once(void *nr_hits)
{
	*(unsigned int *)nr_hits += leak_sample_hits(MEAN);
	return NULL;
}

/* The first event of a new thread is no nearer and no farther than any other. */
TEST(threads_start_anywhere)
{
	unsigned int nr_hits = 0;

	setup();
	for (unsigned int i = 0; i < NR_THREADS; i++) {
		pthread_t thread;

		ASSERT(!pthread_create(&thread, NULL, hit_once, &nr_hits));
		pthread_join(thread, NULL);
	}
	EXPECT(fabs(nr_hits / (double)NR_THREADS - (1 - exp(-1))) < 0.046);
}

RUN_TESTS
