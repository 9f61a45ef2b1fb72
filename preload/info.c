/*
 * info.c - what the heap says about itself through libc's interfaces, and its version.
 *
 * L10. May call everything below. One walker (figures_report) writes malloc_stats and malloc_info
 * from one table; they differ in the shape of a line. malloc_info is the only place of the
 * library that touches stdio, and only the FILE that it is given.
 */
#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdio.h>

#include "core/report.h"
#include "debug/fault_inject.h"
#include "entry.h"
#include "kmalloc/kmalloc.h"
#include "os/os.h"
#include "stitch/stitch.h"

#define TEXT_OF(number) #number
#define TEXT(number) TEXT_OF(number)
#define HEADER_VERSION \
	TEXT(STITCH_VERSION_MAJOR) "." TEXT(STITCH_VERSION_MINOR) "." TEXT(STITCH_VERSION_PATCH)
/* The build gives its own version where it has one. */
#ifdef STITCH_VERSION
_Static_assert(!__builtin_strcmp(STITCH_VERSION, HEADER_VERSION),
	       "include/stitch/stitch.h and CMakeLists.txt name different versions");
#endif

struct mallinfo ENTRY(mallinfo)(void);
struct mallinfo2 ENTRY(mallinfo2)(void);
int ENTRY(malloc_info)(int options, FILE *file);
void ENTRY(malloc_stats)(void);
int ENTRY(malloc_trim)(size_t pad);
int ENTRY(mallopt)(int option, int value);

static const struct usage_figure {
	const char *name;
	const char *meaning;
	size_t offset;
} usage_figures[] = {
#define FIGURE(member, meaning) { #member, meaning, offsetof(struct kmalloc_usage, member) }
	FIGURE(reserved, "bytes of address space of the heap"),
	FIGURE(opened, "bytes of it that are readable and writable"),
	FIGURE(metadata, "bytes of the allocator's own books"),
	FIGURE(small_live, "bytes in objects up to 16 KiB"),
	FIGURE(small_cached, "bytes in free objects that threads keep"),
	FIGURE(small_free, "bytes in free objects of slabs"),
	FIGURE(run_live, "bytes in page runs up to 2 MiB"),
	FIGURE(area_live, "bytes in areas above 2 MiB"),
	FIGURE(nr_areas, "areas above 2 MiB"),
	FIGURE(mapped_live, "bytes of these in mappings of their own"),
	FIGURE(nr_mapped, "areas in mappings of their own"),
	FIGURE(mapped_free, "bytes of such mappings kept for reuse"),
	FIGURE(emergency_live, "bytes in objects allocated while a thread forked"),
	FIGURE(reserve, "bytes of the reserve for requests that may not wait"),
	FIGURE(reserve_free, "bytes of it in no object"),
	FIGURE(lowmem, "bytes of zones DMA and DMA32, and of areas of contiguous memory"),
	FIGURE(lowmem_free, "bytes of them in no object"),
	FIGURE(highmem_live, "bytes in pages outside the address space"),
	FIGURE(highmem_free, "bytes in free ones that keep their memory"),
	FIGURE(free_resident, "bytes in free pages that may occupy memory"),
	FIGURE(free_proved, "bytes of these that do"),
	FIGURE(free_hole, "bytes in free pages that occupy none"),
	FIGURE(peak_live, "bytes in slabs, runs and areas of the heap at the highest"),
	FIGURE(stitch_requests, "large requests stitched from frames of free pages"),
	FIGURE(stitch_runs, "runs of pages moved for them"),
	FIGURE(stitch_pages, "pages moved"),
	FIGURE(stitch_ns, "nanoseconds that it took"),
	FIGURE(stitch_run_ns, "nanoseconds a run costs at present"),
	FIGURE(stitch_page_ns, "nanoseconds a page of it costs"),
	FIGURE(stitch_touch_ns, "nanoseconds the first access to a moved page costs"),
	FIGURE(stitch_fault_ns, "nanoseconds a page fault costs"),
	FIGURE(stitch_huge_ns, "nanoseconds a page of a huge page fault costs"),
	FIGURE(stitch_busy, "runs that a child shared, or a device had pinned"),
	FIGURE(stitch_repopulated, "pages of these that were made our own"),
	FIGURE(stitch_relocated, "pages of blocks that realloc moved in the heap"),
	FIGURE(mapped_in, "blocks that realloc moved out of the heap"),
	FIGURE(mapped_moved, "moves of such blocks"),
	FIGURE(mapped_maps, "mappings that blocks outside the heap consist of"),
	FIGURE(gather_requests, "large requests gathered outside the heap"),
	FIGURE(gather_runs, "runs of pages moved for them by mremap"),
	FIGURE(gather_pages, "pages moved"),
	FIGURE(gather_ns, "nanoseconds that it took"),
	FIGURE(gather_no_maps, "gathered in part: sysctl vm.max_map_count is too low"),
	FIGURE(mapped_reused, "such mappings that served again"),
	FIGURE(stitch_purged, "pages dropped in place of others that are faulted in"),
	FIGURE(stitch_no_mover, "requests not stitched: pages cannot be moved here"),
	FIGURE(stitch_no_lock, "requests not stitched: memory was being given back"),
	FIGURE(stitch_dear, "run lengths passed over for what they cost"),
	FIGURE(stitch_short, "requests stitched in part: too few frames"),
	FIGURE(stitch_bounded, "requests stitched in part: bounds of one stitch"),
	FIGURE(stitch_failed, "moves that failed in other ways"),
	FIGURE(stitch_error, "errno for which pages cannot be moved here"),
	FIGURE(heap_maps, "mappings that the heap consists of"),
	FIGURE(max_maps, "mappings that the process may have in all"),
	FIGURE(faults_injected, "requests that failed on purpose (fail=)"),
	FIGURE(nr_slots, "thread heaps made"),
	FIGURE(nr_slots_held, "thread heaps in use"),
#undef FIGURE
};

/* Where Valgrind's malloc serves the program a question is no reason to make a heap. */
static __slow bool heap_to_ask(void)
{
	return running_on_valgrind() ? mm_state == MM_UP : heap_ready();
}

/* All zero while there is no heap. `read`: kmalloc_usage_read or kmalloc_usage_resolve. */
static struct kmalloc_usage usage_now(void (*read)(struct kmalloc_usage *))
{
	struct kmalloc_usage usage = { 0 };

	if (heap_to_ask())
		read(&usage);
	usage.faults_injected = fault_inject_count();
	return usage;
}

/* How a figure becomes a line. */
typedef void figure_line(struct report *report, const struct usage_figure *figure, size_t value);

static void figure_text(struct report *report, const struct usage_figure *figure, size_t value)
{
	report_printf(report, "%-18s %14zu  %s\n", figure->name, value, figure->meaning);
}

static void figure_xml(struct report *report, const struct usage_figure *figure, size_t value)
{
	report_printf(report, "<figure name=\"%s\" value=\"%zu\" meaning=\"%s\"/>\n", figure->name,
		      value, figure->meaning);
}

static void figures_report(struct report *report, const struct kmalloc_usage *usage,
			   figure_line *line)
{
	for (size_t i = 0; i < ARRAY_SIZE(usage_figures); i++) {
		const struct usage_figure *figure = &usage_figures[i];
		const char *member = (const char *)usage + figure->offset;

		line(report, figure, *(const size_t *)(const void *)member);
	}
}

static void caches_report(struct report *report)
{
	if (heap_to_ask())
		kmalloc_report_caches(report);
}

void usage_print(int fd)
{
	struct kmalloc_usage usage = usage_now(kmalloc_usage_resolve);
	struct report report;

	report_init(&report, report_to_fd, &fd);
	report_printf(&report, "stitchmalloc %s, process %d\n", stitch_version(), os_getpid());
	figures_report(&report, &usage, figure_text);
	caches_report(&report);
	report_finish(&report);
}

static int report_to_file(void *context, const char *text, size_t bytes)
{
	return fwrite(text, 1, bytes, context) == bytes ? 0 : -EIO;
}

/* The elements that glibc's own text has outside its heaps, for programs that sum them up. */
static void glibc_totals_report(struct report *report, const struct kmalloc_usage *usage)
{
	report_printf(report,
		      "<total type=\"fast\" count=\"0\" size=\"%zu\"/>\n"
		      "<total type=\"rest\" count=\"0\" size=\"%zu\"/>\n"
		      "<total type=\"mmap\" count=\"%zu\" size=\"%zu\"/>\n",
		      usage->small_cached, usage->small_free + usage->free_resident,
		      usage->nr_areas, usage->area_live);
	report_printf(report,
		      "<system type=\"current\" size=\"%zu\"/>\n"
		      "<system type=\"max\" size=\"%zu\"/>\n"
		      "<aspace type=\"total\" size=\"%zu\"/>\n"
		      "<aspace type=\"mprotect\" size=\"%zu\"/>\n",
		      usage->opened, usage->opened, usage->reserved, usage->opened);
}

/* The manual page says -1 with errno; glibc returns the error number. Both ways are served. */
__visible int ENTRY(malloc_info)(int options, FILE *file)
{
	struct kmalloc_usage usage;
	struct report report;
	int error;

	if (options)
		return errno = EINVAL;
	usage = usage_now(kmalloc_usage_resolve);
	report_init(&report, report_to_file, file);
	report_printf(&report, "<malloc version=\"1\">\n<heap nr=\"0\">\n");
	figures_report(&report, &usage, figure_xml);
	report_printf(&report, "<caches>\n");
	caches_report(&report);
	report_printf(&report, "</caches>\n</heap>\n");
	glibc_totals_report(&report, &usage);
	report_printf(&report, "</malloc>\n");
	error = -report_finish(&report);
	if (error)
		errno = error;
	return error;
}

__visible void ENTRY(malloc_stats)(void)
{
	usage_print(2);
}

/*
 * As in glibc uordblks is what the program holds of the heap proper, and hblkhd what it holds in
 * large areas; fordblks is what the allocator keeps for reuse, and arena the sum of the two.
 * Blocks are not counted one by one: ordblks is free pages, and smblks 0.
 */
__visible struct mallinfo2 ENTRY(mallinfo2)(void)
{
	struct kmalloc_usage usage = usage_now(kmalloc_usage_read);
	struct mallinfo2 info = {
		.ordblks = (usage.free_resident + usage.free_hole) / OS_PAGE_SIZE,
		.hblks = usage.nr_areas,
		.hblkhd = usage.area_live,
		.usmblks = usage.peak_live,
		.fsmblks = usage.small_cached,
		.uordblks = usage.small_live + usage.run_live + usage.emergency_live +
			    usage.reserve - usage.reserve_free,
		.fordblks = usage.small_cached + usage.small_free + usage.free_resident +
			    usage.reserve_free,
		.keepcost = usage.free_resident,
	};

	info.arena = info.uordblks + info.fordblks;
	return info;
}

static int to_int(size_t value)
{
	return value < INT_MAX ? (int)value : INT_MAX;
}

/* The old form; figures that do not fit stop at INT_MAX. */
__visible struct mallinfo ENTRY(mallinfo)(void)
{
	struct mallinfo2 info = ENTRY(mallinfo2)();

	return (struct mallinfo){
		.arena = to_int(info.arena),
		.ordblks = to_int(info.ordblks),
		.smblks = to_int(info.smblks),
		.hblks = to_int(info.hblks),
		.hblkhd = to_int(info.hblkhd),
		.usmblks = to_int(info.usmblks),
		.fsmblks = to_int(info.fsmblks),
		.uordblks = to_int(info.uordblks),
		.fordblks = to_int(info.fordblks),
		.keepcost = to_int(info.keepcost),
	};
}

/* `pad` is memory to keep at the top of glibc's heap, which ours has not. */
__visible int ENTRY(malloc_trim)(size_t pad)
{
	bool had_slot = mm_thread_has_slot(), released;

	(void)pad;
	released = heap_to_ask() && kmalloc_trim();
	thread_settle(had_slot);
	return released;
}

/*
 * Every option of glibc is accepted and none does anything: they tune a heap of another make. A
 * program that stops when mallopt fails (there are some) must run.
 */
__visible int ENTRY(mallopt)(int option, int value)
{
	(void)value;
	switch (option) {
	case M_MXFAST:
	case M_NLBLKS:
	case M_GRAIN:
	case M_KEEP:
	case M_TRIM_THRESHOLD:
	case M_TOP_PAD:
	case M_MMAP_THRESHOLD:
	case M_MMAP_MAX:
	case M_CHECK_ACTION:
	case M_PERTURB:
	case M_ARENA_TEST:
	case M_ARENA_MAX:
		return 1;
	default:
		return 0;
	}
}

__visible const char *stitch_version(void)
{
	return HEADER_VERSION;
}
