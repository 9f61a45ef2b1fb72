/*
 * Contiguous areas (stitch/cma.h) by the program's functions: what they refuse, limit=, a thread
 * that uses its pages while others want their place, and memory that comes back.
 */
#include <malloc.h>
#include <pthread.h>

#include "kernel_api.h"
#include "semantics/again.h"
#include "semantics/check.h"

#define PAGE STITCH_PAGE_SIZE
#define AREA_PAGES 1024ul
#define NR_PAGES 900

static struct stitch_cma *area;

static void refused(void)
{
	struct stitch_page *range;

	errno = 0;
	CHECK(!stitch_cma_declare(NULL, 1) && errno == EINVAL, "no name");
	CHECK(!stitch_cma_declare("empty", 0) && errno == EINVAL, "0 bytes");
	CHECK(!stitch_cma_declare("large", ~0ul) && errno == ENOMEM, "all there is");
	CHECK(!stitch_cma_alloc(area, 0, 0, 1) && errno == EINVAL, "0 pages");
	CHECK(!stitch_cma_alloc(area, AREA_PAGES + 1, 0, 1) && errno == ENOMEM, "too many");
	CHECK(!stitch_cma_alloc(area, ~0ul, 0, 1) && errno == ENOMEM, "far too many");
	CHECK(!stitch_cma_alloc(area, 1, 63, 1) && errno == ENOMEM, "no such alignment");
	range = stitch_cma_alloc(area, 3, 1, 0);
	CHECK(range, "3 pages");
	CHECK(!stitch_cma_release(area, range, 2) && !stitch_cma_release(area, NULL, 3), "wrong");
	CHECK(stitch_cma_release(area, range, 3) && !stitch_cma_release(area, range, 3), "twice");
}

static void is_of_pages(void)
{
	struct stitch_page *range = stitch_cma_alloc(area, 512, 9, 0);
	char *address = stitch_page_address(range);

	CHECK(address && !((unsigned long)address % (512 * PAGE)), "aligned");
	CHECK(address >= (char *)stitch_cma_get_base(area) &&
		      address + 512 * PAGE <=
			      (char *)stitch_cma_get_base(area) + stitch_cma_get_size(area),
	      "in the area");
	CHECK(stitch_virt_to_page(address + PAGE) == stitch_pfn_to_page(
							    stitch_page_to_pfn(range) + 1), "pfn");
	CHECK(!strcmp(stitch_cma_get_name(area), "test"), "%s", stitch_cma_get_name(area));
	memset(address, 1, 512 * PAGE);
	CHECK(stitch_cma_release(area, range, 512), "release");
}

/* --- a thread that uses its pages ------------------------------------------------------------- */

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct stitch_page *pages[NR_PAGES];
static bool isolated[NR_PAGES];
static unsigned long nr_moved;
static bool stop;

static long *words(struct stitch_page *page)
{
	return stitch_page_address(page);
}

static int isolate(struct stitch_page *page, int mode)
{
	bool found = false;

	(void)mode;
	pthread_mutex_lock(&lock);
	for (int i = 0; i < NR_PAGES && !found; i++)
		found = isolated[i] = pages[i] == page;
	pthread_mutex_unlock(&lock);
	return found;
}

static int migrate(struct stitch_page *to, struct stitch_page *from, int mode)
{
	long number = words(from)[0];

	(void)mode;
	memcpy(words(to), words(from), PAGE);
	pthread_mutex_lock(&lock);
	CHECK(pages[number] == from && isolated[number], "page %ld", number);
	pages[number] = to;
	isolated[number] = false;
	nr_moved++;
	pthread_mutex_unlock(&lock);
	return 0;
}

static void putback(struct stitch_page *page)
{
	pthread_mutex_lock(&lock);
	isolated[words(page)[0]] = false;
	pthread_mutex_unlock(&lock);
}

static const struct stitch_movable_operations operations = { isolate, migrate, putback };

static void renew(long i)
{
	pthread_mutex_lock(&lock);
	if (pages[i] && !isolated[i]) {
		CHECK(words(pages[i])[0] == i && words(pages[i])[511] == ~i, "page %ld", i);
		stitch_free_movable_page(pages[i]);
		pages[i] = NULL;
	} else if (!pages[i]) {
		pages[i] = stitch_alloc_movable_page(&operations, STITCH_GFP_KERNEL);
		CHECK(pages[i] && !words(pages[i])[0] && !words(pages[i])[511], "not zero");
		words(pages[i])[0] = i;
		words(pages[i])[511] = ~i;
	}
	pthread_mutex_unlock(&lock);
}

static void *use(void *unused)
{
	for (long i = 0; !__atomic_load_n(&stop, __ATOMIC_RELAXED); i = (i * 7 + 3) % NR_PAGES)
		renew(i);
	return unused;
}

static void moved_under_load(void)
{
	struct stitch_page *all;
	pthread_t user;
	int nr_ranges = 0;

	for (long i = 0; i < NR_PAGES; i++)
		renew(i);
	CHECK(!pthread_create(&user, NULL, use, NULL), "thread");
	for (int i = 0; i < 40; i++) {
		struct stitch_page *range = stitch_cma_alloc(area, 300, 3, 1);

		if (!range)
			continue;
		memset(stitch_page_address(range), 0xee, 300 * PAGE);
		CHECK(stitch_cma_release(area, range, 300), "release");
		nr_ranges++;
	}
	__atomic_store_n(&stop, true, __ATOMIC_RELAXED);
	pthread_join(user, NULL);
	CHECK(nr_ranges && nr_moved, "%d ranges, %lu pages moved", nr_ranges, nr_moved);
	for (int i = 0; i < NR_PAGES; i++)
		stitch_free_movable_page(pages[i]);
	all = stitch_cma_alloc(area, AREA_PAGES, 0, 0);
	CHECK(all && stitch_cma_release(area, all, AREA_PAGES), "all");
}

/* Who has reserved gets his memory, whatever else the program has taken. */
static void limited(void)
{
	struct stitch_cma *own;
	struct stitch_page *range;

	own = stitch_cma_declare("own", 16 << 20);
	CHECK(own && !stitch_cma_declare("more", 17 << 20), "declare");
	while (malloc(100000))
		;
	range = stitch_cma_alloc(own, (16 << 20) / PAGE, 0, 0);
	CHECK(range, "reserved in vain");
	memset(stitch_page_address(range), 1, 16 << 20);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		limited();
		return 0;
	}
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's functions");
	area = stitch_cma_declare("test", AREA_PAGES * PAGE);
	CHECK(area, "no area");
	refused();
	is_of_pages();
	moved_under_load();
	run_with_options("limit=32M");
	return 0;
}
