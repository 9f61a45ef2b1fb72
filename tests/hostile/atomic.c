/*
 * GFP_ATOMIC is what it says. A thread allocates and frees by malloc all the time; a signal
 * handler, called by a timer at random points of that, allocates from the reserve and frees there
 * and in its next calls; a system call there, and none outside, is turned into a fatal signal
 * (Linux 5.11). Then the same under a filter that kills at any system call but the handler's
 * return: the thread meanwhile only hits.
 *
 * Contents are checked; no page fault comes from the handler, which has a stack of its own.
 */
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>

#include "semantics/check.h"
#include "kernel_api.h"

#define NR_HELD 64u
#define NR_CALLS 500000ul /* of each, in all; half of them under the filter */
#define CALLS_A_SIGNAL 20u
#define NR_WARM 10000u /* calls that make a thread busy: its sheaf stays open (slab/sheaf.h) */
#define PERIOD_US 50

static struct {
	unsigned char *at;
	size_t bytes;
	unsigned char tag;
} held[NR_HELD];

static volatile unsigned long nr_allocs, nr_frees, nr_errors, nr_none, nr_faults;
static uint64_t handler_random = 88172645463325252u;
static volatile bool may_ask; /* the handler may ask for its page faults: a system call */
static volatile char selector; /* 1: a system call is fatal */
static char handler_stack[1 << 16];

static uint64_t next_random(uint64_t *state)
{
	*state ^= *state << 13;
	*state ^= *state >> 7;
	*state ^= *state << 17;
	return *state;
}

static void drop(unsigned int i)
{
	if (!held[i].at)
		return;
	nr_errors += !all_bytes_are(held[i].at, held[i].tag, held[i].bytes);
	if (i % 2)
		stitch_kfree(held[i].at);
	else
		free(held[i].at);
	held[i].at = NULL;
	nr_frees++;
}

static void take(unsigned int i)
{
	uint64_t random = next_random(&handler_random);

	held[i].bytes = 1 + (random >> 20) % ((size_t)16 << random % 9);
	held[i].tag = (unsigned char)(random >> 12);
	held[i].at = stitch_kmalloc(held[i].bytes, STITCH_GFP_ATOMIC);
	nr_allocs++;
	nr_none += !held[i].at;
	if (!held[i].at)
		return;
	nr_errors += stitch_ksize(held[i].at) < held[i].bytes;
	memset(held[i].at, held[i].tag, held[i].bytes);
}

static long faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void on_signal(int number)
{
	int saved_errno = errno;
	long before = may_ask ? faults() : 0;

	(void)number;
	selector = 1;
	for (unsigned int n = 0; n < CALLS_A_SIGNAL; n++) {
		unsigned int i = (unsigned int)(next_random(&handler_random) % NR_HELD);

		drop(i);
		take(i);
	}
	selector = 0;
	if (may_ask)
		nr_faults += (unsigned long)(faults() - before);
	errno = saved_errno;
}

/* --- what is interrupted --------------------------------------------------------------------- */

#define NR_BLOCKS 2000u

static void *blocks[NR_BLOCKS];
static uint64_t random_state = 1;

/* Of all kinds: slabs, sheaves' ends, runs, areas. */
static void churn(size_t max_bytes)
{
	uint64_t random = next_random(&random_state);
	unsigned int i = (unsigned int)(random % NR_BLOCKS);
	size_t bytes = (random >> 20) % ((size_t)16 << (random >> 12) % 18) % max_bytes;

	free(blocks[i]);
	blocks[i] = malloc(bytes);
	if (blocks[i])
		*(volatile unsigned char *)blocks[i] = 1;
}

/* --- the filter ------------------------------------------------------------------------------ */

static void allow_nothing(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_rt_sigreturn, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_exit_group, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp: errno %d", errno);
}

static void set_timer(long us)
{
	struct itimerval timer = { { 0, us }, { 0, us } };

	CHECK(!setitimer(ITIMER_REAL, &timer, NULL), "setitimer");
}

#ifndef PR_SET_SYSCALL_USER_DISPATCH
#define PR_SET_SYSCALL_USER_DISPATCH 59
#endif

static void watch_handler(void)
{
	stack_t stack = { .ss_sp = handler_stack, .ss_size = sizeof(handler_stack) };
	struct sigaction action = { .sa_handler = on_signal, .sa_flags = SA_RESTART | SA_ONSTACK };

	memset(handler_stack, 1, sizeof(handler_stack));
	CHECK(!sigaltstack(&stack, NULL), "sigaltstack");
	CHECK(!sigaction(SIGALRM, &action, NULL), "sigaction");
	may_ask = true;
	for (unsigned int i = 0; i < 200; i++)
		raise(SIGALRM); /* its code and held[] fault once */
	nr_faults = 0;
	if (prctl(PR_SET_SYSCALL_USER_DISPATCH, 1, 0, 0, &selector))
		CHECK(errno == EINVAL || errno == ENOSYS, "dispatch: errno %d", errno);
}

/* Nothing can be said any more: the status does. */
enum { FINE, SPOILT = 10, NONE_SERVED, NO_INTERRUPTION };

static int verdict(void)
{
	if (nr_errors)
		return SPOILT;
	if (nr_none > nr_allocs / 2)
		return NONE_SERVED;
	return nr_frees ? FINE : NO_INTERRUPTION;
}

int main(void)
{
	if (!on_stitchmalloc())
		return 0;
	CHECK(!stitch_reserve_fill((size_t)1 << 20), "no reserve");
	watch_handler();
	set_timer(PERIOD_US);
	while (nr_allocs < NR_CALLS / 2)
		churn(SIZE_MAX);
	set_timer(0);
	CHECK(!nr_faults, "%lu page faults in the handler", nr_faults);
	CHECK(!nr_errors, "%lu objects are spoilt", nr_errors);
	CHECK(nr_none < nr_allocs / 2, "%lu of %lu were refused", nr_none, nr_allocs);
	may_ask = false;
	for (unsigned int i = 0; i < NR_BLOCKS; i++) { /* small ones from now on */
		free(blocks[i]);
		blocks[i] = malloc(64);
	}
	for (unsigned int i = 0; i < NR_WARM; i++) /* and it is neither full nor empty */
		free(malloc(64));
	set_timer(PERIOD_US);
	allow_nothing();
	while (nr_allocs < NR_CALLS) {
		unsigned int i = (unsigned int)(next_random(&random_state) % NR_BLOCKS);

		free(blocks[i]);
		blocks[i] = malloc(64);
	}
	syscall(__NR_exit_group, verdict());
	return 1;
}
