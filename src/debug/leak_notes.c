/* leak_notes.c - see leak_notes.h. */
#include "debug/leak_notes.h"

#include "debug/kmemleak.h"
#include "debug/leak_track.h"

#define MAX_REGIONS 256u
#define MAX_IGNORED 4096u

/* start 0: an entry that is not used. Written end first, so that half a region is none. */
static struct {
	_Atomic uintptr_t start, end;
} regions[MAX_REGIONS];

/* With records, objects are marked there; without, here, and for good. */
static _Atomic uintptr_t ignored[MAX_IGNORED];
static _Atomic uint32_t nr_ignored;

static _Thread_local unsigned int ignore_depth __tls_initial_exec;
static _Atomic bool marks_records; /* some may be marked */

bool leak_note_ignored(const void *object)
{
	uint32_t i;

	if (leak_tracking()) {
		marks_records = true;
		return leak_mark_ignored((uintptr_t)object);
	}
	i = atomic_fetch_add(&nr_ignored, 1);
	if (i >= MAX_IGNORED) {
		atomic_fetch_sub(&nr_ignored, 1);
		return false;
	}
	ignored[i] = (uintptr_t)object;
	return true;
}

bool leak_note_region(uintptr_t start, uintptr_t end)
{
	for (unsigned int i = 0; i < MAX_REGIONS; i++) {
		uintptr_t none = 0;

		if (atomic_compare_exchange_strong(&regions[i].start, &none, start)) {
			regions[i].end = end;
			return true;
		}
	}
	return false;
}

bool leak_forget_region(uintptr_t start, uintptr_t end)
{
	for (unsigned int i = 0; i < MAX_REGIONS; i++) {
		if (regions[i].start == start && regions[i].end == end) {
			regions[i].end = 0;
			regions[i].start = 0;
			return true;
		}
	}
	return false;
}

void leak_ignore_begin(void)
{
	ignore_depth++;
	marks_records = true;
}

void leak_ignore_end(void)
{
	ignore_depth -= ignore_depth > 0;
}

bool leak_ignores_allocations(void)
{
	return ignore_depth;
}

static void hold_if_ignored(void *unused, const struct heap_object *object)
{
	(void)unused;
	if (leak_record_of(object->start).ignored)
		kmemleak_hold(object->start, false);
}

void leak_notes_scan(void)
{
	/* They may be shared: nobody has looked. */
	for (unsigned int i = 0; i < MAX_REGIONS; i++)
		if (regions[i].start < regions[i].end)
			kmemleak_scan(regions[i].start, regions[i].end, SCAN_SHARED);
	for (uint32_t i = 0; i < nr_ignored && i < MAX_IGNORED; i++)
		kmemleak_hold(ignored[i], false);
	if (marks_records && leak_has_stacks())
		heap_objects_visit(OBJECTS_LIVE, hold_if_ignored, NULL);
}
