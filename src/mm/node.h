/*
 * node.h - nodes of memory: which there are, and of which one a thread is.
 *
 * L3. On a machine with several the heap is cut in one part for each (mm/section.h), which the
 * kernel is told to take from it (mbind). A thread is of the node that it ran on when it took its
 * heap slot (slab/slot.h), or first needed memory without one; its memory is of that node as long
 * as it has any or can grow, then of the others, as their numbers follow. With numa_fake=N there
 * are N, and a processor is of the node that its number modulo N says.
 *
 * Nodes are numbered from 0 on, without gaps, here. There is one under a seccomp filter, which need
 * not allow the calls, for a program that was started with a memory policy, and where there are
 * more than MAX_NODES.
 */
#ifndef MM_NODE_H
#define MM_NODE_H

#include "mm/zone.h"

/*
 * The node of the calling thread, as node_mark() has it, or NO_NODE: it is of none as yet. With
 * NODE_STRICT what it takes is of that node, or there is none. One byte that is 0 at first: room
 * for thread-local storage is scarce.
 */
extern _Thread_local uint8_t active_node __tls_initial_exec;
#define NODE_STRICT 0x80u
#define NO_NODE 0u

static inline uint8_t node_mark(unsigned int nid)
{
	return (uint8_t)(nid + 1);
}

/* How many there are. Boot only. */
unsigned int nodes_boot(void);

/* The range is reserved for the node. What the kernel says to it does not matter. */
void nodes_bind(unsigned int nid, void *address, size_t bytes);

/* The node on which the calling thread runs. */
unsigned int node_current(void);

/* The node that the calling thread asks first. */
static inline unsigned int node_wanted(void)
{
	if (likely(zone.nr_nodes == 1))
		return 0;
	if (!(active_node & ~NODE_STRICT))
		active_node |= node_mark(node_current());
	return (active_node & ~NODE_STRICT) - 1u;
}

/* The number that the system knows it by. */
unsigned int node_os_id(unsigned int nid);

#endif
