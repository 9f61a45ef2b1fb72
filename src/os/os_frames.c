/* os_frames.c - see os_frames.h. */
#include "os/os_frames.h"

#include <asm/unistd.h>
#include <linux/falloc.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <linux/resource.h>
#include <asm/errno.h>

#include "os/os_fd.h"

/* Linux 6.3; its absence is complained of in the kernel's log. */
#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u
#endif

size_t os_file_size_limit(void)
{
	struct rlimit64 limit;

	if (syscall6(__NR_prlimit64, 0, RLIMIT_FSIZE, 0, (long)&limit, 0, 0))
		return SIZE_MAX;
	return limit.rlim_cur;
}

static long create(void)
{
	static const char name[] = "stitchmalloc-highmem";
	long fd = syscall3(__NR_memfd_create, (long)name, MFD_CLOEXEC | MFD_NOEXEC_SEAL, 0);

	if (fd == -EINVAL)
		fd = syscall3(__NR_memfd_create, (long)name, MFD_CLOEXEC, 0);
	return fd;
}

int os_frames_open(size_t bytes)
{
	long fd, error;

	if (bytes > os_file_size_limit())
		return -EFBIG;
	fd = create();
	if (is_error(fd))
		return (int)fd;
	error = syscall3(__NR_ftruncate, fd, (long)bytes, 0);
	if (!error)
		return (int)os_raise_fd(fd);
	os_close_fd(fd);
	return (int)error;
}

void os_frames_close(int frames)
{
	os_close_fd(frames);
}

/* A signal interrupts it, between pages. */
int os_frames_fill(int frames, size_t offset, size_t bytes)
{
	long error;

	do
		error = syscall6(__NR_fallocate, frames, 0, (long)offset, (long)bytes, 0, 0);
	while (error == -EINTR);
	return (int)error;
}

int os_frames_drop(int frames, size_t offset, size_t bytes)
{
	return (int)syscall6(__NR_fallocate, frames, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
			     (long)offset, (long)bytes, 0, 0);
}

int os_frames_map(int frames, size_t offset, void *address, size_t bytes, bool writable)
{
	long ret = syscall6(__NR_mmap, (long)address, (long)bytes,
			    PROT_READ | (writable ? PROT_WRITE : 0), MAP_SHARED | MAP_FIXED, frames,
			    (long)offset);

	return is_error(ret) ? (int)ret : 0;
}
