/* heap_objects.c - see heap_objects.h. */
#include "debug/heap_objects.h"

#include "debug/private_map.h"
#include "mm/reserve.h"
#include "mm/section.h"
#include "slab/kmem_cache.h"
#include "slab/remote.h"
#include "slab/sheaf.h"
#include "slab/slab.h"

/* Something that objects are in: a slab, run, area or extent of the reserve. */
struct object_block {
	uintptr_t start;
	size_t bytes;	     /* of an object; 0: of the reserve, whose objects differ */
	uint64_t reciprocal; /* 2^64 / stride, rounded up: a division takes as long as all else */
	uint32_t stride;     /* from one to the next; 0: there is but one */
	uint32_t nr_objects; /* free ones included */
	uint32_t first;	     /* index of the first one */
	uint32_t pfn;	     /* of the head */
};

uint8_t *heap_object_state;
static struct object_block *blocks; /* lowest first */
static uint32_t *block_of_page;	    /* 1 + index; 0: the page is in none */
static size_t nr_blocks, nr_objects;

/* --- walking the page map --------------------------------------------------------------------- */

static struct object_block slab_block(const struct page *head, uint32_t entry)
{
	return (struct object_block){
		.start = (uintptr_t)slab_first_object(head),
		.bytes = size_classes[pagemap_class(entry)].size,
		.stride = size_classes[pagemap_class(entry)].size,
		.nr_objects = head->nr_objects,
	};
}

static struct object_block cache_block(const struct page *head, const struct kmem_cache *cache)
{
	return (struct object_block){
		.start = (uintptr_t)cache_first_object(cache, head),
		.bytes = cache->usable_size,
		.stride = cache->stride,
		.nr_objects = head->nr_objects,
	};
}

static struct object_block page_block(const struct page *head)
{
	return (struct object_block){
		.start = (uintptr_t)page_address(head),
		.bytes = head->nr_pages * PAGE_SIZE,
		.nr_objects = 1,
	};
}

/* An extent of the reserve: an object may start at each stride. */
static struct object_block reserve_block(const struct page *head)
{
	return (struct object_block){
		.start = (uintptr_t)page_address(head),
		.stride = RESERVE_ALIGN,
		.nr_objects = (uint32_t)(head->nr_pages * PAGE_SIZE / RESERVE_ALIGN),
	};
}

static bool has_bitmap(const struct page *head)
{
	return head->kind == PAGE_SLAB || head->kind == PAGE_CACHE;
}

static size_t pages_of(const struct page *head)
{
	return has_bitmap(head) ? (size_t)1 << head->order : head->nr_pages;
}

/* The block whose head the page is. */
static bool block_at(size_t pfn, struct object_block *block)
{
	uint32_t entry = pagemap_read(pfn);
	const struct page *page = pfn_to_page(pfn);

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
	block->pfn = (uint32_t)pfn;
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
			*pfn = at + pages_of(pfn_to_page(at));
			return true;
		}
	}
	return false;
}

/* --- the table -------------------------------------------------------------------------------- */

static void count_block(const struct object_block *block)
{
	(void)block;
	nr_blocks++;
}

static void enter_block(const struct object_block *block)
{
	size_t nr_pages = pages_of(pfn_to_page(block->pfn));
	struct object_block *entry = &blocks[nr_blocks++];

	*entry = *block;
	entry->first = (uint32_t)nr_objects;
	if (block->stride)
		entry->reciprocal = UINT64_MAX / block->stride + 1;
	for (size_t i = 0; i < nr_pages; i++)
		block_of_page[block->pfn + i] = (uint32_t)nr_blocks;
	nr_objects += block->nr_objects;
}

static void for_each_block(void (*fn)(const struct object_block *block))
{
	struct object_block block;

	nr_blocks = 0;
	for (size_t pfn = 0; next_block(&pfn, &block);)
		fn(&block);
}

/* The i-th object is free, or none starts there. */
static bool is_free(const struct object_block *block, const struct page *head, size_t i)
{
	if (!block->bytes)
		return !reserve_size((void *)(block->start + i * block->stride)); // NOLINT
	return has_bitmap(head) && head->bitmap[i / 64] >> i % 64 & 1;
}

static void enter_states(void)
{
	for (const struct object_block *block = blocks; block < blocks + nr_blocks; block++) {
		const struct page *head = pfn_to_page(block->pfn);
		uint8_t *state = heap_object_state + block->first;

		for (size_t i = 0; i < block->nr_objects; i++)
			state[i] = is_free(block, head, i) ? OBJECT_FREE : OBJECT_LIVE;
	}
}

static struct heap_object nth_object(const struct object_block *block, size_t i)
{
	uintptr_t start = block->start + i * block->stride;

	return (struct heap_object){
		.start = start,
		.bytes = block->bytes ? block->bytes : reserve_size((void *)start), // NOLINT
		.index = block->first + (uint32_t)i,
	};
}

/* The object of a block that the address is in, live or not. */
static bool object_in(const struct object_block *block, uintptr_t address,
		      struct heap_object *object)
{
	size_t bytes, i;

	if (address < block->start ||
	    (!block->bytes && !reserve_object_at(address, &address, &bytes)))
		return false;
	i = (size_t)((unsigned __int128)(address - block->start) * block->reciprocal >> 64);
	if (i >= block->nr_objects)
		return false;
	*object = nth_object(block, i);
	return true;
}

bool heap_object_at(uintptr_t address, struct heap_object *object)
{
	size_t pfn = (address - mm_map.base) >> PAGE_SHIFT;
	uint32_t block = pfn < mm_map.nr_pages ? block_of_page[pfn] : 0;

	return block && object_in(&blocks[block - 1], address, object) &&
	       heap_object_state[object->index] != OBJECT_FREE;
}

static void visit_block(const struct object_block *block, unsigned int states, heap_object_fn *fn,
			void *context)
{
	const uint8_t *state = heap_object_state + block->first;

	for (size_t i = 0; i < block->nr_objects; i++)
		if (states >> state[i] & 1) {
			struct heap_object object = nth_object(block, i);

			fn(context, &object);
		}
}

void heap_objects_visit(unsigned int states, heap_object_fn *fn, void *context)
{
	for (const struct object_block *block = blocks; block < blocks + nr_blocks; block++)
		visit_block(block, states, fn, context);
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
	for_each_block(count_block);
	blocks = private_map(nr_blocks * sizeof(*blocks));
	block_of_page = private_map(mm_map.nr_pages * sizeof(*block_of_page));
	nr_objects = 0;
	if (blocks && block_of_page)
		for_each_block(enter_block);
	heap_object_state = nr_objects < UINT32_MAX ? private_map(nr_objects) : NULL;
	if (!blocks || !block_of_page || !heap_object_state) {
		heap_objects_release();
		return false;
	}
	enter_states();
	for (uint32_t id = 1; id <= slot_count(); id++)
		note_slot(slot_by_id(id));
	for (uint32_t id = 1; id <= kmem_caches.last_id; id++)
		if (kmem_caches.table[id])
			note_cache(kmem_caches.table[id]);
	return true;
}

void heap_objects_release(void)
{
	private_unmap(blocks);
	private_unmap(block_of_page);
	private_unmap(heap_object_state);
	blocks = NULL;
	block_of_page = NULL;
	heap_object_state = NULL;
	nr_blocks = 0;
}
