/*
 * os_fake.c - os.h over libc's syscall(), with failures, features and facts to order.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <linux/futex.h>
#include <linux/memfd.h>
#include <linux/mman.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/sysinfo.h>
#include <time.h>
#include <unistd.h>

#include "base/math.h"
#include "fake/os_fake.h"

struct call_state {
	_Atomic unsigned int nr_calls;
	unsigned int fail_first, fail_last; /* in calls since the reset, from 1; 0: none */
	int error;
};

#define MAX_BOUND 64u

struct fake_bound {
	void *address;
	size_t bytes;
	unsigned int node;
};

static struct {
	struct call_state calls[NR_OS_CALLS];
	unsigned int cpu, node;	   /* of every thread */
	struct fake_bound bound[MAX_BOUND];
	uint64_t memory_nodes;
	bool has_policy;
	unsigned int nr_bound;
	bool feature_off[NR_OS_FEATURES];
	unsigned int purge_limit;
	size_t move_limit; /* pages */
	bool moved_is_huge, move_out_unmaps;
	_Atomic bool clock_set;
	_Atomic uint64_t clock_ms;
	size_t physical_bytes, address_space_limit;
	const char *const *environment;
	bool secure;
	struct {
		const char *path, *text;
	} files[OS_FAKE_FILES];
	bool capturing;
	size_t captured_bytes;
	char captured[16 * 1024 + 1];
} fake = { .purge_limit = UINT_MAX, .move_limit = SIZE_MAX };

static const char *const empty_environment[] = { NULL };

void os_fake_reset(void)
{
	memset(&fake, 0, sizeof(fake));
	fake.purge_limit = UINT_MAX;
	fake.move_limit = SIZE_MAX;
}

void os_fake_fail(enum os_call call, unsigned int nth, unsigned int count, int error)
{
	struct call_state *state = &fake.calls[call];

	state->fail_first = nth && count ? state->nr_calls + nth : 0;
	state->fail_last = count >= UINT_MAX - state->fail_first ? UINT_MAX :
								     state->fail_first + count - 1;
	state->error = error;
}

unsigned int os_fake_calls(enum os_call call)
{
	return fake.calls[call].nr_calls;
}

void os_fake_feature(enum os_feature feature, bool on)
{
	fake.feature_off[feature] = !on;
}

void os_fake_purge_limit(unsigned int nr_ranges)
{
	fake.purge_limit = nr_ranges;
}

void os_fake_move_limit(size_t nr_pages)
{
	fake.move_limit = nr_pages;
}

void os_fake_moved_is_huge(bool huge)
{
	fake.moved_is_huge = huge;
}

void os_fake_move_out_unmaps(bool unmaps)
{
	fake.move_out_unmaps = unmaps;
}

void os_fake_clock_set(uint64_t ms)
{
	fake.clock_set = true;
	fake.clock_ms = ms;
}

void os_fake_clock_advance(uint64_t ms)
{
	os_fake_clock_set(os_clock_ms() + ms);
}

void os_fake_physical_set(size_t bytes)
{
	fake.physical_bytes = bytes;
}

void os_fake_address_space_limit_set(size_t bytes)
{
	fake.address_space_limit = bytes;
}

void os_fake_start_set(const char *const *environment, bool secure)
{
	fake.environment = environment;
	fake.secure = secure;
}

void os_fake_file_set(const char *path, const char *text)
{
	unsigned int i = 0;

	while (fake.files[i].path && strcmp(fake.files[i].path, path))
		if (++i == OS_FAKE_FILES)
			abort();
	fake.files[i].path = path;
	fake.files[i].text = text;
}

void os_fake_capture_begin(void)
{
	fake.capturing = true;
	fake.captured_bytes = 0;
}

const char *os_fake_capture_end(void)
{
	fake.capturing = false;
	fake.captured[fake.captured_bytes] = '\0';
	return fake.captured;
}

/* Count one call under `kind`; the error that its rule has for it, or 0. */
static int count_one(enum os_call kind)
{
	struct call_state *state = &fake.calls[kind];
	unsigned int n = ++state->nr_calls;

	if (state->fail_first && n >= state->fail_first && n <= state->fail_last)
		return -state->error;
	return 0;
}

static int enter(enum os_call call)
{
	int error_of_all = count_one(OS_CALL_ANY);
	int error = count_one(call);

	return error ? error : error_of_all;
}

/* Turn libc's convention into that of os.h: -errno returned, errno untouched. */
static long kernel_result(long ret, int saved_errno)
{
	if (ret == -1)
		ret = -errno;
	errno = saved_errno;
	return ret;
}

#define SYSCALL(...) \
	({ \
		int saved_errno = errno; \
		kernel_result(syscall(__VA_ARGS__), saved_errno); \
	})

int os_reserve(void *hint, size_t bytes, void **address)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | (hint ? MAP_FIXED_NOREPLACE : 0);
	int error = enter(OS_CALL_RESERVE);
	long ret;

	if (error)
		return error;
	if (fake.address_space_limit && bytes > fake.address_space_limit)
		return -ENOMEM;
	ret = SYSCALL(SYS_mmap, hint, bytes, PROT_NONE, flags, -1, 0);
	if (ret < 0)
		return (int)ret;
	if (hint && ret != (long)hint) { /* Valgrind's own mmap takes it for a mere hint */
		SYSCALL(SYS_munmap, ret, bytes);
		return -EEXIST;
	}
	*address = (void *)ret;
	return 0;
}

int os_unreserve(void *address, size_t bytes)
{
	int error = enter(OS_CALL_UNRESERVE);

	return error ? error : (int)SYSCALL(SYS_munmap, address, bytes);
}

int os_open(void *address, size_t bytes)
{
	int error = enter(OS_CALL_OPEN);

	return error ? error : (int)SYSCALL(SYS_mprotect, address, bytes, PROT_READ | PROT_WRITE);
}

int os_make_readonly(void *address, size_t bytes)
{
	int error = enter(OS_CALL_MAKE_READONLY);

	return error ? error : (int)SYSCALL(SYS_mprotect, address, bytes, PROT_READ);
}

static int purge(const struct os_range *range)
{
	return (int)SYSCALL(SYS_madvise, range->address, range->bytes, MADV_DONTNEED);
}

int os_purge(void *address, size_t bytes)
{
	int error = enter(OS_CALL_PURGE);

	return error ? error : purge(&(struct os_range){ address, bytes });
}

long os_purge_ranges(const struct os_range *ranges, unsigned int nr_ranges)
{
	int error = enter(OS_CALL_PURGE_RANGES);
	long purged = 0;

	for (unsigned int i = 0; !error && i < nr_ranges && i < fake.purge_limit; i++) {
		if (fake.feature_off[OS_FEATURE_VECTORED_PURGE])
			error = os_purge(ranges[i].address, ranges[i].bytes);
		else
			error = purge(&ranges[i]);
		if (!error)
			purged += (long)ranges[i].bytes;
	}
	return purged ? purged : error;
}

/* The last range that was to have huge pages: touched, it is resident all over. */
static struct os_range huge_range;

static bool is_pretended_huge(const char *address, size_t bytes)
{
	const char *start = huge_range.address;

	return !fake.feature_off[OS_FEATURE_HUGE_PAGES] && start && address >= start &&
	       address + bytes <= start + huge_range.bytes;
}

static int advise_huge_pages(enum os_call call, void *address, size_t bytes, int advice)
{
	int error = enter(call);

	if (!error && fake.feature_off[OS_FEATURE_HUGE_PAGES])
		error = -EINVAL;
	return error ? error : (int)SYSCALL(SYS_madvise, address, bytes, advice);
}

int os_forbid_huge_pages(void *address, size_t bytes)
{
	return advise_huge_pages(OS_CALL_FORBID_HUGE_PAGES, address, bytes, MADV_NOHUGEPAGE);
}

int os_want_huge_pages(void *address, size_t bytes)
{
	huge_range = (struct os_range){ address, bytes };
	return advise_huge_pages(OS_CALL_WANT_HUGE_PAGES, address, bytes, MADV_HUGEPAGE);
}

int os_populate(void *address, size_t bytes)
{
	int error = enter(OS_CALL_POPULATE);

	if (!error && fake.feature_off[OS_FEATURE_POPULATE])
		error = -EINVAL;
	return error ? error : (int)SYSCALL(SYS_madvise, address, bytes, MADV_POPULATE_WRITE);
}

int os_wipe_on_fork(void *address, size_t bytes)
{
	int error = enter(OS_CALL_WIPE_ON_FORK);

	if (!error && fake.feature_off[OS_FEATURE_WIPE_ON_FORK])
		error = -EINVAL;
	return error ? error : (int)SYSCALL(SYS_madvise, address, bytes, MADV_WIPEONFORK);
}

/* Really, as far as the machine allows: a test says what it is to see. */
int os_pin(void *address, size_t bytes)
{
	int error = enter(OS_CALL_PIN);

	if (!error)
		SYSCALL(SYS_mlock, address, bytes);
	return error;
}

int os_unpin(void *address, size_t bytes)
{
	int error = enter(OS_CALL_UNPIN);

	return error ? error : (int)SYSCALL(SYS_munlock, address, bytes);
}

int os_mincore(void *address, size_t bytes, unsigned char *resident)
{
	int error = enter(OS_CALL_MINCORE);

	if (!error && fake.feature_off[OS_FEATURE_MINCORE])
		error = -ENOSYS;
	if (!error && is_pretended_huge(address, bytes)) {
		memset(resident, 1, bytes / OS_PAGE_SIZE);
		return 0;
	}
	return error ? error : (int)SYSCALL(SYS_mincore, address, bytes, resident);
}

int os_futex_wait(_Atomic uint32_t *word, uint32_t value)
{
	int error = enter(OS_CALL_FUTEX_WAIT);

	return error ? error : (int)SYSCALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, NULL);
}

int os_futex_wait_for(_Atomic uint32_t *word, uint32_t value, uint32_t us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000l };
	int error = enter(OS_CALL_FUTEX_WAIT_FOR);

	return error ? error : (int)SYSCALL(SYS_futex, word, FUTEX_WAIT_PRIVATE, value, &time);
}

int os_futex_wake(_Atomic uint32_t *word, unsigned int nr_waiters)
{
	int error = enter(OS_CALL_FUTEX_WAKE);

	nr_waiters = (unsigned int)min_size(nr_waiters, INT_MAX);
	return error ? error : (int)SYSCALL(SYS_futex, word, FUTEX_WAKE_PRIVATE, nr_waiters);
}

void os_nap(uint32_t us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000l };

	count_one(OS_CALL_NAP);
	SYSCALL(SYS_nanosleep, &time, NULL);
}

int os_write(int fd, const void *bytes, size_t nr_bytes)
{
	int error = enter(OS_CALL_WRITE);
	const char *from = bytes;

	if (!error && fake.capturing && fd == STDERR_FILENO) {
		size_t room = sizeof(fake.captured) - 1 - fake.captured_bytes;

		memcpy(fake.captured + fake.captured_bytes, bytes, min_size(nr_bytes, room));
		fake.captured_bytes += min_size(nr_bytes, room);
		return 0;
	}
	while (!error && nr_bytes) {
		long ret = SYSCALL(SYS_write, fd, from, nr_bytes);

		if (ret < 0 && ret != -EINTR)
			error = (int)ret;
		if (ret > 0) {
			from += ret;
			nr_bytes -= (size_t)ret;
		}
	}
	return error;
}

long os_read_file(const char *path, void *buffer, size_t nr_bytes)
{
	int error = enter(OS_CALL_READ_FILE);
	unsigned int i = 0;
	size_t length;

	if (error)
		return error;
	while (i < OS_FAKE_FILES && fake.files[i].path && strcmp(path, fake.files[i].path))
		i++;
	if (i == OS_FAKE_FILES || !fake.files[i].path || !fake.files[i].text)
		return -ENOENT;
	length = min_size(strlen(fake.files[i].text), nr_bytes);
	memcpy(buffer, fake.files[i].text, length);
	return (long)length;
}

long os_read_kernel_file(const char *path, void *buffer, size_t nr_bytes)
{
	return os_read_file(path, buffer, nr_bytes);
}

int os_getpid(void)
{
	enter(OS_CALL_GETPID);
	return (int)SYSCALL(SYS_getpid);
}

int os_gettid(void)
{
	enter(OS_CALL_GETTID);
	return (int)SYSCALL(SYS_gettid);
}

uint64_t os_clock_ms(void)
{
	struct timespec now = { 0 };

	enter(OS_CALL_CLOCK_MS);
	if (fake.clock_set)
		return fake.clock_ms;
	SYSCALL(SYS_clock_gettime, CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Where the clock stands, every question takes a microsecond. */
uint64_t os_clock_ns(void)
{
	struct timespec now = { 0 };

	enter(OS_CALL_CLOCK_NS);
	if (fake.clock_set)
		return fake.clock_ms * 1000000 + fake.calls[OS_CALL_CLOCK_NS].nr_calls * 1000;
	SYSCALL(SYS_clock_gettime, CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

size_t os_physical_bytes(void)
{
	struct sysinfo info = { 0 };

	enter(OS_CALL_PHYSICAL_BYTES);
	if (fake.physical_bytes)
		return fake.physical_bytes;
	SYSCALL(SYS_sysinfo, &info);
	return info.totalram * info.mem_unit;
}

size_t os_address_space_limit(void)
{
	struct rlimit limit = { RLIM_INFINITY, RLIM_INFINITY };

	enter(OS_CALL_ADDRESS_SPACE_LIMIT);
	if (fake.address_space_limit)
		return fake.address_space_limit;
	SYSCALL(SYS_prlimit64, 0, RLIMIT_AS, NULL, &limit);
	return limit.rlim_cur == RLIM_INFINITY ? SIZE_MAX : limit.rlim_cur;
}

_Noreturn void os_abort(void)
{
	abort();
}

void os_start_read(struct os_start *start)
{
	enter(OS_CALL_START_READ);
	start->environment = fake.environment ? fake.environment : empty_environment;
	start->secure = fake.secure;
}

/* --- os_move.h ------------------------------------------------------------------------------ */

#define FAKE_MOVER 900

int os_mover_open(void)
{
	int error = enter(OS_CALL_MOVER_OPEN);

	if (!error && fake.feature_off[OS_FEATURE_MOVE])
		error = -EINVAL;
	return error ? error : FAKE_MOVER;
}

int os_file_of(int fd, struct os_file *file)
{
	*file = (struct os_file){ 1, (uint64_t)fd };
	return 0;
}

void os_mover_close(int mover)
{
	enter(OS_CALL_MOVER_CLOSE);
	(void)mover;
}

enum os_swap os_swap(void)
{
	return !fake.feature_off[OS_FEATURE_NO_SWAP] ? OS_SWAP_NONE :
	       fake.feature_off[OS_FEATURE_SAFE_SWAP] ? OS_SWAP_LOSES : OS_SWAP_SAFE;
}

bool os_moves_huge_pages(void)
{
	return !fake.feature_off[OS_FEATURE_MOVE_HUGE];
}

int os_mover_register(int mover, void *address, size_t bytes)
{
	int error = enter(OS_CALL_MOVER_REGISTER);

	(void)address;
	(void)bytes;
	return error || mover == FAKE_MOVER ? error : -EBADF;
}

static bool has_frame(char *page)
{
	unsigned char resident = 0;

	SYSCALL(SYS_mincore, page, OS_PAGE_SIZE, &resident);
	return resident & 1;
}

static int move_page(char *to, char *from)
{
	if (!has_frame(from))
		return -ENOENT;
	if (has_frame(to))
		return -EEXIST;
	memcpy(to, from, OS_PAGE_SIZE);
	return purge(&(struct os_range){ from, OS_PAGE_SIZE });
}

int os_move(int mover, void *to, void *from, size_t bytes, bool holes, size_t *moved)
{
	int error = enter(OS_CALL_MOVE);

	*moved = 0;
	if (!error && mover != FAKE_MOVER)
		error = -EBADF;
	while (!error && *moved < bytes) {
		if (*moved / OS_PAGE_SIZE == fake.move_limit)
			return -EAGAIN;
		error = move_page((char *)to + *moved, (char *)from + *moved);
		if (error == -ENOENT && holes)
			error = 0;
		if (error && *moved)
			return -EAGAIN;
		*moved += error ? 0 : OS_PAGE_SIZE;
	}
	return error;
}

/* --- os_map.h ------------------------------------------------------------------------------- */

int os_map(size_t bytes, void **address)
{
	int error = enter(OS_CALL_MAP);
	long ret;

	if (error)
		return error;
	if (fake.address_space_limit && bytes > fake.address_space_limit)
		return -ENOMEM;
	ret = SYSCALL(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (ret < 0)
		return (int)ret;
	*address = (void *)ret;
	return 0;
}

/* By copying, since Valgrind does not know MREMAP_DONTUNMAP. */
int os_move_out(void *from, size_t bytes, void *to)
{
	int error = enter(OS_CALL_MOVE_OUT);

	if (!error && fake.feature_off[OS_FEATURE_MOVE_OUT])
		error = -EINVAL;
	if (error && fake.move_out_unmaps)
		SYSCALL(SYS_munmap, to, bytes);
	if (error)
		return error;
	error = (int)SYSCALL(SYS_madvise, to, bytes, MADV_DONTNEED);
	for (size_t at = 0; !error && at < bytes; at += OS_PAGE_SIZE)
		if (has_frame((char *)from + at))
			memcpy((char *)to + at, (char *)from + at, OS_PAGE_SIZE);
	return error ? error : purge(&(struct os_range){ from, bytes });
}

int os_map_at(void *address, size_t bytes)
{
	int error = enter(OS_CALL_MAP_AT);
	long ret;

	if (error)
		return error;
	ret = SYSCALL(SYS_mmap, address, bytes, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1, 0);
	return ret < 0 ? (int)ret : 0;
}

bool os_is_one_map(void *address, size_t bytes)
{
	static unsigned char resident[GIB(1) / OS_PAGE_SIZE];

	enter(OS_CALL_IS_ONE_MAP);
	return !fake.feature_off[OS_FEATURE_ONE_MAP] && !mincore(address, bytes, resident);
}

int os_resize_mapping(void **address, size_t old_bytes, size_t bytes)
{
	int error = enter(OS_CALL_RESIZE_MAPPING);
	long ret;

	if (error)
		return error;
	ret = SYSCALL(SYS_mremap, *address, old_bytes, bytes, MREMAP_MAYMOVE, NULL);
	if (ret >= 0)
		*address = (void *)ret;
	return ret < 0 ? (int)ret : 0;
}

uint64_t os_block_signals(void)
{
	uint64_t all = ~(uint64_t)0, before = 0;

	SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &all, &before, sizeof(all));
	return before;
}

void os_restore_signals(uint64_t mask)
{
	SYSCALL(SYS_rt_sigprocmask, SIG_SETMASK, &mask, NULL, sizeof(mask));
}

/* --- os_frames.h ---------------------------------------------------------------------------- */

/* A signal handler that forks in between would leave the child with its parent's file. */
static int enter_blocked(enum os_call call)
{
	uint64_t blocked = 0;

	SYSCALL(SYS_rt_sigprocmask, SIG_BLOCK, NULL, &blocked, sizeof(blocked));
	if (!(blocked >> (SIGUSR1 - 1) & 1))
		abort();
	return enter(call);
}

int os_frames_open(size_t bytes)
{
	int error = enter_blocked(OS_CALL_FRAMES_OPEN);
	int frames = error ? error : (int)SYSCALL(SYS_memfd_create, "os_fake", MFD_CLOEXEC);

	if (frames >= 0)
		SYSCALL(SYS_ftruncate, frames, bytes);
	return frames;
}

void os_frames_close(int frames)
{
	SYSCALL(SYS_close, frames);
}

int os_frames_fill(int frames, size_t offset, size_t bytes)
{
	int error = enter_blocked(OS_CALL_FRAMES_FILL);

	return error ? error : (int)SYSCALL(SYS_fallocate, frames, 0, offset, bytes);
}

int os_frames_drop(int frames, size_t offset, size_t bytes)
{
	int mode = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE;
	int error = enter_blocked(OS_CALL_FRAMES_DROP);

	return error ? error : (int)SYSCALL(SYS_fallocate, frames, mode, offset, bytes);
}

int os_frames_map(int frames, size_t offset, void *address, size_t bytes, bool writable)
{
	int error = enter_blocked(OS_CALL_FRAMES_MAP);
	long ret;

	if (error)
		return error;
	ret = SYSCALL(SYS_mmap, address, bytes, PROT_READ | (writable ? PROT_WRITE : 0),
		      MAP_SHARED | MAP_FIXED, frames, offset);
	return ret < 0 ? (int)ret : 0;
}

size_t os_file_size_limit(void)
{
	return SIZE_MAX;
}

/* -------------------------------------------------------------------------------------------- */

bool os_is_locked(void *address)
{
	enter(OS_CALL_IS_LOCKED);
	(void)address;
	return fake.feature_off[OS_FEATURE_NOT_LOCKED];
}

int os_has_huge_page(void *address, size_t bytes)
{
	int error = enter(OS_CALL_HAS_HUGE_PAGE);

	if (!error && fake.feature_off[OS_FEATURE_HAS_HUGE_PAGE])
		error = -ENOTTY;
	return error ? error : fake.moved_is_huge || is_pretended_huge(address, bytes);
}

void os_fake_machine(uint64_t nodes, bool has_policy)
{
	fake.memory_nodes = nodes;
	fake.has_policy = has_policy;
}

int os_memory_nodes(uint64_t nodes[OS_MAX_NODES / 64])
{
	int error = enter(OS_CALL_MEMORY_NODES);

	if (!error)
		nodes[0] = fake.memory_nodes ? fake.memory_nodes : 1;
	return error;
}

bool os_has_memory_policy(void)
{
	return fake.has_policy;
}

void os_fake_run_on(unsigned int cpu, unsigned int node)
{
	fake.cpu = cpu;
	fake.node = node;
}

int os_current_node(unsigned int *cpu, unsigned int *node)
{
	int error = enter(OS_CALL_CURRENT_NODE);

	*cpu = fake.cpu;
	*node = fake.node;
	return error;
}

int os_bind_node(void *address, size_t bytes, unsigned int node)
{
	int error = enter(OS_CALL_BIND_NODE);

	if (error || fake.nr_bound == MAX_BOUND)
		return error;
	fake.bound[fake.nr_bound++] = (struct fake_bound){ address, bytes, node };
	return 0;
}

unsigned int os_fake_node_of(const void *address)
{
	for (unsigned int i = fake.nr_bound; i-- > 0;)
		if ((uintptr_t)address - (uintptr_t)fake.bound[i].address < fake.bound[i].bytes)
			return fake.bound[i].node;
	return UINT_MAX;
}

bool os_is_filtered(void)
{
	enter(OS_CALL_IS_FILTERED);
	return fake.feature_off[OS_FEATURE_NO_FILTER];
}

/* The fake knows of none of its mappings. */
long os_count_maps(uintptr_t start, uintptr_t end)
{
	int error = enter(OS_CALL_COUNT_MAPS);

	return error ? error : end > start;
}
