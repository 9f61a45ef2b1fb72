/* cma.c - see cma.h. */
#include "mm/cma.h"

#include <string.h>

#include "core/lock.h"
#include "core/memblock.h"
#include "os/os.h"

struct cma_table cma_table;

static bool is_isolated(const struct cma *cma, size_t page)
{
	return page - cma->first < cma->nr_isolated;
}

static size_t page_of(const struct cma *cma, const void *address)
{
	return ((uintptr_t)address - (uintptr_t)cma->part->base) / PAGE_SIZE;
}

struct cma *cma_of(const void *address)
{
	unsigned int nr = atomic_load_explicit(&cma_table.nr_areas, memory_order_acquire);

	for (unsigned int i = 0; i < nr; i++)
		if (page_of(&cma_table.areas[i], address) < cma_table.areas[i].nr_pages)
			return &cma_table.areas[i];
	return NULL;
}

/* --- areas ------------------------------------------------------------------------------------ */

static struct lowmem_part *open_part(size_t bytes)
{
	struct lowmem_part *part;

	if (lowmem_part_new_locked(LOWMEM_CMA, 1, bytes, &part) != LOWMEM_GROWN)
		return NULL;
	if (!os_open(part->base, bytes))
		return part;
	lowmem_part_drop_locked(part);
	return NULL;
}

static bool open_area(struct cma *cma, size_t bytes)
{
	struct lowmem_part *part = open_part(bytes);

	cma->owners = part ? memblock_alloc(bytes / PAGE_SIZE * sizeof(*cma->owners)) : NULL;
	if (!cma->owners) {
		if (part)
			lowmem_part_drop_locked(part);
		return false;
	}
	grain_pool_add(&part->pool, part->cells, part->base, bytes);
	lowmem_publish_locked(LOWMEM_CMA, part);
	cma->part = part;
	return true;
}

struct cma *cma_new_locked(const char *name, size_t bytes)
{
	unsigned int nr = atomic_load(&cma_table.nr_areas);
	struct cma *cma = &cma_table.areas[nr];

	if (nr == MAX_CMA_AREAS || !lowmem_count_in(bytes / PAGE_SIZE))
		return NULL;
	if (!open_area(cma, bytes)) {
		lowmem_count_out(bytes / PAGE_SIZE);
		return NULL;
	}
	strncpy(cma->name, name, CMA_NAME_BYTES - 1);
	cma->nr_pages = bytes / PAGE_SIZE;
	atomic_store_explicit(&cma_table.nr_areas, nr + 1, memory_order_release);
	return cma;
}

/* --- whole ranges ----------------------------------------------------------------------------- */

void *cma_take_locked(struct cma *cma, size_t nr_pages, size_t align_pages)
{
	return grain_pool_alloc(&cma->part->pool, nr_pages * PAGE_SIZE, align_pages * PAGE_SIZE,
				0);
}

/* Locked memory (mlockall) cannot be dropped. */
static void drop(void *address, size_t bytes)
{
	if (os_purge(address, bytes))
		memset(address, 0, bytes);
}

bool cma_release_locked(struct cma *cma, void *address, size_t nr_pages)
{
	size_t bytes = grain_pool_size(&cma->part->pool, address);

	if (!bytes || bytes / PAGE_SIZE != nr_pages || cma->owners[page_of(cma, address)] ||
	    is_isolated(cma, page_of(cma, address)))
		return false;
	drop(address, bytes);
	return grain_pool_free(&cma->part->pool, address);
}

/* --- lending ---------------------------------------------------------------------------------- */

/* In an area that is making room from the rest of it. */
void *cma_lend_locked(const struct stitch_movable_operations *owner)
{
	for (unsigned int i = 0; i < cma_table.nr_areas; i++) {
		struct cma *cma = &cma_table.areas[i];
		void *page = cma_take_locked(cma, 1, 1);

		if (!page)
			continue;
		cma->owners[page_of(cma, page)] = owner;
		cma->nr_lent++;
		return page;
	}
	return NULL;
}

const struct stitch_movable_operations *cma_owner_locked(const void *page)
{
	const struct cma *cma = cma_of(page);

	return cma && is_aligned((uintptr_t)page, PAGE_SIZE) ? cma->owners[page_of(cma, page)] :
							       NULL;
}

bool cma_return_locked(void *page)
{
	struct cma *cma = cma_of(page);

	if (!cma_owner_locked(page))
		return false;
	cma->owners[page_of(cma, page)] = NULL;
	cma->nr_lent--;
	drop(page, PAGE_SIZE);
	return is_isolated(cma, page_of(cma, page)) || grain_pool_free(&cma->part->pool, page);
}

/* --- making room ------------------------------------------------------------------------------ */

static bool is_free(const struct cma *cma, size_t page)
{
	const uint64_t *cells = &cma->part->cells[page * LOWMEM_PAGE_CELLS];

	for (size_t i = 0; i < LOWMEM_PAGE_CELLS; i++)
		if (READ_ONCE(cells[i]))
			return false;
	return true;
}

/* The first page of the range that is in use for good; its end: none. */
static size_t find_pinned(const struct cma *cma, size_t first, size_t nr_pages)
{
	size_t page = first;

	while (page < first + nr_pages && (cma->owners[page] || is_free(cma, page)))
		page++;
	return page;
}

/* Those that are free: nobody else takes any, since all who do hold the lock. */
static void take_free_pages(struct cma *cma)
{
	for (size_t page = cma->first; page < cma->first + cma->nr_isolated; page++)
		if (is_free(cma, page))
			grain_pool_take_at(&cma->part->pool, cma_page_address(cma, page),
					   PAGE_SIZE);
}

static size_t first_aligned(const struct cma *cma, size_t from, size_t align_pages)
{
	uintptr_t at = (uintptr_t)cma_page_address(cma, from);

	return page_of(cma, (void *)align_up(at, align_pages * PAGE_SIZE)); // NOLINT
}

bool cma_isolate_locked(struct cma *cma, size_t nr_pages, size_t align_pages, size_t *from)
{
	size_t first = first_aligned(cma, *from, align_pages), pinned;

	if (cma->nr_isolated)
		return false;
	while (first + nr_pages <= cma->nr_pages) {
		pinned = find_pinned(cma, first, nr_pages);
		if (pinned == first + nr_pages) {
			cma->first = *from = first;
			cma->nr_isolated = nr_pages;
			cma->isolator = this_thread();
			take_free_pages(cma);
			return true;
		}
		first = first_aligned(cma, pinned + 1, align_pages);
	}
	return false;
}

void *cma_next_lent_locked(const struct cma *cma)
{
	for (size_t page = cma->first; page < cma->first + cma->nr_isolated; page++)
		if (cma->owners[page])
			return cma_page_address(cma, page);
	return NULL;
}

void cma_join_locked(struct cma *cma)
{
	grain_pool_join(&cma->part->pool, cma_page_address(cma, cma->first),
			cma->nr_isolated * PAGE_SIZE);
	cma->nr_isolated = 0;
}

void cma_unisolate_locked(struct cma *cma)
{
	size_t end = cma->first + cma->nr_isolated;

	for (size_t page = cma->first; page < end; page++)
		if (!cma->owners[page])
			grain_pool_free(&cma->part->pool, cma_page_address(cma, page));
	cma->nr_isolated = 0;
}

void cma_after_fork(void)
{
	for (unsigned int i = 0; i < cma_table.nr_areas; i++) {
		struct cma *cma = &cma_table.areas[i];

		if (cma->nr_isolated && cma->isolator != this_thread())
			cma_unisolate_locked(cma);
	}
}

/* --- validation ------------------------------------------------------------------------------- */

static bool area_is_valid(const struct cma *cma)
{
	size_t nr_lent = 0;

	for (size_t page = 0; page < cma->nr_pages; page++) {
		if (!cma->owners[page])
			continue;
		nr_lent++;
		if (grain_pool_size(&cma->part->pool, cma_page_address(cma, page)) != PAGE_SIZE)
			return false;
	}
	return nr_lent == cma->nr_lent && !cma->nr_isolated;
}

bool validate_cma(void)
{
	bool valid = true;

	lock_acquire(LOCK_LOWMEM);
	for (unsigned int i = 0; i < cma_table.nr_areas; i++)
		valid = valid && area_is_valid(&cma_table.areas[i]);
	lock_release(LOCK_LOWMEM);
	return valid && validate_lowmem();
}
