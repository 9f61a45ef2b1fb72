/* proc_lowmem.c - the zones below the heap, for proc_view.h. */
#include <string.h>

#include "proc/proc_view.h"

#define CHUNK_PAGES (LOWMEM_CHUNK_BYTES / PAGE_SIZE)

static bool get(const struct proc_view *view, uint64_t address, void *to, size_t bytes)
{
	return view->read(view->context, address, to, bytes);
}

static void count_chunk(struct proc_lowmem *lowmem, const uint64_t *cells)
{
	uint64_t free[CHUNK_PAGES / 64] = { 0 };

	for (size_t i = 0; i < CHUNK_PAGES; i++) {
		uint64_t used = 0;

		for (size_t cell = 0; cell < LOWMEM_PAGE_CELLS; cell++)
			used |= cells[i * LOWMEM_PAGE_CELLS + cell];
		free[i / 64] |= (uint64_t)!used << i % 64;
		lowmem->nr_free += !used;
	}
	lowmem->nr_managed += CHUNK_PAGES;
	proc_count_blocks(lowmem->nr_blocks, free, CHUNK_PAGES);
}

static void walk_part(const struct proc_view *view, const struct lowmem_part *part,
		      struct proc_lowmem *lowmem)
{
	uint64_t cells[LOWMEM_CHUNK_CELLS];
	size_t nr = min_size(part->pool.nr_extents, LOWMEM_MAX_CHUNKS);

	for (size_t i = 0; i < nr; i++) {
		uint64_t at = (uint64_t)(uintptr_t)part->cells + i * sizeof(cells);

		if (part->parked[i / 64] >> i % 64 & 1)
			continue;
		if (!get(view, at, cells, sizeof(cells)))
			return;
		count_chunk(lowmem, cells);
	}
	lowmem->nr_spanned = part->nr_chunks * CHUNK_PAGES;
}

/* A child has its parent's part of ZONE_DMA until it has one of its own: nothing, to it. */
static bool is_own(const struct proc_view *view, unsigned int type)
{
	struct process_page process;

	return type != LOWMEM_DMA ||
	       (view->map.process && get(view, (uint64_t)(uintptr_t)view->map.process, &process,
					 sizeof(process)) && process.pinned);
}

void proc_view_fill_lowmem(struct proc_view *view)
{
	struct lowmem_part part;
	uint64_t at = 0;

	for (unsigned int type = 0; type < NR_LOWMEM_ZONES; type++)
		if (get(view, view->root.lowmem + type * sizeof(at), &at, sizeof(at)) && at &&
		    is_own(view, type) && get(view, at, &part, sizeof(part)))
			walk_part(view, &part, &view->lowmem[type]);
}
