/* proc_view.c - see proc_view.h: the walk over the opened units. */
#include <string.h>

#include "proc/proc_view.h"

#define CHUNK_PAGES 64u
#define UNIT_WORDS (UNIT_PAGES / 64)

struct walk {
	struct proc_view *view; /* NULL: only areas are looked for */
	const struct proc_view *from;
	proc_area_fn *area;
	void *context;
	unsigned int nid;      /* of the section */
	size_t units_in_range; /* that are still to come of a free range */
	uint64_t free[UNIT_WORDS];
	uint32_t entries[UNIT_PAGES];
	struct page pages[CHUNK_PAGES];
};

static bool get(const struct proc_view *view, uint64_t address, void *to, size_t bytes)
{
	return view->read(view->context, address, to, bytes);
}

static void set_free(struct walk *walk, size_t first, size_t nr)
{
	for (size_t i = first; i < first + nr && i < UNIT_PAGES; i++)
		walk->free[i / 64] |= (uint64_t)1 << i % 64;
}

static void note_slab(struct walk *walk, uint32_t entry, const struct page *head)
{
	unsigned int class = pagemap_class(entry), nr_free = 0;
	struct proc_class *pc;

	if (class >= NR_SIZE_CLASSES || head->order > MAX_PAGE_ORDER)
		return;
	for (unsigned int i = 0; i < SLAB_BITMAP_WORDS; i++)
		nr_free += popcount64(head->bitmap[i]);
	pc = &walk->view->class[class];
	pc->nr_slabs++;
	pc->nr_pages += (size_t)1 << head->order;
	pc->nr_objects += head->nr_objects;
	if (nr_free < head->nr_objects) {
		pc->nr_active += head->nr_objects - nr_free;
		pc->nr_active_slabs++;
	}
}

static void note_area(struct walk *walk, size_t pfn, const struct page *head)
{
	if (head->nr_pages > walk->from->map.nr_pages - pfn)
		return;
	if (walk->view) {
		walk->view->nr_areas++;
		walk->view->area_pages += head->nr_pages;
	}
	if (walk->area)
		walk->area(walk->context, walk->from->map.base + (pfn << PAGE_SHIFT),
			   head->nr_pages, false);
}

static void note_page(struct walk *walk, size_t pfn, uint32_t entry, const struct page *page)
{
	if (entry == PAGEMAP_AREA && page->kind == PAGE_AREA)
		note_area(walk, pfn, page);
	if (!walk->view)
		return;
	if (pagemap_is_slab(entry) && page->kind == PAGE_SLAB)
		note_slab(walk, entry, page);
	else if (pagemap_is_cache(entry) && page->kind == PAGE_CACHE &&
		 page->order <= MAX_PAGE_ORDER)
		walk->view->cache_pages += (size_t)1 << page->order;
	else if (page->kind == PAGE_BUDDY && page->order <= MAX_PAGE_ORDER)
		set_free(walk, pfn % UNIT_PAGES, (size_t)1 << page->order);
}

/* False: this cannot be read, nor what follows. */
static bool walk_pages(struct walk *walk, size_t first)
{
	const struct mm_map *map = &walk->from->map;

	if (!get(walk->from, (uint64_t)(uintptr_t)map->pagemap + first * sizeof(uint32_t),
		 walk->entries, sizeof(walk->entries)))
		return false;
	for (size_t i = 0; i < UNIT_PAGES; i++) {
		uint64_t at = (uint64_t)(uintptr_t)map->memmap + (first + i) * sizeof(struct page);

		if (i % CHUNK_PAGES == 0 && !get(walk->from, at, walk->pages, sizeof(walk->pages)))
			return false;
		note_page(walk, first + i, walk->entries[i], &walk->pages[i % CHUNK_PAGES]);
	}
	return true;
}

void proc_count_blocks(size_t *nr_blocks, const uint64_t *words, unsigned int nr_pages)
{
	uint8_t whole[UNIT_PAGES];
	unsigned int order = 0;

	for (size_t i = 0; i < nr_pages; i++)
		whole[i] = words[i / 64] >> i % 64 & 1;
	for (; nr_pages >> order > 1; order++) {
		for (size_t i = 0; i < nr_pages >> order; i += 2) {
			bool both = whole[i] && whole[i + 1];

			nr_blocks[order] += both ? 0 : (size_t)whole[i] + whole[i + 1];
			whole[i / 2] = both;
		}
	}
	nr_blocks[order] += whole[0];
}

/* In a pageblock of runs the free pages are those that no run has. */
static void walk_residency(struct walk *walk, size_t first)
{
	uint64_t end = (uint64_t)(uintptr_t)walk->from->map.pageblocks;

	for (size_t i = 0; i < UNIT_PAGEBLOCKS; i++) {
		uint64_t *words = walk->free + i * PAGEBLOCK_WORDS;
		uint64_t index = (first >> PAGEBLOCK_ORDER) + i;
		struct pageblock block;

		if (!get(walk->from, end - (index + 1) * sizeof(block), &block, sizeof(block)))
			memset(&block, 0, sizeof(block));
		if (!i && block.kind == PAGEBLOCK_RANGE)
			walk->units_in_range = block.nr_units;
		for (size_t w = 0; w < PAGEBLOCK_WORDS; w++) {
			if (walk->units_in_range)
				words[w] = ~(uint64_t)0;
			else if (block.kind == PAGEBLOCK_RUNS)
				words[w] = ~block.run_map[w];
			walk->view->nr_free[walk->nid] += popcount64(words[w]);
			words[w] &= block.touched[w];
		}
	}
	walk->units_in_range -= walk->units_in_range > 0;
	proc_count_blocks(walk->view->nr_resident[walk->nid], walk->free, UNIT_PAGES);
}

static void walk_units(struct walk *walk, size_t unit, size_t end)
{
	size_t last = walk->from->map.nr_pages / UNIT_PAGES;

	walk->units_in_range = 0;
	for (; unit < end && unit < last; unit++) {
		memset(walk->free, 0, sizeof(walk->free));
		if (!walk_pages(walk, unit * UNIT_PAGES))
			return;
		if (walk->view)
			walk_residency(walk, unit * UNIT_PAGES);
	}
}

static void walk_sections(struct walk *walk)
{
	const struct zone *z = &walk->from->zone;

	for (unsigned int i = 0; i < z->nr_sections && i < MAX_SECTIONS; i++) {
		walk->nid = z->sections[i].nid % MAX_NODES;
		walk_units(walk, z->sections[i].start, z->sections[i].low);
		walk_units(walk, z->sections[i].high, z->sections[i].end);
	}
}

static void visit_mappings(const struct walk *walk)
{
	uint64_t table = walk->from->root.mappings;
	struct mapping entry;
	uint32_t nr = 0;

	get(walk->from, table + offsetof(struct mapping_table, nr_entries), &nr, sizeof(nr));
	for (uint32_t i = 0; i < nr && i < MAX_MAPPINGS; i++)
		if (get(walk->from, table + i * sizeof(entry), &entry, sizeof(entry)) &&
		    entry.address && entry.nr_pages)
			walk->area(walk->context, entry.address, entry.nr_pages, false);
}

/* A list that grows at its front only: it ends, unless what is read is no list. */
#define MAX_VMAPS 1000000u

static void visit_vmaps(const struct walk *walk)
{
	struct vmap area;
	uint64_t at = 0;

	get(walk->from, walk->from->root.vmaps, &at, sizeof(at));
	for (size_t i = 0; at && i < MAX_VMAPS; i++) {
		if (!get(walk->from, at, &area, sizeof(area)))
			return;
		if (area.start)
			walk->area(walk->context, (uint64_t)(uintptr_t)area.start, area.nr_pages,
				   true);
		at = (uint64_t)(uintptr_t)area.next;
	}
}

void proc_view_areas(const struct proc_view *view, proc_area_fn *fn, void *context)
{
	struct walk walk = { .from = view, .area = fn, .context = context };

	walk_sections(&walk);
	visit_mappings(&walk);
	visit_vmaps(&walk);
}

uint32_t proc_view_last_cache(const struct proc_view *view)
{
	uint32_t id = 0;

	get(view, view->root.caches + offsetof(struct kmem_caches, last_id), &id, sizeof(id));
	return id < MAX_KMEM_CACHES ? id : MAX_KMEM_CACHES - 1;
}

void proc_make_word(char *name, size_t bytes)
{
	name[bytes - 1] = '\0';
	for (; *name; name++)
		if (*name <= ' ' || *name > '~')
			*name = '_';
}

bool proc_view_cache(const struct proc_view *view, uint32_t id, struct kmem_cache *cache)
{
	uint64_t entry = view->root.caches + offsetof(struct kmem_caches, table) + id * 8ull;
	uint64_t address = 0;

	if (!get(view, entry, &address, sizeof(address)) || !address ||
	    !get(view, address, cache, sizeof(*cache)) || !cache->entry)
		return false;
	proc_make_word(cache->name, CACHE_NAME_BYTES);
	return cache->order <= MAX_PAGE_ORDER;
}

unsigned int proc_view_nr_nodes(const struct proc_view *view)
{
	return (unsigned int)clamp_size(view->zone.nr_nodes, 1, MAX_NODES);
}

unsigned int proc_view_nid(const struct proc_view *view, uint64_t address)
{
	uint64_t unit = (address - view->map.base) / UNIT_BYTES;
	const struct zone *z = &view->zone;

	for (unsigned int i = 0; i < z->nr_sections && i < MAX_SECTIONS; i++)
		if (unit >= z->sections[i].start && unit < z->sections[i].end)
			return z->sections[i].nid % MAX_NODES;
	return 0;
}

size_t proc_view_nr_free(const struct proc_view *view)
{
	size_t nr_used = 0;

	for (unsigned int use = 0; use < NR_PAGE_USES; use++)
		nr_used += view->zone.nr_used[use];
	return view->zone.nr_opened > nr_used ? view->zone.nr_opened - nr_used : 0;
}

static bool root_is_ours(const struct proc_root *root)
{
	return root->version == PROC_ROOT_VERSION && root->zone_bytes == sizeof(struct zone) &&
	       root->page_bytes == sizeof(struct page) &&
	       root->pageblock_bytes == sizeof(struct pageblock) &&
	       root->cache_bytes == sizeof(struct kmem_cache) &&
	       root->mappings_bytes == sizeof(struct mapping_table) &&
	       root->vmap_bytes == sizeof(struct vmap) &&
	       root->part_bytes == sizeof(struct lowmem_part) &&
	       root->nr_classes == NR_SIZE_CLASSES;
}

enum proc_status proc_view_fill(struct proc_view *view, proc_read_fn *read, void *context,
				uint64_t root)
{
	struct walk walk = { .view = view, .from = view };

	memset(view, 0, sizeof(*view));
	view->read = read;
	view->context = context;
	if (!get(view, root, &view->root, sizeof(view->root)))
		return PROC_UNREADABLE;
	if (!root_is_ours(&view->root))
		return PROC_OTHER_VERSION;
	if (!get(view, view->root.zone, &view->zone, sizeof(view->zone)) ||
	    !get(view, view->root.mm_map, &view->map, sizeof(view->map)))
		return PROC_UNREADABLE;
	walk_sections(&walk);
	proc_view_fill_lowmem(view);
	return PROC_OK;
}
