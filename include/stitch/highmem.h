/*
 * highmem.h - page frames that are in no address space until they are mapped
 * (include/linux/highmem.h of the kernel).
 *
 * stitch_alloc_pages(STITCH_GFP_HIGHUSER, order) gives pages of ZONE_HIGHMEM: memory without an
 * address. kmap maps single pages into a window of STITCH_KMAP_PAGES pages, stitch_vmap
 * (stitch/vmalloc.h) any number of them in a row, one of them at several addresses if so wanted.
 * So a process can hold more memory than it has address space for (RLIMIT_AS), take pages in and
 * out of a range without copying them, or show one page at two addresses.
 *
 * Where there is no such memory (a filter forbids memfd_create, RLIMIT_FSIZE) alloc_pages gives a
 * page of the heap, as the kernel's zone lists do: that has an address, which kmap returns, but
 * cannot be vmapped.
 *
 * These pages are shared memory with the children that the process forks later: what is mapped
 * then stays mapped there, and belongs to both. A child cannot map more of its parent's pages,
 * and what the parent frees it must not touch any more: that is somebody else's. If the program
 * closes the file descriptor behind them (its name in /proc/PID/fd is memfd:stitchmalloc-highmem)
 * pages that are not mapped are lost.
 *
 * Any thread may call; all of it may sleep, and makes system calls: not for signal handlers.
 */
#ifndef STITCH_HIGHMEM_H
#define STITCH_HIGHMEM_H

#include <string.h>

#include "stitch/mm.h"

#ifdef __cplusplus
extern "C" {
#endif

/* Pages that can be mapped by kmap at a time. Kernel: LAST_PKMAP. */
#define STITCH_KMAP_PAGES 1024

/* 1: the page is of ZONE_HIGHMEM. Any pointer. No lock, signal-safe. Kernel: PageHighMem. */
int stitch_page_is_high(const struct stitch_page *page);

/*
 * Map one page, readable and writable, until as many calls of kunmap. A page that is mapped
 * already has one address only; one of the heap has the one that it has always. NULL, and errno:
 * ENOMEM: all places of the window are in use, the kernel allows no more mappings, or the page is
 * another process's or lost; EINVAL: no page, or a free one. (The kernel's kmap waits for a
 * place; here who waits might be who holds them.) Kernel: kmap, kunmap.
 */
void *stitch_kmap(struct stitch_page *page);
void stitch_kunmap(struct stitch_page *page);

/*
 * The same, ended by the address, or any in the page. Unlike in the kernel other threads may use
 * the mapping, and several may be ended in any order. Kernel: kmap_local_page, kunmap_local;
 * before 5.11 kmap_atomic, kunmap_atomic.
 */
void *stitch_kmap_local_page(struct stitch_page *page);
void stitch_kunmap_local(const void *address);

/*
 * Contents of one page, by kmap: 0, or -1 with errno as kmap has it. offset + bytes is at most
 * STITCH_PAGE_SIZE. Kernel: clear_highpage, copy_highpage, memcpy_from_page, memcpy_to_page, which
 * cannot fail.
 */
static inline int stitch_memcpy_from_page(void *to, struct stitch_page *page, size_t offset,
					  size_t bytes)
{
	const char *from = (const char *)stitch_kmap_local_page(page);

	if (!from)
		return -1;
	memcpy(to, from + offset, bytes);
	stitch_kunmap_local(from);
	return 0;
}

static inline int stitch_memcpy_to_page(struct stitch_page *page, size_t offset, const void *from,
					size_t bytes)
{
	char *to = (char *)stitch_kmap_local_page(page);

	if (!to)
		return -1;
	memcpy(to + offset, from, bytes);
	stitch_kunmap_local(to);
	return 0;
}

static inline int stitch_clear_highpage(struct stitch_page *page)
{
	void *address = stitch_kmap_local_page(page);

	if (!address)
		return -1;
	memset(address, 0, STITCH_PAGE_SIZE);
	stitch_kunmap_local(address);
	return 0;
}

static inline int stitch_copy_highpage(struct stitch_page *to, struct stitch_page *from)
{
	const void *address = stitch_kmap_local_page(from);
	int error = address ? stitch_memcpy_to_page(to, 0, address, STITCH_PAGE_SIZE) : -1;

	if (address)
		stitch_kunmap_local(address);
	return error;
}

#ifdef __cplusplus
}
#endif

#endif
