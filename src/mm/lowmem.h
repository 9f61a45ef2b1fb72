/*
 * lowmem.h - zones whose memory is of a particular kind: what the kernel calls lowmem.
 *
 * L3. ZONE_DMA: pinned, each 2 MiB one huge page, so that it is contiguous for a device, too.
 * ZONE_DMA32: below 4 GiB. A zone grows by chunks of 2 MiB, which are resident from then on; what
 * is in them is handed out by a pool (mm/grain_pool.h). Trimming parks chunks that are free:
 * nobody's, their memory given back.
 *
 * A part is one stretch of address space. ZONE_DMA of a process is its own: the kernel wipes it in
 * children, so that no fork takes its frames from the parent by copy on write. A child finds its
 * parent's parts full of zeroes, can free what is in them, and gets new memory in a part of its own
 * only (mm_map.process->pinned). ZONE_DMA32 is copied on write as the heap is.
 *
 * LOCK_LOWMEM protects parts and chunks and is held over growing. All else is lock-free.
 */
#ifndef MM_LOWMEM_H
#define MM_LOWMEM_H

#include "base/math.h"
#include "mm/grain_pool.h"

enum lowmem_zone { LOWMEM_DMA, LOWMEM_DMA32, NR_LOWMEM_ZONES };

/* No zone of its own: the areas of mm/cma.h, each a part of one chunk that is not resident. */
#define LOWMEM_CMA NR_LOWMEM_ZONES
#define NR_LOWMEM_LISTS (NR_LOWMEM_ZONES + 1)

#define LOWMEM_CHUNK_BYTES (PAGEBLOCK_PAGES * PAGE_SIZE)
#define LOWMEM_MAX_CHUNKS 1024u

struct lowmem_part {
	struct grain_pool pool; /* an extent is a chunk */
	struct lowmem_part *older;
	char *base;
	size_t chunk_bytes;
	size_t nr_chunks;	/* that there is address space for */
	uint64_t *cells;	/* of all chunks, one behind the other */
	size_t nr_parked;
	uint64_t parked[LOWMEM_MAX_CHUNKS / 64];
	struct grain_extent extents[];
};

/* A page is free when its cells are. */
#define LOWMEM_CHUNK_CELLS (LOWMEM_CHUNK_BYTES / GRAIN_CELL_BYTES)
#define LOWMEM_PAGE_CELLS (PAGE_SIZE / GRAIN_CELL_BYTES)

/* The newest parts; an older one is another process's. */
extern struct lowmem_part *_Atomic lowmem_parts[NR_LOWMEM_LISTS];

/* Bytes that are to stay free, by the kernel's arithmetic over what the zone has. */
struct lowmem_marks {
	size_t min;  /* for who has a right to it */
	size_t low;  /* below it the zone grows */
	size_t high; /* trimming leaves so much */
};

/* __setup_per_zone_wmarks, for the zone by itself. */
static inline struct lowmem_marks lowmem_marks(size_t total)
{
	size_t min = KIB(1) * int_sqrt(16 * (total / KIB(1)));

	return (struct lowmem_marks){ min, min + min / 4, min + min / 2 };
}

/*
 * lowmem_reserve of a zone against requests of a class: a zone, or NR_LOWMEM_ZONES for the heap,
 * which has so much (setup_per_zone_lowmem_reserve with its ratio). Only DMA32 is fallen back to.
 */
#define LOWMEM_RESERVE_RATIO 256u
static inline size_t lowmem_protection(size_t heap, unsigned int type, unsigned int class)
{
	return type == LOWMEM_DMA32 && class == NR_LOWMEM_ZONES ? heap / LOWMEM_RESERVE_RATIO : 0;
}

/* What the zone has, and what of that is free. No lock. */
void lowmem_count(enum lowmem_zone type, size_t *total, size_t *free);

/* Of all zones and areas of CMA together. */
void lowmem_count_all(size_t *total, size_t *free);

/* As grain_pool_alloc: lock-free, signal-safe. */
void *lowmem_alloc(enum lowmem_zone type, size_t bytes, size_t align, size_t bytes_left);

/* Any address; as grain_pool_free and grain_pool_size. */
bool lowmem_contains(const void *address);
bool lowmem_free(void *object);
size_t lowmem_size(const void *object);
/* The live object that the address lies in; false: none. */
bool lowmem_object_at(uintptr_t address, uintptr_t *start, size_t *bytes);

enum lowmem_answer {
	LOWMEM_GROWN,
	LOWMEM_FULL,	    /* there is no address space for more */
	LOWMEM_NO_MEMORY,   /* or limit= is reached */
	LOWMEM_NO_HUGE_PAGE, /* the kernel has none, or none may be had */
	LOWMEM_NOT_PINNED,  /* RLIMIT_MEMLOCK */
	LOWMEM_NOT_WIPED,   /* the kernel cannot keep it from children */
};

/* Another chunk, unless the zone has got one since it had `total` bytes. Inside the gate. */
enum lowmem_answer lowmem_grow(enum lowmem_zone type, size_t total);

/* Park what is free beyond the high marks, and all of a zone that is not in use. In bytes. */
size_t lowmem_trim(void);

/*
 * The descriptor of a page of these zones is its first cell's word. NULL: the address is not, or
 * the pointer is no descriptor. No lock.
 */
const void *lowmem_page_of(const void *address);
void *lowmem_page_address(const void *page);

/*
 * A part: address space for nr_chunks chunks, with what describes them; DMA32: below 4 GiB. It is
 * published, and looked for by all the functions above, or dropped. LOCK_LOWMEM.
 */
enum lowmem_answer lowmem_part_new_locked(unsigned int type, size_t nr_chunks, size_t chunk_bytes,
					  struct lowmem_part **made);
void lowmem_part_drop_locked(struct lowmem_part *part);
void lowmem_publish_locked(unsigned int type, struct lowmem_part *part);

/* Pages counted for limits. False: there is no room. */
bool lowmem_count_in(size_t nr_pages);
void lowmem_count_out(size_t nr_pages);

bool validate_lowmem(void);

#endif
