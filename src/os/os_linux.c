/*
 * os_linux.c - the system calls of os.h.
 *
 * L1. Calls nothing, libc included (os/syscall.h).
 * Kernel headers only: those of libc would bring the wrappers along.
 */
#include <asm/errno.h>
#include <asm/poll.h>
#include <asm/signal.h>
#include <asm/stat.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/futex.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <linux/sysinfo.h>
#include <linux/time.h>
#include <linux/time_types.h>
#include <linux/uio.h>

#include "base/math.h"
#include "os/os.h"
#include "os/os_move.h"
#include "os/syscall.h"

/* Linux 6.14, include/uapi/linux/fcntl.h: this process, without a descriptor of it. */
#ifndef PIDFD_SELF_THREAD_GROUP
#define PIDFD_SELF_THREAD_GROUP -10001
#endif

/* Of the processor's counter: 4 milliseconds at 4 GHz, 17 at 1 GHz. Who asks counts in dozens. */
#define CLOCK_MAX_CYCLES ((uint64_t)1 << 24)

/* The kernel takes 1024 (UIO_MAXIOV); half of it bounds the time that one call takes. */
#define MAX_RANGES_PER_CALL 512u

int os_reserve(void *hint, size_t bytes, void **address)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (hint ? MAP_FIXED_NOREPLACE : 0);
	long ret = syscall6(__NR_mmap, (long)hint, (long)bytes, PROT_NONE, flags, -1, 0);

	if (is_error(ret))
		return (int)ret;
	/* A kernel before 4.17 takes the address for a mere hint. */
	if (hint && ret != (long)hint) {
		syscall3(__NR_munmap, ret, (long)bytes, 0);
		return -EEXIST;
	}
	*address = (void *)ret;
	return 0;
}

int os_unreserve(void *address, size_t bytes)
{
	return (int)syscall3(__NR_munmap, (long)address, (long)bytes, 0);
}

int os_open(void *address, size_t bytes)
{
	return (int)syscall3(__NR_mprotect, (long)address, (long)bytes, PROT_READ | PROT_WRITE);
}

int os_make_readonly(void *address, size_t bytes)
{
	return (int)syscall3(__NR_mprotect, (long)address, (long)bytes, PROT_READ);
}

int os_purge(void *address, size_t bytes)
{
	return (int)syscall3(__NR_madvise, (long)address, (long)bytes, MADV_DONTNEED);
}

/* Range by range. As os_purge_ranges. */
static long purge_each(const struct os_range *ranges, unsigned int nr_ranges)
{
	long purged = 0;

	for (unsigned int i = 0; i < nr_ranges; i++) {
		int error = os_purge(ranges[i].address, ranges[i].bytes);

		if (error)
			return purged ? purged : error;
		purged += (long)ranges[i].bytes;
	}
	return purged;
}

/* Set for good once the kernel, or a filter in front of it, has refused the vectored form. */
static _Atomic bool vectored_refused;

static bool is_refusal(long error)
{
	return error != -ENOMEM && error != -EAGAIN && error != -EINTR;
}

/* At most MAX_RANGES_PER_CALL ranges. As os_purge_ranges. */
static long purge_batch(const struct os_range *ranges, unsigned int nr_ranges)
{
	long vectored, plain;

	_Static_assert(sizeof(struct os_range) == sizeof(struct iovec) &&
			       offsetof(struct os_range, bytes) == offsetof(struct iovec, iov_len),
		       "ranges are passed as iovecs");
	if (atomic_load_explicit(&vectored_refused, memory_order_relaxed) || os_is_filtered())
		return purge_each(ranges, nr_ranges);
	vectored = syscall6(__NR_process_madvise, PIDFD_SELF_THREAD_GROUP, (long)ranges, nr_ranges,
			    MADV_DONTNEED, 0, 0);
	if (!is_error(vectored))
		return vectored;
	/* Ranges that may not be dropped (mlock) fail both ways and say nothing of the call. */
	plain = purge_each(ranges, nr_ranges);
	if (plain > 0 && is_refusal(vectored))
		atomic_store_explicit(&vectored_refused, true, memory_order_relaxed);
	return plain;
}

/* The kernel stops in the midst of a batch at 2 GiB, and in front of a range it refuses. */
static long finish_batch(const struct os_range *ranges, unsigned int nr_ranges, size_t purged)
{
	size_t ahead = 0;

	for (unsigned int i = 0; i < nr_ranges; i++) {
		size_t skip = purged > ahead ? min_size(purged - ahead, ranges[i].bytes) : 0;
		struct os_range rest = { (char *)ranges[i].address + skip, ranges[i].bytes - skip };

		if (rest.bytes && os_purge(rest.address, rest.bytes))
			return (long)(ahead + skip);
		ahead += ranges[i].bytes;
	}
	return (long)ahead;
}

long os_purge_ranges(const struct os_range *ranges, unsigned int nr_ranges)
{
	long total = 0;

	while (nr_ranges) {
		unsigned int nr = (unsigned int)min_size(nr_ranges, MAX_RANGES_PER_CALL);
		long purged = purge_batch(ranges, nr);
		long wanted = 0;

		for (unsigned int i = 0; i < nr; i++)
			wanted += (long)ranges[i].bytes;
		if (purged >= 0 && purged < wanted)
			purged = finish_batch(ranges, nr, (size_t)purged);
		if (purged < 0)
			return total ? total : purged;
		total += purged;
		if (purged < wanted)
			break;
		ranges += nr;
		nr_ranges -= nr;
	}
	return total;
}

int os_forbid_huge_pages(void *address, size_t bytes)
{
	return (int)syscall3(__NR_madvise, (long)address, (long)bytes, MADV_NOHUGEPAGE);
}

int os_want_huge_pages(void *address, size_t bytes)
{
	return (int)syscall3(__NR_madvise, (long)address, (long)bytes, MADV_HUGEPAGE);
}

int os_populate(void *address, size_t bytes)
{
	static _Atomic bool unknown;
	int error = -EINVAL;

	if (!atomic_load_explicit(&unknown, memory_order_relaxed))
		error = (int)syscall3(__NR_madvise, (long)address, (long)bytes,
				      MADV_POPULATE_WRITE);
	if (error == -EINVAL)
		atomic_store_explicit(&unknown, true, memory_order_relaxed);
	return error;
}

int os_wipe_on_fork(void *address, size_t bytes)
{
	return (int)syscall3(__NR_madvise, (long)address, (long)bytes, MADV_WIPEONFORK);
}

int os_pin(void *address, size_t bytes)
{
	return (int)syscall3(__NR_mlock, (long)address, (long)bytes, 0);
}

int os_unpin(void *address, size_t bytes)
{
	return (int)syscall3(__NR_munlock, (long)address, (long)bytes, 0);
}

int os_mincore(void *address, size_t bytes, unsigned char *resident)
{
	return (int)syscall3(__NR_mincore, (long)address, (long)bytes, (long)resident);
}

int os_futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	return (int)syscall6(__NR_futex, (long)word, FUTEX_WAIT_PRIVATE, value, 0, 0, 0);
}

int os_futex_wake(_Atomic uint32_t *word, unsigned int nr_waiters)
{
	return (int)syscall3(__NR_futex, (long)word, FUTEX_WAKE_PRIVATE,
			     (long)min_size(nr_waiters, INT32_MAX));
}

int os_futex_wait_for(_Atomic uint32_t *word, uint32_t value, uint32_t us)
{
	struct __kernel_timespec time = { us / 1000000, us % 1000000 * 1000ll };

	return (int)syscall6(__NR_futex, (long)word, FUTEX_WAIT_PRIVATE, value, (long)&time, 0, 0);
}

/* By the futex call, which every filter allows that lets locks work. */
void os_nap(uint32_t us)
{
	_Atomic uint32_t word = 0;

	os_futex_wait_for(&word, 0, us);
}

static uint64_t clock_ns(int clock)
{
	struct __kernel_timespec now = { 0 };

	syscall3(__NR_clock_gettime, clock, (long)&now, 0);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

#define ROOM_WAIT_MS 2000

/* Of a pipe or terminal that does not block. No handler has poll called again. */
static bool wait_for_room(int fd)
{
	struct pollfd wanted = { .fd = fd, .events = POLLOUT };
	uint64_t now = clock_ns(CLOCK_MONOTONIC) / 1000000, end = now + ROOM_WAIT_MS;
	long ret;

	do {
		ret = syscall3(__NR_poll, (long)&wanted, 1, (long)(end - now));
		now = clock_ns(CLOCK_MONOTONIC) / 1000000;
	} while (ret == -EINTR && now < end);
	return ret == 1;
}

int os_write(int fd, const void *bytes, size_t nr_bytes)
{
	const char *from = bytes;

	while (nr_bytes) {
		long ret = syscall3(__NR_write, fd, (long)from, (long)nr_bytes);

		if (ret == -EINTR || (ret == -EAGAIN && wait_for_room(fd)))
			continue;
		if (ret < 0)
			return (int)ret;
		from += ret;
		nr_bytes -= (size_t)ret;
	}
	return 0;
}

/* Until the buffer is full or the file ends. */
static long read_all(int fd, char *to, size_t nr_bytes)
{
	size_t done = 0;

	while (done < nr_bytes) {
		long ret = syscall3(__NR_read, fd, (long)(to + done), (long)(nr_bytes - done));

		if (ret == -EINTR)
			continue;
		if (ret < 0)
			return ret;
		if (!ret)
			break;
		done += (size_t)ret;
	}
	return (long)done;
}

static long open_to_read(const char *path)
{
	return syscall6(__NR_openat, AT_FDCWD, (long)path, O_RDONLY | O_CLOEXEC, 0, 0, 0);
}

long os_read_kernel_file(const char *path, void *buffer, size_t nr_bytes)
{
	long fd = open_to_read(path);
	long ret;

	if (fd < 0)
		return fd;
	ret = syscall3(__NR_read, fd, (long)buffer, (long)nr_bytes);
	syscall3(__NR_close, fd, 0, 0);
	return ret;
}

long os_read_file(const char *path, void *buffer, size_t nr_bytes)
{
	long fd = open_to_read(path);
	long ret;

	if (fd < 0)
		return fd;
	ret = read_all((int)fd, buffer, nr_bytes);
	syscall3(__NR_close, fd, 0, 0);
	return ret;
}

int os_duplicate_fd(int fd, int lowest)
{
	return (int)syscall3(__NR_fcntl, fd, F_DUPFD_CLOEXEC, lowest);
}

int os_file_of(int fd, struct os_file *file)
{
	struct stat status;
	int error = (int)syscall3(__NR_fstat, fd, (long)&status, 0);

	if (!error)
		*file = (struct os_file){ status.st_dev, status.st_ino };
	return error;
}

int os_getpid(void)
{
	return (int)syscall3(__NR_getpid, 0, 0, 0);
}

int os_gettid(void)
{
	return (int)syscall3(__NR_gettid, 0, 0, 0);
}

uint64_t os_clock_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}

/*
 * The call takes as long as ten mallocs and frees: who comes by often gets what the clock said a
 * moment ago. Another processor's counter may be behind or ahead: then it is asked again. Two
 * words that change side by side: the time is of the count or newer.
 */
uint64_t os_clock_ms(void)
{
	static _Atomic uint64_t asked_at, answer;
	uint64_t cycles = __builtin_ia32_rdtsc();

	if (cycles - atomic_load_explicit(&asked_at, memory_order_acquire) >= CLOCK_MAX_CYCLES) {
		atomic_store_explicit(&answer, clock_ns(CLOCK_MONOTONIC_COARSE) / 1000000,
				      memory_order_relaxed);
		atomic_store_explicit(&asked_at, cycles, memory_order_release);
	}
	return atomic_load_explicit(&answer, memory_order_relaxed);
}

size_t os_physical_bytes(void)
{
	struct sysinfo info;

	if (syscall3(__NR_sysinfo, (long)&info, 0, 0))
		return 0;
	return info.totalram * info.mem_unit;
}

size_t os_address_space_limit(void)
{
	struct rlimit64 limit;

	_Static_assert(RLIM64_INFINITY == SIZE_MAX, "no limit is SIZE_MAX in the kernel too");
	if (syscall6(__NR_prlimit64, 0, RLIMIT_AS, 0, (long)&limit, 0, 0))
		return SIZE_MAX;
	return limit.rlim_cur;
}

uint64_t os_block_signals(void)
{
	uint64_t all = ~(uint64_t)0, before = 0;

	syscall6(__NR_rt_sigprocmask, SIG_SETMASK, (long)&all, (long)&before, sizeof(all), 0, 0);
	return before;
}

void os_restore_signals(uint64_t mask)
{
	syscall6(__NR_rt_sigprocmask, SIG_SETMASK, (long)&mask, 0, sizeof(mask), 0, 0);
}

void os_exit(int status)
{
	for (;;)
		syscall3(__NR_exit_group, status, 0, 0);
}

_Noreturn void os_abort(void)
{
	/* As the kernel has it: handler SIG_DFL, flags, restorer, mask. */
	const uint64_t default_action[4] = { 0 };
	const uint64_t sigabrt_mask = (uint64_t)1 << (SIGABRT - 1);

	syscall6(__NR_rt_sigaction, SIGABRT, (long)default_action, 0, sizeof(sigabrt_mask), 0, 0);
	syscall6(__NR_rt_sigprocmask, SIG_UNBLOCK, (long)&sigabrt_mask, 0, sizeof(sigabrt_mask), 0,
		 0);
	syscall3(__NR_tgkill, os_getpid(), os_gettid(), SIGABRT);
	/* The first process of a container is not killed by its own signals. */
	for (;;)
		syscall3(__NR_exit_group, 127, 0, 0);
}
