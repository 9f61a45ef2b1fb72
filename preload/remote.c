/*
 * remote.c - the library's side of `stitchmalloc leaks PID`: see remote.h.
 *
 * L10. Runs in a copy of the process that another program has made of it, at any instruction of
 * it: nothing here may wait for a lock that a thread may have held.
 */
#include <string.h>

#include "base/math.h"
#include "debug/leak_check.h"
#include "debug/private_map.h"
#include "entry.h"
#include "kmalloc/gate.h"
#include "leak_log.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_park.h"
#include "remote.h"

#if !STITCH_PREFIX

static struct stitch_remote_job *job;

/* For the tool to run system calls by. */
extern const char remote_syscall[] __attribute__((visibility("hidden")));
__asm__(".text\n.hidden remote_syscall\n.globl remote_syscall\n"
	"remote_syscall:\n\tsyscall\n\tud2\n");

static int add_text(void *unused, const char *text, size_t bytes)
{
	size_t room = job->text_size - job->text_bytes;

	(void)unused;
	bytes = min_size(bytes, room);
	memcpy((char *)job->text + job->text_bytes, text, bytes); // NOLINT
	job->text_bytes += bytes;
	return 0;
}

static void print(struct leak_header *header)
{
	leak_log_write_text(header, add_text, NULL);
}

/* All but the one that was copied. */
static unsigned int note_threads(void)
{
	unsigned int nr = (unsigned int)min_size(job->nr_threads - 1, OS_MAX_PARKED);

	for (unsigned int i = 0; i < nr; i++) {
		os_parked[i].tid = (int)job->threads[i + 1].tid;
		os_parked[i].stack_pointer = job->threads[i + 1].stack_pointer;
		os_parked[i].thread_pointer = job->threads[i + 1].thread_pointer;
	}
	return nr;
}

static _Noreturn void end(enum stitch_remote_state state, const char *text)
{
	if (text)
		add_text(NULL, text, strlen(text));
	job->state = state;
	os_exit(0);
}

static void scan(void)
{
	const struct stitch_remote_thread *self = &job->threads[0];
	struct leak_stopped stopped = {
		.self = (int)self->tid,
		.nr_records = note_threads(),
		.still = true, /* this is a copy of the process */
		.registers = (uintptr_t)job->threads,
		.registers_end = (uintptr_t)&job->threads[job->nr_threads],
	};
	struct leak_check check = {
		.caller.stack_pointer = self->stack_pointer,
		.print = print,
		.prints_always = true,
		.stopped = &stopped,
		.header = { .pid = (int)job->pid, .nr_running = (unsigned int)job->nr_running,
			    .nr_threads = (unsigned int)(job->nr_threads + job->nr_running) },
	};

	exit_add_rules();
	leak_check_run(&check);
	end(check.why ? STITCH_REMOTE_FAILED : STITCH_REMOTE_DONE, check.why);
}

static void enter(struct stitch_remote_job *the_job)
{
	job = the_job;
	os_copy_begins(-1);
	private_add(job, job->bytes);
	if (!CONFIG_LEAKS)
		end(STITCH_REMOTE_FAILED, "leak checks are not in this build (STITCH_LEAKS=OFF)");
	if (atomic_load(&mm_state) != MM_UP)
		end(STITCH_REMOTE_FAILED, "the program has not allocated anything yet");
	if (!gate_is_deserted())
		end(STITCH_REMOTE_BUSY, NULL);
	scan();
}

extern const struct stitch_remote stitch_remote;
__visible const struct stitch_remote stitch_remote = {
	.version = STITCH_REMOTE_VERSION,
	.entry = enter,
	.syscall = remote_syscall,
};
#endif
