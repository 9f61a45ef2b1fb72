/*
 * mempool.h - pools that always have something to give (include/linux/mempool.h).
 *
 * A pool keeps at least min_nr elements that it got when it was made. stitch_mempool_alloc asks the
 * allocator first, without letting it go to the last; then takes one of its own; then waits until
 * somebody frees one. So what must go on (to finish the I/O that frees memory) does, as long as
 * elements come back. Any thread may call; a child of fork has a pool of its own, with copies of
 * the elements that its parent's had.
 */
#ifndef STITCH_MEMPOOL_H
#define STITCH_MEMPOOL_H

#include "stitch/mm.h"
#include "stitch/slab.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stitch_mempool;

/* Where elements come from; `data` is the pool's. alloc returns NULL when it has none. */
typedef void *stitch_mempool_alloc_t(stitch_gfp_t flags, void *data);
typedef void stitch_mempool_free_t(void *element, void *data);

/*
 * min_nr > 0. NULL and errno: EINVAL, ENOMEM (also when min_nr elements were not to be had).
 * May sleep. Kernel: mempool_create, mempool_create_slab_pool, mempool_create_kmalloc_pool,
 * mempool_create_page_pool.
 */
struct stitch_mempool *stitch_mempool_create(int min_nr, stitch_mempool_alloc_t *alloc,
					     stitch_mempool_free_t *free, void *data);
struct stitch_mempool *stitch_mempool_create_slab_pool(int min_nr,
						       struct stitch_kmem_cache *cache);
struct stitch_mempool *stitch_mempool_create_kmalloc_pool(int min_nr, size_t bytes);
/* Elements are struct stitch_page pointers. */
struct stitch_mempool *stitch_mempool_create_page_pool(int min_nr, unsigned int order);

/* For stitch_mempool_create. data: the cache; the size; the order. */
stitch_mempool_alloc_t stitch_mempool_alloc_slab, stitch_mempool_kmalloc,
	stitch_mempool_alloc_pages;
stitch_mempool_free_t stitch_mempool_free_slab, stitch_mempool_kfree, stitch_mempool_free_pages;

/*
 * Another min_nr (> 0). Elements beyond it are freed; missing ones are allocated, and those that
 * cannot be had now come with later frees. 0, or -1 and errno: EINVAL, ENOMEM (for its table).
 * One caller at a time; may sleep. Kernel: mempool_resize.
 */
int stitch_mempool_resize(struct stitch_mempool *pool, int min_nr);

/*
 * An element, of the pool's or a new one. With STITCH__GFP_DIRECT_RECLAIM never NULL: it waits
 * for a free. Without it NULL when allocator and pool are empty; then it is as safe in signal
 * handlers as the pool's alloc function: no lock is taken. STITCH__GFP_ZERO is ignored: elements
 * of the pool are as they were freed. errno is left alone if there is one. Kernel: mempool_alloc.
 */
void *stitch_mempool_alloc(struct stitch_mempool *pool, stitch_gfp_t flags);

/*
 * The pool is refilled first, and one that waits is woken (a system call, if there is one); a full
 * pool frees the element. That may be one which the pool got with GFP_KERNEL: signal handlers must
 * not free those (stitch/slab.h), so there is to be room when they give elements back. NULL:
 * nothing. Kernel: mempool_free.
 */
void stitch_mempool_free(void *element, struct stitch_mempool *pool);

/* Nobody uses it any more, all elements have come back. NULL: nothing. Kernel: mempool_destroy. */
void stitch_mempool_destroy(struct stitch_mempool *pool);

/* min_nr; how many elements the pool has at this moment. */
int stitch_mempool_min(const struct stitch_mempool *pool);
int stitch_mempool_count(const struct stitch_mempool *pool);

#ifdef __cplusplus
}
#endif

#endif
