/*
 * owner.h - the one function that maps a pointer to its owner, and does all checking there.
 *
 * L6. No locks: the page map is read with one relaxed load. The answer stays true as long as the
 * caller owns the object, that is for every correct program.
 */
#ifndef KMALLOC_OWNER_H
#define KMALLOC_OWNER_H

#include "mm/memmap.h"

enum owner_kind {
	OWNER_FOREIGN, /* no part of the heap */
	OWNER_SLAB,    /* object of a slab; it may be free in some sheaf, outbox or inbox */
	OWNER_RUN,     /* head of a page run */
	OWNER_AREA,    /* head of an area */
	OWNER_RESERVE, /* a live object of mm/reserve.h */
	OWNER_MAPPING, /* a block of vmalloc/mapping.h */
	OWNER_CACHE,   /* object of a kmem_cache; it may be free in a sheaf */
	OWNER_EMERGENCY, /* a live object of mm/emergency.h */
	OWNER_LOWMEM,  /* a live object of mm/lowmem.h */
	OWNER_WRONG,   /* nothing that malloc has given out starts there: in the heap or its own
			* structures, or where no allocator has anything */
};

struct owner {
	enum owner_kind kind;
	uint32_t entry;	   /* of the page map */
	struct page *page; /* of the address; for objects, runs and areas */
	size_t bytes;	   /* usable; of an object outside slabs, runs and areas */
};

/* `address` is any address. */
struct owner owner_of(const void *address);

/* Usable bytes of the object; the kind is neither OWNER_FOREIGN nor OWNER_WRONG. */
size_t owner_bytes(const struct owner *owner);

/* Report a pointer that is no object: "<operation>: double free of ... (page run)" and such. */
void owner_report_wrong(const char *operation, const void *address);

#endif
