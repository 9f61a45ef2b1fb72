/* leak_check.c - see leak_check.h. */
#include "debug/leak_check.h"

#include "core/params.h"
#include "core/printk.h"
#include "debug/leak_notes.h"
#include "debug/leak_roots.h"
#include "debug/leak_track.h"
#include "debug/suppress.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"
#include "os/os.h"
#include "os/os_park.h"
#include "os/os_proc.h"

/* Threads that do not come within this time block the signal, or wait in the kernel for a disk. */
#define PARK_MS 500u
/* How often to try to close the gate, and how long apart. */
#define CLOSE_ATTEMPTS 50u
#define CLOSE_NAP_US 2000u

/* A * in the pattern is any text. */
static bool name_matches(const char *pattern, const char *name)
{
	const char *star = NULL, *resume = name;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			resume = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

/* A program whose name cannot be found out is none that was meant. */
static bool is_wanted_program(void)
{
	char path[OS_PAGE_SIZE];
	long length = os_read_executable(path, sizeof(path) - 1);
	const char *name = path;

	if (!params.exe[0])
		return true;
	if (length <= 0)
		return false;
	path[length] = 0;
	for (long i = 0; i < length; i++)
		if (path[i] == '/')
			name = path + i + 1;
	return name_matches(params.exe, name);
}

void leak_check_init(void)
{
	if (params.leaks && !is_wanted_program())
		params.leaks = LEAKS_OFF;
	if (params.leaks != LEAKS_FULL || leak_track_init())
		return;
	pr_err("leaks=full: no address space for the records; doing leaks=1");
	params.leaks = LEAKS_SCAN;
}

static bool close_gate(void)
{
	for (unsigned int i = 0; i < CLOSE_ATTEMPTS; i++) {
		if (gate_close_briefly())
			return true;
		os_nap(CLOSE_NAP_US);
	}
	return false;
}

/* Threads stand still while memory is looked at; names are looked up when they go on. */
static const char *scan(const struct leak_caller *caller, struct leak_header *header)
{
	uintptr_t registers = (uintptr_t)caller->registers;
	unsigned int nr_parked;
	int nr_running, error;

	deferred_free_all();
	nr_running = os_park(PARK_MS, &nr_parked);
	if (!kmemleak_begin(params.leak_objects)) {
		os_unpark();
		return "no memory for it";
	}
	kmemleak_note_stack(caller->stack_pointer);
	kmemleak_scan(registers, registers + sizeof(caller->registers));
	error = leak_roots_scan(caller->stack_pointer, nr_parked);
	leak_notes_scan();
	os_unpark();
	header->nr_running = nr_running > 0 ? (unsigned int)nr_running : 0;
	header->nr_threads = nr_parked + header->nr_running + 1;
	return error ? "/proc/self/maps cannot be read" : NULL;
}

static const char *scan_and_count(const struct leak_caller *caller, struct leak_header *header)
{
	const char *why = scan(caller, header);

	if (why)
		return why;
	if (leak_tracking)
		kmemleak_suppress(leak_report_knows);
	kmemleak_finish();
	return leak_report_gather() ? NULL : "no memory for it";
}

bool leak_check(const struct leak_caller *caller, struct leak_header *header, const char **why)
{
	gate_pass *pass;

	if (!close_gate()) {
		*why = "a thread has stopped amid malloc or free";
		return false;
	}
	pass = gate_enter();
	*why = pass ? scan_and_count(caller, header) : "the heap is in use";
	if (pass)
		gate_leave(pass);
	gate_open();
	return !*why && leak_report_has_leaks();
}

void leak_check_end(void)
{
	leak_report_release();
	kmemleak_end();
}
