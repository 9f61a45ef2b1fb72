/* slab.c - see slab.h. */
#include "slab/slab.h"

#include <string.h>

#include "core/misuse.h"
#include "slab/remote.h"

static struct page *entry_page(struct list_head *entry)
{
	return list_entry(entry, struct page, list);
}

/* --- slabs come and go --------------------------------------------------------------------- */

/* Large slabs save work, small ones memory: a slot earns a larger order with every doubling. */
static unsigned int slab_order(const struct slot_class *cache, const struct size_class *class)
{
	unsigned int order = class->min_order + ilog2(cache->nr_slabs + 1);

	return order < class->max_order ? order : class->max_order;
}

/*
 * The spare bytes at the slab's end shift its first object, round robin, so that the first
 * objects of slabs do not all fall into the same cache sets. Multiples of a cache line
 * and of the class's own alignment.
 */
static uint16_t next_colour(struct slot_class *cache, const struct size_class *class, size_t spare)
{
	size_t step = max_size(CACHE_LINE, size_class_align(class)) / SIZE_CLASS_GRAIN;
	uint16_t colour = cache->next_colour;

	if (colour > spare / SIZE_CLASS_GRAIN)
		colour = 0;
	cache->next_colour = (uint16_t)(colour + step);
	return colour;
}

/* Tell every page of the slab whose it is. */
static void tag_pages(struct page *head, uint32_t entry)
{
	size_t pfn = page_to_pfn(head), nr_pages = (size_t)1 << head->order;

	for (size_t i = 0; i < nr_pages; i++)
		pagemap_write(pfn + i, entry);
}

static void fill_bitmap(struct page *head, unsigned int nr_objects)
{
	unsigned int w;

	for (w = 0; w < nr_objects / 64; w++)
		*slab_word(head, w) = UINT64_MAX;
	if (nr_objects % 64)
		*slab_word(head, w) = ((uint64_t)1 << nr_objects % 64) - 1;
}

static struct page *slab_new(struct slot *slot, unsigned int class_index)
{
	const struct size_class *class = &size_classes[class_index];
	struct slot_class *cache = &slot->class[class_index];
	unsigned int order = slab_order(cache, class);
	size_t bytes = PAGE_SIZE << order;
	struct page *head = pcp_alloc(&slot->pcp, order);

	if (!head)
		return NULL;
	for (size_t i = 0; i < (size_t)1 << order; i++) {
		head[i].order = (uint8_t)order;
		head[i].slab_index = (uint16_t)i;
	}
	head->nr_objects = (uint16_t)(bytes / class->size);
	WRITE_ONCE(head->nr_free, head->nr_objects);
	head->hint = 0;
	head->colour = next_colour(cache, class, bytes % class->size);
	fill_bitmap(head, head->nr_objects);
	WRITE_ONCE(head->kind, PAGE_SLAB);
	tag_pages(head, slot->tag | class_index);
	list_add(&head->list, &cache->partial);
	cache->nr_slabs++;
	return head;
}

static void slab_destroy(struct slot *slot, unsigned int class_index, struct page *head)
{
	unsigned int order = head->order;

	list_del(&head->list);
	slot->class[class_index].nr_slabs--;
	tag_pages(head, 0);
	WRITE_ONCE(head->kind, PAGE_NONE);
	pcp_free(&slot->pcp, head, order);
}

/* --- objects out ---------------------------------------------------------------------------- */

/* Store the lowest `wanted` free objects below `end`, downwards. Returns how many there were. */
static unsigned int take_from_slab(struct page *head, uint32_t size, void **end,
				   unsigned int wanted)
{
	unsigned int nr_words = div_round_up(head->nr_objects, 64);
	unsigned int left = wanted, w = head->hint;
	char *first = slab_first_object(head);

	for (; w < nr_words; w++) {
		uint64_t *word = slab_word(head, w), bits = *word;

		for (; bits && left; bits &= bits - 1, left--) {
			size_t index = w * 64 + (unsigned int)__builtin_ctzll(bits);

			*--end = first + index * size;
		}
		*word = bits;
		if (bits)
			break;
	}
	head->hint = (uint16_t)w;
	WRITE_ONCE(head->nr_free, (uint16_t)(head->nr_free - (wanted - left)));
	return wanted - left;
}

unsigned int slab_take_bulk(struct slot *slot, unsigned int class, void **objects,
			    unsigned int wanted)
{
	struct list_head *partial = &slot->class[class].partial;
	unsigned int left = wanted;

	if (list_empty(partial) && !slab_new(slot, class))
		return 0;
	while (left && !list_empty(partial)) {
		struct page *head = entry_page(partial->next);

		left -= take_from_slab(head, size_classes[class].size, objects + left, left);
		if (!head->nr_free)
			list_del(&head->list);
	}
	if (left)
		memmove(objects, objects + left, (wanted - left) * sizeof(*objects));
	return wanted - left;
}

/* --- objects in ----------------------------------------------------------------------------- */

static __slow void report_object(const char *what, const void *object, unsigned int class)
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
		report_object("double free of", object, class);
}

/* The slab had no free object before, or has only free ones now. */
static void slab_changed(struct slot *slot, unsigned int class, struct page *head)
{
	struct list_head *partial = &slot->class[class].partial;

	if (head->nr_free == 1)
		list_add(&head->list, partial);
	/* The last one stays: a class that comes and goes would make and destroy it for ever. */
	if (head->nr_free == head->nr_objects && partial->next != partial->prev)
		slab_destroy(slot, class, head);
}

static inline void put_object(struct slot *slot, unsigned int class, struct page *head,
			      void *object)
{
	uint32_t offset = (uint32_t)((char *)object - slab_first_object(head));
	uint32_t index = size_class_divide(&size_classes[class], offset);
	uint64_t *word = slab_word(head, index / 64), bit = (uint64_t)1 << index % 64;

	if (unlikely(index >= head->nr_objects)) {
		report_object("invalid pointer, inside an object:", object, class);
		return;
	}
	if (unlikely(*word & bit)) {
		report_object("double free of", object, class);
		return;
	}
	*word |= bit;
	if (index / 64 < head->hint)
		head->hint = (uint16_t)(index / 64);
	WRITE_ONCE(head->nr_free, (uint16_t)(head->nr_free + 1));
	if (unlikely(head->nr_free == 1 || head->nr_free == head->nr_objects))
		slab_changed(slot, class, head);
}

void slab_put_bulk(struct slot *slot, unsigned int class, void **objects, unsigned int nr)
{
	uint32_t entry = slot->tag | class;

	for (unsigned int i = 0; i < nr; i++) {
		size_t pfn = virt_to_pfn(objects[i]);

		if (likely(pagemap_read(pfn) == entry))
			put_object(slot, class, slab_head(pfn_to_page(pfn)), objects[i]);
		else
			put_stray(slot, class, objects[i]);
	}
}

void slab_trim(struct slot *slot)
{
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++) {
		list_for_each_safe(entry, next, &slot->class[class].partial) {
			struct page *head = entry_page(entry);

			if (head->nr_free == head->nr_objects)
				slab_destroy(slot, class, head);
		}
	}
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
	if (head->nr_free)
		list_move(&head->list, &slot->class[class].partial);
	owner->class[class].nr_slabs--;
	slot->class[class].nr_slabs++;
	tag_pages(head, slot->tag | class);
}

/* --- validation ----------------------------------------------------------------------------- */

static bool validate_slab(const struct slot *slot, unsigned int class, struct page *head)
{
	unsigned int nr_free = 0, nr_words = div_round_up(head->nr_objects, 64);

	for (unsigned int w = 0; w < nr_words; w++) {
		uint64_t word = *slab_word(head, w);

		if (w < head->hint && word)
			return false;
		nr_free += popcount64(word);
	}
	for (size_t i = 0; i < (size_t)1 << head->order; i++)
		if (pagemap_read(page_to_pfn(head) + i) != (slot->tag | class) ||
		    head[i].slab_index != i || head[i].order != head->order)
			return false;
	return head->kind == PAGE_SLAB && nr_free == head->nr_free && nr_free > 0;
}

bool validate_slabs(struct slot *slot)
{
	for (unsigned int class = 0; class < NR_SIZE_CLASSES; class++)
		list_for_each(entry, &slot->class[class].partial)
			if (!validate_slab(slot, class, entry_page(entry)))
				return false;
	return true;
}
