/* memblock.c - see memblock.h. */
#include "core/memblock.h"

#include "base/math.h"
#include "core/lock.h"
#include "os/os.h"

/* Opened at a time: an mprotect costs about what zeroing 4 pages does. */
#define OPEN_STEP KIB(32)

/*
 *   start            open             next               end
 *     | not opened    | opened, free   | handed out        |
 * Invariant: start <= open <= next <= end.
 */
static struct {
	char *start, *open, *next, *end;
} memblock;

void memblock_init(char *start, char *end)
{
	memblock.start = start;
	memblock.open = memblock.next = memblock.end = end;
}

/* A multiple of the page size. */
static bool open_step(size_t step)
{
	if (os_open(memblock.open - step, step))
		return false;
	WRITE_ONCE(memblock.open, memblock.open - step);
	return true;
}

/* Make [open - bytes, open) usable: a whole step where that fits, else what is needed now. */
static bool open_more(size_t bytes)
{
	size_t left = (size_t)(memblock.open - memblock.start);

	if (bytes > left)
		return false;
	return open_step(min_size(left, align_up(bytes, OPEN_STEP))) ||
	       open_step(align_up(bytes, OS_PAGE_SIZE));
}

static void *alloc_locked(size_t bytes)
{
	size_t opened = (size_t)(memblock.next - memblock.open);

	if (bytes > opened && !open_more(bytes - opened))
		return NULL;
	memblock.next -= bytes;
	return memblock.next;
}

void *memblock_alloc(size_t bytes)
{
	void *block;

	lock_acquire(LOCK_MEMBLOCK);
	block = alloc_locked(align_up(bytes, CACHE_LINE));
	lock_release(LOCK_MEMBLOCK);
	return block;
}

size_t memblock_opened(void)
{
	return (size_t)(READ_ONCE(memblock.end) - READ_ONCE(memblock.open));
}
