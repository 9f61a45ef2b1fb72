/*
 * cma.h - contiguous memory that is there when it is wanted, and lent out until then
 * (include/linux/cma.h and movable_operations of include/linux/migrate.h in the kernel).
 *
 * A program reserves an area early, while there is room: address space in one piece, and, where
 * limit= says how much the program may have, its share of that. Later stitch_cma_alloc() gives
 * ranges of it, with memory. Until then single pages of it are lent to who can move what is in
 * them: a cache whose entries are found through a table, say. When a range is wanted in which pages
 * are lent, their owners are asked to move them to other pages, one by one. Who holds a page that
 * he cannot move just now says so, and another range is tried.
 *
 *	area = stitch_cma_declare("frames", 64 << 20);
 *	page = stitch_alloc_movable_page(&cache_operations, STITCH_GFP_KERNEL);
 *	...
 *	frame = stitch_cma_alloc(area, 2048, 9, 0);	8 MiB at a multiple of 2 MiB
 *
 * Pages are those of stitch/mm.h: stitch_page_address() and its like. They are zeroed. free() and
 * its like do not know them. Any thread may call; all of it may sleep, and makes system calls: not
 * for signal handlers. Areas are never given up. Leak reports do not list what lies in them, but
 * what it points to counts as reachable; a movable page that lies in the heap is listed as lost
 * where nothing but its descriptor is known of it.
 *
 * In a child of fork what another thread was about to move stays where it is: neither migrate_page
 * nor putback_page is called for it there.
 */
#ifndef STITCH_CMA_H
#define STITCH_CMA_H

#include "stitch/mm.h"

#ifdef __cplusplus
extern "C" {
#endif

struct stitch_cma;

/*
 * Reserve an area of so many bytes, rounded up to pages. The name is copied (31 bytes of it). NULL,
 * and errno: ENOMEM: no address space, limit=, or there are 16 areas; EINVAL: 0 bytes, no name.
 * Kernel: cma_declare_contiguous.
 */
struct stitch_cma *stitch_cma_declare(const char *name, size_t bytes);

/*
 * count pages in a row, the first at a multiple of 2^align_order pages; the area must not be NULL.
 * Lent pages of the range are moved: their owners are called, in this thread, without locks.
 * NULL, and errno: ENOMEM: there is no such range, or no memory; EINVAL: 0 pages. no_warn: nothing
 * is printed then. Kernel: cma_alloc.
 */
struct stitch_page *stitch_cma_alloc(struct stitch_cma *area, unsigned long count,
				     unsigned int align_order, int no_warn);

/*
 * Give back what one call of stitch_cma_alloc has given. 0, and errno: EINVAL: it is nothing that
 * this area has given; EAGAIN: another thread has been forking for a second. Nothing happens then.
 * Kernel: cma_release.
 */
int stitch_cma_release(struct stitch_cma *area, const struct stitch_page *pages,
		       unsigned long count);

/* Where the area begins, its bytes, its name. Kernel: cma_get_base, cma_get_size, cma_get_name. */
void *stitch_cma_get_base(const struct stitch_cma *area);
size_t stitch_cma_get_size(const struct stitch_cma *area);
const char *stitch_cma_get_name(const struct stitch_cma *area);

/*
 * How the owner of lent pages moves them. Called by whoever wants contiguous memory, at any time,
 * for pages that may have been freed just now: the owner looks the page up, under a lock of his
 * own.
 * Kernel: the same.
 */
struct stitch_movable_operations {
	/*
	 * Not 0: the page is the owner's, who will neither free it nor use it until it has been
	 * moved or put back. 0: not now. mode is 0.
	 */
	int (*isolate_page)(struct stitch_page *page, int mode);
	/*
	 * 0: `to` has what `from` had and takes its place: the owner uses it from now on, and
	 * `from` no more. Else both are as they were. mode is 0.
	 */
	int (*migrate_page)(struct stitch_page *to, struct stitch_page *from, int mode);
	/* It is not moved after all. */
	void (*putback_page)(struct stitch_page *page);
};

/*
 * One page, zeroed, of an area if one has any free, else of the heap. The operations must stay
 * where they are. NULL, and errno ENOMEM. Kernel: alloc_page with GFP_HIGHUSER_MOVABLE, and
 * __SetPageMovable.
 */
struct stitch_page *stitch_alloc_movable_page(const struct stitch_movable_operations *operations,
					      stitch_gfp_t flags);
/* Also what migrate_page was given as `to`. NULL is no page. */
void stitch_free_movable_page(struct stitch_page *page);

#ifdef __cplusplus
}
#endif

#endif
