/*
 * size_class.h - the caches of malloc: kmalloc-16 ... kmalloc-16k.
 *
 * L4. Generated table (tools/gen_size_classes.py) and what must hold of it. Constant.
 * Internal waste is at most 12.5 % above 128 bytes, 15 bytes below.
 */
#ifndef SLAB_SIZE_CLASS_H
#define SLAB_SIZE_CLASS_H

#include "base/math.h"
#include "mm/mm_types.h"

#define SIZE_CLASS(size, min_order, max_order, shift, inverse) +1
enum {
	NR_SIZE_CLASSES = 0
#include "slab/size_class.def"
};
#undef SIZE_CLASS
_Static_assert(NR_SIZE_CLASSES < 256, "the page map gives a class 8 bits");

/* The largest object, and the grain of all sizes and addresses. */
#define SIZE_CLASS_MAX_BYTES 16384u
#define SIZE_CLASS_GRAIN 16u
#define GRAIN_SHIFT 4u

struct size_class {
	uint16_t size;	    /* bytes from object to object; a multiple of 16 */
	uint8_t min_order;  /* first slabs of a slot that uses the class little */
	uint8_t max_order;
	uint8_t even_shift; /* size == odd << even_shift */
	uint16_t max_cached; /* objects in a sheaf at most; a power of two */
	uint32_t odd_inverse; /* odd * odd_inverse == 1 modulo 2^32 */
};

extern const struct size_class size_classes[NR_SIZE_CLASSES];
extern const uint8_t size_class_index[SIZE_CLASS_MAX_BYTES / SIZE_CLASS_GRAIN + 1];

/*
 * The same table as malloc's fast path reads it. When every allocation is to be counted it is full
 * of NR_SIZE_CLASSES, a class whose sheaf is always empty. Written before threads.
 */
extern uint8_t size_class_index_malloc[SIZE_CLASS_MAX_BYTES / SIZE_CLASS_GRAIN + 1];

/* From now on malloc's fast path misses. */
void size_class_stop_malloc(void);

/* The smallest class that holds bytes <= SIZE_CLASS_MAX_BYTES. */
static inline size_t size_class_of(size_t bytes)
{
	return size_class_index[(bytes + SIZE_CLASS_GRAIN - 1) / SIZE_CLASS_GRAIN];
}

/*
 * The same for objects that are multiples of `align`, a power of two up to a page. NR_SIZE_CLASSES:
 * pages of its own are smaller.
 */
static inline unsigned int size_class_of_aligned(size_t align, size_t bytes)
{
	size_t pages = align_up(max_size(bytes, 1), PAGE_SIZE);
	unsigned int class = (unsigned int)size_class_of(bytes);

	while (lowest_bit(size_classes[class].size) < align)
		if (size_classes[++class].size > pages)
			return NR_SIZE_CLASSES;
	return class;
}

/*
 * Which object of a slab starts `offset` bytes behind its first one; not below the number of
 * objects when none does. Exact division by multiplication: an offset that is not a multiple of
 * the size has low bits that the rotation makes huge, or no small quotient modulo 2^32.
 */
static inline uint32_t size_class_divide(const struct size_class *class, uint32_t offset)
{
	uint32_t shift = class->even_shift;
	uint32_t rotated = offset >> shift | offset << (32 - shift); /* shift is never 0 */

	return rotated * class->odd_inverse;
}

/* The alignment that every object of the class has. */
static inline size_t size_class_align(const struct size_class *class)
{
	return lowest_bit(class->size);
}

/* Writes "kmalloc-64" or "kmalloc-1k"; the buffer holds at least SIZE_CLASS_NAME_BYTES. */
#define SIZE_CLASS_NAME_BYTES 16u
void size_class_name(const struct size_class *class, char *name);

#endif
