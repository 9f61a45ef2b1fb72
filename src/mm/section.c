/* section.c - see section.h. */
#include "mm/section.h"

#include <errno.h>

#include "base/math.h"
#include "core/memblock.h"
#include "mm/emergency.h"
#include "mm/huge_memory.h"
#include "mm/node.h"
#include "os/os.h"

/*
 * Among what the loader makes read-only after relocation, so that it needs no mapping of its own:
 * the boot opens it for its own time.
 */
struct mm_map mm_map __attribute__((section(".data.rel.ro.mm_map")));

/* The window without a limit (src/README.md, Names): 4 x memory, within these bounds. */
#define WINDOW_MIN GIB(16)
#define WINDOW_MAX TIB(1)
#define WINDOW_PER_MEMORY 4u
/* Under a limit, or when address space is scarce. */
#define SMALLEST_WINDOW (4 * UNIT_BYTES)
/* Of RLIMIT_AS: what the first section takes, and each further one. */
#define FIRST_SECTION_SHARE 4u
#define NEXT_SECTION_SHARE 16u
/*
 * memblock's share of the window. Address space only, but what is freed to a thread that sleeps
 * waits in batches, 8.3 bytes an object: when one thread has made all of a heap as large as memory,
 * a quarter of the window, and another frees it, objects of 32 bytes need this share.
 */
#define MEMBLOCK_SHARE 16u
#define MEMBLOCK_MIN MIB(1)
/* The share of mm/emergency.h: what a process may allocate while one of its threads forks. */
#define EMERGENCY_SHARE 64u
#define EMERGENCY_MIN MIB(1)
/* A growth step: an eighth of what is open, so that the number of steps is logarithmic. */
#define GROWTH_SHARE 8u
#define GROWTH_MAX_UNITS 64u

struct window_plan {
	size_t heap_bytes;	/* the window */
	size_t section_bytes;	/* reserved at once */
	size_t emergency_bytes;
	size_t memblock_bytes;
	size_t pagemap_bytes;
	size_t pageblock_bytes;
	size_t memmap_bytes;
};

/* Units by which a section under RLIMIT_AS grows; 0: the window is reserved whole. */
static size_t next_section_units;

static void plan_window(struct window_plan *plan, size_t heap_bytes, size_t section_bytes)
{
	size_t nr_pages = heap_bytes >> PAGE_SHIFT;

	plan->heap_bytes = heap_bytes;
	plan->section_bytes = section_bytes;
	plan->emergency_bytes = max_size(heap_bytes / EMERGENCY_SHARE, EMERGENCY_MIN);
	plan->memblock_bytes = max_size(heap_bytes / MEMBLOCK_SHARE, MEMBLOCK_MIN);
	plan->pagemap_bytes = nr_pages * sizeof(uint32_t);
	plan->pageblock_bytes = align_up(nr_pages / PAGEBLOCK_PAGES * sizeof(struct pageblock),
					 PAGE_SIZE);
	plan->memmap_bytes = nr_pages * sizeof(struct page);
}

static size_t plan_array_bytes(const struct window_plan *plan)
{
	return PAGE_SIZE + plan->emergency_bytes + plan->memblock_bytes + plan->pagemap_bytes +
	       plan->pageblock_bytes + plan->memmap_bytes;
}

/* Without it, nothing is lost but what kmalloc/gate.h says of children made without handlers. */
static struct process_page *open_process_page(void *page)
{
	if (os_open(page, PAGE_SIZE) || os_wipe_on_fork(page, PAGE_SIZE))
		return NULL;
	return page;
}

static struct section new_section(size_t start, size_t nr_units, unsigned int nid)
{
	nodes_bind(nid, pfn_to_virt(start * UNIT_PAGES), nr_units * UNIT_BYTES);
	return (struct section){ start, start, start + nr_units, start + nr_units, nid };
}

/* Equal parts; the last one has the rest. With fewer units than nodes some nodes have none. */
static void cut_sections(size_t nr_units)
{
	size_t nr_sections = min_size(zone.nr_nodes, nr_units), length = nr_units / nr_sections;

	for (unsigned int nid = 0; nid < nr_sections; nid++) {
		size_t start = nid * length, rest = nr_units - start;

		zone.sections[nid] = new_section(start, nid + 1 < nr_sections ? length : rest, nid);
	}
	zone.nr_sections = (unsigned int)nr_sections;
}

/*
 * Lay out [wiped page | emergency | memblock, page map | pageblocks, memmap | heap] in a reserve
 * that starts at `start`.
 * memblock and the pageblocks run downwards: "," marks where open ends touch.
 */
static bool lay_out(const struct window_plan *plan, char *start)
{
	char *emergency = start + PAGE_SIZE, *memblock = emergency + plan->emergency_bytes;
	char *pagemap = memblock + plan->memblock_bytes;
	char *pageblocks_end = pagemap + plan->pagemap_bytes + plan->pageblock_bytes;
	char *heap = pageblocks_end + plan->memmap_bytes;

	mm_map.reserve = (uintptr_t)start;
	mm_map.base = align_up((uintptr_t)heap, UNIT_BYTES);
	mm_map.pagemap = (uint32_t *)(void *)pagemap;
	mm_map.pageblocks = (struct pageblock *)(void *)pageblocks_end;
	mm_map.memmap = (struct page *)(void *)pageblocks_end;
	/* Last: another thread's free() may look meanwhile, and until here nothing is ours. */
	barrier();
	mm_map.nr_pages = plan->heap_bytes >> PAGE_SHIFT;
	mm_map.process = open_process_page(start);
	emergency_init(emergency, plan->emergency_bytes);
	memblock_init(memblock, pagemap);
	huge_advise_reserved((void *)mm_map.base, plan->section_bytes); // NOLINT
	cut_sections(plan->section_bytes / UNIT_BYTES);
	/* free() looks any address of the window up: unopened entries must read as 0. */
	return os_make_readonly(pagemap, plan->pagemap_bytes) == 0;
}

/* What aligning the heap did not need would be in the way of a section behind the first. */
static void give_back_behind(size_t section_bytes, uintptr_t end)
{
	uintptr_t section_end = mm_map.base + section_bytes;

	if (section_bytes < mm_map.nr_pages * PAGE_SIZE && section_end < end)
		os_unreserve((void *)section_end, end - section_end); // NOLINT
}

/*
 * Reserve `bytes` with `room` bytes behind that are free as yet. The kernel maps from the top down:
 * what lies behind its own choice is the libraries, and soon the end of the address space.
 */
static int reserve_below(size_t bytes, size_t room, void **start)
{
	int error = os_reserve(NULL, bytes, start);
	char *chosen = *start;

	if (error || !room)
		return error;
	os_unreserve(chosen, bytes);
	if (!os_reserve(chosen - room, bytes, start))
		return 0;
	return os_reserve(NULL, bytes, start);
}

static bool try_window(size_t heap_bytes, size_t section_bytes)
{
	struct window_plan plan;
	size_t bytes;
	void *start = NULL;

	plan_window(&plan, heap_bytes, section_bytes);
	bytes = plan_array_bytes(&plan) + section_bytes + UNIT_BYTES;
	if (reserve_below(bytes, heap_bytes - section_bytes, &start))
		return false;
	if (lay_out(&plan, start)) {
		give_back_behind(section_bytes, (uintptr_t)start + bytes);
		return true;
	}
	os_unreserve(start, bytes);
	/* free() may come by although there is no heap: nothing is in the window. */
	mm_map = (struct mm_map){ 0 };
	zone.nr_sections = 0;
	return false;
}

/*
 * As large for each node: a program that takes nearly all memory takes it from one node after the
 * other, and a block does not reach from one to the next.
 */
static size_t default_window(void)
{
	size_t memory = min_size(os_physical_bytes(), WINDOW_MAX / WINDOW_PER_MEMORY);

	return zone.nr_nodes * clamp_size(roundup_pow_of_two(memory * WINDOW_PER_MEMORY),
					  WINDOW_MIN, WINDOW_MAX);
}

/* The window is twice the limit, since other mappings lie between the sections. */
static bool boot_limited(size_t limit)
{
	size_t window = max_size(align_up(2 * limit, UNIT_BYTES), SMALLEST_WINDOW);
	size_t section = max_size(align_down(limit / FIRST_SECTION_SHARE, UNIT_BYTES), UNIT_BYTES);

	next_section_units = max_size(limit / NEXT_SECTION_SHARE / UNIT_BYTES, 1);
	for (; section >= UNIT_BYTES; section = align_down(section / 2, UNIT_BYTES))
		if (try_window(window, section))
			return true;
	return false;
}

bool sections_boot(size_t reserve_bytes)
{
	size_t limit = os_address_space_limit();
	size_t window = default_window();

	/* Twice, for there is no other way round a passing refusal. */
	if (os_open(&mm_map, sizeof(mm_map)) && os_open(&mm_map, sizeof(mm_map)))
		return false;
	if (reserve_bytes)
		window = clamp_size(roundup_pow_of_two(reserve_bytes), SMALLEST_WINDOW, WINDOW_MAX);
	else if (limit / FIRST_SECTION_SHARE < window)
		return boot_limited(limit);
	for (; window >= SMALLEST_WINDOW; window /= 2)
		if (try_window(window, window))
			return true;
	return false;
}

/* --- opening ----------------------------------------------------------------------------- */

static int open_outward(uintptr_t start, uintptr_t end)
{
	start = align_down(start, PAGE_SIZE);
	end = align_up(end, PAGE_SIZE);
	return os_open((void *)start, end - start); // NOLINT
}

/* Arrays first: an opened heap page without them must not exist. */
static bool open_units(size_t unit, size_t nr_units, enum range_part part)
{
	size_t pfn = unit * UNIT_PAGES, end = pfn + nr_units * UNIT_PAGES;
	char *heap = pfn_to_virt(pfn);

	if (open_outward((uintptr_t)&mm_map.pagemap[pfn], (uintptr_t)&mm_map.pagemap[end]) ||
	    open_outward((uintptr_t)pfn_to_pageblock(end - 1),
			 (uintptr_t)(pfn_to_pageblock(pfn) + 1)) ||
	    open_outward((uintptr_t)pfn_to_page(pfn), (uintptr_t)pfn_to_page(end)) ||
	    os_open(heap, nr_units * UNIT_BYTES))
		return false;
	huge_advise_opened(part, heap, nr_units * UNIT_BYTES);
	for (size_t p = pfn; p < end; p += PAGEBLOCK_PAGES) {
		pfn_to_pageblock(p)->part = (uint8_t)part;
		pfn_to_pageblock(p)->nid = (uint8_t)zone.trying;
	}
	return true;
}

/* The section has the space. False: the memory cannot be had. */
static bool section_open(struct section *section, enum range_part part, size_t nr_units,
			 size_t *unit)
{
	size_t first = part == RANGE_LOW ? section->low : section->high - nr_units;

	if (!open_units(first, nr_units, part))
		return false;
	if (part == RANGE_LOW)
		WRITE_ONCE(section->low, section->low + nr_units);
	else
		WRITE_ONCE(section->high, section->high - nr_units);
	WRITE_ONCE(zone.nr_opened, zone.nr_opened + nr_units * UNIT_PAGES);
	*unit = first;
	return true;
}

/* --- sections behind the first ------------------------------------------------------------ */

/* Reserve a section of the node tried at the first free place behind the last one. */
static struct section *section_add(size_t nr_units)
{
	size_t window_end = mm_map.nr_pages / UNIT_PAGES;
	size_t start = zone.sections[zone.nr_sections - 1].end;
	struct section *section = &zone.sections[zone.nr_sections];
	void *address;

	if (zone.nr_sections == MAX_SECTIONS)
		return NULL;
	for (; start + nr_units <= window_end; start += next_section_units) {
		int error = os_reserve(pfn_to_virt(start * UNIT_PAGES), nr_units * UNIT_BYTES,
				       &address);

		if (!error) {
			huge_advise_reserved(address, nr_units * UNIT_BYTES);
			*section = new_section(start, nr_units, zone.trying);
			WRITE_ONCE(zone.nr_sections, zone.nr_sections + 1);
			return section;
		}
		if (error != -EEXIST)
			return NULL;
	}
	return NULL;
}

static struct section *section_add_for(size_t nr_units)
{
	struct section *section = NULL;

	if (!next_section_units)
		return NULL;
	if (nr_units < next_section_units)
		section = section_add(next_section_units);
	return section ? section : section_add(nr_units);
}

/*
 * In the node's first section that has the space. When the memory for it cannot be had, no other
 * section would do better: *section_found tells the two failures apart.
 */
static bool open_anywhere(enum range_part part, size_t nr_units, size_t *unit, bool *section_found)
{
	for (unsigned int s = 0; s < zone.nr_sections; s++) {
		struct section *section = &zone.sections[s];

		*section_found = section->nid == zone.trying &&
				 section->high - section->low >= nr_units;
		if (*section_found)
			return section_open(section, part, nr_units, unit);
	}
	return false;
}

size_t section_grow_locked(enum range_part part, size_t nr_units, size_t *unit)
{
	size_t step = clamp_size(zone.nr_opened / UNIT_PAGES / GROWTH_SHARE, 1, GROWTH_MAX_UNITS);
	struct section *section;
	bool section_found = false;

	if (step > nr_units && open_anywhere(part, step, unit, &section_found))
		return step;
	if (open_anywhere(part, nr_units, unit, &section_found))
		return nr_units;
	section = section_found ? NULL : section_add_for(nr_units);
	return section && section_open(section, part, nr_units, unit) ? nr_units : 0;
}

/* --- questions ---------------------------------------------------------------------------- */

/* Racy reads are fine: a page that the caller may ask about was opened before it was handed out. */
static const struct section *section_of(size_t unit)
{
	unsigned int nr_sections = READ_ONCE(zone.nr_sections);

	for (unsigned int s = 0; s < nr_sections; s++)
		if (unit >= READ_ONCE(zone.sections[s].start) &&
		    unit < READ_ONCE(zone.sections[s].end))
			return &zone.sections[s];
	return NULL;
}

bool pfn_is_open(size_t pfn)
{
	size_t unit = pfn / UNIT_PAGES;
	const struct section *section = section_of(unit);

	return section && (unit < READ_ONCE(section->low) || unit >= READ_ONCE(section->high));
}

size_t pfn_next_open(size_t pfn)
{
	size_t unit = pfn / UNIT_PAGES;

	for (unsigned int s = 0; s < READ_ONCE(zone.nr_sections); s++) {
		const struct section *section = &zone.sections[s];
		size_t low = READ_ONCE(section->low), high = READ_ONCE(section->high);

		if (unit < section->start)
			unit = section->start;
		if (unit >= low && unit < high)
			unit = high;
		if (unit < low || (unit >= high && unit < section->end))
			return max_size(pfn, unit * UNIT_PAGES);
	}
	return mm_map.nr_pages;
}

bool pfn_is_reserved(size_t pfn)
{
	return section_of(pfn / UNIT_PAGES);
}

unsigned int section_nid(size_t unit)
{
	const struct section *section = section_of(unit);

	return section ? section->nid : 0;
}

const struct section *section_first_of(unsigned int nid)
{
	for (unsigned int s = 0; s < zone.nr_sections; s++)
		if (zone.sections[s].nid == nid)
			return &zone.sections[s];
	return NULL;
}

size_t sections_reserved(void)
{
	size_t units = 0;

	for (unsigned int s = 0; s < READ_ONCE(zone.nr_sections); s++)
		units += READ_ONCE(zone.sections[s].end) - READ_ONCE(zone.sections[s].start);
	return units * UNIT_BYTES;
}

size_t sections_metadata(void)
{
	size_t nr_pages = READ_ONCE(zone.nr_opened);

	return nr_pages * (sizeof(uint32_t) + sizeof(struct page)) +
	       nr_pages / PAGEBLOCK_PAGES * sizeof(struct pageblock);
}
