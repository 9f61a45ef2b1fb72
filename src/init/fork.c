/*
 * fork.c - see mm_init.h: fork by the lock-rank table.
 *
 * L9. The forking thread holds every lock over the fork, so that the child finds every
 * structure that a lock protects whole. What no lock protects, the slots of other threads, the
 * child gives up.
 */
#include "core/lock.h"
#include "init/mm_init.h"
#include "slab/slot.h"

void mm_fork_prepare(void)
{
	lock_all_for_fork();
}

void mm_fork_parent(void)
{
	lock_release_all();
}

void mm_fork_child(void)
{
	slots_after_fork();
	lock_reset_all();
}
