/*
 * proc_view.h - the state of a heap as plain numbers, and the reports that are made of them.
 *
 * L8. One walker fills the view from raw memory through a reader: a copy in the process itself,
 * process_vm_readv in `stitchmalloc report`. The same walker and formatters are compiled into
 * both, so that both give the same bytes for the same state.
 *
 * No lock is taken and the process is not stopped: the numbers are of several moments. Nothing
 * that is read is trusted: indexes are compared with what the view knows, and every loop ends.
 */
#ifndef PROC_PROC_VIEW_H
#define PROC_PROC_VIEW_H

#include "core/report.h"
#include "kmalloc/vmap.h"
#include "mm/lowmem.h"
#include "mm/zone.h"
#include "slab/kmem_cache.h"
#include "slab/size_class.h"
#include "vmalloc/mapping.h"

#define PROC_ROOT_SYMBOL "stitch_proc_root"
#define PROC_ROOT_VERSION 0x5354435000000006u

/* What the library exports. Sizes tell a build with other structures. */
struct proc_root {
	uint64_t version;
	uint32_t zone_bytes, page_bytes, pageblock_bytes, cache_bytes, nr_classes;
	uint32_t mappings_bytes, vmap_bytes, part_bytes;
	uint64_t zone, mm_map, caches, mappings, vmaps, lowmem; /* addresses */
};

/* A zone of mm/lowmem.h, in pages. */
struct proc_lowmem {
	size_t nr_spanned, nr_managed, nr_free;
	size_t nr_blocks[NR_PAGE_ORDERS]; /* free ones by order, as the buddy would have them */
};

/* False: the memory cannot be read. */
typedef bool proc_read_fn(void *context, uint64_t address, void *to, size_t bytes);

struct proc_class {
	size_t nr_slabs, nr_active_slabs, nr_pages, nr_objects, nr_active;
};

struct proc_view {
	proc_read_fn *read;
	void *context;
	struct proc_root root;
	struct zone zone;
	struct mm_map map;
	size_t nr_areas, area_pages;
	size_t cache_pages;
	/* By node: free aligned blocks whose pages all have frames; free pages. */
	size_t nr_resident[MAX_NODES][NR_PAGE_ORDERS];
	size_t nr_free[MAX_NODES];
	struct proc_lowmem lowmem[NR_LOWMEM_ZONES];
	struct proc_class class[NR_SIZE_CLASSES];
};

enum proc_status { PROC_OK, PROC_UNREADABLE, PROC_OTHER_VERSION };

/* Reads the root at this address and what it leads to. */
enum proc_status proc_view_fill(struct proc_view *view, proc_read_fn *read, void *context,
				uint64_t root);

/* As a column of a table, whoever has chosen it. */
void proc_make_word(char *name, size_t bytes);

/* The report "memcg". */
void proc_print_memcg(struct report *report, const struct proc_view *view);

/* The rest of it: the zones below the heap. */
void proc_view_fill_lowmem(struct proc_view *view);

/*
 * Count free blocks: pairs of whole ones become one of the next order. words: a bit for each of
 * nr_pages, a power of two up to UNIT_PAGES, set if the page is free.
 */
void proc_count_blocks(size_t *nr_blocks, const uint64_t *words, unsigned int nr_pages);

/* Call fn for every area that there is now: in the heap, moved out of it, of vmap (is_vmap). */
typedef void proc_area_fn(void *context, uint64_t address, size_t nr_pages, bool is_vmap);
void proc_view_areas(const struct proc_view *view, proc_area_fn *fn, void *context);

/* The cache of this number, 1 to proc_view_last_cache(). False: none that has slabs. */
uint32_t proc_view_last_cache(const struct proc_view *view);
bool proc_view_cache(const struct proc_view *view, uint32_t id, struct kmem_cache *cache);

/* How many nodes there are, 1 at least, and of which one an address is. */
unsigned int proc_view_nr_nodes(const struct proc_view *view);
unsigned int proc_view_nid(const struct proc_view *view, uint64_t address);

/* Free pages of the zone: those that are in no use. */
size_t proc_view_nr_free(const struct proc_view *view);

/* By number; NULL behind the last one. */
const char *proc_report_name(unsigned int number);
/* False: there is no such report. */
bool proc_report_print(struct report *report, const struct proc_view *view, const char *name);

#endif
