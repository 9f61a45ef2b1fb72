/*
 * os_node.h - nodes of memory, and the one that a thread runs on. Linux has them by number.
 *
 * L1. See os.h for what all calls have in common.
 */
#ifndef OS_OS_NODE_H
#define OS_OS_NODE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/compiler.h"

/* The kernel's MAX_NUMNODES is 1024 at most. */
#define OS_MAX_NODES 1024u

/* Bit n: node n has memory, and the thread may use it. */
int os_memory_nodes(uint64_t nodes[OS_MAX_NODES / 64]);

/* The thread has a policy of its own for where its memory is to come from. */
bool os_has_memory_policy(void);

/* What is faulted in there is to come from this node, as long as it has any. */
int os_bind_node(void *address, size_t bytes, unsigned int node);

/* The processor that the thread runs on at this moment, and its node. */
int os_current_node(unsigned int *cpu, unsigned int *node);

#endif
