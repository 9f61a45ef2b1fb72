/* lock.c - see lock.h. */
#include "core/lock.h"

#include "core/printk.h"
#include "os/os.h"

enum { LOCK_FREE, LOCK_HELD, LOCK_CONTENDED };

struct lock {
	_Atomic uint32_t word;
	_Atomic uintptr_t owner; /* thread pointer; 0 or OWNER_IS_GONE while it is not known */
} __cacheline_aligned;

#define OWNER_IS_GONE ((uintptr_t)1)

static struct lock locks[NR_LOCK_RANKS];

/* Bit r: this thread holds the lock of rank r. Maintained in debug builds only. */
static _Thread_local uint32_t held_ranks __tls_initial_exec;

/* Long enough for a list operation elsewhere, short against the 2 us of a sleep. */
#define SPINS_BEFORE_SLEEP 100

static uintptr_t this_thread(void)
{
	return (uintptr_t)__builtin_thread_pointer();
}

static void note_acquired(enum lock_rank rank)
{
	atomic_store_explicit(&locks[rank].owner, this_thread(), memory_order_relaxed);
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(held_ranks >> rank); /* this rank or a higher one is held already */
	held_ranks |= 1u << rank;
}

static void note_released(enum lock_rank rank)
{
	atomic_store_explicit(&locks[rank].owner, 0, memory_order_relaxed);
	if (!CONFIG_DEBUG)
		return;
	BUG_ON(!(held_ranks & 1u << rank));
	held_ranks &= ~(1u << rank);
}

bool lock_is_held(enum lock_rank rank)
{
	return !CONFIG_DEBUG || (held_ranks & 1u << rank);
}

static bool try_lock(_Atomic uint32_t *word)
{
	uint32_t expected = LOCK_FREE;

	return atomic_compare_exchange_strong_explicit(word, &expected, LOCK_HELD,
						       memory_order_acquire, memory_order_relaxed);
}

static __slow void lock_wait(_Atomic uint32_t *word)
{
	for (int spin = 0; spin < SPINS_BEFORE_SLEEP; spin++) {
		if (atomic_load_explicit(word, memory_order_relaxed) == LOCK_FREE && try_lock(word))
			return;
		cpu_relax();
	}
	while (atomic_exchange_explicit(word, LOCK_CONTENDED, memory_order_acquire) != LOCK_FREE)
		os_futex_wait(word, LOCK_CONTENDED);
}

void lock_acquire(enum lock_rank rank)
{
	_Atomic uint32_t *word = &locks[rank].word;

	if (unlikely(!try_lock(word)))
		lock_wait(word);
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
	_Atomic uint32_t *word = &locks[rank].word;

	note_released(rank);
	if (atomic_exchange_explicit(word, LOCK_FREE, memory_order_release) == LOCK_CONTENDED)
		os_futex_wake(word, 1);
}

/* A thread of the child may get the address of one that is gone: marked once, gone for good. */
bool locks_held_by_others(void)
{
	bool found = false;

	for (unsigned int rank = 0; rank < NR_LOCK_RANKS; rank++) {
		struct lock *lock = &locks[rank];

		if (lock->word == LOCK_FREE || lock->owner == this_thread())
			continue;
		lock->owner = OWNER_IS_GONE;
		found = true;
	}
	return found;
}
