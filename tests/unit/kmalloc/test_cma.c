/*
 * test_cma.c - areas of contiguous memory: ranges beside a brute-force twin, pages that are lent
 * and moved when their place is wanted, owners who refuse, pages that are freed meanwhile, what
 * can fail.
 */
#include "kmalloc/cma_alloc.h"

#include <errno.h>
#include <pthread.h>

#include "kunit.h"
#include "isolated.h"
#include "core/lock.h"
#include "kmalloc/gate.h"
#include "kmalloc/owner.h"
#include "kmalloc/pages.h"

#define AREA_PAGES 256u
#define MARK(page) ((uintptr_t)(page) * 3 + 1)

static struct cma *area;

static void *heap_page(void)
{
	return pages_alloc(1, 1, STITCH_GFP_KERNEL | STITCH__GFP_NORETRY | STITCH__GFP_NOWARN);
}

static void drop_heap_page(void *page)
{
	pages_free(page, 1, "test");
}

static const struct cma_pages heap_pages = { heap_page, drop_heap_page };

static char *range_of(struct cma *cma, size_t nr_pages, size_t align_pages)
{
	return cma_alloc(cma, nr_pages, align_pages, &heap_pages);
}

static bool released(struct cma *cma, void *range, size_t nr_pages)
{
	return cma_release(cma, range, nr_pages) == CMA_DONE;
}

static bool returned(void *page)
{
	return cma_return(page) == CMA_DONE;
}

static void area_up(const char *options)
{
	heap_up(options);
	area = cma_declare("test", AREA_PAGES * PAGE_SIZE);
	ASSERT(area != NULL);
}

static size_t free_pages(void)
{
	return grain_pool_bytes_free(&area->part->pool) / PAGE_SIZE;
}

/* --- an owner of movable pages ---------------------------------------------------------------- */

/* What the owner has, by number; the first word of a page is its number. */
static char *owned[AREA_PAGES];
static bool is_isolated[AREA_PAGES];
static unsigned int nr_isolated, nr_migrated, nr_putback;
static bool refuses_isolation, refuses_migration, forks_meanwhile;
static int freed_instead = -1;

static char *address_of(struct stitch_page *page)
{
	char *address = lowmem_page_address(page);

	return address ? address : page_address((struct page *)page);
}

static unsigned int number_of(struct stitch_page *page)
{
	unsigned int i = 0;

	while (i < AREA_PAGES && owned[i] != address_of(page))
		i++;
	return i;
}

static int isolate(struct stitch_page *page, int mode)
{
	unsigned int i = number_of(page);

	(void)mode;
	if (refuses_isolation || i == AREA_PAGES)
		return 0;
	if ((int)i == freed_instead) {
		owned[i] = NULL;
		EXPECT(returned(address_of(page)));
		return 0;
	}
	EXPECT(!is_isolated[i]);
	is_isolated[i] = true;
	nr_isolated++;
	return 1;
}

static pthread_t forker;

/* Another thread's fork takes longer than anybody waits who need not. */
static void *fork_for_long(void *unused)
{
	unsigned int before = os_fake_calls(OS_CALL_NAP);

	while (os_fake_calls(OS_CALL_NAP) < before + 1100)
		sched_yield();
	gate.closed_by = 0;
	return unused;
}

static void begin_fork(void)
{
	forks_meanwhile = false;
	gate.closed_by = 64;
	ASSERT(!pthread_create(&forker, NULL, fork_for_long, NULL));
}

static int migrate(struct stitch_page *to, struct stitch_page *from, int mode)
{
	unsigned int i = number_of(from);

	(void)mode;
	ASSERT(i < AREA_PAGES && is_isolated[i]);
	if (forks_meanwhile)
		begin_fork();
	if (refuses_migration)
		return -EAGAIN;
	memcpy(address_of(to), address_of(from), PAGE_SIZE);
	owned[i] = address_of(to);
	is_isolated[i] = false;
	nr_migrated++;
	return 0;
}

static void putback(struct stitch_page *page)
{
	is_isolated[number_of(page)] = false;
	nr_putback++;
}

static const struct stitch_movable_operations owner = { isolate, migrate, putback };

static void lend_all(void)
{
	for (unsigned int i = 0; i < AREA_PAGES; i++) {
		owned[i] = cma_lend(&owner);
		ASSERT(owned[i] != NULL);
		ASSERT_EQ(*(uintptr_t *)owned[i], 0);
		*(uintptr_t *)owned[i] = MARK(i);
	}
	EXPECT(!cma_lend(&owner));
}

static void free_owned(unsigned int i)
{
	if (cma_of(owned[i]))
		EXPECT(returned(owned[i]));
	else
		pages_free(owned[i], 1, "test");
	owned[i] = NULL;
}

/* Nothing was lost, and nothing is anybody else's. */
static void expect_owned(const char *range, size_t bytes)
{
	for (unsigned int i = 0; i < AREA_PAGES; i++) {
		if (!owned[i])
			continue;
		EXPECT_EQ(*(uintptr_t *)owned[i], MARK(i));
		EXPECT(!is_isolated[i]);
		EXPECT((uintptr_t)owned[i] - (uintptr_t)range >= bytes);
	}
}

/* --- ranges ----------------------------------------------------------------------------------- */

ISOLATED_TEST(a_range_is_contiguous_aligned_and_zero)
{
	char *range;

	area_up("");
	EXPECT_EQ(free_pages(), AREA_PAGES);
	range = range_of(area, 100, 64);
	ASSERT(range != NULL);
	EXPECT(is_aligned((uintptr_t)range, 64 * PAGE_SIZE));
	for (size_t i = 0; i < 100 * PAGE_SIZE; i++)
		ASSERT_EQ(range[i], 0);
	memset(range, 1, 100 * PAGE_SIZE);
	EXPECT(!released(area, range, 99));
	EXPECT(!released(area, range + PAGE_SIZE, 99));
	EXPECT(released(area, range, 100));
	EXPECT(!released(area, range, 100));
	EXPECT_EQ(free_pages(), AREA_PAGES);
	range = range_of(area, AREA_PAGES, 1);
	ASSERT(range != NULL);
	EXPECT_EQ(range[0] | range[AREA_PAGES * PAGE_SIZE - 1], 0);
	EXPECT(!range_of(area, 1, 1));
	EXPECT(validate_cma());
}

ISOLATED_TEST(areas_are_apart)
{
	struct cma *other;
	char *range;

	area_up("");
	other = cma_declare("other", MIB(4));
	ASSERT(other && other != area);
	range = range_of(other, 10, 1);
	EXPECT_EQ(cma_of(range), other);
	EXPECT(!released(area, range, 10));
	EXPECT(released(other, range, 10));
	for (unsigned int i = 2; i < MAX_CMA_AREAS; i++)
		EXPECT(cma_declare("more", PAGE_SIZE) != NULL);
	EXPECT(!cma_declare("too many", PAGE_SIZE));
	EXPECT(validate_cma());
}

ISOLATED_TEST(no_object_of_free)
{
	char *range;

	area_up("on_error=warn");
	range = range_of(area, 10, 1);
	os_fake_capture_begin();
	kfree(range);
	kfree(range + PAGE_SIZE);
	EXPECT(strstr(os_fake_capture_end(), "invalid pointer"));
	EXPECT_EQ(owner_of(range).kind, OWNER_WRONG);
	EXPECT(released(area, range, 10));
}

ISOLATED_TEST(limits_count_an_area_from_the_start)
{
	heap_up("limit=16M");
	EXPECT(!cma_declare("too large", MIB(17)));
	area = cma_declare("test", MIB(12));
	ASSERT(area != NULL);
	EXPECT(!kmalloc(MIB(5)));
	EXPECT(range_of(area, MIB(12) / PAGE_SIZE, 1) != NULL);
	EXPECT(validate_cma());
}

/* --- lending ---------------------------------------------------------------------------------- */

ISOLATED_TEST(what_is_lent_makes_room)
{
	char *range;

	area_up("");
	lend_all();
	range = range_of(area, 64, 64);
	ASSERT(range != NULL);
	EXPECT_EQ(nr_migrated, 64);
	memset(range, 0xaa, 64 * PAGE_SIZE);
	expect_owned(range, 64 * PAGE_SIZE);
	EXPECT_EQ(area->nr_lent, AREA_PAGES - 64);
	EXPECT(released(area, range, 64));
	EXPECT_EQ(free_pages(), 64);
	for (unsigned int i = 0; i < AREA_PAGES; i++)
		free_owned(i);
	EXPECT_EQ(free_pages(), AREA_PAGES);
	EXPECT(validate_cma());
}

/* A page that was moved away is given back, and zero for the next. */
ISOLATED_TEST(ranges_are_zero_where_pages_were_lent)
{
	char *range;

	area_up("");
	lend_all();
	range = range_of(area, AREA_PAGES, 1);
	ASSERT(range != NULL);
	for (size_t i = 0; i < AREA_PAGES * PAGE_SIZE; i++)
		ASSERT_EQ(range[i], 0);
	expect_owned(range, AREA_PAGES * PAGE_SIZE);
}

ISOLATED_TEST(owners_may_refuse)
{
	area_up("");
	lend_all();
	refuses_isolation = true;
	EXPECT(!range_of(area, 64, 64));
	EXPECT_EQ(nr_isolated, 0);
	refuses_isolation = false;
	refuses_migration = true;
	EXPECT(!range_of(area, 64, 64));
	EXPECT_EQ(nr_putback, nr_isolated);
	EXPECT(nr_putback >= AREA_PAGES / 64);
	for (unsigned int i = 0; i < 10; i++)
		free_owned(7 * i);
	EXPECT(!range_of(area, 64, 64));
	EXPECT_EQ(free_pages(), 10);
	expect_owned(NULL, 0);
	EXPECT_EQ(area->nr_lent, AREA_PAGES - 10);
	EXPECT(validate_cma());
}

/* Whatever he has answered is known afterwards, however long that takes. */
ISOLATED_TEST(owners_answer_amid_a_fork)
{
	area_up("");
	lend_all();
	for (unsigned int i = 0; i < 2; i++) {
		size_t nr_lent = 0;

		refuses_migration = i;
		forks_meanwhile = true;
		range_of(area, 64, 64);
		EXPECT(!forks_meanwhile);
		pthread_join(forker, NULL);
		for (unsigned int page = 0; page < AREA_PAGES; page++)
			nr_lent += owned[page] && cma_of(owned[page]);
		EXPECT_EQ(area->nr_lent, nr_lent);
		EXPECT(validate_cma());
		free_owned(AREA_PAGES - 1 - i); /* there is a place in the area the next time */
	}
	expect_owned(NULL, 0);
}

/* A range in the way of which one page is in use for good: the next one is taken. */
ISOLATED_TEST(another_range_is_tried)
{
	char *pinned, *range;

	area_up("");
	pinned = range_of(area, 1, 1);
	range = range_of(area, AREA_PAGES / 2, 1);
	ASSERT(pinned && range);
	EXPECT(!range_of(area, AREA_PAGES / 2, 1));
	EXPECT(released(area, range, AREA_PAGES / 2));
	for (unsigned int i = 0; i < AREA_PAGES - 1; i++) {
		owned[i] = cma_lend(&owner);
		*(uintptr_t *)owned[i] = MARK(i);
	}
	range = range_of(area, AREA_PAGES / 2, 1);
	ASSERT(range != NULL);
	EXPECT((uintptr_t)pinned - (uintptr_t)range >= AREA_PAGES / 2 * PAGE_SIZE);
	expect_owned(range, AREA_PAGES / 2 * PAGE_SIZE);
	EXPECT(validate_cma());
}

/* The owner frees a page when he is asked for it. */
ISOLATED_TEST(freed_instead_of_moved)
{
	char *range;

	area_up("");
	lend_all();
	freed_instead = 10;
	range = range_of(area, AREA_PAGES, 1);
	ASSERT(range != NULL);
	EXPECT(!owned[10]);
	EXPECT_EQ(nr_migrated, AREA_PAGES - 1);
	expect_owned(range, AREA_PAGES * PAGE_SIZE);
	EXPECT(released(area, range, AREA_PAGES));
	EXPECT_EQ(free_pages(), AREA_PAGES);
	EXPECT(validate_cma());
}

ISOLATED_TEST(wrong_returns_change_nothing)
{
	char *range, *page;

	area_up("");
	range = range_of(area, 10, 1);
	page = cma_lend(&owner);
	EXPECT(!returned(range) && !returned(range + PAGE_SIZE) && !returned(page + 1));
	EXPECT(!returned(&area));
	EXPECT(!released(area, page, 1));
	EXPECT(returned(page) && !returned(page));
	EXPECT(validate_cma());
}

/* Where the heap has no page, others of the area do. */
ISOLATED_TEST(moved_within_the_area)
{
	char *range;

	area_up("");
	lend_all();
	for (unsigned int i = 1; i < AREA_PAGES; i += 2)
		free_owned(i);
	os_fake_fail(OS_CALL_ANY, 1, UINT_MAX, ENOMEM);
	while (kmalloc(KIB(4)))
		;
	range = range_of(area, AREA_PAGES / 4, 1);
	os_fake_fail(OS_CALL_ANY, 0, 0, 0);
	EXPECT(!range); /* it could not be filled */
	range = range_of(area, AREA_PAGES / 4, 1);
	ASSERT(range != NULL);
	expect_owned(range, AREA_PAGES / 4 * PAGE_SIZE);
	for (unsigned int i = 0; i < AREA_PAGES; i += 2)
		EXPECT_EQ(cma_of(owned[i]), area);
	EXPECT(validate_cma());
}

/* A child has not the thread that made room: the range is as any other there. */
ISOLATED_TEST(isolated_by_a_thread_that_is_not_here)
{
	size_t from = 0;

	area_up("");
	lend_all();
	free_owned(3);
	lock_acquire(LOCK_LOWMEM);
	EXPECT(cma_isolate_locked(area, 64, 1, &from));
	lock_release(LOCK_LOWMEM);
	cma_after_fork();
	EXPECT_EQ(area->nr_isolated, 64); /* its own */
	area->isolator = 64;
	cma_after_fork();
	EXPECT_EQ(area->nr_isolated, 0);
	EXPECT_EQ(free_pages(), 1);
	EXPECT(validate_cma());
}

/* As under mlockall. */
ISOLATED_TEST(zero_when_memory_cannot_be_dropped)
{
	char *range;

	area_up("");
	os_fake_fail(OS_CALL_PURGE, 1, UINT_MAX, EINVAL);
	range = range_of(area, AREA_PAGES, 1);
	memset(range, 1, AREA_PAGES * PAGE_SIZE);
	EXPECT(released(area, range, AREA_PAGES));
	lend_all();
	memset(owned[7], 1, PAGE_SIZE);
	free_owned(7);
	owned[7] = cma_lend(&owner);
	for (size_t i = 0; i < PAGE_SIZE; i++)
		ASSERT_EQ(owned[7][i], 0);
}

/* --- beside a twin ---------------------------------------------------------------------------- */

ISOLATED_TEST(any_order_of_everything)
{
	struct {
		char *start;
		size_t nr_pages;
	} ranges[8] = { { NULL, 0 } };
	uint64_t random = kunit_seed();

	area_up("");
	for (unsigned int n = 0; n < kunit_ops(3000); n++) {
		unsigned int i = (unsigned int)kunit_below(&random, AREA_PAGES);
		unsigned int r = (unsigned int)kunit_below(&random, ARRAY_SIZE(ranges));

		if (kunit_below(&random, 8)) {
			if (owned[i]) {
				ASSERT_EQ(*(uintptr_t *)owned[i], MARK(i));
				free_owned(i);
			} else if ((owned[i] = cma_lend(&owner))) {
				ASSERT_EQ(*(uintptr_t *)owned[i], 0);
				*(uintptr_t *)owned[i] = MARK(i);
			}
			continue;
		}
		if (ranges[r].start) {
			for (size_t at = 0; at < ranges[r].nr_pages * PAGE_SIZE; at += PAGE_SIZE)
				ASSERT_EQ(*(uintptr_t *)(ranges[r].start + at), ~(uintptr_t)r);
			ASSERT(released(area, ranges[r].start, ranges[r].nr_pages));
			ranges[r].start = NULL;
			continue;
		}
		ranges[r].nr_pages = 1 + kunit_below(&random, 60);
		ranges[r].start = range_of(area, ranges[r].nr_pages,
					   (size_t)1 << kunit_below(&random, 6));
		for (size_t at = 0; ranges[r].start && at < ranges[r].nr_pages * PAGE_SIZE;
		     at += PAGE_SIZE) {
			ASSERT_EQ(*(uintptr_t *)(ranges[r].start + at), 0);
			*(uintptr_t *)(ranges[r].start + at) = ~(uintptr_t)r;
		}
		ASSERT(validate_cma());
	}
	expect_owned(NULL, 0);
	EXPECT(nr_migrated > 0);
}

/* --- threads ---------------------------------------------------------------------------------- */

static void *want_ranges(void *argument)
{
	uint64_t random = (uintptr_t)argument;

	for (unsigned int n = 0; n < kunit_ops(300); n++) {
		size_t nr_pages = 1 + kunit_below(&random, 100);
		char *range = range_of(area, nr_pages, 1);

		if (!range)
			continue;
		for (size_t at = 0; at < nr_pages * PAGE_SIZE; at += PAGE_SIZE)
			*(uintptr_t *)(range + at) = (uintptr_t)argument;
		for (size_t at = 0; at < nr_pages * PAGE_SIZE; at += PAGE_SIZE)
			ASSERT_EQ(*(uintptr_t *)(range + at), (uintptr_t)argument);
		ASSERT(released(area, range, nr_pages));
	}
	mm_thread_exit();
	return NULL;
}

/* Pages that nobody moves: those that are lent at the time are in the way. */
static void *borrow(void *argument)
{
	static const struct stitch_movable_operations stubborn = { isolate, migrate, putback };

	for (unsigned int n = 0; n < kunit_ops(3000); n++) {
		void *page = cma_lend(&stubborn);

		if (page)
			ASSERT(returned(page));
	}
	mm_thread_exit();
	return argument;
}

ISOLATED_TEST(by_threads)
{
	pthread_t threads[3];

	area_up("");
	refuses_isolation = true;
	for (uintptr_t i = 0; i < 3; i++)
		ASSERT(!pthread_create(&threads[i], NULL, i ? want_ranges : borrow,
				       (void *)(kunit_seed() + i)));
	for (unsigned int i = 0; i < 3; i++)
		pthread_join(threads[i], NULL);
	EXPECT_EQ(free_pages(), AREA_PAGES);
	EXPECT(validate_cma());
}

/* --- what can fail ---------------------------------------------------------------------------- */

ISOLATED_TEST(any_call_may_fail)
{
	heap_up("");
	for (unsigned int nth = 1; nth < 14; nth++) {
		char *range = NULL, *page = NULL;

		os_fake_fail(OS_CALL_ANY, nth, 1, ENOMEM);
		area = cma_declare("test", 16 * PAGE_SIZE);
		if (area && (page = cma_lend(&owner))) {
			owned[0] = page;
			*(uintptr_t *)page = MARK(0);
			range = range_of(area, 16, 1);
		}
		os_fake_fail(OS_CALL_ANY, 0, 0, 0);
		expect_owned(range, range ? 16 * PAGE_SIZE : 0);
		if (page)
			free_owned(0);
		if (range)
			EXPECT(released(area, range, 16));
		if (area)
			EXPECT_EQ(free_pages(), 16);
		ASSERT(validate_cma());
	}
}

RUN_TESTS
