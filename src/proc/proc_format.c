/* proc_format.c - see proc_view.h: the kernel's texts (mm/vmstat.c, slab_common.c, vmalloc.c). */
#include <string.h>

#include "proc/proc_view.h"

#define NODE_ZONE "Node %u, zone   Normal "
#define KIB_PER_PAGE (PAGE_SIZE / 1024)

static const char *const lowmem_names[] = { [LOWMEM_DMA] = "DMA", [LOWMEM_DMA32] = "DMA32" };

static void print_free_blocks(struct report *report, unsigned int nid, const char *name,
			      const size_t *nr_blocks)
{
	report_printf(report, "Node %u, zone %8s ", nid, name);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		report_printf(report, "%6lu ", (unsigned long)nr_blocks[order]);
	report_printf(report, "\n");
}

static void count_free(const struct proc_view *view, unsigned int nid, size_t *nr)
{
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		nr[order] = view->zone.nodes[nid].free_area[order].nr_free;
}

/* Opened pages of the node. */
static size_t nr_managed(const struct proc_view *view, unsigned int nid)
{
	const struct zone *z = &view->zone;
	size_t nr_units = 0;

	if (proc_view_nr_nodes(view) == 1)
		return z->nr_opened;
	for (unsigned int i = 0; i < z->nr_sections && i < MAX_SECTIONS; i++)
		if (z->sections[i].nid == nid)
			nr_units += z->sections[i].low - z->sections[i].start +
				    z->sections[i].end - z->sections[i].high;
	return nr_units * UNIT_PAGES;
}

/* As the kernel, only zones that have pages; the heap always. */
static void print_buddyinfo(struct report *report, const struct proc_view *view)
{
	size_t nr_blocks[NR_PAGE_ORDERS];

	for (unsigned int type = 0; type < NR_LOWMEM_ZONES; type++)
		if (view->lowmem[type].nr_managed)
			print_free_blocks(report, 0, lowmem_names[type],
					  view->lowmem[type].nr_blocks);
	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++) {
		count_free(view, nid, nr_blocks);
		print_free_blocks(report, nid, "Normal", nr_blocks);
	}
}

/* --- pagetypeinfo: all that we have is Movable ------------------------------------------------ */

static const char *const type_names[] = {
	"Unmovable", "Movable", "Reclaimable", "HighAtomic", "Isolate"
};
enum { TYPE_MOVABLE = 1, NR_TYPES = sizeof(type_names) / sizeof(type_names[0]) };

#define CAPPED_AT 100000u

static void print_type(struct report *report, const struct proc_view *view, unsigned int nid,
		       unsigned int type)
{
	const struct node *node = &view->zone.nodes[nid];

	report_printf(report, "Node %4u, zone %8s, type %12s ", nid, "Normal", type_names[type]);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		size_t nr = type == TYPE_MOVABLE ? node->free_area[order].nr_free : 0;

		/* The kernel stops counting there, and says so. */
		report_printf(report, "%s%6lu ", nr >= CAPPED_AT ? ">" : "",
			      (unsigned long)min_size(nr, CAPPED_AT));
	}
	report_printf(report, "\n");
}

static void print_nr_blocks(struct report *report, const struct proc_view *view, unsigned int nid)
{
	size_t nr_blocks = nr_managed(view, nid) / PAGEBLOCK_PAGES;

	report_printf(report, NODE_ZONE, nid);
	for (unsigned int type = 0; type < NR_TYPES; type++)
		report_printf(report, "%12lu ",
			      type == TYPE_MOVABLE ? (unsigned long)nr_blocks : 0);
	report_printf(report, "\n");
}

static void print_pagetypeinfo(struct report *report, const struct proc_view *view)
{
	report_printf(report, "Page block order: %u\nPages per block:  %u\n\n", PAGEBLOCK_ORDER,
		      PAGEBLOCK_PAGES);
	report_printf(report, "%-43s ", "Free pages count per migrate type at order");
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++)
		report_printf(report, "%6u ", order);
	report_printf(report, "\n");
	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++)
		for (unsigned int type = 0; type < NR_TYPES; type++)
			print_type(report, view, nid, type);
	report_printf(report, "\n%-23s", "Number of blocks type ");
	for (unsigned int type = 0; type < NR_TYPES; type++)
		report_printf(report, "%12s ", type_names[type]);
	report_printf(report, "\n");
	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++)
		print_nr_blocks(report, view, nid);
}

/* --- slabinfo --------------------------------------------------------------------------------- */

struct slab_row {
	const char *name;
	size_t active, objects, slabs, active_slabs;
	unsigned int size, per_slab, order;
};

static void print_slab_row(struct report *report, const struct slab_row *row)
{
	report_printf(report, "%-17s %6lu %6lu %6u %4u %4u : tunables %4u %4u %4u : slabdata ",
		      row->name, (unsigned long)row->active, (unsigned long)row->objects,
		      row->size, row->per_slab, 1u << row->order, 0u, 0u, 0u);
	report_printf(report, "%6lu %6lu %6u\n", (unsigned long)row->active_slabs,
		      (unsigned long)row->slabs, 0u);
}

static void print_class(struct report *report, const struct proc_view *view, unsigned int class)
{
	const struct size_class *sc = &size_classes[class];
	const struct proc_class *pc = &view->class[class];
	char name[SIZE_CLASS_NAME_BYTES];
	struct slab_row row = {
		.name = name, .active = pc->nr_active, .objects = pc->nr_objects,
		.slabs = pc->nr_slabs, .active_slabs = pc->nr_active_slabs, .size = sc->size,
		.order = sc->max_order,
	};

	size_class_name(sc, name);
	row.per_slab = (unsigned int)min_size((PAGE_SIZE << sc->max_order) / sc->size,
					      SLAB_MAX_OBJECTS);
	print_slab_row(report, &row);
}

static void print_cache(struct report *report, const struct kmem_cache *cache)
{
	struct slab_row row = {
		.name = cache->name, .active = cache->nr_taken, .slabs = cache->nr_slabs,
		.objects = cache->nr_slabs * cache->nr_objects, .size = cache->stride,
		.active_slabs = cache->nr_slabs - min_size(cache->nr_empty, cache->nr_slabs),
		.per_slab = cache->nr_objects, .order = cache->order,
	};

	print_slab_row(report, &row);
}

static void print_slabinfo(struct report *report, const struct proc_view *view)
{
	uint32_t last = proc_view_last_cache(view);
	struct kmem_cache cache;

	report_printf(report, "slabinfo - version: 2.1\n"
			      "# name            <active_objs> <num_objs> <objsize> <objperslab> "
			      "<pagesperslab> : tunables <limit> <batchcount> <sharedfactor> "
			      ": slabdata <active_slabs> <num_slabs> <sharedavail>\n");
	/* Newest first, as the kernel's list of caches is. */
	for (uint32_t id = last; id > 0; id--)
		if (proc_view_cache(view, id, &cache))
			print_cache(report, &cache);
	for (unsigned int class = NR_SIZE_CLASSES; class-- > 0;)
		print_class(report, view, class);
}

/* --- vmallocinfo ------------------------------------------------------------------------------ */

struct area_context {
	struct report *report;
	const struct proc_view *view;
};

static void print_area(void *context, uint64_t address, size_t nr_pages, bool is_vmap)
{
	const struct area_context *to = context;
	unsigned long bytes = nr_pages << PAGE_SHIFT;

	report_printf(to->report, "0x%016lx-0x%016lx %7lu pages=%zu %s N%u=%zu\n",
		      (unsigned long)address, (unsigned long)address + bytes, bytes, nr_pages,
		      is_vmap ? "vmap" : "vmalloc", proc_view_nid(to->view, address), nr_pages);
}

static void print_vmallocinfo(struct report *report, const struct proc_view *view)
{
	struct area_context to = { report, view };

	proc_view_areas(view, print_area, &to);
}

/* --- zoneinfo, meminfo, vmstat ---------------------------------------------------------------- */

static size_t slab_pages(const struct proc_view *view)
{
	return view->zone.nr_used[USE_SLAB];
}

struct zone_numbers {
	const char *name;
	size_t nr_free, min, low, high, nr_spanned, nr_managed;
	size_t protection[NR_LOWMEM_ZONES + 1];
};

static void print_zone(struct report *report, const struct zone_numbers *z)
{
	report_printf(report, "  pages free     %zu\n        boost    0\n        min      %zu\n",
		      z->nr_free, z->min);
	report_printf(report, "        low      %zu\n        high     %zu\n", z->low, z->high);
	report_printf(report, "        spanned  %zu\n        present  %zu\n        managed  %zu\n",
		      z->nr_spanned, z->nr_managed, z->nr_managed);
	report_printf(report, "        cma      0\n        protection: (%zu, %zu, %zu)\n",
		      z->protection[0], z->protection[1], z->protection[2]);
	report_printf(report, "      %-12s %zu\n", "nr_free_pages", z->nr_free);
	report_printf(report, "  node_unreclaimable:  0\n  start_pfn:           0\n");
}

static size_t nr_spanned(const struct proc_view *view, unsigned int nid)
{
	const struct zone *z = &view->zone;
	size_t nr_units = 0;

	if (proc_view_nr_nodes(view) == 1)
		return view->map.nr_pages;
	for (unsigned int i = 0; i < z->nr_sections && i < MAX_SECTIONS; i++)
		if (z->sections[i].nid == nid)
			nr_units += z->sections[i].end - z->sections[i].start;
	return nr_units * UNIT_PAGES;
}

static struct zone_numbers lowmem_numbers(const struct proc_view *view, unsigned int type)
{
	const struct proc_lowmem *lowmem = &view->lowmem[type];
	struct lowmem_marks marks = lowmem_marks(lowmem->nr_managed * PAGE_SIZE);
	struct zone_numbers z = {
		.name = lowmem_names[type],
		.nr_free = lowmem->nr_free,
		.min = marks.min / PAGE_SIZE,
		.low = marks.low / PAGE_SIZE,
		.high = marks.high / PAGE_SIZE,
		.nr_spanned = lowmem->nr_spanned,
		.nr_managed = lowmem->nr_managed,
	};

	for (unsigned int class = 0; class <= NR_LOWMEM_ZONES; class++)
		z.protection[class] = lowmem_protection(view->zone.nr_opened, type, class);
	return z;
}

/* Of several nodes each has its share of the marks, which are the zone's. */
static struct zone_numbers normal_numbers(const struct proc_view *view, unsigned int nid)
{
	const struct zone *z = &view->zone;
	unsigned int nr_nodes = proc_view_nr_nodes(view);

	return (struct zone_numbers){
		.name = "Normal",
		.nr_free = nr_nodes == 1 ? proc_view_nr_free(view) : view->nr_free[nid],
		.low = z->watermark[WMARK_LOW] / nr_nodes,
		.high = z->watermark[WMARK_HIGH] / nr_nodes,
		.nr_spanned = nr_spanned(view, nid),
		.nr_managed = nr_managed(view, nid),
	};
}

/* Slabs are counted for all nodes together, at the first. */
static void print_further_node(struct report *report, const struct proc_view *view,
			       unsigned int nid)
{
	struct zone_numbers z = normal_numbers(view, nid);

	report_printf(report, "Node %u, zone %8s\n  per-node stats\n      %-12s 0\n", nid, z.name,
		      "nr_slab_unreclaimable");
	print_zone(report, &z);
}

/* The first one has what is the node's as a whole. */
static void print_zoneinfo(struct report *report, const struct proc_view *view)
{
	bool is_first = true;

	for (unsigned int type = 0; type <= NR_LOWMEM_ZONES; type++) {
		struct zone_numbers z = type < NR_LOWMEM_ZONES ? lowmem_numbers(view, type) :
								 normal_numbers(view, 0);

		if (type < NR_LOWMEM_ZONES && !z.nr_managed)
			continue;
		report_printf(report, "Node 0, zone %8s\n", z.name);
		if (is_first)
			report_printf(report, "  per-node stats\n      %-12s %zu\n",
				      "nr_slab_unreclaimable", slab_pages(view));
		is_first = false;
		print_zone(report, &z);
	}
	for (unsigned int nid = 1; nid < proc_view_nr_nodes(view); nid++)
		print_further_node(report, view, nid);
}

static void print_kib(struct report *report, const char *name, size_t nr_pages)
{
	report_printf(report, "%-16s%8lu kB\n", name, (unsigned long)(nr_pages * KIB_PER_PAGE));
}

static void print_meminfo(struct report *report, const struct proc_view *view)
{
	const struct zone *z = &view->zone;
	size_t free = proc_view_nr_free(view);

	print_kib(report, "MemTotal:", z->nr_opened);
	print_kib(report, "MemFree:", free);
	print_kib(report, "MemAvailable:", free);
	print_kib(report, "Buffers:", 0);
	print_kib(report, "Cached:", 0);
	print_kib(report, "SwapCached:", 0);
	print_kib(report, "SwapTotal:", 0);
	print_kib(report, "SwapFree:", 0);
	print_kib(report, "AnonPages:", z->nr_used[USE_RUN] + z->nr_used[USE_AREA]);
	print_kib(report, "Shmem:", 0);
	print_kib(report, "KReclaimable:", 0);
	print_kib(report, "Slab:", slab_pages(view));
	print_kib(report, "SReclaimable:", 0);
	print_kib(report, "SUnreclaim:", slab_pages(view));
	print_kib(report, "VmallocTotal:", view->map.nr_pages);
	print_kib(report, "VmallocUsed:", view->area_pages);
	print_kib(report, "VmallocChunk:", 0);
}

static void print_vmstat(struct report *report, const struct proc_view *view)
{
	report_printf(report, "nr_free_pages %lu\n", (unsigned long)proc_view_nr_free(view));
	report_printf(report, "nr_slab_reclaimable 0\nnr_slab_unreclaimable %lu\n",
		      (unsigned long)slab_pages(view));
}

/* --- fragmentation ---------------------------------------------------------------------------- */

struct free_info {
	size_t nr_pages, nr_blocks, nr_suitable;
};

/* nr: blocks of each order. */
static struct free_info look_at(const size_t *nr, unsigned int wanted)
{
	struct free_info info = { 0 };

	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		info.nr_blocks += nr[order];
		info.nr_pages += nr[order] << order;
		if (order >= wanted)
			info.nr_suitable += nr[order] << (order - wanted);
	}
	return info;
}

static int extfrag_index(const size_t *nr, unsigned int order)
{
	struct free_info info = look_at(nr, order);

	if (!info.nr_blocks)
		return 0;
	if (info.nr_suitable)
		return -1000;
	return 1000 - (int)((1000 + info.nr_pages * 1000 / ((size_t)1 << order)) / info.nr_blocks);
}

static int unusable_index(const size_t *nr, unsigned int order)
{
	struct free_info info = look_at(nr, order);

	if (!info.nr_pages)
		return 1000;
	return (int)((info.nr_pages - (info.nr_suitable << order)) * 1000 / info.nr_pages);
}

static void print_node_extfrag(struct report *report, const struct proc_view *view,
			       unsigned int nid)
{
	size_t nr[NR_PAGE_ORDERS];

	count_free(view, nid, nr);
	report_printf(report, NODE_ZONE, nid);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		int index = extfrag_index(nr, order);

		/* A single block that is too small makes it " 0.-500": so does the kernel. */
		report_printf(report, "%2d.%03d ", index / 1000, index % 1000);
	}
	report_printf(report, "\n");
}

static void print_extfrag_index(struct report *report, const struct proc_view *view)
{
	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++)
		print_node_extfrag(report, view, nid);
}

static void print_unusable(struct report *report, unsigned int nid, const size_t *nr)
{
	report_printf(report, NODE_ZONE, nid);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		int index = unusable_index(nr, order);

		report_printf(report, "%d.%03d ", index / 1000, index % 1000);
	}
	report_printf(report, "\n");
}

static void print_unusable_index(struct report *report, const struct proc_view *view)
{
	size_t nr[NR_PAGE_ORDERS];

	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++) {
		count_free(view, nid, nr);
		print_unusable(report, nid, nr);
	}
}

static void print_resident_unusable_index(struct report *report, const struct proc_view *view)
{
	for (unsigned int nid = 0; nid < proc_view_nr_nodes(view); nid++)
		print_unusable(report, nid, view->nr_resident[nid]);
}

/* --- by name ---------------------------------------------------------------------------------- */

/* --- memblock: as the kernel shows it below /sys/kernel/debug --------------------------------- */

static void print_region(struct report *report, unsigned int nr, uint64_t start, uint64_t end,
			 unsigned int nid)
{
	report_printf(report, "%4u: 0x%016lx..0x%016lx %4u NONE\n", nr, (unsigned long)start,
		      (unsigned long)end - 1, nid);
}

static void print_memblock_memory(struct report *report, const struct proc_view *view)
{
	const struct zone *z = &view->zone;

	for (unsigned int i = 0; i < z->nr_sections && i < MAX_SECTIONS; i++)
		print_region(report, i, view->map.base + z->sections[i].start * UNIT_BYTES,
			     view->map.base + z->sections[i].end * UNIT_BYTES,
			     z->sections[i].nid % MAX_NODES);
}

/* The allocator's own. */
static void print_memblock_reserved(struct report *report, const struct proc_view *view)
{
	print_region(report, 0, view->map.reserve, view->map.base, 0);
}

static const struct {
	const char *name;
	void (*print)(struct report *report, const struct proc_view *view);
} reports[] = {
	{ "buddyinfo", print_buddyinfo },
	{ "pagetypeinfo", print_pagetypeinfo },
	{ "slabinfo", print_slabinfo },
	{ "vmallocinfo", print_vmallocinfo },
	{ "zoneinfo", print_zoneinfo },
	{ "meminfo", print_meminfo },
	{ "vmstat", print_vmstat },
	{ "extfrag_index", print_extfrag_index },
	{ "unusable_index", print_unusable_index },
	{ "memcg", proc_print_memcg },
	{ "memblock_memory", print_memblock_memory },
	{ "memblock_reserved", print_memblock_reserved },
	{ "resident_unusable_index", print_resident_unusable_index },
};

const char *proc_report_name(unsigned int number)
{
	return number < sizeof(reports) / sizeof(reports[0]) ? reports[number].name : NULL;
}

bool proc_report_print(struct report *report, const struct proc_view *view, const char *name)
{
	for (unsigned int i = 0; i < sizeof(reports) / sizeof(reports[0]); i++)
		if (!strcmp(reports[i].name, name)) {
			reports[i].print(report, view);
			return true;
		}
	return false;
}
