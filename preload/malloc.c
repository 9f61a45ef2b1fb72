/*
 * malloc.c - the C entry points: malloc, free and their family, with glibc's edge semantics.
 *
 * L10. May call everything below. errno is set here and in info.c and nowhere else: ENOMEM with
 * every NULL for want of memory, EINVAL for a bad alignment; success and free leave it alone.
 * The fast paths are inline in slab/sheaf.h; malloc and free here must stay tail calls
 * without a stack frame.
 *
 * The names are declared here and not taken from libc's headers, whose attributes differ.
 *
 * Valgrind puts functions of its own in place of ours by their addresses, of those that it knows.
 * So entry points that it may not know call those that it does (__replaceable).
 */
#include <errno.h>
#include <string.h>

#include "base/math.h"
#include "core/params.h"
#include "debug/fault_inject.h"
#include "debug/leak_sample.h"
#include "debug/leak_track.h"
#include "debug/stack_name.h"
#include "entry.h"
#include "heap.h"
#include "init/mm_init.h"
#include "kmalloc/kmalloc.h"
#include "os/os.h"
#include "slab/slab.h"

void *ENTRY(malloc)(size_t bytes);
void ENTRY(free)(void *object);
void *ENTRY(calloc)(size_t count, size_t bytes);
void *ENTRY(realloc)(void *object, size_t bytes);
void *ENTRY(reallocarray)(void *object, size_t count, size_t bytes);
int ENTRY(posix_memalign)(void **object, size_t align, size_t bytes);
void *ENTRY(aligned_alloc)(size_t align, size_t bytes);
void *ENTRY(memalign)(size_t align, size_t bytes);
void *ENTRY(valloc)(size_t bytes);
void *ENTRY(pvalloc)(size_t bytes);
size_t ENTRY(malloc_usable_size)(void *object);
void ENTRY(cfree)(void *object);
void ENTRY(free_sized)(void *object, size_t bytes);
void ENTRY(free_aligned_sized)(void *object, size_t align, size_t bytes);

/* Calls are calls, to the one address that the name has. */
#define __replaceable __visible __attribute__((noinline))

static void *no_memory(void)
{
	errno = ENOMEM;
	return NULL;
}

static inline void *slow_result(void *object)
{
	background_consider();
	relief_consider(STITCH_GFP_KERNEL);
	return likely(object) ? object : no_memory();
}

/* Of a thread that had no slot of its own. */
static inline void *first_result(void *object)
{
	thread_settle(false);
	return slow_result(object);
}

/*
 * leaks=full: no thread ever has a slot, so that every allocation comes by here. Inlined, so that
 * stacks begin with the caller's name.
 */
static __inline_always void *note_object(void *object, size_t bytes)
{
	if (object)
		leak_track(object, bytes);
	return slow_result(object);
}

/* What is left in a block of who had it before would hold other blocks. */
static inline void *heap_new(size_t bytes)
{
	return heap_zalloc(leak_padded(bytes));
}

/*
 * leaks=sample: every allocation comes by here, and is counted. One of the sample has pages of its
 * own, so that nobody need look for it at free.
 */
static __inline_always void *note_sample(void *object, size_t bytes, bool hit, bool had_slot)
{
	thread_settle(had_slot);
	if (hit && object)
		leak_track(object, bytes);
	return slow_result(object);
}

/*
 * Small ones of the sample: the others of it have pages of their own anyhow. Where there are none
 * left, there may be a small block still: that is not of the sample.
 */
static bool wants_pages(size_t bytes, bool hit)
{
	return hit && bytes <= SIZE_CLASS_MAX_BYTES;
}

static __slow void *malloc_sampled(size_t bytes, bool hit)
{
	bool had_slot = mm_thread_has_slot(), small = wants_pages(bytes, hit);
	void *object = small ? heap_pages_of_own(bytes) : NULL;

	if (!object) {
		object = heap_alloc(bytes);
		hit = hit && !small;
	}
	return note_sample(object, bytes, hit, had_slot);
}
STACK_NAME(malloc_sampled, "malloc");

/* The fast path of leaks=sample, for a block that is counted. NULL: nothing in the sheaf. */
static __inline_always void *counted_pop(size_t bytes)
{
	return CONFIG_VALGRIND ? NULL : sheaf_pop(current_slot, size_class_of(bytes));
}

/* Calls without a frame, as a fast path. */
static __slow void *malloc_passing(size_t bytes)
{
	return malloc_sampled(bytes, leak_sample_draw());
}

static __slow void *malloc_counted_large(size_t bytes)
{
	return malloc_sampled(bytes, leak_sample_hits(bytes));
}

static __attribute__((noinline, hot)) void *malloc_counted(size_t bytes)
{
	void *object;

	if (unlikely(bytes > SIZE_CLASS_MAX_BYTES))
		return malloc_counted_large(bytes);
	if (leak_sample_passes(bytes))
		return malloc_passing(bytes);
	object = counted_pop(bytes);
	return likely(object) ? object : malloc_sampled(bytes, false);
}

static __slow void *calloc_sampled(size_t bytes, bool hit)
{
	bool had_slot = mm_thread_has_slot(), small = wants_pages(bytes, hit);
	void *object = small ? heap_pages_of_own(bytes) : NULL;

	if (object) {
		memset(object, 0, bytes);
	} else {
		object = heap_zalloc(bytes);
		hit = hit && !small;
	}
	return note_sample(object, bytes, hit, had_slot);
}
STACK_NAME(calloc_sampled, "calloc");

static __attribute__((noinline, hot)) void *calloc_counted(size_t bytes)
{
	bool passed = leak_sample_passes(bytes);
	void *object = likely(!passed && bytes <= SIZE_CLASS_MAX_BYTES) ? counted_pop(bytes) : NULL;

	return likely(object) ? memset(object, 0, bytes) :
				calloc_sampled(bytes, passed && leak_sample_draw());
}

static __slow void *memalign_sampled(size_t align, size_t bytes)
{
	bool had_slot = mm_thread_has_slot(), hit = leak_sample_hits(bytes);
	bool small = wants_pages(bytes, hit) && align <= OS_PAGE_SIZE;
	void *object = small ? heap_pages_of_own(bytes) : NULL;

	if (!object) {
		object = heap_aligned(align, bytes);
		hit = hit && !small;
	}
	return note_sample(object, bytes, hit, had_slot);
}
STACK_NAME(memalign_sampled, "memalign");

/* A new object, of the sample, in place of the old one. NULL: there are no pages. */
static void *realloc_to_sample(void *object, size_t bytes)
{
	void *copy = heap_pages_of_own(bytes);

	if (!copy)
		return NULL;
	memcpy(copy, object, min_size(heap_usable(object), bytes));
	heap_free(object);
	return copy;
}

static bool is_known(const void *object)
{
	enum owner_kind kind = owner_of(object).kind;

	return kind != OWNER_FOREIGN && kind != OWNER_WRONG;
}

static __slow void *realloc_sampled(void *object, size_t bytes)
{
	bool had_slot = mm_thread_has_slot(), hit = leak_sample_hits(bytes);
	struct leak_record before = leak_profiling() ? leak_track_end(object) :
						     (struct leak_record){ 0 };
	bool small = wants_pages(bytes, hit) && is_known(object);
	void *resized = small ? realloc_to_sample(object, bytes) : NULL;

	if (!resized) {
		resized = heap_realloc(object, bytes);
		hit = hit && !small;
	}
	if (!resized)
		leak_track_again(object, before);
	else if (!hit)
		leak_untrack(resized); /* it may have stayed where it was */
	return note_sample(resized, bytes, hit, had_slot);
}
STACK_NAME(realloc_sampled, "realloc");

static __inline_always bool fails(const char *who, size_t bytes)
{
	return fault_inject(who, bytes, STITCH_GFP_KERNEL);
}

static __slow void *malloc_slow(size_t bytes)
{
	if (likely(mm_thread_has_slot()))
		return slow_result(heap_alloc(bytes));
	return first_result(heap_alloc(bytes));
}

/* The fast path, which fault injection has shut for all. */
static __inline_always void *pop_after_all(size_t bytes)
{
	return CONFIG_VALGRIND ? NULL : sheaf_alloc(bytes);
}

static __slow void *malloc_detour(size_t bytes)
{
	void *object;

	if (!heap_ready())
		return heapless_malloc(bytes);
	if (fails("malloc()", bytes))
		return no_memory();
	if (leak_sampling())
		return malloc_counted(bytes);
	if (leak_tracking())
		return note_object(heap_new(bytes), bytes);
	object = pop_after_all(bytes);
	return likely(object) ? object : malloc_slow(bytes);
}
STACK_NAME(malloc_detour, "malloc");

/* Without a frame, for the sake of those that are counted. */
__attribute__((noinline)) void *malloc_miss(size_t bytes)
{
	unsigned int detours = mm_detours_now();

	if (likely(!detours))
		return malloc_slow(bytes);
	return mm_only_sample(detours) ? malloc_counted(bytes) : malloc_detour(bytes);
}

static __slow void *calloc_slow(size_t bytes)
{
	if (likely(mm_thread_has_slot()))
		return slow_result(heap_zalloc(bytes));
	return first_result(heap_zalloc(bytes));
}

static __slow void *calloc_detour(size_t bytes)
{
	void *object;

	if (!heap_ready())
		return heapless_calloc(bytes);
	if (fails("calloc()", bytes))
		return no_memory();
	if (leak_sampling())
		return calloc_counted(bytes);
	if (leak_tracking())
		return note_object(heap_new(bytes), bytes);
	object = pop_after_all(bytes);
	return likely(object) ? memset(object, 0, bytes) : calloc_slow(bytes);
}
STACK_NAME(calloc_detour, "calloc");

static __attribute__((noinline)) void *calloc_miss(size_t bytes)
{
	if (likely(!mm_has_detours()))
		return calloc_slow(bytes);
	return mm_only_sample(mm_detours_now()) ? calloc_counted(bytes) : calloc_detour(bytes);
}

static void *memalign_plain(size_t align, size_t bytes)
{
	if (likely(mm_thread_has_slot()))
		return slow_result(heap_aligned(align, bytes));
	return first_result(heap_aligned(align, bytes));
}

static __slow void *memalign_detour(size_t align, size_t bytes)
{
	if (!heap_ready())
		return heapless_memalign(align, bytes);
	if (fails("memalign()", bytes))
		return no_memory();
	if (leak_sampling())
		return memalign_sampled(align, bytes);
	if (leak_tracking())
		return note_object(heap_aligned(align, leak_padded(bytes)), bytes);
	return memalign_plain(align, bytes);
}
STACK_NAME(memalign_detour, "memalign");

/* align: a power of two. Not inlined: cold parts of the callers would have no STACK_NAME. */
__attribute__((noinline)) void *memalign_slow(size_t align, size_t bytes)
{
	return likely(!mm_has_detours()) ? memalign_plain(align, bytes) :
					   memalign_detour(align, bytes);
}

static void free_and_settle(void *object)
{
	bool had_slot = mm_thread_has_slot();

	heap_free(object);
	thread_settle(had_slot);
}

/* Without a heap a pointer can only be somebody else's. */
static __slow void free_detour(void *object)
{
	if (!heap_ready()) {
		heapless_free(object);
		return;
	}
	if (leak_profiling())
		leak_track_end(object);
	free_and_settle(object);
}

__slow void free_slow(void *object)
{
	if (likely(slot_frees_unseen()))
		heap_free(object);
	else if (!object)
		return;
	else if (unlikely(mm_has_detours()))
		free_detour(object);
	else
		free_and_settle(object);
}

/* As heap_new for what a block grows by, unless that is so much that it may never be touched. */
#define CLEARED_MAX_BYTES KIB(256)

static __slow void *realloc_tracked(void *object, size_t bytes)
{
	size_t old_bytes = leak_usable(object, heap_usable(object));
	struct leak_record before = leak_profiling() ? leak_track_end(object) :
						     (struct leak_record){ 0 };
	char *resized = heap_realloc(object, leak_padded(bytes));

	if (!resized)
		leak_track_again(object, before);
	if (resized && bytes > old_bytes && bytes - old_bytes <= CLEARED_MAX_BYTES)
		memset(resized + old_bytes, 0, bytes - old_bytes);
	return resized;
}

/* What shrinks does not fail. */
static __slow bool realloc_fails(void *object, size_t bytes)
{
	return (!is_known(object) || bytes > heap_usable(object)) && fails("realloc()", bytes);
}

static void *realloc_plain(void *object, size_t bytes)
{
	if (likely(mm_thread_has_slot()))
		return slow_result(heap_realloc(object, bytes));
	return first_result(heap_realloc(object, bytes));
}

static __slow void *realloc_detour(void *object, size_t bytes)
{
	if (!heap_ready())
		return heapless_realloc(object, bytes);
	if (unlikely(fault_injecting) && realloc_fails(object, bytes))
		return no_memory();
	if (leak_sampling())
		return realloc_sampled(object, bytes);
	if (leak_tracking())
		return note_object(realloc_tracked(object, bytes), bytes);
	return realloc_plain(object, bytes);
}
STACK_NAME(realloc_detour, "realloc");

static void *realloc_slow(void *object, size_t bytes)
{
	return likely(!mm_has_detours()) ? realloc_plain(object, bytes) :
					   realloc_detour(object, bytes);
}

__visible void *ENTRY(malloc)(size_t bytes)
{
	return malloc_inline(bytes);
}

__replaceable void ENTRY(free)(void *object)
{
	free_inline(object);
}

__visible void *ENTRY(calloc)(size_t count, size_t bytes)
{
	size_t total;
	void *object;

	if (unlikely(__builtin_mul_overflow(count, bytes, &total)))
		return no_memory();
	object = malloc_fast(total);
	if (unlikely(!object))
		return calloc_miss(total);
	return memset(object, 0, total);
}

__replaceable void *ENTRY(realloc)(void *object, size_t bytes)
{
	if (!object)
		return malloc_inline(bytes);
	if (likely(bytes))
		return realloc_slow(object, bytes);
	free_inline(object);
	return NULL;
}

__visible void *ENTRY(reallocarray)(void *object, size_t count, size_t bytes)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(count, bytes, &total)))
		return no_memory();
	return ENTRY(realloc)(object, total);
}

/* The result comes by value and *object stays untouched on failure; errno as glibc leaves it. */
static int own_posix_memalign(void **object, size_t align, size_t bytes)
{
	void *result;

	if (!is_power_of_two(align) || align % sizeof(void *))
		return EINVAL;
	result = memalign_slow(align, bytes);
	if (!result)
		return ENOMEM;
	*object = result;
	return 0;
}
STACK_NAME(own_posix_memalign, "posix_memalign");
__visible __attribute__((alias("own_posix_memalign"))) int
ENTRY(posix_memalign)(void **object, size_t align, size_t bytes);

__visible void *ENTRY(aligned_alloc)(size_t align, size_t bytes)
{
	if (is_power_of_two(align))
		return memalign_slow(align, bytes);
	errno = EINVAL;
	return NULL;
}

/* Unlike the younger functions takes any alignment and rounds it up to a power of two. */
__replaceable void *ENTRY(memalign)(size_t align, size_t bytes)
{
	if (likely(align <= SIZE_MAX / 2 + 1))
		return memalign_slow(roundup_pow_of_two(align), bytes);
	errno = EINVAL;
	return NULL;
}

__visible void *ENTRY(valloc)(size_t bytes)
{
	return memalign_slow(OS_PAGE_SIZE, bytes);
}

/* Whole pages, and at least one. */
__visible void *ENTRY(pvalloc)(size_t bytes)
{
	if (unlikely(bytes > KMALLOC_MAX_BYTES))
		return no_memory();
	return ENTRY(memalign)(OS_PAGE_SIZE, align_up(max_size(bytes, 1), OS_PAGE_SIZE));
}

static __slow size_t usable_detour(void *object)
{
	if (!heap_ready())
		return heapless_usable(object);
	return leak_usable(object, heap_usable(object));
}

static __slow size_t usable_slow(void *object)
{
	if (!object)
		return 0;
	return likely(!mm_has_detours()) ? heap_usable(object) : usable_detour(object);
}

/* Of an object of a slab; 0 for what is none, or free. */
static __inline_always size_t usable_fast(const void *object)
{
	size_t pfn = object_to_pfn(object);
	uint32_t entry;

	if (CONFIG_VALGRIND || mm_has_detours() || unlikely(pfn >= mm_map.nr_pages))
		return 0;
	entry = pagemap_read(pfn);
	if (unlikely(!pagemap_is_slab(entry)) || unlikely(sheaf_top_is(entry, object)) ||
	    unlikely(slab_place_of(pfn_to_page(pfn), pagemap_class(entry), object) != SLAB_TAKEN))
		return 0;
	return size_classes[pagemap_class(entry)].size;
}

/* Some programs ask at every malloc and free of theirs. */
__visible size_t ENTRY(malloc_usable_size)(void *object)
{
	size_t bytes = usable_fast(object);

	return likely(bytes) ? bytes : usable_slow(object);
}

__visible void ENTRY(cfree)(void *object)
{
	ENTRY(free)(object);
}

static __slow void free_sized_slow(void *object, size_t bytes)
{
	if (params.hardened)
		heap_check_size("free_sized()", object, 0, bytes, true);
	ENTRY(free)(object);
}

static __slow void free_aligned_sized_slow(void *object, size_t align, size_t bytes)
{
	if (params.hardened)
		heap_check_size("free_aligned_sized()", object, align, bytes, false);
	ENTRY(free)(object);
}

/*
 * C23. The sizes are the program's word about its own block, which we need not take: only
 * in hardened mode, in which the fast path finds nothing to do, are they looked at.
 */
__visible void ENTRY(free_sized)(void *object, size_t bytes)
{
	if (unlikely(!free_fast(object)))
		free_sized_slow(object, bytes);
}

__visible void ENTRY(free_aligned_sized)(void *object, size_t align, size_t bytes)
{
	if (unlikely(!free_fast(object)))
		free_aligned_sized_slow(object, align, bytes);
}

#if !STITCH_PREFIX
/* glibc's second names: programs that call them would otherwise mix two heaps. */
#define SECOND_NAME(of) __visible __attribute__((alias(#of)))
SECOND_NAME(malloc) void *__libc_malloc(size_t bytes);
SECOND_NAME(free) void __libc_free(void *object);
SECOND_NAME(calloc) void *__libc_calloc(size_t count, size_t bytes);
SECOND_NAME(realloc) void *__libc_realloc(void *object, size_t bytes);
SECOND_NAME(memalign) void *__libc_memalign(size_t align, size_t bytes);
SECOND_NAME(valloc) void *__libc_valloc(size_t bytes);
SECOND_NAME(pvalloc) void *__libc_pvalloc(size_t bytes);
SECOND_NAME(cfree) void __libc_cfree(void *object);
SECOND_NAME(posix_memalign) int __posix_memalign(void **object, size_t align, size_t bytes);
#endif
