/*
 * lives_on.c - a program that is asked for its leaks while it lives; does what its arguments say,
 * in their order: see the table at the end. What it is told by the library goes to stdout.
 */
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define NR_HELD 64

long stitch_leak_scan(unsigned int flags) __attribute__((weak));

static volatile sig_atomic_t nr_sigchld;

/* --- losing ----------------------------------------------------------------------------------- */

/*
 * What registers and dead frames hold is overwritten by the next calls: those of malloc's slow
 * paths reach deep, and the next such path leaves words of its frames as they were.
 */
static NOINLINE void forget(void)
{
	volatile char frames[48 << 10];

	for (size_t i = 0; i < sizeof(frames); i++)
		frames[i] = 0;
}

/*
 * Not the first object of its slab, whose address is in a register whenever another of that slab is
 * freed: that one is kept.
 */
static NOINLINE void lose(const char *bytes)
{
	static void *volatile firsts;
	void **first = malloc(strtoul(bytes, NULL, 10));
	char *volatile object = malloc(strtoul(bytes, NULL, 10));

	*first = firsts;
	firsts = first;
	object = NULL;
}

/* A lost object that holds another; the first is known to hang_on below, by a secret. */
static size_t secret;

static NOINLINE void lose_head(const char *bytes)
{
	void **volatile object = calloc(1, strtoul(bytes, NULL, 10));

	secret = ~(size_t)object;
	object = NULL;
}

static NOINLINE void hang_on(const char *bytes)
{
	void **volatile head = (void **)~secret;

	*head = malloc(strtoul(bytes, NULL, 10));
	head = NULL;
}

/* Into the middle of it, only. */
static char *volatile kept_middle;

static NOINLINE void keep_middle(const char *bytes)
{
	kept_middle = (char *)malloc(strtoul(bytes, NULL, 10)) + 16;
}

static void lose_middle(const char *unused)
{
	(void)unused;
	kept_middle = NULL;
}

static void *keep_until_the_end(void *bytes)
{
	char *volatile object = malloc((size_t)bytes);

	return object ? NULL : bytes;
}

/* Its stack, which libc keeps, still has the address. */
static void lose_in_thread(const char *bytes)
{
	pthread_t thread;

	if (pthread_create(&thread, NULL, keep_until_the_end, (void *)strtoul(bytes, NULL, 10)) ||
	    pthread_join(thread, NULL))
		exit(99);
}

/* --- working ---------------------------------------------------------------------------------- */

/* Objects are held by the stack, by each other, by registers; they come and go all the time. */
static void *work(void *unused)
{
	void **held[NR_HELD] = { NULL };
	unsigned int random = 1;

	for (;;) {
		unsigned int i = (random = random * 1103515245 + 12345) >> 16 & (NR_HELD - 1);
		void **object = malloc(16 + (random >> 8 & 2047));

		if (held[i])
			free(*held[i]);
		free(held[i]);
		*object = malloc(24);
		held[i] = object;
	}
	return unused;
}

static void *sleep_with_object(void *unused)
{
	char *volatile object = malloc(333);

	for (;;)
		pause();
	object = NULL;
	return unused;
}

static void *sleep_deaf(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	return sleep_with_object(unused);
}

static void start(void *(*function)(void *), const char *number)
{
	pthread_t thread;

	for (unsigned long i = strtoul(number, NULL, 10); i; i--)
		if (pthread_create(&thread, NULL, function, NULL))
			exit(99);
}

static void start_workers(const char *number)
{
	start(work, number);
}

static void start_sleepers(const char *number)
{
	start(sleep_with_object, number);
}

/* In vfork until somebody kills the child: nothing stops it meanwhile. */
static void *wait_in_vfork(void *unused)
{
	if (!vfork())
		for (;;)
			pause();
	for (;;)
		pause();
	return unused;
}

static void start_vfork(const char *number)
{
	start(wait_in_vfork, number);
}

static void nothing(int unused)
{
	(void)unused;
}

/* So many times a second. */
static void start_timer(const char *times)
{
	struct itimerval timer = {{0, 1000000 / atoi(times)}, {0, 1000000 / atoi(times)}};

	signal(SIGALRM, nothing);
	setitimer(ITIMER_REAL, &timer, NULL);
}

static void start_deaf(const char *number)
{
	start(sleep_deaf, number);
}

/* In main itself, so that signals are likely to come amid malloc. */
static void work_for(const char *ms)
{
	static void *volatile objects[1000];
	struct timespec from, now;

	clock_gettime(CLOCK_MONOTONIC, &from);
	do {
		for (int i = 0; i < 1000; i++)
			objects[i] = malloc(20000);
		for (int i = 0; i < 1000; i++)
			free(objects[i]);
		memset((void *)objects, 0, sizeof(objects));
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while ((now.tv_sec - from.tv_sec) * 1000 + (now.tv_nsec - from.tv_nsec) / 1000000 <
		 atol(ms));
}

/* --- asking ----------------------------------------------------------------------------------- */

static void scan(const char *flags)
{
	long lost;

	forget();
	errno = 0;
	lost = stitch_leak_scan((unsigned int)strtoul(flags, NULL, 10));
	printf("lost %ld errno %d\n", lost, errno);
	fflush(stdout);
}

static void *scan_in_thread(void *flags)
{
	scan(flags);
	return NULL;
}

static void scan_twice_at_once(const char *flags)
{
	pthread_t threads[2];

	for (int i = 0; i < 2; i++)
		if (pthread_create(&threads[i], NULL, scan_in_thread, (void *)(size_t)flags))
			exit(99);
	for (int i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

static void scan_in_child(const char *flags)
{
	pid_t child = fork();

	if (!child) {
		scan(flags);
		_exit(0);
	}
	waitpid(child, NULL, 0);
}

/* --- children --------------------------------------------------------------------------------- */

static void count_sigchld(int number)
{
	(void)number;
	nr_sigchld++;
}

static void watch_children(const char *unused)
{
	(void)unused;
	signal(SIGCHLD, count_sigchld);
}

/* How many children wait() tells of, and how many signals there were. */
static void wait_for_all(const char *unused)
{
	int nr = 0;

	(void)unused;
	while (wait(NULL) > 0)
		nr++;
	printf("children %d errno %d signals %d\n", nr, errno == ECHILD, (int)nr_sigchld);
	fflush(stdout);
}

/* A child that ends while others may be there. */
static void fork_child(const char *status)
{
	if (!fork()) {
		usleep(10000);
		_exit(atoi(status));
	}
}

/* --- the rest --------------------------------------------------------------------------------- */

static void filter_copies(uint32_t answer)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_clone, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, answer),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { sizeof(code) / sizeof(code[0]), code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		exit(99);
}

static void forbid_copies(const char *unused)
{
	(void)unused;
	filter_copies(SECCOMP_RET_ERRNO | EPERM);
}

static void kill_who_copies(const char *unused)
{
	(void)unused;
	filter_copies(SECCOMP_RET_KILL_PROCESS);
}

static int stay_for_good(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	(void)info;
	(void)bytes;
	(void)unused;
	while (pause() < 0)
		continue;
	return 0;
}

static void *visit_modules(void *unused)
{
	dl_iterate_phdr(stay_for_good, unused);
	return NULL;
}

/* The loader's lock is a thread's that sleeps. */
static void hold_loader(const char *unused)
{
	pthread_t thread;

	(void)unused;
	if (pthread_create(&thread, NULL, visit_modules, NULL))
		exit(99);
	usleep(100000);
}

/* Part of the heap is not there in a copy: large objects, and small ones. */
static void keep_from_copies(const char *bytes)
{
	static char *kept[1000];
	size_t page;

	for (int i = 0; i < 1000; i++)
		kept[i] = malloc(strtoul(bytes, NULL, 10));
	for (int i = 0; i < 1000; i++) {
		page = (size_t)kept[i] & ~(size_t)4095;
		if (page > (size_t)kept[0] && madvise((void *)page, 4096, MADV_DONTFORK))
			exit(99);
	}
}

static void signal_self(const char *number)
{
	forget();
	kill(getpid(), atoi(number));
}

/* For ever. */
static void exec_again(const char *unused)
{
	(void)unused;
	execl("/proc/self/exe", "lives_on", "work_for=3", "exec_again", NULL);
	exit(98);
}

static void open_high(const char *number)
{
	dup2(1, atoi(number));
}

static void say(const char *text)
{
	puts(text);
	fflush(stdout);
}

static void read_line(const char *unused)
{
	char line[80];

	(void)unused;
	if (!fgets(line, sizeof(line), stdin))
		exit(98);
}

static void nap(const char *ms)
{
	usleep((useconds_t)(1000 * atol(ms)));
}

static void leave(const char *status)
{
	exit(atoi(status));
}

static const struct action {
	const char *name;
	void (*function)(const char *value);
} actions[] = {
	{ "lose", lose },
	{ "lose_in_thread", lose_in_thread },
	{ "lose_head", lose_head },
	{ "hang_on", hang_on },
	{ "keep_middle", keep_middle },
	{ "lose_middle", lose_middle },
	{ "workers", start_workers },
	{ "sleepers", start_sleepers },
	{ "deaf", start_deaf },
	{ "vfork", start_vfork },
	{ "timer", start_timer },
	{ "work_for", work_for },
	{ "exec_again", exec_again },
	{ "scan", scan },
	{ "scan_twice_at_once", scan_twice_at_once },
	{ "scan_in_child", scan_in_child },
	{ "watch_children", watch_children },
	{ "wait_for_all", wait_for_all },
	{ "fork_child", fork_child },
	{ "forbid_copies", forbid_copies },
	{ "kill_who_copies", kill_who_copies },
	{ "hold_loader", hold_loader },
	{ "keep_from_copies", keep_from_copies },
	{ "signal_self", signal_self },
	{ "open_high", open_high },
	{ "say", say },
	{ "read_line", read_line },
	{ "nap", nap },
	{ "exit", leave },
};

static void act(const char *argument)
{
	size_t length = strcspn(argument, "=");

	for (size_t i = 0; i < sizeof(actions) / sizeof(actions[0]); i++) {
		if (strlen(actions[i].name) != length ||
		    strncmp(actions[i].name, argument, length))
			continue;
		actions[i].function(argument + length + (argument[length] == '='));
		forget();
		return;
	}
	exit(97);
}

/*
 * What is lost shall lie where no address is that means something else: not at the heap's
 * beginning, which a thread amid malloc has in a register, nor behind a buffer of stdio's, whose
 * end libc keeps.
 */
static void *volatile first_object;
static char input[BUFSIZ], output[BUFSIZ];

int main(int argc, char **argv)
{
	first_object = malloc(1);
	setvbuf(stdin, input, _IOFBF, sizeof(input));
	setvbuf(stdout, output, _IOFBF, sizeof(output));
	for (int i = 1; i < argc; i++)
		act(argv[i]);
	return 0;
}
