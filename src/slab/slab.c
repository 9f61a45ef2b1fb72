/* slab.c - see slab.h. */
#include "slab/slab.h"

#include <string.h>

#include "core/misuse.h"
#include "slab/remote.h"

/* Of a class's first slab little may ever be used, and of a larger object: it is a buffer. */
#define POPULATE_MAX_BYTES KIB(8)

/* --- slabs come and go --------------------------------------------------------------------- */

/*
 * Large slabs save work, small ones memory: a slot earns a larger order with every doubling, later
 * with larger objects, of which slabs keep more bytes free.
 */
#define FEW_SLABS 4u
#define FEW_SLABS_OF_LARGE 16u
#define LARGE_OBJECT KIB(1)

static unsigned int slab_order(const struct slot_class *cache, const struct size_class *class)
{
	unsigned int nr_few = class->size > LARGE_OBJECT ? FEW_SLABS_OF_LARGE : FEW_SLABS;
	unsigned int order = class->min_order + ilog2(cache->nr_slabs / nr_few + 1);

	return order < class->max_order ? order : class->max_order;
}

/*
 * The spare bytes at the slab's end shift its first object, round robin, so that the first
 * objects of slabs do not all fall into the same cache sets. Multiples of a cache line
 * and of the class's own alignment.
 */
static uint32_t next_colour(struct slot_class *cache, const struct size_class *class, size_t spare)
{
	uint32_t colour = cache->next_colour;

	if (colour > spare)
		colour = 0;
	cache->next_colour = colour + (uint32_t)max_size(CACHE_LINE, size_class_align(class));
	return colour;
}

/* Tell every page of the slab whose it is. */
static void tag_pages(struct page *head, uint32_t entry)
{
	pagemap_fill(page_to_pfn(head), (size_t)1 << head->order, entry);
}

/* Set up a slab over 2^order pages that the slot has just got. */
static void slab_init(struct page *head, unsigned int order, uint32_t entry, uint32_t colour)
{
	uint32_t size = size_classes[pagemap_class(entry)].size;

	for (size_t i = 0; i < (size_t)1 << order; i++) {
		WRITE_ONCE(head[i].order, (uint8_t)order);
		WRITE_ONCE(head[i].slab_index, (uint16_t)i);
	}
	WRITE_ONCE(head->nr_objects, (uint16_t)((PAGE_SIZE << order) / size));
	head->until_event = 0;
	head->colour = (uint16_t)colour;
	slab_fill_bitmap(head);
	WRITE_ONCE(head->identity, slab_identity(entry, order));
	tag_pages(head, entry);
}

static unsigned int order_of_one(const struct size_class *class)
{
	unsigned int order = 0;

	while (PAGE_SIZE << order < class->size)
		order++;
	return order;
}

/* When no large block is left small ones may be, and one object is better than none. */
static struct page *slab_pages(struct slot *slot, const struct slot_class *cache,
			       const struct size_class *class, unsigned int *order)
{
	const unsigned int orders[] = { slab_order(cache, class), class->min_order,
					order_of_one(class) };
	bool populate = cache->nr_slabs && class->size <= POPULATE_MAX_BYTES;
	struct page *head = NULL;

	for (unsigned int i = 0; i < ARRAY_SIZE(orders) && !head; i++) {
		*order = orders[i];
		if (!i || orders[i] < orders[i - 1])
			head = pcp_alloc(&slot->pcp, *order, populate);
	}
	return head;
}

static struct page *slab_new(struct slot *slot, unsigned int class_index)
{
	const struct size_class *class = &size_classes[class_index];
	struct slot_class *cache = &slot->class[class_index];
	unsigned int order;
	struct page *head = slab_pages(slot, cache, class, &order);
	size_t spare;

	if (!head)
		return NULL;
	spare = (PAGE_SIZE << order) % class->size;
	slab_init(head, order, slot->tag | class_index, next_colour(cache, class, spare));
	list_add(&head->list, &cache->partial);
	cache->nr_slabs++;
	slot->nr_slab_pages += 1u << order;
	return head;
}

static void slab_destroy(struct slot *slot, unsigned int class_index, struct page *head)
{
	unsigned int order = head->order;

	__list_del_entry(&head->list);
	slot->class[class_index].nr_slabs--;
	slot->nr_slab_pages -= 1u << order;
	tag_pages(head, 0);
	WRITE_ONCE(head->identity, PAGE_NONE);
	pcp_free(&slot->pcp, head, order);
}

/* --- objects out ---------------------------------------------------------------------------- */

/*
 * Store the addresses of the free objects of one bitmap word below `end`, downwards and lowest
 * first, not below `stop`. A word without holes, as in a new slab, is only counted off.
 */
static __inline_always void **take_from_word(uint64_t *word, char *first, size_t size, void **end,
					     void **stop)
{
	uint64_t bits = *word;

	if (bits == UINT64_MAX && end - stop >= 64) {
		for (stop = end - 64; end != stop; first += size)
			*--end = first;
		bits = 0;
	}
	for (; bits && end != stop; bits &= bits - 1)
		*--end = first + (size_t)__builtin_ctzll(bits) * size;
	WRITE_ONCE(*word, bits);
	return end;
}

/* The same for a slab. Returns how many; a slab that is full afterwards leaves the list. */
static unsigned int take_from_slab(struct page *head, uint32_t size, void **end,
				   unsigned int wanted)
{
	char *first = slab_first_object(head);
	void **stop = end - wanted, **next = end;
	uint64_t left = 0;
	unsigned int taken;

	for (unsigned int w = 0; w < SLAB_BITMAP_WORDS; w++, first += 64 * (size_t)size) {
		next = take_from_word(&head->bitmap[w], first, size, next, stop);
		left |= head->bitmap[w];
	}
	taken = (unsigned int)(end - next);
	head->until_event = left ? (uint16_t)(head->until_event + taken) : 1;
	if (!left)
		__list_del_entry(&head->list);
	return taken;
}

unsigned int slab_take_bulk(struct slot *slot, unsigned int class, void **objects,
			    unsigned int wanted)
{
	struct list_head *partial = &slot->class[class].partial;
	unsigned int left = wanted;
	struct page *head;

	if (list_empty(partial) && !slab_new(slot, class))
		return 0;
	while (left && (head = list_first_entry_or_null(partial, struct page, list)))
		left -= take_from_slab(head, size_classes[class].size, objects + left, left);
	if (left)
		memmove(objects, objects + left, (wanted - left) * sizeof(*objects));
	return wanted - left;
}

/* --- objects in ----------------------------------------------------------------------------- */

__slow void slab_report(const char *what, const void *object, unsigned int class)
{
	char name[SIZE_CLASS_NAME_BYTES];

	size_class_name(&size_classes[class], name);
	misuse_report("free()", what, object, name);
}

/* The object is not in a slab of this slot and class. */
static __slow void put_stray(struct slot *slot, unsigned int class, void *object)
{
	uint32_t entry = pagemap_read(virt_to_pfn(object));

	if (pagemap_is_slab(entry) && pagemap_class(entry) == class && (entry ^ slot->tag) != class)
		remote_forward(entry, object);
	else
		slab_report("double free of", object, class);
}

/* The slab was full before the last free, or has only free objects after it. */
static __slow void slab_event(struct slot *slot, unsigned int class, struct page *head)
{
	struct list_head *partial = &slot->class[class].partial;
	unsigned int nr_free = slab_nr_free(head);

	head->until_event = (uint16_t)(head->nr_objects - nr_free);
	if (nr_free == 1)
		list_add(&head->list, partial);
	/* The last one stays: a class that comes and goes would make and destroy it for ever. */
	if (nr_free == head->nr_objects && partial->next != partial->prev)
		slab_destroy(slot, class, head);
}

/* A slab never has an object at `index`, or it is free: the program freed what it must not. */
static __slow void report_put(unsigned int class, const struct page *head, uint32_t index,
			      const void *object)
{
	if (index >= head->nr_objects)
		slab_report(SLAB_INSIDE_TEXT, object, class);
	else
		slab_report("double free of", object, class);
}

/* Set the object's bit; false when it is set already. */
static __inline_always bool set_free(struct page *head, size_t index)
{
	uint64_t bits = head->bitmap[index / 64];
	bool was_set;

	__asm__("btsq %2, %0" : "+r"(bits), "=@ccc"(was_set) : "r"(index)); /* modulo 64 */
	if (unlikely(was_set))
		return false;
	WRITE_ONCE(head->bitmap[index / 64], bits);
	return true;
}

/* Any object that the loop below could not put: in a small slab, another's, or a mistake. */
static __slow void put_checked(struct slot *slot, unsigned int class, void *object)
{
	size_t pfn = virt_to_pfn(object);
	struct page *head;
	uint32_t index;

	if (pagemap_read(pfn) != (slot->tag | class)) {
		put_stray(slot, class, object);
		return;
	}
	head = slab_head(pfn_to_page(pfn));
	index = size_class_divide(&size_classes[class],
				  (uint32_t)((char *)object - slab_first_object(head)));
	if (index >= head->nr_objects || !set_free(head, index))
		report_put(class, head, index, object);
	else if (--head->until_event == 0)
		slab_event(slot, class, head);
}

/* Heap bytes that one byte of the memmap describes. */
#define MEMMAP_SCALE (PAGE_SIZE / sizeof(struct page))

/*
 * The loop that a program which frees much runs most: 28 instructions an object, everything that
 * does not change in a register. The heads of slabs of the largest order are found by rounding the
 * address down; one comparison tells that there really is such a slab, of this slot and class.
 */
void slab_put_bulk(struct slot *slot, unsigned int class_index, void **objects, unsigned int nr)
{
	const struct size_class class = size_classes[class_index];
	const uint32_t offset_mask = (uint32_t)((PAGE_SIZE << class.max_order) - 1);
	const uint32_t nr_objects = (offset_mask + 1) / class.size;
	const uint64_t identity = slab_identity(slot->tag | class_index, class.max_order);
	const uintptr_t head_mask = ~(uintptr_t)offset_mask / MEMMAP_SCALE;
	uintptr_t memmap_of_0 = (uintptr_t)mm_map.memmap - mm_map.base / MEMMAP_SCALE;
	void **const end = objects + nr;

	OPTIMIZER_HIDE_VAR(memmap_of_0);
	for (; objects != end; objects++) {
		uintptr_t address = (uintptr_t)*objects;
		uintptr_t head_offset = address / MEMMAP_SCALE & head_mask;
		struct page *head = (struct page *)(memmap_of_0 + head_offset); // NOLINT
		uint32_t index;

		if (unlikely(READ_ONCE(head->identity) != identity)) {
			put_checked(slot, class_index, *objects);
			continue;
		}
		index = size_class_divide(&class, ((uint32_t)address & offset_mask) - head->colour);
		if (unlikely(index >= nr_objects) || unlikely(!set_free(head, index)))
			put_checked(slot, class_index, *objects);
		else if (unlikely(--head->until_event == 0))
			slab_event(slot, class_index, head);
	}
}

void slab_trim(struct slot *slot)
{
	struct page *head, *next;

	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
		list_for_each_entry_safe(head, next, &slot->class[class].partial, list)
			if (slab_nr_free(head) == head->nr_objects)
				slab_destroy(slot, class, head);
}

/* An empty slab that stayed since it was the last one has become the oldest. */
void slab_trim_last(struct slot *slot)
{
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		const struct list_head *partial = &slot->class[class].partial;
		struct page *head;

		if (list_empty(partial))
			continue;
		head = list_last_entry(partial, struct page, list);
		if (slab_nr_free(head) == head->nr_objects)
			slab_destroy(slot, class, head);
	}
}

/* --- questions ------------------------------------------------------------------------------ */

enum slab_place slab_place_of(struct page *page, unsigned int class, const void *address)
{
	const struct page *head = slab_head(page);
	uint32_t index = size_class_divide(&size_classes[class],
					   (uint32_t)((const char *)address -
						      slab_first_object(head)));

	if (index >= READ_ONCE(head->nr_objects))
		return SLAB_INSIDE;
	return READ_ONCE(head->bitmap[index / 64]) >> index % 64 & 1 ? SLAB_FREE : SLAB_TAKEN;
}

/* --- change of owner ------------------------------------------------------------------------ */

void slab_adopt_locked(struct slot *slot, struct slot *owner, void *object)
{
	size_t pfn = virt_to_pfn(object);
	uint32_t entry = pagemap_read(pfn);
	unsigned int class = pagemap_class(entry);
	struct page *head;

	if (!pagemap_is_slab(entry) || pagemap_slot(entry) != owner->id)
		return;
	head = slab_head(pfn_to_page(pfn));
	if (slab_nr_free(head))
		list_move(&head->list, &slot->class[class].partial);
	owner->class[class].nr_slabs--;
	slot->class[class].nr_slabs++;
	owner->nr_slab_pages -= 1u << head->order;
	slot->nr_slab_pages += 1u << head->order;
	WRITE_ONCE(head->identity, slab_identity(slot->tag | class, head->order));
	tag_pages(head, slot->tag | class);
}

/* --- validation ----------------------------------------------------------------------------- */

static bool validate_slab(const struct slot *slot, unsigned int class, struct page *head)
{
	uint32_t entry = slot->tag | class;
	unsigned int nr_free = slab_nr_free(head), nr_objects = head->nr_objects;

	for (unsigned int i = nr_objects; i < SLAB_MAX_OBJECTS; i++)
		if (head->bitmap[i / 64] >> i % 64 & 1)
			return false;
	for (size_t i = 0; i < (size_t)1 << head->order; i++)
		if (pagemap_read(page_to_pfn(head) + i) != entry || head[i].slab_index != i ||
		    head[i].order != head->order)
			return false;
	return head->identity == slab_identity(entry, head->order) && nr_free > 0 &&
	       head->until_event == nr_objects - nr_free;
}

bool validate_slabs(struct slot *slot)
{
	struct page *head;

	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
		list_for_each_entry(head, &slot->class[class].partial, list)
			if (!validate_slab(slot, class, head))
				return false;
	return true;
}
