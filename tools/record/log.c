/*
 * log.c - the records of each thread and the file that they go to (trace.h says what they look
 * like).
 *
 * A thread writes into a chunk of its own, which is a piece of the file mapped shared: what is
 * recorded survives whatever ends the process, and there is nothing to flush. The first byte of a
 * record is stored last, so a cut-off record is none. Threads share two counters: the end of the
 * file and the calls in units of CALLS_AT_ONCE.
 *
 * A child of fork notices by a page that forks wipe, however it was made; it goes on in a file of
 * its own that begins with the objects that it inherited. A child of vfork shares the parent's
 * memory and is recorded with it. A program that is executed is not recorded: our variables and
 * our entry in LD_PRELOAD are taken out of the environment.
 *
 * A signal handler that allocates while its thread is in here is not recorded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "record.h"

/* An epoch is 1024 calls: a thousandth of a small trace. */
#define EPOCH_SHIFT 10
#define CALLS_AT_ONCE 64
#define TICK_MS 10
#define MAX_RECORD ((size_t)4 * TRACE_MAX_NUMBER)
/* Programs close low descriptors that they did not open. */
#define HIGH_FD 512

enum state { STATE_NEW, STATE_STARTING, STATE_OFF, STATE_ON };

/* A thread's. */
struct log {
	uint8_t *at, *end; /* where the next record goes, and the end of the chunk */
	uint8_t *chunk;
	uint64_t nr_objects, nr_calls, epoch, ms;
	uint32_t thread, nr_chunks;
	bool numbered, registered, busy;
};

static __thread struct log own;
static _Atomic int state; /* enum state */
static _Atomic uint64_t nr_calls, file_end;
static _Atomic uint32_t nr_threads;
static atomic_bool *alive; /* false in a child that does not know yet that it is one */
static struct log *renaming;
static pthread_key_t at_thread_exit;
static uint64_t limit = UINT64_MAX, start_ms;
static pid_t pid;

static struct {
	char base[PATH_MAX], path[PATH_MAX + 16];
	_Atomic int fd;
	dev_t dev;
	ino_t ino;
} file;

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* Nothing is recorded from here on; what is in the file is good. */
static void stop(const char *reason)
{
	char line[PATH_MAX + 200];
	int length;

	if (atomic_exchange(&state, STATE_OFF) == STATE_OFF)
		return;
	length = snprintf(line, sizeof(line), "stitchmalloc record: %s: recording ends here: %s\n",
			  file.path, reason);
	if (write(STDERR_FILENO, line, (size_t)length) < 0)
		return; /* nobody is listening */
}

static bool is_ours(int fd)
{
	struct stat status;

	return fd >= 0 && !fstat(fd, &status) && status.st_dev == file.dev &&
	       status.st_ino == file.ino;
}

/* The file's descriptor; the program may have closed it and opened something else there. */
static int file_fd(void)
{
	int fd = file.fd;

	if (is_ours(fd))
		return fd;
	fd = open(file.path, O_RDWR | O_CLOEXEC);
	if (!is_ours(fd))
		return -1;
	file.fd = fd;
	return fd;
}

static bool file_reserve(int fd, uint64_t offset, size_t bytes)
{
	/* Without blocks on the disk a store into the mapping would be a SIGBUS. */
	if (!fallocate(fd, 0, (off_t)offset, (off_t)bytes))
		return true;
	return errno == EOPNOTSUPP && pwrite(fd, "", 1, (off_t)(offset + bytes - 1)) == 1;
}

static uint8_t *file_map(size_t bytes)
{
	uint64_t offset = atomic_fetch_add(&file_end, bytes);
	int fd = file_fd();
	uint8_t *p;

	if (offset + bytes > limit) {
		stop("the limit is reached");
		return NULL;
	}
	if (fd < 0 || !file_reserve(fd, offset, bytes)) {
		stop(fd < 0 ? "the program closed the file, and it cannot be opened again" :
			      strerror(errno));
		return NULL;
	}
	p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, (off_t)offset);
	if (p == MAP_FAILED) {
		stop("no memory");
		return NULL;
	}
	return p;
}

static void chunk_end(struct log *log)
{
	if (log->chunk)
		munmap(log->chunk, (size_t)(log->end - log->chunk));
	log->chunk = log->at = log->end = NULL;
}

/* 4 KiB, 16 KiB and then 64 KiB: many threads do little. */
static bool chunk_new(struct log *log)
{
	uint32_t step = log->nr_chunks < 2 ? log->nr_chunks : 2;
	size_t bytes = (size_t)TRACE_PAGE << 2 * step;
	int saved_errno = errno;

	chunk_end(log);
	if (!log->numbered)
		log->thread = atomic_fetch_add(&nr_threads, 1);
	log->numbered = true;
	if (log->thread >= TRACE_MAX_THREADS - 1)
		stop("too many threads");
	else
		log->chunk = file_map(bytes);
	if (log->chunk) {
		struct trace_chunk *head = (void *)log->chunk;

		*head = (struct trace_chunk){ TRACE_CHUNK_MAGIC, (uint32_t)bytes, log->thread,
					      log->nr_chunks++ };
		log->at = log->chunk + sizeof(*head);
		log->end = log->chunk + bytes;
		if (!log->registered)
			log->registered = !pthread_setspecific(at_thread_exit, log);
	}
	errno = saved_errno;
	return log->chunk != NULL;
}

static void thread_exit(void *value)
{
	struct log *log = value;

	log->registered = false;
	if (*alive)
		chunk_end(log);
}

static bool append(struct log *log, const uint8_t *bytes, const uint8_t *end)
{
	size_t nr = (size_t)(end - bytes);

	if ((size_t)(log->end - log->at) < nr && !chunk_new(log))
		return false;
	memcpy(log->at + 1, bytes + 1, nr - 1);
	__atomic_store_n(log->at, bytes[0], __ATOMIC_RELEASE);
	log->at += nr;
	return true;
}

static uint8_t *put_first(uint8_t *at, enum trace_kind kind, uint64_t argument)
{
	/* The argument may have 64 bits; the number must not lose any. */
	if (argument >> (64 - TRACE_KIND_BITS))
		argument = UINT64_MAX >> TRACE_KIND_BITS;
	return trace_put(at, (uint64_t)kind | argument << TRACE_KIND_BITS);
}

/*
 * Count a call, and say which epoch and time it is if they have changed. An event that another
 * thread's event led to is counted later than that one, so it reads the same or a later epoch.
 */
static bool note_epoch(struct log *log)
{
	uint8_t bytes[MAX_RECORD];
	uint64_t epoch, ms;

	if (log->nr_calls++ % CALLS_AT_ONCE == 0)
		atomic_fetch_add(&nr_calls, CALLS_AT_ONCE);
	epoch = atomic_load(&nr_calls) >> EPOCH_SHIFT;
	ms = now_ms() - start_ms;
	if (epoch == log->epoch && ms - log->ms < TICK_MS)
		return true;
	if (!append(log, bytes, trace_put(put_first(bytes, TRACE_EPOCH, epoch - log->epoch),
					  ms - log->ms)))
		return false;
	log->epoch = epoch;
	log->ms = ms;
	return true;
}

static void read_command(char *text, size_t bytes)
{
	int fd = open("/proc/self/cmdline", O_RDONLY | O_CLOEXEC);
	ssize_t length = fd < 0 ? 0 : read(fd, text, bytes - 1);

	for (ssize_t i = 0; i < length; i++)
		if ((unsigned char)text[i] < ' ')
			text[i] = ' ';
	if (fd >= 0)
		close(fd);
}

/* Begin file.path with its header. */
static bool file_begin(pid_t parent_pid)
{
	static struct trace_header header;
	struct stat status;
	int fd = open(file.path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666), high;

	if (fd < 0)
		return false;
	header = (struct trace_header){ TRACE_MAGIC, TRACE_VERSION, (uint32_t)pid,
					(uint32_t)parent_pid, EPOCH_SHIFT, "" };
	read_command(header.command, sizeof(header.command));
	if (write(fd, &header, sizeof(header)) != (ssize_t)sizeof(header) || fstat(fd, &status))
		return false;
	high = fcntl(fd, F_DUPFD_CLOEXEC, HIGH_FD);
	if (high >= 0) {
		close(fd);
		fd = high;
	}
	file.fd = fd;
	file.dev = status.st_dev;
	file.ino = status.st_ino;
	file_end = sizeof(header);
	nr_calls = 0;
	nr_threads = 0;
	start_ms = now_ms();
	return true;
}

/* Take `name=value` out of the environment, in place: setenv would allocate. */
static char *environment_take(const char *name)
{
	size_t length = strlen(name);
	char *found = NULL;
	char **to = environ;

	for (char **from = environ; *from; from++) {
		if (!strncmp(*from, name, length) && (*from)[length] == '=')
			found = *from + length + 1;
		else
			*to++ = *from;
	}
	*to = NULL;
	return found;
}

/* Take ourselves out of LD_PRELOAD; the other entries move up within the string. */
static void leave_preload(void)
{
	char *value = getenv("LD_PRELOAD");
	size_t length;
	Dl_info info;

	if (!value || !dladdr((void *)(uintptr_t)leave_preload, &info) || !info.dli_fname)
		return;
	length = strlen(info.dli_fname);
	for (char *p = value; *p; p += strcspn(p, ": "), p += *p != '\0') {
		if (strncmp(p, info.dli_fname, length) || !strchr(": ", p[length]))
			continue;
		memmove(p, p + length + (p[length] != '\0'), strlen(p + length) + !p[length]);
		break;
	}
	length = strlen(value);
	if (length && strchr(": ", value[length - 1]))
		value[length - 1] = '\0';
	if (!*value)
		environment_take("LD_PRELOAD");
}

/* Once the environment can be read: libc's constructor is the first of all. */
static void start(void)
{
	int expected = STATE_NEW, saved_errno = errno;
	char *path, *limit_text;

	if (!environ || !atomic_compare_exchange_strong(&state, &expected, STATE_STARTING))
		return;
	path = environment_take("STITCH_RECORD");
	limit_text = environment_take("STITCH_RECORD_LIMIT");
	leave_preload();
	if (!path || strlen(path) >= sizeof(file.base)) {
		state = STATE_OFF;
		return;
	}
	strcpy(file.base, path);
	strcpy(file.path, path);
	if (limit_text)
		limit = strtoull(limit_text, NULL, 10);
	pid = getpid();
	alive = mmap(NULL, TRACE_PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (alive == MAP_FAILED || madvise(alive, TRACE_PAGE, MADV_WIPEONFORK) ||
	    !shadow_init() || pthread_key_create(&at_thread_exit, thread_exit)) {
		stop("no memory, or a kernel before 4.14");
	} else if (!file_begin(0)) {
		stop(strerror(errno));
	} else {
		*alive = true;
		state = STATE_ON;
	}
	errno = saved_errno;
}

static uint64_t inherit(void *address)
{
	uint8_t bytes[MAX_RECORD];

	if (!append(renaming, bytes, put_first(bytes, TRACE_INHERITED, next_usable_size(address))))
		return OBJECT_NONE;
	return (uint64_t)(renaming->thread + 1) << OBJECT_SHIFT | renaming->nr_objects++;
}

/* First call in a forked child; it has one thread. */
static void child_begin(struct log *log)
{
	pid_t parent_pid = pid;
	int saved_errno = errno;

	if (is_ours(file.fd))
		close(file.fd);
	*alive = true;
	chunk_end(log);
	*log = (struct log){ .busy = true };
	pid = getpid();
	snprintf(file.path, sizeof(file.path), "%s.%d", file.base, pid);
	if (file_begin(parent_pid)) {
		renaming = log;
		shadow_rename(inherit);
	} else {
		stop(strerror(errno));
	}
	errno = saved_errno;
}

/* The thread's log, to be left with log_leave; NULL when nothing is recorded. */
static inline struct log *log_enter(void)
{
	struct log *log = &own;

	if (__builtin_expect(state != STATE_ON, 0)) {
		if (state == STATE_NEW)
			start();
		if (state != STATE_ON)
			return NULL;
	}
	if (log->busy)
		return NULL;
	log->busy = true;
	atomic_signal_fence(memory_order_seq_cst);
	if (__builtin_expect(!*alive, 0))
		child_begin(log);
	return log;
}

static inline void log_leave(struct log *log)
{
	atomic_signal_fence(memory_order_seq_cst);
	log->busy = false;
}

/* The record is there: give its object a name. */
static void log_object(struct log *log, const void *address)
{
	uint64_t object = (uint64_t)(log->thread + 1) << OBJECT_SHIFT | log->nr_objects++;

	if (!shadow_set(address, object))
		stop("no memory for the shadow");
}

void log_alloc(enum trace_kind kind, const void *address, size_t size, size_t alignment)
{
	uint8_t bytes[MAX_RECORD], *at = bytes;
	struct log *log = log_enter();

	if (!log)
		return;
	at = put_first(at, kind, size);
	if (kind == TRACE_ALIGNED)
		at = trace_put(at, alignment ? (uint64_t)__builtin_ctzl(alignment) : 0);
	if (note_epoch(log) && append(log, bytes, at))
		log_object(log, address);
	log_leave(log);
}

uint64_t log_forget(const void *address)
{
	struct log *log = log_enter();
	uint64_t object = OBJECT_NONE;

	if (log) {
		object = shadow_take(address);
		log_leave(log);
	}
	return object;
}

void log_remember(const void *address, uint64_t object)
{
	if (object != OBJECT_NONE)
		shadow_set(address, object);
}

/* The object's name, as this thread calls it. */
static uint8_t *put_object(const struct log *log, uint8_t *at, uint64_t object,
			   enum trace_kind near, enum trace_kind far)
{
	uint64_t number = object & (TRACE_MAX_OBJECTS - 1);
	uint64_t thread = (object >> OBJECT_SHIFT) - 1;

	if (log->numbered && thread == log->thread)
		return put_first(at, near, log->nr_objects - 1 - number);
	return trace_put(put_first(at, far, number), thread);
}

void log_free(uint64_t object)
{
	uint8_t bytes[MAX_RECORD];
	struct log *log = object != OBJECT_NONE ? log_enter() : NULL;

	if (!log)
		return;
	if (note_epoch(log))
		append(log, bytes, put_object(log, bytes, object, TRACE_FREE, TRACE_FREE_FAR));
	log_leave(log);
}

void log_realloc(uint64_t object, const void *address, size_t size)
{
	uint8_t bytes[MAX_RECORD], *at = bytes;
	struct log *log;

	if (object == OBJECT_NONE) {
		log_alloc(TRACE_MALLOC, address, size, 0);
		return;
	}
	log = log_enter();
	if (!log)
		return;
	at = put_object(log, at, object, TRACE_REALLOC, TRACE_REALLOC_FAR);
	at = trace_put(at, size);
	if (note_epoch(log) && append(log, bytes, at))
		log_object(log, address);
	log_leave(log);
}
