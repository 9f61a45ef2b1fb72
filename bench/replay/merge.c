/*
 * merge.c - puts the threads of a trace into one possible order, epoch by epoch, and makes a
 * stream of operations for each, with objects numbered by slots that are used again.
 *
 * In an epoch a thread goes on until it needs an object that is not there yet; then another goes.
 * The recorder makes sure that this always ends. A freed object's slot is given out again only
 * EPOCHS_APART + 1 epochs later: then everybody is past the free, so a thread that finds a slot
 * empty knows that the object is still to come, and need not ask which one it is.
 */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "replay.h"

#define SLOT_NONE 0u
#define SLOT_FREED UINT32_MAX

struct cursor {
	struct source *source;
	struct record record; /* the next one */
	uint64_t epoch, ms, paced_ms;
	uint64_t first_object, nr_objects; /* in the table of objects; how many so far */
	bool ended, started;
};

struct object {
	uint64_t bytes;
	uint32_t slot; /* + 1; or SLOT_NONE before it is there, SLOT_FREED */
};

static struct trace *trace;
static struct script *script;
static struct cursor *cursors;
static struct object *objects;
static struct {
	uint32_t *slots, *epochs;
	size_t head, tail;
} freed;
static uint64_t nr_done, live_bytes, sample_step;
static bool paced;
static struct stream *latest; /* of the thread that was in the merge last */

static void emit(struct stream *stream, uint64_t word)
{
	if (stream->nr == stream->room) {
		size_t room = stream->room ? 2 * stream->room : TRACE_PAGE / sizeof(word);
		void *p = stream->room ? mremap(stream->ops, stream->room * sizeof(word),
						room * sizeof(word), MREMAP_MAYMOVE) :
					 map_table(room * sizeof(word));

		if (p == MAP_FAILED)
			die("no memory for the operations");
		stream->ops = p;
		stream->room = room;
	}
	stream->ops[stream->nr++] = word;
}

static uint64_t op(enum op_kind kind, uint32_t slot, uint64_t upper)
{
	return (uint64_t)kind | (uint64_t)slot << 4 | upper << 32;
}

static void emit_sized(struct stream *stream, enum op_kind kind, uint32_t slot, uint64_t bytes)
{
	emit(stream, op(kind, slot, bytes < BIG_SIZE ? bytes : BIG_SIZE));
	if (bytes >= BIG_SIZE)
		emit(stream, bytes);
}

static struct stream *stream_of(const struct cursor *cursor)
{
	return &script->streams[cursor - cursors];
}

/* Read ahead to the next record that is a call. */
static void advance(struct cursor *cursor)
{
	struct record *record = &cursor->record;

	while (source_next(trace, cursor->source, record)) {
		if (record->kind != TRACE_EPOCH)
			return;
		cursor->epoch += record->argument;
		cursor->ms += record->second;
	}
	cursor->ended = true;
}

static uint32_t slot_take(void)
{
	uint32_t epoch = script->nr_epochs - 1;

	if (freed.head != freed.tail && freed.epochs[freed.head] + EPOCHS_APART < epoch)
		return freed.slots[freed.head++];
	if (script->nr_slots == MAX_SLOTS)
		die("%s: more than %llu objects at once", trace->path,
		    (unsigned long long)MAX_SLOTS);
	return script->nr_slots++;
}

static uint32_t object_make(struct cursor *cursor, uint64_t bytes)
{
	struct object *object = &objects[cursor->first_object + cursor->nr_objects++];
	uint32_t slot = slot_take();

	object->slot = slot + 1;
	object->bytes = bytes;
	script->nr_bytes += bytes;
	if (cursor->record.kind == TRACE_INHERITED)
		script->nr_inherited_bytes += bytes;
	live_bytes += bytes;
	if (live_bytes > script->peak_live_bytes)
		script->peak_live_bytes = live_bytes;
	return slot;
}

/* The object that a free or a realloc means. */
static struct object *object_meant(const struct cursor *cursor)
{
	const struct record *record = &cursor->record;
	uint64_t thread = (uint64_t)(cursor - cursors), number = record->argument;

	if (record->kind == TRACE_FREE_FAR || record->kind == TRACE_REALLOC_FAR) {
		thread = record->second;
		if (thread >= trace->nr_threads || number >= trace->sources[thread].nr_objects)
			die("%s: broken: thread %zu frees object %llu of thread %llu, which has "
			    "none such", trace->path, (size_t)(cursor - cursors),
			    (unsigned long long)number, (unsigned long long)thread);
	} else if (number >= cursor->nr_objects) {
		die("%s: broken: thread %llu frees an object from before its first",
		    trace->path, (unsigned long long)thread);
	} else {
		number = cursor->nr_objects - 1 - number;
	}
	return &objects[cursors[thread].first_object + number];
}

static uint32_t object_end(const struct cursor *cursor)
{
	struct object *object = object_meant(cursor);
	uint32_t slot = object->slot - 1;

	if (object->slot == SLOT_FREED)
		die("%s: broken: thread %zu frees an object a second time", trace->path,
		    (size_t)(cursor - cursors));
	object->slot = SLOT_FREED;
	live_bytes -= object->bytes;
	freed.slots[freed.tail] = slot;
	freed.epochs[freed.tail++] = script->nr_epochs - 1;
	return slot;
}

static bool must_wait(const struct cursor *cursor)
{
	return cursor->record.kind >= TRACE_FREE && object_meant(cursor)->slot == SLOT_NONE;
}

static void emit_call(struct cursor *cursor)
{
	const struct record *record = &cursor->record;
	struct stream *stream = stream_of(cursor);
	uint32_t slot;

	switch (record->kind) {
	case TRACE_FREE:
	case TRACE_FREE_FAR:
		emit(stream, op(OP_FREE, object_end(cursor), 0));
		break;
	case TRACE_REALLOC:
	case TRACE_REALLOC_FAR: {
		uint64_t bytes = record->kind == TRACE_REALLOC ? record->second : record->third;

		slot = object_end(cursor);
		emit(stream, op(OP_REALLOC, slot, 0));
		emit_sized(stream, OP_REALLOC, object_make(cursor, bytes), bytes);
		break;
	}
	case TRACE_CALLOC:
		slot = object_make(cursor, record->argument);
		emit_sized(stream, OP_CALLOC, slot, record->argument);
		break;
	case TRACE_ALIGNED:
		if (record->second > 40)
			die("%s: broken: an alignment of 2^%llu", trace->path,
			    (unsigned long long)record->second);
		slot = object_make(cursor, record->argument);
		emit_sized(stream, OP_ALIGNED, slot, record->argument);
		emit(stream, (uint64_t)1 << record->second);
		break;
	default:
		slot = object_make(cursor, record->argument);
		emit_sized(stream, OP_MALLOC, slot, record->argument);
	}
	script->nr_calls[record->kind]++;
}

static void emit_sample(struct cursor *cursor)
{
	if (nr_done % sample_step)
		return;
	script->samples[script->nr_samples] =
		(struct sample){ .call = nr_done, .trace_ms = cursor->ms };
	emit(stream_of(cursor), op(OP_SAMPLE, 0, script->nr_samples++));
}

static bool is_in(const struct cursor *cursor, uint64_t epoch)
{
	return !cursor->ended && cursor->epoch == epoch;
}

/* Go on with a thread while it is in this epoch; true if it did anything. */
static bool go_on(struct cursor *cursor, uint64_t epoch)
{
	uint64_t start = nr_done;

	while (is_in(cursor, epoch) && !must_wait(cursor)) {
		if (paced && cursor->ms > cursor->paced_ms) {
			emit(stream_of(cursor), op(OP_PACE, 0, cursor->ms));
			cursor->paced_ms = cursor->ms;
		}
		if (cursor->ms > script->ms)
			script->ms = cursor->ms;
		emit_call(cursor);
		nr_done++;
		emit_sample(cursor);
		advance(cursor);
	}
	return nr_done != start;
}

static bool next_epoch(uint64_t *epoch)
{
	bool any = false;

	for (uint32_t i = 0; i < trace->nr_threads; i++) {
		if (cursors[i].ended || (any && cursors[i].epoch >= *epoch))
			continue;
		*epoch = cursors[i].epoch;
		any = true;
	}
	return any;
}

/* A thread is started by the one that was in the merge last; that one gets there in any case. */
static void enter_epoch(struct cursor *cursor, uint32_t epoch)
{
	uint32_t thread = (uint32_t)(cursor - cursors);

	if (thread && !cursor->started)
		emit(latest, op(OP_START, 0, thread));
	cursor->started = true;
	script->nr_threads_in[epoch]++;
}

static void merge_epoch(uint64_t epoch)
{
	uint32_t number = script->nr_epochs++;
	bool progress, left;

	for (uint32_t i = 0; i < trace->nr_threads; i++)
		if (is_in(&cursors[i], epoch))
			enter_epoch(&cursors[i], number);
	for (uint32_t i = 0; i < trace->nr_threads && trace->nr_threads > 1; i++)
		if (is_in(&cursors[i], epoch))
			emit(&script->streams[i], op(OP_EPOCH, 0, number));
	do {
		progress = left = false;
		for (uint32_t i = 0; i < trace->nr_threads; i++) {
			if (!is_in(&cursors[i], epoch))
				continue;
			progress |= go_on(&cursors[i], epoch);
			left |= is_in(&cursors[i], epoch);
			latest = &script->streams[i];
		}
	} while (left && progress);
	if (left)
		die("%s: broken: threads wait for each other's objects", trace->path);
}

static uint64_t prepare(uint32_t nr_samples)
{
	uint64_t nr_objects = 0;

	script->nr_threads = trace->nr_threads;
	script->streams = map_table(trace->nr_threads * sizeof(*script->streams));
	cursors = map_table(trace->nr_threads * sizeof(*cursors));
	for (uint32_t i = 0; i < trace->nr_threads; i++) {
		cursors[i].source = &trace->sources[i];
		cursors[i].first_object = nr_objects;
		nr_objects += trace->sources[i].nr_objects;
		advance(&cursors[i]);
	}
	sample_step = trace->nr_records / nr_samples;
	sample_step += !sample_step;
	script->samples = map_table((trace->nr_records / sample_step + 1) *
				    sizeof(*script->samples));
	/* An epoch has at least one call in it. */
	script->nr_threads_in = map_table(trace->nr_records * sizeof(uint32_t));
	objects = map_table(nr_objects * sizeof(*objects));
	freed.slots = map_table(nr_objects * sizeof(*freed.slots));
	freed.epochs = map_table(nr_objects * sizeof(*freed.epochs));
	latest = &script->streams[0];
	return nr_objects;
}

void merge(struct trace *the_trace, struct script *the_script, uint32_t nr_samples, bool with_pace)
{
	uint64_t nr_objects, epoch = 0;

	trace = the_trace;
	script = the_script;
	paced = with_pace;
	*script = (struct script){ 0 };
	nr_objects = prepare(nr_samples);
	while (next_epoch(&epoch))
		merge_epoch(epoch);
	for (uint32_t i = 0; i < trace->nr_threads; i++)
		emit(&script->streams[i], op(OP_END, 0, 0));
	script->nr_unfreed = nr_objects - freed.tail;
	munmap(objects, nr_objects * sizeof(*objects));
	munmap(freed.slots, nr_objects * sizeof(*freed.slots));
	munmap(freed.epochs, nr_objects * sizeof(*freed.epochs));
	munmap(cursors, trace->nr_threads * sizeof(*cursors));
}
