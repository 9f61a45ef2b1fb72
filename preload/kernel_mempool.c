/*
 * kernel_mempool.c - the public functions of include/stitch/mempool.h.
 *
 * L10. No locks: elements wait in slots, each a pointer that is exchanged as a whole, so that a
 * signal handler, or the child of a fork at any instant, finds the pool whole. Slots lie in
 * segments that double and stay where they are until the end; elements are put into the first
 * min_nr slots and taken from wherever there are any.
 *
 * nr_elements is at most the number of filled slots: one is counted after it was filled, and no
 * longer before it is emptied. A child of a fork amid that may find it too low for good; then frees
 * look at slots that are full. Too high it would keep them out of a pool that is empty.
 *
 * Follows mm/mempool.c of the kernel.
 */
#include <errno.h>

#include "base/math.h"
#include "entry.h"
#include "kmalloc/gfp.h"
#include "os/os.h"
#include "stitch/mempool.h"

#define FIRST_SLOTS 16u
#define NR_SEGMENTS 28u /* the last ends at INT_MAX */
/* mempool_alloc's io_schedule_timeout(5 * HZ). */
#define WAIT_US 5000000u

typedef _Atomic(void *) slot_t;

struct stitch_mempool {
	stitch_mempool_alloc_t *alloc;
	stitch_mempool_free_t *free;
	void *data;
	_Atomic unsigned int min_nr;
	_Atomic int nr_elements;
	_Atomic uint32_t nr_freed; /* changes with every free into the pool: waited for */
	_Atomic uint32_t nr_waiters;
	_Atomic(slot_t *) segment[NR_SEGMENTS];
};

/* --- slots ------------------------------------------------------------------------------------ */

/* Segment k has FIRST_SLOTS << k slots, from FIRST_SLOTS * (2^k - 1) on. */
static unsigned int segment_of(unsigned int i)
{
	return ilog2(i / FIRST_SLOTS + 1);
}

/* NULL: there is no such segment. */
static slot_t *slot_at(const struct stitch_mempool *pool, unsigned int i)
{
	unsigned int k = segment_of(i);
	slot_t *segment = k < NR_SEGMENTS ? atomic_load(&pool->segment[k]) : NULL;

	return segment ? segment + (i - FIRST_SLOTS * ((1u << k) - 1)) : NULL;
}

static bool make_segments(struct stitch_mempool *pool, unsigned int min_nr)
{
	for (unsigned int k = 0; k <= segment_of(min_nr - 1); k++) {
		slot_t *segment;

		if (atomic_load(&pool->segment[k]))
			continue;
		segment = stitch_kcalloc((size_t)FIRST_SLOTS << k, sizeof(slot_t),
					 STITCH_GFP_KERNEL | STITCH__GFP_NOWARN);
		if (!segment)
			return false;
		atomic_store(&pool->segment[k], segment);
	}
	return true;
}

static bool put_into(slot_t *slot, void *element)
{
	void *nothing = NULL;

	return !atomic_load_explicit(slot, memory_order_relaxed) &&
	       atomic_compare_exchange_strong(slot, &nothing, element);
}

/* False: the first min_nr slots are full. */
static bool put(struct stitch_mempool *pool, void *element)
{
	unsigned int min_nr = atomic_load(&pool->min_nr);

	if (atomic_load(&pool->nr_elements) >= (int)min_nr)
		return false;
	for (unsigned int i = 0; i < min_nr; i++)
		if (put_into(slot_at(pool, i), element)) {
			atomic_fetch_add(&pool->nr_elements, 1);
			return true;
		}
	return false;
}

/* From slot `first` on. NULL: they are empty. */
static void *take_from(struct stitch_mempool *pool, unsigned int first)
{
	slot_t *slot;
	void *element;

	for (unsigned int i = first; (slot = slot_at(pool, i)); i++) {
		if (!atomic_load_explicit(slot, memory_order_relaxed))
			continue;
		atomic_fetch_sub(&pool->nr_elements, 1);
		element = atomic_exchange(slot, NULL);
		if (element)
			return element;
		atomic_fetch_add(&pool->nr_elements, 1);
	}
	return NULL;
}

/* --- a pool's life ---------------------------------------------------------------------------- */

/* As many as there shall be, or as can be had. */
static bool fill(struct stitch_mempool *pool)
{
	while (atomic_load(&pool->nr_elements) < (int)atomic_load(&pool->min_nr)) {
		void *element = pool->alloc(STITCH_GFP_KERNEL, pool->data);

		if (!element)
			return false;
		if (!put(pool, element)) { /* the slots are full, whatever the count says */
			pool->free(element, pool->data);
			return true;
		}
	}
	return true;
}

__visible struct stitch_mempool *stitch_mempool_create(int min_nr, stitch_mempool_alloc_t *alloc,
						       stitch_mempool_free_t *free, void *data)
{
	struct stitch_mempool *pool;

	if (min_nr <= 0 || !alloc || !free) {
		errno = EINVAL;
		return NULL;
	}
	pool = stitch_kzalloc(sizeof(*pool), STITCH_GFP_KERNEL);
	if (!pool)
		return NULL;
	pool->alloc = alloc;
	pool->free = free;
	pool->data = data;
	pool->min_nr = (unsigned int)min_nr;
	if (make_segments(pool, (unsigned int)min_nr) && fill(pool))
		return pool;
	stitch_mempool_destroy(pool);
	errno = ENOMEM;
	return NULL;
}

__visible void stitch_mempool_destroy(struct stitch_mempool *pool)
{
	void *element;

	if (!pool)
		return;
	while ((element = take_from(pool, 0)))
		pool->free(element, pool->data);
	for (unsigned int k = 0; k < NR_SEGMENTS; k++)
		stitch_kfree(pool->segment[k]);
	stitch_kfree(pool);
}

__visible int stitch_mempool_resize(struct stitch_mempool *pool, int min_nr)
{
	int saved_errno = errno;
	void *element;

	if (min_nr <= 0) {
		errno = EINVAL;
		return -1;
	}
	if (!make_segments(pool, (unsigned int)min_nr)) {
		errno = ENOMEM;
		return -1;
	}
	atomic_store(&pool->min_nr, (unsigned int)min_nr);
	while ((element = take_from(pool, (unsigned int)min_nr)))
		stitch_mempool_free(element, pool);
	fill(pool);
	errno = saved_errno; /* of elements that are missing yet */
	return 0;
}

__visible int stitch_mempool_min(const struct stitch_mempool *pool)
{
	return (int)atomic_load(&pool->min_nr);
}

__visible int stitch_mempool_count(const struct stitch_mempool *pool)
{
	slot_t *slot;
	int nr = 0;

	for (unsigned int i = 0; (slot = slot_at(pool, i)); i++)
		nr += atomic_load(slot) != NULL;
	return nr;
}

/* --- elements --------------------------------------------------------------------------------- */

/*
 * An attempt that neither loops nor reports. The kernel's does not wait, either, so as not to wait
 * where the pool could serve; to go without GFP_KERNEL's way altogether would here be to use up
 * the reserve of those who may not wait.
 */
static stitch_gfp_t first_try(stitch_gfp_t flags)
{
	flags &= ~(STITCH__GFP_ZERO | STITCH__GFP_NOFAIL | STITCH__GFP_RETRY_MAYFAIL);
	return flags | STITCH__GFP_NORETRY | STITCH__GFP_NOWARN | STITCH__GFP_NOMEMALLOC;
}

static void *take_or_wait(struct stitch_mempool *pool)
{
	uint32_t nr_freed = atomic_load(&pool->nr_freed);
	void *element;

	atomic_fetch_add(&pool->nr_waiters, 1);
	element = take_from(pool, 0); /* what was freed before nr_freed was read */
	if (!element)
		os_futex_wait_for(&pool->nr_freed, nr_freed, WAIT_US);
	atomic_fetch_sub(&pool->nr_waiters, 1);
	return element;
}

static void *alloc_element(struct stitch_mempool *pool, stitch_gfp_t flags)
{
	void *element;

	for (;;) {
		element = pool->alloc(first_try(flags), pool->data);
		if (element)
			return element;
		element = take_from(pool, 0);
		if (element || !gfp_may_wait(flags))
			return element;
		element = take_or_wait(pool);
		if (element)
			return element;
	}
}

/* That the pool had to help is no failure. */
__visible void *stitch_mempool_alloc(struct stitch_mempool *pool, stitch_gfp_t flags)
{
	int saved_errno = errno;
	void *element = alloc_element(pool, flags);

	if (element)
		errno = saved_errno;
	return element;
}

__visible void stitch_mempool_free(void *element, struct stitch_mempool *pool)
{
	if (!element)
		return;
	if (!put(pool, element)) {
		pool->free(element, pool->data);
		return;
	}
	atomic_fetch_add(&pool->nr_freed, 1);
	if (unlikely(atomic_load(&pool->nr_waiters)))
		os_futex_wake(&pool->nr_freed, 1);
}

/* --- where elements come from ----------------------------------------------------------------- */

__visible void *stitch_mempool_alloc_slab(stitch_gfp_t flags, void *data)
{
	return stitch_kmem_cache_alloc(data, flags);
}

__visible void stitch_mempool_free_slab(void *element, void *data)
{
	stitch_kmem_cache_free(data, element);
}

__visible void *stitch_mempool_kmalloc(stitch_gfp_t flags, void *data)
{
	return stitch_kmalloc((uintptr_t)data, flags);
}

__visible void stitch_mempool_kfree(void *element, void *data)
{
	(void)data;
	stitch_kfree(element);
}

__visible void *stitch_mempool_alloc_pages(stitch_gfp_t flags, void *data)
{
	return stitch_alloc_pages(flags, (unsigned int)(uintptr_t)data);
}

__visible void stitch_mempool_free_pages(void *element, void *data)
{
	stitch_free_pages_of(element, (unsigned int)(uintptr_t)data);
}

/* A number where a pool has its data. */
static void *as_data(uintptr_t number)
{
	return (void *)number; // NOLINT
}

__visible struct stitch_mempool *stitch_mempool_create_slab_pool(int min_nr,
								 struct stitch_kmem_cache *cache)
{
	return stitch_mempool_create(min_nr, stitch_mempool_alloc_slab, stitch_mempool_free_slab,
				     cache);
}

__visible struct stitch_mempool *stitch_mempool_create_kmalloc_pool(int min_nr, size_t bytes)
{
	return stitch_mempool_create(min_nr, stitch_mempool_kmalloc, stitch_mempool_kfree,
				     as_data(bytes));
}

__visible struct stitch_mempool *stitch_mempool_create_page_pool(int min_nr, unsigned int order)
{
	return stitch_mempool_create(min_nr, stitch_mempool_alloc_pages, stitch_mempool_free_pages,
				     as_data(order));
}
