/*
 * replay.h - the parts of bench/replay: load.c reads a trace (tools/record/trace.h says what is in
 * one), merge.c makes of it a stream of operations for each thread, run.c performs them;
 * ../shared/curve.c draws.
 *
 * Nothing here calls malloc: all tables are mapped, and are there before the replay begins.
 */
#ifndef BENCH_REPLAY_REPLAY_H
#define BENCH_REPLAY_REPLAY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "record/trace.h"
#include "shared/curve.h"

struct record {
	enum trace_kind kind;
	uint64_t argument, second, third; /* the numbers of trace.h, in their order */
};

/* The records of one thread, in order. */
struct source {
	uint32_t nr_chunks, first_chunk, last_chunk; /* indices into trace.chunks */
	uint32_t chunk;				     /* that is being read */
	const uint8_t *at, *end;
	uint64_t nr_objects;
};

struct trace {
	const char *path;
	const struct trace_header *header;
	const uint8_t *bytes;
	size_t nr_bytes;
	struct chunk_place {
		uint32_t page, next;
	} *chunks;
	struct source *sources;
	uint32_t nr_threads;
	uint64_t nr_records; /* without those of epochs */
};

/*
 * An operation is one word, or more: kind in bits 0-3, slot in 4-31, and in the upper half the
 * bytes; when those do not fit, BIG_SIZE, and another word has them. OP_ALIGNED has a last word
 * with the alignment. OP_REALLOC is the slot that it takes from, and another word OP_REALLOC with
 * the slot that it gives to and the bytes.
 */
enum op_kind {
	OP_END,
	OP_MALLOC,
	OP_CALLOC,
	OP_ALIGNED,
	OP_FREE,
	OP_REALLOC,
	OP_EPOCH,  /* in the upper half the epoch, counted in those of the trace */
	OP_START,  /* a thread */
	OP_SAMPLE,
	OP_PACE,   /* wait until so many milliseconds have passed since the start */
};
#define BIG_SIZE UINT32_MAX
#define MAX_SLOTS ((uint64_t)1 << 28)
/* Threads may be so many epochs apart; a slot is used again when nobody can be in its epoch. */
#define EPOCHS_APART 1u

struct stream {
	uint64_t *ops;
	size_t nr, room;
};

/* What merge.c makes. */
struct script {
	struct stream *streams; /* one a thread; the main thread plays the first */
	uint32_t nr_threads, nr_slots, nr_epochs, nr_samples;
	uint32_t *nr_threads_in; /* in each epoch */
	struct sample *samples;
	uint64_t nr_calls[TRACE_NR_KINDS], nr_bytes, nr_inherited_bytes, nr_unfreed;
	uint64_t peak_live_bytes, ms;
};

enum touch { TOUCH_NONE, TOUCH_PAGES, TOUCH_BYTES };

struct figures {
	double user, system, wall; /* seconds */
	uint64_t faults, baseline_bytes, peak_bytes, end_bytes, end_live_bytes;
	bool peak_is_sampled;
	uint64_t nr_waits;
};

void trace_load(struct trace *trace, const char *path);
void source_rewind(const struct trace *trace, struct source *source);
bool source_next(const struct trace *trace, struct source *source, struct record *record);

void merge(struct trace *trace, struct script *script, uint32_t nr_samples, bool paced);
void run(struct script *script, enum touch touch, struct figures *figures);

#endif
