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
/* How often, and how long, who could not ask waits for another thread that asks, trims or forks. */
#define NR_WAITS 50u
#define WAIT_US 1000u
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
		shrinker->users = 0;
		shrinker->nr_deferred = 0;
		WRITE_ONCE(shrinker->state, SHRINKER_ON);
		WRITE_ONCE(*end_of_list(), shrinker);
		atomic_fetch_add(&nr_shrinkers, 1);
		error = 0;
	}
	leave(pass);
	return error;
}

/* Users: how many, below a generation. A child's is a new one: those of before are not there. */
#define USER 1ul
#define GENERATION_SHIFT 32

static unsigned long generation_of(unsigned long users)
{
	return users >> GENERATION_SHIFT;
}

static bool has_users(const struct stitch_shrinker *shrinker)
{
	return (uint32_t)__atomic_load_n(&shrinker->users, __ATOMIC_ACQUIRE);
}

/* By one instruction, so that a child of a signal handler has taken it wholly or not. */
static unsigned long take(struct stitch_shrinker *shrinker)
{
	return generation_of(__atomic_fetch_add(&shrinker->users, USER, __ATOMIC_ACQUIRE));
}

static void put(struct stitch_shrinker *shrinker, unsigned long generation)
{
	unsigned long users = __atomic_load_n(&shrinker->users, __ATOMIC_RELAXED);

	while (generation_of(users) == generation &&
	       !__atomic_compare_exchange_n(&shrinker->users, &users, users - USER, true,
					    __ATOMIC_RELEASE, __ATOMIC_RELAXED))
		;
}

static void unlink_locked(struct stitch_shrinker *shrinker)
{
	struct stitch_shrinker **link = &first_shrinker;

	while (*link != shrinker)
		link = &(*link)->next;
	WRITE_ONCE(*link, shrinker->next);
	WRITE_ONCE(shrinker->state, SHRINKER_OFF);
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
		WRITE_ONCE(shrinker->state, SHRINKER_LEAVING);
		result = has_users(shrinker);
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

/* --- calling them ----------------------------------------------------------------------------- */

/* A walk over all of them. */
struct walk {
	stitch_gfp_t flags;
	unsigned int priority;
	struct stitch_shrinker *at; /* held */
	unsigned long generation;
	unsigned long nr_freed;
	bool is_refused; /* somebody has not been asked, or could not answer just now */
};

/* To the next, or NULL. */
static void advance(struct walk *walk)
{
	struct stitch_shrinker *last = walk->at, *next = NULL;
	unsigned long generation = walk->generation;
	gate_pass *pass = gate_enter_soon();

	if (pass) {
		lock_acquire(LOCK_SHRINKERS);
		next = last ? last->next : first_shrinker;
		while (next && next->state != SHRINKER_ON)
			next = next->next;
		if (next)
			walk->generation = take(next);
		leave(pass);
	}
	walk->is_refused |= !pass;
	walk->at = next;
	if (last)
		put(last, generation);
}

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

/* Returns how many were scanned of total. */
static unsigned long scan(struct walk *walk, struct stitch_shrink_control *control,
			  unsigned long total, unsigned long freeable)
{
	struct stitch_shrinker *shrinker = walk->at;
	unsigned long batch = shrinker->batch > 0 ? (unsigned long)shrinker->batch :
						    STITCH_SHRINK_BATCH;
	unsigned long left = total, nr_scanned = 0, freed;

	while (left >= batch || left >= freeable) {
		control->nr_to_scan = control->nr_scanned = min_size(batch, left);
		freed = shrinker->scan_objects(shrinker, control);
		if (freed == STITCH_SHRINK_STOP) {
			walk->is_refused = true;
			break;
		}
		walk->nr_freed += freed;
		nr_scanned += control->nr_scanned;
		if (!control->nr_scanned || control->nr_scanned >= left)
			break;
		left -= control->nr_scanned;
	}
	return nr_scanned;
}

static void shrink(struct walk *walk)
{
	struct stitch_shrink_control control = { .gfp_mask = walk->flags };
	struct stitch_shrinker *shrinker = walk->at;
	unsigned long freeable = count_objects(shrinker, &control);
	unsigned long nr_deferred, share, nr_scanned;

	if (!freeable)
		return;
	nr_deferred = __atomic_exchange_n(&shrinker->nr_deferred, 0, __ATOMIC_RELAXED);
	share = share_of(shrinker, freeable, walk->priority);
	nr_scanned = scan(walk, &control,
			  min_size((nr_deferred >> walk->priority) + share, 2 * freeable),
			  freeable);
	nr_deferred += share;
	defer(shrinker, nr_deferred - min_size(nr_deferred, nr_scanned), freeable);
}

/* Not here: in a shrinker; in a signal handler that has interrupted a slow path. */
static bool may_call(void)
{
	return shrinkers_are_there() && !(gfp_scope & GFP_SCOPE_SHRINKING) &&
	       !gate_is_interrupted();
}

static struct walk shrink_all(stitch_gfp_t flags, unsigned int priority)
{
	struct walk walk = { .flags = flags, .priority = priority };
	struct program_state state = { 0 };
	uint8_t scope = gfp_scope;

	if (!may_call())
		return walk;
	program_begin(&state);
	gfp_scope = scope | GFP_SCOPE_NORECLAIM | GFP_SCOPE_SHRINKING;
	for (advance(&walk); walk.at; advance(&walk))
		shrink(&walk);
	gfp_scope = scope;
	program_end(&state);
	return walk;
}

unsigned long shrink_slab(stitch_gfp_t flags, unsigned int priority)
{
	return shrink_all(flags, priority).nr_freed;
}

/* --- before an allocation fails --------------------------------------------------------------- */

#define NR_PRIORITIES (STITCH_DEF_PRIORITY + 1u)

/* *nr_tries: which attempt, and above that how often was waited. */
#define WAIT_SHIFT 8
#define ATTEMPT_MASK ((1u << WAIT_SHIFT) - 1)

/* Another thread has their locks, trims or forks: it may be about to give what is wanted. */
static bool wait_for_others(unsigned int *nr_tries)
{
	if (*nr_tries >> WAIT_SHIFT >= NR_WAITS)
		return false;
	*nr_tries += 1u << WAIT_SHIFT;
	os_nap(WAIT_US);
	return true;
}

bool shrinkers_help(stitch_gfp_t flags, size_t bytes, unsigned int *nr_tries)
{
	unsigned int attempt;

	if (likely(!may_call()) || !zone_could_have(bytes / PAGE_SIZE))
		return false;
	while ((attempt = *nr_tries & ATTEMPT_MASK) <= NR_PRIORITIES) {
		struct walk walk = shrink_all(flags, NR_PRIORITIES - attempt);

		if (!walk.nr_freed && walk.is_refused && wait_for_others(nr_tries))
			return true;
		++*nr_tries;
		if (!walk.nr_freed)
			continue;
		kmalloc_trim();
		return true;
	}
	return false;
}

/* --- before a limit is met -------------------------------------------------------------------- */

/* Which thread is at it; when it was done last, and how hard it will be. */
static struct {
	_Atomic uintptr_t by;
	uint64_t last_ms;
	unsigned int priority;
} relief = { .priority = STITCH_DEF_PRIORITY };

/*
 * From where it was left, down to the first priority at which somebody has something. That nobody
 * could be asked is no reason to be harder the next time.
 */
static void relieve(stitch_gfp_t flags, uint64_t now)
{
	unsigned int priority = relief.priority + 1;
	unsigned long nr_freed = 0;

	if (now - relief.last_ms > FORGET_MS)
		priority = NR_PRIORITIES;
	while (!nr_freed && priority)
		nr_freed = shrink_slab(flags, --priority);
	WRITE_ONCE(relief.last_ms, now);
	if (!nr_freed)
		return;
	relief.priority = priority - (priority > 0);
	kmalloc_trim();
}

void shrinkers_relieve(stitch_gfp_t flags)
{
	uint64_t now = os_clock_ms();
	uintptr_t nobody = 0;

	if (!may_call() || gfp_scope & GFP_SCOPE_NO_SHRINKERS ||
	    now - READ_ONCE(relief.last_ms) < RELIEF_PAUSE_MS ||
	    !atomic_compare_exchange_strong(&relief.by, &nobody, this_thread()))
		return;
	relieve(flags, now);
	atomic_store(&relief.by, 0);
}

/* --- fork ------------------------------------------------------------------------------------- */

void shrinkers_after_fork(void)
{
	struct stitch_shrinker *shrinker = READ_ONCE(first_shrinker);
	unsigned long users;

	for (; shrinker; shrinker = shrinker->next) {
		users = __atomic_load_n(&shrinker->users, __ATOMIC_RELAXED);
		__atomic_store_n(&shrinker->users,
				 (generation_of(users) + 1) << GENERATION_SHIFT,
				 __ATOMIC_RELAXED);
	}
	if (relief.by != this_thread())
		relief.by = 0;
}
