/*
 * model_cache.c - kmem_caches against a twin that knows every live object: several caches of
 * several kinds, allocation, frees by either function, bulk, shrinking, destroying, other threads'
 * sheaves.
 *
 * Every live object holds a pattern of its own, checked when it is freed; free objects with a
 * constructor are as that left them. After each round the figures of the caches are those of the
 * twin, and all invariants hold.
 */
#include "kmalloc/cache_objects.h"

#include "kunit.h"
#include "isolated.h"
#include "kmalloc/owner.h"

#define NR_CACHES 7u
#define MAX_OBJECTS 3000u
#define NR_SLOTS 3u
#define MAGIC 0x636f6e7374727563u

struct object {
	unsigned char *address;
	uint64_t id;
};

static struct twin {
	struct kmem_cache *cache;
	size_t size;
	bool has_ctor;
	unsigned int nr;
	struct object objects[MAX_OBJECTS];
} twins[NR_CACHES];

static struct slot *slots[NR_SLOTS];
static uint64_t state, next_id;

static void construct(void *object)
{
	*(uint64_t *)object = MAGIC;
}

static void make_cache(struct twin *twin, unsigned int i)
{
	static const uint32_t debug[] = { CACHE_CONSISTENCY, CACHE_RED_ZONE, CACHE_POISON,
					  CACHE_DEBUG_FLAGS };
	struct kmem_cache_args args = { .name = "model", .flags = CACHE_NO_MERGE };

	args.size = 8 + kunit_below(&state, i == 0 ? 20000 : 600);
	args.align = (size_t)8 << kunit_below(&state, 5);
	if (i % 3 == 1)
		args.flags |= debug[kunit_below(&state, ARRAY_SIZE(debug))];
	if (i % 3 == 2)
		args.ctor = construct;
	twin->cache = cache_create(&args);
	ASSERT(twin->cache != NULL);
	twin->size = args.size;
	twin->has_ctor = args.ctor != NULL;
	twin->nr = 0;
}

static void fill(const struct twin *twin, const struct object *object)
{
	size_t first = twin->has_ctor ? 8 : 0;

	memset(object->address + first, (int)(object->id % 251), twin->size - first);
}

static void check(const struct twin *twin, const struct object *object)
{
	if (twin->has_ctor)
		ASSERT_EQ(*(uint64_t *)(void *)object->address, MAGIC);
	for (size_t i = twin->has_ctor ? 8 : 0; i < twin->size; i++)
		ASSERT(object->address[i] == object->id % 251);
}

static void alloc_one(struct twin *twin)
{
	struct object *object = &twin->objects[twin->nr];

	if (twin->nr == MAX_OBJECTS)
		return;
	object->address = cache_object_alloc(twin->cache, STITCH_GFP_KERNEL);
	object->id = next_id++;
	ASSERT(object->address != NULL);
	ASSERT_EQ(owner_of(object->address).kind, OWNER_CACHE);
	if (twin->has_ctor)
		ASSERT_EQ(*(uint64_t *)(void *)object->address, MAGIC);
	fill(twin, object);
	twin->nr++;
}

static void free_one(struct twin *twin)
{
	unsigned int i;

	if (!twin->nr)
		return;
	i = (unsigned int)kunit_below(&state, twin->nr);
	check(twin, &twin->objects[i]);
	if (kunit_below(&state, 2))
		cache_object_free(twin->cache, twin->objects[i].address);
	else
		kfree(twin->objects[i].address);
	twin->objects[i] = twin->objects[--twin->nr];
}

static void replace_cache(struct twin *twin, unsigned int i)
{
	while (twin->nr)
		free_one(twin);
	cache_destroy(twin->cache);
	make_cache(twin, i);
}

static void step(void)
{
	unsigned int i = (unsigned int)kunit_below(&state, NR_CACHES);
	unsigned int what = (unsigned int)kunit_below(&state, 1000);
	struct twin *twin = &twins[i];
	unsigned int nr = (unsigned int)kunit_below(&state, what % 10 ? 8 : 300);

	if (what == 0)
		replace_cache(twin, i);
	else if (what < 5)
		cache_shrink(twin->cache);
	else if (what < 15)
		thread_switch(slots[kunit_below(&state, NR_SLOTS)]);
	while (nr--) {
		if (what % 2)
			alloc_one(twin);
		else
			free_one(twin);
	}
}

static void check_all(void)
{
	struct kmem_cache_stat stat;

	EXPECT(validate_caches());
	expect_valid();
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		kmem_cache_stat_read(twins[i].cache, &stat);
		ASSERT_EQ(stat.active_objs, twins[i].nr);
		for (unsigned int n = 0; n < twins[i].nr; n++)
			check(&twins[i], &twins[i].objects[n]);
	}
	ASSERT_EQ(kmem_caches.nr_live, NR_CACHES);
}

static void run(const char *options)
{
	heap_up(options);
	state = kunit_seed();
	for (unsigned int i = 0; i < NR_SLOTS; i++) {
		thread_switch(&slot_none);
		kfree(kmalloc(16));
		slots[i] = current_slot;
	}
	for (unsigned int i = 0; i < NR_CACHES; i++)
		make_cache(&twins[i], i);
	for (uint64_t op = 0; op < kunit_ops(40000); op++) {
		step();
		if (op % 1000 == 0)
			check_all();
	}
	for (unsigned int i = 0; i < NR_CACHES; i++) {
		while (twins[i].nr)
			free_one(&twins[i]);
		cache_destroy(twins[i].cache);
	}
	EXPECT_EQ(kmem_caches.nr_live, 0);
	expect_valid();
}

ISOLATED_TEST(caches_and_their_twins)
{
	run("");
}

ISOLATED_TEST(hardened)
{
	run("hardened=1");
}

RUN_TESTS
