/*
 * model_failures.c - the n-th system call fails, for every n: out of memory is an answer.
 *
 * A fixed, seeded workload over the whole of kmalloc runs again and again, each time in a process
 * of its own: small objects, runs and areas, zeroed, aligned and resized, by three threads that
 * free each other's blocks, end and are followed by others, with trims and reports between. In
 * each run another system call fails, once or from there on. Proved: every result is NULL
 * or right, every invariant holds, what was there is intact, everything can be freed, nothing is
 * lost by it, and once the kernel serves again so does the heap.
 *
 * That the workload reaches as many calls as are made to fail is checked, too.
 */
#include <errno.h>
#include <sys/mman.h>

#include "core/report.h"
#include "kunit.h"
#include "isolated.h"

#define NR_CALLS_FAILED 500u
#define NR_OPS 1700u
#define OPS_AFTER 30u
#define NR_THREADS 3u
#define NR_BLOCKS 24u

static const int errors[] = { ENOMEM, EPERM, ENOSYS, EAGAIN, EINVAL };
#define NR_ERRORS (sizeof(errors) / sizeof(errors[0]))

struct block {
	unsigned char *bytes;
	size_t size;
	unsigned char tag;
};

static struct block blocks[NR_BLOCKS];
static struct slot *threads[NR_THREADS]; /* what current_slot is in each */
static unsigned int running;
static uint64_t random_state;
static unsigned char last_tag;

/* Where a block is written: its ends, and the ends of the pages in its first, middle, last. */
#define EDGE 32u

static void for_each_edge(struct block *block, size_t limit,
			  void (*visit)(struct block *block, size_t from, size_t to))
{
	size_t size = min_size(block->size, limit), page = align_down(size / 2, PAGE_SIZE);

	visit(block, 0, min_size(size, EDGE));
	if (page)
		visit(block, page, min_size(size, page + EDGE));
	visit(block, size - min_size(size, EDGE), size);
}

static void edge_fill(struct block *block, size_t from, size_t to)
{
	memset(block->bytes + from, block->tag, to - from);
}

static void edge_check(struct block *block, size_t from, size_t to)
{
	for (; from < to; from++)
		ASSERT_EQ(block->bytes[from], block->tag);
}

static void edge_is_zero(struct block *block, size_t from, size_t to)
{
	for (; from < to; from++)
		ASSERT_EQ(block->bytes[from], 0);
}

static size_t random_size(void)
{
	switch (kunit_below(&random_state, 16)) {
	case 0:
		return MIB(2) + kunit_below(&random_state, MIB(7));
	case 1:
		return KIB(8) + kunit_below(&random_state, MIB(2));
	case 2:
	case 3:
		return KIB(8) + kunit_below(&random_state, KIB(100));
	default:
		return kunit_below(&random_state, KIB(8) + 1);
	}
}

static void block_take(struct block *block, void *bytes, size_t size)
{
	ASSERT(is_aligned((uintptr_t)bytes, KMALLOC_MIN_ALIGN));
	ASSERT(!bytes || ksize(bytes) >= size);
	*block = (struct block){ bytes, size, ++last_tag };
	if (bytes)
		for_each_edge(block, SIZE_MAX, edge_fill);
}

static void block_free(struct block *block)
{
	if (block->bytes)
		for_each_edge(block, SIZE_MAX, edge_check);
	kfree(block->bytes);
	block->bytes = NULL;
}

static void block_alloc(struct block *block)
{
	size_t size = random_size(), align = (size_t)1 << kunit_below(&random_state, 24);
	struct block zero = { NULL, size, 0 };
	void *bytes;

	switch (kunit_below(&random_state, 4)) {
	case 0:
		bytes = zero.bytes = kzalloc(size);
		if (bytes)
			for_each_edge(&zero, SIZE_MAX, edge_is_zero);
		break;
	case 1:
		bytes = kmalloc_aligned(align, size);
		ASSERT(is_aligned((uintptr_t)bytes, align));
		break;
	default:
		bytes = kmalloc(size);
		break;
	}
	block_take(block, bytes, size);
}

static void block_resize(struct block *block)
{
	size_t size = max_size(random_size(), 1), old_size = block->size;
	struct block moved = *block;

	moved.bytes = krealloc(block->bytes, size);
	ASSERT(moved.bytes || size > old_size);
	if (!moved.bytes) {
		for_each_edge(block, SIZE_MAX, edge_check);
		return;
	}
	if (size >= old_size)
		for_each_edge(&moved, SIZE_MAX, edge_check);
	else
		edge_check(&moved, 0, min_size(size, EDGE));
	block_take(block, moved.bytes, size);
}

/* --- threads, one at a time --------------------------------------------------------------- */

static void run_thread(unsigned int thread)
{
	threads[running] = thread_switch(&slot_none);
	thread_switch(threads[thread]);
	running = thread;
}

static void end_thread(void)
{
	mm_thread_exit();
	thread_switch(&slot_none);
}

/* Many small objects at once, every second of them freed by another thread: batches, adoption. */
static void exchange_small(void)
{
	size_t size = kunit_below(&random_state, 2000);
	void *objects[100];

	for (unsigned int i = 0; i < 100; i++)
		objects[i] = kmalloc(size);
	for (unsigned int i = 0; i < 100; i += 2)
		kfree(objects[i]);
	run_thread((running + 1) % NR_THREADS);
	for (unsigned int i = 1; i < 100; i += 2)
		kfree(objects[i]);
}

static void report_all(void)
{
	struct kmalloc_usage usage;
	struct report report;
	int fd = STDERR_FILENO;

	kmalloc_usage_resolve(&usage);
	ASSERT(usage.free_proved <= usage.opened);
	os_fake_capture_begin();
	report_init(&report, report_to_fd, &fd);
	kmalloc_report_caches(&report);
	report_finish(&report);
	os_fake_capture_end();
}

static void one_operation(void)
{
	struct block *block = &blocks[kunit_below(&random_state, NR_BLOCKS)];

	switch (kunit_below(&random_state, 16)) {
	case 0:
		kmalloc_trim();
		break;
	case 1:
		report_all();
		break;
	case 2:
		end_thread();
		break;
	case 3:
		exchange_small();
		break;
	case 4:
	case 5:
		run_thread((unsigned int)kunit_below(&random_state, NR_THREADS));
		break;
	case 6:
	case 7:
		if (block->bytes && block->size < KIB(300))
			block_resize(block);
		break;
	case 8:
		if (block->bytes)
			block_resize(block);
		break;
	default:
		block_free(block);
		block_alloc(block);
		break;
	}
}

static void workload_begin(void)
{
	random_state = kunit_seed();
	for (unsigned int i = 0; i < NR_THREADS; i++)
		threads[i] = &slot_none;
}

/* --- afterwards --------------------------------------------------------------------------- */

static void everything_is_intact(void)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		if (blocks[i].bytes)
			for_each_edge(&blocks[i], SIZE_MAX, edge_check);
	expect_valid();
}

static void everything_is_freed(void)
{
	struct kmalloc_usage usage;

	for (unsigned int i = 0; i < NR_BLOCKS; i++)
		block_free(&blocks[i]);
	expect_valid();
	/* What one slot's caches held of another's reaches that one's slabs by its own drain. */
	for (unsigned int i = 0; i < 2 * NR_THREADS; i++) {
		run_thread(i % NR_THREADS);
		kmalloc_trim();
	}
	expect_valid();
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.small_live, 0);
	EXPECT_EQ(usage.run_live, 0);
	EXPECT_EQ(usage.area_live, 0);
}

static void everything_works_again(void)
{
	for (unsigned int i = 0; i < NR_BLOCKS; i++) {
		size_t size = (size_t)1 << i;

		block_take(&blocks[i], kmalloc(size), size);
		ASSERT(blocks[i].bytes);
		run_thread(i % NR_THREADS);
	}
	everything_is_intact();
	everything_is_freed();
}

/* --- the sweep ---------------------------------------------------------------------------- */

struct world {
	enum os_feature off; /* NR_OS_FEATURES: none */
	size_t address_space;
	unsigned int first_error; /* so that the worlds together have every error for every call */
};

/* How many calls had been made when operation i began; 0 is the boot. Shared by all processes. */
static unsigned int *calls_before;

static void set_up(const struct world *world)
{
	static const char *environment[] = { "STITCH_CONF=retain=0", NULL };

	os_fake_reset();
	os_fake_start_set(environment, false);
	os_fake_physical_set(GIB(1));
	os_fake_clock_set(1000000); /* a run repeats itself to the call */
	/* The children here are the same process at another time: its threads go on in them. */
	os_fake_feature(OS_FEATURE_WIPE_ON_FORK, false);
	if (world->off < NR_OS_FEATURES)
		os_fake_feature(world->off, false);
	if (world->address_space)
		os_fake_address_space_limit_set(world->address_space);
}

/* Operation 0 is the boot. False when there is no heap, which needs no more than saying so. */
static bool operation(unsigned int number)
{
	os_fake_clock_advance(7);
	if (number)
		one_operation();
	return number || mm_init();
}

/* A heap boots once a process, and what failed once stays failed. */
static void in_a_child(void (*run)(const void *context), const void *context)
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		kunit.nr_failed_checks = 0;
		if (!setjmp(kunit.test_end))
			run(context);
		fflush(NULL);
		_exit(kunit.nr_failed_checks != 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

struct failure {
	unsigned int number; /* of the operation */
	unsigned int nth;    /* of its calls */
	unsigned int count;
	int error;
};

/* The failing operation, as many more as fit into a run of bearable length, and the end. */
static void run_with_failure(const void *context)
{
	const struct failure *failure = context;
	unsigned int number = failure->number, end = number + OPS_AFTER;

	os_fake_fail(OS_CALL_ANY, failure->nth, failure->count, failure->error);
	for (; number <= NR_OPS && number < end; number++) {
		if (!operation(number)) {
			EXPECT(failure->count > 1); /* one failure does not stop a program */
			return;
		}
	}
	everything_is_intact();
	os_fake_fail(OS_CALL_ANY, 0, 0, 0);
	everything_is_freed();
	everything_works_again();
}

static void fail_call(unsigned int number, unsigned int call, unsigned int count, int error)
{
	struct failure failure = { number, call - calls_before[number], count, error };

	ASSERT(!kunit.nr_failed_checks);
	in_a_child(run_with_failure, &failure);
	if (kunit.nr_failed_checks)
		fprintf(stderr, "\twhen call %u%s fails with %d, in operation %u\n", call,
			count > 1 ? " and what follows" : "", error, number);
}

static bool is_long_run(void)
{
	const char *seconds = getenv("STRESS_SECONDS");

	return seconds && atoi(seconds) >= 30;
}

/*
 * With one error, in one way but for the first world, and only some of the calls behind those that
 * were promised; in a long run all, with all, in both.
 */
static void fail_every_call(unsigned int number, const struct world *world)
{
	unsigned int nr_errors = is_long_run() ? NR_ERRORS : 1;

	for (unsigned int call = calls_before[number] + 1; call <= calls_before[number + 1];
	     call++) {
		bool both = nr_errors > 1 || !world->first_error;

		if (nr_errors == 1 && call > NR_CALLS_FAILED && call % 8)
			continue;

		for (unsigned int e = 0; e < nr_errors; e++) {
			int error = errors[(call + e + world->first_error) % NR_ERRORS];

			if (both || call % 2)
				fail_call(number, call, 1, error);
			if (both || call % 2 == 0)
				fail_call(number, call, UINT_MAX, error);
		}
	}
}

static void count_calls(const void *context)
{
	set_up(context);
	workload_begin();
	for (unsigned int number = 0; number <= NR_OPS; number++) {
		calls_before[number] = os_fake_calls(OS_CALL_ANY);
		ASSERT(operation(number));
	}
	calls_before[NR_OPS + 1] = os_fake_calls(OS_CALL_ANY);
	EXPECT(calls_before[NR_OPS + 1] >= NR_CALLS_FAILED);
	everything_is_intact();
	everything_is_freed();
	everything_works_again();
}

static void sweep_all(const void *context)
{
	set_up(context);
	workload_begin();
	for (unsigned int number = 0; number <= NR_OPS; number++) {
		fail_every_call(number, context);
		ASSERT(!kunit.nr_failed_checks && operation(number));
		ASSERT_EQ(os_fake_calls(OS_CALL_ANY), calls_before[number + 1]);
	}
}

/* Every call fails, once and for good. */
static void sweep(const struct world *world)
{
	kunit_seed();
	calls_before = mmap(NULL, (NR_OPS + 2) * sizeof(*calls_before), PROT_READ | PROT_WRITE,
			    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT(calls_before != MAP_FAILED);
	in_a_child(count_calls, world);
	if (!kunit.nr_failed_checks)
		in_a_child(sweep_all, world);
}

TEST(any_call_fails)
{
	sweep(&(struct world){ NR_OS_FEATURES, 0, 0 });
}

TEST(any_call_fails_under_a_limit_of_address_space)
{
	sweep(&(struct world){ NR_OS_FEATURES, MIB(400), 1 });
}

TEST(any_call_fails_without_vectored_purge)
{
	sweep(&(struct world){ OS_FEATURE_VECTORED_PURGE, 0, 2 });
}

TEST(any_call_fails_without_mincore)
{
	sweep(&(struct world){ OS_FEATURE_MINCORE, 0, 3 });
}

TEST(any_call_fails_without_populating)
{
	sweep(&(struct world){ OS_FEATURE_POPULATE, 0, 5 });
}

TEST(any_call_fails_without_huge_pages_to_forbid)
{
	sweep(&(struct world){ OS_FEATURE_HUGE_PAGES, 0, 4 });
}

RUN_TESTS
