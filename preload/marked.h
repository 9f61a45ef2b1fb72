/*
 * marked.h - the heap as heap.h calls it: kmalloc and its family, and in builds for Valgrind
 * (CONFIG_VALGRIND=1) the same with marks for its memcheck.
 *
 * L10. In such a build every call takes the slow halves of the entry points and comes through here,
 * and goes on to the slow halves of kmalloc: a signal handler's free gives back what has waited
 * longest, of any size, and fast paths bear no interruption by another of the same size.
 *
 *	object                 requested bytes         the rest of the object, 16 bytes at least
 *	| defined by the program, or not yet          | unaddressable ...  | struct trailer |
 *
 * So an overrun is reported from the first byte behind what was asked for, and a block's size
 * is what was asked for, in malloc_usable_size, too. A dead object is unaddressable whole, and
 * waits a while before it is given out again. Objects have nothing in front of them: there the
 * trailer of their neighbour is met.
 *
 * The trailer says what lives. Frees of anything else memcheck reports, with the stacks it
 * has, and they are not carried out; without Valgrind the heap reports them itself.
 */
#ifndef PRELOAD_MARKED_H
#define PRELOAD_MARKED_H

#include <string.h>

#include "base/math.h"
#include "core/memcheck.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/owner.h"
#include "kmalloc/sized.h"

struct trailer {
	size_t bytes;	  /* asked for */
	uintptr_t proof;  /* that this is a trailer: made of the object's address and its bytes */
};

#define TRAILER_ALIVE ((uintptr_t)0x6c697665626c6f63) /* no number that programs are full of */
#define TRAILER_DEAD 0u

static __inline_always struct trailer *trailer_of(const void *object)
{
	return (struct trailer *)((uintptr_t)object + ksize(object)) - 1; // NOLINT
}

static __inline_always void trailer_write(const void *object, size_t bytes, uintptr_t seed)
{
	struct trailer *trailer = trailer_of(object);

	memcheck_quiet_begin();
	trailer->bytes = bytes;
	trailer->proof = bytes ^ (uintptr_t)object ^ seed;
	memcheck_quiet_end();
}

/* Any address. False: no live object starts there. */
static __inline_always bool marked_bytes(const void *object, size_t *bytes)
{
	const struct trailer *trailer;
	struct owner owner;
	bool lives;

	memcheck_quiet_begin(); /* it may look at what is in front of the address */
	owner = owner_of(object);
	memcheck_quiet_end();
	if (owner.kind == OWNER_FOREIGN || owner.kind == OWNER_WRONG ||
	    owner.kind == OWNER_CACHE || owner.kind == OWNER_RESERVE)
		return false;
	trailer = trailer_of(object);
	memcheck_quiet_begin();
	*bytes = trailer->bytes;
	lives = trailer->proof == (*bytes ^ (uintptr_t)object ^ TRAILER_ALIVE);
	memcheck_quiet_end();
	return lives;
}

/* Somebody else's, or an object of a kmem_cache or of the reserve, which have no trailer. */
static __inline_always bool is_unmarked(const void *object)
{
	enum owner_kind kind = owner_of(object).kind;

	return kind == OWNER_FOREIGN || kind == OWNER_CACHE || kind == OWNER_RESERVE;
}

/* What to ask the heap for; too much stays too much. */
static __inline_always size_t with_trailer(size_t bytes)
{
	return bytes > KMALLOC_MAX_BYTES ? bytes : bytes + sizeof(struct trailer);
}

/* Hand a new object, that is NULL or has with_trailer(bytes), to the program. */
static __inline_always void *mark_new(void *object, size_t bytes, bool zeroed)
{
	if (!object)
		return NULL;
	trailer_write(object, bytes, TRAILER_ALIVE);
	VALGRIND_MALLOCLIKE_BLOCK(object, bytes, 0, zeroed);
	VALGRIND_MAKE_MEM_NOACCESS((char *)object + bytes, ksize(object) - bytes);
	return object;
}

static __inline_always void *marked_zalloc(size_t bytes)
{
	void *object;

	memcheck_quiet_begin(); /* it clears what memcheck still holds for dead */
	object = kzalloc(with_trailer(bytes));
	memcheck_quiet_end();
	return mark_new(object, bytes, true);
}

/*
 * Dead objects wait here, so that a program that goes on using one is caught although others
 * are made meanwhile. Large ones would be too much memory.
 */
#define WAITING_OBJECTS 4096u
#define WAITING_MAX_BYTES KIB(64)

static __inline_always void *exchange_for_oldest(void *object)
{
	static _Atomic(void *) waiting[WAITING_OBJECTS];
	static _Atomic unsigned int next;
	unsigned int at = atomic_fetch_add_explicit(&next, 1, memory_order_relaxed);

	return atomic_exchange_explicit(&waiting[at % WAITING_OBJECTS], object,
					memory_order_acq_rel);
}

static __inline_always void marked_free(void *object)
{
	size_t bytes;
	bool lives = marked_bytes(object, &bytes);

	if (!object)
		return;
	if (is_unmarked(object)) {
		kfree_slow(object);
		return;
	}
	if (lives || running_on_valgrind())
		VALGRIND_FREELIKE_BLOCK(object, 0);
	else
		kfree_slow(object);
	if (!lives)
		return;
	trailer_write(object, bytes, TRAILER_DEAD);
	object = bytes <= WAITING_MAX_BYTES ? exchange_for_oldest(object) : object;
	if (object)
		kfree_slow(object);
}

/* From where there are no marks, so that all blocks of realloc have some. */
static __inline_always void *move_to_marked(void *object, size_t bytes)
{
	void *copy = mark_new(kmalloc_slow(with_trailer(bytes)), bytes, false);

	if (!copy)
		return NULL;
	memcpy(copy, object, min_size(ksize(object), bytes));
	kfree_slow(object);
	return copy;
}

/* Always moves: whoever keeps the old pointer is found out. */
static __inline_always void *marked_realloc(void *object, size_t bytes)
{
	size_t old_bytes;
	void *copy;

	if (!marked_bytes(object, &old_bytes)) {
		if (is_unmarked(object) && owner_of(object).kind != OWNER_FOREIGN)
			return move_to_marked(object, bytes);
		if (!running_on_valgrind() || is_unmarked(object))
			return krealloc(object, bytes);
		VALGRIND_FREELIKE_BLOCK(object, 0);
		return NULL;
	}
	copy = mark_new(kmalloc_slow(with_trailer(bytes)), bytes, false);
	if (copy) {
		memcpy(copy, object, min_size(old_bytes, bytes));
		marked_free(object);
		return copy;
	}
	if (bytes > old_bytes)
		return NULL;
	VALGRIND_RESIZEINPLACE_BLOCK(object, old_bytes, bytes, 0);
	trailer_write(object, bytes, TRAILER_ALIVE);
	return object;
}

static __inline_always size_t marked_usable(void *object)
{
	size_t bytes;

	return marked_bytes(object, &bytes) ? bytes : ksize(object);
}

/* --- what heap.h calls: the heap is up -------------------------------------------------------- */

static __inline_always void *try_alloc(size_t bytes)
{
	return CONFIG_VALGRIND ? mark_new(kmalloc_slow(with_trailer(bytes)), bytes, false) :
				 kmalloc_slow(bytes);
}

static __inline_always void *try_pages_of_own(size_t bytes)
{
	return CONFIG_VALGRIND ? mark_new(kmalloc_pages_of_own(with_trailer(bytes)), bytes,
					  false) :
				 kmalloc_pages_of_own(bytes);
}

static __inline_always void *try_zalloc(size_t bytes)
{
	return CONFIG_VALGRIND ? marked_zalloc(bytes) : kzalloc(bytes);
}

static __inline_always void *try_aligned(size_t align, size_t bytes)
{
	return CONFIG_VALGRIND ? mark_new(kmalloc_aligned(align, with_trailer(bytes)), bytes,
					  false) :
				 kmalloc_aligned(align, bytes);
}

static __inline_always void heap_free(void *object)
{
	if (CONFIG_VALGRIND)
		marked_free(object);
	else
		kfree_slow(object);
}

static __inline_always void *try_realloc(void *object, size_t bytes)
{
	return CONFIG_VALGRIND ? marked_realloc(object, bytes) : krealloc(object, bytes);
}

static __inline_always size_t heap_usable(void *object)
{
	return CONFIG_VALGRIND ? marked_usable(object) : ksize(object);
}

/* Trailers have a part in the sizes; and delete knows no more of a block than memcheck does. */
static inline void heap_check_size(const char *operation, const void *object, size_t align,
				   size_t bytes, bool may_be_resized)
{
	if (!CONFIG_VALGRIND)
		sized_free_check(operation, object, align, bytes, may_be_resized);
}

#endif
