/* leak_track.c - see leak_track.h. */
#include "debug/leak_track.h"

#include "debug/leak_notes.h"
#include "debug/private_map.h"
#include "debug/unwind.h"
#include "mm/memmap.h"
#include "os/os.h"
#include "slab/size_class.h"

bool leak_tracking;

static struct leak_record *records;

bool leak_track_init(void)
{
	size_t nr = mm_map.nr_pages * PAGE_SIZE / SIZE_CLASS_GRAIN;

	records = private_map(nr * sizeof(*records));
	leak_tracking = records && stack_depot_init() && unwind_init();
	return leak_tracking;
}

static struct leak_record *record_at(uintptr_t object)
{
	size_t offset = object - mm_map.base;

	return offset < mm_map.nr_pages * PAGE_SIZE ? &records[offset / SIZE_CLASS_GRAIN] : NULL;
}

/*
 * The kernel is asked once a thread, and once more by the one thread that there is in a child. That
 * is known after the tid, so that a signal handler in between only asks again.
 */
static int32_t own_tid(void)
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
		.tid = own_tid(),
		.bytes = bytes,
		.ignored = leak_ignores_allocations(),
	};
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
	const struct leak_record *record = leak_tracking ? record_at(object) : NULL;

	return record ? *record : (struct leak_record){ 0 };
}
