/*
 * kmalloc.h - size dispatch: what malloc, free and realloc mean, without errno.
 *
 * L6. bytes <= 16 KiB: an object of a size class (slab/). Up to 2 MiB: a run of pages (mm/).
 * Above: an area of the address space (vmalloc/). All functions need mm_init() (init/mm_init.h)
 * to have succeeded, may be called by any thread at any time, never touch errno, and return NULL
 * when memory or address space is not to be had or the size is above KMALLOC_MAX_BYTES.
 * Every address is 16-byte aligned whatever the size.
 */
#ifndef KMALLOC_KMALLOC_H
#define KMALLOC_KMALLOC_H

#include "base/compiler.h"

#define KMALLOC_MIN_ALIGN 16u
#define KMALLOC_MAX_BYTES ((size_t)PTRDIFF_MAX)

/* The whole of malloc: kmalloc_fast() from slab/sheaf.h, else the slow path. bytes may be 0. */
void *kmalloc(size_t bytes);
/* As kmalloc, all bytes zero; clears nothing that is known to be zero already. */
void *kzalloc(size_t bytes);
/* align: a power of two (any up to half the reserve). */
void *kmalloc_aligned(size_t align, size_t bytes);

/* As kmalloc, but starting on a page boundary: on pages of its own, however few bytes it is. */
void *kmalloc_pages_of_own(size_t bytes);

/*
 * An object of at most SIZE_CLASS_MAX_BYTES from the slabs of this node (mm/node.h), aligned to a
 * power of two up to a page. Strict: not of another node, though the node has none. NULL: none; or
 * whole pages are smaller.
 */
void *kmalloc_node(size_t bytes, size_t align, unsigned int nid, bool strict);

/* The parts of kmalloc and kfree that the inline fast paths did not take. */
void *kmalloc_slow(size_t bytes);
void kfree_slow(void *object);
/* kfree, except foreign objects, for who is inside the gate (kmalloc/gate.h) already. */
void kfree_inside(void *object);

/* object: NULL, ours, or foreign (then the foreign_ops of core/hooks.h decide). */
void kfree(void *object);
/*
 * Resize in place where that is possible, else move. object != NULL, bytes > 0.
 * On NULL the object is untouched; a request for no more than it holds never fails.
 */
void *krealloc(void *object, size_t bytes);
/* Usable bytes of a live object of ours, constant until it is freed or reallocated; 0 for NULL. */
size_t ksize(const void *object);

/* Give back every free page that can be given back now. True when any memory was released. */
bool kmalloc_trim(void);

/*
 * Hand the pages that other threads keep for reuse back to the zone, of some threads at a time. The
 * heap has grown (zone_is_outgrown). Outside the gate, which it closes for some microseconds.
 */
void kmalloc_drain_others(void);

/*
 * Hand what the thread and slots without a holder keep for reuse back to the zone. Inside the gate
 * (kmalloc/gate.h).
 */
void kmalloc_drain(void);

/*
 * What slots of groups within `memcg` (mm/memcontrol.h) keep for reuse is in use no more: of those
 * that nobody holds, inside the gate; of other threads', too, outside it.
 */
void kmalloc_drain_memcg(unsigned int memcg);
void kmalloc_trim_memcg(unsigned int memcg);

/* One consistent-enough snapshot for mallinfo2, malloc_info and malloc_stats. All in bytes. */
struct kmalloc_usage {
	size_t reserved;	/* address space of the heap */
	size_t opened;		/* readable and writable part of it */
	size_t metadata;	/* struct pages, page map, slots: opened bytes */
	size_t small_live;	/* usable bytes of live objects up to 16 KiB; in a sheaf is free */
	size_t small_cached;	/* free objects held in sheaves, inboxes and outboxes */
	size_t small_free;	/* free objects in slabs */
	size_t run_live;	/* page runs handed out */
	size_t area_live;	/* areas above 2 MiB handed out, in the heap or outside */
	size_t nr_areas;
	size_t mapped_live;	/* of these, in mappings of their own (vmalloc/mapping.h) */
	size_t nr_mapped;
	size_t mapped_free;	/* in such mappings that are kept for reuse */
	size_t emergency_live;	/* objects that were allocated while a thread forked */
	size_t reserve;		/* resident memory for requests that may not wait */
	size_t lowmem;		/* what the zones DMA and DMA32 and areas of CMA have */
	size_t lowmem_free;	/* of it, in no object */
	size_t highmem_live;	/* pages outside the address space */
	size_t highmem_free;	/* of free ones, those that keep their memory */
	size_t reserve_free;	/* of it, what is in no object */
	size_t free_resident;	/* free pages that may occupy memory: what trim could release,
				 * mapped_free included */
	size_t free_proved;	/* of these, pages that do; 0 where nobody has asked the kernel */
	size_t free_hole;	/* free pages known to occupy none */
	size_t peak_live;	/* highest run_live + area_live + slab pages seen */
	size_t stitch_requests;	/* large requests into which frames were moved */
	size_t stitch_runs;	/* moves */
	size_t stitch_pages;	/* pages moved */
	size_t stitch_ns;	/* time that it took */
	size_t stitch_run_ns;	/* what a move costs at present: so much ... */
	size_t stitch_page_ns;	/* ... and so much a page, in ns */
	size_t stitch_touch_ns;	/* what the first access to a moved page costs */
	size_t stitch_fault_ns;	/* what a page fault costs, and ... */
	size_t stitch_huge_ns;	/* ... a huge one, for each of its pages */
	size_t stitch_busy;	/* runs shared with a child, or pinned */
	size_t stitch_repopulated; /* pages of such runs that were made our own */
	size_t stitch_relocated; /* pages of blocks that realloc has moved inside the heap */
	size_t mapped_in;	/* blocks that it has moved out of the heap, */
	size_t mapped_moved;	/* from one place to another outside, */
	size_t mapped_maps;	/* mappings that blocks outside the heap consist of */
	size_t gather_requests;	/* large requests for which frames were moved out of the heap */
	size_t gather_runs, gather_pages;
	size_t gather_ns;	/* time that it took */
	size_t gather_no_maps;	/* cut short by vm.max_map_count */
	size_t mapped_reused;	/* and such mappings that served malloc again */
	size_t stitch_purged;	/* pages dropped in place of those that will be faulted in */
	size_t stitch_no_mover;	/* requests for which pages could not be moved here */
	size_t stitch_no_lock;	/* requests that came while memory was being given back */
	size_t stitch_dear;	/* run lengths refused for what they cost */
	size_t stitch_short;	/* requests left with holes for want of frames */
	size_t stitch_bounded;	/* requests left with holes by the bounds of one stitch */
	size_t stitch_failed;	/* moves that failed in another way */
	size_t stitch_error;	/* why pages cannot be moved here, an errno; 0: perhaps they can */
	size_t heap_maps;	/* mappings that the heap consists of; resolve only */
	size_t max_maps;	/* that the process may have in all; resolve only */
	size_t faults_injected; /* not filled here: debug/fault_inject.h */
	size_t nr_slots;	/* heap slots ever made */
	size_t nr_slots_held;	/* of these, held by living threads */
};

void kmalloc_usage_read(struct kmalloc_usage *usage);

/* The same, after asking the kernel about every free page: for reports, 5 us a free MiB. */
void kmalloc_usage_resolve(struct kmalloc_usage *usage);

/*
 * What has been kept for reuse long enough goes back to the system (mm/decay.h, vmalloc/mapping.h).
 * Inside the gate.
 */
void kmalloc_decay(void);

struct report;
/* A line for each class with slabs: name, object bytes, live, cached, free, slabs, slab pages. */
void kmalloc_report_caches(struct report *report);

#endif
