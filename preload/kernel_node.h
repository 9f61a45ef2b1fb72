/*
 * kernel_node.h - what a request names a node for: shared by the functions that take one.
 *
 * L10.
 */
#ifndef PRELOAD_KERNEL_NODE_H
#define PRELOAD_KERNEL_NODE_H

#include <errno.h>

#include "entry.h"
#include "kmalloc/gfp.h"
#include "mm/zone.h"
#include "stitch/mm.h"

/* Where there is one node, or the request names a zone or none, or has no heap, the others do. */
static inline bool is_for_node(int nid, stitch_gfp_t flags)
{
	return heap_ready() && nid >= 0 && zone.nr_nodes > 1 && !(flags & GFP_ZONES);
}

/* There is no such node. */
static inline bool node_is_refused(int nid)
{
	bool refused = nid < STITCH_NUMA_NO_NODE ||
		       (heap_ready() && nid >= 0 && (unsigned int)nid >= zone.nr_nodes);

	if (unlikely(refused))
		errno = EINVAL;
	return refused;
}

#endif
