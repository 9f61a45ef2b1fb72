/*
 * test_os_copy.c - each entry of os_copy.h and os_signal.h on the real kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kunit.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_signal.h"

/* What the copy writes to shared memory is seen, what it writes to its own is not. */
TEST(copy)
{
	static volatile int own = 1;
	volatile int *shared;
	void *address;
	int pid;

	EXPECT_EQ(os_map_shared(OS_PAGE_SIZE, &address), 0);
	shared = address;
	pid = os_copy_process();
	if (!pid) {
		own = 2;
		*shared = own;
		os_exit(0);
	}
	EXPECT(pid > 0);
	EXPECT_EQ(waitpid(-1, NULL, 0), -1);
	EXPECT_EQ(errno, ECHILD);
	EXPECT_EQ(os_wait_for_copy(pid, true), 0);
	EXPECT_EQ(own, 1);
	EXPECT_EQ(*shared, 2);
	EXPECT_EQ(os_wait_for_copy(pid, false), -ECHILD);
}

TEST(copy_that_takes_long)
{
	int pid = os_copy_process();

	if (!pid) {
		pause();
		os_exit(0);
	}
	EXPECT_EQ(os_wait_for_copy(pid, false), -EAGAIN);
	kill(pid, SIGKILL);
	EXPECT_EQ(os_wait_for_copy(pid, true), 0);
}

/* Descriptors but one are closed. */
TEST(copy_begins)
{
	int low = dup(1), kept = dup(1), high = dup2(1, 200), *is_right, pid;
	void *address;

	EXPECT_EQ(os_map_shared(OS_PAGE_SIZE, &address), 0);
	is_right = address;
	pid = os_copy_process();
	if (!pid) {
		os_copy_begins(kept);
		*is_right = fcntl(low, F_GETFD) < 0 && fcntl(high, F_GETFD) < 0 &&
			    fcntl(0, F_GETFD) < 0 && fcntl(kept, F_GETFD) >= 0;
		os_exit(0);
	}
	EXPECT_EQ(os_wait_for_copy(pid, true), 0);
	EXPECT(*is_right);
}

static volatile uintptr_t seen_pointer;
static volatile int nr_seen;

static void note_signal(int number, void *info, void *context)
{
	(void)info;
	nr_seen += number == SIGUSR1;
	seen_pointer = os_signal_stack_in_use(context);
}

TEST(signal_is_handled)
{
	os_signal_fn *handler;
	char here;

	EXPECT_EQ(os_signal_handler(SIGUSR1, &handler), 0);
	EXPECT(!handler);
	EXPECT_EQ(os_signal_handle(SIGUSR1, note_signal), 0);
	EXPECT_EQ(os_signal_handler(SIGUSR1, &handler), 0);
	EXPECT(handler == note_signal);
	EXPECT_EQ(os_signal_handle(SIGKILL, note_signal), -EINVAL);
	raise(SIGUSR1);
	EXPECT_EQ(nr_seen, 1);
	EXPECT(seen_pointer < (uintptr_t)&here && (uintptr_t)&here - seen_pointer < 65536);
}

TEST(signal_later)
{
	EXPECT_EQ(os_signal_later(SIGUSR1, 200000), 0);
	EXPECT_EQ(os_signal_later(SIGUSR1, 2000), 0); /* in its place */
	for (int i = 0; i < 10000 && nr_seen == 1; i++)
		usleep(1000);
	usleep(300000);
	EXPECT_EQ(nr_seen, 2);
}

RUN_TESTS
