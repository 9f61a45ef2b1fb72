/*
 * os_fake.h - a kernel that does what the test says, in place of src/os/os_linux.c.
 *
 * Memory is real. By default every call succeeds as on Linux, except that the world is empty: no
 * files, an empty environment. os_fake_reset() goes back to that; tests that share a program
 * call it first. Settings are for the time when one thread runs; the calls themselves may come
 * from any.
 */
#ifndef TESTS_FAKE_OS_FAKE_H
#define TESTS_FAKE_OS_FAKE_H

#include <limits.h>

#include "os/os.h"
#include "os/os_frames.h"
#include "os/os_map.h"
#include "os/os_move.h"
#include "os/os_node.h"

/* OS_CALL_X is os_x(). OS_CALL_ANY stands for all of them together. */
enum os_call {
	OS_CALL_ANY,
	OS_CALL_RESERVE,
	OS_CALL_UNRESERVE,
	OS_CALL_OPEN,
	OS_CALL_MAKE_READONLY,
	OS_CALL_PURGE,
	OS_CALL_PURGE_RANGES,
	OS_CALL_FORBID_HUGE_PAGES,
	OS_CALL_WANT_HUGE_PAGES,
	OS_CALL_POPULATE,
	OS_CALL_WIPE_ON_FORK,
	OS_CALL_PIN,
	OS_CALL_UNPIN,
	OS_CALL_MINCORE,
	OS_CALL_FUTEX_WAIT,
	OS_CALL_FUTEX_WAIT_FOR,
	OS_CALL_FUTEX_WAKE,
	OS_CALL_WRITE,
	OS_CALL_READ_FILE,
	OS_CALL_MOVER_OPEN,
	OS_CALL_MOVER_REGISTER,
	OS_CALL_MOVE,
	OS_CALL_HAS_HUGE_PAGE,
	OS_CALL_MAP,
	OS_CALL_MAP_AT,
	OS_CALL_MOVE_OUT,
	OS_CALL_RESIZE_MAPPING,
	OS_CALL_COUNT_MAPS,
	OS_CALL_FRAMES_OPEN,
	OS_CALL_FRAMES_FILL,
	OS_CALL_FRAMES_DROP,
	OS_CALL_FRAMES_MAP,
	OS_CALL_BIND_NODE,
	OS_CALL_MEMORY_NODES,
	OS_CALL_CURRENT_NODE,
	/* From here on: counted, but they cannot fail. */
	OS_CALL_NAP,
	OS_CALL_GETPID,
	OS_CALL_GETTID,
	OS_CALL_CLOCK_MS,
	OS_CALL_CLOCK_NS,
	OS_CALL_IS_FILTERED,
	OS_CALL_MOVER_CLOSE,
	OS_CALL_IS_LOCKED,
	OS_CALL_IS_ONE_MAP,
	OS_CALL_PHYSICAL_BYTES,
	OS_CALL_ADDRESS_SPACE_LIMIT,
	OS_CALL_START_READ,
	NR_OS_CALLS,
};

enum os_feature {
	/*
	 * On: os_purge_ranges is one call. Off: it is as many OS_CALL_PURGE as ranges, each of
	 * which may be told to fail.
	 */
	OS_FEATURE_VECTORED_PURGE,
	/* Off: -EINVAL, as from a kernel without huge pages. */
	OS_FEATURE_HUGE_PAGES,
	/* Off: -EINVAL, as from a kernel before 5.14. */
	OS_FEATURE_POPULATE,
	/* Off: -EINVAL, as from a kernel before 4.14. */
	OS_FEATURE_WIPE_ON_FORK,
	/* Off: -ENOSYS, as under a filter. */
	OS_FEATURE_MINCORE,
	/* Off: -EINVAL, as from a kernel before 6.8. On: frames are copied, and dropped. */
	OS_FEATURE_MOVE,
	/* Off: -ENOTTY, as from a kernel before 6.7. */
	OS_FEATURE_HAS_HUGE_PAGE,
	/* Off: the kernel is older than 6.17. */
	OS_FEATURE_MOVE_HUGE,
	/* Off: pages may be swapped out. */
	OS_FEATURE_NO_SWAP,
	/* Off: and moving them may lose them, as with a kernel before 6.16. */
	OS_FEATURE_SAFE_SWAP,
	/* Off: -EINVAL, as from a kernel before 5.7. */
	OS_FEATURE_MOVE_OUT,
	/* Off: the program has made several mappings of every block, by madvise. */
	OS_FEATURE_ONE_MAP,
	/* Off: mlockall has been called. */
	OS_FEATURE_NOT_LOCKED,
	/* Off: there is a seccomp filter. */
	OS_FEATURE_NO_FILTER,
	NR_OS_FEATURES,
};

void os_fake_reset(void);

/*
 * The nth call of this kind from now on (1: the very next) and the count - 1 after it return
 * -error without doing anything. UINT_MAX: all later ones. One rule a kind; 0, 0, 0 lifts it.
 */
void os_fake_fail(enum os_call call, unsigned int nth, unsigned int count, int error);

/* How many calls there were since the reset, failed ones included. */
unsigned int os_fake_calls(enum os_call call);

void os_fake_feature(enum os_feature feature, bool on);

/* Bit n: the machine has memory of node n; 1 at first. With a policy a program may have its own. */
void os_fake_machine(uint64_t nodes, bool has_policy);
/* What os_current_node says, to every thread; 0 and 0 at first. */
void os_fake_run_on(unsigned int cpu, unsigned int node);
/* What os_bind_node was last told of the page; UINT_MAX: nothing. */
unsigned int os_fake_node_of(const void *address);

/* os_purge_ranges drops no more than this many ranges a call (UINT_MAX: all). */
void os_fake_purge_limit(unsigned int nr_ranges);

/* What os_move moved is a huge page to os_has_huge_page. */
void os_fake_moved_is_huge(bool huge);

/* When os_move_out fails nothing is mapped any more where the frames should have gone. */
void os_fake_move_out_unmaps(bool unmaps);

/* os_move moves no more than this many pages a call (SIZE_MAX: all). */
void os_fake_move_limit(size_t nr_pages);

/* The clock stands at this time until it is set or advanced again; before that it is real. */
void os_fake_clock_set(uint64_t ms);
void os_fake_clock_advance(uint64_t ms);

/* What the machine has; 0: what it really has. */
void os_fake_physical_set(size_t bytes);
/* RLIMIT_AS, SIZE_MAX: none. A single os_reserve of more fails with -ENOMEM. */
void os_fake_address_space_limit_set(size_t bytes);

/* What os_start_read finds. The array stays the caller's. */
void os_fake_start_set(const char *const *environment, bool secure);

/* os_read_file finds these files, and no others. The texts stay the caller's; NULL: no file. */
#define OS_FAKE_FILES 16u
void os_fake_file_set(const char *path, const char *text);

/* Keep what is written to file descriptor 2 (the first 16 KiB) instead of writing it. */
void os_fake_capture_begin(void);
/* What was kept so far, terminated; further calls of os_write are real again. */
const char *os_fake_capture_end(void);

#endif
