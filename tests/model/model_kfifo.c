/*
 * model_kfifo.c - rings of three types of elements, on memory of each kind, against the numbers of
 * what went in and came out: element number n has a value that only it has.
 */
#include "kunit.h"
#include "stitch/kfifo.h"

/* stitch_kmalloc_array of the ring under test: refuses every other request. */
static unsigned int nr_requests, nr_live;

void *stitch_kmalloc_array(size_t count, size_t bytes, stitch_gfp_t flags)
{
	void *memory = ++nr_requests % 2 ? NULL : malloc(count * bytes);

	EXPECT_EQ(flags, STITCH_GFP_KERNEL);
	nr_live += memory != NULL;
	return memory;
}

void stitch_kfree(const void *object)
{
	nr_live -= object != NULL;
	free((void *)(uintptr_t)object);
}

struct sample {
	uint64_t time;
	uint32_t value[4]; /* no padding: it is compared as bytes */
};

static uint8_t make_byte(uint32_t n)
{
	return (uint8_t)(n ^ n >> 8 ^ n >> 16);
}

static uint32_t make_word(uint32_t n)
{
	return n * 0x9e3779b1u;
}

static struct sample make_sample(uint32_t n)
{
	struct sample sample = { .time = n, .value = { ~n, n * 3, n * 5, n / 7 } };

	return sample;
}

#define MOST 40u

/*
 * run_NAME(fifo, nr_ops, in): steps on a ring that is empty, whose counts are `in`. The twin is
 * in and out.
 */
#define MODEL(name, type, fifo_type) \
	static bool same_##name(type element, uint32_t n) \
	{ \
		type expected = make_##name(n); \
\
		return !memcmp(&element, &expected, sizeof(element)); \
	} \
\
	static void ask_##name(fifo_type *fifo, uint32_t in, uint32_t out) \
	{ \
		ASSERT(stitch_kfifo_validate(fifo)); \
		ASSERT_EQ(stitch_kfifo_len(fifo), in - out); \
		ASSERT_EQ(stitch_kfifo_avail(fifo), stitch_kfifo_size(fifo) - (in - out)); \
		ASSERT_EQ(stitch_kfifo_is_empty(fifo), in == out); \
		ASSERT_EQ(stitch_kfifo_is_full(fifo), in - out == stitch_kfifo_size(fifo)); \
		ASSERT_EQ(fifo->core.in, in); \
		ASSERT_EQ(fifo->core.out, out); \
	} \
\
	static uint32_t put_##name(fifo_type *fifo, uint64_t *dice, uint32_t in, uint32_t out) \
	{ \
		uint32_t room = stitch_kfifo_size(fifo) - (in - out); \
		uint32_t nr = (uint32_t)kunit_below(dice, MOST); \
		type elements[MOST]; \
\
		if (kunit_below(dice, 2)) { \
			ASSERT_EQ(stitch_kfifo_put(fifo, make_##name(in)), room > 0); \
			return in + (room > 0); \
		} \
		for (uint32_t i = 0; i < nr; i++) \
			elements[i] = make_##name(in + i); \
		ASSERT_EQ(stitch_kfifo_in(fifo, elements, nr), nr < room ? nr : room); \
		return in + (nr < room ? nr : room); \
	} \
\
	static void peek_##name(fifo_type *fifo, uint64_t *dice, uint32_t in, uint32_t out) \
	{ \
		uint32_t nr = (uint32_t)kunit_below(dice, MOST), got, tail; \
		uint32_t there = nr < in - out ? nr : in - out; \
		type elements[MOST], *where; \
\
		ASSERT_EQ(stitch_kfifo_peek(fifo, elements), in != out); \
		ASSERT(in == out || same_##name(elements[0], out)); \
		ASSERT_EQ(stitch_kfifo_out_peek(fifo, elements, nr), there); \
		for (uint32_t i = 0; i < there; i++) \
			ASSERT(same_##name(elements[i], out + i)); \
		got = stitch_kfifo_out_linear(fifo, &tail, nr); \
		ASSERT(got <= there && !got == !there); \
		ASSERT_EQ(stitch_kfifo_out_linear_ptr(fifo, &where, nr), got); \
		ASSERT(where == fifo->data + tail); \
		ASSERT(got == there || tail + got == stitch_kfifo_size(fifo)); \
		for (uint32_t i = 0; i < got; i++) \
			ASSERT(same_##name(where[i], out + i)); \
	} \
\
	static uint32_t get_##name(fifo_type *fifo, uint64_t *dice, uint32_t in, uint32_t out) \
	{ \
		uint32_t nr = (uint32_t)kunit_below(dice, MOST); \
		uint32_t there = nr < in - out ? nr : in - out; \
		type elements[MOST]; \
\
		switch (kunit_below(dice, 8)) { \
		case 0: \
			stitch_kfifo_skip(fifo); \
			return out + (in != out); \
		case 1: \
			stitch_kfifo_skip_count(fifo, nr); \
			return out + there; \
		case 2: \
			if (kunit_below(dice, 20)) \
				return out; \
			stitch_kfifo_reset_out(fifo); \
			return in; \
		case 3: \
		case 4: \
			ASSERT_EQ(stitch_kfifo_get(fifo, elements), in != out); \
			ASSERT(in == out || same_##name(elements[0], out)); \
			return out + (in != out); \
		} \
		ASSERT_EQ(stitch_kfifo_out(fifo, elements, nr), there); \
		for (uint32_t i = 0; i < there; i++) \
			ASSERT(same_##name(elements[i], out + i)); \
		return out + there; \
	} \
\
	static void run_##name(fifo_type *fifo, uint64_t nr_ops, uint32_t in) \
	{ \
		uint64_t dice = kunit_seed(); \
		uint32_t out = in; \
\
		fifo->core.in = fifo->core.out = in; \
		for (uint64_t op = 0; op < nr_ops; op++) { \
			if (kunit_below(&dice, 2)) \
				in = put_##name(fifo, &dice, in, out); \
			else \
				out = get_##name(fifo, &dice, in, out); \
			ask_##name(fifo, in, out); \
			peek_##name(fifo, &dice, in, out); \
		} \
		stitch_kfifo_reset(fifo); \
		ask_##name(fifo, 0, 0); \
	}

static STITCH_DEFINE_KFIFO(words, uint32_t, 16);
static STITCH_DECLARE_KFIFO_PTR(samples, struct sample);
static struct stitch_kfifo bytes;

MODEL(byte, uint8_t, struct stitch_kfifo)
MODEL(word, uint32_t, __typeof__(words))
MODEL(sample, struct sample, __typeof__(samples))

/* The counts start where they pass 2^32 soon. */
#define ALMOST ((uint32_t)-1000)

TEST(model_with_memory_of_its_own)
{
	EXPECT(words.data == words.buf && stitch_kfifo_initialized(&words));
	run_word(&words, kunit_ops(300000), ALMOST);
	memset(&words, 0xa5, sizeof(words));
	STITCH_INIT_KFIFO(words);
	EXPECT_EQ(stitch_kfifo_size(&words), 16);
	EXPECT_EQ(stitch_kfifo_esize(&words), 4);
	run_word(&words, 100, 0);
	EXPECT_EQ(stitch_kfifo_init(&words, &words, 100), -EINVAL);
	EXPECT_EQ(stitch_kfifo_alloc(&words, 4, STITCH_GFP_KERNEL), -EINVAL);
	stitch_kfifo_free(&words);
	EXPECT(words.data == words.buf && stitch_kfifo_validate(&words));
}

TEST(model_on_given_memory)
{
	struct sample memory[20], canary;

	memset(memory, 0x5a, sizeof(memory));
	memset(&canary, 0x5a, sizeof(canary));
	STITCH_INIT_KFIFO(samples);
	EXPECT_EQ(stitch_kfifo_init(&samples, memory + 1, sizeof(memory[0]) * 2 - 1), -EINVAL);
	EXPECT(!samples.data && stitch_kfifo_validate(&samples));
	for (uint32_t nr = 2; nr <= 17; nr++) { /* rounded down to 2, 4, 8, 16 */
		EXPECT_EQ(stitch_kfifo_init(&samples, memory + 1, sizeof(memory[0]) * nr), 0);
		EXPECT_EQ(stitch_kfifo_size(&samples), nr < 4 ? 2 : nr < 8 ? 4 : nr < 16 ? 8 : 16);
		run_sample(&samples, kunit_ops(20000), ALMOST);
		EXPECT(!memcmp(&memory[0], &canary, sizeof(canary)));
		EXPECT(!memcmp(&memory[1 + stitch_kfifo_size(&samples)], &canary, sizeof(canary)) ||
		       nr > 16);
		memset(memory, 0x5a, sizeof(memory));
	}
	EXPECT(!memcmp(&memory[17], &canary, sizeof(canary)));
}

TEST(model_on_memory_of_kmalloc)
{
	uint8_t byte;

	STITCH_INIT_KFIFO(bytes);
	for (unsigned int nr = 0; nr < 40; nr++) {
		nr_requests = 0;
		EXPECT(!stitch_kfifo_initialized(&bytes) && !stitch_kfifo_put(&bytes, 1));
		EXPECT(!stitch_kfifo_get(&bytes, &byte) && !stitch_kfifo_out_linear_ptr(
			&bytes, &(uint8_t *){ NULL }, 1));
		EXPECT_EQ(stitch_kfifo_alloc(&bytes, nr, STITCH_GFP_KERNEL), nr < 2 ? -EINVAL :
			  -ENOMEM);
		EXPECT(!bytes.data && stitch_kfifo_validate(&bytes));
		if (nr < 2)
			continue;
		EXPECT_EQ(stitch_kfifo_alloc(&bytes, nr, STITCH_GFP_KERNEL), 0);
		EXPECT(stitch_kfifo_size(&bytes) >= nr && stitch_kfifo_size(&bytes) / 2 < nr);
		run_byte(&bytes, kunit_ops(10000), ALMOST);
		stitch_kfifo_free(&bytes);
		EXPECT_EQ(nr_live, 0);
	}
	EXPECT_EQ(stitch_kfifo_alloc(&bytes, ((size_t)1 << 31) + 1, STITCH_GFP_KERNEL), -EINVAL);
	EXPECT_EQ(stitch_kfifo_alloc(&bytes, (size_t)1 << 32, STITCH_GFP_KERNEL), -EINVAL);
	EXPECT_EQ(stitch_kfifo_init(&bytes, &byte, (size_t)1 << 40), 0); /* nothing is written */
	EXPECT_EQ(stitch_kfifo_size(&bytes), 1u << 31);
}

TEST(init_and_alloc_begin_anew)
{
	struct sample memory[4], sample = make_sample(7);

	STITCH_INIT_KFIFO(samples);
	nr_requests = 1;
	for (unsigned int round = 0; round < 4; round++) {
		if (round < 2)
			EXPECT_EQ(stitch_kfifo_init(&samples, memory, sizeof(memory)), 0);
		else
			EXPECT_EQ(stitch_kfifo_alloc(&samples, 4, STITCH_GFP_KERNEL), 0);
		EXPECT(stitch_kfifo_is_empty(&samples) && stitch_kfifo_put(&samples, sample));
		if (round >= 2)
			stitch_kfree(samples.data);
		nr_requests = 1;
	}
	STITCH_INIT_KFIFO(samples);
	EXPECT(!samples.core.in && !samples.core.out && stitch_kfifo_validate(&samples));
}

/* Whoever asks while both go on never hears of more than there can be. */
TEST(counts_of_two_moments)
{
	STITCH_INIT_KFIFO(words);
	words.core.in = 100;
	words.core.out = 70;
	EXPECT_EQ(stitch_kfifo_len(&words), 16);
	EXPECT_EQ(stitch_kfifo_avail(&words), 0);
	EXPECT(!stitch_kfifo_validate(&words));
	STITCH_INIT_KFIFO(words);
	words.core.size = 12;
	EXPECT(!stitch_kfifo_validate(&words));
	words.core.size = 0;
	EXPECT(!stitch_kfifo_validate(&words));
}

RUN_TESTS
