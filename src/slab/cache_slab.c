/* cache_slab.c - see cache_slab.h. */
#include "slab/cache_slab.h"

#include "core/hooks.h"
#include "core/lock.h"
#include "core/memblock.h"
#include "mm/node.h"
#include "os/os.h"
#include "slab/slab.h"

/* How long shrinking waits for a hit of another thread, which is a few instructions. */
#define SPINS_FOR_SHEAF 200u
#define NAPS_FOR_SHEAF 20u
#define NAP_US 50u

static char *object_at(const struct kmem_cache *cache, const struct page *head, unsigned int i)
{
	return cache_first_object(cache, head) + (size_t)i * cache->stride;
}

/* --- slabs come and go ----------------------------------------------------------------------- */

/* The spare bytes at the slab's end shift its first object, round robin (slab.c). */
static uint32_t next_colour_locked(struct kmem_cache *cache)
{
	uint32_t spare = (uint32_t)((PAGE_SIZE << cache->order) -
				    (size_t)cache->nr_objects * cache->stride);
	uint32_t most = (uint32_t)min_size(spare, UINT16_MAX);
	uint32_t colour = cache->next_colour <= most ? cache->next_colour : 0;

	cache->next_colour = colour + (uint32_t)max_size(CACHE_LINE, cache->align);
	return colour;
}

static void tag_pages(struct page *head, unsigned int order, uint32_t entry)
{
	pagemap_fill(page_to_pfn(head), (size_t)1 << order, entry);
}

static uint64_t identity_of(const struct kmem_cache *cache)
{
	return (uint64_t)cache->entry << 32 | (uint64_t)cache->order << 8 | PAGE_CACHE;
}

static void slab_init(const struct kmem_cache *cache, struct page *head, uint32_t colour)
{
	for (size_t i = 0; i < (size_t)1 << cache->order; i++) {
		WRITE_ONCE(head[i].order, cache->order);
		WRITE_ONCE(head[i].slab_index, (uint16_t)i);
	}
	WRITE_ONCE(head->nr_objects, cache->nr_objects);
	head->until_event = 0;
	head->colour = (uint16_t)colour;
	slab_fill_bitmap(head);
	WRITE_ONCE(head->identity, identity_of(cache));
	tag_pages(head, cache->order, cache->entry);
	if (cache->flags & CACHE_DEBUG_FLAGS)
		for (unsigned int i = 0; i < cache->nr_objects; i++)
			cache_debug_init(cache, object_at(cache, head, i));
}

/* Counted, but on no list yet. */
static struct page *slab_new(struct kmem_cache *cache, struct slot *slot)
{
	struct page *head = pcp_alloc(&slot->pcp, cache->order, true);
	uint32_t colour;

	if (!head)
		return NULL;
	lock_acquire(LOCK_CACHES);
	colour = next_colour_locked(cache);
	cache->nr_slabs++;
	lock_release(LOCK_CACHES);
	slab_init(cache, head, colour);
	return head;
}

/* From its list to the list of slabs that go. */
static void slab_retire_locked(struct kmem_cache *cache, struct page *head, struct list_head *gone)
{
	list_move(&head->list, gone);
	cache->nr_slabs--;
	cache->nr_empty--;
	tag_pages(head, cache->order, 0);
	/* The order stays, for free_retired. */
	WRITE_ONCE(head->identity, (uint64_t)cache->order << 8 | PAGE_NONE);
}

/* Without the lock: giving pages back may take another. */
static void free_retired(struct slot *slot, struct list_head *gone)
{
	struct page *head, *next;

	list_for_each_entry_safe(head, next, gone, list)
		pcp_free(&slot->pcp, head, head->order);
}

/* Where it belongs by what is taken of it. */
static void slab_add_locked(struct kmem_cache *cache, struct page *head)
{
	list_add(&head->list, head->until_event == head->nr_objects ?
				      &cache->full : &cache->partial[page_to_nid(head)]);
	cache->nr_empty += !head->until_event;
	cache->nr_taken += head->until_event;
}

void cache_collect_fresh_locked(struct kmem_cache *cache)
{
	struct page *head, *next;

	if (!atomic_load_explicit(&cache->fresh, memory_order_relaxed))
		return;
	head = atomic_exchange_explicit(&cache->fresh, NULL, memory_order_acquire);
	for (; head; head = next) {
		next = (struct page *)(void *)head->list.next;
		slab_add_locked(cache, head);
	}
}

static void push_fresh(struct kmem_cache *cache, struct page *head)
{
	struct page *first = atomic_load_explicit(&cache->fresh, memory_order_relaxed);

	do
		head->list.next = (void *)first;
	while (!atomic_compare_exchange_weak_explicit(&cache->fresh, &first, head,
						      memory_order_release, memory_order_relaxed));
}

/* --- objects out and in ---------------------------------------------------------------------- */

/* The lowest free object of a slab that is partial. */
static void *take_locked(struct kmem_cache *cache, struct page *head)
{
	unsigned int w = 0, i;

	while (!head->bitmap[w])
		w++;
	i = w * 64 + (unsigned int)__builtin_ctzll(head->bitmap[w]);
	WRITE_ONCE(head->bitmap[w], head->bitmap[w] & (head->bitmap[w] - 1));
	cache->nr_empty -= !head->until_event;
	cache->nr_taken++;
	if (++head->until_event == head->nr_objects)
		list_move(&head->list, &cache->full);
	return object_at(cache, head, i);
}

static struct page *first_partial_locked(struct kmem_cache *cache, unsigned int nid)
{
	return list_first_entry_or_null(&cache->partial[nid], struct page, list);
}

/* Of the node that the thread asks first; if it need not be near, then of the others. */
static void *take_any_locked(struct kmem_cache *cache, bool near)
{
	unsigned int nid = node_wanted();
	struct page *head = first_partial_locked(cache, nid);

	for (unsigned int n = 1; !head && !near && n < zone.nr_nodes; n++)
		head = first_partial_locked(cache, (nid + n) % zone.nr_nodes);
	return head ? take_locked(cache, head) : NULL;
}

/*
 * One of each node stays, as the last that is taken from: an object that comes and goes would make
 * and destroy it for ever.
 */
static void note_empty_locked(struct kmem_cache *cache, struct page *head, struct list_head *gone)
{
	struct list_head *partial = &cache->partial[page_to_nid(head)];
	struct page *last = list_last_entry(partial, struct page, list);

	cache->nr_empty++;
	if (last != head && !last->until_event)
		slab_retire_locked(cache, head, gone);
	else
		list_move_tail(&head->list, partial);
}

/* A taken one, back. Empty slabs that are too many go to `gone`. */
static void give_locked(struct kmem_cache *cache, struct page *head, uint32_t index,
			struct list_head *gone)
{
	uint64_t *word = &head->bitmap[index / 64];

	WRITE_ONCE(*word, *word | (uint64_t)1 << index % 64);
	cache->nr_taken--;
	if (head->until_event-- == head->nr_objects)
		list_move(&head->list, &cache->partial[page_to_nid(head)]);
	if (!head->until_event)
		note_empty_locked(cache, head, gone);
}

/* False, and *fault, if it is none of the cache, or free already. */
static bool find_taken(const struct kmem_cache *cache, const void *object, struct page **head,
		       uint32_t *index, struct cache_fault *fault)
{
	size_t pfn = virt_to_pfn(object);
	const char *what = NULL;

	if (pfn >= mm_map.nr_pages || pagemap_read(pfn) != cache->entry) {
		cache_fault_set(fault, cache, "double free of", object);
		return false;
	}
	*head = cache_slab_head(pfn_to_page(pfn));
	*index = cache_index(cache, *head, object);
	if (*index >= (*head)->nr_objects)
		what = SLAB_INSIDE_TEXT;
	else if (cache_bit(*head, *index))
		what = "double free of";
	if (!what)
		return true;
	cache_fault_set(fault, cache, what, object);
	for (unsigned int i = 0; i < NR_TRACKS && *index < (*head)->nr_objects; i++)
		fault->tracks[i] = cache_debug_track(cache, object, i);
	return false;
}

/* --- sheaves --------------------------------------------------------------------------------- */

static struct cache_sheaf *new_sheaf_locked(void)
{
	struct cache_sheaf *sheaf = kmem_caches.free_sheaves;

	if (!sheaf)
		return memblock_alloc(sizeof(*sheaf));
	kmem_caches.free_sheaves = sheaf->objects[0];
	return sheaf;
}

/* The thread's, made now if it has none yet; held. NULL: not now. */
static struct cache_sheaf *own_sheaf_locked(struct kmem_cache *cache)
{
	unsigned int i = current_slot->cache_sheaf;
	struct cache_sheaf *sheaf;

	if (!cache->sheaf_limit || i == NO_CACHE_SHEAF)
		return NULL;
	if (!atomic_load_explicit(&cache->sheaf[i], memory_order_relaxed)) {
		sheaf = new_sheaf_locked();
		atomic_store_explicit(&cache->sheaf[i], sheaf, memory_order_release);
	}
	return cache_sheaf_try(cache);
}

/* Half of what it holds at most; the count last (kmem_cache.h). */
static void refill_locked(struct kmem_cache *cache, struct cache_sheaf *sheaf, bool near)
{
	uint32_t wanted = (cache->sheaf_limit + 1) / 2, nr = sheaf->nr;
	void *object;

	while (nr < wanted && (object = take_any_locked(cache, near)))
		sheaf->objects[nr++] = object;
	barrier();
	WRITE_ONCE(sheaf->nr, nr);
}

/* The upper part, down to `left`, the count first. *fault: of the last one that was wrong. */
static void flush_locked(struct kmem_cache *cache, struct cache_sheaf *sheaf, uint32_t left,
			 struct list_head *gone, struct cache_fault *fault)
{
	uint32_t nr = sheaf->nr, index;
	struct page *head;

	if (nr <= left)
		return;
	WRITE_ONCE(sheaf->nr, left);
	barrier();
	for (uint32_t i = left; i < nr; i++)
		if (find_taken(cache, sheaf->objects[i], &head, &index, fault))
			give_locked(cache, head, index, gone);
}

/* --- what is asked of it --------------------------------------------------------------------- */

/* The next that is whole; broken ones stay taken, and are told of. */
static void *take_whole_locked(struct kmem_cache *cache, bool near,
			       const struct alloc_track *track, struct cache_fault *fault)
{
	void *object;

	do
		object = take_any_locked(cache, near);
	while (object && (cache->flags & CACHE_DEBUG_FLAGS) &&
	       !cache_debug_alloc(cache, object, track, fault));
	return object;
}

/* The request is for the thread's own node. */
static bool is_own_node(void)
{
	return likely(zone.nr_nodes == 1) || current_slot->nid == node_wanted();
}

static void *alloc_locked(struct kmem_cache *cache, bool near, const struct alloc_track *track,
			  struct cache_fault *fault)
{
	void *object = take_whole_locked(cache, near, track, fault);
	struct cache_sheaf *sheaf = object && is_own_node() ? own_sheaf_locked(cache) : NULL;

	if (sheaf) {
		refill_locked(cache, sheaf, near);
		cache_sheaf_leave(sheaf);
	}
	return object;
}

static void *alloc_from_slabs(struct kmem_cache *cache, bool near, struct page *more,
			      const struct alloc_track *track, struct cache_fault *fault)
{
	void *object;

	lock_acquire(LOCK_CACHES);
	if (more)
		slab_add_locked(cache, more);
	cache_collect_fresh_locked(cache);
	object = alloc_locked(cache, near, track, fault);
	lock_release(LOCK_CACHES);
	return object;
}

/* NULL: the node has no page more. */
static struct page *slab_new_near(struct kmem_cache *cache, struct slot *slot)
{
	uint8_t mark = active_node;
	struct page *head;

	if (unlikely(zone.nr_nodes > 1))
		active_node |= NODE_STRICT;
	head = slab_new(cache, slot);
	active_node = mark;
	return head;
}

static bool may_be_of_others(void)
{
	return unlikely(zone.nr_nodes > 1) && !(active_node & NODE_STRICT);
}

/* Other nodes' slabs are used up before one more of theirs is made. */
void *cache_slab_alloc(struct kmem_cache *cache, struct slot *slot, const struct alloc_track *track,
		       struct page **unbuilt, struct cache_fault *fault)
{
	void *object = alloc_from_slabs(cache, true, NULL, track, fault);
	struct page *head = object ? NULL : slab_new_near(cache, slot);
	bool near = object || head || !may_be_of_others();

	if (!near) {
		object = alloc_from_slabs(cache, false, NULL, track, fault);
		head = object ? NULL : slab_new(cache, slot);
	}
	*unbuilt = cache->ctor ? head : NULL;
	return head && !cache->ctor ? alloc_from_slabs(cache, near, head, track, fault) : object;
}

void *cache_slab_build(struct kmem_cache *cache, struct page *head, const struct alloc_track *track)
{
	struct cache_fault fault = { 0 };
	struct program_state state = { 0 };
	void *object;

	program_begin(&state);
	for (unsigned int i = 0; i < cache->nr_objects; i++)
		cache->ctor(object_at(cache, head, i));
	program_end(&state);
	object = object_at(cache, head, 0);
	WRITE_ONCE(head->bitmap[0], head->bitmap[0] & ~(uint64_t)1);
	head->until_event = 1;
	if (cache->flags & CACHE_DEBUG_FLAGS)
		cache_debug_alloc(cache, object, track, &fault);
	push_fresh(cache, head);
	return object;
}

/* The sheaf was full, or is another's at the moment, or there is none. */
static void free_locked(struct kmem_cache *cache, void *object, struct page *head, uint32_t index,
			struct list_head *gone, struct cache_fault *fault)
{
	struct cache_sheaf *sheaf = own_sheaf_locked(cache);

	if (sheaf && sheaf->nr >= cache->sheaf_limit)
		flush_locked(cache, sheaf, cache->sheaf_limit / 2, gone, fault);
	if (sheaf && sheaf->nr && sheaf->objects[sheaf->nr - 1] == object) {
		cache_fault_set(fault, cache, "double free of", object);
	} else if (sheaf && sheaf->nr < cache->sheaf_limit) {
		sheaf->objects[sheaf->nr] = object;
		barrier();
		WRITE_ONCE(sheaf->nr, sheaf->nr + 1);
	} else if (!cache_bit(head, index)) {
		give_locked(cache, head, index, gone);
	}
	if (sheaf)
		cache_sheaf_leave(sheaf);
}

void cache_slab_free(struct kmem_cache *cache, struct slot *slot, void *object,
		     const struct alloc_track *track, struct cache_fault *fault)
{
	struct list_head gone;
	struct page *head;
	uint32_t index;

	INIT_LIST_HEAD(&gone);
	lock_acquire(LOCK_CACHES);
	cache_collect_fresh_locked(cache);
	if (find_taken(cache, object, &head, &index, fault) &&
	    (!(cache->flags & CACHE_DEBUG_FLAGS) || cache_debug_free(cache, object, track, fault)))
		free_locked(cache, object, head, index, &gone, fault);
	lock_release(LOCK_CACHES);
	free_retired(slot, &gone);
}

/* False: somebody does not leave it. */
static bool hold_sheaf(struct cache_sheaf *sheaf)
{
	for (unsigned int i = 0; i < SPINS_FOR_SHEAF + NAPS_FOR_SHEAF; i++) {
		uintptr_t nobody = 0;

		if (atomic_compare_exchange_strong_explicit(
			    &sheaf->held_by, &nobody, (uintptr_t)__builtin_thread_pointer(),
			    memory_order_acquire, memory_order_relaxed))
			return true;
		if (i < SPINS_FOR_SHEAF)
			cpu_relax();
		else
			os_nap(NAP_US);
	}
	return false;
}

static void drain_sheaves_locked(struct kmem_cache *cache, struct list_head *gone)
{
	struct cache_fault fault = { 0 };

	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++) {
		struct cache_sheaf *sheaf = cache->sheaf[i];

		if (!sheaf || !hold_sheaf(sheaf))
			continue;
		flush_locked(cache, sheaf, 0, gone, &fault);
		cache_sheaf_leave(sheaf);
	}
}

static void shrink_locked(struct kmem_cache *cache, struct list_head *gone)
{
	struct page *head, *next;

	cache_collect_fresh_locked(cache);
	drain_sheaves_locked(cache, gone);
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		list_for_each_entry_safe(head, next, &cache->partial[nid], list)
			if (!head->until_event)
				slab_retire_locked(cache, head, gone);
}

size_t cache_slab_shrink(struct kmem_cache *cache, struct slot *slot)
{
	struct list_head gone;
	size_t nr_left;

	INIT_LIST_HEAD(&gone);
	lock_acquire(LOCK_CACHES);
	shrink_locked(cache, &gone);
	nr_left = cache->nr_slabs;
	lock_release(LOCK_CACHES);
	free_retired(slot, &gone);
	return nr_left;
}

/* A cache is looked up under the lock: without, it may be destroyed and be another. */
void cache_slabs_shrink_all(struct slot *slot)
{
	for (uint32_t id = 1; id <= READ_ONCE(kmem_caches.last_id); id++) {
		struct list_head gone;

		INIT_LIST_HEAD(&gone);
		lock_acquire(LOCK_CACHES);
		if (kmem_caches.table[id])
			shrink_locked(kmem_caches.table[id], &gone);
		lock_release(LOCK_CACHES);
		free_retired(slot, &gone);
	}
}

/* --- questions ------------------------------------------------------------------------------- */

size_t cache_sheaved_locked(const struct kmem_cache *cache)
{
	size_t nr = 0;

	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++)
		nr += cache->sheaf[i] ? READ_ONCE(cache->sheaf[i]->nr) : 0;
	return nr;
}

static bool is_in_sheaf(const struct kmem_cache *cache, const void *object)
{
	for (unsigned int i = 0; i < NR_CACHE_SHEAVES; i++) {
		const struct cache_sheaf *sheaf = cache->sheaf[i];

		for (uint32_t n = 0; sheaf && n < READ_ONCE(sheaf->nr); n++)
			if (sheaf->objects[n] == object)
				return true;
	}
	return false;
}

static size_t visit_list_locked(struct kmem_cache *cache, struct list_head *list,
				cache_object_fn *fn, void *context, size_t max)
{
	const struct page *head;
	size_t nr = 0;

	list_for_each_entry(head, list, list) {
		for (unsigned int i = 0; i < head->nr_objects; i++) {
			const char *object = object_at(cache, head, i);

			if (!cache_bit(head, i) && !is_in_sheaf(cache, object) && nr++ < max)
				fn(context, object);
		}
	}
	return nr;
}

size_t cache_slab_visit_live(struct kmem_cache *cache, cache_object_fn *fn, void *context,
			     size_t max)
{
	size_t nr;

	lock_acquire(LOCK_CACHES);
	cache_collect_fresh_locked(cache);
	nr = visit_list_locked(cache, &cache->full, fn, context, max);
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		nr += visit_list_locked(cache, &cache->partial[nid], fn, context,
					nr < max ? max - nr : 0);
	lock_release(LOCK_CACHES);
	return nr;
}
