/* os_park.c - see os_park.h. */
#include <asm/errno.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/unistd.h>

#include <string.h>

#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"
#include "os/syscall.h"

/* Debuggers do not stop at the first two. Of real-time signals the last ones are used least. */
static const int signals[] = { SIGURG, SIGWINCH, 64, 63, 62, 61, 60, 59, 58, 57, 56, 55 };
#define NAP_US 100u

struct kernel_sigaction {
	void (*handler)(int, void *, void *);
	unsigned long flags;
	void (*restorer)(void);
	uint64_t mask;
};

/* What the kernel puts on the stack (struct ucontext), as far as it is looked at. */
struct kernel_ucontext {
	unsigned long flags;
	void *link;
	stack_t stack;
	struct sigcontext registers;
};

struct os_parked os_parked[OS_MAX_PARKED];

/* Goes up at every start and end: odd while threads wait, each for the number to change. */
static _Atomic uint32_t parking_round;
static _Atomic uint32_t nr_records; /* begun */
static _Atomic uint32_t nr_arrived; /* whole */
static int signal_number;

/* Returns from the handler; the kernel has put its address there as the caller's. */
void os_park_return(void);
__asm__(".text\n.type os_park_return,@function\n.hidden os_park_return\n"
	"os_park_return:\n\tmov $15, %eax\n\tsyscall\n\tud2\n");

static void record_thread(const struct sigcontext *at)
{
	uint32_t i = atomic_fetch_add(&nr_records, 1);

	if (i < OS_MAX_PARKED) {
		os_parked[i] = (struct os_parked){
			.tid = os_gettid(),
			.stack_pointer = at->rsp,
			.thread_pointer = os_thread_pointer(),
			.registers = { at->rax, at->rbx, at->rcx, at->rdx, at->rsi, at->rdi,
				       at->rbp, at->r8, at->r9, at->r10, at->r11, at->r12, at->r13,
				       at->r14, at->r15, at->rip },
		};
		atomic_fetch_add(&nr_arrived, 1);
	}
}

/* Who comes late passes through. */
static void park_here(int number, void *info, void *context)
{
	uint32_t now = atomic_load(&parking_round);

	(void)number;
	(void)info;
	if (now % 2)
		record_thread(&((const struct kernel_ucontext *)context)->registers);
	while (now % 2 && atomic_load(&parking_round) == now)
		os_futex_wait(&parking_round, now);
}

static long set_action(int number, const struct kernel_sigaction *action,
		       struct kernel_sigaction *old)
{
	return syscall6(__NR_rt_sigaction, number, (long)action, (long)old, sizeof(uint64_t), 0, 0);
}

/* One that the program has no handler for. It stays ours: a call may still be on its way. */
static bool take_signal(void)
{
	struct kernel_sigaction present, action = { .handler = park_here, .mask = ~(uint64_t)0,
					   .flags = SA_SIGINFO | SA_RESTART | SA_RESTORER,
					   .restorer = os_park_return };

	for (size_t i = 0; i < ARRAY_SIZE(signals); i++) {
		signal_number = signals[i];
		if (!set_action(signal_number, NULL, &present) &&
		    (!present.handler || present.handler == park_here))
			return !set_action(signal_number, &action, NULL);
	}
	return false;
}

struct call_round {
	int self;
	uint32_t nr_others;
};

static bool has_arrived(int tid)
{
	for (uint32_t i = 0; i < nr_arrived; i++)
		if (os_parked[i].tid == tid)
			return true;
	return false;
}

static void call_thread(void *context, int tid)
{
	struct call_round *round = context;

	if (tid == round->self || os_thread_has_ended(tid))
		return;
	round->nr_others++;
	if (!has_arrived(tid))
		syscall3(__NR_tgkill, os_getpid(), tid, signal_number);
}

static void wait_for_arrival(uint32_t nr, uint64_t until)
{
	while (nr_arrived < nr && os_clock_ms() < until)
		os_nap(NAP_US);
}

/* Threads may make others until they are parked: once more, until there is none that was not. */
static int call_all(unsigned int max_ms)
{
	uint64_t until = os_clock_ms() + max_ms;
	struct call_round round;
	uint32_t nr_known = 0;
	int error;

	do {
		uint32_t nr_before = nr_known;

		round = (struct call_round){ .self = os_gettid() };
		error = os_visit_threads(call_thread, &round);
		nr_known = round.nr_others;
		wait_for_arrival(nr_known, until);
		if (nr_known <= nr_before)
			break;
	} while (!error && nr_arrived < OS_MAX_PARKED && os_clock_ms() < until);
	if (error)
		return error;
	return nr_known > nr_arrived ? (int)(nr_known - nr_arrived) : 0;
}

int os_park(unsigned int max_ms, unsigned int *nr_parked)
{
	int nr_going;

	nr_records = nr_arrived = 0;
	*nr_parked = 0;
	if (!take_signal())
		return -EBUSY;
	atomic_fetch_add(&parking_round, 1);
	nr_going = call_all(max_ms);
	*nr_parked = nr_arrived;
	return nr_going;
}

void os_unpark(void)
{
	if (atomic_load(&parking_round) % 2 == 0)
		return; /* os_park had no signal to do it with */
	atomic_fetch_add(&parking_round, 1);
	os_futex_wake(&parking_round, INT32_MAX);
}
