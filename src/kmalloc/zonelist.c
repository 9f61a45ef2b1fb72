/* zonelist.c - see zonelist.h. */
#include "kmalloc/zonelist.h"

#include <string.h>

#include "core/printk.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "mm/lowmem.h"
#include "mm/zone.h"

/* Who asks: for a zone of lowmem.h by its number, or for NORMAL. */
#define CLASS_NORMAL NR_LOWMEM_ZONES

/* --- marks ------------------------------------------------------------------------------------ */

static size_t zone_bytes(unsigned int type)
{
	size_t total, free;

	lowmem_count(type, &total, &free);
	return total;
}

size_t zonelist_protection(unsigned int type, unsigned int class)
{
	return lowmem_protection(READ_ONCE(zone.nr_opened) * PAGE_SIZE, type, class);
}

/* __zone_watermark_ok. */
static size_t min_for(size_t min, stitch_gfp_t flags)
{
	switch (gfp_depth(flags)) {
	case RESERVE_ALL:
		return 0;
	case RESERVE_ATOMIC:
		min -= min / 2;
		return gfp_may_wait(flags) ? min : min - min / 4;
	default:
		return min;
	}
}

/* --- taking ----------------------------------------------------------------------------------- */

struct request {
	size_t bytes, align;
	stitch_gfp_t flags;
	unsigned int type, class; /* the zone, and who asks */
};

static void *take(const struct request *request, bool above_low)
{
	struct lowmem_marks marks = lowmem_marks(zone_bytes(request->type));
	size_t left = above_low ? marks.low : min_for(marks.min, request->flags);

	left += zonelist_protection(request->type, request->class);
	return lowmem_alloc(request->type, request->bytes, request->align, left);
}

static void *cleared(void *object, const struct request *request)
{
	return object && (request->flags & STITCH__GFP_ZERO) ? memset(object, 0, ksize(object)) :
							       object;
}

void *zonelist_fall_back(size_t bytes, size_t align, stitch_gfp_t flags)
{
	if (active_memcg) /* it would be charged to nobody */
		return NULL;
	struct request request = { bytes, align, flags, LOWMEM_DMA32, CLASS_NORMAL };
	void *object = take(&request, true);

	if (!object)
		object = take(&request, false);
	return cleared(object, &request);
}

/* --- growing ---------------------------------------------------------------------------------- */

static const char *const reasons[] = {
	[LOWMEM_FULL] = "no address space is left for it",
	[LOWMEM_NO_MEMORY] = "there is no memory for it",
	[LOWMEM_NO_HUGE_PAGE] = "the kernel has no huge page for it (see "
				"/sys/kernel/mm/transparent_hugepage)",
	[LOWMEM_NOT_PINNED] = "it cannot be pinned: raise the limit of locked memory (ulimit -l)",
	[LOWMEM_NOT_WIPED] = "the kernel cannot keep it from children (MADV_WIPEONFORK)",
};

static void report(const struct request *request, enum lowmem_answer answer)
{
	static _Atomic bool was_said[NR_LOWMEM_ZONES];

	if (answer != LOWMEM_GROWN && !(request->flags & STITCH__GFP_NOWARN) &&
	    !atomic_exchange(&was_said[request->type], true))
		pr_err("zone %s: %s", request->type == LOWMEM_DMA ? "DMA" : "DMA32",
		       reasons[answer]);
}

/* `total`: what the zone had when nothing was found in it. */
static enum lowmem_answer grow(const struct request *request, size_t total)
{
	gate_pass *pass = gate_enter_patiently();
	enum lowmem_answer answer;

	if (!pass)
		return LOWMEM_NO_MEMORY;
	answer = lowmem_grow(request->type, total);
	gate_leave(pass);
	return answer;
}

/* A zone that has nothing may need a second chunk: the first is less than the request and `low`. */
#define MAX_GROWS 3u

static void *take_or_grow(const struct request *request)
{
	enum lowmem_answer answer = LOWMEM_GROWN;
	void *object = NULL;

	for (unsigned int i = 0; !object && answer == LOWMEM_GROWN; i++) {
		size_t total = zone_bytes(request->type);

		object = take(request, true);
		if (object || i == MAX_GROWS)
			break;
		answer = grow(request, total);
	}
	if (!object)
		object = take(request, false);
	if (!object)
		report(request, answer);
	return object;
}

void *zonelist_alloc(size_t bytes, size_t align, stitch_gfp_t flags)
{
	unsigned int type = flags & STITCH__GFP_DMA ? LOWMEM_DMA : LOWMEM_DMA32, nr_tries = 0;
	struct request request = { bytes, align, flags, type, type };
	void *object;

	if (bytes > LOWMEM_CHUNK_BYTES || align > LOWMEM_CHUNK_BYTES)
		return NULL;
	if (!gfp_may_wait(flags))
		return cleared(take(&request, false), &request);
	do
		object = take_or_grow(&request);
	while (!object && gfp_try_harder(flags, bytes, &nr_tries));
	return cleared(object, &request);
}

size_t zonelist_trim(void)
{
	gate_pass *pass = gate_enter_patiently();
	size_t bytes;

	if (!pass)
		return 0;
	bytes = lowmem_trim();
	gate_leave(pass);
	return bytes;
}
