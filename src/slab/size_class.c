/* size_class.c - see size_class.h. */
#include "slab/size_class.h"

#include <string.h>

#include "base/format.h"

/*
 * What a sheaf may hold at most: 512 KiB of the smallest objects, 128 KiB of the largest, and 8 to
 * 8192 of them. How much of that a thread gets is a matter of demand and budget (sheaf.c).
 */
#define MAX_CACHED(size) \
	((size) <= 64 ? 8192 : (size) <= 128 ? 2048 : (size) <= 256 ? 1024 : (size) <= 512 ? 256 : \
	 (size) <= 1024 ? 128 : (size) <= 2048 ? 32 : (size) <= 4096 ? 16 : 8)

const struct size_class size_classes[NR_SIZE_CLASSES] = {
#define SIZE_CLASS(size, min_order, max_order, shift, inverse) \
	{ (size), (min_order), (max_order), (shift), MAX_CACHED(size), (inverse) },
#include "slab/size_class.def"
#undef SIZE_CLASS
};

const uint8_t size_class_index[SIZE_CLASS_MAX_BYTES / SIZE_CLASS_GRAIN + 1] = {
#define SIZE_CLASS_INDEX
#include "slab/size_class.def"
#undef SIZE_CLASS_INDEX
};

uint8_t size_class_index_malloc[SIZE_CLASS_MAX_BYTES / SIZE_CLASS_GRAIN + 1] = {
#define SIZE_CLASS_INDEX
#include "slab/size_class.def"
#undef SIZE_CLASS_INDEX
};

void size_class_stop_malloc(void)
{
	memset(size_class_index_malloc, NR_SIZE_CLASSES, sizeof(size_class_index_malloc));
}

#define SIZE_CLASS(size, min_order, max_order, shift, inverse) \
	_Static_assert((size) % SIZE_CLASS_GRAIN == 0, "every object is 16-byte aligned"); \
	_Static_assert((uint32_t)(((size) >> (shift)) * (inverse)) == 1, "exact division"); \
	_Static_assert(PAGE_SIZE << (min_order) >= (size), "a slab holds an object"); \
	_Static_assert((PAGE_SIZE << (max_order)) / (size) <= SLAB_MAX_OBJECTS, "and few enough"); \
	_Static_assert((min_order) <= (max_order) && (max_order) <= 5, "slabs end at 128 KiB");
#include "slab/size_class.def"
#undef SIZE_CLASS

void size_class_name(const struct size_class *class, char *name)
{
	bool kib = class->size % 1024 == 0;

	format_text(name, SIZE_CLASS_NAME_BYTES, "kmalloc-%u%s",
		    kib ? class->size / 1024u : class->size, kib ? "k" : "");
}
