/*
 * leak_track.h - who has allocated an object and how much was asked for: of all with leaks=full,
 * of some leaks=sample.
 *
 * L7. A record for every 16 bytes of the heap, where an object may start, in a mapping of its own:
 * no lock, nothing to look up, and pages of records are touched only where objects start. Nothing
 * is done at free: the next allocation overwrites the record. With leaks=sample only what has pages
 * of its own has a record, in the struct page of its head, and has none when it is handed out: who
 * samples a small object gives it pages of its own.
 *
 * Objects outside the heap's window (mm/emergency.h) have no record.
 */
#ifndef DEBUG_LEAK_TRACK_H
#define DEBUG_LEAK_TRACK_H

#include "debug/stackdepot.h"
#include "mm/mm_types.h"

/* Once, before threads. False: no memory, nothing is tracked. */
bool leak_track_init(bool sampling, bool profiling);

/* Constant after leak_track_init. */
extern struct leak_modes {
	bool tracking, sampling, profiling;
} leak_modes;

/* All are tracked. */
static inline bool leak_tracking(void)
{
	return CONFIG_LEAKS && leak_modes.tracking;
}

/* A sample is. */
static inline bool leak_sampling(void)
{
	return CONFIG_LEAKS && leak_modes.sampling;
}

/* What each place of the program allocates and frees is counted (alloc_profile.h). */
static inline bool leak_profiling(void)
{
	return CONFIG_LEAKS && leak_modes.profiling;
}

/* Objects have stacks: all, or those of the sample. */
static inline bool leak_has_stacks(void)
{
	return leak_tracking() || leak_sampling();
}

/* What to ask the heap for, so that a pointer to the object's end does not point to the next. */
static inline size_t leak_padded(size_t bytes)
{
	return bytes < PTRDIFF_MAX ? bytes + 1 : bytes;
}

/* A new object, or one that has been resized. */
void leak_track(const void *object, size_t bytes);

/* An object that is not tracked, in a place that may have a record. */
void leak_untrack(const void *object);

/* object: where a live one starts. */
struct leak_record leak_record_of(uintptr_t object);

/*
 * While profiling: before an object is freed or resized. What was of it, which leak_track_again
 * takes when it stays as it is after all.
 */
struct leak_record leak_track_end(const void *object);
void leak_track_again(const void *object, struct leak_record record);

/*
 * What the program may use of an object that has so many usable bytes: with records no more than
 * was asked for, for pointers behind that do not hold it.
 */
static inline size_t leak_usable(const void *object, size_t usable)
{
	struct leak_record record;

	if (!leak_tracking() || !usable)
		return usable;
	record = leak_record_of((uintptr_t)object);
	return record.tid && record.bytes < usable ? record.bytes : usable;
}

/* The thread's; the kernel is asked once a thread and process. */
int32_t leak_own_tid(void);

/* False: it has no record. */
bool leak_mark_ignored(uintptr_t object);

#endif
