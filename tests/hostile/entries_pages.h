/* entries_pages.h - see entries.h: include/stitch/mm.h, vmalloc.h and mempool.h. */
#ifndef HOSTILE_ENTRIES_PAGES_H
#define HOSTILE_ENTRIES_PAGES_H

#include "kernel_api.h"

static inline bool entry_page(bool cold)
{
	struct stitch_page *page = stitch_alloc_pages(STITCH_GFP_KERNEL, 0);

	if (!page || stitch_virt_to_page(stitch_page_address(page)) != page)
		return false;
	if (cold)
		stitch_free_cold_page(page);
	else
		stitch_free_pages_of(page, 0);
	return true;
}

static inline bool entry_page_at(bool exact)
{
	if (exact)
		stitch_free_pages_exact(stitch_alloc_pages_exact(9000, STITCH_GFP_KERNEL), 9000);
	else
		stitch_free_pages(stitch_get_free_pages(STITCH_GFP_KERNEL, 1), 1);
	return true;
}

/* There is a node 0 everywhere. */
static inline bool entry_node(void)
{
	struct stitch_page *page = stitch_alloc_pages_node(0, STITCH_GFP_KERNEL, 0);
	void *object = stitch_kmalloc_node(100, STITCH_GFP_KERNEL, 0);
	bool good = page && object && !stitch_page_to_nid(page) &&
		    !stitch_alloc_pages_node(1000, STITCH_GFP_KERNEL, 0);

	stitch_kfree(object);
	if (page)
		stitch_free_pages_of(page, 0);
	return good;
}

/* Also where only a page of the heap can be had. */
static inline bool entry_high_page(void)
{
	struct stitch_page *page = stitch_alloc_pages(STITCH_GFP_HIGHUSER, 0);
	char *address = page ? (char *)stitch_kmap_local_page(page) : NULL;

	if (!address)
		return false;
	*address = 1;
	stitch_kunmap_local(address);
	stitch_free_pages_of(page, 0);
	return true;
}

static inline bool entry_vmap(void)
{
	struct stitch_page *page = stitch_alloc_pages(STITCH_GFP_HIGHUSER, 0);
	struct stitch_page *pages[] = { page, page };
	char *address = page ? (char *)stitch_vmap(pages, 2, 0, STITCH_PAGE_KERNEL) : NULL;
	bool good = address || (page && !stitch_page_is_high(page));

	if (address) {
		*address = 1;
		good = address[STITCH_PAGE_SIZE] == 1;
		stitch_vunmap(address);
	}
	stitch_free_pages_of(page, 0);
	return good;
}

static inline bool entry_meminfo(void)
{
	struct stitch_sysinfo info;

	stitch_si_meminfo(&info);
	return info.totalram >= info.freeram && info.mem_unit == STITCH_PAGE_SIZE;
}

static inline bool entry_pool(struct stitch_mempool *pool)
{
	bool good = pool && stitch_mempool_count(pool) == 2 && stitch_mempool_min(pool) == 2 &&
		    !stitch_mempool_resize(pool, 3);
	void *element = good ? stitch_mempool_alloc(pool, STITCH_GFP_KERNEL) : NULL;

	stitch_mempool_free(element, pool);
	stitch_mempool_destroy(pool);
	return element;
}

static inline bool entry_call_pages(const char *name)
{
	SAYS(stitch_alloc_pages, entry_page(false))
	SAYS(stitch_free_pages_of, entry_page(false))
	SAYS(stitch_alloc_pages_node, entry_node())
	SAYS(stitch_kmalloc_node, entry_node())
	SAYS(stitch_page_to_nid, !stitch_page_to_nid(NULL))
	SAYS(stitch_numa_node_id, stitch_numa_node_id() >= 0)
	SAYS(stitch_free_cold_page, entry_page(true))
	GIVES(stitch_get_free_pages, 8192, (void *)stitch_get_free_pages(STITCH_GFP_KERNEL, 1))
	GIVES(stitch_get_zeroed_page, 4096, (void *)stitch_get_zeroed_page(STITCH_GFP_KERNEL))
	SAYS(stitch_free_pages, entry_page_at(false))
	GIVES(stitch_alloc_pages_exact, 4096, stitch_alloc_pages_exact(9000, STITCH_GFP_KERNEL))
	SAYS(stitch_free_pages_exact, entry_page_at(true))
	SAYS(stitch_page_address, !stitch_page_address(NULL))
	SAYS(stitch_virt_to_page, !stitch_virt_to_page(NULL))
	SAYS(stitch_page_to_pfn, stitch_page_to_pfn(NULL) != 1)
	SAYS(stitch_pfn_to_page, !stitch_pfn_to_page(-1ul))
	SAYS(stitch_pfn_valid, !stitch_pfn_valid(-1ul))
	SAYS(stitch_si_meminfo, entry_meminfo())
	GIVES(stitch_vmalloc, 4096, stitch_vmalloc(5000))
	GIVES(stitch_vzalloc, 4096, stitch_vzalloc(5000))
	SAYS(stitch_vfree, (stitch_vfree(NULL), true))
	SAYS(stitch_page_is_high, !stitch_page_is_high(NULL))
	SAYS(stitch_kmap, !stitch_kmap(NULL))
	SAYS(stitch_kunmap, (stitch_kunmap(NULL), true))
	SAYS(stitch_kmap_local_page, entry_high_page())
	SAYS(stitch_kunmap_local, (stitch_kunmap_local(NULL), true))
	SAYS(stitch_vmap, entry_vmap())
	SAYS(stitch_vunmap, (stitch_vunmap(NULL), true))
	SAYS(stitch_is_vmalloc_addr, !stitch_is_vmalloc_addr(NULL))
	SAYS(stitch_vmalloc_to_page, !stitch_vmalloc_to_page(NULL))
	return false;
}

static inline bool entry_call_pools(const char *name)
{
	SAYS(stitch_mempool_create,
	     entry_pool(stitch_mempool_create(2, stitch_mempool_kmalloc, stitch_mempool_kfree,
					      (void *)100)))
	SAYS(stitch_mempool_create_slab_pool, !stitch_mempool_create_slab_pool(0, NULL))
	SAYS(stitch_mempool_create_kmalloc_pool,
	     entry_pool(stitch_mempool_create_kmalloc_pool(2, 100)))
	SAYS(stitch_mempool_create_page_pool, entry_pool(stitch_mempool_create_page_pool(2, 1)))
	SAYS(stitch_mempool_alloc_slab, true) /* wants a cache: see stitch_kmem_cache_alloc */
	SAYS(stitch_mempool_free_slab, true)
	GIVES(stitch_mempool_kmalloc, 16, stitch_mempool_kmalloc(STITCH_GFP_KERNEL, (void *)100))
	SAYS(stitch_mempool_kfree, (stitch_mempool_kfree(NULL, NULL), true))
	SAYS(stitch_mempool_alloc_pages, entry_page(false))
	SAYS(stitch_mempool_free_pages, (stitch_mempool_free_pages(NULL, NULL), true))
	SAYS(stitch_mempool_resize, entry_pool(stitch_mempool_create_kmalloc_pool(2, 100)))
	SAYS(stitch_mempool_alloc, entry_pool(stitch_mempool_create_kmalloc_pool(2, 100)))
	SAYS(stitch_mempool_free, (stitch_mempool_free(NULL, NULL), true))
	SAYS(stitch_mempool_destroy, (stitch_mempool_destroy(NULL), true))
	SAYS(stitch_mempool_min, entry_pool(stitch_mempool_create_kmalloc_pool(2, 100)))
	SAYS(stitch_mempool_count, entry_pool(stitch_mempool_create_kmalloc_pool(2, 100)))
	return false;
}

#endif
