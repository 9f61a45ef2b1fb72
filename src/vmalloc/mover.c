/* mover.c - see mover.h. */
#include "vmalloc/mover.h"

#include <errno.h>

#include "core/lock.h"
#include "core/params.h"
#include "core/printk.h"
#include "mm/zone.h"
#include "os/os_move.h"

/* How often a program may close the descriptor. */
#define MAX_LOSSES 2u

static unsigned int nr_losses;
static int error_for_good;

static void fail_for_good(int error)
{
	WRITE_ONCE(error_for_good, error);
}

void mover_give_up(void)
{
	fail_for_good(-EINVAL);
}

int mover_error(void)
{
	return READ_ONCE(error_for_good);
}

void mover_lost(void)
{
	mm_map.process->mover = 0;
	mm_map.process->nr_registered = 0;
	if (++nr_losses == MAX_LOSSES)
		fail_for_good(-EBADF);
}

/* A child of a process that has lost its mover begins anew. */
static void open_mover(struct process_page *process)
{
	int mover = os_mover_open();

	if (mover < 0)
		fail_for_good(mover);
	else
		process->mover = (uint32_t)mover + 1;
}

/* Sections that have been added since. */
static void register_sections(struct process_page *process)
{
	unsigned int nr_sections = READ_ONCE(zone.nr_sections);

	while (!error_for_good && process->nr_registered < nr_sections) {
		const struct section *section = &zone.sections[process->nr_registered];
		size_t nr_pages = (section->end - section->start) * UNIT_PAGES;

		fail_for_good(os_mover_register((int)process->mover - 1,
						pfn_to_virt(section->start * UNIT_PAGES),
						nr_pages * PAGE_SIZE));
		process->nr_registered += !error_for_good;
	}
}

bool mover_ready(void)
{
	struct process_page *process = mm_map.process;

	VM_BUG_ON(!lock_is_held(LOCK_RECLAIM));
	if (error_for_good || !process || params.stitch == STITCH_OFF ||
	    params.stitch == STITCH_PURGE || (params.stitch != STITCH_UFFD && os_is_filtered()))
		return false;
	if (!process->mover)
		open_mover(process);
	if (process->mover)
		register_sections(process);
	return !error_for_good;
}

int mover_move(size_t to, size_t from, size_t nr_pages, bool holes, size_t *nr_moved)
{
	uint32_t mover = mm_map.process->mover;
	size_t moved = 0;
	int error = -EBADF;

	if (mover)
		error = os_move((int)mover - 1, pfn_to_virt(to), pfn_to_virt(from),
				nr_pages * PAGE_SIZE, holes, &moved);
	*nr_moved = moved / PAGE_SIZE;
	return error;
}
