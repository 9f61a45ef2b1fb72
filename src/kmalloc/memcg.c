/* memcg.c - see memcg.h. */
#include "kmalloc/memcg.h"

#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "mm/memmap.h"
#include "slab/slab.h"

static unsigned int create_inside(const char *name, unsigned int parent, size_t max_pages)
{
	unsigned int id = mem_cgroup_new(name, parent, max_pages);

	if (!id) { /* what is kept for reuse may be all that is charged to some */
		kmalloc_drain();
		id = mem_cgroup_new(name, parent, max_pages);
	}
	if (!id || slots_ready(id))
		return id;
	mem_cgroup_give_up(id);
	mem_cgroups_bury();
	return 0;
}

enum memcg_answer memcg_create(const char *name, unsigned int parent, size_t max_pages,
			       unsigned int *id)
{
	gate_pass *pass = gate_enter_patiently();

	if (!pass)
		return MEMCG_NOT_NOW;
	*id = create_inside(name, parent, max_pages);
	gate_leave(pass);
	return *id ? MEMCG_DONE : MEMCG_BUSY;
}

/*
 * What its slots keep for reuse is no program's: nothing is left of a group that has freed all,
 * unless threads of other groups have that in their outboxes.
 */
enum memcg_answer memcg_destroy(unsigned int id)
{
	gate_pass *pass = gate_enter_patiently();
	bool done;

	if (!pass)
		return MEMCG_NOT_NOW;
	gate_settle();
	done = mem_cgroup_give_up(id);
	if (done) {
		kmalloc_drain();
		mem_cgroups_bury();
	}
	gate_leave(pass);
	return done ? MEMCG_DONE : MEMCG_BUSY;
}

enum memcg_answer memcg_limit(unsigned int id, size_t max_pages)
{
	gate_pass *pass = gate_enter_patiently();
	bool done;

	if (!pass)
		return MEMCG_NOT_NOW;
	done = mem_cgroup_limit(id, max_pages);
	gate_leave(pass);
	return done ? MEMCG_DONE : MEMCG_NONE;
}

enum memcg_answer memcg_read(unsigned int id, struct mem_cgroup *copy)
{
	gate_pass *pass = gate_enter_patiently();

	if (!pass)
		return MEMCG_NOT_NOW;
	*copy = mem_cgroup_read(id);
	gate_leave(pass);
	return MEMCG_DONE;
}

unsigned int memcg_of(const void *object)
{
	uint32_t entry = pagemap_of(object);
	struct page *page;

	if (!entry || entry == PAGEMAP_RESERVE)
		return 0;
	page = pfn_to_page(virt_to_pfn(object));
	if (pagemap_is_slab(entry) || pagemap_is_cache(entry))
		page = slab_head(page);
	return READ_ONCE(page->memcg);
}
