/* leak_check.c - see leak_check.h. */
#include "debug/leak_check.h"

#include <errno.h>

#include "base/glob.h"
#include "base/math.h"
#include "core/params.h"
#include "core/printk.h"
#include "debug/leak_news.h"
#include "debug/leak_notes.h"
#include "debug/leak_roots.h"
#include "debug/leak_stack.h"
#include "debug/leak_track.h"
#include "debug/private_map.h"
#include "debug/symbolise.h"
#include "kmalloc/deferred.h"
#include "kmalloc/gate.h"
#include "os/os.h"
#include "os/os_copy.h"
#include "os/os_park.h"
#include "os/os_proc.h"

/* Threads that do not come within this time block the signal, or wait in the kernel for a disk. */
#define PARK_MS 500u
/* How often to try to close the gate, and how long apart. */
#define CLOSE_ATTEMPTS 50u
#define CLOSE_NAP_US 2000u
/* Names of C++ are taken apart by recursion. */
#define STACK_BYTES MIB(1)

bool leak_check_means_program(void)
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
	return glob_match(params.exe, name);
}

/* What was asked for is off. */
static void refuse_options(void)
{
	if (params.leaks)
		pr_err("leaks= is not in this build (STITCH_LEAKS=OFF)");
	if (params.profile)
		pr_err("profile= is not in this build (STITCH_LEAKS=OFF)");
	if (params.leak_signal[0])
		pr_err("leak_signal= is not in this build (STITCH_LEAKS=OFF)");
	params.leaks = LEAKS_OFF;
	params.profile = PROFILE_OFF;
	params.leak_signal[0] = 0;
}

void leak_check_init(void)
{
	bool full, sample;

	if (!CONFIG_LEAKS)
		refuse_options();
	if ((params.leaks || params.profile) && !leak_check_means_program()) {
		params.leaks = LEAKS_OFF;
		params.profile = PROFILE_OFF;
	}
	full = params.leaks == LEAKS_FULL || params.profile == PROFILE_FULL;
	sample = params.leaks == LEAKS_SAMPLE || params.profile == PROFILE_SAMPLE;
	if ((!full && !sample) || leak_track_init(!full, params.profile != PROFILE_OFF))
		return;
	pr_err("no address space for records of allocations: only leaks=1 can be done");
	params.leaks = params.leaks ? LEAKS_SCAN : LEAKS_OFF;
	params.profile = PROFILE_OFF;
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

static const char *scan_roots(const struct unwind_caller *caller,
			      const struct leak_stopped *threads)
{
	uintptr_t registers = (uintptr_t)caller->registers;
	int error = leak_roots_begin();

	if (!error) {
		kmemleak_note_stack(caller->stack_pointer);
		kmemleak_scan(registers, registers + sizeof(caller->registers), SCAN_OF_FILE);
		kmemleak_scan(threads->registers, threads->registers_end, SCAN_OF_FILE);
		error = leak_roots_scan(caller->stack_pointer, threads->self, threads->nr_records);
		leak_notes_scan();
	}
	if (error == -E2BIG)
		return "too much of the heap is protected from reading";
	return error ? "/proc/self/maps cannot be read" : NULL;
}

/* Inside the gate, others are parked. */
static const char *look(struct leak_check *check, const struct leak_stopped *threads)
{
	const char *why;

	if (!kmemleak_begin(params.leak_objects, threads->still))
		return "no memory for it";
	why = scan_roots(&check->caller, threads);
	if (why)
		return why;
	if (leak_has_stacks()) {
		leak_stacks_begin();
		kmemleak_suppress(leak_report_knows);
	}
	kmemleak_finish();
	if (check->is_on_demand)
		leak_news_collect();
	return leak_report_gather() ? NULL : "no memory for it";
}

static bool is_to_be_printed(const struct leak_check *check)
{
	return check->print && !check->why &&
	       (check->has_leaks || check->prints_always ||
		params.leak_print == LEAK_PRINT_ALWAYS);
}

static void look_and_print(struct leak_check *check, const struct leak_stopped *threads)
{
	if (check->prepare)
		check->prepare(check);
	check->why = look(check, threads);
	check->has_leaks = !check->why && leak_report_has_leaks();
	check->lost_bytes = check->why ? 0 : leak_report_lost_bytes();
	if (is_to_be_printed(check))
		check->print(&check->header);
	leak_report_release();
	kmemleak_end();
}

/* Who is parked. */
static void stop_others(struct leak_check *check, struct leak_stopped *threads)
{
	struct leak_header *header = &check->header;
	int nr_running = os_park(PARK_MS, &threads->nr_records);

	threads->self = os_gettid();
	threads->still = !nr_running;
	header->pid = os_getpid();
	header->nr_running = nr_running > 0 ? (unsigned int)nr_running : 0;
	header->nr_threads = max_size(threads->nr_records, header->nr_running) + 1;
}

static void stop_and_look(struct leak_check *check)
{
	struct leak_stopped threads = { 0 };

	stop_others(check, &threads);
	check->copy = check->end_copy ? os_copy_process() : -ENOSYS;
	threads.still |= !check->copy;
	if (check->copy <= 0)
		look_and_print(check, &threads);
	if (!check->copy) {
		check->end_copy(check);
		os_exit(0);
	}
	if (check->copy < 0)
		check->copy = 0;
	if (!check->is_last)
		os_unpark();
}

static void look_inside(struct leak_check *check)
{
	deferred_free_all();
	if (check->stopped)
		look_and_print(check, check->stopped);
	else
		stop_and_look(check);
}

/*
 * The loader's lock for its list of modules is ours: a thread that is parked may not have it when
 * names are looked up. (Its other one, of dlopen, dlsym and dladdr, is asked for by builds without
 * libbacktrace only.)
 */
static void run_with_loader(void *argument)
{
	struct leak_check *check = argument;
	gate_pass *pass;

	check->why = NULL;
	if (!close_gate()) {
		check->why = "a thread has stopped amid malloc or free";
		return;
	}
	pass = gate_enter();
	if (pass)
		look_inside(check);
	else
		check->why = "the heap is in use";
	if (pass)
		gate_leave(pass);
	gate_open();
}

static void run(void *argument)
{
	struct leak_check *check = argument;

	if (check->stopped)
		run_with_loader(check);
	else
		symbolise_with_loader(run_with_loader, check);
}

/* fn(argument) on another stack, that ends at `top`. */
void leak_call_on_stack(void (*fn)(void *), void *argument, void *top);
__asm__(".text\n.type leak_call_on_stack,@function\n.hidden leak_call_on_stack\n"
	"leak_call_on_stack:\n\tpush %rbp\n\tmov %rsp, %rbp\n\tmov %rdx, %rsp\n"
	"\tmov %rdi, %rax\n\tmov %rsi, %rdi\n\tcall *%rax\n"
	"\tmov %rbp, %rsp\n\tpop %rbp\n\tret\n");

bool leak_run_on_own_stack(void (*fn)(void *), void *argument)
{
	char *stack = private_map(STACK_BYTES);

	if (!stack)
		return false;
	leak_call_on_stack(fn, argument, stack + STACK_BYTES);
	private_unmap(stack);
	return true;
}

void leak_check_run(struct leak_check *check)
{
	check->copy = 0;
	check->has_leaks = false;
	if (!leak_run_on_own_stack(run, check))
		check->why = "no memory for it";
}
