/* usage.c - see kmalloc.h: what the heap holds, and giving back what it need not hold. */
#include "core/memblock.h"
#include "core/printk.h"
#include "core/report.h"
#include "kmalloc/cache_objects.h"
#include "kmalloc/gate.h"
#include "kmalloc/high_pages.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/zonelist.h"
#include "mm/emergency.h"
#include "mm/lowmem.h"
#include "mm/page_alloc.h"
#include "mm/pagerun.h"
#include "mm/reclaim.h"
#include "mm/reserve.h"
#include "mm/section.h"
#include "os/os.h"
#include "os/os_move.h"
#include "slab/barn.h"
#include "slab/remote.h"
#include "slab/sheaf.h"
#include "slab/slab.h"
#include "vmalloc/gather.h"
#include "vmalloc/mapping.h"
#include "vmalloc/mover.h"
#include "vmalloc/stitch.h"
#include "vmalloc/stitch_cost.h"
#include "vmalloc/vmap_area.h"

/* Slots to work at while the gate is closed. */
#define SLOTS_AT_A_TIME 16u
/* How often to find that others are inside for long. */
#define PATIENCE 20u
/* The gate stays open for so long then. */
#define OPEN_US 100u

/* Objects of one size class, over all slots. */
struct class_usage {
	size_t nr_slabs, nr_slab_pages;
	size_t nr_objects;
	size_t nr_free;	  /* in slabs */
	size_t nr_cached; /* in sheaves, outboxes and inboxes */
};

struct slab_usage {
	struct class_usage class[NR_SIZE_CLASSES];
};

/* --- one walk over all slabs and slots ------------------------------------------------------ */

static void count_slab(struct slab_usage *usage, const struct page *head, unsigned int class)
{
	struct class_usage *cu = &usage->class[class];

	cu->nr_slabs++;
	cu->nr_slab_pages += (size_t)1 << READ_ONCE(head->order);
	cu->nr_objects += READ_ONCE(head->nr_objects);
	cu->nr_free += slab_nr_free(head);
}

/* Slabs lie in the buddy's units. Other threads go on meanwhile: the sums are of no one moment. */
static void count_slabs(struct slab_usage *usage)
{
	size_t nr_pages = mm_map.nr_pages;

	for (size_t pfn = 0; pfn < nr_pages; pfn++) {
		uint32_t entry;

		if (pfn % UNIT_PAGES == 0 && !pfn_is_open(pfn)) {
			pfn += UNIT_PAGES - 1;
			continue;
		}
		entry = pagemap_read(pfn);
		if (pagemap_is_slab(entry) && READ_ONCE(pfn_to_page(pfn)->kind) == PAGE_SLAB &&
		    pagemap_class(entry) < NR_SIZE_CLASSES)
			count_slab(usage, pfn_to_page(pfn), pagemap_class(entry));
	}
}

static void count_outboxes(struct slab_usage *usage, const struct slot *slot)
{
	for (unsigned int i = 0; i < NR_OUTBOXES; i++) {
		const struct batch *batch = READ_ONCE(slot->outbox[i]);

		if (batch)
			usage->class[pagemap_class(READ_ONCE(batch->entry))].nr_cached +=
				READ_ONCE(batch->nr_objects);
	}
}

static void count_batch(void *context, const struct batch *batch)
{
	struct slab_usage *usage = context;

	usage->class[pagemap_class(batch->entry)].nr_cached += batch->nr_objects;
}

static void count_cached(struct slab_usage *usage)
{
	for (uint32_t id = 1; id <= slot_count(); id++) {
		struct slot *slot = slot_by_id(id);

		for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
			usage->class[class].nr_cached += sheaf_count(slot, class);
		count_outboxes(usage, slot);
		remote_visit_inbox(slot, count_batch, usage);
	}
}

static void slab_usage_read(struct slab_usage *usage)
{
	*usage = (struct slab_usage){ 0 };
	if (!mm_map.nr_pages)
		return;
	count_slabs(usage);
	count_cached(usage);
}

/* Never negative, whatever raced. */
static size_t live_objects(const struct class_usage *cu)
{
	size_t not_live = cu->nr_free + cu->nr_cached;

	return cu->nr_objects > not_live ? cu->nr_objects - not_live : 0;
}

static size_t stocked_run_bytes(void)
{
	size_t nr_pages = 0;

	for (uint32_t id = 1; id <= slot_count(); id++)
		nr_pages += READ_ONCE(slot_by_id(id)->pcp.nr_run_pages);
	return nr_pages * PAGE_SIZE;
}

/* --- what is asked of it ---------------------------------------------------------------------- */

/* `step` by `step`, each inside the gate; a fork gets in between. Returns the walk's pages. */
static size_t walk_free_pages(bool (*step)(struct reclaim_walk *walk))
{
	struct reclaim_walk walk = { 0 };
	gate_pass *pass;
	bool more;

	do {
		pass = gate_enter_patiently();
		more = pass && step(&walk);
		if (pass)
			gate_leave(pass);
	} while (more);
	return walk.nr_pages;
}

static void read_zone(struct kmalloc_usage *usage)
{
	size_t used = 0;

	zone_lock();
	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		used += zone.nr_used[use];
	usage->opened = zone.nr_opened * PAGE_SIZE;
	usage->run_live = zone.nr_used[USE_RUN] * PAGE_SIZE - reserve_total();
	usage->area_live = zone.nr_used[USE_AREA] * PAGE_SIZE;
	usage->free_resident = zone.nr_free_touched * PAGE_SIZE;
	usage->free_hole = (zone.nr_opened - used - zone.nr_free_touched) * PAGE_SIZE;
	usage->peak_live = zone.peak_used * PAGE_SIZE;
	zone_unlock();
}

static void read_highmem(struct kmalloc_usage *usage)
{
	struct highmem_count count;

	highmem_count(&count);
	usage->highmem_live = count.nr_used * PAGE_SIZE;
	usage->highmem_free = count.nr_kept * PAGE_SIZE;
}

static void read_lowmem(struct kmalloc_usage *usage)
{
	lowmem_count_all(&usage->lowmem, &usage->lowmem_free);
}

static void read_mappings(struct kmalloc_usage *usage)
{
	struct mapping_counts counts;

	mapping_count(&counts);
	usage->mapped_live = counts.live_pages * PAGE_SIZE;
	usage->nr_mapped = counts.nr_live;
	usage->mapped_free = counts.cached_pages * PAGE_SIZE;
	usage->mapped_in = counts.nr_moved_in;
	usage->mapped_moved = counts.nr_moved;
	usage->mapped_reused = counts.nr_reused;
	usage->mapped_maps = counts.nr_maps;
	usage->gather_requests = READ_ONCE(gather_counts.requests);
	usage->gather_runs = READ_ONCE(gather_counts.runs);
	usage->gather_pages = READ_ONCE(gather_counts.pages);
	usage->gather_ns = READ_ONCE(gather_counts.ns);
	usage->gather_no_maps = READ_ONCE(gather_counts.no_maps);
	usage->area_live += usage->mapped_live;
	usage->nr_areas += usage->nr_mapped;
	usage->free_resident += usage->mapped_free;
}

static void read_stitching(struct kmalloc_usage *usage)
{
	usage->stitch_requests = READ_ONCE(stitch_counts.requests);
	usage->stitch_runs = READ_ONCE(stitch_counts.runs);
	usage->stitch_pages = READ_ONCE(stitch_counts.pages);
	usage->stitch_ns = READ_ONCE(stitch_counts.ns);
	usage->stitch_run_ns = READ_ONCE(stitch_costs.run.ns);
	usage->stitch_page_ns = READ_ONCE(stitch_costs.page.ns);
	usage->stitch_touch_ns = READ_ONCE(stitch_costs.touch.ns);
	usage->stitch_huge_ns = READ_ONCE(stitch_costs.huge.ns);
	usage->stitch_fault_ns = READ_ONCE(stitch_costs.fresh.ns);
	usage->stitch_busy = READ_ONCE(stitch_counts.busy);
	usage->stitch_relocated = READ_ONCE(stitch_counts.relocated);
	usage->stitch_repopulated = READ_ONCE(stitch_counts.repopulated);
	usage->stitch_purged = READ_ONCE(stitch_counts.purged);
	usage->stitch_no_mover = READ_ONCE(stitch_counts.no_mover);
	usage->stitch_no_lock = stitch_counts.no_lock;
	usage->stitch_dear = READ_ONCE(stitch_counts.dear);
	usage->stitch_short = READ_ONCE(stitch_counts.not_enough);
	usage->stitch_bounded = READ_ONCE(stitch_counts.bounded);
	usage->stitch_error = (size_t)-mover_error();
	usage->stitch_failed = READ_ONCE(stitch_counts.failed);
}

/* Sections that touch may share a mapping: of what is not opened. */
static unsigned int last_adjoining(unsigned int s)
{
	while (s + 1 < READ_ONCE(zone.nr_sections) &&
	       zone.sections[s + 1].start == zone.sections[s].end)
		s++;
	return s;
}

/* What the kernel says of mappings: asked by reports only, and not where asking may kill. */
static void read_maps(struct kmalloc_usage *usage)
{
	if (os_is_filtered())
		return;
	for (unsigned int s = 0; s < READ_ONCE(zone.nr_sections); s++) {
		size_t start = zone.sections[s].start;
		long nr_maps;

		s = last_adjoining(s);
		nr_maps = os_count_maps((uintptr_t)pfn_to_virt(start * UNIT_PAGES),
					(uintptr_t)pfn_to_virt(zone.sections[s].end * UNIT_PAGES));
		usage->heap_maps += nr_maps > 0 ? (size_t)nr_maps : 0;
	}
	usage->max_maps = max_map_count();
}

/* A race between two threads' counters must not become a negative number. */
static size_t free_objects(const struct kmem_cache_stat *stat)
{
	size_t nr_taken = stat->active_objs + stat->sheaved_objs;

	return stat->num_objs > nr_taken ? stat->num_objs - nr_taken : 0;
}

static void read_caches(struct kmalloc_usage *usage)
{
	struct kmem_cache_stat stat;

	for (uint32_t id = 1; id <= READ_ONCE(kmem_caches.last_id); id++) {
		if (!kmem_cache_stat_by_id(id, &stat))
			continue;
		usage->small_live += stat.active_objs * stat.stride;
		usage->small_cached += stat.sheaved_objs * stat.stride;
		usage->small_free += free_objects(&stat) * stat.stride;
	}
}

static void usage_read_inside(struct kmalloc_usage *usage)
{
	struct slab_usage slabs;
	size_t stocked;

	read_zone(usage);
	usage->reserved = sections_reserved();
	usage->metadata = sections_metadata() + memblock_opened();
	usage->nr_areas = area_count();
	usage->emergency_live = emergency_live();
	usage->reserve = reserve_total();
	read_lowmem(usage);
	read_highmem(usage);
	usage->reserve_free = min_size(reserve_bytes_free(), usage->reserve);
	read_mappings(usage);
	read_stitching(usage);
	usage->nr_slots = slot_count();
	usage->nr_slots_held = slot_count_held();
	stocked = min_size(usage->run_live, stocked_run_bytes());
	usage->run_live -= stocked;
	usage->free_resident += stocked;
	slab_usage_read(&slabs);
	read_caches(usage);
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		size_t size = size_classes[class].size;

		usage->small_live += live_objects(&slabs.class[class]) * size;
		usage->small_cached += slabs.class[class].nr_cached * size;
		usage->small_free += slabs.class[class].nr_free * size;
	}
}

void kmalloc_usage_read(struct kmalloc_usage *usage)
{
	gate_pass *pass = gate_enter_patiently();

	*usage = (struct kmalloc_usage){ 0 };
	if (!pass)
		return;
	usage_read_inside(usage);
	gate_leave(pass);
}

void kmalloc_usage_resolve(struct kmalloc_usage *usage)
{
	size_t nr_proved = mm_map.nr_pages ? walk_free_pages(reclaim_resolve_some) : 0;

	kmalloc_usage_read(usage);
	usage->free_proved = nr_proved * PAGE_SIZE;
	if (mm_map.nr_pages)
		read_maps(usage);
}

static void report_cache(struct report *report, const struct kmem_cache_stat *stat)
{
	report_printf(report, "%-14s %8u %10zu %10zu %10zu %8zu %8zu\n", stat->name,
		      stat->object_size, stat->active_objs, stat->sheaved_objs,
		      free_objects(stat), stat->num_slabs,
		      stat->num_slabs * stat->pages_per_slab);
}

/* kmem_caches; a visit of the gate each, so that a fork need not wait for the sink. */
static void report_kmem_caches(struct report *report)
{
	for (uint32_t id = 1; id <= READ_ONCE(kmem_caches.last_id); id++) {
		gate_pass *pass = gate_enter_patiently();
		struct kmem_cache_stat stat;
		bool found = pass && kmem_cache_stat_by_id(id, &stat);

		if (pass)
			gate_leave(pass);
		if (found)
			report_cache(report, &stat);
	}
}

void kmalloc_report_caches(struct report *report)
{
	struct slab_usage slabs = { 0 };
	gate_pass *pass = gate_enter_patiently();

	if (pass) {
		slab_usage_read(&slabs);
		gate_leave(pass);
	}
	report_printf(report, "%-14s %8s %10s %10s %10s %8s %8s\n", "cache", "bytes", "live",
		      "cached", "free", "slabs", "pages");
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		const struct class_usage *cu = &slabs.class[class];
		char name[SIZE_CLASS_NAME_BYTES];

		if (!cu->nr_slabs)
			continue;
		size_class_name(&size_classes[class], name);
		report_printf(report, "%-14s %8u %10zu %10zu %10zu %8zu %8zu\n", name,
			      size_classes[class].size, live_objects(cu), cu->nr_cached,
			      cu->nr_free, cu->nr_slabs, cu->nr_slab_pages);
	}
	report_kmem_caches(report);
}

/* Also of a slot that nobody holds: who was refused left it as it was, with full outboxes. */
static void drain_slot(struct slot *slot)
{
	sheaves_drain(slot);
	VM_BUG_ON(!validate_slabs(slot));
	remote_flush(slot);
}

static void drain_own_slot(void)
{
	struct slot *slot = slot_enter();

	drain_slot(slot);
	slot_leave(slot);
}

/* Twice: what one slot held of another's objects lies in that one's inbox afterwards. */
void kmalloc_drain_memcg(unsigned int memcg)
{
	for (unsigned int round = 0; round < 2; round++) {
		drain_own_slot();
		slots_visit_free(drain_slot, memcg);
	}
}

void kmalloc_drain(void)
{
	kmalloc_drain_memcg(0);
	cache_objects_drain();
	run_drain();
	buddy_drain();
}

/* Inside, with the gate closed. Returns the slot to go on with. */
static struct slot *visit_some_inside(struct slot *slot, unsigned int memcg,
				      bool (*fn)(struct slot *slot))
{
	for (unsigned int nr = 0; slot && nr < SLOTS_AT_A_TIME; nr++) {
		if (slot_visit_held(slot, fn))
			break;
		slot = slot_next_held(slot, memcg);
	}
	return slot;
}

/* False: not now. Else *slot is the one to go on with. Others wait meanwhile, or do without. */
static bool visit_some_held(struct slot **slot, unsigned int memcg, bool (*fn)(struct slot *slot))
{
	gate_pass *pass;

	if (!gate_close_briefly())
		return false;
	pass = gate_enter();
	if (pass) {
		*slot = visit_some_inside(*slot, memcg, fn);
		gate_leave(pass);
	}
	gate_open();
	return true;
}

/* What threads hold that may be asleep, but for their sheaves and outboxes: a millisecond each. */
static void drain_held_slots(unsigned int memcg)
{
	struct slot *slot = slot_next_held(NULL, memcg);

	for (unsigned int nr_failures = 0; slot && nr_failures < PATIENCE; os_nap(OPEN_US))
		if (!visit_some_held(&slot, memcg, slabs_drain_part))
			nr_failures++;
}

/* Bounded by what a pcp may keep. */
static bool drain_pcp(struct slot *slot)
{
	pcp_drain(&slot->pcp);
	return false;
}

/* From this slot on. Those that have given up all of it are not worth closing the gate for. */
static struct slot *next_with_pages(struct slot *slot)
{
	while (slot && pcp_is_empty(&slot->pcp))
		slot = slot_next_held(slot, 0);
	return slot;
}

/* Who comes in between may have some visited twice; and leaves it to the other who has closed. */
void kmalloc_drain_others(void)
{
	static struct slot *next;
	struct slot *slot = READ_ONCE(next);
	bool closed;

	slot = next_with_pages(slot ? slot : slot_next_held(NULL, 0));
	closed = !slot || visit_some_held(&slot, 0, drain_pcp);
	if (closed)
		WRITE_ONCE(next, slot);
	if (closed ? !slot : !gate_is_closed_briefly())
		WRITE_ONCE(zone.peak_shared, READ_ONCE(zone.peak_frames));
}

void kmalloc_trim_memcg(unsigned int memcg)
{
	gate_pass *pass = gate_enter_patiently();

	if (!pass)
		return;
	gate_settle();
	kmalloc_drain_memcg(memcg);
	gate_leave(pass);
	drain_held_slots(memcg);
}

bool kmalloc_trim(void)
{
	gate_pass *pass = mm_map.nr_pages ? gate_enter_patiently() : NULL;
	size_t nr_dropped = 0;

	if (!pass)
		return false;
	gate_settle();
	kmalloc_drain();
	gate_leave(pass);
	drain_held_slots(0);
	pass = gate_enter_patiently();
	if (pass) {
		nr_dropped = barn_trim() + mapping_drop_all();
		gate_leave(pass);
	}
	nr_dropped += high_pages_trim() + zonelist_trim();
	return nr_dropped + walk_free_pages(reclaim_some) > 0;
}
