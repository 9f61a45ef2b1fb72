/*
 * kernel.h - the kernel's own names for the functions of include/stitch/: for code that was
 * written for the kernel, in C. To be included by those files only that want them: some are
 * common words.
 *
 * Old names mean what became of them (__GFP_WAIT, __GFP_REPEAT, SLAB_KERNEL, kmem_cache_t, the
 * six-argument kmem_cache_create of 2004); names of what is gone without a successor are refused
 * by the compiler with a line that says what to use.
 */
#ifndef STITCH_KERNEL_H
#define STITCH_KERNEL_H

#include "stitch/highmem.h"
#include "stitch/kernel_trees.h"
#include "stitch/kernel_lists.h"
#include "stitch/mempool.h"
#include "stitch/mm.h"
#include "stitch/slab.h"
#include "stitch/vmalloc.h"
/* The last: they have macros, and others have those names. */
#include "stitch/kernel_cma.h"
#include "stitch/kernel_devm.h"
#include "stitch/kernel_memcontrol.h"
#include "stitch/kernel_shrinker.h"

/* Compiled only when used. */
#define STITCH_GONE(name, advice) \
	extern stitch_gfp_t stitch_gone_##name(void) __attribute__((error(#name ": " advice)))

/* --- flags ------------------------------------------------------------------------------------ */

typedef stitch_gfp_t gfp_t;

#define __GFP_DMA STITCH__GFP_DMA
#define __GFP_HIGHMEM STITCH__GFP_HIGHMEM
#define __GFP_DMA32 STITCH__GFP_DMA32
#define __GFP_MOVABLE STITCH__GFP_MOVABLE
#define __GFP_RECLAIMABLE STITCH__GFP_RECLAIMABLE
#define __GFP_HIGH STITCH__GFP_HIGH
#define __GFP_MEMALLOC STITCH__GFP_MEMALLOC
#define __GFP_NOMEMALLOC STITCH__GFP_NOMEMALLOC
#define __GFP_IO STITCH__GFP_IO
#define __GFP_FS STITCH__GFP_FS
#define __GFP_DIRECT_RECLAIM STITCH__GFP_DIRECT_RECLAIM
#define __GFP_KSWAPD_RECLAIM STITCH__GFP_KSWAPD_RECLAIM
#define __GFP_RECLAIM STITCH__GFP_RECLAIM
#define __GFP_WRITE STITCH__GFP_WRITE
#define __GFP_NOWARN STITCH__GFP_NOWARN
#define __GFP_RETRY_MAYFAIL STITCH__GFP_RETRY_MAYFAIL
#define __GFP_NOFAIL STITCH__GFP_NOFAIL
#define __GFP_NORETRY STITCH__GFP_NORETRY
#define __GFP_ZERO STITCH__GFP_ZERO
#define __GFP_COMP STITCH__GFP_COMP
#define __GFP_HARDWALL STITCH__GFP_HARDWALL
#define __GFP_THISNODE STITCH__GFP_THISNODE
#define __GFP_ACCOUNT STITCH__GFP_ACCOUNT
#define GFP_ATOMIC STITCH_GFP_ATOMIC
#define GFP_NOWAIT STITCH_GFP_NOWAIT
#define GFP_NOIO STITCH_GFP_NOIO
#define GFP_NOFS STITCH_GFP_NOFS
#define GFP_KERNEL STITCH_GFP_KERNEL
#define GFP_KERNEL_ACCOUNT STITCH_GFP_KERNEL_ACCOUNT
#define GFP_USER STITCH_GFP_USER
#define GFP_HIGHUSER STITCH_GFP_HIGHUSER
#define GFP_HIGHUSER_MOVABLE STITCH_GFP_HIGHUSER_MOVABLE
#define GFP_DMA STITCH_GFP_DMA
#define GFP_DMA32 STITCH_GFP_DMA32

/* Until 4.4, 4.13, 4.15. */
#define __GFP_WAIT STITCH__GFP_RECLAIM
#define __GFP_REPEAT STITCH__GFP_RETRY_MAYFAIL
#define __GFP_COLD STITCH__GFP_COLD

STITCH_GONE(GFP_ATOMIC_BIT, "__GFP_ATOMIC was removed in 6.4; use GFP_ATOMIC");
STITCH_GONE(GFP_NOTRACK, "__GFP_NOTRACK was removed in 4.15; leave it out");
STITCH_GONE(GFP_TEMPORARY, "GFP_TEMPORARY was removed in 4.14; use GFP_KERNEL");
#define __GFP_ATOMIC stitch_gone_GFP_ATOMIC_BIT()
#define __GFP_NOTRACK stitch_gone_GFP_NOTRACK()
#define GFP_TEMPORARY stitch_gone_GFP_TEMPORARY()

#define gfpflags_allow_blocking stitch_gfpflags_allow_blocking
#define memalloc_noreclaim_save stitch_memalloc_noreclaim_save
#define memalloc_noreclaim_restore stitch_memalloc_noreclaim_restore

/* --- kmalloc ---------------------------------------------------------------------------------- */

#define ZERO_SIZE_PTR STITCH_ZERO_SIZE_PTR
#define KMALLOC_MAX_SIZE STITCH_KMALLOC_MAX_SIZE
#define kmalloc stitch_kmalloc
#define kzalloc stitch_kzalloc
#define kmalloc_node stitch_kmalloc_node
#define kzalloc_node(bytes, flags, nid) stitch_kmalloc_node(bytes, (flags) | STITCH__GFP_ZERO, nid)
#define kmalloc_array stitch_kmalloc_array
#define kcalloc stitch_kcalloc
#define krealloc stitch_krealloc
#define kfree stitch_kfree
#define kfree_sensitive stitch_kfree_sensitive
#define kzfree stitch_kfree_sensitive /* until 5.10 */
#define ksize stitch_ksize
#define kmalloc_size_roundup stitch_kmalloc_size_roundup
#define kstrdup stitch_kstrdup
#define kstrndup stitch_kstrndup
#define kmemdup stitch_kmemdup
#define kvmalloc stitch_kvmalloc
#define kvzalloc stitch_kvzalloc
#define kvcalloc stitch_kvcalloc
#define kvfree stitch_kvfree

/* --- caches ----------------------------------------------------------------------------------- */

#define kmem_cache stitch_kmem_cache /* struct kmem_cache */
typedef struct stitch_kmem_cache kmem_cache_t;
typedef stitch_slab_flags_t slab_flags_t;

#define SLAB_CONSISTENCY_CHECKS STITCH_SLAB_CONSISTENCY_CHECKS
#define SLAB_RED_ZONE STITCH_SLAB_RED_ZONE
#define SLAB_POISON STITCH_SLAB_POISON
#define SLAB_HWCACHE_ALIGN STITCH_SLAB_HWCACHE_ALIGN
#define SLAB_CACHE_DMA STITCH_SLAB_CACHE_DMA
#define SLAB_STORE_USER STITCH_SLAB_STORE_USER
#define SLAB_RECLAIM_ACCOUNT STITCH_SLAB_RECLAIM_ACCOUNT
#define SLAB_PANIC STITCH_SLAB_PANIC
#define SLAB_TYPESAFE_BY_RCU STITCH_SLAB_TYPESAFE_BY_RCU
#define SLAB_NO_MERGE STITCH_SLAB_NO_MERGE
#define SLAB_ACCOUNT STITCH_SLAB_ACCOUNT

/* Until 2.6.20 requests to caches had names of their own. */
#define SLAB_KERNEL GFP_KERNEL
#define SLAB_ATOMIC GFP_ATOMIC
#define SLAB_NOIO GFP_NOIO
#define SLAB_NOFS GFP_NOFS
#define SLAB_USER GFP_USER
#define SLAB_CTOR_CONSTRUCTOR 1ul

/*
 * Until 2.6.23: name, size, offset, flags, constructor, destructor. Constructors had two arguments
 * more, which a few functions here add: so many caches of a source file can have one. Destructors
 * were hardly ever called: not NULL is refused, as is a constructor too many, by NULL.
 */
typedef void stitch_ctor_2004(void *object, kmem_cache_t *cache, unsigned long flags);

#define STITCH_MAX_CTORS 8
static struct {
	stitch_ctor_2004 *ctor;
	kmem_cache_t *cache; /* NULL while the first slab is made */
} stitch_ctors[STITCH_MAX_CTORS] __attribute__((unused));

#define STITCH_CTOR(n) \
	static inline void stitch_ctor_##n(void *object) \
	{ \
		stitch_ctors[n].ctor(object, stitch_ctors[n].cache, SLAB_CTOR_CONSTRUCTOR); \
	}
STITCH_CTOR(0)
STITCH_CTOR(1)
STITCH_CTOR(2)
STITCH_CTOR(3)
STITCH_CTOR(4)
STITCH_CTOR(5)
STITCH_CTOR(6)
STITCH_CTOR(7)
#undef STITCH_CTOR

static inline kmem_cache_t *stitch_create_2004(const char *name, size_t size, size_t offset,
					       unsigned long flags, stitch_ctor_2004 *ctor,
					       stitch_ctor_2004 *dtor)
{
	static void (*const adding[STITCH_MAX_CTORS])(void *) = {
		stitch_ctor_0, stitch_ctor_1, stitch_ctor_2, stitch_ctor_3,
		stitch_ctor_4, stitch_ctor_5, stitch_ctor_6, stitch_ctor_7,
	};
	unsigned int i = 0;

	while (ctor && i < STITCH_MAX_CTORS && stitch_ctors[i].ctor)
		i++;
	if (dtor || i == STITCH_MAX_CTORS)
		return NULL;
	if (ctor)
		stitch_ctors[i].ctor = ctor;
	kmem_cache_t *cache = stitch_kmem_cache_create(name, (unsigned int)size,
						       (unsigned int)offset, (unsigned int)flags,
						       ctor ? adding[i] : NULL);
	if (ctor && cache)
		stitch_ctors[i].cache = cache;
	else if (ctor)
		stitch_ctors[i].ctor = NULL;
	return cache;
}

/* By the number of arguments. */
#define STITCH_CREATE_5 stitch_kmem_cache_create
#define STITCH_CREATE_6 stitch_create_2004
#define STITCH_SEVENTH(a, b, c, d, e, f, g, ...) g
#define kmem_cache_create(...) \
	STITCH_SEVENTH(__VA_ARGS__, STITCH_CREATE_6, STITCH_CREATE_5, 0, 0, 0, 0)(__VA_ARGS__)
#define KMEM_CACHE STITCH_KMEM_CACHE
#define kmem_cache_alloc stitch_kmem_cache_alloc
#define kmem_cache_alloc_node stitch_kmem_cache_alloc_node
#define kmem_cache_zalloc stitch_kmem_cache_zalloc
#define kmem_cache_free stitch_kmem_cache_free
#define kmem_cache_alloc_bulk stitch_kmem_cache_alloc_bulk
#define kmem_cache_free_bulk stitch_kmem_cache_free_bulk
#define kmem_cache_shrink stitch_kmem_cache_shrink
#define kmem_cache_destroy stitch_kmem_cache_destroy
#define kmem_cache_size stitch_kmem_cache_size

/*
 * --- pages, vmalloc, mempools ------------------------------------------------------------------
 */

/* struct page keeps its name here: `page` is too common a word to be a macro. */
typedef struct stitch_page page_t;

#ifndef PAGE_SIZE
#define PAGE_SHIFT STITCH_PAGE_SHIFT
#define PAGE_SIZE STITCH_PAGE_SIZE
#define PAGE_MASK (~(PAGE_SIZE - 1))
#endif
#define MAX_PAGE_ORDER STITCH_MAX_PAGE_ORDER
#define alloc_pages stitch_alloc_pages
#define alloc_page(flags) stitch_alloc_pages(flags, 0)
#define NUMA_NO_NODE STITCH_NUMA_NO_NODE
#define alloc_pages_node stitch_alloc_pages_node
#define numa_node_id stitch_numa_node_id
#define page_to_nid stitch_page_to_nid
#define __free_pages stitch_free_pages_of
#define __free_page(page) stitch_free_pages_of(page, 0)
#define __get_free_pages stitch_get_free_pages
#define __get_free_page(flags) stitch_get_free_pages(flags, 0)
#define get_zeroed_page stitch_get_zeroed_page
#define free_pages stitch_free_pages
#define free_page(address) stitch_free_pages(address, 0)
#define alloc_pages_exact stitch_alloc_pages_exact
#define free_pages_exact stitch_free_pages_exact
#define get_order stitch_get_order
#define page_address stitch_page_address
#define virt_to_page stitch_virt_to_page
#define page_to_pfn stitch_page_to_pfn
#define pfn_to_page stitch_pfn_to_page
#define pfn_valid stitch_pfn_valid

#define vmalloc stitch_vmalloc
#define vzalloc stitch_vzalloc
#define vfree stitch_vfree
#define vmap stitch_vmap
#define vunmap stitch_vunmap
#define VM_MAP STITCH_VM_MAP
#define PAGE_KERNEL STITCH_PAGE_KERNEL
#define PAGE_KERNEL_RO STITCH_PAGE_KERNEL_RO
#define is_vmalloc_addr stitch_is_vmalloc_addr
#define vmalloc_to_page stitch_vmalloc_to_page

#define PageHighMem stitch_page_is_high
#define kmap stitch_kmap
#define kunmap stitch_kunmap
#define kmap_local_page stitch_kmap_local_page
#define kunmap_local stitch_kunmap_local
#define kmap_atomic stitch_kmap_local_page
#define kunmap_atomic stitch_kunmap_local
#define clear_highpage stitch_clear_highpage
#define copy_highpage stitch_copy_highpage
#define memcpy_from_page stitch_memcpy_from_page
#define memcpy_to_page stitch_memcpy_to_page

typedef struct stitch_mempool mempool_t;
typedef stitch_mempool_alloc_t mempool_alloc_t;
typedef stitch_mempool_free_t mempool_free_t;

#define mempool_create stitch_mempool_create
#define mempool_create_slab_pool stitch_mempool_create_slab_pool
#define mempool_create_kmalloc_pool stitch_mempool_create_kmalloc_pool
#define mempool_create_page_pool stitch_mempool_create_page_pool
#define mempool_alloc_slab stitch_mempool_alloc_slab
#define mempool_free_slab stitch_mempool_free_slab
#define mempool_kmalloc stitch_mempool_kmalloc
#define mempool_kfree stitch_mempool_kfree
#define mempool_alloc_pages stitch_mempool_alloc_pages
#define mempool_free_pages stitch_mempool_free_pages
#define mempool_resize stitch_mempool_resize
#define mempool_alloc stitch_mempool_alloc
#define mempool_free stitch_mempool_free
#define mempool_destroy stitch_mempool_destroy

#endif
