/* lowmem.c - see lowmem.h. */
#include "mm/lowmem.h"

#include "base/bitmap.h"
#include "base/math.h"
#include "core/lock.h"
#include "mm/zone.h"
#include "os/os.h"

#define CHUNK_PAGES (LOWMEM_CHUNK_BYTES / PAGE_SIZE)
/* Where address space is scarce. */
#define LIMITED_CHUNKS 32u
#define END_OF_DMA32 ((uintptr_t)1 << 32)
/* Below it programs map what they want close to their code (MAP_32BIT): not before the rest. */
#define START_OF_DMA32 ((uintptr_t)1 << 31)

struct lowmem_part *_Atomic lowmem_parts[NR_LOWMEM_LISTS];

static struct lowmem_part *newest_part(unsigned int type)
{
	return atomic_load_explicit(&lowmem_parts[type], memory_order_acquire);
}

/* Of this process; NULL: there is none yet. */
static struct lowmem_part *own_part(enum lowmem_zone type)
{
	if (!newest_part(type) || (type == LOWMEM_DMA && !mm_map.process->pinned))
		return NULL;
	return newest_part(type); /* again: in a child the first may have been its parent's */
}

static size_t nr_opened(struct lowmem_part *part)
{
	return atomic_load_explicit(&part->pool.nr_extents, memory_order_acquire);
}

static size_t cells_bytes(size_t nr_chunks, size_t chunk_bytes)
{
	return nr_chunks * chunk_bytes / GRAIN_CELL_BYTES * sizeof(uint64_t);
}

/* --- where objects are ------------------------------------------------------------------------ */

static struct lowmem_part *part_among(const void *address, unsigned int nr_lists)
{
	for (unsigned int type = 0; type < nr_lists; type++)
		for (struct lowmem_part *part = newest_part(type); part; part = part->older)
			if ((uintptr_t)address - (uintptr_t)part->base <
			    nr_opened(part) * part->chunk_bytes)
				return part;
	return NULL;
}

static struct lowmem_part *part_of(const void *address)
{
	return part_among(address, NR_LOWMEM_LISTS);
}

bool lowmem_contains(const void *address)
{
	return part_of(address) != NULL;
}

/* What CMA has given out are no objects. */
static struct lowmem_part *object_part(const void *address)
{
	return part_among(address, NR_LOWMEM_ZONES);
}

/* To the pool a chunk that is parked is one object. */
static bool is_parked(const struct lowmem_part *part, const void *address)
{
	size_t chunk = ((uintptr_t)address - (uintptr_t)part->base) / part->chunk_bytes;

	return READ_ONCE(part->parked[chunk / 64]) >> chunk % 64 & 1;
}

bool lowmem_free(void *object)
{
	struct lowmem_part *part = object_part(object);

	return part && !is_parked(part, object) && grain_pool_free(&part->pool, object);
}

size_t lowmem_size(const void *object)
{
	struct lowmem_part *part = object_part(object);

	return part && !is_parked(part, object) ? grain_pool_size(&part->pool, object) : 0;
}

bool lowmem_object_at(uintptr_t address, uintptr_t *start, size_t *bytes)
{
	const void *at = (const void *)address; // NOLINT
	struct lowmem_part *part = object_part(at);

	return part && !is_parked(part, at) &&
	       grain_pool_object_at(&part->pool, address, start, bytes);
}

const void *lowmem_page_of(const void *address)
{
	struct lowmem_part *part = part_of(address);
	size_t offset = (uintptr_t)address - (uintptr_t)(part ? part->base : NULL);

	return part ? part->cells + offset / PAGE_SIZE * LOWMEM_PAGE_CELLS : NULL;
}

static void *page_address_in(struct lowmem_part *part, const void *page)
{
	size_t offset = (uintptr_t)page - (uintptr_t)part->cells;
	size_t bytes = LOWMEM_PAGE_CELLS * sizeof(*part->cells);

	if (offset >= cells_bytes(nr_opened(part), part->chunk_bytes) || offset % bytes)
		return NULL;
	return part->base + offset / bytes * PAGE_SIZE;
}

void *lowmem_page_address(const void *page)
{
	void *address = NULL;

	for (unsigned int type = 0; type < NR_LOWMEM_LISTS && !address; type++)
		for (struct lowmem_part *part = newest_part(type); part && !address;
		     part = part->older)
			address = page_address_in(part, page);
	return address;
}

/* --- counts ----------------------------------------------------------------------------------- */

void lowmem_count(enum lowmem_zone type, size_t *total, size_t *free)
{
	struct lowmem_part *part = own_part(type);

	*total = part ? grain_pool_total(&part->pool) : 0;
	*free = part ? grain_pool_bytes_free(&part->pool) : 0;
}

void lowmem_count_all(size_t *total, size_t *free)
{
	*total = *free = 0;
	for (unsigned int type = 0; type < NR_LOWMEM_LISTS; type++)
		for (struct lowmem_part *part = newest_part(type); part; part = part->older) {
			*total += grain_pool_total(&part->pool);
			*free += grain_pool_bytes_free(&part->pool);
		}
}

void *lowmem_alloc(enum lowmem_zone type, size_t bytes, size_t align, size_t bytes_left)
{
	struct lowmem_part *part = own_part(type);

	return part ? grain_pool_alloc(&part->pool, bytes, align, bytes_left) : NULL;
}

/* --- parts ------------------------------------------------------------------------------------ */

/* Chunks, cells, and the part itself with its extents. */
static size_t section_bytes(size_t nr_chunks, size_t chunk_bytes)
{
	return align_up(nr_chunks * chunk_bytes + cells_bytes(nr_chunks, chunk_bytes) +
				sizeof(struct lowmem_part) +
				nr_chunks * sizeof(struct grain_extent),
			LOWMEM_CHUNK_BYTES);
}

/* Aligned to a pageblock; NULL: there is no room. */
static char *reserve_anywhere(size_t bytes)
{
	void *address;
	size_t head;
	char *base;

	if (os_reserve(NULL, bytes + LOWMEM_CHUNK_BYTES, &address))
		return NULL;
	base = (char *)align_up((uintptr_t)address, LOWMEM_CHUNK_BYTES); // NOLINT
	head = (size_t)(base - (char *)address);
	if (head)
		os_unreserve(address, head);
	os_unreserve(base + bytes, LOWMEM_CHUNK_BYTES - head);
	return base;
}

static char *reserve_at(uintptr_t hint, size_t bytes)
{
	void *address;

	return os_reserve((void *)hint, bytes, &address) ? NULL : address; // NOLINT
}

/* From the top down, by its own length, to START_OF_DMA32; then lower. */
static char *reserve_below_4g(size_t bytes)
{
	char *base = NULL;

	for (uintptr_t hint = END_OF_DMA32 - bytes; !base && hint >= START_OF_DMA32; hint -= bytes)
		base = reserve_at(hint, bytes);
	for (uintptr_t hint = START_OF_DMA32 - bytes; !base && hint >= bytes; hint -= bytes)
		base = reserve_at(hint, bytes);
	return base;
}

enum lowmem_answer lowmem_part_new_locked(unsigned int type, size_t nr_chunks, size_t chunk_bytes,
					  struct lowmem_part **made)
{
	size_t bytes = section_bytes(nr_chunks, chunk_bytes), chunks = nr_chunks * chunk_bytes;
	char *base = type == LOWMEM_DMA32 ? reserve_below_4g(bytes) : reserve_anywhere(bytes);
	struct lowmem_part *part;
	char *cells;

	if (!base)
		return LOWMEM_FULL;
	if (os_open(base + chunks, bytes - chunks)) {
		os_unreserve(base, bytes);
		return LOWMEM_NO_MEMORY;
	}
	cells = base + chunks;
	part = (struct lowmem_part *)(cells + cells_bytes(nr_chunks, chunk_bytes)); // NOLINT
	part->pool.extents = part->extents;
	part->pool.max_bytes = chunk_bytes;
	part->base = base;
	part->chunk_bytes = chunk_bytes;
	part->nr_chunks = nr_chunks;
	part->cells = (uint64_t *)cells; // NOLINT
	part->older = newest_part(type);
	*made = part;
	return LOWMEM_GROWN;
}

void lowmem_part_drop_locked(struct lowmem_part *part)
{
	os_unreserve(part->base, section_bytes(part->nr_chunks, part->chunk_bytes));
}

void lowmem_publish_locked(unsigned int type, struct lowmem_part *part)
{
	atomic_store_explicit(&lowmem_parts[type], part, memory_order_release);
}

static size_t most_chunks(void)
{
	return os_address_space_limit() == SIZE_MAX ? LOWMEM_MAX_CHUNKS : LIMITED_CHUNKS;
}

/* As many chunks as there is room for. */
static enum lowmem_answer make_part(enum lowmem_zone type, struct lowmem_part **made)
{
	enum lowmem_answer answer = LOWMEM_FULL;
	/* With all that belongs to them they have to lie in two gigabytes. */
	size_t nr_chunks = type == LOWMEM_DMA32 ? most_chunks() / 2 : most_chunks();

	for (; nr_chunks && answer == LOWMEM_FULL; nr_chunks /= 2)
		answer = lowmem_part_new_locked(type, nr_chunks, LOWMEM_CHUNK_BYTES, made);
	return answer;
}

/* Before anything of it is used. The rest of the section is shared with children as all is. */
static bool keep_from_children(const struct lowmem_part *part)
{
	size_t bytes = part->nr_chunks * part->chunk_bytes;

	os_want_huge_pages(part->base, bytes); /* refused: there will be none, which is noticed */
	return mm_map.process && !os_wipe_on_fork(part->base, bytes);
}

/* What another process had has no memory here but for zeroes. */
static void leave_to_parent(const struct lowmem_part *part)
{
	size_t nr_chunks = atomic_load(&part->pool.nr_extents) - part->nr_parked;

	lowmem_count_out(nr_chunks * CHUNK_PAGES);
}

static enum lowmem_answer own_part_or_new(enum lowmem_zone type, struct lowmem_part **part)
{
	enum lowmem_answer answer;

	*part = own_part(type);
	if (*part)
		return LOWMEM_GROWN;
	answer = make_part(type, part);
	if (answer != LOWMEM_GROWN)
		return answer;
	if (type == LOWMEM_DMA && !keep_from_children(*part)) {
		lowmem_part_drop_locked(*part);
		return LOWMEM_NOT_WIPED;
	}
	if ((*part)->older)
		leave_to_parent((*part)->older);
	lowmem_publish_locked(type, *part);
	if (type == LOWMEM_DMA)
		mm_map.process->pinned = true;
	return LOWMEM_GROWN;
}

/* --- chunks ----------------------------------------------------------------------------------- */

bool lowmem_count_in(size_t nr_pages)
{
	bool has_room;

	zone_lock();
	has_room = zone_is_within_limit_locked(USE_RUN, nr_pages);
	if (has_room) {
		zone.nr_lowmem += nr_pages;
		zone_count_locked(USE_RUN, 0);
	}
	zone_unlock();
	return has_room;
}

void lowmem_count_out(size_t nr_pages)
{
	zone_lock();
	zone.nr_lowmem -= nr_pages;
	zone_count_locked(USE_RUN, 0);
	zone_unlock();
}

static void touch_all(char *chunk)
{
	if (!os_populate(chunk, LOWMEM_CHUNK_BYTES))
		return;
	for (size_t i = 0; i < LOWMEM_CHUNK_BYTES; i += PAGE_SIZE)
		((volatile char *)chunk)[i] = 0;
}

static enum lowmem_answer pin(char *chunk)
{
	unsigned char resident = 0;

	*(volatile char *)chunk = 0;
	/* Has the first page brought all others? Smaller folios bring some. */
	if (os_mincore(chunk + LOWMEM_CHUNK_BYTES - PAGE_SIZE, PAGE_SIZE, &resident) ||
	    !(resident & 1))
		return LOWMEM_NO_HUGE_PAGE;
	return os_pin(chunk, LOWMEM_CHUNK_BYTES) ? LOWMEM_NOT_PINNED : LOWMEM_GROWN;
}

static enum lowmem_answer make_resident(enum lowmem_zone type, char *chunk)
{
	if (os_open(chunk, LOWMEM_CHUNK_BYTES))
		return LOWMEM_NO_MEMORY;
	if (type == LOWMEM_DMA)
		return pin(chunk);
	touch_all(chunk);
	return LOWMEM_GROWN;
}

static enum lowmem_answer fill_chunk(enum lowmem_zone type, char *chunk)
{
	enum lowmem_answer answer;

	if (!lowmem_count_in(CHUNK_PAGES))
		return LOWMEM_NO_MEMORY;
	answer = make_resident(type, chunk);
	if (answer != LOWMEM_GROWN) {
		os_purge(chunk, LOWMEM_CHUNK_BYTES);
		lowmem_count_out(CHUNK_PAGES);
	}
	return answer;
}

static char *chunk_at(const struct lowmem_part *part, size_t i)
{
	return part->base + i * LOWMEM_CHUNK_BYTES;
}

static void set_parked(struct lowmem_part *part, size_t i, bool parked)
{
	uint64_t bits = part->parked[i / 64], bit = bitmap_bit(i);

	WRITE_ONCE(part->parked[i / 64], parked ? bits | bit : bits & ~bit);
	part->nr_parked += parked ? 1 : -(size_t)1;
}

static enum lowmem_answer unpark(enum lowmem_zone type, struct lowmem_part *part)
{
	size_t i = bitmap_find_next_set(part->parked, LOWMEM_MAX_CHUNKS, 0);
	enum lowmem_answer answer = fill_chunk(type, chunk_at(part, i));

	if (answer == LOWMEM_GROWN) {
		set_parked(part, i, false);
		grain_pool_give_back(&part->pool, (unsigned int)i);
	}
	return answer;
}

static enum lowmem_answer add_chunk(enum lowmem_zone type, struct lowmem_part *part)
{
	size_t i = nr_opened(part);
	enum lowmem_answer answer;

	if (part->nr_parked)
		return unpark(type, part);
	if (i == part->nr_chunks)
		return LOWMEM_FULL;
	answer = fill_chunk(type, chunk_at(part, i));
	if (answer == LOWMEM_GROWN)
		grain_pool_add(&part->pool, part->cells + i * LOWMEM_CHUNK_CELLS, chunk_at(part, i),
			       LOWMEM_CHUNK_BYTES);
	return answer;
}

static enum lowmem_answer grow_locked(enum lowmem_zone type, size_t total)
{
	struct lowmem_part *part;
	enum lowmem_answer answer = own_part_or_new(type, &part);

	if (answer != LOWMEM_GROWN || grain_pool_total(&part->pool) != total)
		return answer; /* another thread was faster */
	return add_chunk(type, part);
}

enum lowmem_answer lowmem_grow(enum lowmem_zone type, size_t total)
{
	enum lowmem_answer answer;

	lock_acquire(LOCK_LOWMEM);
	answer = grow_locked(type, total);
	lock_release(LOCK_LOWMEM);
	return answer;
}

/* --- giving back ------------------------------------------------------------------------------ */

static size_t bytes_to_keep(const struct lowmem_part *part)
{
	size_t total = grain_pool_total(&part->pool);

	return grain_pool_bytes_free(&part->pool) == total ? 0 : lowmem_marks(total).high;
}

/* False: it is in use, or it is not to be missed. */
static bool park(struct lowmem_part *part, size_t i, bool pinned)
{
	if (!grain_pool_withdraw(&part->pool, (unsigned int)i, bytes_to_keep(part)))
		return false;
	set_parked(part, i, true);
	if (pinned)
		os_unpin(chunk_at(part, i), LOWMEM_CHUNK_BYTES);
	os_purge(chunk_at(part, i), LOWMEM_CHUNK_BYTES);
	lowmem_count_out(CHUNK_PAGES);
	return true;
}

static size_t trim_zone_locked(enum lowmem_zone type)
{
	struct lowmem_part *part = own_part(type);
	size_t nr = 0;

	for (size_t i = part ? nr_opened(part) : 0; i-- > 0;)
		if (!is_parked(part, chunk_at(part, i)))
			nr += park(part, i, type == LOWMEM_DMA);
	return nr * LOWMEM_CHUNK_BYTES;
}

size_t lowmem_trim(void)
{
	size_t bytes = 0;

	lock_acquire(LOCK_LOWMEM);
	for (unsigned int type = 0; type < NR_LOWMEM_ZONES; type++)
		bytes += trim_zone_locked(type);
	lock_release(LOCK_LOWMEM);
	return bytes;
}

/* --- validation ------------------------------------------------------------------------------- */

static bool part_is_valid(struct lowmem_part *part)
{
	size_t nr = nr_opened(part), nr_parked = 0;

	for (size_t i = 0; i < LOWMEM_MAX_CHUNKS; i++)
		nr_parked += bitmap_test(part->parked, i);
	return nr <= part->nr_chunks && nr_parked == part->nr_parked &&
	       grain_pool_total(&part->pool) == (nr - nr_parked) * LOWMEM_CHUNK_BYTES &&
	       grain_pool_bytes_free(&part->pool) <= grain_pool_total(&part->pool);
}

bool validate_lowmem(void)
{
	size_t nr_pages = 0;
	bool valid = true;

	lock_acquire(LOCK_LOWMEM);
	for (unsigned int type = 0; type < NR_LOWMEM_ZONES; type++) {
		struct lowmem_part *part = newest_part(type);

		nr_pages += part ? (nr_opened(part) - part->nr_parked) * CHUNK_PAGES : 0;
		valid = valid && (!part || part_is_valid(part));
	}
	for (struct lowmem_part *part = newest_part(LOWMEM_CMA); part; part = part->older)
		nr_pages += part->chunk_bytes / PAGE_SIZE;
	valid = valid && zone.nr_lowmem == nr_pages;
	lock_release(LOCK_LOWMEM);
	return valid;
}
