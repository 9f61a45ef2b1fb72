/* cache_report.c - see cache_objects.h: what is wrong with an object, as the kernel says it. */
#include "base/format.h"
#include "base/math.h"
#include "core/misuse.h"
#include "core/params.h"
#include "core/printk.h"
#include "kmalloc/cache_objects.h"

#define LINE_BYTES 16u
#define SHOWN_BYTES 64u
#define SHOWN_ZONE_BYTES 8u

void cache_print_track(const char *what, const struct alloc_track *track)
{
	if (!track->tid)
		return;
	pr_err("%s by thread %d%s", what, track->tid, track->stack ? "" : " (no stack)");
	if (track->stack && track_ops.print)
		track_ops.print(track);
}

static void print_bytes(const char *what, const unsigned char *bytes, size_t nr)
{
	for (size_t at = 0; at < nr; at += LINE_BYTES) {
		char text[3 * LINE_BYTES + 1];
		size_t end = min_size(nr, at + LINE_BYTES), length = 0;

		for (size_t i = at; i < end; i++)
			length += format_text(text + length, sizeof(text) - length, " %02x",
					      bytes[i]);
		pr_err("%s %p:%s", what, (const void *)(bytes + at), text);
	}
}

static void print_surroundings(const struct cache_fault *fault)
{
	const struct kmem_cache *cache = fault->cache;
	const unsigned char *object = fault->object;

	if (cache->left_bytes)
		print_bytes("Redzone ", object - SHOWN_ZONE_BYTES, SHOWN_ZONE_BYTES);
	print_bytes("Object  ", object, min_size(cache->object_size, SHOWN_BYTES));
	if (cache->left_bytes)
		print_bytes("Redzone ", object + cache->object_size,
			    min_size(cache->track_offset - cache->object_size, SHOWN_ZONE_BYTES));
}

static void print_details(const struct cache_fault *fault)
{
	if (fault->at || fault->tracks[TRACK_ALLOC].tid)
		pr_err("BUG %s: %s %p", fault->cache->name, fault->what, fault->object);
	if (fault->at)
		pr_err("%p-%p @offset=%ld. First byte 0x%x instead of 0x%x",
		       (const void *)fault->at, (const void *)fault->last,
		       (long)(fault->at - (const unsigned char *)fault->object), fault->found,
		       fault->expected);
	cache_print_track("Allocated", &fault->tracks[TRACK_ALLOC]);
	cache_print_track("Freed", &fault->tracks[TRACK_FREE]);
	if (fault->at)
		print_surroundings(fault);
}

__slow void cache_fault_report(const char *operation, const struct cache_fault *fault)
{
	if (params.on_error != ON_ERROR_IGNORE)
		print_details(fault);
	misuse_report(operation, fault->what, fault->object, fault->cache->name);
}
