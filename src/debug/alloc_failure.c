/* alloc_failure.c - see alloc_failure.h. Counters of the zone are read without its lock. */
#include "base/format.h"
#include "base/math.h"
#include "core/printk.h"
#include "debug/alloc_failure.h"
#include "debug/unwind.h"
#include "mm/zone.h"
#include "os/os.h"

#define INTERVAL_MS 5000u
#define BURST 10u
#define COUNT_BITS 8u
#define NR_FRAMES 16u

/* The longest combinations come first: each takes its bits away (show_gfp_flags). */
static const struct gfp_name {
	stitch_gfp_t flags;
	const char *name;
} gfp_names[] = {
	{ STITCH_GFP_HIGHUSER_MOVABLE, "GFP_HIGHUSER_MOVABLE" },
	{ STITCH_GFP_HIGHUSER, "GFP_HIGHUSER" },
	{ STITCH_GFP_USER, "GFP_USER" },
	{ STITCH_GFP_KERNEL_ACCOUNT, "GFP_KERNEL_ACCOUNT" },
	{ STITCH_GFP_KERNEL, "GFP_KERNEL" },
	{ STITCH_GFP_NOFS, "GFP_NOFS" },
	{ STITCH_GFP_ATOMIC, "GFP_ATOMIC" },
	{ STITCH_GFP_NOIO, "GFP_NOIO" },
	{ STITCH_GFP_NOWAIT, "GFP_NOWAIT" },
	{ STITCH_GFP_DMA, "GFP_DMA" },
	{ STITCH__GFP_HIGHMEM, "__GFP_HIGHMEM" },
	{ STITCH_GFP_DMA32, "GFP_DMA32" },
	{ STITCH__GFP_HIGH, "__GFP_HIGH" },
	{ STITCH__GFP_IO, "__GFP_IO" },
	{ STITCH__GFP_FS, "__GFP_FS" },
	{ STITCH__GFP_NOWARN, "__GFP_NOWARN" },
	{ STITCH__GFP_RETRY_MAYFAIL, "__GFP_RETRY_MAYFAIL" },
	{ STITCH__GFP_NOFAIL, "__GFP_NOFAIL" },
	{ STITCH__GFP_NORETRY, "__GFP_NORETRY" },
	{ STITCH__GFP_COMP, "__GFP_COMP" },
	{ STITCH__GFP_ZERO, "__GFP_ZERO" },
	{ STITCH__GFP_NOMEMALLOC, "__GFP_NOMEMALLOC" },
	{ STITCH__GFP_MEMALLOC, "__GFP_MEMALLOC" },
	{ STITCH__GFP_HARDWALL, "__GFP_HARDWALL" },
	{ STITCH__GFP_THISNODE, "__GFP_THISNODE" },
	{ STITCH__GFP_RECLAIMABLE, "__GFP_RECLAIMABLE" },
	{ STITCH__GFP_MOVABLE, "__GFP_MOVABLE" },
	{ STITCH__GFP_ACCOUNT, "__GFP_ACCOUNT" },
	{ STITCH__GFP_WRITE, "__GFP_WRITE" },
	{ STITCH__GFP_RECLAIM, "__GFP_RECLAIM" },
	{ STITCH__GFP_DIRECT_RECLAIM, "__GFP_DIRECT_RECLAIM" },
	{ STITCH__GFP_KSWAPD_RECLAIM, "__GFP_KSWAPD_RECLAIM" },
	{ STITCH__GFP_COLD, "__GFP_COLD" },
	{ STITCH__GFP_ZEROTAGS, "__GFP_ZEROTAGS" },
};

void alloc_failure_flags(char *text, size_t bytes, stitch_gfp_t flags)
{
	size_t length = format_text(text, bytes, "%s", flags ? "" : "none");

	for (size_t i = 0; flags && i < sizeof(gfp_names) / sizeof(gfp_names[0]); i++) {
		if ((flags & gfp_names[i].flags) != gfp_names[i].flags)
			continue;
		flags &= ~gfp_names[i].flags;
		length += format_text(text + length, bytes - length, "%s%s", length ? "|" : "",
				      gfp_names[i].name);
		if (length >= bytes)
			return;
	}
	if (flags)
		format_text(text + length, bytes - length, "%s0x%x", length ? "|" : "", flags);
}

/* When the interval began, and how many were asked for since: one word, so that no lock is. */
bool alloc_failure_is_due(uint64_t now_ms, unsigned int *nr_missed)
{
	static _Atomic uint64_t state;
	static _Atomic unsigned int missed;
	uint64_t old = atomic_load_explicit(&state, memory_order_relaxed), new;

	do {
		uint64_t begin = old >> COUNT_BITS, nr = old & ((1u << COUNT_BITS) - 1);

		if (!old || now_ms - begin >= INTERVAL_MS) {
			begin = now_ms;
			nr = 0;
		}
		if (nr >= BURST) {
			atomic_fetch_add_explicit(&missed, 1, memory_order_relaxed);
			return false;
		}
		new = begin << COUNT_BITS | (nr + 1);
	} while (!atomic_compare_exchange_weak_explicit(&state, &old, new, memory_order_relaxed,
							memory_order_relaxed));
	*nr_missed = atomic_exchange_explicit(&missed, 0, memory_order_relaxed);
	return true;
}

/* The name that the kernel knows the process by. */
static void read_program(char *name, size_t bytes)
{
	long nr = os_read_kernel_file("/proc/self/comm", name, bytes - 1);

	if (nr <= 0)
		nr = (long)format_text(name, bytes, "?");
	else if (name[nr - 1] == '\n')
		nr--;
	name[nr] = '\0';
}

/* Addresses only: names take the loader's lock, which the caller may be inside of. */
static void print_stack(void)
{
	uintptr_t pcs[NR_FRAMES];
	unsigned int nr = unwind_stack(pcs, NR_FRAMES);

	pr_err("Call Trace:");
	for (unsigned int i = 0; i < nr && pcs[i] != UNWIND_NO_INFORMATION; i++)
		pr_err(" [<%016lx>]", (unsigned long)pcs[i]);
}

static void print_free_blocks(unsigned int nid)
{
	const struct node *node = &zone.nodes[nid];
	size_t total = 0, length;
	char line[400];

	length = format_text(line, sizeof(line), "Node %u Normal:", nid);
	for (unsigned int order = 0; order < NR_PAGE_ORDERS; order++) {
		size_t nr = READ_ONCE(node->free_area[order].nr_free);

		total += nr << order;
		length += format_text(line + length, sizeof(line) - length, " %zu*%ukB", nr,
				      4u << order);
	}
	pr_err("%s = %zukB", line, total * 4);
}

/* show_free_areas(). */
static void print_free_areas(void)
{
	pr_err("Mem-Info:");
	pr_err("Normal opened:%zukB slab:%zukB runs:%zukB areas:%zukB resident_free:%zukB",
	       READ_ONCE(zone.nr_opened) * 4, READ_ONCE(zone.nr_used[USE_SLAB]) * 4,
	       READ_ONCE(zone.nr_used[USE_RUN]) * 4, READ_ONCE(zone.nr_used[USE_AREA]) * 4,
	       READ_ONCE(zone.nr_free_touched) * 4);
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		print_free_blocks(nid);
}

__slow void alloc_failure_report(const char *who, stitch_gfp_t flags, unsigned int order)
{
	unsigned int nr_missed;
	char name[32], text[256];

	if (flags & STITCH__GFP_NOWARN || !alloc_failure_is_due(os_clock_ms(), &nr_missed))
		return;
	if (nr_missed)
		pr_err("warn_alloc: %u callbacks suppressed", nr_missed);
	read_program(name, sizeof(name));
	alloc_failure_flags(text, sizeof(text), flags);
	pr_err("%s: page allocation failure: order:%u, mode:0x%x(%s), in %s", name, order, flags,
	       text, who);
	print_stack();
	print_free_areas();
}
