/* os_proc.c - see os_proc.h. */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/fcntl.h>
#include <linux/uio.h>

#include <string.h>

#include "base/format.h"
#include "base/math.h"
#include "os/os.h"
#include "os/os_move.h"
#include "os/os_proc.h"
#include "os/pagemap_scan.h"
#include "os/syscall.h"

#define LINE_MAX_BYTES 4352u /* a path of PATH_MAX and what stands before it */
#define READ_BYTES 8192u

/* Of the calling thread: that of a process whose first thread has ended is empty. */
#define PROC "/proc/thread-self/"

static long open_path(const char *path, long flags)
{
	return syscall6(__NR_openat, AT_FDCWD, (long)path, flags | O_CLOEXEC, 0666, 0, 0);
}

int os_open_log(const char *path, bool empty_it)
{
	return (int)open_path(path, O_WRONLY | O_CREAT | (empty_it ? O_TRUNC : 0) | O_APPEND);
}

void os_close(int fd)
{
	syscall3(__NR_close, fd, 0, 0);
}

long os_read_executable(char *path, size_t bytes)
{
	return syscall6(__NR_readlinkat, AT_FDCWD, (long)PROC "exe", (long)path, (long)bytes,
			0, 0);
}

/* --- mappings --------------------------------------------------------------------------------- */

static const char *parse_hex(const char *text, uintptr_t *value)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit;

	*value = 0;
	while (*text && (digit = strchr(digits, *text))) {
		*value = *value << 4 | (uintptr_t)(digit - digits);
		text++;
	}
	return text;
}

static const char *skip_field(const char *text)
{
	text += strcspn(text, " ");
	return text + strspn(text, " ");
}

/* start-end rwxp offset device inode name */
static void parse_line(const char *line, os_mapping_fn *fn, void *context)
{
	struct os_mapping mapping;

	line = parse_hex(line, &mapping.start);
	line = parse_hex(line + (*line == '-'), &mapping.end);
	line = skip_field(line);
	mapping.readable = line[0] == 'r';
	mapping.writable = line[0] && line[1] == 'w';
	mapping.shared = strcspn(line, " ") == 4 && line[3] == 's';
	line = skip_field(skip_field(skip_field(line)));
	mapping.anonymous = line[0] == '0' && (line[1] == ' ' || !line[1]);
	mapping.name = skip_field(line);
	if (mapping.end > mapping.start)
		fn(context, &mapping);
}

/* Whole lines of what has been read; returns how many bytes are left of one that is not whole. */
static size_t parse_lines(char *text, size_t bytes, os_mapping_fn *fn, void *context)
{
	char *line = text, *end;

	while ((end = memchr(line, '\n', bytes - (size_t)(line - text)))) {
		*end = 0;
		parse_line(line, fn, context);
		line = end + 1;
	}
	memmove(text, line, bytes - (size_t)(line - text));
	return bytes - (size_t)(line - text);
}

int os_visit_mappings(os_mapping_fn *fn, void *context)
{
	char buffer[LINE_MAX_BYTES + READ_BYTES];
	long fd = open_path(PROC "maps", O_RDONLY), ret;
	size_t kept = 0;

	if (is_error(fd))
		return (int)fd;
	do {
		ret = syscall3(__NR_read, fd, (long)(buffer + kept), READ_BYTES);
		if (ret > 0)
			kept = parse_lines(buffer, kept + (size_t)ret, fn, context);
	} while ((ret > 0 && kept < LINE_MAX_BYTES) || ret == -EINTR);
	os_close((int)fd);
	return ret ? -EIO : 0;
}

int os_read_maps(os_text_fn *fn, void *context)
{
	char buffer[READ_BYTES];
	long fd = open_path(PROC "maps", O_RDONLY), ret;

	if (is_error(fd))
		return (int)fd;
	do {
		ret = syscall3(__NR_read, fd, (long)buffer, sizeof(buffer));
		if (ret > 0 && fn(context, buffer, (size_t)ret))
			break;
	} while (ret > 0 || ret == -EINTR);
	os_close((int)fd);
	return ret < 0 ? (int)ret : 0;
}

/* --- threads ---------------------------------------------------------------------------------- */

struct directory_entry { /* struct linux_dirent64 */
	uint64_t inode;
	int64_t offset;
	uint16_t bytes;
	uint8_t type;
	char name[];
};

static void visit_entry(const struct directory_entry *entry, os_thread_fn *fn, void *context)
{
	int tid = 0;

	for (const char *digit = entry->name; *digit >= '0' && *digit <= '9'; digit++)
		tid = tid * 10 + (*digit - '0');
	if (tid)
		fn(context, tid);
}

int os_visit_threads(os_thread_fn *fn, void *context)
{
	_Alignas(struct directory_entry) char buffer[4096];
	long fd = open_path("/proc/self/task", O_RDONLY | O_DIRECTORY), ret;

	if (is_error(fd))
		return (int)fd;
	while ((ret = syscall3(__NR_getdents64, fd, (long)buffer, sizeof(buffer))) > 0) {
		for (long at = 0; at < ret;) {
			const struct directory_entry *entry = (void *)(buffer + at);

			visit_entry(entry, fn, context);
			at += entry->bytes;
		}
	}
	os_close((int)fd);
	return (int)ret;
}

/* The beginning of /proc/self/task/TID/NAME, with a 0 behind it. How many bytes, or -errno. */
static long read_of_thread(int tid, const char *name, char *text, size_t bytes)
{
	char path[64];
	long length;

	format_text(path, sizeof(path), "/proc/self/task/%d/%s", tid, name);
	length = os_read_kernel_file(path, text, bytes - 1);
	text[length > 0 ? length : 0] = 0;
	return length;
}

bool os_thread_has_ended(int tid)
{
	char text[64];
	const char *state;
	long length = read_of_thread(tid, "stat", text, sizeof(text));

	if (length == -ENOENT || length == -ESRCH)
		return true;
	state = strrchr(text, ')'); /* behind the name, which may have one, too */
	return state && state[1] && (state[2] == 'Z' || state[2] == 'X');
}

/* It would be given the signal as what it waits for. */
static bool waits_for_signals(int tid)
{
	char text[256], number[8];

	format_text(number, sizeof(number), "%d ", __NR_rt_sigtimedwait);
	return read_of_thread(tid, "syscall", text, sizeof(text)) > 0 &&
	       !strncmp(text, number, strlen(number));
}

/* With all groups of a user of a large directory. */
#define STATUS_BYTES KIB(16)

/* A thread of which it cannot be told would be waited for in vain. */
bool os_thread_blocks(int tid, int signal_number)
{
	uintptr_t blocked = 0;
	const char *line;
	char text[STATUS_BYTES];
	long length = read_of_thread(tid, "status", text, sizeof(text));

	line = strstr(text, "\nSigBlk:\t");
	if (line)
		parse_hex(line + strlen("\nSigBlk:\t"), &blocked);
	return blocked >> (signal_number - 1) & 1 || (!line && length == sizeof(text) - 1) ||
	       waits_for_signals(tid);
}

/* /proc is of the process's own PID namespace: unlike after `unshare --pid --fork`. */
static bool proc_is_own(void)
{
	char text[24] = { 0 }, own[24];
	long length = syscall6(__NR_readlinkat, AT_FDCWD, (long)"/proc/self", (long)text,
			       sizeof(text) - 1, 0, 0);

	format_text(own, sizeof(own), "%d", os_getpid());
	return length <= 0 || !strcmp(text, own);
}

int os_tid_of_listed(int listed)
{
	const char *number;
	char text[STATUS_BYTES];
	int tid = 0;

	if (proc_is_own())
		return listed;
	read_of_thread(listed, "status", text, sizeof(text));
	number = strstr(text, "\nNSpid:");
	if (!number)
		return listed;
	for (number += strlen("\nNSpid:"); *number && *number != '\n'; number++)
		tid = *number == '\t' ? 0 : tid * 10 + (*number - '0');
	return tid;
}

/* number six-arguments stack-pointer instruction; or "running" */
uintptr_t os_thread_stack_pointer(int tid)
{
	uintptr_t pointer = 0;
	const char *field;
	char text[256];

	if (read_of_thread(tid, "syscall", text, sizeof(text)) <= 0 || text[0] == 'r')
		return 0;
	field = text;
	for (unsigned int i = text[0] == '-' ? 1 : 7; i; i--)
		field = skip_field(field);
	if (field[0] == '0' && field[1] == 'x')
		parse_hex(field + 2, &pointer);
	return pointer;
}

/* --- memory ----------------------------------------------------------------------------------- */

#define PAGEMAP_PRESENT ((uint64_t)1 << 63)
#define PAGEMAP_SWAPPED ((uint64_t)1 << 62) /* or no page at all, but a mark: a guard */
#define PAGEMAP_FILE ((uint64_t)1 << 61)    /* as PAGE_IS_FILE */

static void set_bit(unsigned char *map, size_t i)
{
	map[i / 8] |= (unsigned char)(1u << i % 8);
}

#define SCAN_REGIONS 32u

static void set_region(unsigned char *map, uintptr_t address, const struct page_region *region)
{
	size_t end = (region->end - address) / OS_PAGE_SIZE;

	for (size_t i = (region->start - address) / OS_PAGE_SIZE; i < end; i++)
		set_bit(map, i);
}

/*
 * Ranges of pages instead of a word a page, a sixth of the time. How many pages from the first on
 * are known: none before Linux 6.7, or where a filter may not want it. *nr_swapped: as below.
 */
static size_t scan_private_pages(int pagemap, uintptr_t address, size_t nr, bool copies,
				 unsigned char *map, size_t *nr_swapped)
{
	struct page_region regions[SCAN_REGIONS];
	uint64_t not_wanted = copies ? PAGE_IS_FILE : 0;
	struct pm_scan_arg scan = {
		.start = address, .end = address + nr * OS_PAGE_SIZE,
		.vec = (uintptr_t)regions, .vec_len = SCAN_REGIONS,
		.category_inverted = not_wanted, .category_mask = not_wanted,
		.category_anyof_mask = PAGE_IS_PRESENT | PAGE_IS_SWAPPED,
		.return_mask = PAGE_IS_SWAPPED,
	};
	long nr_regions = os_is_filtered() ? -1 : 0;

	while (nr_regions >= 0 && scan.start < scan.end) {
		nr_regions = pagemap_scan(pagemap, &scan);
		for (long i = 0; i < nr_regions; i++) {
			set_region(map, address, &regions[i]);
			*nr_swapped += regions[i].categories & PAGE_IS_SWAPPED;
		}
		if (nr_regions < 0 || scan.walk_end <= scan.start)
			break;
		scan.start = scan.walk_end;
	}
	return (scan.start - address) / OS_PAGE_SIZE;
}

/* How many entries from the first on could be read. *nr_swapped: > 0 if not all are in memory. */
static size_t private_pages(int pagemap, size_t first_page, size_t nr, bool copies,
			    unsigned char *map, size_t *nr_swapped)
{
	uint64_t not_wanted = copies ? PAGEMAP_FILE : 0;
	uint64_t entries[OS_CONTENTS_MAX_PAGES];
	long ret = syscall6(__NR_pread64, pagemap, (long)entries, (long)(nr * sizeof(*entries)),
			    (long)(first_page * sizeof(*entries)), 0, 0);
	size_t nr_read;

	nr_read = ret > 0 ? (size_t)ret / sizeof(*entries) : 0;
	for (size_t i = 0; i < nr_read; i++) {
		if (entries[i] & (PAGEMAP_PRESENT | PAGEMAP_SWAPPED) && !(entries[i] & not_wanted))
			set_bit(map, i);
		*nr_swapped += !(entries[i] & PAGEMAP_PRESENT) && entries[i] & PAGEMAP_SWAPPED;
	}
	return nr_read;
}

static size_t shared_pages(uintptr_t address, size_t nr, unsigned char *map)
{
	unsigned char resident[OS_CONTENTS_MAX_PAGES];

	if (os_mincore((void *)address, nr * OS_PAGE_SIZE, resident))
		return 0;
	for (size_t i = 0; i < nr; i++)
		if (resident[i] & 1)
			set_bit(map, i);
	return nr;
}

int os_open_pagemap(void)
{
	return (int)open_path(PROC "pagemap", O_RDONLY);
}

bool os_pages_with_contents(int pagemap, uintptr_t address, size_t nr_pages, enum os_contents kind,
			    unsigned char *map)
{
	bool shared = kind == OS_CONTENTS_SHARED, copies = kind == OS_CONTENTS_COPIES;
	size_t nr_known, nr_swapped = 0;

	memset(map, 0, div_round_up(nr_pages, 8));
	nr_known = shared ? shared_pages(address, nr_pages, map) :
			    scan_private_pages(pagemap, address, nr_pages, copies, map,
					       &nr_swapped);
	if (!shared && !nr_known)
		nr_known = private_pages(pagemap, address / OS_PAGE_SIZE, nr_pages, copies, map,
					 &nr_swapped);
	for (size_t i = nr_known; i < nr_pages && !copies; i++)
		set_bit(map, i);
	return nr_known == nr_pages && !nr_swapped;
}

long os_read_memory(uintptr_t from, void *to, size_t bytes)
{
	struct iovec local = { to, bytes }, remote = { (void *)from, bytes };

	return syscall6(__NR_process_vm_readv, os_gettid(), (long)&local, 1, (long)&remote, 1, 0);
}

/* The kernel fetches the set before it finds out that there is nothing that it could do with it. */
bool os_can_read(uintptr_t address)
{
	const long no_operation = -1;

	/* 0: no set, to the kernel. */
	return address && syscall6(__NR_rt_sigprocmask, no_operation, (long)address, 0,
				   sizeof(uint64_t), 0, 0) != -EFAULT;
}
