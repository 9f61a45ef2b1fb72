/* leak_sample.c - see leak_sample.h. */
#include "debug/leak_sample.h"

#include "base/random.h"
#include "core/params.h"

_Thread_local int64_t leak_sample_left __tls_initial_exec;

static _Atomic uint64_t random_state;

#define LOG_BITS 24u

/*
 * -log2(random / 2^64), of LOG_BITS binary places: one for each squaring. In integers, for programs
 * may have floating point exceptions trap.
 */
static uint64_t minus_log2(uint64_t random)
{
	unsigned int zeros = (unsigned int)__builtin_clzll(random | 1);
	uint64_t mantissa = (random | 1) << zeros >> 32; /* [1, 2) with 31 places */
	uint64_t log = 0;

	for (unsigned int i = 0; i < LOG_BITS; i++) {
		mantissa = mantissa * mantissa >> 31;
		log = log << 1 | (mantissa >> 32 != 0);
		mantissa >>= mantissa >> 32 != 0;
	}
	return ((uint64_t)(zeros + 1) << LOG_BITS) - log;
}

/* ln 2, with 32 places. */
#define LN_2 2977044472u

int64_t leak_sample_distance(uint64_t random)
{
	uint64_t log = minus_log2(random) * LN_2 >> 32;

	return (int64_t)((__uint128_t)log * params.leak_sample >> LOG_BITS);
}

/* As leak_sample_left has it. */
static int64_t draw(void)
{
	return 2 * leak_sample_distance(random_next(&random_state)) + 1;
}

/* A new thread's first event is as far away as any other. */
bool leak_sample_draw(void)
{
	bool is_first = !(leak_sample_left & 1);

	if (is_first)
		leak_sample_left += draw();
	if (is_first && leak_sample_left >= 0)
		return false;
	leak_sample_left = draw();
	return true;
}

/* 1 - exp(-x), x >= 0: Taylor's series at x / 2^k, and (1 - e) -> (1 - e)(1 + e) k times. */
static double complement_of_exp(double x)
{
	double term, sum = 0;
	unsigned int nr_halvings = 0;

	if (x > 50)
		return 1;
	for (; x > 0.25; x /= 2)
		nr_halvings++;
	term = x;
	for (unsigned int i = 2; i < 14; i++) {
		sum += term;
		term *= -x / i;
	}
	for (; nr_halvings; nr_halvings--)
		sum *= 2 - sum;
	return sum;
}

struct leak_estimate leak_sample_estimate(size_t bytes)
{
	double size = (double)max_size(bytes, 1);
	double share = complement_of_exp(size / (double)params.leak_sample);

	return (struct leak_estimate){
		.nr_blocks = 1 / share,
		.bytes = (double)bytes / share,
		.variance = (1 - share) / (share * share) * (double)bytes * (double)bytes,
	};
}

static __attribute__((noinline)) struct leak_weight weight_of(size_t bytes)
{
	struct leak_estimate estimate = leak_sample_estimate(bytes);

	return (struct leak_weight){ (uint64_t)(estimate.bytes + 0.5),
				     (uint64_t)(estimate.nr_blocks * (1u << LEAK_FRACTION_BITS)) };
}

/* Of MXCSR, and round to nearest. */
#define MASK_ALL_EXCEPTIONS 0x1f80u

/* The program may have floating point exceptions trap, and look at which there were. */
struct leak_weight leak_sample_weight(size_t bytes)
{
	unsigned int mode = __builtin_ia32_stmxcsr();
	struct leak_weight weight;

	__builtin_ia32_ldmxcsr(MASK_ALL_EXCEPTIONS);
	weight = weight_of(bytes);
	__builtin_ia32_ldmxcsr(mode);
	return weight;
}

/* Of a normal distribution. */
#define DEVIATIONS 1.96

size_t leak_estimate_error(const struct leak_estimate *estimate)
{
	double deviation;

	__asm__("sqrtsd %1, %0" : "=x"(deviation) : "x"(estimate->variance));
	return (size_t)(DEVIATIONS * deviation + 0.5);
}
