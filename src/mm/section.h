/*
 * section.h - the window of address space: laid out at boot, reserved in sections, opened in steps.
 *
 * L3. Without a limit on the address space the whole window is one section, reserved at boot.
 * Under RLIMIT_AS only part of it is; further sections are reserved behind it when they are
 * needed, where the addresses are still free, and the arrays already cover them.
 * What is reserved at boot is cut into a section for each node (mm/node.h), of equal length but for
 * the last one's rest.
 */
#ifndef MM_SECTION_H
#define MM_SECTION_H

#include "mm/zone.h"

/*
 * Reserve the arrays and the first section, fill mm_map, hand memblock its part. `reserve_bytes`
 * 0: four times the physical memory. False when not even the smallest can be had.
 */
bool sections_boot(size_t reserve_bytes);

/*
 * Open at least `nr_units` more units in one piece for `part` of the node that is being tried, and
 * return the first of them in *unit and their number; 0 when address space or memory cannot be had.
 * May make system calls under the zone lock: growth is rare.
 */
size_t section_grow_locked(enum range_part part, size_t nr_units, size_t *unit);

/* The page lies in an opened part of the heap, so that its struct page can be looked at. */
bool pfn_is_open(size_t pfn);

/* The first page from pfn on that does; mm_map.nr_pages when there is none. */
size_t pfn_next_open(size_t pfn);

/* The address lies in a section: it is nobody else's. */
bool pfn_is_reserved(size_t pfn);

/* The node whose section the unit is in; 0: it is in none. */
unsigned int section_nid(size_t unit);

/* The first section of a node; NULL: it has none as yet. */
const struct section *section_first_of(unsigned int nid);

/* Reserved address space of the heap in bytes, arrays not counted. */
size_t sections_reserved(void);

/* Opened bytes of the three arrays. */
size_t sections_metadata(void);

#endif
