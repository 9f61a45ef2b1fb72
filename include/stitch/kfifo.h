/*
 * kfifo.h - a ring of elements of one type (include/linux/kfifo.h, lib/kfifo.c).
 *
 *	static STITCH_DEFINE_KFIFO(samples, struct sample, 64);
 *	if (!stitch_kfifo_put(&samples, sample)) ...	full
 *	while (stitch_kfifo_get(&samples, &sample)) ...
 *
 * One thread, or signal handler, may put elements in while another takes some out: no lock is
 * needed, nobody waits, and what was put in is seen whole. Two that put in, or two that take out,
 * need a lock among them. Whoever puts in is the only one to call put, in; whoever takes out the
 * only one to call get, out, peek, out_peek, out_linear, skip, reset_out. Both and others may ask
 * len, avail, empty, full, size: of some moment. The rest is for when nobody else uses the ring.
 * Nothing but alloc and free calls anything.
 *
 * The functions are macros: fifo is a pointer to what one of the first macros has declared; its
 * element type is checked. Each is the kernel's of the same name without stitch_. Numbers are
 * elements unless they are called bytes. Not here: records of changing length, scatter lists and
 * the variants with a spin lock.
 *
 * In the kernel's first rings elements were bytes, and put and get what in and out are now. Unlike
 * the kernel's struct kfifo, whose buffers are void *, one of bytes takes unsigned char * only.
 *
 * reset, avail, is_full, validate and INIT_KFIFO evaluate fifo more than once.
 *
 * Invariants (stitch_kfifo_validate): size is a power of two from 2 to 2^31, or 0 while there is no
 * memory; in and out count all elements ever, modulo 2^32; 0 <= in - out <= size; element number n
 * is at data[n % size].
 */
#ifndef STITCH_KFIFO_H
#define STITCH_KFIFO_H

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "stitch/slab.h"

/*
 * --- declarations ------------------------------------------------------------------------------
 */

/* in: written by who puts in; out: by who takes out. Kernel: struct __kfifo. */
struct stitch_kfifo_core {
	unsigned int in, out;
	unsigned int size;
};

/* A ring of bytes whose memory is given by init or alloc. Kernel: struct kfifo. */
struct stitch_kfifo {
	struct stitch_kfifo_core core;
	unsigned char *data;
	__extension__ unsigned char buf[0];
};

/* A ring that has its memory, `nr` elements, a power of two, in itself. To be initialised. */
#define STITCH_DECLARE_KFIFO(name, type, nr) \
	struct { \
		struct stitch_kfifo_core core; \
		__typeof__(type) *data; \
		__typeof__(type) buf[(nr) < 2 || ((nr) & ((nr) - 1)) ? -1 : (nr)]; \
	} name
/* One whose memory is given by init or alloc. To be initialised: by them, or INIT_KFIFO. */
#define STITCH_DECLARE_KFIFO_PTR(name, type) \
	struct { \
		struct stitch_kfifo_core core; \
		__typeof__(type) *data; \
		__extension__ __typeof__(type) buf[0]; \
	} name

/* DECLARE_KFIFO, initialised. */
#ifdef __cplusplus
#define STITCH_KFIFO_INIT(name, nr) { { 0, 0, (nr) }, (name).buf, {} }
#else
#define STITCH_KFIFO_INIT(name, nr) { .core = { 0, 0, (nr) }, .data = (name).buf }
#endif
#define STITCH_DEFINE_KFIFO(name, type, nr) \
	STITCH_DECLARE_KFIFO(name, type, nr) = STITCH_KFIFO_INIT(name, nr)

#define STITCH_KFIFO_IS_PTR(fifo) (sizeof((fifo)->buf) == 0)
/* An address as a pointer to elements of the ring. */
#define STITCH_KFIFO_DATA(fifo, address) ((__typeof__((fifo)->data))(void *)(address))

/* Empty; one without memory of its own has none. name: the ring, not a pointer. */
#define STITCH_INIT_KFIFO(name) \
	do { \
		(name).core.in = (name).core.out = 0; \
		(name).core.size = sizeof((name).buf) / sizeof(*(name).data); \
		(name).data = STITCH_KFIFO_IS_PTR(&(name)) ? NULL : (name).buf; \
	} while (0)

/*
 * --- within: elements are `bytes` long ---------------------------------------------------------
 */

static inline unsigned int stitch_kfifo_min(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

/* Whoever asks: never more than size, for out is read first and may have moved on since. */
static inline unsigned int stitch_kfifo_core_len(const struct stitch_kfifo_core *core)
{
	unsigned int out = __atomic_load_n(&core->out, __ATOMIC_ACQUIRE);
	unsigned int in = __atomic_load_n(&core->in, __ATOMIC_ACQUIRE);

	return stitch_kfifo_min(in - out, core->size);
}

/* Number `at` and those behind it that lie without a break: at most `nr`. */
static inline unsigned int stitch_kfifo_core_linear(const struct stitch_kfifo_core *core,
						    unsigned int at, unsigned int nr)
{
	return stitch_kfifo_min(nr, core->size - (at & (core->size - 1)));
}

static inline unsigned int stitch_kfifo_core_in(struct stitch_kfifo_core *core, void *data,
						const void *from, size_t bytes, unsigned int nr)
{
	unsigned int in = core->in, unbroken;

	nr = stitch_kfifo_min(nr, core->size - stitch_kfifo_core_len(core));
	if (!nr)
		return 0;
	unbroken = stitch_kfifo_core_linear(core, in, nr);
	memcpy((char *)data + (in & (core->size - 1)) * bytes, from, unbroken * bytes);
	memcpy(data, (const char *)from + unbroken * bytes, (nr - unbroken) * bytes);
	__atomic_store_n(&core->in, in + nr, __ATOMIC_RELEASE);
	return nr;
}

static inline unsigned int stitch_kfifo_core_peek(const struct stitch_kfifo_core *core,
						  const void *data, void *to, size_t bytes,
						  unsigned int nr)
{
	unsigned int out = core->out, unbroken;

	nr = stitch_kfifo_min(nr, stitch_kfifo_core_len(core));
	if (!nr)
		return 0;
	unbroken = stitch_kfifo_core_linear(core, out, nr);
	memcpy(to, (const char *)data + (out & (core->size - 1)) * bytes, unbroken * bytes);
	memcpy((char *)to + unbroken * bytes, data, (nr - unbroken) * bytes);
	return nr;
}

static inline unsigned int stitch_kfifo_core_skip(struct stitch_kfifo_core *core, unsigned int nr)
{
	nr = stitch_kfifo_min(nr, stitch_kfifo_core_len(core));
	__atomic_store_n(&core->out, core->out + nr, __ATOMIC_RELEASE);
	return nr;
}

static inline unsigned int stitch_kfifo_core_out(struct stitch_kfifo_core *core, const void *data,
						 void *to, size_t bytes, unsigned int nr)
{
	return stitch_kfifo_core_skip(core, stitch_kfifo_core_peek(core, data, to, bytes, nr));
}

/* Returns how many can be had without a break, at most nr; *offset: index of the first. */
static inline unsigned int stitch_kfifo_core_out_linear(const struct stitch_kfifo_core *core,
							unsigned int *offset, unsigned int nr)
{
	*offset = core->out & (core->size - 1);
	nr = stitch_kfifo_min(nr, stitch_kfifo_core_len(core));
	return nr ? stitch_kfifo_core_linear(core, core->out, nr) : 0;
}

static inline int stitch_kfifo_core_init(struct stitch_kfifo_core *core, size_t nr)
{
	core->in = core->out = core->size = 0;
	if (nr < 2)
		return -EINVAL;
	core->size = nr >> 31 ? 1u << 31 : 1u << (31 - __builtin_clz((unsigned int)nr));
	return 0;
}

static inline void *stitch_kfifo_core_alloc(struct stitch_kfifo_core *core, size_t nr, size_t bytes,
					    stitch_gfp_t flags, int *error)
{
	void *data;

	core->in = core->out = core->size = 0;
	*error = -EINVAL;
	if (nr < 2 || nr > 1u << 31)
		return NULL;
	nr = (size_t)2 << (31 - __builtin_clz((unsigned int)nr - 1));
	data = stitch_kmalloc_array(nr, bytes, flags);
	*error = data ? stitch_kfifo_core_init(core, nr) : -ENOMEM;
	return data;
}

static inline bool stitch_kfifo_core_validate(const struct stitch_kfifo_core *core,
					      const void *data)
{
	unsigned int size = core->size;

	return !size == !data && size != 1 && !(size & (size - 1)) && core->in - core->out <= size;
}

/*
 * --- memory ------------------------------------------------------------------------------------
 */

/*
 * For rings without memory of their own: empty, on `bytes` bytes at buffer, aligned for the type,
 * which the caller gets back when the ring is no longer used. As many elements as the largest
 * power of two that fits. 0, or -EINVAL: less than two fit.
 */
#define stitch_kfifo_init(fifo, buffer, bytes) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		int stitch_error_ = -EINVAL; \
		if (STITCH_KFIFO_IS_PTR(stitch_fifo_)) { \
			stitch_error_ = stitch_kfifo_core_init( \
				&stitch_fifo_->core, (bytes) / sizeof(*stitch_fifo_->data)); \
			stitch_fifo_->data = STITCH_KFIFO_DATA( \
				stitch_fifo_, stitch_error_ ? NULL : (buffer)); \
		} \
		stitch_error_; \
	})
/*
 * The same, on memory of stitch_kmalloc, for nr elements, rounded up to a power of two. What the
 * ring had is forgotten. 0, or -EINVAL (nr < 2 or > 2^31), -ENOMEM. Where kmalloc may be called
 * with these flags; links with the library.
 */
#define stitch_kfifo_alloc(fifo, nr, flags) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		int stitch_error_ = -EINVAL; \
		if (STITCH_KFIFO_IS_PTR(stitch_fifo_)) \
			stitch_fifo_->data = STITCH_KFIFO_DATA( \
				stitch_fifo_, stitch_kfifo_core_alloc( \
					&stitch_fifo_->core, nr, sizeof(*stitch_fifo_->data), \
					flags, &stitch_error_)); \
		stitch_error_; \
	})
/* What alloc gave goes back; the ring has no memory. */
#define stitch_kfifo_free(fifo) \
	do { \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		if (STITCH_KFIFO_IS_PTR(stitch_fifo_)) { \
			stitch_kfree(stitch_fifo_->data); \
			stitch_fifo_->data = NULL; \
			stitch_fifo_->core.in = stitch_fifo_->core.out = 0; \
			stitch_fifo_->core.size = 0; \
		} \
	} while (0)

/* Empty. reset_out: all that is in it is skipped, by who takes out. */
#define stitch_kfifo_reset(fifo) ((void)((fifo)->core.in = (fifo)->core.out = 0))
#define stitch_kfifo_reset_out(fifo) ((void)stitch_kfifo_core_skip(&(fifo)->core, ~0u))

/*
 * --- questions ---------------------------------------------------------------------------------
 */

/* It has memory. How many elements it can have, bytes of one. */
#define stitch_kfifo_initialized(fifo) ((fifo)->core.size != 0)
#define stitch_kfifo_size(fifo) ((fifo)->core.size)
#define stitch_kfifo_esize(fifo) sizeof(*(fifo)->data)
/* How many it has; for how many there is room. */
#define stitch_kfifo_len(fifo) stitch_kfifo_core_len(&(fifo)->core)
#define stitch_kfifo_avail(fifo) (stitch_kfifo_size(fifo) - stitch_kfifo_len(fifo))
#define stitch_kfifo_is_empty(fifo) (stitch_kfifo_len(fifo) == 0)
#define stitch_kfifo_is_full(fifo) (stitch_kfifo_avail(fifo) == 0)
/* The invariants hold; while nobody changes it. Not of the kernel. */
#define stitch_kfifo_validate(fifo) stitch_kfifo_core_validate(&(fifo)->core, (fifo)->data)

/*
 * --- elements ----------------------------------------------------------------------------------
 */

/* One element in: 1, or 0 when it is full. */
#define stitch_kfifo_put(fifo, value) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		__typeof__(*stitch_fifo_->data) stitch_value_ = (value); \
		stitch_kfifo_core_in(&stitch_fifo_->core, stitch_fifo_->data, &stitch_value_, \
				     sizeof(stitch_value_), 1); \
	})
/* The oldest to *to, which leaves the ring (peek: does not): 1, or 0 when it is empty. */
#define stitch_kfifo_get(fifo, to) stitch_kfifo_out(fifo, to, 1)
#define stitch_kfifo_peek(fifo, to) stitch_kfifo_out_peek(fifo, to, 1)

/* Up to nr elements in from an array: how many there was room for. */
#define stitch_kfifo_in(fifo, from, nr) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		const __typeof__(*stitch_fifo_->data) *stitch_from_ = (from); \
		stitch_kfifo_core_in(&stitch_fifo_->core, stitch_fifo_->data, stitch_from_, \
				     sizeof(*stitch_from_), nr); \
	})
/* Up to nr of the oldest out to an array (out_peek: they stay): how many there were. */
#define stitch_kfifo_out(fifo, to, nr) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		__typeof__(*stitch_fifo_->data) *stitch_to_ = (to); \
		stitch_kfifo_core_out(&stitch_fifo_->core, stitch_fifo_->data, stitch_to_, \
				      sizeof(*stitch_to_), nr); \
	})
#define stitch_kfifo_out_peek(fifo, to, nr) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_fifo_ = (fifo); \
		__typeof__(*stitch_fifo_->data) *stitch_to_ = (to); \
		stitch_kfifo_core_peek(&stitch_fifo_->core, stitch_fifo_->data, stitch_to_, \
				       sizeof(*stitch_to_), nr); \
	})

/*
 * To use elements where they lie: *tail (an unsigned int) becomes the index in data, *ptr the
 * address of the oldest; returns how many, at most nr, lie there in a row. They stay until
 * skip_count.
 */
#define stitch_kfifo_out_linear(fifo, tail, nr) \
	stitch_kfifo_core_out_linear(&(fifo)->core, tail, nr)
#define stitch_kfifo_out_linear_ptr(fifo, ptr, nr) \
	__extension__({ \
		__typeof__(&*(fifo)) stitch_linear_ = (fifo); \
		unsigned int stitch_tail_; \
		unsigned int stitch_nr_ = stitch_kfifo_out_linear(stitch_linear_, &stitch_tail_, \
								  nr); \
		*(ptr) = stitch_linear_->data + stitch_tail_; \
		stitch_nr_; \
	})
/* The oldest one, the nr oldest ones leave; if there are fewer, all. */
#define stitch_kfifo_skip(fifo) stitch_kfifo_skip_count(fifo, 1)
#define stitch_kfifo_skip_count(fifo, nr) ((void)stitch_kfifo_core_skip(&(fifo)->core, nr))

#endif
