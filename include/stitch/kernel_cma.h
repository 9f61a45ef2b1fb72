/*
 * kernel_cma.h - the kernel's own names for stitch/cma.h, as stitch/kernel.h has them for the rest.
 * The kernel declares areas at boot by address; here cma_declare(name, bytes, &area) does.
 */
#ifndef STITCH_KERNEL_CMA_H
#define STITCH_KERNEL_CMA_H

#include <errno.h>

#include "stitch/cma.h"

/* 0 or -errno. */
static inline int stitch_cma_declare_area(const char *name, size_t bytes, struct stitch_cma **area)
{
	*area = stitch_cma_declare(name, bytes);
	return *area ? 0 : -errno;
}

#define cma stitch_cma /* struct cma */
#define movable_operations stitch_movable_operations
#define cma_declare stitch_cma_declare_area
#define cma_alloc stitch_cma_alloc
#define cma_release stitch_cma_release
#define cma_get_base stitch_cma_get_base
#define cma_get_size stitch_cma_get_size
#define cma_get_name stitch_cma_get_name

#endif
