/*
 * test_stackdepot.c - stacks are kept once, whole, by many threads; and private_map.h.
 */
#include "kunit.h"

#include <pthread.h>

#include "debug/private_map.h"
#include "debug/stackdepot.h"

#define NR_STACKS 5000u
#define NR_THREADS 4u
#define EXTRA_BYTES 24u

static void setup(void)
{
	static bool done;

	if (!done)
		ASSERT(stack_depot_init(EXTRA_BYTES));
	done = true;
}

/* The i-th stack: 1 to 64 frames. */
static unsigned int make_stack(size_t i, uintptr_t *pcs)
{
	unsigned int nr = 1 + (unsigned int)(i % STACK_MAX_FRAMES);

	for (unsigned int frame = 0; frame < nr; frame++)
		pcs[frame] = 0x400000 + i * 16 + frame;
	return nr;
}

static bool is_stack(depot_stack_handle handle, size_t i)
{
	uintptr_t pcs[STACK_MAX_FRAMES];
	unsigned int nr = make_stack(i, pcs), nr_kept;
	const uintptr_t *kept = stack_depot_fetch(handle, &nr_kept);

	return nr == nr_kept && !memcmp(kept, pcs, nr * sizeof(*pcs));
}

TEST(equal_stacks_have_one_handle)
{
	static depot_stack_handle handles[NR_STACKS];
	uintptr_t pcs[STACK_MAX_FRAMES];

	setup();
	for (size_t i = 0; i < NR_STACKS; i++) {
		handles[i] = stack_depot_save(pcs, make_stack(i, pcs));
		ASSERT(handles[i]);
		*stack_depot_note(handles[i]) = (uint32_t)i;
	}
	for (size_t i = 0; i < NR_STACKS; i++) {
		EXPECT_EQ(stack_depot_save(pcs, make_stack(i, pcs)), handles[i]);
		EXPECT(is_stack(handles[i], i));
		EXPECT_EQ(*stack_depot_note(handles[i]), i);
	}
}

TEST(a_beginning_is_another_stack)
{
	uintptr_t pcs[] = { 1, 2, 3 };
	unsigned int nr;

	setup();
	EXPECT(stack_depot_save(pcs, 3) != stack_depot_save(pcs, 2));
	EXPECT(!stack_depot_fetch(0, &nr));
	EXPECT_EQ(nr, 0);
}

static void count(void *seen, depot_stack_handle handle)
{
	uint64_t *extra = stack_depot_extra(handle);

	for (size_t i = 0; i < EXTRA_BYTES / sizeof(*extra); i++)
		*(uint64_t *)seen += extra[i];
}

/* Each stack's own, zero at first, and every stack is visited once. */
TEST(extra_bytes)
{
	uint64_t before = 0, after = 0;
	uintptr_t pcs[STACK_MAX_FRAMES];

	setup();
	stack_depot_visit(count, &before);
	EXPECT_EQ(before, 0);
	for (size_t i = 0; i < 100; i++) {
		uint64_t *extra = stack_depot_extra(
			stack_depot_save(pcs, make_stack(3 * NR_STACKS + i, pcs)));

		EXPECT_EQ((uintptr_t)extra % sizeof(*extra), 0);
		for (size_t j = 0; j < EXTRA_BYTES / sizeof(*extra); j++)
			extra[j] = i + 1;
	}
	for (size_t i = 0; i < 100; i++)
		EXPECT(is_stack(stack_depot_save(pcs, make_stack(3 * NR_STACKS + i, pcs)),
				3 * NR_STACKS + i));
	stack_depot_visit(count, &after);
	EXPECT_EQ(after, EXTRA_BYTES / sizeof(uint64_t) * 100 * 101 / 2);
}

static depot_stack_handle by_thread[NR_THREADS][NR_STACKS];

static void *save_all(void *argument)
{
	size_t thread = (size_t)argument;
	uintptr_t pcs[STACK_MAX_FRAMES];

	for (size_t i = 0; i < NR_STACKS; i++)
		by_thread[thread][i] = stack_depot_save(pcs, make_stack(NR_STACKS + i, pcs));
	return NULL;
}

TEST(threads_that_save_the_same_get_the_same)
{
	pthread_t threads[NR_THREADS];

	setup();
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_create(&threads[i], NULL, save_all, (void *)i);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < NR_STACKS; i++) {
		EXPECT(is_stack(by_thread[0][i], NR_STACKS + i));
		for (size_t thread = 1; thread < NR_THREADS; thread++)
			EXPECT_EQ(by_thread[thread][i], by_thread[0][i]);
	}
}

TEST(private_ranges_are_found_in_order)
{
	char *low = private_map(KIB(8)), *high = private_map(KIB(8)), *other;
	static char own[64];
	uintptr_t first, last, all = ~(uintptr_t)0;
	unsigned int nr = 0;

	if (low > high) {
		other = low;
		low = high;
		high = other;
	}
	private_add(own, sizeof(own));
	EXPECT(private_find((uintptr_t)low + 4096, (uintptr_t)high + 4096, &first, &last));
	EXPECT_EQ(first, (uintptr_t)low + 4096);
	EXPECT_EQ(last, (uintptr_t)low + 8192);
	EXPECT(private_find(last, (uintptr_t)high + 4096, &first, &last));
	EXPECT_EQ(first, (uintptr_t)high);
	EXPECT_EQ(last, (uintptr_t)high + 4096);
	EXPECT(private_find((uintptr_t)own, (uintptr_t)own + 1, &first, &last));
	EXPECT_EQ(last, (uintptr_t)own + 1);
	private_unmap(low);
	EXPECT(!private_find((uintptr_t)low, (uintptr_t)low + 8192, &first, &last));
	private_unmap(high);
	for (uintptr_t at = 0; private_find(at, all, &first, &last) && nr < 100; at = last)
		nr++;
	EXPECT_EQ(nr, 1 + 1); /* what was added; the depot */
	private_unmap(NULL);
}

RUN_TESTS
