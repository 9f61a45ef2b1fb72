/*
 * fork.c - see mm_init.h: fork by the gate.
 *
 * L9. Nobody but the forking thread is inside the gate at the fork (kmalloc/gate.h), so that the
 * child finds every structure whole, the slots of absent threads included.
 */
#include "init/mm_init.h"
#include "kmalloc/gate.h"

void mm_fork_prepare(void)
{
	gate_close();
}

void mm_fork_parent(void)
{
	gate_open();
}

void mm_fork_child(void)
{
	gate_after_fork();
}
