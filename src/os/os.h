/*
 * os.h - the contract of everything that enters the kernel.
 *
 * L1. The only layer that makes system calls, by its own stubs: libc's mmap or open
 * may be interposed by another preload, which would call back into malloc.
 * Every call returns 0 (or a count, where said) on success and -errno on failure, and
 * never touches errno. Addresses and lengths are page-aligned, lengths are not 0.
 * May be called from any context; nothing here takes a lock. The only state kept is what the
 * kernel does not know (a vectored purge, populating), and the coarse clock's last answer.
 *
 * The unit tests link tests/fake/os_fake.c in place of os_linux.c.
 */
#ifndef OS_OS_H
#define OS_OS_H

#include "base/compiler.h"

#define OS_PAGE_SIZE 4096u

/*
 * Reserve `bytes` of address space: private, PROT_NONE, no swap accounting.
 * hint == NULL: anywhere. Else exactly at hint or -EEXIST (or the kernel's errno).
 */
int os_reserve(void *hint, size_t bytes, void **address);

/* Give a reserved range back. */
int os_unreserve(void *address, size_t bytes);

/* Make part of a reserve readable and writable; -ENOMEM at RLIMIT_DATA or commit limits. */
int os_open(void *address, size_t bytes);

/* Make a range of ours readable only. */
int os_make_readonly(void *address, size_t bytes);

/* Drop the pages of an opened range: they read as zero afterwards, if and only if 0 is returned. */
int os_purge(void *address, size_t bytes);

struct os_range {
	void *address;
	size_t bytes;
};

/*
 * Drop the pages of several opened ranges with as few calls as the kernel allows.
 * Returns how many bytes, from the first range on, were dropped (may be 0), or -errno if none.
 */
long os_purge_ranges(const struct os_range *ranges, unsigned int nr_ranges);

/* Ask for the range never to be backed by huge pages. A kernel without them says -EINVAL. */
int os_forbid_huge_pages(void *address, size_t bytes);

/* Ask for the range to be backed by huge pages, where the kernel has them. */
int os_want_huge_pages(void *address, size_t bytes);

/* Give every page of the range a frame, to be written to. A kernel before 5.14: -EINVAL. */
int os_populate(void *address, size_t bytes);

/*
 * The range reads as zero in the child of a fork, however it is made. Before Linux 4.14: -EINVAL.
 */
int os_wipe_on_fork(void *address, size_t bytes);

/* Keep the range in memory (mlock); -ENOMEM or -EPERM at RLIMIT_MEMLOCK. */
int os_pin(void *address, size_t bytes);
int os_unpin(void *address, size_t bytes);

/* One byte a page into resident[]; bit 0 tells whether the page is in memory. */
int os_mincore(void *address, size_t bytes, unsigned char *resident);

/* Sleep while *word == value; 0, -EAGAIN (it was not) or -EINTR. */
int os_futex_wait(_Atomic uint32_t *word, uint32_t value);
/* The same for so many microseconds at most; then -ETIMEDOUT. */
int os_futex_wait_for(_Atomic uint32_t *word, uint32_t value, uint32_t us);
/* Wake up to nr_waiters; the number woken or -errno. */
int os_futex_wake(_Atomic uint32_t *word, unsigned int nr_waiters);

/* Sleep for about so many microseconds, less when a signal comes. */
void os_nap(uint32_t us);

/* Write everything or -errno; restarts on EINTR and short counts, waits a while for room. */
int os_write(int fd, const void *bytes, size_t nr_bytes);

/* Read a whole small file. The number of bytes (at most nr_bytes) or -errno. */
long os_read_file(const char *path, void *buffer, size_t nr_bytes);
/* As os_read_file, of /proc and the like: the kernel gives all that there is at once. */
long os_read_kernel_file(const char *path, void *buffer, size_t nr_bytes);

/* A close-on-exec copy of fd numbered `lowest` or above. The descriptor or -errno. */
int os_duplicate_fd(int fd, int lowest);

/* What a descriptor stands for: equal for two of the same file, pipe or device. */
struct os_file {
	uint64_t device;
	uint64_t inode;
};

int os_file_of(int fd, struct os_file *file);

int os_getpid(void);
int os_gettid(void);

/* Milliseconds of CLOCK_MONOTONIC_COARSE, up to 17 of them old; mostly without a call. */
uint64_t os_clock_ms(void);
/* Nanoseconds of CLOCK_MONOTONIC. */
uint64_t os_clock_ns(void);

/* Bytes of RAM the machine has; 0 when it cannot be told. */
size_t os_physical_bytes(void);

/* Soft limit of RLIMIT_AS in bytes; SIZE_MAX when there is none. */
size_t os_address_space_limit(void);

/* All that can be blocked; returns what was. */
uint64_t os_block_signals(void);
void os_restore_signals(uint64_t mask);

/* End the process at once. */
_Noreturn void os_exit(int status);

/* Abort the process with SIGABRT, whatever its handlers do. */
_Noreturn void os_abort(void);

/* What the kernel put on the initial stack. Pointers stay valid until the program moves environ. */
struct os_start {
	const char *const *environment; /* NULL-terminated, or NULL when it could not be found */
	bool secure;			/* AT_SECURE: set-user-ID and the like */
};

void os_start_read(struct os_start *start);

#endif
