/*
 * test_owner.c - the owner of every kind of address.
 */
#include "kmalloc/owner.h"

#include "kunit.h"
#include "isolated.h"
#include "mm/section.h"

static enum owner_kind kind_of(const void *address)
{
	return owner_of(address).kind;
}

ISOLATED_TEST(everything_is_foreign_before_the_boot)
{
	static int global;
	int local = 0;

	EXPECT_EQ(kind_of(&local), OWNER_FOREIGN);
	EXPECT_EQ(kind_of(&global), OWNER_FOREIGN);
	EXPECT_EQ(kind_of((void *)8), OWNER_WRONG);
	EXPECT_EQ(kind_of((void *)UINTPTR_MAX), OWNER_WRONG);
}

/* Where no allocator can have anything, so that no other one is asked. */
ISOLATED_TEST(impossible_addresses_are_wrong)
{
	heap_up("");
	for (uintptr_t near_null = 0; near_null < KIB(64); near_null++)
		ASSERT_EQ(kind_of((void *)near_null), OWNER_WRONG);
	EXPECT_EQ(kind_of((void *)KIB(64)), OWNER_FOREIGN);
	for (unsigned int shift = 47; shift < 64; shift++) {
		EXPECT_EQ(kind_of((void *)((uintptr_t)1 << shift)), OWNER_WRONG);
		EXPECT_EQ(kind_of((void *)-((uintptr_t)1 << shift)), OWNER_WRONG);
	}
	EXPECT_EQ(kind_of((void *)(((uintptr_t)1 << 47) - 1)), OWNER_FOREIGN);
	EXPECT_EQ(kind_of((void *)UINTPTR_MAX), OWNER_WRONG);
}

ISOLATED_TEST(outside_is_foreign)
{
	static int global;
	uintptr_t base, end;
	int local;

	heap_up("");
	base = mm_map.base;
	end = base + mm_map.nr_pages * PAGE_SIZE;
	EXPECT_EQ(kind_of(&local), OWNER_FOREIGN);
	EXPECT_EQ(kind_of(&global), OWNER_FOREIGN);
	EXPECT_EQ(kind_of((void *)end), OWNER_FOREIGN);
	EXPECT_EQ(kind_of((void *)base), OWNER_WRONG);
	EXPECT_EQ(kind_of((void *)(end - 1)), OWNER_WRONG);
	/* Nor are the allocator's own structures another's. */
	EXPECT_EQ(kind_of((void *)(base - 1)), OWNER_WRONG);
	EXPECT_EQ(kind_of(mm_map.pagemap), OWNER_WRONG);
	EXPECT_EQ(kind_of(mm_map.memmap), OWNER_WRONG);
	EXPECT_EQ(kind_of(slot_by_id(1)), OWNER_WRONG);
	EXPECT_EQ(kind_of((void *)mm_map.reserve), OWNER_WRONG);
	EXPECT_EQ(kind_of((void *)(mm_map.reserve - 1)), OWNER_FOREIGN);
}

/* Under RLIMIT_AS the window is larger than what is reserved; others may map there. */
ISOLATED_TEST(unreserved_window_is_foreign)
{
	os_fake_reset();
	os_fake_address_space_limit_set(MIB(256));
	ASSERT(mm_init());
	ASSERT(!pfn_is_reserved(mm_map.nr_pages - 1));
	EXPECT_EQ(kind_of(pfn_to_virt(mm_map.nr_pages - 1)), OWNER_FOREIGN);
	EXPECT_EQ(kind_of(pfn_to_virt(0)), OWNER_WRONG);
}

ISOLATED_TEST(slab_objects)
{
	char *object;
	struct owner owner;

	heap_up("");
	object = kmalloc(500);
	owner = owner_of(object);
	EXPECT_EQ(owner.kind, OWNER_SLAB);
	EXPECT_EQ(owner.page, pfn_to_page(virt_to_pfn(object)));
	EXPECT_EQ(pagemap_slot(owner.entry), current_slot->id);
	EXPECT_EQ(pagemap_class(owner.entry), class_of(500));
	EXPECT_EQ(owner_bytes(&owner), 512);
	for (unsigned int at = 1; at < 512; at++)
		ASSERT_EQ(kind_of(object + at), OWNER_WRONG);
}

/* What was freed last, and what lies in its slab; not what the sheaf has below its top. */
ISOLATED_TEST(freed_slab_objects)
{
	char *object, *other;

	heap_up("");
	object = kmalloc(500);
	other = kmalloc(500);
	EXPECT_EQ(kind_of(object), OWNER_SLAB);
	EXPECT_EQ(kind_of(other), OWNER_SLAB);
	kfree(object);
	EXPECT_EQ(kind_of(object), OWNER_WRONG);
	kfree(other);
	EXPECT_EQ(kind_of(object), OWNER_SLAB);
	EXPECT_EQ(kind_of(other), OWNER_WRONG);
	object = kmalloc(500);
	other = kmalloc(500);
	kfree(other);
	kmalloc_trim();
	EXPECT_EQ(kind_of(other), OWNER_WRONG);
	EXPECT_EQ(kind_of(object), OWNER_SLAB);
}

ISOLATED_TEST(runs_and_areas)
{
	static const struct {
		size_t bytes;
		enum owner_kind kind;
	} cases[] = { { KIB(16) + 1, OWNER_RUN }, { KIB(100), OWNER_RUN }, { MIB(2), OWNER_RUN },
		      { MIB(2) + 1, OWNER_AREA }, { MIB(20), OWNER_AREA } };

	heap_up("");
	for (unsigned int i = 0; i < ARRAY_SIZE(cases); i++) {
		char *object = kmalloc(cases[i].bytes);
		struct owner owner = owner_of(object);

		EXPECT_EQ(owner.kind, cases[i].kind);
		EXPECT_EQ(owner_bytes(&owner), align_up(cases[i].bytes, PAGE_SIZE));
		EXPECT_EQ(kind_of(object + 1), OWNER_WRONG);
		EXPECT_EQ(kind_of(object + 16), OWNER_WRONG);
		for (size_t at = PAGE_SIZE; at < cases[i].bytes; at += PAGE_SIZE)
			ASSERT_EQ(kind_of(object + at), OWNER_WRONG);
		kfree(object);
		EXPECT_EQ(kind_of(object), OWNER_WRONG);
	}
}

static void expect_wrong(const void *address, const char *what, const char *where)
{
	char line[256];

	snprintf(line, sizeof(line), "stitchmalloc: free(): %s %p (%s)\n", what, address, where);
	os_fake_capture_begin();
	owner_report_wrong("free()", address);
	EXPECT_STREQ(os_fake_capture_end(), line);
}

/* An area as long as the heap allows: the head is far away. */
ISOLATED_TEST(wrong_pointers_are_described)
{
	static const char inside[] = "invalid pointer, inside an object:";
	char *run, *area, *neighbour, *object, *freed;

	heap_up("on_error=warn,reserve=1G");
	run = kmalloc(KIB(80));
	neighbour = kmalloc(KIB(80));
	area = kmalloc(MIB(512));
	ASSERT(run && neighbour && area);
	expect_wrong(run + 8, inside, "page run");
	expect_wrong(neighbour + KIB(79), inside, "page run");
	expect_wrong(area + MIB(511), inside, "area");
	object = kmalloc(500);
	freed = kmalloc(500);
	expect_wrong(object + 16, inside, "kmalloc-512");
	kfree(freed);
	expect_wrong(freed, "freed object", "kmalloc-512");
	expect_wrong((void *)8, "invalid pointer", "near NULL");
	expect_wrong((void *)-(uintptr_t)8, "invalid pointer", "no address of a program");
	expect_wrong(mm_map.pagemap, "invalid pointer", "the allocator's own memory");
	expect_wrong((void *)KIB(64), "invalid pointer", "no part of the heap");
	kfree(neighbour);
	expect_wrong(neighbour, "double free or invalid pointer", "free pages");
	kfree(area);
	expect_wrong(area + MIB(100), "double free or invalid pointer", "free pages");
	expect_wrong(pfn_to_virt(mm_map.nr_pages / 4 * 3), "invalid pointer",
		     "heap that was never used");
}

RUN_TESTS
