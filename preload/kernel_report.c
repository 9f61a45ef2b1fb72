/* kernel_report.c - include/stitch/report.h; and the root that `stitchmalloc report` begins at. */
#include <errno.h>

#include "entry.h"
#include "proc/proc_view.h"
#include "stitch/report.h"

extern const struct proc_root stitch_proc_root;
__visible const struct proc_root stitch_proc_root = {
	.version = PROC_ROOT_VERSION,
	.zone_bytes = sizeof(struct zone),
	.page_bytes = sizeof(struct page),
	.pageblock_bytes = sizeof(struct pageblock),
	.cache_bytes = sizeof(struct kmem_cache),
	.nr_classes = NR_SIZE_CLASSES,
	.mappings_bytes = sizeof(struct mapping_table),
	.vmap_bytes = sizeof(struct vmap),
	.part_bytes = sizeof(struct lowmem_part),
	.zone = (uint64_t)&zone,
	.mm_map = (uint64_t)&mm_map,
	.caches = (uint64_t)&kmem_caches,
	.mappings = (uint64_t)&mapping_table,
	.vmaps = (uint64_t)&vmaps,
	.lowmem = (uint64_t)&lowmem_parts,
};

/* Others write meanwhile: word by word, so that a number is never torn. */
static bool read_own(void *context, uint64_t address, void *to, size_t bytes)
{
	const uint32_t *from = (const uint32_t *)(uintptr_t)address; // NOLINT
	uint32_t *words = to;

	(void)context;
	if (address % sizeof(uint64_t) == 0 && bytes % sizeof(uint64_t) == 0) {
		for (size_t i = 0; i < bytes / sizeof(uint64_t); i++)
			((uint64_t *)to)[i] = READ_ONCE(((const uint64_t *)from)[i]);
		return true;
	}
	for (size_t i = 0; i < bytes / sizeof(*words); i++)
		words[i] = READ_ONCE(from[i]);
	return true;
}

static int print_report(int fd, const char *name)
{
	struct report report;
	struct proc_view view;

	proc_view_fill(&view, read_own, NULL, (uint64_t)&stitch_proc_root);
	report_init(&report, report_to_fd, &fd);
	if (!proc_report_print(&report, &view, name))
		return -EINVAL;
	return report_finish(&report);
}

__visible int stitch_report(int fd, const char *name)
{
	bool had_slot = mm_thread_has_slot();
	int error = -ENOSYS;

	if (!name)
		error = -EINVAL;
	else if (heap_ready())
		error = print_report(fd, name);
	thread_settle(had_slot);
	if (error)
		errno = -error;
	return error ? -1 : 0;
}
