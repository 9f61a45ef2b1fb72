/*
 * interpose.c - malloc and its kin: each calls the next allocator in the loader's order and hands
 * what happened to log.c. The order at a free is: forget the object, record, free; nobody else can
 * get the address in between.
 *
 * C++ operators are seen through the malloc that libstdc++ calls, unless the next allocator brings
 * operators of its own.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "record.h"

#define EXPORT __attribute__((visibility("default")))

static struct {
	void *(*malloc)(size_t bytes);
	void (*free)(void *p);
	void *(*calloc)(size_t number, size_t bytes);
	void *(*realloc)(void *p, size_t bytes);
	void *(*memalign)(size_t alignment, size_t bytes);
	void *(*aligned_alloc)(size_t alignment, size_t bytes);
	int (*posix_memalign)(void **p, size_t alignment, size_t bytes);
	size_t (*usable_size)(void *p);
} next;

/* What is asked for while dlsym looks for the next allocator comes from here and is never freed. */
static struct {
	_Alignas(16) char bytes[65536];
	size_t used;
	bool looking;
} early;

struct early_block {
	_Alignas(16) size_t bytes;
};

static void *early_alloc(size_t bytes)
{
	size_t room = sizeof(early.bytes) - early.used - sizeof(struct early_block);
	struct early_block *block = (void *)(early.bytes + early.used);

	if (bytes > room - 16)
		return NULL;
	block->bytes = bytes;
	early.used += sizeof(*block) + ((bytes + 15) & ~(size_t)15);
	return block + 1;
}

static bool early_owns(const void *p)
{
	return (uintptr_t)p - (uintptr_t)early.bytes < sizeof(early.bytes);
}

static void *must_find(const char *name)
{
	static const char message[] = "stitchmalloc record: no allocator behind us\n";
	void *function = dlsym(RTLD_NEXT, name);

	if (!function) {
		if (write(STDERR_FILENO, message, sizeof(message) - 1) < 0)
			abort();
		abort();
	}
	return function;
}

/* The program has one thread when the first call comes, or the ones that come too are served. */
static void find_next(void)
{
	early.looking = true;
	next.free = (void (*)(void *))must_find("free");
	next.calloc = (void *(*)(size_t, size_t))must_find("calloc");
	next.realloc = (void *(*)(void *, size_t))must_find("realloc");
	next.memalign = (void *(*)(size_t, size_t))must_find("memalign");
	next.aligned_alloc = (void *(*)(size_t, size_t))must_find("aligned_alloc");
	next.posix_memalign = (int (*)(void **, size_t, size_t))must_find("posix_memalign");
	next.usable_size = (size_t(*)(void *))must_find("malloc_usable_size");
	next.malloc = (void *(*)(size_t))must_find("malloc");
	early.looking = false;
}

/* False while the next allocator is being looked for. */
static inline bool ready(void)
{
	if (__builtin_expect(!next.malloc, 0) && !early.looking)
		find_next();
	return next.malloc != NULL;
}

size_t next_usable_size(void *address)
{
	return next.usable_size(address);
}

EXPORT void *malloc(size_t bytes)
{
	void *p;

	if (!ready())
		return early_alloc(bytes);
	p = next.malloc(bytes);
	if (p)
		log_alloc(TRACE_MALLOC, p, bytes, 0);
	return p;
}

EXPORT void free(void *p)
{
	if (!p || early_owns(p) || !ready())
		return;
	log_free(log_forget(p));
	next.free(p);
}

EXPORT void *calloc(size_t number, size_t bytes)
{
	void *p;

	if (!ready())
		return early_alloc(number * bytes); /* static, so zero */
	p = next.calloc(number, bytes);
	if (p)
		log_alloc(TRACE_CALLOC, p, number * bytes, 0);
	return p;
}

static void *early_realloc(void *p, size_t bytes)
{
	size_t old_bytes = ((struct early_block *)p - 1)->bytes;
	void *q = malloc(bytes);

	return q ? memcpy(q, p, bytes < old_bytes ? bytes : old_bytes) : NULL;
}

EXPORT void *realloc(void *p, size_t bytes)
{
	uint64_t object;
	void *q;

	if (early_owns(p))
		return early_realloc(p, bytes);
	if (!p || !ready())
		return malloc(bytes);
	object = log_forget(p);
	q = next.realloc(p, bytes);
	if (q)
		log_realloc(object, q, bytes);
	else if (bytes)
		log_remember(p, object);
	else
		log_free(object);
	return q;
}

EXPORT void *reallocarray(void *p, size_t number, size_t bytes)
{
	size_t product;

	if (__builtin_mul_overflow(number, bytes, &product)) {
		errno = ENOMEM;
		return NULL;
	}
	return realloc(p, product);
}

EXPORT void *memalign(size_t alignment, size_t bytes)
{
	void *p = ready() ? next.memalign(alignment, bytes) : NULL;

	if (p)
		log_alloc(TRACE_ALIGNED, p, bytes, alignment);
	return p;
}

EXPORT void *aligned_alloc(size_t alignment, size_t bytes)
{
	void *p = ready() ? next.aligned_alloc(alignment, bytes) : NULL;

	if (p)
		log_alloc(TRACE_ALIGNED, p, bytes, alignment);
	return p;
}

EXPORT int posix_memalign(void **p, size_t alignment, size_t bytes)
{
	int error = ready() ? next.posix_memalign(p, alignment, bytes) : ENOMEM;

	if (!error && *p)
		log_alloc(TRACE_ALIGNED, *p, bytes, alignment);
	return error;
}

EXPORT void *valloc(size_t bytes)
{
	return memalign(TRACE_PAGE, bytes);
}

EXPORT void *pvalloc(size_t bytes)
{
	if (bytes > PTRDIFF_MAX) {
		errno = ENOMEM;
		return NULL;
	}
	return memalign(TRACE_PAGE, (bytes + TRACE_PAGE - 1) & ~(size_t)(TRACE_PAGE - 1));
}
