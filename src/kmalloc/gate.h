/*
 * gate.h - who is inside a slow path: what makes fork safe by construction.
 *
 * L6. Every lock of the allocator is taken, and everything but the tops of sheaves and the contents
 * of outboxes is changed, between gate_enter and gate_leave. A thread that forks closes the
 * gate, waits until nobody is inside, and forks: no lock is held, every structure is whole, and the
 * child inherits the slots of all threads.
 *
 * Nobody waits for the gate, since the thread that forks may itself be waiting (glibc's fork takes
 * the lock of the list of FILEs after all handlers) for one that allocates. Who is refused is
 * served by mm/emergency.h, and what it frees is deferred (kmalloc/deferred.h). So is a signal
 * handler that has interrupted a slow path of its own thread.
 *
 * The thread that has closed the gate may enter: it is alone inside.
 *
 * A signal handler that has interrupted a slow path may fork: it waits for others for a while only,
 * since they may be waiting for a lock that its own thread holds, and it does not mind a gate
 * that is closed already. Child and parent finish what was interrupted.
 *
 * A child that was made without our handlers (_Fork, clone) finds at its first gate_enter or fork
 * that a page which the kernel wipes in children reads as zero, and looks who was inside: their
 * slots are lost, and so is the slot that one of them was trimming, even that of the thread that
 * looks, which gets another. If one of them held a lock the gate stays closed for good in that
 * child.
 * (Made by a signal handler that has interrupted a slow path of a threaded program, it must
 * not return from the handler.)
 */
#ifndef KMALLOC_GATE_H
#define KMALLOC_GATE_H

#include "slab/slot.h"

/* Not 0: somebody is inside by it. Of visitors, their thread pointer. */
typedef _Atomic uintptr_t gate_pass;

/* Threads without a slot, or leaving it: more of them at a time wait for each other. */
#define NR_VISITOR_PASSES 64u

struct gate {
	_Atomic uintptr_t closed_by; /* thread pointer of who forks or trims; or for good */
	_Atomic uint32_t pending;    /* something was deferred while the gate was closed */
	_Atomic uintptr_t settler;   /* thread pointer of who does that; its handlers are refused */
	_Atomic uint32_t *_Atomic process_known; /* reads as 0 in a child that is not announced */
	gate_pass visitors[NR_VISITOR_PASSES] __cacheline_aligned;
} __cacheline_aligned;

extern struct gate gate;

#define GATE_CLOSED_FOR_GOOD ((uintptr_t)1)
/* Together with the thread pointer: by gate_close_briefly. */
#define GATE_CLOSED_BRIEFLY ((uintptr_t)2)

/*
 * The thread is inside by a visitor's pass, is about to be, or was just now: as long as others may
 * wait for the pass its signal handlers know that it is inside.
 */
extern _Thread_local bool gate_visiting __tls_initial_exec;

/* The page that a fork wipes; NULL: there is none. Boot only. */
void gate_boot(struct process_page *process);

/* The rest of gate_enter. */
gate_pass *gate_enter_visiting(void);
gate_pass *gate_examine(gate_pass *pass);

/* Sequentially consistent, as in gate_close: of who enters and who closes one sees the other. */
static inline bool gate_is_calm(void)
{
	return !atomic_load(&gate.closed_by) &&
	       !atomic_load_explicit(&gate.pending, memory_order_relaxed) &&
	       atomic_load_explicit(atomic_load_explicit(&gate.process_known,
							 memory_order_relaxed),
				    memory_order_relaxed);
}

/* Not so: amid gate_enter a signal handler has found out that its child has lost the slot. */
static inline bool gate_pass_is_own(const gate_pass *pass)
{
	return pass == &READ_ONCE(current_slot)->inside;
}

/* Before anything that takes a lock. NULL: not now, do without. Does not wait for forks. */
static inline gate_pass *gate_enter(void)
{
	gate_pass *pass;

	if (unlikely(!slot_is_held()))
		return gate_enter_visiting();
	pass = &current_slot->inside;
	if (unlikely(atomic_load_explicit(pass, memory_order_relaxed)) || unlikely(gate_visiting))
		return NULL; /* a signal handler, amid a slow path of this thread */
	atomic_exchange(pass, 1);
	/* In this order: once the gate was seen open nobody visits the slot. */
	return likely(gate_is_calm()) && likely(gate_pass_is_own(pass)) ? pass : gate_examine(pass);
}

/* A visitor may have taken a slot. */
static inline void gate_leave(gate_pass *pass)
{
	if (unlikely(!gate_pass_is_own(pass)) && slot_is_held())
		current_slot->inside = 0;
	atomic_store_explicit(pass, 0, memory_order_release);
	barrier();
	WRITE_ONCE(gate_visiting, false);
}

/*
 * As gate_enter, but waits for a fork of another thread, a second at most: for reports, and for who
 * can do with nothing else.
 */
gate_pass *gate_enter_patiently(void);

/* A thread was refused and has left something to be done: the next inside sees to it. */
static inline void gate_note_pending(void)
{
	atomic_store(&gate.pending, 1);
}

/*
 * Inside: what was freed before the call has been freed when it returns, though the gate refused
 * it. Waits for another thread that sees to it, a second at most.
 */
void gate_settle(void);

/* Around a fork; the child calls the last in place of gate_open. */
void gate_close(void);
void gate_open(void);
void gate_after_fork(void);

/*
 * Close the gate for a millisecond, to work at the slabs, pcp and inboxes of all threads: theirs
 * again at gate_open. Their fast paths go on: sheaves and outboxes stay theirs. False: not now.
 * The caller enters, so that its signal handlers keep off, and leaves before gate_open.
 */
bool gate_close_briefly(void);

/* In a copy of the process: nobody was inside when it was made, so that the heap is whole. */
bool gate_is_deserted(void);

/* For a signal handler: it has interrupted a slow path of its thread, or a fork. */
bool gate_is_interrupted(void);

/*
 * As gate_enter, but waits some milliseconds when the gate is closed briefly. By no thread that
 * forks, so that nothing which it waits for waits for the caller.
 */
gate_pass *gate_enter_soon(void);

static inline bool gate_is_closed_briefly(void)
{
	return atomic_load(&gate.closed_by) & GATE_CLOSED_BRIEFLY;
}

#endif
