/* mapping.c - see mapping.h. */
#include "vmalloc/mapping.h"

#include <string.h>

#include "base/math.h"
#include "core/lock.h"
#include "core/params.h"
#include "mm/huge_memory.h"
#include "mm/node.h"
#include "mm/residency.h"
#include "mm/section.h"
#include "os/os.h"
#include "os/os_map.h"
#include "os/os_move.h"

/* Kept for reuse: so many, and so many times params.retain (as mm/decay.c between phases). */
#define MAX_CACHED 4u
#define CACHED_SHARE 8u
/* A mapping is longer than its block by this share of it, so that growing by steps calls seldom. */
#define SPARE_SHARE 8u
/* One that is up to so many times as long as is asked for does for a block. */
#define MAX_EXCESS 4u
/* What a block gives up when it shrinks is dropped if it is more than this. */
#define DROPPED_MIN_PAGES (MIB(1) / PAGE_SIZE)

struct mapping_table mapping_table;

/* Kept for reuse; their pages are zone.nr_kept_outside. None has been kept for longer. */
static unsigned int nr_cached;
static _Atomic uint64_t oldest_ms;
static _Atomic size_t nr_moved_in, nr_moved, nr_reused;

static void count(_Atomic size_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

static struct mapping *entries_end(void)
{
	return mapping_table.entries + mapping_table.nr_entries;
}

#define for_each_entry(entry) \
	for (struct mapping *entry = mapping_table.entries; entry < entries_end(); entry++)

/* --- looking -------------------------------------------------------------------------------- */

static struct mapping *find(uintptr_t address)
{
	for_each_entry(entry)
		if (entry->address == address)
			return entry;
	return NULL;
}

static struct mapping *find_block(const void *block)
{
	struct mapping *entry = find((uintptr_t)block);

	return block && entry && entry->nr_pages ? entry : NULL;
}

static bool is_cached(const struct mapping *entry)
{
	return entry->address && !entry->nr_pages;
}

/* Of an entry that another thread changes meanwhile: no. */
static bool covers(const struct mapping *entry, uintptr_t address)
{
	uintptr_t start = entry->address;
	size_t bytes = entry->capacity * PAGE_SIZE;

	return start && address - start < bytes && entry->address == start;
}

/* Where blocks begin comes first: what the caller owns is never taken for something else. */
enum mapping_place mapping_look_up(const void *address, size_t *bytes)
{
	struct mapping *begins = address ? find((uintptr_t)address) : NULL;

	*bytes = begins ? begins->nr_pages * PAGE_SIZE : 0;
	if (begins)
		return *bytes ? MAPPING_BLOCK : MAPPING_FREED;
	for_each_entry(entry)
		if (covers(entry, (uintptr_t)address))
			return entry->nr_pages ? MAPPING_INSIDE : MAPPING_FREED;
	return MAPPING_NONE;
}

bool mapping_is_cached(void)
{
	return READ_ONCE(zone.nr_kept_outside);
}

void mapping_count(struct mapping_counts *counts)
{
	*counts = (struct mapping_counts){ .nr_moved_in = nr_moved_in, .nr_moved = nr_moved,
					   .nr_reused = nr_reused,
					   .cached_pages = READ_ONCE(zone.nr_kept_outside) };
	lock_acquire(LOCK_MAPPINGS);
	for_each_entry(entry) {
		size_t nr_pages = entry->nr_pages;

		counts->nr_live += nr_pages > 0;
		counts->nr_cached += is_cached(entry);
		counts->live_pages += nr_pages;
		counts->nr_maps += entry->address ? entry->nr_maps : 0;
	}
	lock_release(LOCK_MAPPINGS);
}

/* --- entries --------------------------------------------------------------------------------- */

/* An entry for a mapping that is about to be made. NULL: there are too many. */
static struct mapping *entry_new(unsigned int nid)
{
	struct mapping *entry;

	lock_acquire(LOCK_MAPPINGS);
	entry = mapping_table.entries;
	while (entry < entries_end() && (entry->address || entry->capacity))
		entry++;
	if (entry == mapping_table.entries + MAX_MAPPINGS) {
		entry = NULL;
	} else {
		entry->capacity = entry->nr_maps = 1; /* taken, but nowhere yet */
		entry->nid = (uint8_t)nid;
		if (entry == entries_end())
			mapping_table.nr_entries++;
	}
	lock_release(LOCK_MAPPINGS);
	return entry;
}

static void entry_forget(struct mapping *entry)
{
	entry->nr_pages = entry->nr_filled = 0;
	entry->address = 0;
	entry->gathered = false;
	entry->capacity = 0; /* last: somebody else's from now on */
}

static void note_filled(struct mapping *entry, size_t nr_filled)
{
	entry->nr_filled = max_size(entry->nr_filled, nr_filled);
}

static void entry_set(struct mapping *entry, void *address, size_t nr_pages, size_t capacity)
{
	entry->capacity = capacity;
	entry->nr_pages = nr_pages;
	note_filled(entry, nr_pages);
	entry->address = (uintptr_t)address;
}

/* Address space that cannot be given back, with no mapping to spare, stays; its memory does not. */
static void unmap(void *address, size_t nr_pages)
{
	if (os_unreserve(address, nr_pages * PAGE_SIZE))
		os_purge(address, nr_pages * PAGE_SIZE);
}

/* --- making and growing ---------------------------------------------------------------------- */

static size_t with_spare(size_t nr_pages)
{
	return align_up(nr_pages + nr_pages / SPARE_SHARE, PAGEBLOCK_PAGES);
}

/* False when mappings cannot be made, or are locked into memory (mlockall, MCL_FUTURE). */
static bool maps_are_empty(void)
{
	void *probe;
	bool locked;

	if (os_map(PAGE_SIZE, &probe))
		return false;
	locked = os_is_locked(probe);
	unmap(probe, 1);
	return !locked;
}

/*
 * Where writable memory counts towards a limit of all processes (vm.overcommit_memory=2): kernels
 * before 6.18 do not give back what is moved out. Less than the heap's window can be mapped there.
 */
static bool memory_counts(void)
{
	static _Atomic int answer; /* 0: not known yet; -1: no */
	void *probe;

	if (!answer && maps_are_empty()) {
		bool mapped = !os_map(mm_map.nr_pages * PAGE_SIZE, &probe);

		if (mapped)
			unmap(probe, mm_map.nr_pages);
		answer = mapped ? -1 : 1;
	}
	return answer >= 0;
}

bool mapping_may_leave(void *address)
{
	return !os_is_locked(address) && !memory_counts();
}

/*
 * Have old_pages moved to the front of `place`, a mapping of `capacity` pages, and make them one
 * mapping again: what is behind them is unmapped first, and may in theory be taken by another
 * thread at that moment. *place: where it is then. False: nothing has changed, and there is no
 * place any more. A kernel that refuses at once (too many mappings) leaves it as it is; one that
 * fails later has unmapped its front, where another thread's mapping may be by now.
 */
static bool fill_place(void **place, void *from, size_t old_pages, size_t capacity)
{
	size_t old_bytes = old_pages * PAGE_SIZE;
	int error;

	error = os_move_out(from, old_bytes, *place);
	if (error && os_is_one_map(*place, (capacity - 1) * PAGE_SIZE)) {
		unmap(*place, capacity);
		return false;
	}
	unmap((char *)*place + old_bytes, capacity - old_pages);
	if (error)
		return false;
	if (!os_resize_mapping(place, old_bytes, capacity * PAGE_SIZE))
		return true;
	memcpy(from, *place, old_bytes);
	unmap(*place, old_pages);
	return false;
}

static void *move_in(struct mapping *entry, struct page *page, size_t nr_pages)
{
	size_t old_pages = page->nr_pages, capacity = with_spare(nr_pages);
	void *from = page_address(page), *place;

	if (os_map(capacity * PAGE_SIZE, &place) ||
	    !fill_place(&place, from, old_pages, capacity)) {
		entry_forget(entry);
		return NULL;
	}
	huge_advise_mapping(place, capacity * PAGE_SIZE);
	zone_lock();
	residency_note_purged(page_to_pfn(page), old_pages);
	zone_unlock();
	count(&nr_moved_in);
	entry_set(entry, place, nr_pages, capacity);
	return place;
}

/*
 * The program may have made several mappings of the block, by madvise or mlock of a part: these
 * would move one by one, and the kernel may stop amid that.
 */
static bool is_one_map(struct page *page)
{
	size_t behind = page_to_pfn(page) + page->nr_pages;

	return pfn_is_reserved(behind) &&
	       os_is_one_map(page_address(page), page->nr_pages * PAGE_SIZE);
}

/* A filter may kill who makes calls that a program need not make. */
static bool may_try(void)
{
	if (params_joint.no_leaving)
		return false;
	return params.stitch == STITCH_UFFD || params.stitch == STITCH_MREMAP || !os_is_filtered();
}

void *mapping_move_in(struct page *page, size_t nr_pages)
{
	struct mapping *entry;

	if (nr_pages < MAPPING_MIN_PAGES || page->memcg || !may_try() || !is_one_map(page) ||
	    !mapping_may_leave(page_address(page)))
		return NULL;
	entry = entry_new(page_to_nid(page));
	return entry ? move_in(entry, page, nr_pages) : NULL;
}

/* With less to spare, or none, where limits want that; or in place of what is kept for others. */
static int resize_place(void **place, size_t old_capacity, size_t nr_pages, size_t *capacity)
{
	size_t old_bytes = old_capacity * PAGE_SIZE;
	int error;

	*capacity = with_spare(nr_pages);
	error = os_resize_mapping(place, old_bytes, *capacity * PAGE_SIZE);
	if (!error)
		return 0;
	*capacity = nr_pages;
	error = os_resize_mapping(place, old_bytes, nr_pages * PAGE_SIZE);
	if (error && mapping_drop_all())
		error = os_resize_mapping(place, old_bytes, nr_pages * PAGE_SIZE);
	return error;
}

/* Beyond its mapping. */
static void *grow(struct mapping *entry, size_t nr_pages)
{
	size_t old_pages = entry->nr_pages, old_capacity = entry->capacity, capacity;
	void *old_place = (void *)entry->address, *place = old_place;

	entry->address = 0;
	if (resize_place(&place, old_capacity, nr_pages, &capacity)) {
		entry_set(entry, old_place, old_pages, old_capacity);
		return NULL;
	}
	if (place != old_place)
		count(&nr_moved);
	entry_set(entry, place, nr_pages, capacity);
	return place;
}

static void drop_behind(struct mapping *entry, size_t nr_pages)
{
	char *behind = (char *)entry->address + nr_pages * PAGE_SIZE;

	if (!os_purge(behind, (entry->nr_filled - nr_pages) * PAGE_SIZE))
		entry->nr_filled = nr_pages;
}

void *mapping_resize(void *block, size_t nr_pages)
{
	struct mapping *entry = find_block(block);

	if (!entry || nr_pages < (entry->gathered ? GATHER_MIN_PAGES : MAPPING_KEPT_PAGES))
		return NULL;
	if (nr_pages > entry->capacity)
		return entry->gathered ? NULL : grow(entry, nr_pages);
	entry->nr_pages = nr_pages;
	note_filled(entry, nr_pages);
	if (entry->nr_filled > nr_pages + DROPPED_MIN_PAGES)
		drop_behind(entry, nr_pages);
	return block;
}

/* --- freed ones ------------------------------------------------------------------------------- */

static bool may_keep_locked(const struct mapping *entry)
{
	size_t nr_pages = zone.nr_kept_outside + entry->nr_filled;

	return entry->nr_filled && nr_cached < MAX_CACHED &&
	       nr_pages * PAGE_SIZE <= params.retain * CACHED_SHARE;
}

static void keep_locked(struct mapping *entry)
{
	entry->freed_ms = os_clock_ms();
	if (!nr_cached++)
		oldest_ms = entry->freed_ms;
	entry->nr_pages = 0;
	WRITE_ONCE(zone.nr_kept_outside, zone.nr_kept_outside + entry->nr_filled);
}

static void unkeep_locked(const struct mapping *entry)
{
	nr_cached--;
	WRITE_ONCE(zone.nr_kept_outside, zone.nr_kept_outside - entry->nr_filled);
}

/* From now on nobody finds it: the caller is to unmap it. */
static void *take_out_locked(struct mapping *entry)
{
	void *place = (void *)entry->address;

	entry->address = 0;
	return place;
}

/* Returns how many pages may have had frames. */
static size_t drop(struct mapping *entry, void *place)
{
	size_t nr_filled = entry->nr_filled;

	unmap(place, entry->capacity);
	entry_forget(entry);
	return nr_filled;
}

bool mapping_free(void *block)
{
	struct mapping *entry;
	bool keep;

	lock_acquire(LOCK_MAPPINGS);
	entry = find_block(block);
	keep = entry && may_keep_locked(entry);
	if (keep)
		keep_locked(entry);
	else if (entry)
		take_out_locked(entry);
	lock_release(LOCK_MAPPINGS);
	if (entry && !keep)
		drop(entry, block);
	return entry;
}

/* Most of the pages have frames, and there are not too many behind. */
static bool suits(const struct mapping *entry, size_t nr_pages)
{
	size_t nr_filled = entry->nr_filled;

	return is_cached(entry) && entry->nid == node_wanted() && entry->capacity >= nr_pages &&
	       nr_filled >= nr_pages - nr_pages / 4 && nr_filled / MAX_EXCESS <= nr_pages &&
	       nr_pages >= (entry->gathered ? GATHER_MIN_PAGES : MAPPING_MIN_PAGES);
}

/* The one with the least. */
static struct mapping *find_cached(size_t nr_pages)
{
	struct mapping *best = NULL;

	for_each_entry(entry)
		if (suits(entry, nr_pages) && (!best || entry->nr_filled < best->nr_filled))
			best = entry;
	return best;
}

/* Out of the cache, for a block. */
static void take_locked(struct mapping *entry, size_t nr_pages)
{
	unkeep_locked(entry);
	entry->nr_pages = nr_pages;
	note_filled(entry, nr_pages);
}

bool mapping_suits(size_t nr_pages)
{
	return nr_pages >= MAPPING_MIN_PAGES && mapping_is_cached() && find_cached(nr_pages);
}

void *mapping_reuse(size_t nr_pages)
{
	struct mapping *entry = NULL;

	if (nr_pages < GATHER_MIN_PAGES || !mapping_is_cached())
		return NULL;
	lock_acquire(LOCK_MAPPINGS);
	entry = find_cached(nr_pages);
	if (entry) {
		take_locked(entry, nr_pages);
		count(&nr_reused);
	}
	lock_release(LOCK_MAPPINGS);
	return entry ? (void *)entry->address : NULL;
}

static struct mapping *find_aged_locked(uint64_t min_age_ms)
{
	uint64_t now = os_clock_ms();

	for_each_entry(entry)
		if (is_cached(entry) && now - entry->freed_ms >= min_age_ms)
			return entry;
	return NULL;
}

size_t mapping_drop(uint64_t min_age_ms)
{
	struct mapping *entry;
	void *place = NULL;

	if (!mapping_is_cached() || os_clock_ms() - oldest_ms < min_age_ms)
		return 0;
	lock_acquire(LOCK_MAPPINGS);
	entry = find_aged_locked(min_age_ms);
	if (entry) {
		unkeep_locked(entry);
		place = take_out_locked(entry);
	}
	lock_release(LOCK_MAPPINGS);
	return entry ? drop(entry, place) : 0;
}

size_t mapping_drop_all(void)
{
	size_t nr_pages = 0, nr_dropped;

	while ((nr_dropped = mapping_drop(0)))
		nr_pages += nr_dropped;
	return nr_pages;
}

/* --- gathered ones ---------------------------------------------------------------------------- */

/* Of those that are kept, the one with most frames, but not too many. */
static struct mapping *find_gathered_locked(size_t nr_pages)
{
	struct mapping *best = NULL;

	for_each_entry(entry)
		if (is_cached(entry) && entry->gathered && entry->nid == node_wanted() &&
		    entry->nr_filled / MAX_EXCESS <= nr_pages &&
		    (!best || entry->nr_filled > best->nr_filled))
			best = entry;
	return best;
}

static struct mapping *new_gathered(size_t nr_pages)
{
	struct mapping *entry = entry_new(node_wanted());
	void *place;

	if (!entry)
		return NULL;
	if (os_map(GATHER_MAX_PAGES * PAGE_SIZE, &place)) {
		entry_forget(entry);
		return NULL;
	}
	entry->gathered = true;
	entry_set(entry, place, nr_pages, GATHER_MAX_PAGES);
	entry->nr_filled = 0;
	return entry;
}

void *mapping_open_gathered(size_t nr_pages, size_t *nr_filled)
{
	struct mapping *entry;

	lock_acquire(LOCK_MAPPINGS);
	entry = find_gathered_locked(nr_pages);
	if (entry) {
		*nr_filled = entry->nr_filled;
		unkeep_locked(entry);
		entry->nr_pages = nr_pages;
	}
	lock_release(LOCK_MAPPINGS);
	if (entry)
		return (void *)entry->address;
	*nr_filled = 0;
	entry = new_gathered(nr_pages);
	return entry ? (void *)entry->address : NULL;
}

void mapping_note_gathered(void *block, size_t nr_filled, size_t nr_more_maps)
{
	struct mapping *entry = find_block(block);

	note_filled(entry, nr_filled);
	entry->nr_maps += nr_more_maps;
}

void mapping_abandon(void *block, size_t hole, size_t nr_pages)
{
	struct mapping *entry = find_block(block);
	size_t capacity = entry->capacity, end = hole + nr_pages;

	lock_acquire(LOCK_MAPPINGS);
	take_out_locked(entry);
	lock_release(LOCK_MAPPINGS);
	if (hole)
		unmap(block, hole);
	if (end < capacity)
		unmap((char *)block + end * PAGE_SIZE, capacity - end);
	entry_forget(entry);
}
