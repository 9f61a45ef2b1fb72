/*
 * highmem.h - page frames that are in no address space until they are mapped: ZONE_HIGHMEM.
 *
 * L3. The frames are those of a file in memory (os/os_frames.h), a page's index is its place in it.
 * Free ones are found first fit, and keep what they hold up to a bound. A chunk is the descriptors
 * of 128 MiB, opened when frames of it are wanted. struct high_page is what the program has as
 * struct stitch_page.
 *
 * The window (the kernel's PKMAP) is where single pages are mapped by kmap. A place that nobody
 * uses any more keeps its page until another needs it, so that the next kmap of the page is free.
 *
 * Fork: the file is the parent's. A child has what is mapped, and shares it with its parent, but
 * can map nothing more of it; its own frames come from a file of its own and chunks behind. So it
 * is where the program has closed the descriptor.
 *
 * LOCK_HIGHMEM protects everything, and is held over calls that map and fill. Where it is said,
 * none is needed.
 *
 * Invariants (validate_highmem): a block of 2^order frames is one HIGH_HEAD and HIGH_TAILs behind
 * it, all used and filled; the rest is HIGH_FREE and not used; nr_used counts the used frames of
 * chunks that are this process's, nr_kept those that are filled and not used. A page's slot names
 * it, and the other way round.
 */
#ifndef MM_HIGHMEM_H
#define MM_HIGHMEM_H

#include "mm/mm_types.h"

#define HIGHMEM_WINDOW_PAGES 1024u
#define HIGHMEM_CHUNK_FRAMES 32768u
/* Free frames that keep their memory for reuse. */
#define HIGHMEM_MAX_KEPT (MIB(4) / PAGE_SIZE)

enum high_state { HIGH_FREE, HIGH_HEAD, HIGH_TAIL };

struct high_page {
	uint8_t state;
	uint8_t order;	/* of a head */
	uint16_t slot;	/* place in the window, + 1; 0: none */
	uint16_t nr_kmaps;
	uint16_t nr_vmaps;
};

/* A descriptor there is. No lock. */
bool highmem_owns(const void *page);
/* Of a descriptor; and back, NULL: there is none. No lock. */
size_t highmem_index(const struct high_page *page);
struct high_page *highmem_page(size_t index);

/*
 * A block of 2^order frames that have memory, zeroed if so wanted. NULL: there is no memory, or no
 * file can be had here.
 */
struct high_page *highmem_alloc_locked(unsigned int order, bool zero);

enum highmem_answer { HIGHMEM_DONE, HIGHMEM_NO_BLOCK, HIGHMEM_MAPPED };
enum highmem_answer highmem_free_locked(struct high_page *page, unsigned int order);

/* NULL: no place in the window, or the page cannot be mapped (any more). */
void *highmem_kmap_locked(struct high_page *page);
/* False: it is not mapped so. */
bool highmem_kunmap_locked(struct high_page *page);
/* Where it is mapped by kmap, or NULL. No lock, for who has mapped it. */
void *highmem_kmap_address(const struct high_page *page);
/* The page that is mapped by kmap at the address, or NULL. No lock, for who has mapped it. */
struct high_page *highmem_kmap_page(const void *address);

/* Map an allocated page, and up to max - 1 that follow it in the file, too. How many; 0: none. */
size_t highmem_map_locked(struct high_page *const *pages, size_t max, void *address, bool writable);

/* Take the memory of all free frames. Returns how many had some. */
size_t highmem_trim_locked(void);

struct highmem_count {
	size_t nr_frames; /* that there can be; 0: nobody has asked for any */
	size_t nr_used, nr_kept;
};
void highmem_count(struct highmem_count *count);

bool validate_highmem(void);

#endif
