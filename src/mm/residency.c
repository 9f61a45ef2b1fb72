/* residency.c - see residency.h. */
#include "mm/residency.h"

#include "base/bitmap.h"
#include "os/os.h"

/* One pageblock's share of a range of pages. */
struct piece {
	struct pageblock *block;
	size_t first, nr; /* bits */
};

static struct piece piece_at(size_t pfn, size_t nr_pages)
{
	size_t first = pfn % PAGEBLOCK_PAGES;

	return (struct piece){ pfn_to_pageblock(pfn), first,
			       min_size(nr_pages, PAGEBLOCK_PAGES - first) };
}

#define for_each_piece(piece, pfn, nr_pages) \
	for (struct piece piece = piece_at(pfn, nr_pages); (nr_pages) > 0; \
	     (pfn) += piece.nr, (nr_pages) -= piece.nr, \
	     piece = (nr_pages) ? piece_at(pfn, nr_pages) : piece)

void residency_note_filled(size_t pfn, size_t nr_pages)
{
	for_each_piece(piece, pfn, nr_pages) {
		bitmap_set_range(piece.block->touched, piece.first, piece.nr);
		bitmap_clear_range(piece.block->proved, piece.first, piece.nr);
	}
}

/* When decay last looked may be long ago: what is freed now must not seem that old. */
void residency_note_vacated(size_t pfn, size_t nr_pages)
{
	uint16_t now = zone_tick(os_clock_ms());

	WRITE_ONCE(zone.now, now);
	zone_add_free_touched(residency_count_touched(pfn, nr_pages));
	for_each_piece(piece, pfn, nr_pages)
		piece.block->freed_at = now;
}

void residency_note_freed(size_t pfn, size_t nr_pages)
{
	residency_note_filled(pfn, nr_pages); /* MAYBE */
	residency_note_vacated(pfn, nr_pages);
}

void residency_note_taken(size_t pfn, size_t nr_pages)
{
	zone_sub_free_touched(residency_count_touched(pfn, nr_pages));
}

void residency_note_used(size_t pfn, size_t nr_pages)
{
	size_t nr_holes = nr_pages - residency_count_touched(pfn, nr_pages);

	WRITE_ONCE(zone.nr_holes_used, zone.nr_holes_used + nr_holes);
}

void residency_note_purged(size_t pfn, size_t nr_pages)
{
	for_each_piece(piece, pfn, nr_pages) {
		bitmap_clear_range(piece.block->touched, piece.first, piece.nr);
		bitmap_clear_range(piece.block->proved, piece.first, piece.nr);
		if (piece.nr == PAGEBLOCK_PAGES)
			WRITE_ONCE(piece.block->huge, HUGE_NONE);
		else if (piece.block->huge)
			WRITE_ONCE(piece.block->huge, HUGE_SPLIT);
	}
}

size_t residency_note_resident(size_t pfn, size_t nr_pages, const unsigned char *mincore)
{
	size_t nr_resident = 0;

	for (size_t i = 0; i < nr_pages; i++) {
		struct pageblock *block = pfn_to_pageblock(pfn + i);
		size_t bit = (pfn + i) % PAGEBLOCK_PAGES;

		if (!(mincore[i] & 1) || !bitmap_test(block->touched, bit))
			continue;
		bitmap_set(block->proved, bit);
		nr_resident++;
	}
	return nr_resident;
}

size_t residency_count_touched(size_t pfn, size_t nr_pages)
{
	size_t nr_touched = 0;

	for_each_piece(piece, pfn, nr_pages)
		nr_touched += bitmap_count_range(piece.block->touched, piece.first, piece.nr);
	return nr_touched;
}

size_t residency_count_holes(size_t pfn, size_t nr_pages)
{
	size_t nr_touched;

	zone_lock();
	nr_touched = residency_count_touched(pfn, nr_pages);
	zone_unlock();
	return nr_pages - nr_touched;
}

/* First page at or behind pfn whose state is `touched`, end when there is none. */
static size_t find_state(size_t pfn, size_t end, bool touched)
{
	size_t nr_pages = end - pfn;

	for_each_piece(piece, pfn, nr_pages) {
		size_t last = piece.first + piece.nr;
		size_t bit = touched ?
				     bitmap_find_next_set(piece.block->touched, last, piece.first) :
				     bitmap_find_next_zero(piece.block->touched, last, piece.first);

		if (bit < last)
			return pfn + bit - piece.first;
	}
	return end;
}

size_t residency_find(size_t pfn, size_t nr_pages, bool touched, size_t *length)
{
	size_t end = pfn + nr_pages;
	size_t first = find_state(pfn, end, touched);

	*length = find_state(first, end, !touched) - first;
	return first;
}
