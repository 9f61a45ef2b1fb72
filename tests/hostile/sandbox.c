/*
 * Programs that lock themselves in before they allocate, each stage in a process of its own.
 *
 * whole:  the kernel kills the process when the library (told by the instruction's address, which
 *	   is no secret without address space randomisation) makes a call that syscalls.def does
 *	   not list; libc and the program may do what they like. From before the program is loaded.
 * whole without a call: each listed call is taken away in turn, and the process must be killed:
 *	   the list names no more than is needed, and the filter is seen to work.
 * inside: the same filter, set by the program itself: calls of the start alone are not allowed.
 * strict: from main on any call, whoever makes it, that neither syscalls.def lists nor libc needs
 *	   for threads and children kills.
 * bare:   no descriptor is open, the root is an empty folder, the user is nobody; from the first
 *	   instruction on.
 */
#include <fcntl.h>
#include <grp.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include "semantics/again.h"

#define MAX_FILTER 200
#define SIZES_MAX ((size_t)5 << 20)

struct listed {
	const char *name;
	unsigned int number;
	enum { NORMAL, AT_START, RARE } kind;
};

static const struct listed listed[] = {
#define SYSCALL(name, when) { #name, __NR_##name, NORMAL },
#define SYSCALL_AT_START(name, when) { #name, __NR_##name, AT_START },
#define SYSCALL_RARE(name, when) { #name, __NR_##name, RARE },
#include "hostile/syscalls.def"
};

#define NR_LISTED (sizeof(listed) / sizeof(listed[0]))

/* What glibc's threads, children and signals need besides, and this test. */
static const unsigned int needed_by_libc[] = {
	__NR_clone, __NR_clone3, __NR_set_robust_list, __NR_rseq, __NR_exit, __NR_exit_group,
	__NR_wait4, __NR_rt_sigreturn, __NR_sched_yield, __NR_newfstatat, __NR_brk,
};

static struct sock_filter filter[MAX_FILTER];
static unsigned short filter_length;

static void emit(struct sock_filter instruction)
{
	filter[filter_length++] = instruction;
}

#define LOAD(member) \
	emit((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS, \
					  offsetof(struct seccomp_data, member)))
#define ANSWER(what) emit((struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_##what))
#define JUMP(test, operand, then, otherwise) \
	emit((struct sock_filter)BPF_JUMP(BPF_JMP | (test) | BPF_K, operand, then, otherwise))

static void allow(unsigned int number)
{
	JUMP(BPF_JEQ, number, 0, 1);
	ANSWER(ALLOW);
}

/* Allowed when the instruction is outside [start, end), which is less than 4 GiB long. */
static void allow_outside(unsigned long start, unsigned long end)
{
	emit((struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
					  offsetof(struct seccomp_data, instruction_pointer)));
	emit((struct sock_filter)BPF_STMT(BPF_ALU | BPF_SUB | BPF_K, (uint32_t)start));
	JUMP(BPF_JGE, (uint32_t)(end - start), 0, 1);
	ANSWER(ALLOW);
	emit((struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, instruction_pointer) + 4));
	JUMP(BPF_JEQ, (uint32_t)(start >> 32), 2, 0);
	JUMP(BPF_JEQ, (uint32_t)(end >> 32), 1, 0);
	ANSWER(ALLOW);
}

/* The mapping that free() is in, found without allocating. */
static void find_library(unsigned long *start, unsigned long *end)
{
	static char maps[65536];
	unsigned long code = (unsigned long)(uintptr_t)free;
	int fd = open("/proc/self/maps", O_RDONLY);
	size_t length = 0;
	ssize_t got;
	char *line = maps;

	while ((got = read(fd, maps + length, sizeof(maps) - 1 - length)) > 0)
		length += (size_t)got;
	close(fd);
	do {
		*start = strtoul(line, &line, 16);
		*end = strtoul(line + 1, &line, 16);
		if (code >= *start && code < *end)
			return;
		line = strchr(line, '\n');
	} while (line++);
	CHECK(false, "the library is not mapped");
}

static void install(void)
{
	struct sock_fprog program = { filter_length, filter };

	ANSWER(KILL_PROCESS);
	program.len = filter_length;
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "no_new_privs");
	CHECK(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp: errno %d", errno);
}

/* without: an index into listed, or any number beyond it. */
static void confine_library(size_t without, bool has_started)
{
	unsigned long start, end;

	find_library(&start, &end);
	allow_outside(start, end);
	LOAD(nr);
	for (size_t i = 0; i < NR_LISTED; i++)
		if (i != without && !(has_started && listed[i].kind == AT_START))
			allow(listed[i].number);
	install();
}

static void confine_process(void)
{
	LOAD(nr);
	for (size_t i = 0; i < NR_LISTED; i++)
		if (listed[i].kind != AT_START)
			allow(listed[i].number);
	for (size_t i = 0; i < sizeof(needed_by_libc) / sizeof(needed_by_libc[0]); i++)
		allow(needed_by_libc[i]);
	install();
}

/* ---- the work ---- */

static void *use_sizes(void *unused)
{
	for (int i = 0; i < 3; i++)
		for (size_t bytes = 1; bytes && bytes < SIZES_MAX; bytes = size_after(bytes) * 2) {
			unsigned char *block = malloc(bytes), *cleared = calloc(1, bytes);

			CHECK(block && cleared, "malloc(%zu)", bytes);
			block[0] = block[bytes - 1] = 1;
			CHECK(all_bytes_are(cleared, 0, bytes), "calloc(%zu)", bytes);
			block = realloc(block, bytes + bytes / 2);
			CHECK(block && block[0] == 1 && block[bytes - 1] == 1, "realloc");
			free(cleared);
			free(block);
		}
	return unused;
}

/* Long enough in the zone's lock, and often enough, that threads sleep for each other. */
static void *fight(void *unused)
{
	for (int i = 0; i < 20000; i++)
		free(malloc(300000));
	return unused;
}

static void use_threads(void *(*function)(void *))
{
	pthread_t threads[4];

	for (int i = 0; i < 4; i++)
		CHECK(!pthread_create(&threads[i], NULL, function, NULL), "pthread_create");
	for (int i = 0; i < 4; i++)
		pthread_join(threads[i], NULL);
}

static int in_child(void (*work)(void))
{
	int status;
	pid_t child = fork();

	CHECK(child >= 0, "fork");
	if (!child) {
		work();
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	return status;
}

/* A large block that cannot grow where it is: whether it may leave the heap is asked. */
static void use_growing(void)
{
	char *block = malloc((size_t)40 << 20), *behind = malloc((size_t)3 << 20), *grown;

	CHECK(block && behind, "no memory");
	grown = realloc(block, (size_t)80 << 20);
	CHECK(grown, "no memory to grow");
	free(grown);
	free(behind);
}

static void child_work(void)
{
	use_sizes(NULL);
	malloc_trim(0);
}

/* Only where dumping core is switched off: its limit is set before the filter. */
static void misuse(void)
{
	char *block = malloc(100000);

	free(block + 8);
}

/* Large blocks beside free pages that lie scattered: is there a filter that forbids stitching? */
static void use_scattered(void)
{
	static char *blocks[300];

	for (size_t i = 0; i < 300; i++)
		CHECK(blocks[i] = calloc(1, 100000), "calloc");
	for (size_t i = 0; i < 300; i++)
		memset(blocks[i], 1, 100000);
	for (size_t i = 0; i < 300; i += 2)
		free(blocks[i]);
	free(memset(malloc(SIZES_MAX), 1, SIZES_MAX));
	for (size_t i = 1; i < 300; i += 2)
		free(blocks[i]);
}

static void work(void)
{
	int status;

	use_scattered();
	use_growing();
	use_sizes(NULL);
	use_threads(use_sizes);
	malloc_trim(0);
	status = in_child(child_work);
	CHECK(!status, "a child ended with %#x", status);
	use_threads(fight);
	use_sizes(NULL);
	malloc_stats();
	malloc_trim(0);
	status = in_child(misuse);
	CHECK(WIFSIGNALED(status), "a misuse ended with %#x", status);
	/* A child that made a call too many has died of that; so do we, to tell. */
	if (WTERMSIG(status) == SIGSYS)
		syscall(__NR_tgkill, getpid(), getpid(), SIGKILL);
	CHECK(WTERMSIG(status) == SIGABRT, "a misuse ended with %#x", status);
}

static void bare_start(void)
{
	bool root = !geteuid();

	if (root)
		CHECK(!chroot("/proc/self/fdinfo") && !chdir("/"), "chroot");
	for (int fd = 0; fd < 1024; fd++)
		close(fd);
	if (root)
		CHECK(!setgroups(0, NULL) && !setgid(65534) && !setuid(65534), "setuid");
}

/* Before any constructor, and before the heap: the library's first call comes later. */
static void preinit(int argc, char **argv, char **environment)
{
	const struct rlimit none = { 0, 0 };

	(void)environment;
	setrlimit(RLIMIT_CORE, &none);
	if (argc > 1 && !strcmp(argv[1], "inside"))
		confine_library(NR_LISTED, true);
	if (argc > 1 && !strcmp(argv[1], "bare"))
		bare_start();
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit_entry)(int, char **, char **) = preinit;

static char output[1 << 20];

static int run_stage(const char *stage)
{
	return run_again(stage, "STITCH_CONF", "stats=1", output, sizeof(output));
}

static void expect_success(const char *stage)
{
	int status = run_stage(stage);

	CHECK(!status, "%s: status %#x (0x1f: a call that is not listed): %s", stage, status,
	      output);
}

static void expect_killed(size_t without)
{
	char stage[20];
	int status = 0;

	snprintf(stage, sizeof(stage), "whole%zu", without);
	/* Threads that wait for each other are a matter of luck. */
	for (int attempt = 0; attempt < 50 && !status; attempt++)
		status = run_stage(stage);
	CHECK(WIFSIGNALED(status) && (WTERMSIG(status) == SIGSYS || WTERMSIG(status) == SIGKILL),
	      "nothing calls %s: status %#x: %s", listed[without].name, status, output);
}

/* The next program gets our filter, and its library our library's address. */
static void go_on_as_worker(size_t without)
{
	const struct rlimit little = { (rlim_t)4 << 30, (rlim_t)4 << 30 };

	setrlimit(RLIMIT_AS, &little); /* where there is no limit there is no munmap */
	confine_library(without, false);
	execl("/proc/self/exe", "sandbox", "work", (char *)NULL);
	_exit(127);
}

static void try_whole(void)
{
	int persona = personality(0xffffffff);

	if (persona < 0 || personality((unsigned long)persona | ADDR_NO_RANDOMIZE) < 0) {
		puts("sandbox: personality() is refused: the calls of the start are not checked");
		return;
	}
	expect_success("whole1000");
	for (size_t i = 0; i < NR_LISTED; i++)
		if (listed[i].kind != RARE)
			expect_killed(i);
	personality((unsigned long)persona);
}

int main(int argc, char **argv)
{
	if (argc > 1) {
		if (!strncmp(argv[1], "whole", 5))
			go_on_as_worker((size_t)atoi(argv[1] + 5));
		if (!strcmp(argv[1], "strict"))
			confine_process();
		work();
		return 0;
	}
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc");
	expect_success("inside");
	expect_success("strict");
	if (geteuid())
		puts("sandbox: not root: no change of root and user");
	expect_success("bare");
	try_whole();
	return 0;
}
