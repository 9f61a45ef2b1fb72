/* lock.c - see lock.h. */
#include "core/lock.h"

#include "core/printk.h"
#include "os/os.h"

/* A word: 0, or the holder's number times two, and 1 more when somebody sleeps. */
#define LOCK_FREE 0u
#define LOCK_CONTENDED 1u

struct lock {
	_Atomic uint32_t word;
} __cacheline_aligned;

static struct lock locks[NR_LOCK_RANKS];

/* Bit r: this thread holds the lock of rank r. Maintained in debug builds only. */
static _Thread_local uint32_t held_ranks __tls_initial_exec;

/* Long enough for a list operation elsewhere, short against the 2 us of a sleep. */
#define SPINS_BEFORE_SLEEP 100

/*
 * Threads by number, from their first lock on. A child's threads go on counting: none gets the
 * number of one that is not there.
 */
static _Atomic uint32_t last_number;
static _Thread_local uint32_t own_number __tls_initial_exec;

static uint32_t own_word(void)
{
	if (unlikely(!own_number))
		own_number = atomic_fetch_add(&last_number, 1) + 1;
	return own_number * 2;
}

static void note_acquired(enum lock_rank rank)
{
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(held_ranks >> rank); /* this rank or a higher one is held already */
	held_ranks |= 1u << rank;
}

static void note_released(enum lock_rank rank)
{
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(!(held_ranks & 1u << rank));
	held_ranks &= ~(1u << rank);
}

bool lock_is_held(enum lock_rank rank)
{
	return !CONFIG_DEBUG || (held_ranks & 1u << rank);
}

static bool try_lock(_Atomic uint32_t *word, uint32_t desired)
{
	uint32_t expected = LOCK_FREE;

	return atomic_compare_exchange_strong_explicit(word, &expected, desired,
						       memory_order_acquire, memory_order_relaxed);
}

static __slow void lock_wait(_Atomic uint32_t *word)
{
	uint32_t seen;

	for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
		if (atomic_load_explicit(word, memory_order_relaxed) == LOCK_FREE &&
		    try_lock(word, own_word()))
			return;
		cpu_relax();
	}
	/* Others may sleep, too: who has waited so long says so when it has the lock. */
	while (!try_lock(word, own_word() | LOCK_CONTENDED)) {
		seen = atomic_load_explicit(word, memory_order_relaxed);
		if (seen != LOCK_FREE &&
		    (seen & LOCK_CONTENDED ||
		     atomic_compare_exchange_strong(word, &seen, seen | LOCK_CONTENDED)))
			os_futex_wait(word, seen | LOCK_CONTENDED);
	}
}

void lock_acquire(enum lock_rank rank)
{
	_Atomic uint32_t *word = &locks[rank].word;

	if (unlikely(!try_lock(word, own_word())))
		lock_wait(word);
	note_acquired(rank);
}

bool lock_try_acquire(enum lock_rank rank)
{
	if (!try_lock(&locks[rank].word, own_word()))
		return false;
	note_acquired(rank);
	return true;
}

void lock_release(enum lock_rank rank)
{
	_Atomic uint32_t *word = &locks[rank].word;

	note_released(rank);
	if (atomic_exchange_explicit(word, LOCK_FREE, memory_order_release) & LOCK_CONTENDED)
		os_futex_wake(word, 1);
}

static bool held_by_other(enum lock_rank rank)
{
	uint32_t word = atomic_load(&locks[rank].word) & ~LOCK_CONTENDED;

	return word && word != own_word();
}

bool locks_held_by_others(void)
{
	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++)
		if (held_by_other((enum lock_rank)rank))
			return true;
	return false;
}

bool locks_highest_is_others(void)
{
	for (unsigned int rank = NR_LOCK_RANKS; rank-- > 0;)
		if ((atomic_load(&locks[rank].word) & ~LOCK_CONTENDED) != LOCK_FREE)
			return held_by_other((enum lock_rank)rank);
	return false;
}
