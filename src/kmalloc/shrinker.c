/* shrinker.c - see shrinker.h. The arithmetic is that of do_shrink_slab() in mm/shrinker.c. */
#include "kmalloc/shrinker.h"

#include <errno.h>
#include <limits.h>

#include "base/math.h"
#include "core/hooks.h"
#include "core/lock.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"
#include "kmalloc/kmalloc.h"
#include "mm/zone.h"
#include "os/os.h"

enum shrinker_state { SHRINKER_OFF, SHRINKER_ON, SHRINKER_LEAVING };

/* Between two looks at who uses a shrinker that is to go. */
#define USERS_NAP_US 1000u
/* Between two calls of all shrinkers for a zone that is crowded. */
#define RELIEF_PAUSE_MS 20u
/* After so long without, the next crowd is another one. */
#define FORGET_MS 5000u

/* LOCK_SHRINKERS. In the order of their registration. */
static struct stitch_shrinker *first_shrinker;

_Atomic uint32_t nr_shrinkers;

/* --- which there are -------------------------------------------------------------------------- */

static gate_pass *enter(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (pass)
		lock_acquire(LOCK_SHRINKERS);
	return pass;
}

static void leave(gate_pass *pass)
{
	lock_release(LOCK_SHRINKERS);
	gate_leave(pass);
}

static struct stitch_shrinker **end_of_list(void)
{
	struct stitch_shrinker **link = &first_shrinker;

	while (*link)
		link = &(*link)->next;
	return link;
}

int shrinker_register(struct stitch_shrinker *shrinker)
{
	gate_pass *pass;
	int error = -EINVAL;

	if (!shrinker || !shrinker->count_objects || !shrinker->scan_objects)
		return -EINVAL;
	pass = enter();
	if (!pass)
		return -EAGAIN;
	if (shrinker->state == SHRINKER_OFF) {
		shrinker->next = NULL;
		shrinker->nr_users = 0;
		shrinker->nr_deferred = 0;
		shrinker->state = SHRINKER_ON;
		WRITE_ONCE(*end_of_list(), shrinker);
		atomic_fetch_add(&nr_shrinkers, 1);
		error = 0;
	}
	leave(pass);
	return error;
}

static void unlink_locked(struct stitch_shrinker *shrinker)
{
	struct stitch_shrinker **link = &first_shrinker;

	while (*link != shrinker)
		link = &(*link)->next;
	WRITE_ONCE(*link, shrinker->next);
	shrinker->state = SHRINKER_OFF;
	atomic_fetch_sub(&nr_shrinkers, 1);
}

/* 1: it is still in use. */
static int try_unregister(struct stitch_shrinker *shrinker)
{
	gate_pass *pass = enter();
	int result = 0;

	if (!pass)
		return -EAGAIN;
	if (shrinker->state != SHRINKER_OFF) {
		shrinker->state = SHRINKER_LEAVING;
		result = __atomic_load_n(&shrinker->nr_users, __ATOMIC_ACQUIRE) > 0;
		if (!result)
			unlink_locked(shrinker);
	}
	leave(pass);
	return result;
}

int shrinker_unregister(struct stitch_shrinker *shrinker)
{
	int result;

	if (!shrinker)
		return 0;
	while ((result = try_unregister(shrinker)) > 0)
		os_nap(USERS_NAP_US);
	return result;
}

static void take(struct stitch_shrinker *shrinker)
{
	__atomic_fetch_add(&shrinker->nr_users, 1, __ATOMIC_ACQUIRE);
}

/* Not by a child that was made in it: there it is not counted. */
static void put(struct stitch_shrinker *shrinker)
{
	if (gfp_scope & GFP_SCOPE_FORKED)
		gfp_scope &= (uint8_t)~GFP_SCOPE_FORKED;
	else
		__atomic_fetch_sub(&shrinker->nr_users, 1, __ATOMIC_RELEASE);
}

/*
 * The one behind, NULL: behind none, the first. Gives it back and takes that one, which stays on
 * the list so long. NULL: there is none, or this is no moment to take a lock.
 */
static struct stitch_shrinker *next_shrinker(struct stitch_shrinker *shrinker)
{
	gate_pass *pass = gate_enter();
	struct stitch_shrinker *next = NULL;

	if (pass) {
		lock_acquire(LOCK_SHRINKERS);
		next = shrinker ? shrinker->next : first_shrinker;
		while (next && next->state != SHRINKER_ON)
			next = next->next;
	}
	if (shrinker)
		put(shrinker);
	if (next)
		take(next);
	if (pass)
		leave(pass);
	return next;
}

/* --- calling them ----------------------------------------------------------------------------- */

static unsigned long count_objects(struct stitch_shrinker *shrinker,
				   struct stitch_shrink_control *control)
{
	unsigned long nr = shrinker->count_objects(shrinker, control);

	return nr > LONG_MAX ? 0 : nr; /* SHRINK_EMPTY; an error */
}

/* How many of `freeable` objects a call is to look at, beside those that earlier ones have not. */
static unsigned long share_of(const struct stitch_shrinker *shrinker, unsigned long freeable,
			      unsigned int priority)
{
	if (!shrinker->seeks)
		return freeable / 2; /* they cost nothing: half of them each time */
	return (freeable >> priority) * 4 / (unsigned int)shrinker->seeks;
}

static void defer(struct stitch_shrinker *shrinker, unsigned long nr, unsigned long freeable)
{
	__atomic_fetch_add(&shrinker->nr_deferred, min_size(nr, 2 * freeable), __ATOMIC_RELAXED);
}

static unsigned long scan(struct stitch_shrinker *shrinker, struct stitch_shrink_control *control,
			  unsigned long total, unsigned long freeable, unsigned long *nr_scanned)
{
	unsigned long batch = shrinker->batch > 0 ? (unsigned long)shrinker->batch :
						    STITCH_SHRINK_BATCH;
	unsigned long nr_freed = 0, freed;

	while (total >= batch || total >= freeable) {
		control->nr_to_scan = control->nr_scanned = min_size(batch, total);
		freed = shrinker->scan_objects(shrinker, control);
		if (freed == STITCH_SHRINK_STOP)
			break;
		nr_freed += freed;
		*nr_scanned += control->nr_scanned;
		if (!control->nr_scanned || control->nr_scanned >= total)
			break;
		total -= control->nr_scanned;
	}
	return nr_freed;
}

static unsigned long shrink(struct stitch_shrinker *shrinker, stitch_gfp_t flags,
			    unsigned int priority)
{
	struct stitch_shrink_control control = { .gfp_mask = flags };
	unsigned long freeable = count_objects(shrinker, &control), nr_scanned = 0;
	unsigned long nr_deferred, share, nr_freed;

	if (!freeable)
		return 0;
	nr_deferred = __atomic_exchange_n(&shrinker->nr_deferred, 0, __ATOMIC_RELAXED);
	share = share_of(shrinker, freeable, priority);
	nr_freed = scan(shrinker, &control,
			min_size((nr_deferred >> priority) + share, 2 * freeable), freeable,
			&nr_scanned);
	defer(shrinker, nr_deferred + share - min_size(nr_deferred + share, nr_scanned), freeable);
	return nr_freed;
}

static unsigned long shrink_all(stitch_gfp_t flags, unsigned int priority)
{
	unsigned long nr_freed = 0;

	for (struct stitch_shrinker *shrinker = next_shrinker(NULL); shrinker;
	     shrinker = next_shrinker(shrinker))
		nr_freed += shrink(shrinker, flags, priority);
	return nr_freed;
}

unsigned long shrink_slab(stitch_gfp_t flags, unsigned int priority)
{
	uint8_t scope = gfp_scope;
	unsigned long nr_freed;
	int error = 0;

	if (!shrinkers_are_there() || gfp_scope & GFP_SCOPE_SHRINKING || gate_is_interrupted())
		return 0;
	if (errno_ops.get)
		error = errno_ops.get();
	gfp_scope = scope | GFP_SCOPE_NORECLAIM | GFP_SCOPE_SHRINKING;
	nr_freed = shrink_all(flags, priority);
	gfp_scope = scope;
	if (errno_ops.set)
		errno_ops.set(error);
	return nr_freed;
}

#define NR_PRIORITIES (STITCH_DEF_PRIORITY + 1u)

/* What they free can be no more than is in use. */
static bool may_help(size_t bytes)
{
	return shrinkers_are_there() && !(gfp_scope & GFP_SCOPE_NO_SHRINKERS) &&
	       bytes / PAGE_SIZE <= READ_ONCE(zone.peak_used);
}

bool shrinkers_help(stitch_gfp_t flags, size_t bytes, unsigned int *nr_tries)
{
	if (likely(!may_help(bytes)))
		return false;
	while (*nr_tries <= NR_PRIORITIES) {
		unsigned int priority = NR_PRIORITIES - (*nr_tries)++;

		if (shrink_slab(flags, priority)) {
			kmalloc_trim();
			return true;
		}
	}
	return false;
}

/* Which thread is at it; when it was done last, and how hard it will be. */
static struct {
	_Atomic uintptr_t by;
	uint64_t last_ms;
	unsigned int priority;
} relief = { .priority = STITCH_DEF_PRIORITY };

static uintptr_t this_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

/* From where it was left, down to the first priority at which somebody has something. */
static void relieve(uint64_t now)
{
	unsigned long nr_freed = 0;
	unsigned int priority = relief.priority + 1;

	if (now - relief.last_ms > FORGET_MS)
		priority = NR_PRIORITIES;
	while (!nr_freed && priority)
		nr_freed = shrink_slab(STITCH_GFP_KERNEL, --priority);
	relief.priority = priority - (priority > 0);
	WRITE_ONCE(relief.last_ms, now);
	if (nr_freed)
		kmalloc_trim();
}

void shrinkers_relieve(void)
{
	uint64_t now = os_clock_ms();
	uintptr_t nobody = 0;

	if (now - READ_ONCE(relief.last_ms) < RELIEF_PAUSE_MS ||
	    !atomic_compare_exchange_strong(&relief.by, &nobody, this_thread()))
		return;
	relieve(now);
	atomic_store(&relief.by, 0);
}

/* --- fork ------------------------------------------------------------------------------------- */

void shrinkers_after_fork(void)
{
	struct stitch_shrinker *shrinker = READ_ONCE(first_shrinker);

	for (; shrinker; shrinker = shrinker->next)
		__atomic_store_n(&shrinker->nr_users, 0, __ATOMIC_RELAXED);
	if (gfp_scope & GFP_SCOPE_SHRINKING)
		gfp_scope |= GFP_SCOPE_FORKED;
	if (relief.by != this_thread())
		relief.by = 0;
}
