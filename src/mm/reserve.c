/* reserve.c - see reserve.h. */
#include "mm/reserve.h"

#include "base/math.h"
#include "core/memblock.h"
#include "mm/grain_pool.h"
#include "mm/memmap.h"
#include "mm/pagerun.h"
#include "os/os.h"

#define MAX_EXTENTS 64u

/* The kernel's min_free_kbytes is int_sqrt(16 x KiB) between these (mm/page_alloc.c). */
#define RESERVE_MIN KIB(128)
#define RESERVE_MAX MIB(64)

static struct grain_extent extents[MAX_EXTENTS];
static struct grain_pool pool = { .extents = extents, .max_bytes = RESERVE_MAX_BYTES };
static _Atomic uintptr_t growing_by; /* the thread; 0: nobody */

size_t reserve_total(void)
{
	return grain_pool_total(&pool);
}

size_t reserve_bytes_free(void)
{
	return grain_pool_bytes_free(&pool);
}

static size_t bytes_to_leave(enum reserve_depth depth)
{
	switch (depth) {
	case RESERVE_NOWAIT:
		return reserve_total() / 2;
	case RESERVE_ATOMIC:
		return reserve_total() / 16 * 3;
	default:
		return 0;
	}
}

void *reserve_alloc(size_t bytes, size_t align, enum reserve_depth depth)
{
	return grain_pool_alloc(&pool, bytes, align, bytes_to_leave(depth));
}

bool reserve_free(void *object)
{
	return grain_pool_free(&pool, object);
}

size_t reserve_size(const void *object)
{
	return grain_pool_size(&pool, object);
}

bool reserve_object_at(uintptr_t address, uintptr_t *start, size_t *bytes)
{
	return grain_pool_object_at(&pool, address, start, bytes);
}

/* --- filling ---------------------------------------------------------------------------------- */

/* Of the heap. */
static size_t opened_kib(void)
{
	return READ_ONCE(zone.nr_opened) * (PAGE_SIZE / KIB(1));
}

bool reserve_is_small(void)
{
	size_t total = reserve_total(), root = 2 * total / KIB(1);

	return !total || (2 * total <= RESERVE_MAX && 16 * opened_kib() >= root * root);
}

static size_t wanted_bytes(void)
{
	size_t bytes = align_up(KIB(1) * int_sqrt(16 * opened_kib()), PAGE_SIZE);

	return min_size(max_size(bytes, RESERVE_MIN), RESERVE_MAX);
}

/* So that nobody meets a page fault there. */
static void touch(void *address, size_t bytes)
{
	volatile char *byte = address;

	if (!os_populate(address, bytes))
		return;
	for (size_t i = 0; i < bytes; i += PAGE_SIZE)
		byte[i] = 0;
}

static bool add_extent(size_t nr_pages)
{
	static uint64_t *cells; /* had in vain before */
	uint8_t memcg = charged_memcg;
	struct page *page;

	if (atomic_load(&pool.nr_extents) == MAX_EXTENTS)
		return false;
	if (!cells)
		cells = memblock_alloc(RESERVE_MAX_BYTES / GRAIN_CELL_BYTES * sizeof(*cells));
	charged_memcg = 0; /* it is everybody's */
	page = cells ? run_alloc(nr_pages, 1) : NULL;
	charged_memcg = memcg;
	if (!page)
		return false;
	touch(page_address(page), nr_pages * PAGE_SIZE);
	pagemap_fill(page_to_pfn(page), nr_pages, PAGEMAP_RESERVE);
	grain_pool_add(&pool, cells, page_address(page), nr_pages * PAGE_SIZE);
	cells = NULL;
	return true;
}

static bool grow(size_t bytes)
{
	size_t total;

	while ((total = reserve_total()) < bytes)
		if (!add_extent(min_size(div_round_up(bytes - total, PAGE_SIZE), PAGEBLOCK_PAGES)))
			return false;
	/* What is run and read for the first time is there now, too. */
	reserve_free(reserve_alloc(1, 1, RESERVE_ALL));
	return true;
}

bool reserve_fill(size_t bytes)
{
	uintptr_t nobody = 0;
	bool filled;

	if (!bytes)
		bytes = wanted_bytes();
	if (reserve_total() >= bytes)
		return true;
	if (bytes > MAX_EXTENTS * RESERVE_MAX_BYTES ||
	    !atomic_compare_exchange_strong(&growing_by, &nobody, this_thread()))
		return false;
	filled = grow(bytes);
	atomic_store(&growing_by, 0);
	return filled;
}

/* What it had is lost, at most an extent. */
void reserve_after_fork(void)
{
	if (growing_by != this_thread())
		atomic_store(&growing_by, 0);
}
