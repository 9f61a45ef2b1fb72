/* mover.c - see mover.h. */
#include "vmalloc/mover.h"

#include <errno.h>

#include "core/lock.h"
#include "core/params.h"
#include "core/printk.h"
#include "mm/zone.h"
#include "os/os.h"
#include "os/os_move.h"

/* How often a program may close the descriptor. */
#define MAX_LOSSES 2u
/* Stitches until what has failed for now is tried again. */
#define RETRY_INTERVAL 64u

static unsigned int nr_losses, nr_until_retry;
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

/* What was opened last, here or in the process that this one is a child of. */
static struct {
	int mover;
	struct os_file file;
	bool must_ask, moves_huge;
} opened = { .mover = -1 };

void mover_lost(void)
{
	mm_map.process->mover = 0;
	mm_map.process->nr_registered = 0;
	opened.mover = -1;
	if (++nr_losses == MAX_LOSSES)
		fail_for_good(-EBADF);
}

/* The parent's, if the number is not another's by now. */
static void close_inherited(void)
{
	struct os_file file;

	if (opened.mover >= 0 && !os_file_of(opened.mover, &file) &&
	    file.device == opened.file.device && file.inode == opened.file.inode)
		os_mover_close(opened.mover);
	opened.mover = -1;
}

/* Only for now: descriptors or memory are short, or another process has the heap registered. */
static bool is_passing(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM || error == -EAGAIN ||
	       error == -EBUSY;
}

static void fail(int error)
{
	if (error && is_passing(error))
		nr_until_retry = RETRY_INTERVAL;
	else
		fail_for_good(error);
}

/*
 * A child of a process that has lost its mover begins anew. Without signals: a handler that forks
 * would leave its child with a descriptor that nobody knows.
 */
static void open_mover(struct process_page *process)
{
	uint64_t mask = os_block_signals();
	int mover;

	close_inherited();
	mover = os_mover_open();
	process->mover = mover < 0 ? 0 : (uint32_t)mover + 1;
	if (mover >= 0 && !os_file_of(mover, &opened.file))
		opened.mover = mover;
	os_restore_signals(mask);
	if (mover < 0)
		fail(mover);
	opened.moves_huge = os_moves_huge_pages();
}

/* Sections that have been added since. */
static void register_sections(struct process_page *process)
{
	unsigned int nr_sections = READ_ONCE(zone.nr_sections);

	while (process->nr_registered < nr_sections) {
		const struct section *section = &zone.sections[process->nr_registered];
		size_t nr_pages = (section->end - section->start) * UNIT_PAGES;
		int error = os_mover_register((int)process->mover - 1,
					      pfn_to_virt(section->start * UNIT_PAGES),
					      nr_pages * PAGE_SIZE);

		fail(error);
		if (error)
			return;
		process->nr_registered++;
	}
}

static bool is_wanted(void)
{
	return params.stitch == STITCH_UFFD || (params.stitch == STITCH_AUTO && !os_is_filtered());
}

/* Somebody may add some at any time. */
static void look_for_swap(void)
{
	enum os_swap swap = os_swap();

	opened.must_ask = swap != OS_SWAP_NONE;
	if (swap == OS_SWAP_LOSES)
		fail_for_good(-EOPNOTSUPP);
}

bool mover_ready(void)
{
	struct process_page *process = mm_map.process;

	VM_BUG_ON(!lock_is_held(LOCK_RECLAIM));
	if (error_for_good || !process || !is_wanted())
		return false;
	if (nr_until_retry) {
		nr_until_retry--;
		return false;
	}
	if (!process->mover)
		open_mover(process);
	if (process->mover) {
		look_for_swap();
		register_sections(process);
	}
	return !error_for_good && !nr_until_retry;
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

bool mover_must_ask(void)
{
	return opened.must_ask;
}

/* In HIGH nobody knows. */
bool mover_may_be_huge(size_t from)
{
	const struct pageblock *block = pfn_to_pageblock(from);

	return READ_ONCE(block->huge) || block->part == RANGE_HIGH;
}

bool mover_moves_huge(void)
{
	return opened.moves_huge;
}

/* Linux 6.14 gives the table back when it is empty. */
void mover_prepare_huge(size_t to)
{
	os_purge(pfn_to_virt(to), PAGEBLOCK_PAGES * PAGE_SIZE);
}

void mover_note_huge(size_t to)
{
	struct pageblock *block = pfn_to_pageblock(to);
	bool huge = block->part == RANGE_LOW &&
		    os_has_huge_page(pfn_to_virt(to), PAGEBLOCK_PAGES * PAGE_SIZE) == 1;

	zone_lock();
	WRITE_ONCE(block->huge, huge ? HUGE_WHOLE : HUGE_NONE);
	zone_unlock();
}
