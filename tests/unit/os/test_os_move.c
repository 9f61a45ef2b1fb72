/*
 * test_os_move.c - each entry of os_move.h on the real kernel. Where pages cannot be moved the
 * tests of moving say so and check that the refusal is one that os_move.h names.
 */
#define _GNU_SOURCE 1
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "kunit.h"
#include "os/os_move.h"

#define PAGE ((size_t)4096)
#define NR_PAGES 64u
#define HUGE ((size_t)2 << 20)

static char *memory; /* twice NR_PAGES: sources and destinations */
static int mover;

static char *from(size_t page)
{
	return memory + page * PAGE;
}

static char *to(size_t page)
{
	return memory + (NR_PAGES + page) * PAGE;
}

/* False where pages cannot be moved. */
static bool start(void)
{
	memory = mmap(NULL, 2 * NR_PAGES * PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT(memory != MAP_FAILED);
	mover = os_mover_open();
	if (mover < 0) {
		printf("pages cannot be moved: error %d\n", -mover);
		EXPECT(mover == -EPERM || mover == -EINVAL || mover == -ENOSYS ||
		       mover == -EOPNOTSUPP);
		return false;
	}
	ASSERT(!os_mover_register(mover, memory, 2 * NR_PAGES * PAGE));
	for (size_t i = 0; i < NR_PAGES; i++)
		*from(i) = (char)(i + 1);
	return true;
}

static void end(void)
{
	close(mover);
	munmap(memory, 2 * NR_PAGES * PAGE);
}

static int move(size_t to_page, size_t from_page, size_t nr_pages, size_t *nr_moved)
{
	int error = os_move(mover, to(to_page), from(from_page), nr_pages * PAGE, false, nr_moved);

	*nr_moved /= PAGE;
	return error;
}

static bool is_resident(char *page)
{
	unsigned char resident = 0;

	ASSERT(!mincore(page, PAGE, &resident));
	return resident & 1;
}

TEST(the_descriptor_is_out_of_the_way)
{
	int null, again;

	if (!start())
		return;
	null = open("/dev/null", O_RDONLY);
	EXPECT(mover >= 500);
	EXPECT_EQ(fcntl(mover, F_GETFD), FD_CLOEXEC);
	again = os_mover_open();
	EXPECT(again > mover);
	close(again);
	EXPECT(null < 500);
	close(null);
	end();
}

TEST(frames_move)
{
	size_t nr_moved;

	if (!start())
		return;
	EXPECT_EQ(move(3, 0, 10, &nr_moved), 0);
	EXPECT_EQ(nr_moved, 10);
	for (size_t i = 0; i < 10; i++) {
		EXPECT(!is_resident(from(i)));
		EXPECT(is_resident(to(3 + i)));
		EXPECT_EQ(*to(3 + i), i + 1);
		EXPECT_EQ(*from(i), 0);
	}
	EXPECT(!is_resident(to(2)) && !is_resident(to(13)));
	end();
}

TEST(no_fault_is_reported)
{
	size_t nr_moved;
	char text[128];

	if (!start())
		return;
	EXPECT_EQ(move(0, 0, 4, &nr_moved), 0);
	*to(10) = 1;
	*from(0) = 1;
	EXPECT(read(mover, text, sizeof(text)) < 0 && errno == EAGAIN);
	end();
}

TEST(only_what_was_reported_has_moved)
{
	size_t nr_moved;

	if (!start())
		return;
	ASSERT(!madvise(from(5), PAGE, MADV_DONTNEED));
	EXPECT_EQ(move(0, 0, 10, &nr_moved), -EAGAIN);
	EXPECT_EQ(nr_moved, 5);
	EXPECT_EQ(move(5, 5, 5, &nr_moved), -ENOENT);
	EXPECT_EQ(nr_moved, 0);
	*to(8) = 77;
	EXPECT_EQ(move(6, 6, 4, &nr_moved), -EAGAIN);
	EXPECT_EQ(nr_moved, 2);
	EXPECT_EQ(move(8, 8, 2, &nr_moved), -EEXIST);
	EXPECT_EQ(nr_moved, 0);
	EXPECT_EQ(*to(8), 77);
	EXPECT_EQ(*from(8), 9);
	end();
}

TEST(shared_frames_do_not_move)
{
	size_t nr_moved;
	pid_t child;

	if (!start())
		return;
	child = fork();
	if (!child) {
		pause();
		_exit(0);
	}
	EXPECT_EQ(move(0, 0, 4, &nr_moved), -EBUSY);
	EXPECT_EQ(nr_moved, 0);
	*from(0) = 99;
	EXPECT_EQ(move(0, 0, 1, &nr_moved), 0);
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	EXPECT_EQ(*to(0), 99);
	end();
}

/* The number is there, but moves nothing. */
TEST(a_child_needs_its_own)
{
	int status = -1;
	pid_t child;

	if (!start())
		return;
	child = fork();
	if (!child) {
		size_t nr_moved;

		for (size_t i = 0; i < NR_PAGES; i++)
			*from(i) = (char)(i + 1);
		EXPECT(move(0, 0, 4, &nr_moved) < 0);
		EXPECT_EQ(nr_moved, 0);
		mover = os_mover_open();
		EXPECT(!os_mover_register(mover, memory, 2 * NR_PAGES * PAGE));
		EXPECT_EQ(move(0, 0, 4, &nr_moved), 0);
		_exit(kunit.nr_failed_checks ? 1 : 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
	end();
}

TEST(what_is_no_mover)
{
	size_t moved = 1;
	int null = open("/dev/null", O_RDWR);

	memory = mmap(NULL, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	EXPECT_EQ(os_move(null, memory, memory + PAGE, PAGE, false, &moved), -ENOTTY);
	EXPECT_EQ(moved, 0);
	close(null);
	EXPECT_EQ(os_move(null, memory, memory + PAGE, PAGE, false, &moved), -EBADF);
	EXPECT(os_mover_register(null, memory, PAGE) < 0);
	munmap(memory, 2 * PAGE);
}

TEST(huge_pages_are_told)
{
	char *area = mmap(NULL, 2 * HUGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			  0);
	char *aligned = (char *)(((uintptr_t)area + HUGE - 1) & ~(HUGE - 1));
	int answer;

	madvise(aligned, HUGE, MADV_NOHUGEPAGE);
	*aligned = 1;
	answer = os_has_huge_page(aligned, HUGE);
	if (answer < 0) {
		printf("it cannot be told: error %d\n", -answer);
		return;
	}
	EXPECT_EQ(answer, 0);
	madvise(aligned, HUGE, MADV_DONTNEED);
	if (!madvise(aligned, HUGE, MADV_HUGEPAGE)) {
		*aligned = 1;
		EXPECT_EQ(os_has_huge_page(aligned, HUGE), is_resident(aligned + PAGE));
	}
	munmap(area, 2 * HUGE);
}

static void be_filtered(void)
{
	struct sock_filter filter[] = { BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW) };
	struct sock_fprog program = { 1, filter };

	EXPECT(!os_is_filtered());
	EXPECT(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
	EXPECT(!prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program));
	EXPECT(os_is_filtered());
}

TEST(a_filter_is_seen)
{
	int status = -1;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (!child) {
		be_filtered();
		_exit(kunit.nr_failed_checks ? 1 : 0);
	}
	ASSERT(waitpid(child, &status, 0) == child);
	EXPECT_EQ(status, 0);
}

TEST(mappings_are_counted)
{
	char *area = mmap(NULL, 16 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	uintptr_t begin = (uintptr_t)area, stop = begin + 16 * PAGE;

	EXPECT_EQ(os_count_maps(begin, stop), 1);
	ASSERT(!mprotect(area + 4 * PAGE, PAGE, PROT_READ));
	EXPECT_EQ(os_count_maps(begin, stop), 3);
	EXPECT_EQ(os_count_maps(begin + 4 * PAGE, begin + 5 * PAGE), 1);
	ASSERT(!munmap(area + 8 * PAGE, 4 * PAGE));
	EXPECT_EQ(os_count_maps(begin, stop), 4);
	EXPECT_EQ(os_count_maps(begin + 8 * PAGE, begin + 12 * PAGE), 0);
	munmap(area, 16 * PAGE);
}

RUN_TESTS
