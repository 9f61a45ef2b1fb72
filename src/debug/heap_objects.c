/* heap_objects.c - see heap_objects.h. */
#include "debug/heap_objects.h"

#include "debug/private_map.h"
#include "mm/reserve.h"
#include "mm/section.h"
#include "slab/kmem_cache.h"
#include "slab/remote.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

/* Of a page of the window. */
struct page_objects {
	uint32_t head;	/* pfn + 1 of the slab, run or area that the page is in; 0: in none */
	uint32_t first; /* of a head: index of its first object */
};

uint8_t *heap_object_state;
static struct page_objects *pages;
static size_t nr_objects;

/* --- walking ---------------------------------------------------------------------------------- */

/* Something that objects are in. */
struct object_block {
	struct page *head;
	size_t nr_pages;
	uintptr_t start;
	size_t bytes;	   /* of an object; 0: of the reserve, whose objects differ */
	size_t stride;	   /* from one to the next */
	size_t nr_objects; /* free ones included */
};

static struct object_block slab_block(struct page *head, uint32_t entry)
{
	return (struct object_block){
		.head = head,
		.nr_pages = (size_t)1 << head->order,
		.start = (uintptr_t)slab_first_object(head),
		.bytes = size_classes[pagemap_class(entry)].size,
		.stride = size_classes[pagemap_class(entry)].size,
		.nr_objects = head->nr_objects,
	};
}

static struct object_block cache_block(struct page *head, const struct kmem_cache *cache)
{
	return (struct object_block){
		.head = head,
		.nr_pages = (size_t)1 << head->order,
		.start = (uintptr_t)cache_first_object(cache, head),
		.bytes = cache->usable_size,
		.stride = cache->stride,
		.nr_objects = head->nr_objects,
	};
}

static struct object_block page_block(struct page *head)
{
	return (struct object_block){
		.head = head,
		.nr_pages = head->nr_pages,
		.start = (uintptr_t)page_address(head),
		.bytes = head->nr_pages * PAGE_SIZE,
		.stride = head->nr_pages * PAGE_SIZE,
		.nr_objects = 1,
	};
}

/* An extent of the reserve: an object may start at each stride. */
static struct object_block reserve_block(struct page *head)
{
	return (struct object_block){
		.head = head,
		.nr_pages = head->nr_pages,
		.start = (uintptr_t)page_address(head),
		.stride = RESERVE_ALIGN,
		.nr_objects = head->nr_pages * PAGE_SIZE / RESERVE_ALIGN,
	};
}

/* The block whose head the page is. */
static bool block_at(size_t pfn, struct object_block *block)
{
	uint32_t entry = pagemap_read(pfn);
	struct page *page = pfn_to_page(pfn);

	if (pagemap_is_slab(entry) && page->kind == PAGE_SLAB)
		*block = slab_block(page, entry);
	else if (pagemap_is_cache(entry) && page->kind == PAGE_CACHE && kmem_cache_by_entry(entry))
		*block = cache_block(page, kmem_cache_by_entry(entry));
	else if (entry == PAGEMAP_RUN || entry == PAGEMAP_AREA)
		*block = page_block(page);
	else if (entry == PAGEMAP_RESERVE && page->kind == PAGE_RUN)
		*block = reserve_block(page);
	else
		return false;
	return true;
}

/* The first block at or behind *pfn, which is moved behind it. */
static bool next_block(size_t *pfn, struct object_block *block)
{
	for (size_t at = pfn_next_open(*pfn); at < mm_map.nr_pages; at++) {
		if (at % UNIT_PAGES == 0 && !pfn_is_open(at))
			at = pfn_next_open(at);
		if (at >= mm_map.nr_pages)
			break;
		if (block_at(at, block)) {
			*pfn = at + block->nr_pages;
			return true;
		}
	}
	return false;
}

/* --- the table -------------------------------------------------------------------------------- */

static bool is_marked_free(const struct page *head, size_t i)
{
	return head->bitmap[i / 64] >> i % 64 & 1;
}

static bool has_bitmap(const struct page *head)
{
	return head->kind == PAGE_SLAB || head->kind == PAGE_CACHE;
}

/* The i-th object is free, or none starts there. */
static bool is_free(const struct object_block *block, size_t i)
{
	if (!block->bytes)
		return !reserve_size((void *)(block->start + i * block->stride)); // NOLINT
	return has_bitmap(block->head) && is_marked_free(block->head, i);
}

static void enter_block(const struct object_block *block)
{
	size_t pfn = page_to_pfn(block->head);

	for (size_t i = 0; i < block->nr_pages; i++)
		pages[pfn + i].head = (uint32_t)pfn + 1;
	pages[pfn].first = (uint32_t)nr_objects;
	nr_objects += block->nr_objects;
}

static void enter_state(const struct object_block *block)
{
	uint8_t *state = &heap_object_state[pages[page_to_pfn(block->head)].first];

	for (size_t i = 0; i < block->nr_objects; i++)
		state[i] = is_free(block, i) ? OBJECT_FREE : OBJECT_LIVE;
}

static void for_each_block(void (*fn)(const struct object_block *block))
{
	struct object_block block;

	for (size_t pfn = 0; next_block(&pfn, &block);)
		fn(&block);
}

/* The object of a block that the address is in. */
static bool object_in(const struct object_block *block, uintptr_t address,
		      struct heap_object *object)
{
	uintptr_t start = address - (address - block->start) % block->stride;
	size_t bytes = block->bytes, i;

	if (address < block->start || (!bytes && !reserve_object_at(address, &start, &bytes)))
		return false;
	i = (start - block->start) / block->stride;
	if (i >= block->nr_objects)
		return false;
	*object = (struct heap_object){
		.start = start,
		.bytes = bytes,
		.index = pages[page_to_pfn(block->head)].first + (uint32_t)i,
	};
	return true;
}

bool heap_object_at(uintptr_t address, struct heap_object *object)
{
	size_t pfn = (address - mm_map.base) >> PAGE_SHIFT;
	struct object_block block;

	return pfn < mm_map.nr_pages && pages[pfn].head && block_at(pages[pfn].head - 1, &block) &&
	       object_in(&block, address, object) &&
	       heap_object_state[object->index] != OBJECT_FREE;
}

void heap_objects_visit(heap_object_fn *fn, void *context)
{
	struct object_block block;
	struct heap_object object;

	for (size_t pfn = 0; next_block(&pfn, &block);)
		for (size_t i = 0; i < block.nr_objects; i++)
			if (object_in(&block, block.start + i * block.stride, &object) &&
			    object.start == block.start + i * block.stride &&
			    heap_object_state[object.index] != OBJECT_FREE)
				fn(context, &object);
}

uint32_t heap_objects_count(void)
{
	return (uint32_t)nr_objects;
}

/* --- what threads keep ------------------------------------------------------------------------ */

static void note_free(void *unused, const void *address)
{
	struct heap_object object;

	(void)unused;
	if (heap_object_at((uintptr_t)address, &object))
		heap_object_state[object.index] = OBJECT_FREE;
}

static void note_batch(void *unused, const struct batch *batch)
{
	for (unsigned int i = 0; i < batch->nr_objects; i++)
		note_free(unused, batch->objects[i]);
}

static void note_sheaf(const struct slot *slot, unsigned int class)
{
	unsigned int nr = sheaf_count(slot, class);

	for (unsigned int i = 1; i <= nr; i++)
		note_free(NULL, slot->class[class].sheaf[i]);
}

static void note_slot(struct slot *slot)
{
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
		note_sheaf(slot, class);
	for (unsigned int i = 0; i < NR_OUTBOXES; i++)
		if (slot->outbox[i])
			note_batch(NULL, slot->outbox[i]);
	remote_visit_inbox(slot, note_batch, NULL);
	remote_visit_strays(slot, note_free, NULL);
}

static void note_cache(const struct kmem_cache *cache)
{
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++) {
		const struct cache_sheaf *sheaf = cache->sheaf[i];

		for (uint32_t n = 0; sheaf && n < sheaf->nr; n++)
			note_free(NULL, sheaf->objects[n]);
	}
}

/* --- making it -------------------------------------------------------------------------------- */

bool heap_objects_collect(void)
{
	nr_objects = 0;
	pages = private_map(mm_map.nr_pages * sizeof(*pages));
	if (!pages)
		return false;
	for_each_block(enter_block);
	heap_object_state = nr_objects < UINT32_MAX ? private_map(nr_objects) : NULL;
	if (!heap_object_state) {
		heap_objects_release();
		return false;
	}
	for_each_block(enter_state);
	for (uint32_t id = 1; id <= slot_count(); id++)
		note_slot(slot_by_id(id));
	for (uint32_t id = 1; id <= kmem_caches.last_id; id++)
		if (kmem_caches.table[id])
			note_cache(kmem_caches.table[id]);
	return true;
}

void heap_objects_release(void)
{
	private_unmap(pages);
	private_unmap(heap_object_state);
	pages = NULL;
	heap_object_state = NULL;
}
