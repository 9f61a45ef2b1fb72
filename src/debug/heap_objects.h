/*
 * heap_objects.h - every object of the heap, numbered: found by any address inside it, with a byte
 * of state for whoever colours them.
 *
 * L7. A table of what is live at one moment, made from page map and bitmaps: nothing is tracked
 * before. What lies in sheaves, outboxes and inboxes is free. The caller keeps all other
 * threads out while the table is made and used: the gate is closed (kmalloc/gate.h), and they are
 * parked or do not touch what they hold. The caller is inside.
 *
 * Objects are those of slabs (malloc's and kmem_caches'), page runs and areas. Those of
 * mm/emergency.h and vmalloc/mapping.h lie outside the window, and count as memory of the
 * program's own.
 *
 * The table lies in mappings of its own: 4 bytes a page, 40 a block of pages that objects are in,
 * and a byte an object.
 */
#ifndef DEBUG_HEAP_OBJECTS_H
#define DEBUG_HEAP_OBJECTS_H

#include "mm/memmap.h"

/* State of what is free. Others are the caller's; new tables have OBJECT_LIVE. */
#define OBJECT_FREE 0u
#define OBJECT_LIVE 1u

struct heap_object {
	uintptr_t start;
	size_t bytes; /* usable */
	uint32_t index;
};

/* False: no memory for the table. */
bool heap_objects_collect(void);
void heap_objects_release(void);

/* Objects and places for objects: indexes are below it. */
uint32_t heap_objects_count(void);

/* One byte an object. */
extern uint8_t *heap_object_state;

/* The live object that the address lies in. */
bool heap_object_at(uintptr_t address, struct heap_object *object);

/* Call fn for every object with 1 << state in `states`, by ascending addresses. */
#define OBJECTS_LIVE (~(1u << OBJECT_FREE))
typedef void heap_object_fn(void *context, const struct heap_object *object);
void heap_objects_visit(unsigned int states, heap_object_fn *fn, void *context);

#endif
