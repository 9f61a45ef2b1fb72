/*
 * remote.h - what `stitchmalloc leaks PID` and the library in that process agree on.
 *
 * The tool stops the process's threads, lets one of them copy the process, and lets the threads go
 * on. In the copy it maps a job, with registers of all threads, and calls the entry with it, on a
 * stack of its own. The copy ends with the report in the job's text. A change of anything here
 * needs another version: tool and library may come from different builds.
 */
#ifndef PRELOAD_REMOTE_H
#define PRELOAD_REMOTE_H

#include <stdint.h>

#define STITCH_REMOTE_SYMBOL "stitch_remote"
#define STITCH_REMOTE_VERSION 0x5354434800000001u

/* user_regs_struct and user_fpregs_struct. */
#define STITCH_REMOTE_REGISTERS (27u + 64u)

struct stitch_remote_thread {
	int64_t tid;
	uint64_t stack_pointer, thread_pointer;
	uint64_t registers[STITCH_REMOTE_REGISTERS];
};

enum stitch_remote_state {
	STITCH_REMOTE_BEGUN,  /* the copy has crashed */
	STITCH_REMOTE_DONE,   /* text: the report */
	STITCH_REMOTE_FAILED, /* text: why */
	STITCH_REMOTE_BUSY,   /* a thread was amid malloc or free: another time */
	STITCH_REMOTE_FILTERED, /* the tool's own: it was not tried */
};

struct stitch_remote_job {
	uint64_t bytes; /* of all of it, the stack included */
	uint64_t text, text_size; /* address; bytes of room */
	uint64_t text_bytes;	  /* of the text; what does not fit is left out */
	uint64_t state;
	int64_t pid; /* the process */
	uint64_t nr_running; /* threads that could not be stopped */
	uint64_t nr_threads; /* the first is the one that was copied */
	struct stitch_remote_thread threads[];
};

/* STITCH_REMOTE_SYMBOL. */
struct stitch_remote {
	uint64_t version;
	void (*entry)(struct stitch_remote_job *job);
	const void *syscall; /* an instruction of that name */
};

#endif
