/* mm_init.c - see mm_init.h: boot order, threads. */
#include "init/mm_init.h"

#include "core/cgroup.h"
#include "core/lock.h"
#include "core/params.h"
#include "debug/cache_tracks.h"
#include "debug/fault_inject.h"
#include "debug/leak_check.h"
#include "debug/leak_track.h"
#include "kmalloc/gate.h"
#include "mm/decay.h"
#include "mm/huge_memory.h"
#include "mm/section.h"
#include "os/os.h"
#include "slab/slot.h"

_Atomic uint32_t mm_state = MM_DOWN;
_Atomic uint8_t mm_detours = MM_DETOUR_BOOT;

/* Of the memory that the process may have: what stays resident though it is free. */
#define RETAIN_SHARE 16u

/* What the sources of options may override. */
static void adapt_defaults(void)
{
	size_t physical = os_physical_bytes();
	size_t memory = min_size(physical ? physical : SIZE_MAX, cgroup_memory_limit());

	params.retain = min_size(params.retain, align_down(memory / RETAIN_SHARE, PAGE_SIZE));
}

/*
 * The order matters: options say how much to reserve, the zone lies on the reserve, slots on
 * memblock, which lies on it too. Afterwards mm_map never changes.
 */
static bool boot(void)
{
	struct os_start start;

	os_start_read(&start);
	adapt_defaults();
	params_init(&start);
	zone_init();
	huge_boot();
	if (!sections_boot(params.reserve))
		return false;
	if (!slots_ready(0)) {
		mm_map = (struct mm_map){ 0 }; /* free() finds nothing of ours */
		return false;
	}
	gate_boot(mm_map.process);
	os_make_readonly(&mm_map, sizeof(mm_map)); /* a safety net: works without */
	/* Last: from then on other threads' calls are counted before they ask if we are up. */
	leak_check_init();
	params_join();
	if (params.fail) /* else that page of the library is never touched */
		fault_inject_init();
	cache_tracks_init(false);
	return true;
}

static uint8_t detours_after_boot(void)
{
	return (uint8_t)((fault_injecting ? MM_DETOUR_FAULTS : 0) |
			 (leak_tracking() ? MM_DETOUR_TRACKS : 0) |
			 (leak_sampling() ? MM_DETOUR_SAMPLES : 0));
}

/*
 * The boot has had the heap's base in some of them, and programs may not use them for long. It is
 * the address of the first object, too, which the leak check would find in use.
 */
static void clear_vector_registers(void)
{
	asm volatile("pxor %%xmm0, %%xmm0\n\tpxor %%xmm1, %%xmm1\n\t"
		     "pxor %%xmm2, %%xmm2\n\tpxor %%xmm3, %%xmm3\n\t"
		     "pxor %%xmm4, %%xmm4\n\tpxor %%xmm5, %%xmm5\n\t"
		     "pxor %%xmm6, %%xmm6\n\tpxor %%xmm7, %%xmm7\n\t"
		     "pxor %%xmm8, %%xmm8\n\tpxor %%xmm9, %%xmm9\n\t"
		     "pxor %%xmm10, %%xmm10\n\tpxor %%xmm11, %%xmm11\n\t"
		     "pxor %%xmm12, %%xmm12\n\tpxor %%xmm13, %%xmm13\n\t"
		     "pxor %%xmm14, %%xmm14\n\tpxor %%xmm15, %%xmm15" ::
			     : "xmm0", "xmm1", "xmm2", "xmm3", "xmm4", "xmm5", "xmm6", "xmm7",
			       "xmm8", "xmm9", "xmm10", "xmm11", "xmm12", "xmm13", "xmm14",
			       "xmm15");
}

/* A boot cannot come back to itself: nothing that it calls allocates. */
static void boot_once(void)
{
	lock_acquire(LOCK_BOOT);
	if (mm_state == MM_DOWN) {
		mm_state = MM_BOOTING;
		mm_state = boot() ? MM_UP : MM_FAILED;
		if (mm_state == MM_UP)
			mm_detours = detours_after_boot();
		clear_vector_registers();
	}
	lock_release(LOCK_BOOT);
}

/* While another thread forks there is no heap yet, and none can be made. */
static bool boot_inside(void)
{
	gate_pass *pass = gate_enter_patiently();

	if (!pass)
		return false;
	boot_once();
	gate_leave(pass);
	return mm_state == MM_UP;
}

bool mm_init(void)
{
	uint32_t state = atomic_load_explicit(&mm_state, memory_order_acquire);

	return likely(state == MM_UP) || (state != MM_FAILED && boot_inside());
}

/* By a visitor's pass: the slot's own passes to the next thread with it. */
static void leave_slot(void)
{
	gate_pass *pass = gate_enter_visiting();

	if (!pass) {
		slot_abandon();
		gate_note_pending();
		return;
	}
	if (slot_is_held())
		current_slot->inside = 1;
	slot_release();
	decay_slot_left();
	gate_leave(pass);
}

void mm_thread_exit(void)
{
	leave_slot();
	mem_cgroup_enter(0);
}

/* Signal handlers that allocate in between have the shared slot of one of the two. */
bool mm_thread_enter(unsigned int memcg)
{
	struct slot *slot = current_slot;
	bool entered;

	if (memcg == active_memcg)
		return true;
	leave_slot();
	current_slot = &slot_gone;
	barrier();
	entered = mem_cgroup_enter(memcg);
	barrier();
	if (slot != &slot_gone)
		current_slot = &slot_none;
	return entered;
}
