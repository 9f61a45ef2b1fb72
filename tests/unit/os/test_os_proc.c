/*
 * test_os_proc.c - each entry of os_proc.h and os_park.h on the real kernel.
 */
#define _GNU_SOURCE /* memfd_create */
#include "kunit.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "isolated.h"
#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"

#define PAGE ((size_t)OS_PAGE_SIZE)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102
#endif

/* --- mappings --------------------------------------------------------------------------------- */

struct wanted {
	uintptr_t address;
	struct os_mapping found;
	char name[64];
	unsigned int nr_mappings;
	bool in_order;
	uintptr_t last;
};

static void look_for(void *context, const struct os_mapping *mapping)
{
	struct wanted *wanted = context;

	wanted->nr_mappings++;
	wanted->in_order &= mapping->start >= wanted->last && mapping->end > mapping->start;
	wanted->last = mapping->end;
	if (wanted->address < mapping->start || wanted->address >= mapping->end)
		return;
	wanted->found = *mapping;
	snprintf(wanted->name, sizeof(wanted->name), "%.63s", mapping->name);
}

static struct wanted mapping_of(const void *address)
{
	struct wanted wanted = { .address = (uintptr_t)address, .in_order = true };

	EXPECT(!os_visit_mappings(look_for, &wanted));
	EXPECT(wanted.in_order);
	return wanted;
}

struct text {
	char *bytes;
	size_t length, room;
	unsigned int nr_pieces, stop_at;
};

static int keep_text(void *context, const char *bytes, size_t length)
{
	struct text *text = context;

	ASSERT(length && text->length + length < text->room);
	memcpy(text->bytes + text->length, bytes, length);
	text->length += length;
	return ++text->nr_pieces == text->stop_at;
}

/* Many mappings, so that it takes more than one piece; and each of them is in it. */
TEST(maps_are_there_as_text)
{
	struct text text = { .bytes = malloc(MIB(1)), .room = MIB(1) };
	char *both = mmap(NULL, 400 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char place[40];

	for (size_t i = 0; i < 400; i += 2)
		ASSERT(!mprotect(both + i * PAGE, PAGE, PROT_NONE));
	EXPECT(!os_read_maps(keep_text, &text));
	text.bytes[text.length] = 0;
	EXPECT(text.nr_pieces > 1);
	EXPECT_EQ(text.bytes[text.length - 1], '\n');
	for (size_t i = 1; i < 399; i++) {
		snprintf(place, sizeof(place), "\n%lx-%lx %s", (unsigned long)(both + i * PAGE),
			 (unsigned long)(both + (i + 1) * PAGE), i % 2 ? "r--p" : "---p");
		EXPECT(strstr(text.bytes, place));
	}
	text = (struct text){ text.bytes, 0, text.room, 0, 1 };
	EXPECT(!os_read_maps(keep_text, &text));
	EXPECT_EQ(text.nr_pieces, 1);
	munmap(both, 400 * PAGE);
	free(text.bytes);
}

TEST(mappings_are_what_they_are)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS, fd = memfd_create("some name", 0);
	char *none = mmap(NULL, 2 * PAGE, PROT_NONE, flags, -1, 0);
	char *both = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, flags | MAP_NORESERVE, -1, 0);
	char *file;
	int local;

	ASSERT(!ftruncate(fd, 4 * (off_t)PAGE));
	file = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 2 * (off_t)PAGE);
	EXPECT(!mapping_of(none).found.readable && !mapping_of(none).found.writable);
	EXPECT(mapping_of(both + PAGE).found.readable && mapping_of(both).found.writable);
	EXPECT(mapping_of(both).found.anonymous);
	EXPECT(mapping_of(file).found.readable && !mapping_of(file).found.writable);
	EXPECT(!mapping_of(file).found.anonymous);
	EXPECT_EQ(mapping_of(file).found.start, (uintptr_t)file);
	EXPECT_EQ(mapping_of(file).found.end, (uintptr_t)file + PAGE);
	EXPECT_STREQ(mapping_of(file).name, "/memfd:some name (deleted)");
	EXPECT_STREQ(mapping_of(&local).name, "[stack]");
	munmap(none, 2 * PAGE);
	munmap(both, 2 * PAGE);
	munmap(file, PAGE);
	close(fd);
}

/* The text is longer than any buffer, so that lines are cut where a read ends. */
TEST(all_of_many_mappings_are_visited)
{
	enum { NR = 2000 };
	size_t bytes = 2 * NR * PAGE;
	char *memory = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < NR; i++)
		ASSERT(!mprotect(memory + 2 * i * PAGE, PAGE, PROT_READ | PROT_WRITE));
	EXPECT(mapping_of(memory).nr_mappings > 2 * NR);
	for (size_t i = 0; i < 2 * NR; i += 199) {
		struct wanted wanted = mapping_of(memory + i * PAGE);

		EXPECT_EQ(wanted.found.start, (uintptr_t)memory + i * PAGE);
		EXPECT_EQ(wanted.found.writable, i % 2 == 0);
	}
	munmap(memory, bytes);
}

/* --- memory ----------------------------------------------------------------------------------- */

/* Every third page is one range: more than the kernel is asked for at once. */
static void ask_for_contents(void)
{
	enum { NR = 1100 };
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *memory = mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	int pagemap = os_open_pagemap();
	unsigned char map[NR / 8 + 1];

	madvise(memory, NR * PAGE, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < NR; i += 3)
		memory[i * PAGE] = 1;
	EXPECT(os_pages_with_contents(pagemap, (uintptr_t)memory, NR, OS_CONTENTS_PRIVATE, map));
	for (size_t i = 0; i < NR; i++)
		EXPECT_EQ(map[i / 8] >> i % 8 & 1, i % 3 == 0);
	if (!madvise(memory, PAGE, MADV_GUARD_INSTALL)) /* Linux 6.13 */
		EXPECT(!os_pages_with_contents(pagemap, (uintptr_t)memory, NR, OS_CONTENTS_PRIVATE,
					       map));
	EXPECT(!os_pages_with_contents(-ENOENT, (uintptr_t)memory, NR, OS_CONTENTS_PRIVATE, map));
	for (size_t i = 0; i < NR; i++)
		EXPECT(map[i / 8] >> i % 8 & 1);
	munmap(memory, NR * PAGE);
	os_close(pagemap);
}

/* Every other page is looked at, so that it is in memory, and every sixth is written to. */
static void ask_for_copies(void)
{
	enum { NR = 100 };
	int file = memfd_create("file", 0), pagemap = os_open_pagemap();
	unsigned char map[NR / 8 + 1];
	unsigned int sum = 0;
	char *memory;

	ASSERT(!ftruncate(file, NR * PAGE));
	memory = mmap(NULL, NR * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, file, 0);
	for (size_t i = 0; i < NR; i += 2)
		sum += (unsigned char)memory[i * PAGE];
	for (size_t i = 0; i < NR; i += 6)
		memory[i * PAGE] = (char)(sum + 1);
	mprotect(memory, NR * PAGE, PROT_READ);
	os_pages_with_contents(pagemap, (uintptr_t)memory, NR, OS_CONTENTS_COPIES, map);
	for (size_t i = 0; i < NR; i++)
		EXPECT_EQ(map[i / 8] >> i % 8 & 1, i % 6 == 0);
	os_pages_with_contents(-ENOENT, (uintptr_t)memory, NR, OS_CONTENTS_COPIES, map);
	for (size_t i = 0; i < NR; i++)
		EXPECT_EQ(map[i / 8] >> i % 8 & 1, 0);
	munmap(memory, NR * PAGE);
	close(file);
	os_close(pagemap);
}

TEST(pages_have_contents_once_they_were_written_to)
{
	ask_for_contents();
	ask_for_copies();
}

/* As with a kernel that has no PAGEMAP_SCAN. */
ISOLATED_TEST(the_same_under_a_filter)
{
	struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, filter };

	ASSERT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	ASSERT(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	ask_for_contents();
	ask_for_copies();
}

TEST(reading_stops_where_memory_does)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS;
	char *memory = mmap(NULL, 3 * PAGE, PROT_READ | PROT_WRITE, flags, -1, 0);
	static char copy[3 * OS_PAGE_SIZE];

	memset(memory, 7, 3 * PAGE);
	mprotect(memory + 2 * PAGE, PAGE, PROT_NONE);
	EXPECT_EQ(os_read_memory((uintptr_t)memory, copy, 2 * PAGE), 2 * PAGE);
	EXPECT_EQ(copy[2 * PAGE - 1], 7);
	EXPECT_EQ(os_read_memory((uintptr_t)memory, copy, 3 * PAGE), 2 * PAGE);
	EXPECT_EQ(os_read_memory((uintptr_t)memory + 2 * PAGE, copy, PAGE), -EFAULT);
	munmap(memory, 3 * PAGE);
	EXPECT_EQ(os_read_memory((uintptr_t)memory, copy, PAGE), -EFAULT);
}

TEST(what_can_be_read_is_known_without_reading)
{
	char *memory = mmap(NULL, 2 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t start = (uintptr_t)memory;

	mprotect(memory + PAGE, PAGE, PROT_NONE);
	EXPECT(os_can_read(start) && os_can_read(start + PAGE - 8));
	EXPECT(!os_can_read(start + PAGE - 7) && !os_can_read(start + PAGE));
	munmap(memory, 2 * PAGE);
	EXPECT(!os_can_read(start) && !os_can_read(0) && !os_can_read(~(uintptr_t)7));
}

/* --- files ------------------------------------------------------------------------------------ */

TEST(logs_are_added_to_or_emptied)
{
	char path[] = "/tmp/stitch-log-XXXXXX", text[8] = "";
	int fd = mkstemp(path);

	for (unsigned int i = 0; i < 2; i++) {
		int log = os_open_log(path, false);

		EXPECT(fcntl(log, F_GETFD) & FD_CLOEXEC);
		EXPECT(!os_write(log, "ab", 2));
		os_close(log);
		EXPECT_EQ(fcntl(log, F_GETFD), -1);
	}
	EXPECT_EQ(read(fd, text, sizeof(text)), 4);
	EXPECT_STREQ(text, "abab");
	os_close(os_open_log(path, true));
	EXPECT_EQ(lseek(fd, 0, SEEK_END), 0);
	close(fd);
	unlink(path);
	EXPECT_EQ(os_open_log("/nowhere/at/all", false), -ENOENT);
}

TEST(the_program_has_a_path)
{
	char path[4096], other[4096];
	long length = os_read_executable(path, sizeof(path));

	EXPECT_EQ(length, readlink("/proc/self/exe", other, sizeof(other)));
	EXPECT(length > 0 && !memcmp(path, other, (size_t)length));
}

/* --- threads ---------------------------------------------------------------------------------- */

enum { NR_THREADS = 8 };
static _Atomic bool stop;
static _Atomic unsigned long steps[NR_THREADS];
static _Atomic int tids[NR_THREADS];
static _Atomic uintptr_t frames[NR_THREADS];

/* Even ones compute, odd ones sleep in the kernel. */
static void *work(void *argument)
{
	size_t i = (size_t)argument;

	frames[i] = (uintptr_t)__builtin_frame_address(0);
	tids[i] = (int)syscall(SYS_gettid);
	while (!stop) {
		steps[i]++;
		if (i % 2)
			usleep(1000);
	}
	return NULL;
}

static void start(pthread_t *threads)
{
	stop = false;
	for (size_t i = 0; i < NR_THREADS; i++) {
		tids[i] = 0;
		ASSERT(!pthread_create(&threads[i], NULL, work, (void *)i));
	}
	for (size_t i = 0; i < NR_THREADS; i++)
		while (!tids[i])
			usleep(100);
}

static void end(pthread_t *threads)
{
	stop = true;
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(threads[i], NULL);
}

static void count_thread(void *context, int tid)
{
	unsigned int *nr = context;

	EXPECT(!os_thread_has_ended(tid));
	(*nr)++;
}

TEST(threads_are_visited)
{
	pthread_t threads[NR_THREADS];
	unsigned int nr = 0;

	start(threads);
	pthread_setname_np(threads[0], "w) Zed"); /* the state of who has ended is Z */
	EXPECT(!os_visit_threads(count_thread, &nr));
	EXPECT_EQ(nr, NR_THREADS + 1);
	end(threads);
	/* Who is joined may not have been reaped yet. */
	for (unsigned int i = 0; i < 10000 && !os_thread_has_ended(tids[0]); i++)
		usleep(100);
	EXPECT(os_thread_has_ended(tids[0]));
}

static const struct os_parked *parked(int tid, unsigned int nr_parked)
{
	for (unsigned int i = 0; i < nr_parked; i++)
		if (os_parked[i].tid == tid)
			return &os_parked[i];
	return NULL;
}

static unsigned long all_steps(void)
{
	unsigned long sum = 0;

	for (size_t i = 0; i < NR_THREADS; i++)
		sum += steps[i];
	return sum;
}

TEST(parked_threads_stand_still_and_go_on)
{
	pthread_t threads[NR_THREADS];
	unsigned int nr_parked;

	start(threads);
	for (unsigned int round = 0; round < 100; round++) {
		unsigned long before;

		EXPECT_EQ(os_park(10000, &nr_parked), 0);
		EXPECT_EQ(nr_parked, NR_THREADS);
		before = all_steps();
		usleep(3000);
		EXPECT_EQ(all_steps(), before);
		for (size_t i = 0; i < NR_THREADS; i++) {
			const struct os_parked *thread = parked(tids[i], nr_parked);

			ASSERT(thread);
			EXPECT(thread->stack_pointer && thread->stack_pointer <= frames[i]);
			EXPECT(thread->stack_pointer > frames[i] - KIB(64));
			EXPECT_EQ(thread->thread_pointer, (uintptr_t)threads[i]);
		}
		os_unpark();
		while (all_steps() == before)
			usleep(100);
	}
	end(threads);
}

static void *block_all(void *argument)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	return work(argument);
}

/* Its number is tids[0]. */
static pthread_t start_deaf(void)
{
	pthread_t thread = 0;

	stop = false;
	tids[0] = 0;
	EXPECT(!pthread_create(&thread, NULL, block_all, (void *)0));
	while (thread && !tids[0])
		usleep(100);
	EXPECT(os_thread_blocks(tids[0], SIGURG));
	EXPECT(!os_thread_blocks(os_gettid(), SIGURG));
	return thread;
}

/* Its line is a long way down. */
ISOLATED_TEST(signals_are_found_behind_the_names_of_many_groups)
{
	enum { NR = 1000 };
	static gid_t groups[NR];
	pthread_t thread;

	for (size_t i = 0; i < NR; i++)
		groups[i] = (gid_t)(4000000000u + i);
	if (setgroups(NR, groups))
		return; /* not root */
	thread = start_deaf();
	stop = true;
	pthread_join(thread, NULL);
}

static void note_own(void *context, int listed)
{
	EXPECT(os_tid_of_listed(listed) != listed);
	*(bool *)context |= os_tid_of_listed(listed) == os_gettid();
}

/* As `unshare --pid --fork` does it, with a /proc that knows all by other numbers. */
static void in_namespace(void)
{
	pthread_t threads[NR_THREADS];
	unsigned int nr_parked = 0;
	bool found = false;

	start(threads);
	EXPECT(!os_visit_threads(note_own, &found));
	EXPECT(found);
	EXPECT_EQ(os_park(10000, &nr_parked), 0);
	EXPECT_EQ(nr_parked, NR_THREADS);
	os_unpark();
	end(threads);
}

ISOLATED_TEST(threads_of_another_pid_namespace_are_parked)
{
	if (unshare(CLONE_NEWPID))
		return; /* not root */
	isolated_run(in_namespace);
}

TEST(a_thread_that_blocks_signals_is_counted_and_goes_on)
{
	pthread_t thread;
	unsigned int nr_parked;

	thread = start_deaf();
	EXPECT_EQ(os_park(50, &nr_parked), 1);
	EXPECT_EQ(nr_parked, 1);
	EXPECT_EQ(os_parked[0].thread_pointer, 0);
	os_unpark();
	stop = true;
	pthread_join(thread, NULL);
	EXPECT_EQ(os_park(50, &nr_parked), 0);
	os_unpark();
}

/* One that has not run for a while seems to block signals for good: it is asked again. */
static bool park_all(unsigned int *nr_parked)
{
	bool at_once = !os_park(10000, nr_parked);
	int nr_deaf = at_once ? 0 : 1;

	for (unsigned int i = 0; i < 1000 && nr_deaf > 0; i++) {
		os_unpark();
		usleep(1000);
		nr_deaf = os_park(10000, nr_parked);
	}
	EXPECT_EQ(nr_deaf, 0);
	return at_once;
}

/* It begins with all signals blocked, as every thread does. */
TEST(threads_that_have_just_begun_are_parked)
{
	pthread_t threads[NR_THREADS];
	unsigned int nr_parked, nr_at_once = 0;

	for (unsigned int round = 0; round < 50; round++) {
		stop = false;
		for (size_t i = 0; i < NR_THREADS; i++)
			ASSERT(!pthread_create(&threads[i], NULL, work, (void *)i));
		nr_at_once += park_all(&nr_parked);
		EXPECT(nr_parked >= NR_THREADS);
		os_unpark();
		end(threads);
	}
	EXPECT(nr_at_once > 0);
}

static _Atomic uintptr_t sleepers_frame;

static void *sleep_deaf(void *unused)
{
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, NULL);
	sleepers_frame = (uintptr_t)__builtin_frame_address(0);
	while (!stop)
		usleep(20000);
	return unused;
}

TEST(a_sleeping_threads_stack_is_known)
{
	uintptr_t pointer = 0;
	pthread_t thread;
	unsigned int nr;

	stop = false;
	sleepers_frame = 0;
	ASSERT(!pthread_create(&thread, NULL, sleep_deaf, NULL));
	while (!sleepers_frame)
		usleep(100);
	for (unsigned int i = 0; i < 100 && !pointer; i++) {
		usleep(5000);
		EXPECT_EQ(os_park(50, &nr), 1);
		pointer = os_parked[0].stack_pointer;
		os_unpark();
	}
	EXPECT(pointer <= sleepers_frame && pointer > sleepers_frame - KIB(16));
	EXPECT_EQ(os_thread_stack_pointer(os_gettid() + 100000), 0);
	stop = true;
	pthread_join(thread, NULL);
}

RUN_TESTS
