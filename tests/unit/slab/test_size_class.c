/*
 * test_size_class.c - the generated table, by brute force over all sizes, classes and offsets.
 */
#include "kunit.h"
#include "mm/mm_types.h"
#include "slab/size_class.h"
#include "slab/slot.h"

#define LARGEST_SLAB ((size_t)128 << 10)

/* The table as read by eye: ascending, from the grain to the largest. */
TEST(classes_ascend)
{
	EXPECT_EQ(size_classes[0].size, SIZE_CLASS_GRAIN);
	EXPECT_EQ(size_classes[NR_SIZE_CLASSES - 1].size, SIZE_CLASS_MAX_BYTES);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		EXPECT_EQ(size_classes[class].size % SIZE_CLASS_GRAIN, 0);
		if (class)
			EXPECT(size_classes[class].size > size_classes[class - 1].size);
	}
}

TEST(class_is_the_smallest_that_fits)
{
	for (size_t bytes = 0; bytes <= SIZE_CLASS_MAX_BYTES; bytes++) {
		size_t class = size_class_of(bytes);

		ASSERT(class < NR_SIZE_CLASSES);
		ASSERT(size_classes[class].size >= bytes);
		if (class)
			ASSERT(size_classes[class - 1].size < bytes);
	}
}

TEST(waste_is_bounded)
{
	for (size_t bytes = 1; bytes <= SIZE_CLASS_MAX_BYTES; bytes++) {
		size_t size = size_classes[size_class_of(bytes)].size;

		if (bytes > 128)
			ASSERT((size - bytes) * 8 <= size); /* 12.5 % of what is taken */
		else
			ASSERT(size - bytes <= 15);
	}
}

/* All offsets that a pointer into a slab can have, and those in front of its first object. */
TEST(division_is_exact)
{
	for (unsigned int i = 0; i < NR_SIZE_CLASSES; i++) {
		const struct size_class *class = &size_classes[i];
		uint32_t most = (uint32_t)(LARGEST_SLAB / class->size);

		for (uint32_t offset = 0; offset < LARGEST_SLAB; offset++) {
			uint32_t index = size_class_divide(class, offset);

			if (offset % class->size == 0)
				ASSERT_EQ(index, offset / class->size);
			else
				ASSERT(index >= most);
		}
		for (uint32_t before = 1; before < LARGEST_SLAB; before++)
			ASSERT(size_class_divide(class, 0u - before) >= most);
	}
}

TEST(alignment_divides_size)
{
	for (unsigned int i = 0; i < NR_SIZE_CLASSES; i++) {
		size_t align = size_class_align(&size_classes[i]);

		EXPECT(is_power_of_two(align) && align >= SIZE_CLASS_GRAIN);
		EXPECT_EQ(size_classes[i].size % align, 0);
		EXPECT(size_classes[i].size % (2 * align) != 0);
		EXPECT_EQ((size_t)1 << size_classes[i].even_shift, align);
	}
}

TEST(aligned_classes_are_the_smallest)
{
	for (size_t align = 1; align <= 4096; align *= 2)
		for (size_t bytes = 0; bytes <= SIZE_CLASS_MAX_BYTES; bytes++) {
			unsigned int class = size_class_of_aligned(align, bytes);
			size_t pages = align_up(bytes ? bytes : 1, PAGE_SIZE), less;

			for (less = size_class_of(bytes); less < class; less++)
				ASSERT(size_classes[less].size % align ||
				       size_classes[less].size > pages);
			if (class == NR_SIZE_CLASSES)
				continue; /* pages waste less */
			ASSERT(size_classes[class].size >= bytes);
			ASSERT(size_classes[class].size <= pages || class == size_class_of(bytes));
			ASSERT_EQ(size_classes[class].size % align, 0);
		}
	EXPECT_EQ(size_class_of_aligned(4096, 12288), NR_SIZE_CLASSES);
	EXPECT_EQ(size_class_of_aligned(4096, 12289), NR_SIZE_CLASSES - 1);
}

/* What slab.c and barn.c count on. */
TEST(slabs_and_sheaves_have_room)
{
	for (unsigned int i = 0; i < NR_SIZE_CLASSES; i++) {
		const struct size_class *class = &size_classes[i];

		for (unsigned int order = class->min_order; order <= class->max_order; order++) {
			size_t nr_objects = (PAGE_SIZE << order) / class->size;

			EXPECT(nr_objects >= 1);
			EXPECT(nr_objects <= SLAB_MAX_OBJECTS);
		}
		EXPECT(PAGE_SIZE << class->max_order <=
		       (class->size <= 8192 ? LARGEST_SLAB / 2 : LARGEST_SLAB));
		EXPECT(is_power_of_two(class->max_cached));
		EXPECT(class->max_cached >= 8 && class->max_cached <= 8192);
		EXPECT((size_t)class->max_cached * class->size <= (size_t)512 << 10);
	}
}

TEST(names_are_the_kernels)
{
	static const struct {
		size_t bytes;
		const char *name;
	} cases[] = { { 1, "kmalloc-16" }, { 64, "kmalloc-64" }, { 1000, "kmalloc-1k" },
		      { 1024, "kmalloc-1k" }, { 1025, "kmalloc-1088" }, { 2048, "kmalloc-2k" },
		      { 4096, "kmalloc-4k" }, { 8192, "kmalloc-8k" }, { 16000, "kmalloc-16k" } };
	char name[SIZE_CLASS_NAME_BYTES];

	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		size_class_name(&size_classes[size_class_of(cases[i].bytes)], name);
		EXPECT_STREQ(name, cases[i].name);
	}
}

RUN_TESTS
