/* kmemleak.c - see kmemleak.h. */
#include "debug/kmemleak.h"

#include <emmintrin.h>
#include <string.h>

#include "base/math.h"
#include "debug/leak_track.h"
#include "debug/private_map.h"
#include "os/os_proc.h"

#define WORD sizeof(uintptr_t)
/* Memory is looked at in pieces of so much. */
#define PIECE_BYTES KIB(64)
#define MAX_FORBIDDEN 64u
#define MAX_STACKS 64u

/* Every object is pushed at most once for each of the four kinds that it can rise to. */
#define MAX_PUSHES 4u

/* Of an object that is lost. */
struct lost {
	uint32_t owner; /* index of who it is lost with; its own, while that is nobody */
	uint32_t note;
};

static struct {
	uintptr_t *work; /* starts of objects to be looked at */
	size_t nr_work;
	struct lost *lost;
	uintptr_t *holders; /* NULL: not asked for */
	struct {
		uintptr_t start, end;
	} forbidden[MAX_FORBIDDEN];
	unsigned int nr_forbidden;
	uintptr_t stacks[MAX_STACKS]; /* stack pointers into the heap */
	unsigned int nr_stacks;
	int pagemap;
	bool still;	      /* nobody else runs */
	bool reads_directly;  /* the kernel does not copy */
	bool reads_carefully; /* too many ranges are forbidden: the kernel copies everything */
} scan;

static uintptr_t piece[PIECE_BYTES / WORD];

/* --- colours ---------------------------------------------------------------------------------- */

static enum leak_kind kind_of(const struct heap_object *object)
{
	return heap_object_state[object->index];
}

static void set_kind(const struct heap_object *object, enum leak_kind kind, uintptr_t holder)
{
	heap_object_state[object->index] = (uint8_t)kind;
	if (scan.holders)
		scan.holders[object->index] = holder;
	scan.work[scan.nr_work++] = object->start;
}

/* What an object is that a word of something of this kind points to. */
static enum leak_kind kind_by(enum leak_kind source, const struct heap_object *object,
			      uintptr_t word)
{
	if (source != LEAK_REACHABLE && source != LEAK_LOADERS)
		return source;
	return word == object->start ? LEAK_REACHABLE : LEAK_POSSIBLE;
}

/* An address behind what was asked for is that of no object. */
static bool points_into(const struct heap_object *object, uintptr_t word)
{
	struct leak_record record;

	if (word == object->start || !leak_tracking())
		return true;
	record = leak_record_of(object->start);
	return !record.tid || word - object->start < record.bytes;
}

static void raise(const struct heap_object *object, enum leak_kind kind, uintptr_t holder)
{
	if (kind_of(object) < kind)
		set_kind(object, kind, holder);
}

/* Who owns it in the end: owners of owners are passed over from then on. */
static uint32_t last_owner(uint32_t index)
{
	uint32_t last = index, next;

	while (scan.lost[last].owner != last)
		last = scan.lost[last].owner;
	for (; index != last; index = next) {
		next = scan.lost[index].owner;
		scan.lost[index].owner = last;
	}
	return last;
}

/* A word of something that is lost with `owner`. */
static void lose(const struct heap_object *object, uint32_t owner, uintptr_t holder)
{
	enum leak_kind kind = kind_of(object);

	if (kind == LEAK_UNREACHED) {
		set_kind(object, LEAK_INDIRECT, holder);
		scan.lost[object->index].owner = owner;
	} else if (kind == LEAK_DEFINITE && object->index != owner) {
		heap_object_state[object->index] = LEAK_INDIRECT;
		scan.lost[object->index].owner = owner;
	}
}

/* --- looking at memory ------------------------------------------------------------------------ */

/* What words are taken for: of something of this kind, or lost with an owner. */
struct source {
	enum leak_kind kind;
	uint32_t owner;
	enum scan_backing backing;
};

/*
 * A thread finds its TLS by an address behind the head of a block (the DTV), in a structure that
 * points to itself with the words before and behind it (glibc's tcbhead_t). To who does not know it
 * would be held only perhaps.
 */
static bool is_dtv_of_thread(const uintptr_t *words, size_t i, size_t nr, uintptr_t address)
{
	uintptr_t self = address + (i - 1) * WORD;

	return i > 0 && i + 1 < nr && words[i - 1] == self && words[i + 1] == self;
}

static bool is_forbidden(const struct heap_object *object)
{
	for (unsigned int i = 0; i < scan.nr_forbidden; i++)
		if (object->start < scan.forbidden[i].end &&
		    scan.forbidden[i].start < object->start + object->bytes)
			return true;
	return false;
}

/*
 * Of two words each: how many entries there are, behind an unused one, which the address tells.
 * What ended threads have left in stacks may point to what has become the program's since.
 */
#define DTV_ENTRY_BYTES (2 * WORD)
static bool may_be_dtv(const struct heap_object *object, uintptr_t address)
{
	size_t nr_entries = object->bytes / DTV_ENTRY_BYTES;

	return address == object->start + DTV_ENTRY_BYTES && nr_entries > 2 &&
	       !is_forbidden(object) &&
	       *(const uintptr_t *)object->start - 1 < nr_entries - 2; // NOLINT
}

/* Most words are no address in the heap: a cache line of them is judged at once. */
#define WORDS_AT_ONCE 8u
/* The processor's own prefetching ends with the page. */
#define WORDS_AHEAD 512u

/* Upper halves that addresses in the heap have, as `upper - first` below the limit when signed. */
struct upper_halves {
	__m128i first, limit;
};

static struct upper_halves upper_halves_of_heap(void)
{
	uint32_t first = (uint32_t)(mm_map.base >> 32);
	uint32_t last = (uint32_t)((mm_map.base + mm_map.nr_pages * PAGE_SIZE - 1) >> 32);

	return (struct upper_halves){
		_mm_set1_epi32((int)(first - (uint32_t)INT32_MIN)),
		_mm_set1_epi32((int)(last - first + 1 + (uint32_t)INT32_MIN)),
	};
}

/* Of four words: all bits of a quarter are set, or none. */
static inline __m128i are_in_heap(const uintptr_t *words, const struct upper_halves *heap)
{
	__m128 low = _mm_loadu_ps((const float *)words);
	__m128 high = _mm_loadu_ps((const float *)(words + 2));
	__m128i upper = _mm_castps_si128(_mm_shuffle_ps(low, high, _MM_SHUFFLE(3, 1, 3, 1)));

	return _mm_cmpgt_epi32(heap->limit, _mm_sub_epi32(upper, heap->first));
}

static inline unsigned int mask_of(__m128i quarters)
{
	return (unsigned int)_mm_movemask_ps(_mm_castsi128_ps(quarters));
}

/* Bit i is set if word i of a cache line is an address in the heap, or near it. */
static inline unsigned int may_point_into_heap(const uintptr_t *words,
					       const struct upper_halves *heap)
{
	__builtin_prefetch(words + WORDS_AHEAD, 0, 2);
	return mask_of(are_in_heap(words, heap)) |
	       mask_of(are_in_heap(words + WORDS_AT_ONCE / 2, heap)) << WORDS_AT_ONCE / 2;
}

/* Most words hold what is known to be held: this is asked before what costs more. */
static void look_at_word(const uintptr_t *words, size_t i, size_t nr, uintptr_t address,
			 const struct source *source)
{
	uintptr_t word = words[i], holder = address + i * WORD;
	struct heap_object object;
	enum leak_kind kind;

	if (!heap_object_at(word, &object))
		return;
	if (source->kind == LEAK_DEFINITE) {
		if (points_into(&object, word))
			lose(&object, source->owner, holder);
		return;
	}
	kind = kind_by(source->kind, &object, word);
	if (is_dtv_of_thread(words, i, nr, address) && may_be_dtv(&object, word))
		kind = LEAK_LOADERS;
	if (kind_of(&object) < kind && points_into(&object, word))
		set_kind(&object, kind, kind == LEAK_LOADERS ? 0 : holder);
}

static void look_at_words(const uintptr_t *words, size_t nr, uintptr_t address,
			  const struct source *source)
{
	struct upper_halves heap = upper_halves_of_heap();

	for (size_t i = 0; i < nr; i += WORDS_AT_ONCE) {
		unsigned int mask = nr - i < WORDS_AT_ONCE ?
					    (1u << (nr - i)) - 1 :
					    may_point_into_heap(words + i, &heap);

		for (; mask; mask &= mask - 1)
			look_at_word(words, i + (size_t)__builtin_ctz(mask), nr, address, source);
	}
}

/* Words are looked at where they are, or in a copy. Returns how many bytes it was. */
static size_t look_at_piece(uintptr_t start, size_t bytes, bool directly,
			    const struct source *source)
{
	long ret;

	if (directly) {
		look_at_words((const uintptr_t *)start, bytes / WORD, start, source); // NOLINT
		return bytes;
	}
	ret = os_read_memory(start, piece, bytes);
	if (ret <= 0)
		return 0;
	look_at_words(piece, (size_t)ret / WORD, start, source);
	return (size_t)ret;
}

/*
 * All of these pages have contents; those that cannot be read are passed over. in_memory: none has
 * to be fetched. A copy takes three times as long as looking, but it cannot fail; what is still,
 * readable (protection keys are in no map) and in memory can be looked at where it is.
 */
static void look_at_run(uintptr_t start, uintptr_t end, bool in_memory, const struct source *source)
{
	bool directly = scan.reads_directly ||
			(scan.still && !scan.reads_carefully && in_memory &&
			 source->backing == SCAN_ANONYMOUS && os_can_read(start) &&
			 os_can_read(end - WORD));

	while (start < end) {
		size_t bytes = min_size(end - start, PIECE_BYTES);
		size_t done = look_at_piece(start, bytes, directly, source);

		start += done;
		if (done < bytes)
			start = align_down(start, PAGE_SIZE) + PAGE_SIZE;
	}
}

static bool bit_of(const unsigned char *map, size_t i)
{
	return map[i / 8] >> i % 8 & 1;
}

static enum os_contents contents_of(const struct source *source)
{
	if (source->backing == SCAN_SEALED)
		return OS_CONTENTS_COPIES;
	return source->backing == SCAN_SHARED ? OS_CONTENTS_SHARED : OS_CONTENTS_PRIVATE;
}

/* Not too many pages at a time. Those that have no contents are passed over. */
static void look_at_pages(uintptr_t start, uintptr_t end, const struct source *source)
{
	static unsigned char map[OS_CONTENTS_MAX_PAGES / 8];
	uintptr_t first = align_down(start, PAGE_SIZE);
	size_t nr_pages = div_round_up(end - first, PAGE_SIZE);
	bool in_memory = os_pages_with_contents(scan.pagemap, first, nr_pages,
						contents_of(source), map);

	for (size_t i = 0, run; i < nr_pages; i += run) {
		for (run = 1; i + run < nr_pages && bit_of(map, i + run) == bit_of(map, i);)
			run++;
		if (bit_of(map, i))
			look_at_run(max_size(start, first + i * PAGE_SIZE),
				    min_size(end, first + (i + run) * PAGE_SIZE), in_memory,
				    source);
	}
}

static void look_at(uintptr_t start, uintptr_t end, const struct source *source)
{
	start = align_up(start, WORD);
	end = align_down(end, WORD);
	while (start < end) {
		uintptr_t next = align_down(start, PAGE_SIZE) + OS_CONTENTS_MAX_PAGES * PAGE_SIZE;

		next = min_size(end, next);
		look_at_pages(start, next, source);
		start = next;
	}
}

/* --- objects ---------------------------------------------------------------------------------- */

/* What describes a stack may lie in front of it, in the same object: libtask, minicoro. */
#define HEADER_BYTES PAGE_SIZE

/* Of a stack what is in use, and of several in one object what the lowest has. */
static uintptr_t first_word_of(const struct heap_object *object)
{
	uintptr_t first = UINTPTR_MAX;

	for (unsigned int i = 0; i < scan.nr_stacks; i++)
		if (scan.stacks[i] - object->start < object->bytes)
			first = min_size(first, align_up(scan.stacks[i], WORD));
	return first == UINTPTR_MAX ? object->start : first;
}

/*
 * What lies behind the bytes that were asked for is of who had them before: with leaks=full, when
 * malloc_usable_size does not name more.
 */
static uintptr_t end_of(const struct heap_object *object)
{
	struct leak_record record = { 0 };

	if (leak_tracking())
		record = leak_record_of(object->start);
	return object->start + (record.tid ? min_size(record.bytes, object->bytes) : object->bytes);
}

/* Small ones are certain to have frames, or nearly. */
static void look_at_part(const struct heap_object *object, uintptr_t start, uintptr_t end,
			 const struct source *source)
{
	if (object->bytes >= PIECE_BYTES || scan.reads_carefully)
		look_at(start, end, source);
	else
		look_at_words((const uintptr_t *)start, (end - start) / WORD, // NOLINT
			      start, source);
}

static void look_at_object(const struct heap_object *object, const struct source *source)
{
	uintptr_t start = object->start, in_use = first_word_of(object), end = end_of(object);

	if (is_forbidden(object))
		return;
	if (in_use > start)
		look_at_part(object, start, min_size(min_size(in_use, end), start + HEADER_BYTES),
			     source);
	if (in_use < end)
		look_at_part(object, in_use, end, source);
}

static bool next_work(struct heap_object *object)
{
	return scan.nr_work && heap_object_at(scan.work[--scan.nr_work], object);
}

static void spread(void)
{
	struct heap_object object;

	while (next_work(&object)) {
		struct source source = { .kind = kind_of(&object) };

		look_at_object(&object, &source);
	}
}

void kmemleak_scan(uintptr_t start, uintptr_t end, enum scan_backing backing)
{
	struct source source = { .kind = LEAK_REACHABLE, .backing = backing };

	look_at(start, end, &source);
	spread();
}

void kmemleak_hold(uintptr_t address, bool loaders)
{
	struct heap_object object;

	if (heap_object_at(address, &object) && (!loaders || may_be_dtv(&object, address)))
		raise(&object, loaders ? LEAK_LOADERS : LEAK_REACHABLE, 0);
	spread();
}

void kmemleak_note_stack(uintptr_t pointer)
{
	if (pointer - mm_map.base < mm_map.nr_pages * PAGE_SIZE && scan.nr_stacks < MAX_STACKS)
		scan.stacks[scan.nr_stacks++] = pointer;
}

bool kmemleak_forbid(uintptr_t start, uintptr_t end)
{
	if (scan.nr_forbidden == MAX_FORBIDDEN) {
		scan.reads_carefully = true;
		return !scan.reads_directly;
	}
	scan.forbidden[scan.nr_forbidden].start = start;
	scan.forbidden[scan.nr_forbidden++].end = end;
	return true;
}

/* --- kinds of leaks --------------------------------------------------------------------------- */

static void suppress_one(void *context, const struct heap_object *object)
{
	kmemleak_known_fn *const *is_known = context;

	if ((*is_known)(object))
		raise(object, LEAK_SUPPRESSED, 0);
	spread();
}

void kmemleak_suppress(kmemleak_known_fn *is_known)
{
	heap_objects_visit(1u << LEAK_UNREACHED | 1u << LEAK_POSSIBLE, suppress_one, &is_known);
}

/* What the object holds is lost with it, and so is what that holds. */
static void lose_all(void *unused, const struct heap_object *object)
{
	struct source source = { .kind = LEAK_DEFINITE, .owner = object->index };
	struct heap_object held = *object;

	(void)unused;
	heap_object_state[object->index] = LEAK_DEFINITE;
	scan.lost[object->index].owner = object->index;
	do
		look_at_object(&held, &source);
	while (next_work(&held));
}

int kmemleak_pagemap(void)
{
	return scan.pagemap;
}

void kmemleak_close_pagemap(void)
{
	if (scan.pagemap >= 0)
		os_close(scan.pagemap);
	scan.pagemap = -1;
}

void kmemleak_finish(void)
{
	heap_objects_visit(1u << LEAK_UNREACHED, lose_all, NULL);
	kmemleak_close_pagemap(); /* a descriptor less while the report is written */
}

struct visitor {
	kmemleak_fn *fn;
	void *context;
};

static void visit_one(void *context, const struct heap_object *object)
{
	const struct visitor *visitor = context;
	struct leak leak = { .object = *object, .kind = kind_of(object) };

	if (leak.kind == LEAK_INDIRECT)
		leak.owner = last_owner(object->index);
	leak.holder = scan.holders ? scan.holders[object->index] : 0;
	visitor->fn(visitor->context, &leak);
}

void kmemleak_visit(kmemleak_fn *fn, void *context)
{
	struct visitor visitor = { fn, context };

	heap_objects_visit(OBJECTS_LIVE, visit_one, &visitor);
}

uint32_t *kmemleak_note(uint32_t index)
{
	return &scan.lost[index].note;
}

/* --- begin and end ---------------------------------------------------------------------------- */

bool kmemleak_begin(bool keep_holders, bool still)
{
	size_t nr;
	char probe;

	memset(&scan, 0, sizeof(scan));
	private_add(&scan, sizeof(scan));
	private_add(piece, sizeof(piece));
	private_add(&mm_map, sizeof(mm_map));
	scan.still = still;
	scan.pagemap = os_open_pagemap();
	scan.reads_directly = os_read_memory((uintptr_t)&probe, piece, 1) != 1;
	nr = heap_objects_collect() ? heap_objects_count() : 0;
	scan.work = private_map(nr * MAX_PUSHES * sizeof(*scan.work));
	scan.lost = private_map(nr * sizeof(*scan.lost));
	if (keep_holders)
		scan.holders = private_map(nr * sizeof(*scan.holders));
	if (heap_object_state && scan.work && scan.lost && (scan.holders || !keep_holders))
		return true;
	kmemleak_end();
	return false;
}

void kmemleak_end(void)
{
	private_unmap(scan.work);
	private_unmap(scan.lost);
	private_unmap(scan.holders);
	kmemleak_close_pagemap();
	heap_objects_release();
}
