/*
 * stress_slots.c - heap slots among real threads: every way that an object can go home at once.
 *
 * Producers give away all that they make; consumers free it, exit, and come back as new
 * threads, so that slots are released with full sheaves, inherited, and their slabs adopted while
 * others still push to their inboxes. Beside them one thread trims and reads the usage. Every
 * object is tagged over its length; at the end nothing may be taken and every structure valid.
 * Written for ThreadSanitizer too: threads share nothing but the queue, under its mutex.
 */
#include "stress.h"

#include "init/mm_init.h"
#include "kmalloc/kmalloc.h"
#include "mm/zone.h"
#include "slab/slab.h"
#include "slab/slot.h"

#define NR_PRODUCERS 2
#define NR_CONSUMERS 3
#define QUEUE 1024 /* objects under way */
#define LIFE 20000 /* operations of a consumer until it exits */

struct parcel {
	unsigned char *object;
	size_t bytes;
	uint64_t key;
};

static struct {
	pthread_mutex_t lock;
	struct parcel parcels[QUEUE];
	unsigned int nr;
} queue = { .lock = PTHREAD_MUTEX_INITIALIZER };

static _Atomic unsigned long nr_objects, nr_lives, nr_trims;
static double end;

static struct parcel parcel_new(struct rng *rng)
{
	struct parcel parcel = { .key = rng_next(rng) };

	parcel.bytes = 1 + rng_below(rng, (size_t)16 << rng_below(rng, 10));
	if (!rng_below(rng, 500))
		parcel.bytes = 1 + rng_below(rng, KIB(200));
	parcel.object = kmalloc(parcel.bytes);
	if (!parcel.object)
		die("kmalloc(%zu) answered NULL", parcel.bytes);
	tag_fill(parcel.object, parcel.key, 0, parcel.bytes);
	return parcel;
}

static void parcel_free(const struct parcel *parcel)
{
	for (size_t i = 0; i < parcel->bytes; i++)
		if (parcel->object[i] != tag_byte(parcel->key, i))
			die("byte %zu of the object of %zu bytes at %p changed", i, parcel->bytes,
			    (void *)parcel->object);
	kfree(parcel->object);
	atomic_fetch_add_explicit(&nr_objects, 1, memory_order_relaxed);
}

/* False: the queue is full. */
static bool queue_put(const struct parcel *parcel)
{
	bool done;

	pthread_mutex_lock(&queue.lock);
	done = queue.nr < QUEUE;
	if (done)
		queue.parcels[queue.nr++] = *parcel;
	pthread_mutex_unlock(&queue.lock);
	return done;
}

/* Any of those that are there, so that owners mix. */
static bool queue_take(struct parcel *parcel, struct rng *rng)
{
	bool done;

	pthread_mutex_lock(&queue.lock);
	done = queue.nr > 0;
	if (done) {
		unsigned int i = (unsigned int)rng_below(rng, queue.nr);

		*parcel = queue.parcels[i];
		queue.parcels[i] = queue.parcels[--queue.nr];
	}
	pthread_mutex_unlock(&queue.lock);
	return done;
}

static void *produce(void *seed)
{
	struct rng rng = { .state = (uint64_t)seed };

	while (seconds_now() < end) {
		struct parcel parcel = parcel_new(&rng);

		if (!queue_put(&parcel))
			parcel_free(&parcel);
	}
	mm_thread_exit();
	return NULL;
}

/* One life: frees what others made, and leaves some of its own to whoever comes. */
static void *consume(void *seed)
{
	struct rng rng = { .state = (uint64_t)seed };
	struct parcel parcel;

	kfree(kmalloc(1)); /* a slot to leave, however short the life */
	for (unsigned int i = 0; i < LIFE && seconds_now() < end; i++) {
		if (queue_take(&parcel, &rng))
			parcel_free(&parcel);
		if (rng_below(&rng, 4))
			continue;
		parcel = parcel_new(&rng);
		if (!queue_put(&parcel))
			parcel_free(&parcel);
	}
	mm_thread_exit();
	parcel = parcel_new(&rng); /* as destructors that run later do */
	parcel_free(&parcel);
	atomic_fetch_add_explicit(&nr_lives, 1, memory_order_relaxed);
	return NULL;
}

/* A consumer's place: one life after another. */
static void *reincarnate(void *seed)
{
	uint64_t life = (uint64_t)seed << 32;
	pthread_t thread;

	while (seconds_now() < end) {
		thread_start(&thread, consume, (void *)++life);
		pthread_join(thread, NULL);
	}
	return NULL;
}

static void *look_and_trim(void *unused)
{
	struct kmalloc_usage usage;

	while (seconds_now() < end) {
		kmalloc_usage_read(&usage);
		if (usage.small_live > GIB(1) || usage.nr_slots_held > 100)
			die("usage: %zu bytes live, %zu slots held", usage.small_live,
			    usage.nr_slots_held);
		kmalloc_trim();
		atomic_fetch_add_explicit(&nr_trims, 1, memory_order_relaxed);
		usleep(2000);
	}
	mm_thread_exit();
	return unused;
}

static void describe_slots(void)
{
	for (uint32_t id = 1; id <= slot_count(); id++) {
		const struct slot *slot = slot_by_id(id);

		fprintf(stderr, "slot %u: state %u, inside %#lx%s\n", id, slot->state,
			(unsigned long)slot->inside, slot == current_slot ? ", this thread's" : "");
	}
}

static void expect_nothing_left(void)
{
	struct kmalloc_usage usage;

	kmalloc_usage_read(&usage);
	if (!usage.small_live && !usage.small_cached && !usage.run_live && !usage.free_resident)
		return;
	describe_slots();
	die("left: %zu bytes live, %zu cached, %zu in runs, %zu resident", usage.small_live,
	    usage.small_cached, usage.run_live, usage.free_resident);
}

/* All threads are gone and all objects freed: after trims nothing is left in any slot. */
static void check_end(void)
{
	for (int i = 0; i < 3; i++)
		kmalloc_trim();
	expect_nothing_left();
	for (uint32_t id = 1; id <= slot_count(); id++)
		if (!validate_slabs(slot_by_id(id)))
			die("slot %u is not valid", id);
	if (!validate_zone())
		die("the zone is not valid");
}

int main(void)
{
	pthread_t threads[NR_PRODUCERS + NR_CONSUMERS + 1];
	struct rng rng = { .state = 1 };
	struct parcel parcel;
	unsigned int nr = 0;

	if (!mm_init())
		die("mm_init");
	end = stress_end();
	for (uint64_t i = 1; i <= NR_PRODUCERS; i++)
		thread_start(&threads[nr++], produce, (void *)i);
	for (uint64_t i = 1; i <= NR_CONSUMERS; i++)
		thread_start(&threads[nr++], reincarnate, (void *)i);
	thread_start(&threads[nr++], look_and_trim, NULL);
	while (nr)
		pthread_join(threads[--nr], NULL);
	while (queue_take(&parcel, &rng))
		parcel_free(&parcel);
	check_end();
	printf("%lu objects, %lu lives of threads, %u slots, %lu trims\n", nr_objects, nr_lives,
	       slot_count(), nr_trims);
	return 0;
}
