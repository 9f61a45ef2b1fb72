/* os_node.c - see os_node.h. */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/mempolicy.h>

#include "os/os_node.h"
#include "os/syscall.h"

/* The kernel takes one bit less than it is told. */
#define MASK_BITS (OS_MAX_NODES + 1)

int os_memory_nodes(uint64_t nodes[OS_MAX_NODES / 64])
{
	return (int)syscall6(__NR_get_mempolicy, 0, (long)nodes, MASK_BITS, 0,
			     MPOL_F_MEMS_ALLOWED, 0);
}

bool os_has_memory_policy(void)
{
	int mode = MPOL_DEFAULT;

	return syscall6(__NR_get_mempolicy, (long)&mode, 0, 0, 0, 0, 0) || mode != MPOL_DEFAULT;
}

int os_bind_node(void *address, size_t bytes, unsigned int node)
{
	uint64_t mask[OS_MAX_NODES / 64] = { 0 };

	if (node >= OS_MAX_NODES)
		return -EINVAL;
	mask[node / 64] = (uint64_t)1 << node % 64;
	return (int)syscall6(__NR_mbind, (long)address, (long)bytes, MPOL_PREFERRED, (long)mask,
			     MASK_BITS, 0);
}

int os_current_node(unsigned int *cpu, unsigned int *node)
{
	return (int)syscall3(__NR_getcpu, (long)cpu, (long)node, 0);
}
