/* highmem.c - see highmem.h. */
#include "mm/highmem.h"

#include <errno.h>

#include "base/bitmap.h"
#include "base/math.h"
#include "core/lock.h"
#include "core/printk.h"
#include "os/os.h"
#include "os/os_frames.h"

#define CHUNK_WORDS BITMAP_WORDS(HIGHMEM_CHUNK_FRAMES)
#define CHUNK_FILE_BYTES (HIGHMEM_CHUNK_FRAMES * PAGE_SIZE)
/* Memory is asked for in pieces of so many frames. */
#define FILL_FRAMES 64u
/* Of what the machine has: children have chunks of their own. */
#define CAPACITY_FACTOR 4u
/* 2 GiB of frames, for 4.2 MiB of descriptors. */
#define LIMITED_CHUNKS 16u
#define SLOT_DEAD UINT32_MAX

struct high_chunk {
	struct high_page pages[HIGHMEM_CHUNK_FRAMES];
	uint64_t used[CHUNK_WORDS], filled[CHUNK_WORDS];
	uint32_t nr_used;
	uint32_t first_free; /* none below is free */
} __attribute__((aligned(4096)));

static struct {
	struct high_chunk *chunks; /* NULL: nobody has asked yet */
	size_t nr_chunks;
	_Atomic size_t nr_opened;
	size_t first_chunk; /* those below belong to another process, or to a file that is lost */
	size_t nr_used, nr_kept;
	char *window;
	uint32_t slots[HIGHMEM_WINDOW_PAGES]; /* index + 1; 0: none; SLOT_DEAD */
	unsigned int next_slot;
	int frames; /* the descriptor that was opened last, here or in a parent; -1: none */
	struct os_file file;
	bool failed; /* no file can be had here */
} high = { .frames = -1 };

/* --- descriptors ------------------------------------------------------------------------------ */

static size_t nr_opened(void)
{
	return atomic_load_explicit(&high.nr_opened, memory_order_acquire);
}

bool highmem_owns(const void *page)
{
	size_t offset = (uintptr_t)page - (uintptr_t)high.chunks;
	size_t nr = nr_opened();

	return nr && offset < nr * sizeof(struct high_chunk) &&
	       offset % sizeof(struct high_chunk) < sizeof(high.chunks->pages) &&
	       offset % sizeof(struct high_chunk) % sizeof(struct high_page) == 0;
}

size_t highmem_index(const struct high_page *page)
{
	size_t offset = (uintptr_t)page - (uintptr_t)high.chunks;

	return offset / sizeof(struct high_chunk) * HIGHMEM_CHUNK_FRAMES +
	       offset % sizeof(struct high_chunk) / sizeof(struct high_page);
}

static struct high_chunk *chunk_of(size_t index)
{
	return &high.chunks[index / HIGHMEM_CHUNK_FRAMES];
}

struct high_page *highmem_page(size_t index)
{
	if (index / HIGHMEM_CHUNK_FRAMES >= nr_opened())
		return NULL;
	return &chunk_of(index)->pages[index % HIGHMEM_CHUNK_FRAMES];
}

static bool is_own(size_t index)
{
	return index / HIGHMEM_CHUNK_FRAMES >= high.first_chunk;
}

/* --- the file --------------------------------------------------------------------------------- */

/* The number stands for the file still, and not for another's. */
static bool is_file(int frames)
{
	struct os_file file;

	return frames >= 0 && !os_file_of(frames, &file) && file.device == high.file.device &&
	       file.inode == high.file.inode;
}

/* The descriptor, or -1: there is none, or it is another's by now. */
static int current_file(void)
{
	int frames = (int)mm_map.process->frames - 1;

	return is_file(frames) ? frames : -1;
}

/*
 * What there is belongs to another process now, or is lost. A parent's file would live as long as
 * this process; what is mapped stays.
 */
static void begin_anew(void)
{
	if (is_file(high.frames))
		os_frames_close(high.frames);
	high.frames = -1;
	high.first_chunk = nr_opened();
	high.nr_used = 0;
	high.nr_kept = 0;
	mm_map.process->frames = 0;
}

/* There may be descriptors or memory again. */
static bool is_passing(int error)
{
	return error == -EMFILE || error == -ENFILE || error == -ENOMEM;
}

static int open_file(void)
{
	int frames = os_frames_open(high.nr_chunks * CHUNK_FILE_BYTES);

	if (frames < 0 || os_file_of(frames, &high.file)) {
		high.failed = !is_passing(frames);
		if (frames >= 0)
			os_frames_close(frames);
		return -1;
	}
	high.frames = frames;
	mm_map.process->frames = (uint32_t)frames + 1;
	return frames;
}

/* In a file of this process; -1: none can be had. */
static int file_for_more(void)
{
	int frames = current_file();

	if (frames >= 0 || high.failed)
		return frames;
	begin_anew();
	return open_file();
}

/* --- the beginning ---------------------------------------------------------------------------- */

/*
 * As many chunks as the file may have, and there is address space for. Where that is limited it is
 * scarce.
 */
static bool reserve_chunks(void)
{
	size_t bytes = CAPACITY_FACTOR * os_physical_bytes();
	size_t nr = min_size(bytes, os_file_size_limit()) / CHUNK_FILE_BYTES;
	void *address;

	if (os_address_space_limit() != SIZE_MAX)
		nr = min_size(nr, LIMITED_CHUNKS);

	for (; nr; nr /= 2)
		if (!os_reserve(NULL, nr * sizeof(struct high_chunk), &address))
			break;
	if (!nr)
		return false;
	high.chunks = address;
	high.nr_chunks = nr;
	return true;
}

static bool reserve_window(void)
{
	void *address;

	if (os_reserve(NULL, HIGHMEM_WINDOW_PAGES * PAGE_SIZE, &address))
		return false;
	high.window = address;
	return true;
}

/* Where a child cannot be told it would give out its parent's frames. */
static bool is_up(void)
{
	if (high.chunks && high.window)
		return true;
	if (!mm_map.process || high.failed)
		return false;
	high.failed = !(high.window || reserve_window()) || !(high.chunks || reserve_chunks());
	return !high.failed;
}

static bool open_chunk(void)
{
	size_t nr = nr_opened();

	if (nr == high.nr_chunks || os_open(&high.chunks[nr], sizeof(struct high_chunk)))
		return false;
	atomic_store_explicit(&high.nr_opened, nr + 1, memory_order_release);
	return true;
}

/* --- frames ----------------------------------------------------------------------------------- */

static void note_filled(struct high_chunk *chunk, size_t first, size_t nr)
{
	high.nr_kept += nr - bitmap_count_range(chunk->filled, first, nr);
	bitmap_set_range(chunk->filled, first, nr);
}

static void note_dropped(struct high_chunk *chunk, size_t first, size_t nr)
{
	high.nr_kept -= bitmap_count_range(chunk->filled, first, nr);
	bitmap_clear_range(chunk->filled, first, nr);
}

static size_t file_offset(const struct high_chunk *chunk, size_t first)
{
	return ((size_t)(chunk - high.chunks) * HIGHMEM_CHUNK_FRAMES + first) * PAGE_SIZE;
}

/* What has no memory yet from there on, `nr` frames and perhaps some more. */
static size_t fill_length(const struct high_chunk *chunk, size_t first, size_t nr)
{
	size_t end = min_size(first + max_size(nr, FILL_FRAMES), HIGHMEM_CHUNK_FRAMES);

	return bitmap_find_next_set(chunk->filled, end, first + nr) - first;
}

/* A call that fails may have taken from the range what nobody has written to yet. */
static bool try_fill(int file, struct high_chunk *chunk, size_t first, size_t nr)
{
	if (!os_frames_fill(file, file_offset(chunk, first), nr * PAGE_SIZE)) {
		note_filled(chunk, first, nr);
		return true;
	}
	note_dropped(chunk, first, nr);
	return false;
}

/* So that the frames have memory: some more than are wanted, or, if there is none, just these. */
static bool fill(int file, struct high_chunk *chunk, size_t first, size_t nr)
{
	size_t more = fill_length(chunk, first, nr);

	return bitmap_test_range_all(chunk->filled, first, nr) ||
	       try_fill(file, chunk, first, more) ||
	       (more > nr && try_fill(file, chunk, first, nr));
}

/* False: they have theirs still. */
static bool drop(int file, struct high_chunk *chunk, size_t first, size_t nr)
{
	if (os_frames_drop(file, file_offset(chunk, first), nr * PAGE_SIZE))
		return false;
	note_dropped(chunk, first, nr);
	return true;
}

static void take(struct high_chunk *chunk, size_t first, unsigned int order)
{
	size_t nr = (size_t)1 << order;

	bitmap_set_range(chunk->used, first, nr);
	for (size_t i = first; i < first + nr; i++)
		chunk->pages[i].state = HIGH_TAIL;
	chunk->pages[first].state = HIGH_HEAD;
	chunk->pages[first].order = (uint8_t)order;
	chunk->nr_used += (uint32_t)nr;
	if (chunk->first_free == first)
		chunk->first_free = (uint32_t)(first + nr);
	high.nr_used += nr;
	high.nr_kept -= nr;
}

/* HIGHMEM_CHUNK_FRAMES: there is no room. */
static size_t find_room(const struct high_chunk *chunk, size_t nr)
{
	if (HIGHMEM_CHUNK_FRAMES - chunk->nr_used < nr)
		return HIGHMEM_CHUNK_FRAMES;
	return bitmap_find_zero_area(chunk->used, HIGHMEM_CHUNK_FRAMES, chunk->first_free, nr, nr);
}

/*
 * For zeroes the frames are dropped in any case: also where none is known of, who has still mapped
 * one that was freed, a child perhaps, may have written to it.
 */
static struct high_page *alloc_at(int file, struct high_chunk *chunk, size_t first,
				  unsigned int order, bool zero)
{
	size_t nr = (size_t)1 << order;

	if ((zero && !drop(file, chunk, first, nr)) || !fill(file, chunk, first, nr))
		return NULL;
	take(chunk, first, order);
	return &chunk->pages[first];
}

static struct high_page *alloc_block(unsigned int order, bool zero)
{
	int file = is_up() ? file_for_more() : -1;
	size_t first;

	if (file < 0)
		return NULL;
	for (size_t i = high.first_chunk; i < nr_opened() || open_chunk(); i++) {
		first = find_room(&high.chunks[i], (size_t)1 << order);
		if (first < HIGHMEM_CHUNK_FRAMES)
			return alloc_at(file, &high.chunks[i], first, order, zero);
	}
	return NULL;
}

/*
 * From when a descriptor is looked at to when it has been used no signal handler may fork: its
 * child would go on with its parent's file. (Nor need a call that fills frames begin again.)
 */
struct high_page *highmem_alloc_locked(unsigned int order, bool zero)
{
	uint64_t mask = os_block_signals();
	struct high_page *page;

	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	page = alloc_block(order, zero);
	os_restore_signals(mask);
	return page;
}

static bool is_block(const struct high_page *page, unsigned int order)
{
	return page->state == HIGH_HEAD && page->order == order;
}

static void give_back(struct high_chunk *chunk, size_t first, size_t nr)
{
	bitmap_clear_range(chunk->used, first, nr);
	for (size_t i = first; i < first + nr; i++)
		chunk->pages[i].state = HIGH_FREE;
	chunk->nr_used -= (uint32_t)nr;
	chunk->first_free = (uint32_t)min_size(chunk->first_free, first);
}

static void free_block(size_t index, size_t nr)
{
	size_t first = index % HIGHMEM_CHUNK_FRAMES;
	struct high_chunk *chunk = chunk_of(index);
	int file = current_file();

	if (file < 0 && is_own(index))
		begin_anew();
	give_back(chunk, first, nr);
	if (!is_own(index))
		return;
	high.nr_used -= nr;
	high.nr_kept += nr;
	if (high.nr_kept > HIGHMEM_MAX_KEPT)
		drop(file, chunk, first, nr);
}

enum highmem_answer highmem_free_locked(struct high_page *page, unsigned int order)
{
	uint64_t mask;
	size_t nr;

	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	if (order > MAX_PAGE_ORDER || !is_block(page, order))
		return HIGHMEM_NO_BLOCK;
	nr = (size_t)1 << order;
	for (size_t i = 0; i < nr; i++)
		if (page[i].nr_kmaps || page[i].nr_vmaps)
			return HIGHMEM_MAPPED;
	mask = os_block_signals();
	free_block(highmem_index(page), nr);
	os_restore_signals(mask);
	return HIGHMEM_DONE;
}

static size_t trim_chunk(int file, struct high_chunk *chunk)
{
	size_t nr_before = high.nr_kept, end;

	for (size_t i = 0; i < HIGHMEM_CHUNK_FRAMES; i = end) {
		i = bitmap_find_next_set(chunk->filled, HIGHMEM_CHUNK_FRAMES, i);
		i = bitmap_find_next_zero(chunk->used, HIGHMEM_CHUNK_FRAMES, i);
		end = min_size(bitmap_find_next_zero(chunk->filled, HIGHMEM_CHUNK_FRAMES, i),
			       bitmap_find_next_set(chunk->used, HIGHMEM_CHUNK_FRAMES, i));
		if (i < end)
			drop(file, chunk, i, end - i);
		else
			end = i + 1;
	}
	return nr_before - high.nr_kept;
}

static size_t trim_all(void)
{
	int file = current_file();
	size_t nr = 0;

	for (size_t i = high.first_chunk; file >= 0 && i < nr_opened(); i++)
		nr += trim_chunk(file, &high.chunks[i]);
	return nr;
}

size_t highmem_trim_locked(void)
{
	uint64_t mask;
	size_t nr;

	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	if (!high.nr_kept)
		return 0;
	mask = os_block_signals();
	nr = trim_all();
	os_restore_signals(mask);
	return nr;
}

void highmem_count(struct highmem_count *count)
{
	count->nr_frames = (high.nr_chunks - high.first_chunk) * HIGHMEM_CHUNK_FRAMES;
	count->nr_used = READ_ONCE(high.nr_used);
	count->nr_kept = READ_ONCE(high.nr_kept);
}

/* --- mapping ---------------------------------------------------------------------------------- */

static char *slot_address(unsigned int slot)
{
	return high.window + (size_t)slot * PAGE_SIZE;
}

void *highmem_kmap_address(const struct high_page *page)
{
	return page->nr_kmaps ? slot_address(page->slot - 1u) : NULL;
}

struct high_page *highmem_kmap_page(const void *address)
{
	size_t slot = ((uintptr_t)address - (uintptr_t)high.window) / PAGE_SIZE;
	uint32_t owner;

	if (!high.window || slot >= HIGHMEM_WINDOW_PAGES)
		return NULL;
	owner = READ_ONCE(high.slots[slot]);
	return owner && owner != SLOT_DEAD ? highmem_page(owner - 1) : NULL;
}

static bool slot_is_free(unsigned int slot)
{
	uint32_t owner = high.slots[slot];

	return owner != SLOT_DEAD && (!owner || !highmem_page(owner - 1)->nr_kmaps);
}

/* HIGHMEM_WINDOW_PAGES: all are in use. */
static unsigned int find_slot(void)
{
	for (unsigned int i = 0; i < HIGHMEM_WINDOW_PAGES; i++) {
		unsigned int slot = (high.next_slot + i) % HIGHMEM_WINDOW_PAGES;

		if (slot_is_free(slot)) {
			high.next_slot = (slot + 1) % HIGHMEM_WINDOW_PAGES;
			return slot;
		}
	}
	return HIGHMEM_WINDOW_PAGES;
}

static void vacate_slot(unsigned int slot)
{
	if (high.slots[slot])
		highmem_page(high.slots[slot] - 1)->slot = 0;
	WRITE_ONCE(high.slots[slot], 0);
}

/* What failed may have left a hole there, which might be somebody else's by the next time. */
static void secure_slot(unsigned int slot)
{
	void *address;
	int error = os_reserve(slot_address(slot), PAGE_SIZE, &address);

	if (error && error != -EEXIST)
		WRITE_ONCE(high.slots[slot], SLOT_DEAD);
}

/* Frames of this process's file from there on. */
static bool map_frames(size_t index, size_t nr, void *address, bool writable)
{
	uint64_t mask = os_block_signals(); /* as in highmem_alloc_locked */
	int file = current_file();
	bool mapped = file >= 0 && is_own(index) &&
		      !os_frames_map(file, index * PAGE_SIZE, address, nr * PAGE_SIZE, writable);

	os_restore_signals(mask);
	return mapped;
}

static bool map_to_slot(struct high_page *page, unsigned int slot)
{
	size_t index = highmem_index(page);

	if (!is_own(index))
		return false;
	vacate_slot(slot);
	if (!map_frames(index, 1, slot_address(slot), true)) {
		secure_slot(slot);
		return false;
	}
	WRITE_ONCE(high.slots[slot], (uint32_t)index + 1);
	page->slot = (uint16_t)(slot + 1);
	return true;
}

void *highmem_kmap_locked(struct high_page *page)
{
	unsigned int slot;

	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	if (page->state == HIGH_FREE || page->nr_kmaps == UINT16_MAX)
		return NULL;
	if (!page->slot) {
		slot = find_slot();
		if (slot == HIGHMEM_WINDOW_PAGES || !map_to_slot(page, slot))
			return NULL;
	}
	page->nr_kmaps++;
	return slot_address(page->slot - 1u);
}

bool highmem_kunmap_locked(struct high_page *page)
{
	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	if (!page->nr_kmaps)
		return false;
	page->nr_kmaps--;
	return true;
}

static size_t run_length(struct high_page *const *pages, size_t max)
{
	size_t nr = 1;

	while (nr < max && highmem_owns(pages[nr]) &&
	       highmem_index(pages[nr]) == highmem_index(pages[nr - 1]) + 1)
		nr++;
	return nr;
}

size_t highmem_map_locked(struct high_page *const *pages, size_t max, void *address, bool writable)
{
	size_t nr = run_length(pages, max);

	VM_BUG_ON(!lock_is_held(LOCK_HIGHMEM));
	for (size_t i = 0; i < nr; i++)
		if (pages[i]->state == HIGH_FREE || pages[i]->nr_vmaps == UINT16_MAX)
			return 0;
	if (!map_frames(highmem_index(pages[0]), nr, address, writable))
		return 0;
	for (size_t i = 0; i < nr; i++)
		pages[i]->nr_vmaps++;
	return nr;
}

/* --- validation ------------------------------------------------------------------------------- */

static bool validate_block(const struct high_chunk *chunk, size_t first, size_t *nr)
{
	const struct high_page *head = &chunk->pages[first];

	*nr = (size_t)1 << head->order;
	if (head->state != HIGH_HEAD || head->order > MAX_PAGE_ORDER || first % *nr)
		return false;
	for (size_t i = 1; i < *nr; i++)
		if (head[i].state != HIGH_TAIL)
			return false;
	return bitmap_test_range_all(chunk->used, first, *nr) &&
	       bitmap_test_range_all(chunk->filled, first, *nr);
}

static bool validate_chunk(const struct high_chunk *chunk)
{
	size_t nr;

	for (size_t i = 0; i < HIGHMEM_CHUNK_FRAMES; i += nr) {
		nr = 1;
		if (chunk->pages[i].state == HIGH_FREE) {
			if (bitmap_test(chunk->used, i) || i < chunk->first_free)
				return false;
		} else if (!validate_block(chunk, i, &nr)) {
			return false;
		}
	}
	return chunk->nr_used == bitmap_count_range(chunk->used, 0, HIGHMEM_CHUNK_FRAMES);
}

static bool validate_window(void)
{
	for (unsigned int i = 0; i < HIGHMEM_WINDOW_PAGES; i++) {
		uint32_t owner = high.slots[i];

		if (owner && owner != SLOT_DEAD && highmem_page(owner - 1)->slot != i + 1)
			return false;
	}
	return true;
}

bool validate_highmem(void)
{
	size_t nr_used = 0, nr_filled = 0;
	bool valid;

	lock_acquire(LOCK_HIGHMEM);
	valid = validate_window();
	for (size_t i = high.first_chunk; i < nr_opened(); i++) {
		const struct high_chunk *chunk = &high.chunks[i];

		valid &= validate_chunk(chunk);
		nr_used += chunk->nr_used;
		nr_filled += bitmap_count_range(chunk->filled, 0, HIGHMEM_CHUNK_FRAMES);
	}
	valid &= nr_used == high.nr_used && nr_filled - nr_used == high.nr_kept;
	lock_release(LOCK_HIGHMEM);
	return valid;
}
