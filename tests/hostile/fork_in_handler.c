/*
 * fork in a signal handler that interrupts malloc, realloc or free at any instruction. Parent and
 * child return from the handler, finish what was interrupted, find every object whole, and go on.
 * First in a single-threaded process, then by four threads at once, of which several may be
 * interrupted amid a slow path and fork. (glibc promises the first only.)
 *
 * With STRESS_SECONDS both go on till there have been 10,000 forks, but no longer than
 * LONGEST_SECONDS each: there are machines on which a fork and a child take a tenth of a second.
 */
#include "hostile/fork.h"

#define NR_THREADS 4u
#define NR_OBJECTS 48u
#define FULL_FORKS_ALONE 8000u
#define FULL_FORKS_THREADED 2000u
#define LONGEST_SECONDS 400

static struct object all_objects[NR_THREADS][NR_OBJECTS];
static double end, latest_end;
static unsigned long least_forks;

/* Of each thread: what its handler did, for its loop to act upon. */
static _Thread_local volatile sig_atomic_t is_child;
static _Thread_local volatile pid_t child;
static _Thread_local timer_t timer;

static void forks(int signal_number)
{
	int kept = errno;
	pid_t pid;

	(void)signal_number;
	if (child || is_child)
		return;
	test_step = "forking in a handler";
	pid = fork();
	CHECK(pid >= 0, "fork: %s", strerror(errno));
	if (pid) {
		child = pid;
		test_step = "after the fork in a handler";
	} else {
		child_begins();
		is_child = 1;
		test_step = "the child finishes what was interrupted";
	}
	errno = kept;
}

static void timer_arm(struct rng *rng)
{
	struct itimerspec when = { .it_value.tv_nsec = 20000 + (long)rng_below(rng, 400000) };

	CHECK(!timer_settime(timer, 0, &when, NULL), "timer_settime");
}

static void timer_make(void)
{
	struct sigevent event = { .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = SIGUSR1 };

	event._sigev_un._tid = (pid_t)syscall(SYS_gettid);
	CHECK(!timer_create(CLOCK_MONOTONIC, &event, &timer), "timer_create");
}

static _Noreturn void child_run(size_t self, struct rng *rng)
{
	for (size_t i = 0; i < NR_THREADS; i++)
		objects_inherited(all_objects[i], NR_OBJECTS, rng);
	test_step = "the child goes on allocating";
	objects_steps(all_objects[self], NR_OBJECTS, rng, 32);
	untagged_burst(rng);
	for (size_t i = 0; i < NR_THREADS; i++)
		objects_free(all_objects[i], NR_OBJECTS);
	_exit(0);
}

static bool more_to_do(unsigned long forks_before)
{
	double now = seconds_now();

	return now < end || (now < latest_end && nr_forks - forks_before < least_forks);
}

static void *interrupted_loop(void *argument)
{
	size_t self = (size_t)argument;
	struct object *objects = all_objects[self];
	struct rng rng = { .state = self };
	unsigned long forks_before = nr_forks;
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	timer_make();
	timer_arm(&rng);
	pthread_sigmask(SIG_UNBLOCK, &usr1, NULL);
	for (unsigned int i = 0; child || more_to_do(forks_before); i++) {
		untagged_burst(&rng);
		if (i % 8 == 0)
			objects_step(objects, NR_OBJECTS, &rng);
		if (is_child)
			child_run(self, &rng);
		if (!child)
			continue;
		objects_check(objects, NR_OBJECTS);
		expect_success_of(child);
		child = 0;
		timer_arm(&rng);
	}
	pthread_sigmask(SIG_BLOCK, &usr1, NULL);
	if (is_child) /* since more_to_do() */
		child_run(self, &rng);
	if (child)
		expect_success_of(child);
	child = 0;
	timer_delete(timer);
	return NULL;
}

static void phase(double seconds, unsigned int nr_threads, unsigned long full_forks)
{
	pthread_t threads[NR_THREADS];

	least_forks = getenv("STRESS_SECONDS") ? full_forks : 1;
	end = seconds_now() + seconds;
	latest_end = end + LONGEST_SECONDS;
	for (size_t i = 1; i < nr_threads; i++)
		thread_start(&threads[i], interrupted_loop, (void *)i);
	interrupted_loop(NULL);
	for (size_t i = 1; i < nr_threads; i++)
		pthread_join(threads[i], NULL);
	for (size_t i = 0; i < nr_threads; i++)
		objects_free(all_objects[i], NR_OBJECTS);
}

int main(void)
{
	double seconds = test_seconds(5);
	struct sigaction action = { .sa_handler = forks, .sa_flags = SA_RESTART };
	sigset_t usr1;

	sigemptyset(&usr1);
	sigaddset(&usr1, SIGUSR1);
	sigprocmask(SIG_BLOCK, &usr1, NULL);
	sigaction(SIGUSR1, &action, NULL);
	watchdog_start((unsigned int)seconds + PROGRAM_HANG_SECONDS +
		       (getenv("STRESS_SECONDS") ? 2 * LONGEST_SECONDS : 0));
	phase(seconds / 2, 1, FULL_FORKS_ALONE);
	if (on_stitchmalloc())
		phase(seconds / 2, NR_THREADS, FULL_FORKS_THREADED);
	printf("%lu forks\n", nr_forks);
	return 0;
}
