/*
 * A million times GFP_ATOMIC, by a signal handler that interrupts malloc and free wherever they
 * are, in a process that the kernel kills at any system call: rt_sigreturn is allowed, and what
 * the end needs. The reserve's bytes are checked, and before, that nothing of it is faulted in.
 */
#include "semantics/check.h"

#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "kernel_api.h"

/* The interrupted malloc, which may make system calls, shall have no reason to. */
const char *stitch_conf = "decay_ms=3600000,retain=1G";

enum { NR_CALLS = 1000000, CALLS_A_SIGNAL = 100, NR_KEPT = 64, MAX_BYTES = 5000 };

static struct kept {
	unsigned char *object;
	size_t bytes;
	unsigned char tag;
} kept[NR_KEPT];
static unsigned long nr_calls, nr_signals;
static uint64_t handlers_random = 1;

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

/* One call: an object less or more. */
static void atomic_step(void)
{
	struct kept *one = &kept[next_random(&handlers_random) % NR_KEPT];

	nr_calls++;
	if (one->object) {
		CHECK(all_bytes_are(one->object, one->tag, one->bytes), "object %p of %zu bytes",
		      (void *)one->object, one->bytes);
		stitch_kfree(one->object);
		one->object = NULL;
		return;
	}
	one->bytes = next_random(&handlers_random) % MAX_BYTES + 1;
	one->tag = (unsigned char)nr_calls;
	one->object = stitch_kmalloc(one->bytes, STITCH_GFP_ATOMIC);
	if (one->object)
		memset(one->object, one->tag, one->bytes);
}

static void handler(int number)
{
	(void)number;
	nr_signals++;
	for (unsigned int i = 0; i < CALLS_A_SIGNAL; i++)
		atomic_step();
}

static long nr_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

static void no_page_fault(void)
{
	long before;

	atomic_step(); /* of this test's own code and stack */
	nr_faults();
	before = nr_faults();
	for (unsigned int i = 0; i < 100000; i++)
		atomic_step();
	CHECK(nr_faults() == before, "%ld page faults", nr_faults() - before);
}

#define ALLOW(number) \
	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (number), 0, 1), \
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW)

static void kill_at_any_call(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		ALLOW(__NR_rt_sigreturn),
		ALLOW(__NR_write),
		ALLOW(__NR_exit_group),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
	};
	struct sock_fprog program = { sizeof(filter) / sizeof(filter[0]), filter };

	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no new privileges");
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "a filter");
}

/* malloc and free at random, `live` objects at most. */
static void work(unsigned int live, unsigned long nr_steps, unsigned long until_calls)
{
	static unsigned char *objects[1024];
	static uint64_t random = 7;

	for (unsigned long i = 0; i < nr_steps || nr_calls < until_calls; i++) {
		unsigned char **object = &objects[next_random(&random) % live];

		if (*object) {
			CHECK(**object == 0x77, "an object of malloc");
			free(*object);
			*object = NULL;
		} else {
			*object = malloc(next_random(&random) % 1000 + 1);
			**object = 0x77;
		}
	}
}

int main(void)
{
	struct sigaction action = { .sa_handler = handler };
	struct itimerval often = { { 0, 200 }, { 0, 200 } };

	CHECK(!stitch_reserve_fill(1 << 20), "a MiB");
	no_page_fault();
	work(1024, 400000, 0);
	nr_calls = 0;
	CHECK(!sigaction(SIGALRM, &action, NULL), "a handler");
	CHECK(!setitimer(ITIMER_REAL, &often, NULL), "a timer");
	kill_at_any_call();
	work(128, 0, NR_CALLS);
	CHECK(nr_signals >= NR_CALLS / CALLS_A_SIGNAL, "%lu signals", nr_signals);
	_exit(0);
}
