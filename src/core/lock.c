/* lock.c - see lock.h. */
#include "core/lock.h"

#include "core/printk.h"
#include "os/os.h"

/* A lock's word. The bits above are the holder's number. */
#define LOCK_FREE 0u
#define LOCK_SLEEPERS 1u /* somebody sleeps, or did */
#define LOCK_HELD 2u
#define LOCK_GONE 4u /* not held, but its last holder has not released it and never will */
#define LOCK_HOLDER_SHIFT 3

struct lock {
	_Atomic uint32_t word;
} __cacheline_aligned;

static struct lock locks[NR_LOCK_RANKS];

/* Bit r is for rank r. Room for thread-local storage is scarce. */
typedef uint16_t rank_set;
_Static_assert(NR_LOCK_RANKS <= 16, "a bit for each");

/* locks_take_rest() has taken the lock. Signal handlers change it, too. */
static _Thread_local _Atomic rank_set taken_ranks __tls_initial_exec;

/* This thread holds the lock. Maintained in debug builds only. */
static _Thread_local rank_set held_ranks __tls_initial_exec;

/* Long enough for a list operation elsewhere, short against the 2 us of a sleep. */
#define SPINS_BEFORE_SLEEP 100

/*
 * A sleep has an end, since its wake may be another's: of a thread that was woken and, before it
 * could look at the lock, interrupted by a signal handler. While that one lasts nobody else is
 * woken; and it may be waiting for the sleeper, by locks_take_rest() or by means of its own.
 */
#define LONGEST_SLEEP_US 10000u

/*
 * Threads by number, from their first lock on. A child's threads go on counting: none gets the
 * number of one that is not there.
 */
static _Atomic uint32_t last_number;
static _Thread_local uint32_t own_number __tls_initial_exec;

/*
 * Holder and state are one word, so that there is no instant at which a lock is held and nobody
 * knows by whom.
 */
static uint32_t this_holder(void)
{
	if (unlikely(!own_number))
		own_number = atomic_fetch_add(&last_number, 1) + 1;
	return own_number << LOCK_HOLDER_SHIFT | LOCK_HELD;
}

static bool is_own(uint32_t word)
{
	return (word & ~LOCK_SLEEPERS) == this_holder();
}

static void note_acquired(enum lock_rank rank)
{
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(held_ranks >> rank); /* this rank or a higher one is held already */
	held_ranks |= (rank_set)(1u << rank);
}

static void note_released(enum lock_rank rank)
{
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(!(held_ranks & 1u << rank));
	held_ranks &= (rank_set)~(1u << rank);
}

bool lock_is_held(enum lock_rank rank)
{
	return !CONFIG_DEBUG || (held_ranks & 1u << rank);
}

static bool try_lock(_Atomic uint32_t *word)
{
	uint32_t expected = LOCK_FREE;

	return atomic_compare_exchange_strong_explicit(word, &expected, this_holder(),
						       memory_order_acquire, memory_order_relaxed);
}

/* One attempt by who has slept, or will: others may sleep too. */
static bool try_lock_for_sleepers(_Atomic uint32_t *word)
{
	uint32_t seen = atomic_load_explicit(word, memory_order_relaxed);

	if (is_own(seen))
		return true; /* a signal handler amid locks_take_rest() has taken it */
	if (!(seen & LOCK_HELD))
		return atomic_compare_exchange_strong_explicit(
			word, &seen, this_holder() | LOCK_SLEEPERS, memory_order_acquire,
			memory_order_relaxed);
	if ((seen & LOCK_SLEEPERS) ||
	    atomic_compare_exchange_strong_explicit(word, &seen, seen | LOCK_SLEEPERS,
						    memory_order_relaxed, memory_order_relaxed))
		os_futex_wait_for(word, seen | LOCK_SLEEPERS, LONGEST_SLEEP_US);
	return false;
}

static __slow void lock_wait(_Atomic uint32_t *word)
{
	for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
		if (atomic_load_explicit(word, memory_order_relaxed) == LOCK_FREE && try_lock(word))
			return;
		cpu_relax();
	}
	while (!try_lock_for_sleepers(word))
		;
}

static void acquire(_Atomic uint32_t *word)
{
	if (unlikely(!try_lock(word)))
		lock_wait(word);
}

static void release(_Atomic uint32_t *word)
{
	uint32_t old = atomic_exchange_explicit(word, LOCK_FREE, memory_order_release);

	if (old & LOCK_SLEEPERS)
		os_futex_wake(word, 1);
}

void lock_acquire(enum lock_rank rank)
{
	acquire(&locks[rank].word);
	note_acquired(rank);
}

bool lock_try_acquire(enum lock_rank rank)
{
	if (!try_lock(&locks[rank].word))
		return false;
	note_acquired(rank);
	return true;
}

void lock_release(enum lock_rank rank)
{
	note_released(rank);
	release(&locks[rank].word);
}

/* --- fork ----------------------------------------------------------------------------------- */

bool locks_held_by_others(void)
{
	bool found = false;

	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++) {
		_Atomic uint32_t *word = &locks[rank].word;

		if (*word == LOCK_FREE || is_own(*word))
			continue;
		*word = LOCK_GONE;
		found = true;
	}
	return found;
}

/* The rank behind the highest that this thread holds. */
static unsigned int first_rank_to_take(void)
{
	unsigned int rank = NR_LOCK_RANKS;

	while (rank > 0 && !is_own(locks[rank - 1].word))
		rank--;
	return rank;
}

void locks_take_rest(void)
{
	for (unsigned int rank = first_rank_to_take(); rank < NR_LOCK_RANKS; rank++) {
		acquire(&locks[rank].word);
		atomic_fetch_or(&taken_ranks, (rank_set)(1u << rank));
	}
}

void locks_release_rest(void)
{
	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++)
		if (atomic_fetch_and(&taken_ranks, (rank_set)~(1u << rank)) & 1u << rank)
			release(&locks[rank].word);
}
