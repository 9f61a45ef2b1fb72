/*
 * Stitching moves pages by a userfaultfd of the library's own. Programs that use userfaultfd
 * themselves, count on numbers of descriptors, close them all, or forbid the system calls, each in
 * a process of its own.
 */
#include <fcntl.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <poll.h>
#include <pthread.h>
#include <stddef.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "semantics/again.h"
#include "semantics/figures.h"

#define NR_BLOCKS 600
#define PAGE 4096u
#define LARGE ((size_t)6 << 20)
#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY 1
#endif

static char *blocks[NR_BLOCKS];
static size_t sizes[NR_BLOCKS];

static void write_tags(char *block, size_t bytes)
{
	for (size_t at = 0; at + sizeof(char *) <= bytes; at += PAGE)
		*(char **)(block + at) = block + at;
}

static void check_tags(char *block, size_t bytes)
{
	for (size_t at = 0; at + sizeof(char *) <= bytes; at += PAGE)
		CHECK(*(char **)(block + at) == block + at, "page %zu of %zu bytes", at / PAGE,
		      bytes);
}

/* A heap of which half is free in scattered runs; then large blocks, again and again. */
static void work(void)
{
	char *large[3] = { NULL };

	for (size_t i = 0; i < NR_BLOCKS; i++) {
		sizes[i] = ((i * 7919) % 48 + 16) << 12;
		blocks[i] = malloc(sizes[i]);
		CHECK(blocks[i], "malloc(%zu)", sizes[i]);
		write_tags(blocks[i], sizes[i]);
	}
	for (size_t i = 0; i < NR_BLOCKS; i += 2) {
		free(blocks[i]);
		blocks[i] = NULL;
	}
	for (size_t i = 0; i < 12; i++) {
		size_t bytes = LARGE + i % 7 * (LARGE / 8);

		free(large[i % 3]);
		large[i % 3] = malloc(bytes);
		CHECK(large[i % 3], "malloc(%zu)", bytes);
		write_tags(large[i % 3], bytes);
		check_tags(large[i % 3], bytes);
	}
	for (size_t i = 0; i < 3; i++)
		free(large[i]);
	for (size_t i = 1; i < NR_BLOCKS; i += 2) {
		check_tags(blocks[i], sizes[i]);
		free(blocks[i]);
	}
}

static size_t moved_pages(void)
{
	return figure("stitch_pages");
}

/* What the kernel can do for others it does for us. */
static bool can_move(void)
{
	struct uffdio_api api = { .api = UFFD_API, .features = (uint64_t)1 << 16 };
	int uffd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	bool can = uffd >= 0 && !ioctl(uffd, UFFDIO_API, &api);

	close(uffd);
	return can;
}

/* Our own descriptor among the open ones; -1: none. */
static int find_mover(void)
{
	for (int fd = 3; fd < 4096; fd++) {
		char path[64], target[64];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		if (length <= 0)
			continue;
		target[length] = '\0';
		if (!strcmp(target, "anon_inode:[userfaultfd]"))
			return fd;
	}
	return -1;
}

static int lowest_fd(void)
{
	int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

	close(fd);
	return fd;
}

/* ---- stages ---- */

static void out_of_the_way(void)
{
	int lowest = lowest_fd(), mover;

	work();
	CHECK(moved_pages() > 0, "nothing was stitched");
	mover = find_mover();
	CHECK(mover >= 500, "the mover is descriptor %d", mover);
	CHECK(fcntl(mover, F_GETFD) == FD_CLOEXEC, "it survives exec");
	CHECK(lowest_fd() == lowest, "the lowest descriptor was %d", lowest);
}

static void few_descriptors(void)
{
	const struct rlimit few = { 16, 16 };

	CHECK(!setrlimit(RLIMIT_NOFILE, &few), "setrlimit");
	work();
	CHECK(moved_pages() > 0, "nothing was stitched");
	CHECK(find_mover() >= 8, "the mover is descriptor %d", find_mover());
}

static void no_descriptors(void)
{
	while (open("/dev/null", O_RDONLY) >= 0)
		;
	work();
}

static void closed_by_the_program(void)
{
	size_t before;

	for (unsigned int round = 0; round < 3; round++) {
		before = moved_pages();
		work();
		CHECK((moved_pages() > before) == (round < 2), "round %u", round);
		syscall(__NR_close_range, 3, ~0u, 0);
	}
	work();
}

/* The number is another file's now. */
static void replaced_by_the_program(void)
{
	int null = open("/dev/null", O_RDWR), mover;

	for (unsigned int round = 0; round < 3; round++) {
		work();
		mover = find_mover();
		if (mover < 0)
			break;
		CHECK(dup2(null, mover) == mover, "dup2");
	}
	CHECK(fcntl(mover < 0 ? null : mover, F_GETFD) >= 0, "our file was closed");
	work();
}

/* Faults of a mapping of its own, served by a thread. */
static struct {
	int uffd;
	char *pages;
	size_t bytes;
} own;

static void *serve(void *unused)
{
	struct uffd_msg message;
	char *page = aligned_alloc(PAGE, PAGE);

	while (read(own.uffd, &message, sizeof(message)) == sizeof(message)) {
		uint64_t address = message.arg.pagefault.address & ~(uint64_t)(PAGE - 1);
		struct uffdio_copy copy = { .dst = address, .src = (uintptr_t)page, .len = PAGE };

		CHECK(message.event == UFFD_EVENT_PAGEFAULT, "event %u", message.event);
		CHECK(address - (uintptr_t)own.pages < own.bytes, "a fault of the heap at %#llx",
		      (unsigned long long)address);
		memset(page, 0, PAGE);
		*(uint64_t *)(void *)page = address;
		CHECK(!ioctl(own.uffd, UFFDIO_COPY, &copy), "UFFDIO_COPY: errno %d", errno);
	}
	return unused;
}

static void open_own(void)
{
	struct uffdio_api api = { .api = UFFD_API };

	own.uffd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);
	CHECK(own.uffd >= 0 && !ioctl(own.uffd, UFFDIO_API, &api), "userfaultfd");
}

static int register_own(void *address, size_t bytes)
{
	struct uffdio_register range = { .range = { (uintptr_t)address, bytes },
					 .mode = UFFDIO_REGISTER_MODE_MISSING };

	return ioctl(own.uffd, UFFDIO_REGISTER, &range) ? errno : 0;
}

static void serves_faults_itself(void)
{
	pthread_t thread;

	open_own();
	own.bytes = (size_t)16 << 20;
	own.pages = mmap(NULL, own.bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
			 0);
	CHECK(!register_own(own.pages, own.bytes), "register");
	CHECK(!pthread_create(&thread, NULL, serve, NULL), "pthread_create");
	for (size_t at = 0; at < own.bytes; at += own.bytes / 4) {
		work();
		for (size_t i = at; i < at + own.bytes / 4; i += PAGE)
			CHECK(*(volatile uint64_t *)(void *)(own.pages + i) ==
			      (uintptr_t)own.pages + i, "page %zu", i / PAGE);
	}
	CHECK(moved_pages() > 0, "nothing was stitched");
}

/* Memory that it got from malloc: then it is the program's, and we do without. */
static void watches_its_heap(void)
{
	char *block = aligned_alloc(PAGE, (size_t)4 << 20);

	open_own();
	CHECK(block && !register_own(block, (size_t)4 << 20), "register");
	work();
	CHECK(!moved_pages(), "stitched");
}

/* Too late: the kernel lets one descriptor have a range. */
static void watches_its_heap_late(void)
{
	char *block = aligned_alloc(PAGE, (size_t)4 << 20);
	int error;

	work();
	open_own();
	error = register_own(block, (size_t)4 << 20);
	CHECK(error == (moved_pages() ? EBUSY : 0), "register: errno %d", error);
	work();
}

/* These calls are answered by the action, all others go through. */
static void filter_calls(const unsigned int *numbers, size_t count, uint32_t action)
{
	struct sock_filter filter[2 * 6 + 2];
	struct sock_fprog program = { .filter = filter };

	filter[program.len++] = (struct sock_filter)BPF_STMT(
		BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr));
	for (size_t i = 0; i < count; i++) {
		filter[program.len++] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K,
								      numbers[i], 0, 1);
		filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, action);
	}
	filter[program.len++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	CHECK(!prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	      !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program), "seccomp");
}

/* Kills who calls one of these. */
static void forbidden(void)
{
	static const unsigned int numbers[] = { __NR_userfaultfd, __NR_ioctl, __NR_openat,
						__NR_close, __NR_fcntl, __NR_uname };

	filter_calls(numbers, sizeof(numbers) / sizeof(numbers[0]), SECCOMP_RET_KILL_PROCESS);
}

static void refuse(unsigned int number)
{
	filter_calls(&number, 1, SECCOMP_RET_ERRNO | EPERM);
}

/* As in a container: what would be faulted in is made up for. */
static void mover_is_refused(void)
{
	refuse(__NR_userfaultfd);
	work();
	CHECK(!moved_pages() && figure("stitch_purged") > 0, "nothing was dropped");
	CHECK(figure("stitch_error") == EPERM, "error %zu", figure("stitch_error"));
}

static void mremap_is_refused(void)
{
	refuse(__NR_mremap);
	work();
	CHECK(!figure("gather_pages") && figure("stitch_purged") > 0, "nothing was dropped");
}

static void mremap_in_place_of_it(void)
{
	work();
	CHECK(!moved_pages() && figure("gather_pages") > 0, "nothing was gathered");
	CHECK(find_mover() < 0, "there is a mover");
}

static void forbidden_from_the_start(void)
{
	forbidden();
	work();
}

static void forbidden_later(void)
{
	work();
	forbidden();
	work();
}

/* Each generation stitches by a descriptor of its own. */
static void generations(unsigned int depth)
{
	size_t before = depth ? moved_pages() : 0;
	int status;
	pid_t child;

	work();
	CHECK(moved_pages() > before, "generation %u has not stitched", depth);
	if (depth == 3)
		return;
	child = fork();
	CHECK(child >= 0, "fork");
	if (!child) {
		generations(depth + 1);
		_exit(0);
	}
	work();
	CHECK(waitpid(child, &status, 0) == child && !status, "generation %u: %#x", depth + 1,
	      status);
}

static void children(void)
{
	generations(0);
}

/* As by default, or whatever it costs here. */
static const struct {
	const char *name;
	void (*run)(void);
	const char *options;
} stages[] = {
#define STAGE(name) { #name, name, "stitch=uffd" }
#define STAGE_BY_DEFAULT(name) { #name, name, NULL }
	STAGE(out_of_the_way),	   STAGE(few_descriptors),
	STAGE(no_descriptors),	   STAGE(closed_by_the_program),
	STAGE(replaced_by_the_program), STAGE(serves_faults_itself),
	STAGE(watches_its_heap),   STAGE(watches_its_heap_late),
	STAGE_BY_DEFAULT(forbidden_from_the_start), STAGE_BY_DEFAULT(forbidden_later),
	STAGE(children),	   STAGE(mover_is_refused),
	{ "mremap_is_refused", mremap_is_refused, "stitch=mremap" },
	{ "mremap_in_place_of_it", mremap_in_place_of_it, "stitch=mremap" },
#undef STAGE
#undef STAGE_BY_DEFAULT
};

int main(int argc, char **argv)
{
	static char output[4096];

	if (argc == 1 && !can_move()) {
		puts("userfaultfd: pages cannot be moved here");
		return 0;
	}
	for (size_t i = 0; i < sizeof(stages) / sizeof(stages[0]); i++) {
		int status;

		if (argc > 1 && strcmp(argv[1], stages[i].name))
			continue;
		if (argc > 1) {
			alarm(120);
			stages[i].run();
			return 0;
		}
		status = run_again(stages[i].name, "STITCH_CONF", stages[i].options, output,
				   sizeof(output));
		CHECK(!status, "%s: status %#x: %s", stages[i].name, status, output);
	}
	if (argc > 1)
		return 2;
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc");
	return 0;
}
