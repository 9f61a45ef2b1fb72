/* leak_track.c - see leak_track.h. */
#include "debug/leak_track.h"

#include "debug/alloc_profile.h"
#include "debug/leak_notes.h"
#include "debug/private_map.h"
#include "debug/unwind.h"
#include "mm/memmap.h"
#include "os/os.h"
#include "slab/size_class.h"
#include "slab/slot.h"

struct leak_modes leak_modes;

/* Of leaks=full, one a grain of the heap. */
static struct leak_record *records;

bool leak_track_init(bool sampling, bool profiling)
{
	if (!sampling)
		records = private_map((mm_map.nr_pages << PAGE_SHIFT >> GRAIN_SHIFT) *
				      sizeof(*records));
	if ((!records && !sampling) ||
	    !stack_depot_init(profiling ? ALLOC_PROFILE_STACK_BYTES : 0) || !unwind_init())
		return false;
	leak_modes = (struct leak_modes){ !sampling, sampling, profiling };
	if (sampling)
		size_class_stop_malloc();
	if (profiling)
		slot_see_all_frees();
	return true;
}

static bool has_pages_of_its_own(size_t pfn)
{
	uint32_t entry = pagemap_read(pfn);

	return entry == PAGEMAP_RUN || entry == PAGEMAP_AREA;
}

/* NULL: an object that has none. */
static struct leak_record *record_at(uintptr_t object)
{
	size_t offset = object - mm_map.base, pfn = offset >> PAGE_SHIFT;

	if (pfn >= mm_map.nr_pages)
		return NULL;
	if (leak_sampling())
		return has_pages_of_its_own(pfn) ? &pfn_to_page(pfn)->record : NULL;
	return records ? &records[offset >> GRAIN_SHIFT] : NULL;
}

/*
 * The kernel is asked once a thread, and once more by the one thread that there is in a child. That
 * is known after the tid, so that a signal handler in between only asks again.
 */
int32_t leak_own_tid(void)
{
	static _Thread_local int32_t tid __tls_initial_exec;
	struct process_page *process = mm_map.process;

	if (likely(tid && process && process->tid_known))
		return tid;
	tid = os_gettid();
	barrier();
	if (process)
		process->tid_known = true;
	return tid;
}

__attribute__((noinline)) void leak_track(const void *object, size_t bytes)
{
	struct leak_record *record = record_at((uintptr_t)object);
	uintptr_t pcs[STACK_MAX_FRAMES];
	unsigned int nr;

	if (!record)
		return;
	nr = unwind_stack(pcs, STACK_MAX_FRAMES);
	*record = (struct leak_record){
		.stack = nr ? stack_depot_save(pcs, nr) : 0,
		.tid = leak_own_tid(),
		.bytes = bytes,
		.ignored = leak_ignores_allocations(),
	};
	if (leak_profiling())
		alloc_profile_add(record->stack, bytes);
}

struct leak_record leak_track_end(const void *object)
{
	struct leak_record *record = record_at((uintptr_t)object), ended = { 0 };

	if (!record || !record->tid)
		return ended;
	ended = *record;
	record->tid = 0;
	alloc_profile_remove(ended.stack, ended.bytes);
	return ended;
}

void leak_track_again(const void *object, struct leak_record ended)
{
	struct leak_record *record = record_at((uintptr_t)object);

	if (!record || !ended.tid)
		return;
	*record = ended;
	alloc_profile_restore(ended.stack, ended.bytes);
}

void leak_untrack(const void *object)
{
	struct leak_record *record = record_at((uintptr_t)object);

	if (record && record->tid) /* most were never written */
		record->tid = 0;
}

bool leak_mark_ignored(uintptr_t object)
{
	struct leak_record *record = record_at(object);

	if (record)
		record->ignored = true;
	return record;
}

struct leak_record leak_record_of(uintptr_t object)
{
	const struct leak_record *record = record_at(object);

	return record && record->tid ? *record : (struct leak_record){ 0 };
}
