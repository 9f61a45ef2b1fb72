/* size_class.c - see size_class.h. */
#include "slab/size_class.h"

#include "base/format.h"

/*
 * A full sheaf holds at most 128 KiB of objects, and 8..2048 of them: 2048 pointers are what
 * a thread's default budget allows one class (src/README.md, Decisions).
 */
#define MAX_CACHED(size) \
	((size) <= 64 ? 2048 : (size) <= 128 ? 1024 : (size) <= 256 ? 512 : (size) <= 512 ? 256 : \
	 (size) <= 1024 ? 128 : (size) <= 2048 ? 64 : (size) <= 4096 ? 32 : 16)

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

#define SIZE_CLASS(size, min_order, max_order, shift, inverse) \
	_Static_assert((size) % SIZE_CLASS_GRAIN == 0, "every object is 16-byte aligned"); \
	_Static_assert((uint32_t)(((size) >> (shift)) * (inverse)) == 1, "inverse of the odd part"); \
	_Static_assert(PAGE_SIZE << (min_order) >= (size), "a slab holds an object"); \
	_Static_assert((min_order) <= (max_order) && (max_order) <= 4, "64 KiB is the largest slab");
#include "slab/size_class.def"
#undef SIZE_CLASS

void size_class_name(const struct size_class *class, char *name)
{
	bool kib = class->size % 1024 == 0;

	format_text(name, SIZE_CLASS_NAME_BYTES, "kmalloc-%u%s",
		    kib ? class->size / 1024u : class->size, kib ? "k" : "");
}
