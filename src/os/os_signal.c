/* os_signal.c - see os_signal.h. */
#include <asm/errno.h>
#include <asm/sigcontext.h>
#include <asm/signal.h>
#include <asm/siginfo.h>
#include <asm/unistd.h>
#include <linux/time.h>
#include <linux/time_types.h>

#include "os/os.h"
#include "os/os_signal.h"
#include "os/syscall.h"

/* What a function may use below its stack pointer (System V ABI). */
#define RED_ZONE_BYTES 128u

struct kernel_sigaction {
	os_signal_fn *handler;
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

/* Returns from a handler; the kernel has put its address there as the caller's. */
void os_signal_return(void);
__asm__(".text\n.type os_signal_return,@function\n.hidden os_signal_return\n"
	"os_signal_return:\n\tmov $15, %eax\n\tsyscall\n\tud2\n");

static long set_action(int number, const struct kernel_sigaction *action,
		       struct kernel_sigaction *old)
{
	return syscall6(__NR_rt_sigaction, number, (long)action, (long)old, sizeof(uint64_t), 0, 0);
}

int os_signal_handler(int number, os_signal_fn **handler)
{
	struct kernel_sigaction present = { 0 };
	long error = set_action(number, NULL, &present);

	*handler = present.handler;
	return (int)error;
}

int os_signal_handle(int number, os_signal_fn *handler)
{
	struct kernel_sigaction action = {
		.handler = handler,
		.flags = SA_SIGINFO | SA_RESTART | SA_ONSTACK | SA_RESTORER,
		.restorer = os_signal_return,
		.mask = ~(uint64_t)0,
	};

	return (int)set_action(number, &action, NULL);
}

/* The kernel has saved all registers right below the stack in use, or on another stack. */
#define MAX_FRAME_BYTES KIB(64)

uintptr_t os_signal_stack_in_use(const void *context)
{
	const struct kernel_ucontext *frame = context;
	uintptr_t start = (uintptr_t)frame, pointer = frame->registers.rsp;

	return pointer - start < MAX_FRAME_BYTES ? start : pointer - RED_ZONE_BYTES;
}

/* A timer of the kernel's: neither a thread nor a process is needed. */
int os_signal_later(int number, uint32_t us)
{
	static int timer, timer_pid; /* children do not inherit it, but may have others of its id */
	struct sigevent event = { .sigev_notify = SIGEV_SIGNAL, .sigev_signo = number };
	struct __kernel_itimerspec when = { .it_value = { us / 1000000, us % 1000000 * 1000ll } };
	long error;

	if (timer_pid == os_getpid())
		syscall3(__NR_timer_delete, timer, 0, 0);
	error = syscall3(__NR_timer_create, CLOCK_MONOTONIC, (long)&event, (long)&timer);
	timer_pid = error ? 0 : os_getpid();
	if (!error)
		error = syscall6(__NR_timer_settime, timer, 0, (long)&when, 0, 0, 0);
	return (int)error;
}
