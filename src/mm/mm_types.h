/*
 * mm_types.h - the page layer's structures: struct page, struct pageblock, the map of the heap.
 *
 * L3. The heap is a window of address space, numbered in page frames from 0 (its lowest page).
 * Three arrays run beside it and are opened as it grows:
 *
 *	page map    4 bytes a page: who owns it; read by every free(), dense, no locks
 *	memmap	   64 bytes a page: struct page, for heads of blocks and for slabs
 *	pageblocks 256 bytes a 2 MiB: residency, page runs, free ranges
 *
 * Frames, blocks and ranges are named by struct page pointers and pfns; a pfn is never a pointer.
 */
#ifndef MM_MM_TYPES_H
#define MM_MM_TYPES_H

#include "base/list.h"
#include "stitch/rbtree.h"

#define PAGE_SHIFT 12u
#define PAGE_SIZE ((size_t)1 << PAGE_SHIFT)

/* include/linux/mmzone.h: orders 0..10; a pageblock is what one huge page covers. */
#define MAX_PAGE_ORDER 10u
#define NR_PAGE_ORDERS (MAX_PAGE_ORDER + 1)
#define PAGEBLOCK_ORDER 9u
#define PAGEBLOCK_PAGES (1u << PAGEBLOCK_ORDER)
#define PAGEBLOCK_WORDS (PAGEBLOCK_PAGES / 64)

/* The range allocator's unit is the buddy's largest block. */
#define UNIT_PAGES (1u << MAX_PAGE_ORDER)
#define UNIT_BYTES (UNIT_PAGES * PAGE_SIZE)
#define UNIT_PAGEBLOCKS (UNIT_PAGES / PAGEBLOCK_PAGES)

/*
 * The page map's entry. 0: no owner that a pointer could name (free, never used, or the
 * inside of a run or area). Slab pages: heap slot and size class, slots counted from 1.
 * Heads of runs and areas: their kind.
 */
#define PAGEMAP_CLASS_BITS 8u
#define PAGEMAP_SLOT(slot_id) ((uint32_t)(slot_id) << PAGEMAP_CLASS_BITS)
#define PAGEMAP_SLAB(slot_id, size_class) (PAGEMAP_SLOT(slot_id) | (uint32_t)(size_class))
#define PAGEMAP_KIND 0x80000000u
#define PAGEMAP_RUN (PAGEMAP_KIND | 1u)
#define PAGEMAP_AREA (PAGEMAP_KIND | 2u)
/* Every page of the reserve (mm/reserve.h), and of a slab of a kmem_cache. */
#define PAGEMAP_RESERVE (PAGEMAP_KIND | 3u)
#define PAGEMAP_CACHE (PAGEMAP_KIND | 4u)
/* The latter with the cache's number. */
#define PAGEMAP_CACHE_ID_MASK (0xffffu << PAGEMAP_CLASS_BITS)
#define PAGEMAP_OF_CACHE(id) (PAGEMAP_CACHE | (uint32_t)(id) << PAGEMAP_CLASS_BITS)

static inline bool pagemap_is_cache(uint32_t entry)
{
	return (entry & ~PAGEMAP_CACHE_ID_MASK) == PAGEMAP_CACHE;
}

static inline unsigned int pagemap_cache_id(uint32_t entry)
{
	return (entry & PAGEMAP_CACHE_ID_MASK) >> PAGEMAP_CLASS_BITS;
}

static inline bool pagemap_is_slab(uint32_t entry)
{
	return entry && !(entry & PAGEMAP_KIND);
}

static inline unsigned int pagemap_slot(uint32_t entry)
{
	return entry >> PAGEMAP_CLASS_BITS;
}

static inline unsigned int pagemap_class(uint32_t entry)
{
	return entry & ((1u << PAGEMAP_CLASS_BITS) - 1);
}

/* What struct page describes. Only heads have a kind; the pages behind them are PAGE_NONE. */
enum page_kind {
	PAGE_NONE,  /* not a head: inside a block, or never used */
	PAGE_BUDDY, /* head of a free block of 2^order pages, on a free list of the zone */
	PAGE_PCP,   /* head of a free block of 2^order pages, or of a run, in a slot's pcp */
	PAGE_SLAB,  /* head of a slab of 2^order pages */
	PAGE_RUN,   /* head of a page run of nr_pages pages */
	PAGE_AREA,  /* head of an area of nr_pages pages */
	PAGE_CACHE, /* head of a slab of a kmem_cache; members as for PAGE_SLAB */
};

/* Pages by use, those that a pcp keeps for it included. */
enum page_use { USE_SLAB, USE_RUN, USE_AREA, NR_PAGE_USES };

/* Who has allocated an object (debug/leak_track.h). */
struct leak_record {
	uint32_t stack; /* debug/stackdepot.h; 0: not known */
	int32_t tid;	/* 0: not tracked */
	uint64_t bytes : 63;
	bool ignored : 1; /* debug/leak_notes.h */
};

/*
 * A slab has at most 256 objects, so that its free bitmap, like all that is written for every
 * object, lies in the one struct page of its head.
 */
#define SLAB_BITMAP_WORDS 4u
#define SLAB_MAX_OBJECTS (64 * SLAB_BITMAP_WORDS)

struct page {
	union {
		struct {
			uint8_t kind;  /* enum page_kind; zone lock, or the owner of the block */
			uint8_t order; /* of a free block; of its slab for every page of a slab */
			uint16_t slab_index; /* position in its slab, for every page of a slab */
			uint32_t slab_owner; /* page map entry of the slab; in its head only */
		};
		uint64_t identity; /* all of these in one comparison */
	};
	union {
		struct { /* PAGE_SLAB; written by the owning slot only */
			uint16_t nr_objects;
			uint16_t until_event; /* frees until it stops being full or becomes empty */
		};
		uint32_t nr_pages; /* PAGE_RUN, PAGE_AREA */
	};
	uint16_t colour; /* PAGE_SLAB: bytes before the first object */
	uint16_t memcg;	 /* of every block in use: the group that it is charged to */
	union {
		struct list_head list; /* free list of zone or pcp; partial list of slot, class */
		size_t nr_spared;      /* PAGE_AREA: how many are not expected to get frames */
	};
	union {
		uint64_t bitmap[SLAB_BITMAP_WORDS]; /* PAGE_SLAB: set bit: the object is free */
		struct leak_record record; /* PAGE_RUN, PAGE_AREA; without a tid when handed out */
	};
};
_Static_assert(sizeof(struct page) == 64, "one cache line a page");

enum pageblock_kind {
	PAGEBLOCK_NONE,	 /* not opened, in an area, or inside a free range */
	PAGEBLOCK_RANGE, /* first block of a free range of units */
	PAGEBLOCK_BUDDY, /* its pages are the buddy's, free or handed out */
	PAGEBLOCK_RUNS,	 /* an order-9 block taken from the buddy and packed with page runs */
};

/* Part of a huge page can be dropped, but not be moved: what is left is one frame to the kernel. */
enum pageblock_huge {
	HUGE_NONE,  /* of ordinary pages; or in HIGH, where nobody knows */
	HUGE_WHOLE, /* one huge page, unless the kernel had none */
	HUGE_SPLIT, /* it was one, and part of it has been dropped since */
};

/*
 * Residency, a bit a page in each map (zone lock):
 *
 *	touched proved
 *	   0	  0	HOLE: no frame behind the page, reads as zero
 *	   1	  0	MAYBE: was given to the program, may or may not have a frame
 *	   1	  1	RESIDENT: has a frame for certain
 *
 * Meaningful for free pages; for pages in use it is what they were when handed out.
 */
struct pageblock {
	uint8_t kind;		 /* enum pageblock_kind */
	uint8_t part;		 /* enum range_part of the unit */
	uint8_t huge;		 /* enum pageblock_huge; also read without the lock */
	uint8_t bucket;		 /* PAGEBLOCK_RUNS: index of the list that it is on */
	uint16_t freed_at;	 /* zone_tick of the last free; 0: decay has been here since */
	uint16_t nr_used;	 /* PAGEBLOCK_RUNS: pages in runs == set bits of run_map */
	uint16_t longest_free;	 /* PAGEBLOCK_RUNS: no free run is longer than this */
	uint8_t nid;		 /* of the node that the unit is of, for good */
	uint32_t nr_units;	 /* PAGEBLOCK_RANGE: length */
	uint32_t subtree_max;	 /* PAGEBLOCK_RANGE: longest range in this subtree */
	union {
		struct stitch_rb_node node; /* PAGEBLOCK_RANGE: tree of free ranges by address */
		struct list_head list;	    /* PAGEBLOCK_RUNS: bucket list */
	};
	uint64_t run_map[PAGEBLOCK_WORDS] __cacheline_aligned; /* page is in a run */
	uint64_t touched[PAGEBLOCK_WORDS];
	uint64_t proved[PAGEBLOCK_WORDS];
};
_Static_assert(sizeof(struct pageblock) == 256, "residency must stay 1/8192 of the heap");

/*
 * What a child must not take over: the kernel wipes this page in the child of any fork, however it
 * is made.
 */
struct process_page {
	_Atomic uint32_t known;	    /* kmalloc/gate.h */
	_Atomic uint32_t mover;	    /* vmalloc/mover.h: descriptor + 1; 0: none; LOCK_RECLAIM */
	unsigned int nr_registered; /* sections that pages can be moved in; LOCK_RECLAIM */
	_Atomic bool tid_known;	    /* debug/leak_track.c */
	/* mm/lowmem.c: the newest part of ZONE_DMA is this process's; set under LOCK_LOWMEM */
	_Atomic bool pinned;
	uint32_t frames; /* mm/highmem.c: descriptor + 1; 0: none; LOCK_HIGHMEM */
};

/*
 * Where everything lies. Constant after boot and then read-only: a page of its own.
 * Pageblock i is pageblocks[-1 - i]: that array runs downwards, so that its open end touches the
 * open end of the memmap and both are one mapping.
 */
struct mm_map {
	uintptr_t reserve; /* where the reserve begins: the allocator's own memory, up to base */
	uintptr_t base; /* address of pfn 0; a multiple of UNIT_BYTES */
	size_t nr_pages; /* of the window */
	uint32_t *pagemap;
	struct page *memmap;
	struct pageblock *pageblocks; /* one past the array's end */
	struct process_page *process; /* NULL: the kernel cannot wipe it */
} __attribute__((aligned(4096)));

extern struct mm_map mm_map __hidden;

#endif
