/*
 * test_gfp.c - objects of the reserve wherever pointers are taken, inside the gate and out, and
 * what the leak check sees of them; depths, retries.
 */
#include "kunit.h"
#include "isolated.h"
#include "debug/heap_objects.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"
#include "kmalloc/owner.h"
#include "mm/memmap.h"

static void reserve_up(void)
{
	heap_up("on_error=ignore");
	gfp_fill_reserve();
	ASSERT(reserve_is_filled());
}

ISOLATED_TEST(every_pointer_is_known)
{
	char *object, *large;

	reserve_up();
	object = gfp_alloc_reserved(100, 16, STITCH_GFP_ATOMIC);
	large = gfp_alloc_reserved(10000, 4096, STITCH_GFP_ATOMIC);
	ASSERT(object && large);
	EXPECT_EQ(owner_of(object).kind, OWNER_RESERVE);
	EXPECT_EQ(owner_of(large).kind, OWNER_RESERVE);
	EXPECT_EQ(owner_of(object + 16).kind, OWNER_WRONG);
	EXPECT_EQ(owner_of(object + 64).kind, OWNER_WRONG);
	EXPECT_EQ(owner_of(large + 4096).kind, OWNER_WRONG);
	EXPECT_EQ(ksize(object), 128);
	EXPECT_EQ(ksize(large), 10240);
	kfree(object + 64);
	kfree(large + 4096);
	EXPECT_EQ(ksize(object), 128);
	EXPECT_EQ(ksize(large), 10240);
	kfree(object);
	kfree(large);
	EXPECT_EQ(owner_of(object).kind, OWNER_WRONG);
	kfree(object);
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
	expect_valid();
}

/* As in a signal handler that has interrupted a slow path. */
ISOLATED_TEST(freed_at_once_amid_a_slow_path)
{
	gate_pass *pass;
	void *object;

	reserve_up();
	kfree(kmalloc(10));
	pass = gate_enter();
	ASSERT(pass && !gate_enter());
	object = gfp_alloc_reserved(100, 16, STITCH_GFP_ATOMIC);
	ASSERT(object);
	kfree(object);
	EXPECT_EQ(reserve_size(object), 0);
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
	gate_leave(pass);
}

ISOLATED_TEST(realloc_takes_it_to_the_heap)
{
	unsigned char *object, *moved;

	reserve_up();
	object = gfp_alloc_reserved(100, 16, STITCH_GFP_ATOMIC);
	memset(object, 3, 100);
	EXPECT(krealloc(object, 120) == object);
	moved = krealloc(object, 5000);
	ASSERT(moved && moved != object);
	EXPECT_EQ(owner_of(moved).kind, OWNER_SLAB);
	EXPECT_EQ(moved[99], 3);
	EXPECT_EQ(reserve_bytes_free(), reserve_total());
}

static size_t nr_seen;
static struct heap_object seen[8];

static void see(void *unused, const struct heap_object *object)
{
	(void)unused;
	if (pagemap_read((object->start - mm_map.base) / PAGE_SIZE) == PAGEMAP_RESERVE &&
	    nr_seen < ARRAY_SIZE(seen))
		seen[nr_seen++] = *object;
}

ISOLATED_TEST(objects_of_the_leak_check)
{
	uintptr_t small, large, freed;
	struct heap_object object;

	reserve_up();
	small = (uintptr_t)gfp_alloc_reserved(100, 16, STITCH_GFP_ATOMIC);
	freed = (uintptr_t)gfp_alloc_reserved(100, 16, STITCH_GFP_ATOMIC);
	large = (uintptr_t)gfp_alloc_reserved(10000, 4096, STITCH_GFP_ATOMIC);
	ASSERT(small && freed && large);
	kfree((void *)freed);
	ASSERT(heap_objects_collect());
	heap_objects_visit(OBJECTS_LIVE, see, NULL);
	ASSERT_EQ(nr_seen, 2);
	EXPECT(seen[0].start == small && seen[0].bytes == 128);
	EXPECT(seen[1].start == large && seen[1].bytes == 10240);
	EXPECT(seen[0].index != seen[1].index);
	EXPECT(!heap_object_at(freed, &object));
	EXPECT(heap_object_at(small + 127, &object) && object.start == small);
	EXPECT(heap_object_at(large + 10239, &object) && object.start == large);
	EXPECT_EQ(object.index, seen[1].index);
	EXPECT(!heap_object_at(large + 10240, &object));
	heap_objects_release();
}

ISOLATED_TEST(depths_of_flags_and_scopes)
{
	EXPECT_EQ(gfp_depth(STITCH_GFP_NOWAIT), RESERVE_NOWAIT);
	EXPECT_EQ(gfp_depth(STITCH_GFP_KERNEL), RESERVE_NOWAIT);
	EXPECT_EQ(gfp_depth(STITCH_GFP_ATOMIC), RESERVE_ATOMIC);
	EXPECT_EQ(gfp_depth(STITCH__GFP_MEMALLOC), RESERVE_ALL);
	EXPECT_EQ(gfp_depth(STITCH__GFP_MEMALLOC | STITCH__GFP_NOMEMALLOC), RESERVE_NOWAIT);
	gfp_scope = GFP_SCOPE_NORECLAIM;
	EXPECT_EQ(gfp_depth(STITCH_GFP_NOWAIT), RESERVE_ALL);
	EXPECT_EQ(gfp_depth(STITCH_GFP_ATOMIC | STITCH__GFP_NOMEMALLOC), RESERVE_ATOMIC);
}

static unsigned int attempts(stitch_gfp_t flags, unsigned int most)
{
	unsigned int nr_attempts = 0, nr = 1;

	while (nr < most && gfp_try_harder(flags, 100, &nr_attempts))
		nr++;
	return nr;
}

ISOLATED_TEST(as_many_attempts_as_the_flags_say)
{
	heap_up("");
	EXPECT_EQ(attempts(STITCH_GFP_KERNEL, 10), 2);
	EXPECT_EQ(attempts(STITCH_GFP_KERNEL | STITCH__GFP_RETRY_MAYFAIL, 10), 2);
	EXPECT_EQ(attempts(STITCH_GFP_KERNEL | STITCH__GFP_NORETRY, 10), 1);
	EXPECT_EQ(attempts(STITCH_GFP_KERNEL | STITCH__GFP_NOFAIL, 10), 10);
	EXPECT_EQ(attempts(STITCH_GFP_ATOMIC | STITCH__GFP_NOFAIL, 10), 1);
}

ISOLATED_TEST(zones_that_a_function_does_not_have)
{
	EXPECT(gfp_is_refused(STITCH__GFP_DMA | STITCH_GFP_NOWAIT, GFP_ZONES));
	EXPECT(gfp_is_refused(STITCH__GFP_DMA32 | STITCH_GFP_NOWAIT, GFP_ZONES));
	EXPECT(gfp_is_refused(STITCH_GFP_HIGHUSER_MOVABLE | STITCH__GFP_NOWARN,
			      STITCH__GFP_HIGHMEM));
	EXPECT(!gfp_is_refused(STITCH__GFP_DMA | STITCH_GFP_KERNEL, STITCH__GFP_HIGHMEM));
	EXPECT(!gfp_is_refused(STITCH_GFP_USER | STITCH__GFP_MOVABLE, GFP_ZONES));
}

/* A heap that is larger has a larger one, of what the kernel's would be. */
ISOLATED_TEST(it_grows_with_the_heap)
{
	size_t was;

	reserve_up();
	gfp_fill_reserve(); /* the first has opened 4 MiB */
	was = reserve_total();
	gfp_fill_reserve();
	EXPECT_EQ(reserve_total(), was);
	ASSERT(kmalloc(MIB(512)));
	gfp_fill_reserve();
	EXPECT(reserve_total() > was);
	EXPECT(reserve_total() >= KIB(2896)); /* sqrt(16 x 512 x 1024) */
	EXPECT(validate_zone());
}

RUN_TESTS
