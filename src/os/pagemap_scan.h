/*
 * pagemap_scan.h - an ioctl of /proc/self/pagemap: which pages are of some kind (Linux 6.7).
 *
 * L1. Written down here: the headers of Debian 12 are of Linux 6.1. Source: include/uapi/linux/fs.h
 * of Linux 6.12.
 */
#ifndef OS_PAGEMAP_SCAN_H
#define OS_PAGEMAP_SCAN_H

#include <asm/ioctl.h>
#include <asm/unistd.h>

#include "os/syscall.h"

#define PAGE_IS_FILE ((uint64_t)1 << 2) /* a file's own page; not a private copy of one */
#define PAGE_IS_PRESENT ((uint64_t)1 << 3)
#define PAGE_IS_SWAPPED ((uint64_t)1 << 4)
#define PAGE_IS_HUGE ((uint64_t)1 << 6)

struct page_region {
	uint64_t start, end, categories;
};

struct pm_scan_arg {
	uint64_t size, flags, start, end, walk_end, vec, vec_len, max_pages;
	uint64_t category_inverted, category_mask, category_anyof_mask, return_mask;
};

/* scan->size is filled in. How many regions were found, or -errno. */
static inline long pagemap_scan(long fd, struct pm_scan_arg *scan)
{
	scan->size = sizeof(*scan);
	return syscall3(__NR_ioctl, fd, (long)_IOWR('f', 16, struct pm_scan_arg), (long)scan);
}

#endif
