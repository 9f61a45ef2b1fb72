/* kswapd.c - see kswapd.h. */
#include "init/kswapd.h"

#include "core/pressure.h"
#include "init/mm_init.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/shrinker.h"
#include "mm/decay.h"
#include "os/os.h"
#include "os/os_move.h"

/* Until who allocates calls the shrinkers itself. */
#define MAX_WAKE_MS (10 * RELIEF_PAUSE_MS)

_Atomic uint32_t kswapd_state = KSWAPD_OFF;

/* The process that wants the thread. */
static int process;
/* Slow allocations until there may be one. Racy: it is about so many. */
static unsigned int nr_calls_left;

void kswapd_want(unsigned int nr_calls_before)
{
	process = os_getpid();
	nr_calls_left = nr_calls_before;
	atomic_store(&kswapd_state, KSWAPD_WANTED);
}

static bool may_have_work(void)
{
	unsigned int nr_left = READ_ONCE(nr_calls_left);

	if (READ_ONCE(zone.nr_opened) <= READ_ONCE(zone.watermark[WMARK_LOW]))
		return false;
	WRITE_ONCE(nr_calls_left, nr_left - (nr_left != 0));
	return !nr_left;
}

/* Not in a signal handler amid a slow path, nor while somebody forks. */
static bool is_good_moment(void)
{
	gate_pass *pass = gate_enter();
	bool is_open = !atomic_load(&gate.closed_by);

	if (pass)
		gate_leave(pass);
	return pass && is_open;
}

bool kswapd_begin(void)
{
	uint32_t wanted = KSWAPD_WANTED;

	return may_have_work() && os_getpid() == process && is_good_moment() &&
	       atomic_compare_exchange_strong(&kswapd_state, &wanted, KSWAPD_RUNNING);
}

/*
 * Everything that is free, and some of what the program could do without. Who is under a filter may
 * open no files.
 */
static void relieve_pressure(void)
{
	static uint64_t last_ms;
	uint64_t now = os_clock_ms();

	if (now - last_ms < KSWAPD_IDLE_MS)
		return;
	last_ms = now;
	if (os_is_filtered() || !pressure_is_high(now))
		return;
	kmalloc_trim();
	shrinkers_relieve(STITCH_GFP_KERNEL);
}

uint32_t kswapd_look(uint32_t nap_ms)
{
	gate_pass *pass;

	relieve_pressure();
	if (!decay_is_due())
		return (uint32_t)min_size(2 * nap_ms, KSWAPD_IDLE_MS);
	pass = gate_enter();
	if (pass) {
		kmalloc_decay();
		gate_leave(pass);
	}
	return KSWAPD_BUSY_MS;
}

/* When it was woken last. */
static uint64_t asked_ms;

/*
 * A thread that has not come to it for long has no processor, or there is none: in a child of a
 * raw clone, which nobody has told.
 */
static bool will_come(void)
{
	return os_clock_ms() - READ_ONCE(asked_ms) < MAX_WAKE_MS;
}

bool kswapd_wake(void)
{
	uint32_t state = atomic_load_explicit(&kswapd_state, memory_order_relaxed);

	if (likely(state != KSWAPD_RUNNING))
		return state == KSWAPD_ASKED && will_come();
	WRITE_ONCE(asked_ms, os_clock_ms());
	if (atomic_compare_exchange_strong(&kswapd_state, &state, KSWAPD_ASKED))
		os_futex_wake(&kswapd_state, 1);
	return state != KSWAPD_STOPPED;
}

/* Who allocates meanwhile need not wake it: the next time is after a pause anyway. */
static void relieve_soft_limit(void)
{
	uint32_t asked = KSWAPD_ASKED;

	shrinkers_relieve(STITCH_GFP_KERNEL);
	os_futex_wait_for(&kswapd_state, KSWAPD_ASKED, RELIEF_PAUSE_MS * 1000);
	atomic_compare_exchange_strong(&kswapd_state, &asked, KSWAPD_RUNNING);
}

static bool is_running(uint32_t state)
{
	return state == KSWAPD_RUNNING || state == KSWAPD_ASKED;
}

void kswapd_run(void)
{
	uint32_t nap_ms = KSWAPD_BUSY_MS, state;

	while (is_running(state = atomic_load(&kswapd_state))) {
		if (state == KSWAPD_ASKED)
			relieve_soft_limit();
		nap_ms = kswapd_look(nap_ms);
		os_futex_wait_for(&kswapd_state, KSWAPD_RUNNING, nap_ms * 1000);
	}
	mm_thread_exit(); /* it may have freed what was deferred, and got a slot for that */
}

void kswapd_stop(void)
{
	atomic_store(&kswapd_state, KSWAPD_STOPPED);
	os_futex_wake(&kswapd_state, 1);
}
