/* grain_pool.c - see grain_pool.h. */
#include "mm/grain_pool.h"

#include "base/math.h"

#define GRAIN_BYTES GRAIN_ALIGN
#define CELL_GRAINS 32u
#define CELL_BYTES GRAIN_CELL_BYTES

/* Of a cell: bit g of taken, or of end, is grain g's. */
union cell {
	struct {
		uint32_t taken, end;
	};
	uint64_t word;
};

#define ALL_GRAINS UINT32_MAX
#define LAST_GRAIN ((uint32_t)1 << (CELL_GRAINS - 1))

static union cell cell_read(const struct grain_extent *extent, size_t i)
{
	uint64_t word = atomic_load_explicit(&extent->cells[i], memory_order_acquire);

	return (union cell){ .word = word };
}

/* *old is what the cell was seen to be; else it is what it is now, and nothing happens. */
static bool cell_swap(struct grain_extent *extent, size_t i, union cell *old, union cell new)
{
	return atomic_compare_exchange_strong_explicit(&extent->cells[i], &old->word, new.word,
						       memory_order_acq_rel, memory_order_acquire);
}

/* --- counting --------------------------------------------------------------------------------- */

/* So many more, and so many are left. */
static bool charge(struct grain_pool *pool, size_t nr_grains, size_t left)
{
	size_t nr_free = atomic_load(&pool->nr_free);

	do {
		if (nr_free < nr_grains + left)
			return false;
	} while (!atomic_compare_exchange_weak(&pool->nr_free, &nr_free, nr_free - nr_grains));
	return true;
}

static void uncharge(struct grain_pool *pool, size_t nr_grains)
{
	atomic_fetch_add(&pool->nr_free, nr_grains);
}

size_t grain_pool_total(const struct grain_pool *pool)
{
	return atomic_load_explicit(&pool->nr_grains, memory_order_acquire) * GRAIN_BYTES;
}

size_t grain_pool_bytes_free(const struct grain_pool *pool)
{
	return atomic_load(&pool->nr_free) * GRAIN_BYTES;
}

/* --- small objects: within a cell ------------------------------------------------------------- */

/* Grains at multiples of `align` grains (a power of two up to 32) at which `nr` free ones start. */
static uint32_t find_starts(uint32_t taken, unsigned int nr, unsigned int align)
{
	uint32_t starts = ~taken;
	unsigned int step;

	for (unsigned int length = 1; length < nr; length += step) {
		step = length < nr - length ? length : nr - length;
		starts &= starts >> step;
	}
	return align < CELL_GRAINS ? starts & ALL_GRAINS / (((uint32_t)1 << align) - 1) :
				     starts & 1;
}

static uint32_t grains_mask(unsigned int first, unsigned int nr)
{
	return (nr < CELL_GRAINS ? ((uint32_t)1 << nr) - 1 : ALL_GRAINS) << first;
}

static void *take_in_cell(struct grain_extent *extent, size_t i, unsigned int nr,
			  unsigned int align)
{
	union cell old = cell_read(extent, i), new;
	unsigned int first;
	uint32_t starts;

	do {
		starts = find_starts(old.taken, nr, align);
		if (!starts)
			return NULL;
		first = (unsigned int)__builtin_ctz(starts);
		new.taken = old.taken | grains_mask(first, nr);
		new.end = old.end | (uint32_t)1 << (first + nr - 1);
	} while (!cell_swap(extent, i, &old, new));
	return extent->start + i * CELL_BYTES + (size_t)first * GRAIN_BYTES;
}

static void *take_small(struct grain_extent *extent, unsigned int nr, unsigned int align)
{
	size_t at = atomic_load_explicit(&extent->hint, memory_order_relaxed);
	void *object;

	for (size_t n = 0; n < extent->nr_cells; n++, at++) {
		if (at >= extent->nr_cells)
			at = 0;
		object = take_in_cell(extent, at, nr, align);
		if (object) {
			atomic_store_explicit(&extent->hint, at, memory_order_relaxed);
			return object;
		}
	}
	return NULL;
}

/* --- large objects: whole cells --------------------------------------------------------------- */

static void free_cells(struct grain_extent *extent, size_t first, size_t nr)
{
	for (size_t i = first; i < first + nr; i++)
		atomic_store_explicit(&extent->cells[i], 0, memory_order_release);
}

/* From the last down; what was taken goes back if one of them is not free. */
static bool take_cells(struct grain_extent *extent, size_t first, size_t nr)
{
	union cell none, all = { .taken = ALL_GRAINS, .end = LAST_GRAIN };

	for (size_t i = first + nr; i-- > first; all.end = 0) {
		none.word = 0;
		if (!cell_swap(extent, i, &none, all)) {
			free_cells(extent, i + 1, first + nr - i - 1);
			return false;
		}
	}
	return true;
}

/* How many of the cells from `first` on are free; at most nr. */
static size_t count_free_cells(const struct grain_extent *extent, size_t first, size_t nr)
{
	size_t n = 0;

	while (n < nr && !cell_read(extent, first + n).word)
		n++;
	return n;
}

/* align: in bytes. */
static void *take_large(struct grain_extent *extent, size_t nr, size_t align)
{
	size_t step = max_size(align / CELL_BYTES, 1);
	size_t first = (align_up((uintptr_t)extent->start, align) - (uintptr_t)extent->start) /
		       CELL_BYTES;

	for (; first + nr <= extent->nr_cells; first += step)
		if (count_free_cells(extent, first, nr) == nr && take_cells(extent, first, nr))
			return extent->start + first * CELL_BYTES;
	return NULL;
}

/* --- allocating ------------------------------------------------------------------------------- */

static void *take(struct grain_extent *extent, size_t nr_grains, size_t align)
{
	size_t align_grains = max_size(align / GRAIN_BYTES, 1);

	if (nr_grains <= CELL_GRAINS && align_grains <= CELL_GRAINS)
		return take_small(extent, (unsigned int)nr_grains, (unsigned int)align_grains);
	return take_large(extent, nr_grains / CELL_GRAINS, align);
}

void *grain_pool_alloc(struct grain_pool *pool, size_t bytes, size_t align, size_t bytes_left)
{
	unsigned int nr_extents = atomic_load_explicit(&pool->nr_extents, memory_order_acquire);
	bool is_large = bytes > CELL_BYTES || align > CELL_BYTES;
	size_t nr_grains;
	void *object = NULL;

	if (bytes > pool->max_bytes || align > pool->max_bytes)
		return NULL;
	bytes = align_up(max_size(bytes, 1), is_large ? CELL_BYTES : GRAIN_BYTES);
	nr_grains = bytes / GRAIN_BYTES;
	if (!charge(pool, nr_grains, bytes_left / GRAIN_BYTES))
		return NULL;
	for (unsigned int i = 0; i < nr_extents && !object; i++)
		object = take(&pool->extents[i], nr_grains, align);
	if (!object)
		uncharge(pool, nr_grains);
	return object;
}

/* --- where objects are ------------------------------------------------------------------------ */

static struct grain_extent *extent_of(struct grain_pool *pool, uintptr_t address)
{
	unsigned int nr_extents = atomic_load_explicit(&pool->nr_extents, memory_order_acquire);

	for (unsigned int i = 0; i < nr_extents; i++) {
		struct grain_extent *extent = &pool->extents[i];

		if (address - (uintptr_t)extent->start < extent->nr_cells * CELL_BYTES)
			return extent;
	}
	return NULL;
}

static bool is_continued(union cell cell)
{
	return cell.taken == ALL_GRAINS && !(cell.end & LAST_GRAIN);
}

/* A live object starts at this grain of the cell, which was read as `cell`. */
static bool starts_at(const struct grain_extent *extent, size_t i, union cell cell,
		      unsigned int grain)
{
	if (!(cell.taken >> grain & 1))
		return false;
	if (grain)
		return !(cell.taken >> (grain - 1) & 1) || cell.end >> (grain - 1) & 1;
	return !i || !is_continued(cell_read(extent, i - 1));
}

/* Grains from this one to the next end; 0: there is none in the cell. */
static unsigned int grains_to_end(union cell cell, unsigned int grain)
{
	uint32_t ends = cell.end >> grain;

	return ends ? (unsigned int)__builtin_ctz(ends) + 1 : 0;
}

/* An object that starts at this cell and does not end there has so many. */
static size_t count_cells(const struct grain_extent *extent, size_t first)
{
	size_t i = first;

	while (i + 1 < extent->nr_cells && is_continued(cell_read(extent, i)))
		i++;
	return i - first + 1;
}

struct place {
	struct grain_extent *extent;
	size_t cell;
	unsigned int grain;
};

static bool find_place(struct grain_pool *pool, uintptr_t address, struct place *place)
{
	size_t offset;

	place->extent = extent_of(pool, address);
	if (!place->extent)
		return false;
	offset = address - (uintptr_t)place->extent->start;
	place->cell = offset / CELL_BYTES;
	place->grain = (unsigned int)(offset % CELL_BYTES / GRAIN_BYTES);
	return true;
}

static size_t size_at(const struct place *place, union cell cell)
{
	unsigned int nr_grains;

	if (!starts_at(place->extent, place->cell, cell, place->grain))
		return 0;
	nr_grains = grains_to_end(cell, place->grain);
	if (nr_grains)
		return (size_t)nr_grains * GRAIN_BYTES;
	return place->grain ? 0 : count_cells(place->extent, place->cell) * CELL_BYTES;
}

size_t grain_pool_size(struct grain_pool *pool, const void *object)
{
	struct place place;

	if (!is_aligned((uintptr_t)object, GRAIN_BYTES) ||
	    !find_place(pool, (uintptr_t)object, &place))
		return 0;
	return size_at(&place, cell_read(place.extent, place.cell));
}

/* Of two that free the same object one succeeds: who takes the first cell's word away. */
static bool free_large(struct grain_pool *pool, const struct place *place, union cell cell)
{
	size_t nr = count_cells(place->extent, place->cell);

	if (!cell_swap(place->extent, place->cell, &cell, (union cell){ .word = 0 }))
		return false;
	free_cells(place->extent, place->cell + 1, nr - 1);
	uncharge(pool, nr * CELL_GRAINS);
	return true;
}

bool grain_pool_free(struct grain_pool *pool, void *object)
{
	struct place place;
	union cell old, new;
	unsigned int nr;

	if (!is_aligned((uintptr_t)object, GRAIN_BYTES) ||
	    !find_place(pool, (uintptr_t)object, &place))
		return false;
	old = cell_read(place.extent, place.cell);
	do {
		if (!size_at(&place, old))
			return false;
		nr = grains_to_end(old, place.grain);
		if (!nr)
			return free_large(pool, &place, old);
		new.taken = old.taken & ~grains_mask(place.grain, nr);
		new.end = old.end & ~((uint32_t)1 << (place.grain + nr - 1));
	} while (!cell_swap(place.extent, place.cell, &old, new));
	atomic_store_explicit(&place.extent->hint, place.cell, memory_order_relaxed);
	uncharge(pool, nr);
	return true;
}

/* The place moves down to where the object that covers it starts. */
static void move_to_start(struct place *place)
{
	union cell cell = cell_read(place->extent, place->cell);

	while (place->grain && !starts_at(place->extent, place->cell, cell, place->grain))
		place->grain--;
	while (!place->grain && place->cell &&
	       is_continued(cell_read(place->extent, place->cell - 1)))
		place->cell--;
}

bool grain_pool_object_at(struct grain_pool *pool, uintptr_t address, uintptr_t *start,
			  size_t *bytes)
{
	struct place place;

	if (!find_place(pool, address, &place) ||
	    !(cell_read(place.extent, place.cell).taken >> place.grain & 1))
		return false;
	move_to_start(&place);
	*start = (uintptr_t)place.extent->start + place.cell * CELL_BYTES +
		 (size_t)place.grain * GRAIN_BYTES;
	*bytes = size_at(&place, cell_read(place.extent, place.cell));
	return *bytes;
}

/* --- growing ---------------------------------------------------------------------------------- */

void grain_pool_add(struct grain_pool *pool, uint64_t *cells, void *start, size_t bytes)
{
	struct grain_extent *extent = &pool->extents[atomic_load(&pool->nr_extents)];

	extent->start = start;
	extent->nr_cells = bytes / CELL_BYTES;
	extent->cells = (_Atomic uint64_t *)cells;
	for (size_t i = 0; i < extent->nr_cells; i++)
		atomic_store(&extent->cells[i], 0);
	atomic_fetch_add(&pool->nr_extents, 1);
	atomic_fetch_add(&pool->nr_free, bytes / GRAIN_BYTES);
	atomic_fetch_add(&pool->nr_grains, bytes / GRAIN_BYTES);
}

bool grain_pool_withdraw(struct grain_pool *pool, unsigned int i, size_t bytes_left)
{
	struct grain_extent *extent = &pool->extents[i];
	size_t nr_grains = extent->nr_cells * CELL_GRAINS;

	if (!charge(pool, nr_grains, bytes_left / GRAIN_BYTES))
		return false;
	if (!take_cells(extent, 0, extent->nr_cells)) {
		uncharge(pool, nr_grains);
		return false;
	}
	atomic_fetch_sub(&pool->nr_grains, nr_grains);
	return true;
}

void grain_pool_give_back(struct grain_pool *pool, unsigned int i)
{
	struct grain_extent *extent = &pool->extents[i];

	free_cells(extent, 0, extent->nr_cells);
	atomic_fetch_add(&pool->nr_grains, extent->nr_cells * CELL_GRAINS);
	uncharge(pool, extent->nr_cells * CELL_GRAINS);
}

bool grain_pool_take_at(struct grain_pool *pool, void *start, size_t bytes)
{
	size_t nr_grains = bytes / GRAIN_BYTES;
	struct place place;

	if (!find_place(pool, (uintptr_t)start, &place) || !charge(pool, nr_grains, 0))
		return false;
	if (take_cells(place.extent, place.cell, bytes / CELL_BYTES))
		return true;
	uncharge(pool, nr_grains);
	return false;
}

void grain_pool_join(struct grain_pool *pool, void *start, size_t bytes)
{
	union cell cell = { .taken = ALL_GRAINS };
	struct place place;

	if (!find_place(pool, (uintptr_t)start, &place))
		return;
	for (size_t i = place.cell + bytes / CELL_BYTES - 1; i-- > place.cell;)
		atomic_store_explicit(&place.extent->cells[i], cell.word, memory_order_release);
}
