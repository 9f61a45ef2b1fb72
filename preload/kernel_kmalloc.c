/*
 * kernel_kmalloc.c - the public functions of include/stitch/gfp.h, and those of slab.h for kmalloc.
 *
 * L10. With STITCH__GFP_DIRECT_RECLAIM all memory is malloc's, by malloc's own paths, so that
 * leak reports, samples and hardened=1 see it. Without, nothing below reserve_alloc() is touched.
 */
#include <errno.h>
#include <string.h>

#include "debug/alloc_failure.h"
#include "debug/fault_inject.h"
#include "debug/leak_track.h"
#include "debug/stack_name.h"
#include "entry.h"
#include "heap.h"
#include "kmalloc/gate.h"
#include "kmalloc/gfp.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "kmalloc/zonelist.h"
#include "os/os.h"
#include "stitch/mm.h"
#include "stitch/slab.h"

/* malloc.c, where they are declared for the same reason. */
void *ENTRY(calloc)(size_t count, size_t bytes);
void *ENTRY(realloc)(void *object, size_t bytes);
size_t ENTRY(malloc_usable_size)(void *object);

/* --- gfp.h ----------------------------------------------------------------------------------- */

__visible int stitch_reserve_fill(size_t bytes)
{
	gate_pass *pass;
	bool filled;

	if (!heap_ready()) {
		errno = ENOSYS;
		return -1;
	}
	pass = gate_enter_patiently();
	filled = pass && reserve_fill(bytes);
	if (pass)
		gate_leave(pass);
	if (filled)
		return 0;
	errno = ENOMEM;
	return -1;
}

__visible unsigned int stitch_memalloc_noreclaim_save(void)
{
	unsigned int before = gfp_scope;

	gfp_scope |= GFP_SCOPE_NORECLAIM;
	return before;
}

__visible void stitch_memalloc_noreclaim_restore(unsigned int flags)
{
	gfp_scope = (uint8_t)flags;
}

/* --- kmalloc --------------------------------------------------------------------------------- */

static bool is_no_memory(const void *object)
{
	return !object || object == STITCH_ZERO_SIZE_PTR;
}

/* The largest power of two that divides the size, between what malloc gives and a page. */
static __inline_always size_t natural_align(size_t bytes)
{
	size_t align = bytes & -bytes;

	return min_size(max_size(align, KMALLOC_MIN_ALIGN), OS_PAGE_SIZE);
}

/*
 * malloc gives it by itself: the class of the size has it. A leak check (padded) and Valgrind ask
 * for more bytes than were asked for.
 */
static __inline_always bool malloc_is_natural(size_t bytes, bool padded)
{
	if (bytes > SIZE_CLASS_MAX_BYTES || natural_align(bytes) == KMALLOC_MIN_ALIGN)
		return true;
	return !padded && !CONFIG_VALGRIND &&
	       size_class_align(&size_classes[size_class_of(bytes)]) >= natural_align(bytes);
}

/*
 * Objects that are asked for as zero are so to their end, as the kernel's: krealloc, which may give
 * what is behind the bytes of before, finds nothing there. To the end of the object: ksize is about
 * the bytes that were asked for, where these are recorded, or somebody's who had it before.
 */
static void *zero_from(void *object, size_t first)
{
	size_t end = heap_ready() ? heap_usable(object) : stitch_ksize(object);

	if (end > first)
		memset((char *)object + first, 0, end - first);
	return object;
}

static void *zeroed(void *object, stitch_gfp_t flags)
{
	return object && (flags & STITCH__GFP_ZERO) ? zero_from(object, 0) : object;
}

static void *alloc_reserved(size_t bytes, stitch_gfp_t flags)
{
	return zeroed(gfp_alloc_reserved(bytes, natural_align(bytes), flags), flags);
}

/* Who may not wait, malloc's errno apart. */
static __slow void *alloc_atomic(size_t bytes, stitch_gfp_t flags)
{
	void *object = alloc_reserved(bytes, flags);

	if (!object)
		errno = ENOMEM;
	return object;
}

/* What malloc gave while another thread forks is aligned to no more than 16 bytes. */
static void *aligned_or_other(void *object, size_t bytes)
{
	if (likely(is_aligned((uintptr_t)object, natural_align(bytes))))
		return object;
	free_inline(object);
	return memalign_slow(natural_align(bytes), bytes);
}

/* calloc knows what is zero already and leaves it alone: the rest of a last page is its, too. */
static __inline_always void *calloc_whole(size_t bytes, bool padded)
{
	void *object;

	if (!padded && !CONFIG_VALGRIND)
		return ENTRY(calloc)(1, stitch_kmalloc_size_roundup(bytes));
	object = ENTRY(calloc)(1, bytes);
	return object ? zero_from(object, bytes) : NULL;
}

static __inline_always void *alloc_once(size_t bytes, stitch_gfp_t flags, bool padded)
{
	void *object;

	if (!malloc_is_natural(bytes, padded))
		return zeroed(memalign_slow(natural_align(bytes), bytes), flags);
	if (!(flags & STITCH__GFP_ZERO))
		return aligned_or_other(malloc_inline(bytes), bytes);
	object = calloc_whole(bytes, padded);
	if (likely(is_aligned((uintptr_t)object, natural_align(bytes))))
		return object;
	return zeroed(aligned_or_other(object, bytes), flags);
}

/* malloc would call shrinkers as for GFP_KERNEL; alloc_harder does as the flags have it. */
static __inline_always void *alloc_without_shrinkers(size_t bytes, stitch_gfp_t flags, bool padded)
{
	uint8_t scope = gfp_scope;
	void *object;

	if (likely(!heap_has_more()))
		return alloc_once(bytes, flags, padded);
	gfp_scope = scope | GFP_SCOPE_NO_SHRINKERS;
	object = alloc_once(bytes, flags, padded);
	gfp_scope = scope;
	return object;
}

/* The heap has nothing. */
static void *alloc_elsewhere(size_t bytes, stitch_gfp_t flags)
{
	void *object = zonelist_fall_back(bytes, natural_align(bytes), flags);

	if (!object)
		object = alloc_reserved(bytes, flags);
	if (leak_has_stacks() && object)
		leak_untrack(object);
	return object;
}

/* The first attempt has failed. */
static __slow void *alloc_harder(size_t bytes, stitch_gfp_t flags, int saved_errno)
{
	unsigned int nr_tries = 0;
	void *object;

	if (!heap_ready())
		return NULL;
	do {
		object = alloc_elsewhere(bytes, flags);
		if (!object && nr_tries)
			object = alloc_without_shrinkers(bytes, flags, leak_tracking());
	} while (!object && gfp_try_harder(flags, bytes, &nr_tries));
	if (object)
		errno = saved_errno;
	else
		alloc_failure_report("kmalloc()", flags, stitch_get_order(bytes));
	return object;
}

static __inline_always void *alloc_patiently(size_t bytes, stitch_gfp_t flags, bool padded)
{
	int saved_errno = errno;
	void *object = alloc_without_shrinkers(bytes, flags, padded);

	if (unlikely(!object))
		return alloc_harder(bytes, flags, saved_errno);
	gfp_fill_reserve();
	relief_consider(flags);
	return object;
}

static __slow void *alloc_lowmem(size_t bytes, stitch_gfp_t flags)
{
	void *object = zonelist_alloc(bytes, natural_align(bytes), flags);

	if (!object) {
		errno = ENOMEM;
		if (gfp_may_wait(flags))
			alloc_failure_report("kmalloc()", flags, stitch_get_order(bytes));
	}
	return object;
}

/* No malloc has anything to do with it. */
static bool is_aside(stitch_gfp_t flags)
{
	return unlikely(flags & GFP_LOWMEM) || !gfp_may_wait(flags);
}

static void *alloc_aside(size_t bytes, stitch_gfp_t flags)
{
	return unlikely(flags & GFP_LOWMEM) ? alloc_lowmem(bytes, flags) :
					      alloc_atomic(bytes, flags);
}

static __slow void *alloc_detour(size_t bytes, stitch_gfp_t flags)
{
	bool padded = leak_tracking();
	unsigned int faults;
	void *object;

	if (fault_inject("kmalloc()", bytes, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	if (is_aside(flags)) {
		object = alloc_aside(bytes, flags);
		/* No stack, perhaps in a signal handler; whose the record was is over. */
		if (leak_has_stacks() && object)
			leak_untrack(object);
		return object;
	}
	faults = fault_inject_pause();
	OPTIMIZER_HIDE_VAR(padded); /* alloc_slow is to be compiled alike with and without leaks */
	object = alloc_patiently(bytes, flags, padded);
	if (leak_sampling() && object && (flags & STITCH__GFP_ZERO))
		zero_from(object, bytes); /* those of the sample have whole pages */
	fault_inject_resume(faults);
	return object;
}
STACK_NAME(alloc_detour, "stitch_kmalloc");

static __slow void *alloc_slow(size_t bytes, stitch_gfp_t flags)
{
	if (!bytes)
		return STITCH_ZERO_SIZE_PTR;
	if (bytes > STITCH_KMALLOC_MAX_SIZE || gfp_is_refused(flags, STITCH__GFP_HIGHMEM)) {
		errno = ENOMEM;
		return NULL;
	}
	if (unlikely(mm_has_detours()))
		return alloc_detour(bytes, flags);
	return is_aside(flags) ? alloc_aside(bytes, flags) : alloc_patiently(bytes, flags, false);
}

__visible void *stitch_kmalloc(size_t bytes, stitch_gfp_t flags)
{
	bool may_hit = gfp_is_plain(flags) && bytes && malloc_is_natural(bytes, false);
	void *object = likely(may_hit) ? malloc_fast(bytes) : NULL;

	return likely(object) ? object : alloc_slow(bytes, flags);
}

__visible void *stitch_kzalloc(size_t bytes, stitch_gfp_t flags)
{
	bool may_hit = gfp_is_plain(flags) && bytes && malloc_is_natural(bytes, false);
	void *object = likely(may_hit) ? malloc_fast(bytes) : NULL;

	return likely(object) ? memset(object, 0, size_classes[size_class_of(bytes)].size) :
				alloc_slow(bytes, flags | STITCH__GFP_ZERO);
}

static void *alloc_array(size_t count, size_t bytes, stitch_gfp_t flags)
{
	size_t total;

	if (unlikely(__builtin_mul_overflow(count, bytes, &total))) {
		errno = ENOMEM;
		return NULL;
	}
	return stitch_kmalloc(total, flags);
}

__visible void *stitch_kmalloc_array(size_t count, size_t bytes, stitch_gfp_t flags)
{
	return alloc_array(count, bytes, flags);
}

__visible void *stitch_kcalloc(size_t count, size_t bytes, stitch_gfp_t flags)
{
	return alloc_array(count, bytes, flags | STITCH__GFP_ZERO);
}

/* The program's promise not to write to what it frees is no business of ours. */
static void *writable(const void *object)
{
	return (void *)(uintptr_t)object; // NOLINT
}

__visible void stitch_kfree(const void *object)
{
	if (object != STITCH_ZERO_SIZE_PTR)
		free_inline(writable(object));
}

__visible size_t stitch_ksize(const void *object)
{
	return is_no_memory(object) ? 0 : ENTRY(malloc_usable_size)(writable(object));
}

__visible void stitch_kfree_sensitive(const void *object)
{
	if (is_no_memory(object))
		return;
	memset(writable(object), 0, stitch_ksize(object));
	__asm__ volatile("" : : "r"(object) : "memory"); /* for the compiler: somebody reads it */
	stitch_kfree(object);
}

/* Not in place: for who may not wait, and where more than malloc's alignment was promised. */
static void *copy_to_new(const void *object, size_t bytes, stitch_gfp_t flags)
{
	size_t old_bytes = stitch_ksize(object);
	void *copy = stitch_kmalloc(bytes, flags);

	if (copy) {
		memcpy(copy, object, min_size(old_bytes, bytes));
		stitch_kfree(object);
	}
	return copy;
}

/* As aligned_or_other; what has been resized is not lost when there is no other. */
static void *realigned(void *object, size_t bytes, stitch_gfp_t flags)
{
	void *copy;

	if (likely(is_aligned((uintptr_t)object, natural_align(bytes))))
		return object;
	copy = copy_to_new(object, bytes, flags);
	return copy ? copy : object;
}

/* By malloc's means, which need not copy. */
static void *resize(void *object, size_t bytes, stitch_gfp_t flags)
{
	unsigned int faults;
	void *resized;

	if (fault_inject("krealloc()", bytes, flags)) {
		errno = ENOMEM;
		return NULL;
	}
	faults = fault_inject_pause();
	resized = ENTRY(realloc)(object, bytes);
	fault_inject_resume(faults);
	return resized ? realigned(resized, bytes, flags) : NULL;
}

__visible void *stitch_krealloc(void *object, size_t bytes, stitch_gfp_t flags)
{
	size_t old_bytes;
	void *resized;

	if (is_no_memory(object))
		return stitch_kmalloc(bytes, flags);
	if (!bytes) {
		stitch_kfree(object);
		return STITCH_ZERO_SIZE_PTR;
	}
	old_bytes = stitch_ksize(object);
	if (bytes <= old_bytes && bytes >= old_bytes / 2)
		resized = object;
	else if (!gfp_may_wait(flags) || bytes <= SIZE_CLASS_MAX_BYTES || flags & GFP_ZONES)
		resized = copy_to_new(object, bytes, flags);
	else
		resized = resize(object, bytes, flags);
	if (resized && (flags & STITCH__GFP_ZERO))
		zero_from(resized, min_size(old_bytes, bytes));
	return resized;
}

/* What the first size class with their alignment gives; pages, if these are fewer bytes. */
static size_t class_bytes(size_t bytes)
{
	unsigned int class = size_class_of_aligned(natural_align(bytes), bytes);

	if (!bytes)
		return 0;
	return class < NR_SIZE_CLASSES ? size_classes[class].size : align_up(bytes, OS_PAGE_SIZE);
}

__visible size_t stitch_kmalloc_size_roundup(size_t bytes)
{
	if (bytes > KMALLOC_MAX_BYTES)
		return bytes; /* the request fails in any case */
	return bytes > SIZE_CLASS_MAX_BYTES ? align_up(bytes, OS_PAGE_SIZE) : class_bytes(bytes);
}

/* --- copies ---------------------------------------------------------------------------------- */

__visible void *stitch_kmemdup(const void *source, size_t bytes, stitch_gfp_t flags)
{
	void *copy = source ? stitch_kmalloc(bytes, flags) : NULL;

	return is_no_memory(copy) ? copy : memcpy(copy, source, bytes);
}

__visible char *stitch_kstrndup(const char *text, size_t max_bytes, stitch_gfp_t flags)
{
	size_t bytes = text ? strnlen(text, max_bytes) : 0;
	char *copy = text ? stitch_kmalloc(bytes + 1, flags) : NULL;

	if (!copy)
		return NULL;
	copy[bytes] = '\0';
	return memcpy(copy, text, bytes);
}

__visible char *stitch_kstrdup(const char *text, stitch_gfp_t flags)
{
	return stitch_kmemdup(text, text ? strlen(text) + 1 : 0, flags);
}

/* --- kvmalloc -------------------------------------------------------------------------------- */

__visible void *stitch_kvmalloc(size_t bytes, stitch_gfp_t flags)
{
	return stitch_kmalloc(bytes, flags);
}

__visible void *stitch_kvzalloc(size_t bytes, stitch_gfp_t flags)
{
	return stitch_kzalloc(bytes, flags);
}

__visible void *stitch_kvcalloc(size_t count, size_t bytes, stitch_gfp_t flags)
{
	return alloc_array(count, bytes, flags | STITCH__GFP_ZERO);
}

__visible void stitch_kvfree(const void *object)
{
	stitch_kfree(object);
}
