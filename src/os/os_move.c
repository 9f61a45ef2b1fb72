/*
 * os_move.c - the system calls of os_move.h.
 *
 * L1. The kernel's structures and numbers are written down here: the headers of Debian 12 are of
 * Linux 6.1. Source: include/uapi/linux/userfaultfd.h of Linux 6.12.
 */
#include <asm/errno.h>
#include <asm/ioctl.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/prctl.h>
#include <linux/sysinfo.h>
#include <linux/utsname.h>

#include "os/os_fd.h"
#include "os/os_move.h"
#include "os/pagemap_scan.h"
#include "os/syscall.h"

/* --- the kernel's interface --------------------------------------------------------------- */

#define UFFD_USER_MODE_ONLY 1
#define UFFD_API_VERSION 0xaa
#define UFFD_FEATURE_MOVE ((uint64_t)1 << 16)
#define UFFDIO_REGISTER_MODE_WP ((uint64_t)1 << 1)
#define UFFDIO_MOVE_MODE_DONTWAKE ((uint64_t)1 << 0)
#define UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES ((uint64_t)1 << 1)

struct uffdio_api {
	uint64_t api, features, ioctls;
};

struct uffdio_register {
	uint64_t start, len, mode, ioctls;
};

struct uffdio_move {
	uint64_t dst, src, len, mode;
	int64_t move; /* bytes moved, or -errno */
};

#define UFFDIO_API _IOWR(0xaa, 0x3f, struct uffdio_api)
#define UFFDIO_REGISTER _IOWR(0xaa, 0x00, struct uffdio_register)
#define UFFDIO_MOVE _IOWR(0xaa, 0x05, struct uffdio_move)

/* --- the mover ------------------------------------------------------------------------------ */

/* The first number of "6.18.44-something", times 1000, plus the second; 0: not understood. */
static unsigned int parse_version(const char *text)
{
	unsigned int number[2] = { 0 };

	for (unsigned int i = 0; i < 2; i++) {
		for (; *text >= '0' && *text <= '9'; text++)
			number[i] = number[i] * 10 + (unsigned int)(*text - '0');
		if (*text == '.')
			text++;
	}
	return number[0] * 1000 + number[1];
}

static bool is_older_than(unsigned int version)
{
	struct new_utsname name;

	return syscall3(__NR_uname, (long)&name, 0, 0) || parse_version(name.release) < version;
}

/* Not all stable kernels before 6.16 lose pages, but none says so. */
enum os_swap os_swap(void)
{
	struct sysinfo info;

	if (!syscall3(__NR_sysinfo, (long)&info, 0, 0) && !info.totalswap)
		return OS_SWAP_NONE;
	return is_older_than(6016) ? OS_SWAP_LOSES : OS_SWAP_SAFE;
}

bool os_moves_huge_pages(void)
{
	return !is_older_than(6017);
}

void os_mover_close(int mover)
{
	os_close_fd(mover);
}

int os_mover_open(void)
{
	struct uffdio_api api = { .api = UFFD_API_VERSION, .features = UFFD_FEATURE_MOVE };
	long fd, error;

	if (os_swap() == OS_SWAP_LOSES)
		return -EOPNOTSUPP;
	fd = syscall3(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK | UFFD_USER_MODE_ONLY, 0, 0);
	if (is_error(fd))
		return (int)fd;
	error = syscall3(__NR_ioctl, fd, (long)UFFDIO_API, (long)&api);
	if (!error)
		return (int)os_raise_fd(fd);
	os_close_fd(fd);
	return (int)error;
}

/* In this mode only: pages are never write-protected, so that no fault is ever reported. */
int os_mover_register(int mover, void *address, size_t bytes)
{
	struct uffdio_register range = { .start = (uintptr_t)address, .len = bytes,
					 .mode = UFFDIO_REGISTER_MODE_WP };

	return (int)syscall3(__NR_ioctl, mover, (long)UFFDIO_REGISTER, (long)&range);
}

int os_move(int mover, void *to, void *from, size_t bytes, bool holes, size_t *moved)
{
	struct uffdio_move move = { .dst = (uintptr_t)to, .src = (uintptr_t)from, .len = bytes,
				    .mode = UFFDIO_MOVE_MODE_DONTWAKE };
	long error;

	if (holes)
		move.mode |= UFFDIO_MOVE_MODE_ALLOW_SRC_HOLES;
	error = syscall3(__NR_ioctl, mover, (long)UFFDIO_MOVE, (long)&move);
	/* What is no mover does not write the count. */
	*moved = move.move > 0 ? (size_t)move.move : 0;
	return (int)error;
}

/* --- questions ---------------------------------------------------------------------------- */

int os_has_huge_page(void *address, size_t bytes)
{
	struct page_region region;
	struct pm_scan_arg scan = {
		.start = (uintptr_t)address,
		.end = (uintptr_t)address + bytes, .vec = (uintptr_t)&region, .vec_len = 1,
		.max_pages = 1, .category_mask = PAGE_IS_HUGE, .return_mask = PAGE_IS_HUGE,
	};
	long fd = syscall6(__NR_openat, AT_FDCWD, (long)"/proc/self/pagemap", O_RDONLY | O_CLOEXEC,
			   0, 0, 0);
	long nr_regions;

	if (is_error(fd))
		return (int)fd;
	nr_regions = pagemap_scan(fd, &scan);
	os_close_fd(fd);
	return (int)nr_regions;
}

bool os_is_filtered(void)
{
	long mode = syscall3(__NR_prctl, PR_GET_SECCOMP, 0, 0);

	return mode && mode != -EINVAL; /* a kernel without filters */
}

/* What has been read of a line of /proc/self/maps: "START-END ...". */
struct map_reader {
	uintptr_t number[2];
	unsigned int nr; /* numbers read; 2: the rest of the line is passed over */
};

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* True when a line is complete. */
static bool map_reader_take(struct map_reader *reader, char c)
{
	int digit = hex_digit(c);

	if (c == '\n')
		return true;
	if (reader->nr == 2)
		return false;
	if (digit >= 0)
		reader->number[reader->nr] = reader->number[reader->nr] << 4 | (unsigned int)digit;
	else
		reader->nr++;
	return false;
}

long os_count_maps(uintptr_t start, uintptr_t end)
{
	struct map_reader reader = { 0 };
	char text[1024];
	long fd, got, count = 0;

	fd = syscall6(__NR_openat, AT_FDCWD, (long)"/proc/self/maps", O_RDONLY | O_CLOEXEC, 0, 0,
		      0);
	if (is_error(fd))
		return fd;
	while ((got = syscall3(__NR_read, fd, (long)text, sizeof(text))) > 0 || got == -EINTR)
		for (long i = 0; i < got; i++) {
			if (!map_reader_take(&reader, text[i]))
				continue;
			count += reader.number[0] < end && reader.number[1] > start;
			reader = (struct map_reader){ 0 };
		}
	os_close_fd(fd);
	return is_error(got) ? got : count;
}
