/*
 * model_sheaf.c - sheaves, inboxes, outboxes, slots that come and go, against a twin that knows
 * every live object.
 *
 * One real thread plays several: whoever acts has its slot put into current_slot first. The twin
 * keeps a live object's number for each 16 bytes of the heap, so that no object can overlap
 * another. At quiet points every object of every slab must be in exactly one place: live, free
 * in its slab, in a sheaf, in an outbox or in an inbox.
 */
#include "kunit.h"
#include "isolated.h"
#include "core/hooks.h"

/* The lowest part of the heap, of which no more is ever used. */
#define HEAP_BYTES MIB(128)
#define NR_GRAINS (HEAP_BYTES / SIZE_CLASS_GRAIN)
#define NR_ACTORS 7u
#define MAX_LIVE 40000u
#define MAX_LIVE_BYTES MIB(8)
#define QUIET_EVERY 20000u

struct live {
	char *object;
	uint32_t size, id;
};

struct actor {
	struct slot *slot;  /* what its current_slot is */
	unsigned int class; /* what it allocates most */
};

static struct live live[MAX_LIVE];
static unsigned int nr_live;
static size_t live_bytes;
static uint32_t next_id = 1;
static uint32_t owner_of_grain[NR_GRAINS]; /* id of the live object, 0: none */
static uint8_t cached[NR_GRAINS];	   /* by check_places */

static struct actor actors[NR_ACTORS];
static struct slot *released[NR_ACTORS * 2]; /* free slots in the order of inheritance */
static unsigned int nr_released;
static size_t nr_closed_seen; /* by check_places */
static uint64_t rng;

static size_t grain_of(const void *object)
{
	size_t offset = (uintptr_t)object - mm_map.base;

	ASSERT(offset < HEAP_BYTES && offset % SIZE_CLASS_GRAIN == 0);
	return offset / SIZE_CLASS_GRAIN;
}

static void claim(const struct live *object, uint32_t expected, uint32_t id)
{
	size_t grain = grain_of(object->object);

	for (size_t i = 0; i < object->size / SIZE_CLASS_GRAIN; i++) {
		ASSERT_EQ(owner_of_grain[grain + i], expected);
		owner_of_grain[grain + i] = id;
	}
}

/* --- the actors ---------------------------------------------------------------------------- */

static void act(struct actor *actor)
{
	current_slot = actor->slot;
}

/* A slot that is newly held must be the one that was released last, if there is one. */
static void acted(struct actor *actor)
{
	if (current_slot != actor->slot && nr_released)
		ASSERT_EQ(current_slot, released[--nr_released]);
	actor->slot = current_slot;
}

static void actor_exit(struct actor *actor)
{
	bool held = actor->slot != &slot_none && actor->slot != &slot_gone;

	act(actor);
	mm_thread_exit();
	if (actor->slot != &slot_none)
		ASSERT_EQ(current_slot, &slot_gone);
	if (held)
		released[nr_released++] = actor->slot;
	actor->slot = current_slot;
}

/* --- operations ------------------------------------------------------------------------------ */

static void tag(const struct live *object)
{
	memcpy(object->object, &object->id, sizeof(object->id));
	memcpy(object->object + object->size - sizeof(object->id), &object->id, sizeof(object->id));
}

static void check_tag(const struct live *object)
{
	ASSERT(!memcmp(object->object, &object->id, sizeof(object->id)));
	ASSERT(!memcmp(object->object + object->size - sizeof(object->id), &object->id,
		       sizeof(object->id)));
}

static void remember(void *object, size_t bytes)
{
	struct live new = { object, size_classes[size_class_of(bytes)].size, next_id++ };

	ASSERT(object);
	ASSERT_EQ(ksize(object), new.size);
	claim(&new, 0, new.id);
	tag(&new);
	live[nr_live++] = new;
	live_bytes += new.size;
}

static struct live forget(unsigned int index)
{
	struct live object = live[index];

	check_tag(&object);
	claim(&object, object.id, 0);
	live_bytes -= object.size;
	live[index] = live[--nr_live];
	return object;
}

static size_t random_bytes(const struct actor *actor)
{
	switch (kunit_below(&rng, 8)) {
	case 0:
		return kunit_below(&rng, SIZE_CLASS_MAX_BYTES + 1);
	case 1:
		return kunit_below(&rng, 129);
	default:
		return size_classes[actor->class].size;
	}
}

static void op_alloc(struct actor *actor, unsigned int nr)
{
	size_t bytes = random_bytes(actor);

	while (nr-- && nr_live < MAX_LIVE && live_bytes < MAX_LIVE_BYTES)
		remember(kunit_below(&rng, 16) ? kmalloc(bytes) : kzalloc(bytes), bytes);
}

/* The youngest, the oldest, or any. */
static void op_free(unsigned int nr)
{
	unsigned int kind = (unsigned int)kunit_below(&rng, 3);

	while (nr-- && nr_live) {
		unsigned int index = kind == 0 ? nr_live - 1 :
				     kind == 1 ? 0 :
						 (unsigned int)kunit_below(&rng, nr_live);

		kfree(forget(index).object);
	}
}

static void op_realloc(struct actor *actor)
{
	size_t bytes = 1 + random_bytes(actor) % SIZE_CLASS_MAX_BYTES;
	struct live old;
	char *object;

	if (!nr_live)
		return;
	old = forget((unsigned int)kunit_below(&rng, nr_live));
	object = krealloc(old.object, bytes);
	ASSERT(object);
	ASSERT(!memcmp(object, &old.id, min_size(bytes, sizeof(old.id))));
	remember(object, object == old.object ? old.size : bytes);
}

static void one_op(struct actor *actor)
{
	unsigned int burst = kunit_below(&rng, 8) ? 1 : 1 + (unsigned int)kunit_below(&rng, 200);
	/* Phases of growth and of shrinking, so that slabs come and go. */
	bool grow = next_id / 50000 % 3 == 0;

	act(actor);
	switch (kunit_below(&rng, 16)) {
	case 0:
		op_realloc(actor);
		break;
	case 1:
		if (!kunit_below(&rng, 100))
			actor->class = (unsigned int)kunit_below(&rng, NR_SIZE_CLASSES);
		break;
	case 2 ... 8:
		op_alloc(actor, burst);
		break;
	default:
		op_free(grow ? 1 : burst);
	}
	acted(actor);
}

static void rare_op(struct actor *actor)
{
	switch (kunit_below(&rng, 5)) {
	case 0:
		actor_exit(actor);
		break;
	case 1:
	case 2:
		if (actor->slot == &slot_gone)
			actor->slot = &slot_none; /* another thread in its place */
		break;
	case 3:
		if (kunit_below(&rng, 20))
			break;
		act(actor);
		kmalloc_trim();
		acted(actor);
		break;
	case 4:
		os_fake_clock_advance(TICK_MS);
		break;
	}
}

/* --- quiet points ---------------------------------------------------------------------------- */

/* The object is in a place where free objects wait: nowhere else, and not live. */
static void count_cached(void *object)
{
	size_t grain = grain_of(object);

	ASSERT_EQ(owner_of_grain[grain], 0);
	ASSERT(!cached[grain]);
	cached[grain] = 1;
}

static void count_batch(const struct batch *batch)
{
	for (unsigned int i = 0; i < batch->nr_objects; i++)
		count_cached(batch->objects[i]);
}

static void count_slot(const struct slot *slot)
{
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		nr_closed_seen += sheaf_is_closed(slot, class);
		for (unsigned int i = 0; i < sheaf_count(slot, class); i++)
			count_cached(slot->class[class].sheaf[1 + i]);
	}
	for (unsigned int i = 0; i < NR_OUTBOXES; i++)
		if (slot->outbox[i])
			count_batch(slot->outbox[i]);
	for (const struct batch *batch = slot->inbox; batch; batch = batch->next)
		count_batch(batch);
}

/* Every object of the slab is live, cached or free: exactly one of them. */
static void check_slab(struct page *head, uint32_t entry)
{
	const struct size_class *class = &size_classes[pagemap_class(entry)];

	ASSERT_EQ(head->identity, slab_identity(entry, head->order));
	ASSERT_EQ((uintptr_t)slab_first_object(head) % size_class_align(class), 0);
	ASSERT(slab_nr_free(head) || head->until_event == 1);
	for (unsigned int i = 0; i < head->nr_objects; i++) {
		size_t grain = grain_of(slab_first_object(head) + i * (size_t)class->size);
		bool is_free = head->bitmap[i / 64] >> i % 64 & 1;

		ASSERT_EQ((owner_of_grain[grain] != 0) + cached[grain] + is_free, 1);
	}
}

static void check_places(void)
{
	size_t nr_slabs[NR_SIZE_CLASSES] = { 0 }, nr_slabs_of_slots[NR_SIZE_CLASSES] = { 0 };

	memset(cached, 0, sizeof(cached));
	for (uint32_t id = 1; id <= slot_count(); id++)
		count_slot(slot_by_id(id));
	for (size_t pfn = 0; pfn < HEAP_BYTES / PAGE_SIZE; pfn++) {
		uint32_t entry = pagemap_read(pfn);

		if (!pagemap_is_slab(entry) || pfn_to_page(pfn)->kind != PAGE_SLAB)
			continue;
		check_slab(pfn_to_page(pfn), entry);
		nr_slabs[pagemap_class(entry)]++;
	}
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		for (uint32_t id = 1; id <= slot_count(); id++)
			nr_slabs_of_slots[class] += slot_by_id(id)->class[class].nr_slabs;
		ASSERT_EQ(nr_slabs_of_slots[class], nr_slabs[class]);
	}
}

static void check_quiet(void)
{
	struct kmalloc_usage usage;

	for (uint32_t id = 1; id <= slot_count(); id++)
		ASSERT(validate_slabs(slot_by_id(id)));
	ASSERT(validate_zone());
	check_places();
	kmalloc_usage_read(&usage);
	ASSERT_EQ(usage.small_live, live_bytes);
	ASSERT_EQ(usage.run_live + usage.area_live, 0);
}

/* Everybody frees and leaves: afterwards nothing may be taken anywhere. */
static void end_of_the_world(void)
{
	struct kmalloc_usage usage;

	while (nr_live) {
		struct actor *actor = &actors[kunit_below(&rng, NR_ACTORS)];

		act(actor);
		op_free(1 + (unsigned int)kunit_below(&rng, 1000));
		acted(actor);
	}
	for (unsigned int i = 0; i < NR_ACTORS; i++)
		actor_exit(&actors[i]);
	/* Objects travel at most from the sheaf of one to the slab of another at each. */
	current_slot = &slot_none;
	for (unsigned int i = 0; i < 3; i++)
		kmalloc_trim();
	check_quiet();
	kmalloc_usage_read(&usage);
	EXPECT_EQ(usage.small_live, 0);
	EXPECT_EQ(usage.small_cached, 0);
	EXPECT_EQ(usage.free_resident, 0);
}

static void run_model(const char *options, uint64_t nr_ops)
{
	heap_up(options);
	for (unsigned int i = 0; i < NR_ACTORS; i++)
		actors[i] = (struct actor){ &slot_none, 7 * i % NR_SIZE_CLASSES };
	for (uint64_t op = 0; op < nr_ops; op++) {
		struct actor *actor = &actors[kunit_below(&rng, NR_ACTORS)];

		if (kunit_below(&rng, 1000))
			one_op(actor);
		else
			rare_op(actor);
		if (op % QUIET_EVERY == 0)
			check_quiet();
	}
	end_of_the_world();
}

ISOLATED_TEST(model_of_slots)
{
	rng = kunit_seed();
	run_model("reserve=8G", kunit_ops(1000000));
}

/* Decay always has something to do, so that sheaves are closed and opened all the time. */
ISOLATED_TEST(model_of_slots_with_closed_sheaves)
{
	uint64_t nr_ops = kunit_ops(1000000);

	rng = kunit_seed() + 4;
	run_model("reserve=8G,retain=1,decay_ms=1000", nr_ops);
	EXPECT(nr_closed_seen >= nr_ops / QUIET_EVERY);
}

/* Arrays that may hardly grow: other paths between sheaf and slab. */
ISOLATED_TEST(model_of_slots_with_small_sheaves)
{
	rng = kunit_seed() + 1;
	run_model("reserve=8G,sheaf_budget=1K", kunit_ops(300000));
}

ISOLATED_TEST(model_of_hardened_slots)
{
	rng = kunit_seed() + 2;
	run_model("reserve=8G,hardened=1", kunit_ops(300000));
}

/* --- misuse ---------------------------------------------------------------------------------- */

#define NR_REMEMBERED 4096u

/* Any address that a program may free by mistake: freed before, inside an object, or anywhere. */
static char *wrong_pointer(char **remembered)
{
	char *object = remembered[kunit_below(&rng, NR_REMEMBERED)];

	switch (kunit_below(&rng, 4)) {
	case 0:
		return object + kunit_below(&rng, 200);
	case 1:
		return object + PAGE_SIZE * kunit_below(&rng, 40);
	case 2:
		return (char *)mm_map.base + kunit_below(&rng, MIB(64));
	default:
		return object;
	}
}

/*
 * With on_error=ignore a program that frees what it must not goes on. It may get an object twice,
 * or one inside another; what the allocator knows stays valid all the same.
 */
static void run_misuse(const char *options, uint64_t nr_ops)
{
	static char *remembered[NR_REMEMBERED];

	heap_up(options);
	for (unsigned int i = 0; i < NR_ACTORS; i++)
		actors[i].slot = &slot_none;
	for (uint64_t op = 0; op < nr_ops; op++) {
		struct actor *actor = &actors[kunit_below(&rng, NR_ACTORS)];
		char **place = &remembered[kunit_below(&rng, NR_REMEMBERED)];

		act(actor);
		if (kunit_below(&rng, 50) == 0) {
			kfree(wrong_pointer(remembered));
		} else {
			kfree(*place);
			*place = kmalloc(kunit_below(&rng, kunit_below(&rng, 20) ? 600 : 60000));
		}
		if (kunit_below(&rng, 5000) == 0)
			mm_thread_exit();
		actor->slot = current_slot == &slot_gone ? &slot_none : current_slot;
		if (op % QUIET_EVERY == 0) {
			kmalloc_trim();
			actor->slot = current_slot;
			expect_valid();
		}
	}
}

static void next_allocator(void *object)
{
	(void)object; /* wrong pointers may lie outside the heap */
}

ISOLATED_TEST(misuse_leaves_a_valid_heap)
{
	rng = kunit_seed() + 3;
	foreign_ops.free = next_allocator;
	run_misuse("reserve=8G,on_error=ignore", kunit_ops(300000));
}

ISOLATED_TEST(misuse_leaves_a_valid_hardened_heap)
{
	rng = kunit_seed() + 4;
	foreign_ops.free = next_allocator;
	run_misuse("reserve=8G,on_error=ignore,hardened=1", kunit_ops(300000));
}

RUN_TESTS
