/* heap.c - see heap.h: what is done between an attempt that has failed and the last. */
#include "heap.h"

#include "kmalloc/gfp.h"

struct request {
	void *object; /* of realloc */
	size_t align, bytes;
};

static void *alloc(const struct request *request)
{
	return try_alloc(request->bytes);
}

static void *pages_of_own(const struct request *request)
{
	return try_pages_of_own(request->bytes);
}

static void *zalloc(const struct request *request)
{
	return try_zalloc(request->bytes);
}

static void *aligned(const struct request *request)
{
	return try_aligned(request->align, request->bytes);
}

static void *resized(const struct request *request)
{
	return try_realloc(request->object, request->bytes);
}

static void *again(void *(*attempt)(const struct request *), struct request request)
{
	size_t bytes = max_size(request.bytes, request.align);
	unsigned int nr_tries = 0;
	void *object = NULL;

	if (gfp_scope & GFP_SCOPE_NO_SHRINKERS || !zone_could_have(bytes / PAGE_SIZE))
		return NULL;
	while (!object && gfp_try_harder(STITCH_GFP_KERNEL, bytes, &nr_tries))
		object = attempt(&request);
	return object;
}

__slow void *heap_alloc_again(size_t bytes)
{
	return again(alloc, (struct request){ .bytes = bytes });
}

__slow void *heap_pages_of_own_again(size_t bytes)
{
	return again(pages_of_own, (struct request){ .bytes = bytes });
}

__slow void *heap_zalloc_again(size_t bytes)
{
	return again(zalloc, (struct request){ .bytes = bytes });
}

__slow void *heap_aligned_again(size_t align, size_t bytes)
{
	return again(aligned, (struct request){ .align = align, .bytes = bytes });
}

/* What is no object of ours has been reported, or is another allocator's want of memory. */
__slow void *heap_realloc_again(void *object, size_t bytes)
{
	enum owner_kind kind = owner_of(object).kind;

	if (kind == OWNER_FOREIGN || kind == OWNER_WRONG)
		return NULL;
	return again(resized, (struct request){ .object = object, .bytes = bytes });
}
