/*
 * test_os_linux.c - each entry of os.h on the real kernel.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <time.h>
#include <ucontext.h>

#include "kunit.h"
#include "os/os.h"

#define PAGE ((size_t)OS_PAGE_SIZE)

static char *reserve(size_t bytes)
{
	void *address = NULL;

	ASSERT_EQ(os_reserve(NULL, bytes, &address), 0);
	return address;
}

static char *reserve_open(size_t bytes)
{
	char *address = reserve(bytes);

	ASSERT_EQ(os_open(address, bytes), 0);
	return address;
}

/* libc's mlock does nothing under the sanitizers. */
static long lock_pages(const void *address, size_t bytes)
{
	return syscall(SYS_mlock, address, bytes);
}

/* What the kernel may do for us with a byte, without a fault. */
static bool can_read(const char *byte)
{
	int ends[2];
	bool can;

	ASSERT(!pipe(ends));
	can = write(ends[1], byte, 1) == 1;
	close(ends[0]);
	close(ends[1]);
	return can;
}

static bool can_write(char *byte)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	bool can = read(fd, byte, 1) == 1;

	close(fd);
	return can;
}

/* Run in a process of its own, whose exit status says whether a check failed. */
static void in_child(void (*run)(void))
{
	int status = -1;
	pid_t child;

	fflush(NULL);
	child = fork();
	if (!child) {
		kunit.nr_failed_checks = 0;
		if (!setjmp(kunit.test_end))
			run();
		fflush(NULL);
		_exit(kunit.nr_failed_checks ? 1 : 0);
	}
	ASSERT_EQ(waitpid(child, &status, 0), child);
	EXPECT_EQ(status, 0);
}

TEST(reserve_is_inaccessible_and_goes_back)
{
	char *range = reserve(16 * PAGE);
	void *again = NULL;

	EXPECT_EQ((uintptr_t)range % PAGE, 0);
	EXPECT(!can_read(range) && !can_read(range + 16 * PAGE - 1));
	EXPECT(!can_write(range));
	EXPECT_EQ(os_unreserve(range, 16 * PAGE), 0);
	EXPECT_EQ(os_reserve(range, 16 * PAGE, &again), 0);
	EXPECT_EQ(again, range);
	EXPECT_EQ(os_unreserve(range, 16 * PAGE), 0);
}

TEST(reserve_at_a_place_that_is_taken)
{
	char *range = reserve(4 * PAGE);
	void *address = range;

	EXPECT_EQ(os_reserve(range + PAGE, PAGE, &address), -EEXIST);
	EXPECT_EQ(os_reserve(range - PAGE, 2 * PAGE, &address), -EEXIST);
	EXPECT_EQ(address, range);
	EXPECT_EQ(os_unreserve(range, 4 * PAGE), 0);
}

TEST(reserve_of_too_much)
{
	void *address = NULL;

	EXPECT_EQ(os_reserve(NULL, (size_t)1 << 60, &address), -ENOMEM);
	EXPECT_EQ(address, NULL);
}

/* The largest reserve there is can be had, and opened too unless commits are strict. */
TEST(reserve_costs_no_commit)
{
	char *range = reserve(TIB(1));
	char mode = '0';

	ASSERT_EQ(os_read_file("/proc/sys/vm/overcommit_memory", &mode, 1), 1);
	EXPECT_EQ(os_open(range, TIB(1)), mode == '2' ? -ENOMEM : 0);
	EXPECT_EQ(os_unreserve(range, TIB(1)), 0);
}

TEST(open_and_make_readonly)
{
	char *range = reserve(4 * PAGE);

	EXPECT_EQ(os_open(range + PAGE, 2 * PAGE), 0);
	EXPECT(!can_read(range) && !can_read(range + 3 * PAGE));
	EXPECT_EQ(range[PAGE], 0);
	range[PAGE] = 5;
	EXPECT_EQ(os_make_readonly(range + PAGE, PAGE), 0);
	EXPECT(can_read(range + PAGE) && !can_write(range + PAGE));
	EXPECT_EQ(range[PAGE], 5);
	EXPECT(can_write(range + 2 * PAGE));
	EXPECT_EQ(os_unreserve(range, 4 * PAGE), 0);
	EXPECT_EQ(os_open(range, PAGE), -ENOMEM);
}

TEST(purged_pages_read_as_zero)
{
	char *range = reserve_open(4 * PAGE);
	unsigned char resident[4];

	memset(range, 0x11, 4 * PAGE);
	EXPECT_EQ(os_purge(range + PAGE, 2 * PAGE), 0);
	EXPECT_EQ(os_mincore(range, 4 * PAGE, resident), 0);
	EXPECT_EQ(resident[0] & 1, 1);
	EXPECT_EQ(resident[1] & 1, 0);
	EXPECT_EQ(resident[2] & 1, 0);
	EXPECT_EQ(resident[3] & 1, 1);
	EXPECT(range[PAGE - 1] == 0x11 && range[PAGE] == 0);
	EXPECT(range[3 * PAGE - 1] == 0 && range[3 * PAGE] == 0x11);
	EXPECT_EQ(os_unreserve(range, 4 * PAGE), 0);
	EXPECT_EQ(os_mincore(range, 4 * PAGE, resident), -ENOMEM);
}

TEST(locked_pages_are_not_purged)
{
	char *range = reserve_open(PAGE);

	range[0] = 7;
	ASSERT(!lock_pages(range, PAGE));
	EXPECT_EQ(os_purge(range, PAGE), -EINVAL);
	EXPECT_EQ(range[0], 7);
	EXPECT_EQ(os_unreserve(range, PAGE), 0);
}

/* More ranges than one call takes. */
#define NR_RANGES 1300u

static struct os_range ranges[NR_RANGES];
static char *range_base;

/* Every other page of a range of 2 * NR_RANGES pages, all of them written. */
static void make_ranges(void)
{
	range_base = reserve_open(2 * NR_RANGES * PAGE);
	memset(range_base, 0x22, 2 * NR_RANGES * PAGE);
	for (size_t i = 0; i < NR_RANGES; i++)
		ranges[i] = (struct os_range){ range_base + 2 * i * PAGE, PAGE };
}

/* The first `nr` ranges are purged, everything else is not. */
static void expect_purged(size_t nr)
{
	for (size_t page = 0; page < 2 * NR_RANGES; page++)
		ASSERT_EQ(range_base[page * PAGE], page % 2 == 0 && page / 2 < nr ? 0 : 0x22);
	EXPECT_EQ(os_unreserve(range_base, 2 * NR_RANGES * PAGE), 0);
}

TEST(purge_of_many_ranges)
{
	make_ranges();
	EXPECT_EQ(os_purge_ranges(ranges, NR_RANGES), NR_RANGES * PAGE);
	expect_purged(NR_RANGES);
	EXPECT_EQ(os_purge_ranges(ranges, 0), 0);
}

TEST(purge_stops_at_the_first_range_that_is_refused)
{
	static const size_t locked[] = { 1, 511, 512, 700, 1299 };

	for (size_t i = 0; i < ARRAY_SIZE(locked); i++) {
		make_ranges();
		ASSERT(!lock_pages(ranges[locked[i]].address, PAGE));
		EXPECT_EQ(os_purge_ranges(ranges, NR_RANGES), locked[i] * PAGE);
		expect_purged(locked[i]);
	}
	make_ranges();
	ASSERT(!lock_pages(ranges[0].address, PAGE));
	EXPECT_EQ(os_purge_ranges(ranges, NR_RANGES), -EINVAL);
	expect_purged(0);
}

/* The kernel takes 2 GiB less a page in one vectored call and leaves the rest undone. */
TEST(purge_of_more_than_a_call_takes)
{
	size_t bytes = GIB(5);
	char *range = reserve_open(bytes);
	struct os_range parts[3] = {
		{ range, GIB(1) },
		{ range + GIB(1), GIB(3) },
		{ range + GIB(4), GIB(1) },
	};

	for (size_t at = 0; at < bytes; at += MIB(512))
		range[at + MIB(511)] = range[at] = 3;
	EXPECT_EQ(os_purge_ranges(parts, 3), bytes);
	for (size_t at = 0; at < bytes; at += MIB(512))
		EXPECT(range[at + MIB(511)] == 0 && range[at] == 0);
	EXPECT_EQ(os_unreserve(range, bytes), 0);
}

/* There, the rest of a range is refused: what the vectored call did still counts. */
TEST(purge_of_more_than_a_call_takes_and_a_refusal)
{
	size_t bytes = GIB(4), by_one_call = INT32_MAX & ~(PAGE - 1);
	char *range = reserve_open(bytes);
	struct os_range parts[2] = { { range, GIB(1) }, { range + GIB(1), GIB(3) } };
	bool vectored = syscall(SYS_process_madvise, -10001, parts, 1, MADV_DONTNEED, 0) > 0;

	ASSERT(!lock_pages(range + bytes - PAGE, PAGE));
	EXPECT_EQ(os_purge_ranges(parts, 2), vectored ? by_one_call : GIB(1));
	EXPECT_EQ(os_unreserve(range, bytes), 0);
}

static unsigned int nr_trapped;

/* Answers for the kernel: process_madvise fails with EPERM, and is counted. */
static void refuse(int signal, siginfo_t *info, void *context)
{
	long long *registers = ((ucontext_t *)context)->uc_mcontext.gregs;
	long ret = -EPERM;

	(void)signal;
	if (info->si_syscall == SYS_process_madvise) {
		nr_trapped++;
	} else {
		ret = syscall(info->si_syscall, registers[REG_RDI], registers[REG_RSI],
			      registers[REG_RDX], registers[REG_R10], registers[REG_R8],
			      registers[REG_R9]);
		ret = ret < 0 ? -errno : ret;
	}
	registers[REG_RAX] = ret;
}

static void handle_refused(void)
{
	struct sigaction action = { .sa_sigaction = refuse, .sa_flags = SA_SIGINFO };

	ASSERT(!sigaction(SIGSYS, &action, NULL));
}

/* Of the library that the function is of. */
static void find_text(void (*function)(void), unsigned long *start, unsigned long *end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512], access[8];

	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %7s", start, end, access) == 3 &&
		    *start <= (unsigned long)function && (unsigned long)function < *end)
			break;
	fclose(maps);
}

/* By no filter, which is asked for: calls that are not libc's go to a handler (Linux 5.11). */
static bool refuse_vectored_purge(void)
{
	static char selector = SYSCALL_DISPATCH_FILTER_BLOCK;
	unsigned long start, end;

	handle_refused();
	find_text((void (*)(void))syscall, &start, &end);
	return !prctl(PR_SET_SYSCALL_USER_DISPATCH, PR_SYS_DISPATCH_ON, start, end - start,
		      &selector);
}

static void trap_vectored_purge(void)
{
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_madvise, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_TRAP),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog program = { ARRAY_SIZE(filter), filter };

	handle_refused();
	ASSERT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
}

static void purge_three_times(unsigned int nr_expected)
{
	for (int i = 0; i < 3; i++) {
		make_ranges();
		EXPECT_EQ(os_purge_ranges(ranges, NR_RANGES), NR_RANGES * PAGE);
		expect_purged(NR_RANGES);
		EXPECT_EQ(nr_trapped, nr_expected);
	}
}

/* It may kill. */
static void purge_behind_a_filter(void)
{
	trap_vectored_purge();
	purge_three_times(0);
}

TEST(behind_a_filter_the_vectored_form_is_not_tried)
{
	in_child(purge_behind_a_filter);
}

static void purge_refused(void)
{
	if (refuse_vectored_purge())
		purge_three_times(1);
}

TEST(refused_vectored_purge_is_replaced_and_not_tried_again)
{
	in_child(purge_refused);
}

static void purge_after_locked_pages(void)
{
	make_ranges();
	ASSERT(!lock_pages(ranges[0].address, PAGE));
	EXPECT_EQ(os_purge_ranges(ranges, NR_RANGES), -EINVAL);
	if (!refuse_vectored_purge())
		return;
	EXPECT_EQ(os_purge_ranges(ranges + 1, 2), 2 * PAGE);
	EXPECT_EQ(nr_trapped, 1);
}

TEST(locked_pages_are_no_refusal_of_the_vectored_form)
{
	in_child(purge_after_locked_pages);
}

/* The VmFlags of the mapping that starts at `address`. */
static bool mapping_has_flag(const char *address, const char *flag)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	char line[512], start[32];
	bool ours = false, found = false;

	snprintf(start, sizeof(start), "%lx-", (unsigned long)address);
	while (file && fgets(line, sizeof(line), file)) {
		if (!strncmp(line, start, strlen(start)))
			ours = true;
		if (ours && !strncmp(line, "VmFlags:", 8)) {
			found = strstr(line, flag);
			break;
		}
	}
	fclose(file);
	return found;
}

TEST(huge_pages_are_forbidden_where_there_are_any)
{
	bool has_huge_pages = !access("/sys/kernel/mm/transparent_hugepage", F_OK);
	char *range = reserve_open(MIB(4));

	EXPECT_EQ(os_forbid_huge_pages(range, MIB(4)), has_huge_pages ? 0 : -EINVAL);
	EXPECT_EQ(mapping_has_flag(range, " nh "), has_huge_pages);
	EXPECT_EQ(os_unreserve(range, MIB(4)), 0);
}

TEST(populated_pages_are_resident_and_zero)
{
	unsigned char resident[4];
	char *range = reserve_open(KIB(16));

	EXPECT_EQ(os_populate(range + KIB(4), KIB(8)), 0);
	EXPECT_EQ(os_mincore(range, KIB(16), resident), 0);
	EXPECT_EQ(resident[0] & 1, 0);
	EXPECT_EQ(resident[1] & resident[2] & 1, 1);
	EXPECT_EQ(resident[3] & 1, 0);
	for (size_t i = KIB(4); i < KIB(12); i++)
		ASSERT_EQ(range[i], 0);
	EXPECT_EQ(os_unreserve(range, KIB(16)), 0);
}

static _Atomic uint32_t futex_word;
static _Atomic int waiter_result;

static void *wait_for_change(void *unused)
{
	(void)unused;
	waiter_result = os_futex_wait(&futex_word, 1);
	return NULL;
}

TEST(futex_wakes_who_waits)
{
	pthread_t thread;
	int woken;

	futex_word = 1;
	waiter_result = 99;
	EXPECT_EQ(os_futex_wait(&futex_word, 0), -EAGAIN);
	EXPECT_EQ(os_futex_wake(&futex_word, UINT32_MAX), 0);
	ASSERT(!pthread_create(&thread, NULL, wait_for_change, NULL));
	while (!(woken = os_futex_wake(&futex_word, 1)))
		sched_yield();
	EXPECT_EQ(woken, 1);
	ASSERT(!pthread_join(thread, NULL));
	EXPECT_EQ(waiter_result, 0);
}

static void ignore_signal(int signal)
{
	(void)signal;
}

TEST(futex_wait_is_interrupted_by_signals)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };

	futex_word = 1;
	ASSERT(!sigaction(SIGALRM, &action, NULL));
	ASSERT(!setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(os_futex_wait(&futex_word, 1), -EINTR);
	ASSERT(!setitimer(ITIMER_REAL, &never, NULL));
}

#define PIPE_BYTES (8u << 20)

static void *read_pipe(void *context)
{
	const int *fd = context;
	unsigned char buffer[3000];
	size_t total = 0;
	ssize_t got;

	while ((got = read(*fd, buffer, sizeof(buffer))) != 0) {
		for (ssize_t i = 0; i < got; i++) {
			if (buffer[i] != (unsigned char)((total + (size_t)i) % 251))
				return (void *)-1;
		}
		total += got > 0 ? (size_t)got : 0;
	}
	return (void *)total;
}

/* Signals cut writes short and interrupt them; nothing is lost or written twice. */
TEST(write_is_whole_under_a_storm_of_signals)
{
	struct sigaction action = { .sa_handler = ignore_signal };
	struct itimerval often = { { 0, 50 }, { 0, 50 } }, never = { { 0, 0 }, { 0, 0 } };
	unsigned char *bytes = (unsigned char *)reserve_open(PIPE_BYTES);
	pthread_t reader;
	int ends[2];
	void *total;

	for (size_t i = 0; i < PIPE_BYTES; i++)
		bytes[i] = (unsigned char)(i % 251);
	ASSERT(!pipe(ends));
	ASSERT(!sigaction(SIGALRM, &action, NULL));
	ASSERT(!pthread_create(&reader, NULL, read_pipe, &ends[0]));
	ASSERT(!setitimer(ITIMER_REAL, &often, NULL));
	EXPECT_EQ(os_write(ends[1], bytes, PIPE_BYTES), 0);
	ASSERT(!setitimer(ITIMER_REAL, &never, NULL));
	close(ends[1]);
	ASSERT(!pthread_join(reader, &total));
	EXPECT_EQ(total, PIPE_BYTES);
	close(ends[0]);
	EXPECT_EQ(os_unreserve(bytes, PIPE_BYTES), 0);
}

TEST(write_reports_its_error)
{
	char *closed = reserve(PAGE);
	int ends[2];

	ASSERT(!pipe(ends));
	EXPECT_EQ(os_write(-1, "x", 1), -EBADF);
	EXPECT_EQ(os_write(-1, "x", 0), 0);
	EXPECT_EQ(os_write(ends[0], "x", 1), -EBADF);
	EXPECT_EQ(os_write(ends[1], closed, 1), -EFAULT);
	close(ends[0]);
	close(ends[1]);
	EXPECT_EQ(os_unreserve(closed, PAGE), 0);
}

TEST(read_file)
{
	char path[] = "/tmp/test_os_linux.XXXXXX";
	char buffer[64];
	int fd = mkstemp(path);
	int highest = dup(fd);

	ASSERT(fd >= 0 && highest >= 0);
	EXPECT_EQ(os_read_file(path, buffer, sizeof(buffer)), 0);
	ASSERT_EQ(write(fd, "hello, file", 11), 11);
	memset(buffer, '#', sizeof(buffer));
	EXPECT_EQ(os_read_file(path, buffer, sizeof(buffer)), 11);
	EXPECT(!memcmp(buffer, "hello, file#", 12));
	memset(buffer, '#', sizeof(buffer));
	EXPECT_EQ(os_read_file(path, buffer, 5), 5);
	EXPECT(!memcmp(buffer, "hello#", 6));
	close(fd);
	unlink(path);
	EXPECT_EQ(os_read_file(path, buffer, sizeof(buffer)), -ENOENT);
	EXPECT_EQ(os_read_file("/tmp", buffer, sizeof(buffer)), -EISDIR);
	/* No descriptor is left open: the lowest free one is the one just closed. */
	EXPECT_EQ(dup(highest), fd);
	close(fd);
	close(highest);
}

TEST(read_kernel_file)
{
	int next = dup(1);
	char whole[4096], buffer[4096];
	long length = os_read_file("/proc/self/limits", whole, sizeof(whole));

	close(next);
	ASSERT(length > 100 && length < (long)sizeof(whole));
	EXPECT_EQ(os_read_kernel_file("/proc/self/limits", buffer, sizeof(buffer)), length);
	EXPECT(!memcmp(buffer, whole, (size_t)length));
	EXPECT_EQ(os_read_kernel_file("/proc/self/limits", buffer, 10), 10);
	EXPECT_EQ(os_read_kernel_file("/nonexistent", buffer, 10), -ENOENT);
	EXPECT_EQ(os_read_kernel_file("/proc", buffer, 10), -EISDIR);
	EXPECT_EQ(dup(1), next); /* no descriptor is left open */
	close(next);
}

/* A file of /proc gives itself in pieces of a page. */
TEST(read_file_until_its_end)
{
	static char text[1 << 20];
	char *range = reserve(400 * PAGE);
	long length;

	for (size_t i = 0; i < 400; i += 2)
		ASSERT_EQ(os_open(range + i * PAGE, PAGE), 0);
	length = os_read_file("/proc/self/maps", text, sizeof(text));
	ASSERT(length > 2 * 4096 && length < (long)sizeof(text));
	EXPECT_EQ(text[length - 1], '\n');
	EXPECT(memmem(text, (size_t)length, "[vdso]", 6) != NULL);
	EXPECT_EQ(os_unreserve(range, 400 * PAGE), 0);
}

static void *get_tid(void *unused)
{
	(void)unused;
	EXPECT_EQ(os_gettid(), syscall(SYS_gettid));
	EXPECT(os_gettid() != os_getpid());
	return NULL;
}

TEST(files_are_told_apart)
{
	struct os_file first, again, other;
	int copy, ends[2], other_file = open("/dev/null", O_RDONLY);

	ASSERT(other_file >= 0 && !pipe(ends));
	copy = os_duplicate_fd(ends[0], 50);
	EXPECT(copy >= 50);
	EXPECT_EQ(os_file_of(ends[0], &first), 0);
	EXPECT_EQ(os_file_of(copy, &again), 0);
	EXPECT(first.device == again.device && first.inode == again.inode);
	EXPECT_EQ(os_file_of(other_file, &other), 0);
	EXPECT(first.device != other.device || first.inode != other.inode);
	close(other_file);
	close(copy);
	close(ends[0]);
	close(ends[1]);
	EXPECT_EQ(os_file_of(copy, &again), -EBADF);
}

TEST(who_we_are)
{
	pthread_t thread;

	EXPECT_EQ(os_getpid(), getpid());
	EXPECT_EQ(os_gettid(), getpid());
	ASSERT(!pthread_create(&thread, NULL, get_tid, NULL));
	ASSERT(!pthread_join(thread, NULL));
}

static uint64_t libc_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* It may be 17 ms old, and be of the tick before then: 10 ms at most. */
#define CLOCK_SLACK_MS 28u

TEST(clock_is_the_coarse_monotonic_one)
{
	uint64_t start = libc_clock_ms(), last = 0;

	while (libc_clock_ms() < start + 100) {
		uint64_t before = libc_clock_ms();
		uint64_t ours = os_clock_ms();
		uint64_t after = libc_clock_ms();

		EXPECT(before <= ours + CLOCK_SLACK_MS && ours <= after && ours >= last);
		last = ours;
	}
	EXPECT(os_clock_ms() >= start + 100 - CLOCK_SLACK_MS);
}

TEST(clock_of_nanoseconds)
{
	struct timespec now;
	uint64_t before = os_clock_ns(), libc, after;

	clock_gettime(CLOCK_MONOTONIC, &now);
	libc = (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
	after = os_clock_ns();
	EXPECT(before <= libc && libc <= after);
}

TEST(memory_of_the_machine)
{
	struct sysinfo info;

	ASSERT(!sysinfo(&info));
	EXPECT_EQ(os_physical_bytes(), info.totalram * info.mem_unit);
}

static void ask_for_limits(void)
{
	struct rlimit limit;

	ASSERT(!getrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(os_address_space_limit(), limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX :
									      limit.rlim_cur);
	limit.rlim_cur = GIB(7);
	ASSERT(!setrlimit(RLIMIT_AS, &limit));
	EXPECT_EQ(os_address_space_limit(), GIB(7));
}

TEST(limit_of_the_address_space)
{
	in_child(ask_for_limits);
}

static void must_not_run(int signal)
{
	(void)signal;
	_exit(0);
}

/* A handler that is in the way, and the signal blocked. */
static void abort_in_spite_of_the_program(void)
{
	struct sigaction action = { .sa_handler = must_not_run };
	sigset_t all;

	sigaction(SIGABRT, &action, NULL);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	os_abort();
}

static void abort_ignored(void)
{
	signal(SIGABRT, SIG_IGN);
	os_abort();
}

static void *abort_on_a_thread(void *unused)
{
	(void)unused;
	abort_in_spite_of_the_program();
	return NULL;
}

static void abort_beside_the_main_thread(void)
{
	pthread_t thread;

	pthread_create(&thread, NULL, abort_on_a_thread, NULL);
	pthread_join(thread, NULL);
}

TEST(abort_ends_the_process)
{
	EXPECT_DEATH(os_abort(), "");
	EXPECT_DEATH(abort_in_spite_of_the_program(), "");
	EXPECT_DEATH(abort_ignored(), "");
	EXPECT_DEATH(abort_beside_the_main_thread(), "");
}

TEST(errno_stays_as_it_is)
{
	void *address;
	char buffer[8];

	errno = 77;
	os_reserve(NULL, (size_t)1 << 60, &address);
	os_unreserve((void *)1, PAGE);
	os_open(NULL, PAGE);
	os_purge((void *)1, PAGE);
	os_write(-1, "x", 1);
	os_read_file("/nonexistent", buffer, sizeof(buffer));
	os_futex_wait(&futex_word, futex_word + 1);
	EXPECT_EQ(errno, 77);
}

RUN_TESTS
