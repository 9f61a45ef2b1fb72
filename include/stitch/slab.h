/*
 * slab.h - kmalloc and caches of objects, as in the kernel (include/linux/slab.h).
 *
 * Unless said otherwise: any thread may call; sizes are bytes; an allocation returns NULL when
 * there is no memory (errno is then ENOMEM, and else untouched); with STITCH_GFP_ATOMIC or
 * STITCH_GFP_NOWAIT a function may be called in signal handlers, see stitch/gfp.h. Frees may be
 * called there for what was allocated so. Memory of malloc and of kmalloc is the same: each may
 * be freed by either. NULL may be freed.
 */
#ifndef STITCH_SLAB_H
#define STITCH_SLAB_H

#include "stitch/gfp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * --- kmalloc -----------------------------------------------------------------------------------
 */

/* What kmalloc returns for 0 bytes: no memory, may be freed. Kernel: ZERO_SIZE_PTR. */
#define STITCH_ZERO_SIZE_PTR ((void *)16)
#define STITCH_KMALLOC_MAX_SIZE ((size_t)1 << 46)

/*
 * `bytes` bytes aligned to 16, or to the largest power of two that divides them, up to a page.
 * Kernel: kmalloc.
 */
void *stitch_kmalloc(size_t bytes, stitch_gfp_t flags);
/* All bytes are zero. Kernel: kzalloc. */
void *stitch_kzalloc(size_t bytes, stitch_gfp_t flags);
/*
 * Of this node as long as it has any, with STITCH__GFP_THISNODE of it or not at all (stitch/mm.h
 * has the rest); STITCH_NUMA_NO_NODE: as stitch_kmalloc. Kernel: kmalloc_node.
 */
void *stitch_kmalloc_node(size_t bytes, stitch_gfp_t flags, int nid);
/* count x bytes; NULL when that overflows. Kernel: kmalloc_array, kcalloc. */
void *stitch_kmalloc_array(size_t count, size_t bytes, stitch_gfp_t flags);
void *stitch_kcalloc(size_t count, size_t bytes, stitch_gfp_t flags);
/*
 * Resize; contents up to the smaller size stay. NULL: the object is untouched. object NULL: as
 * kmalloc. bytes 0: as kfree, returns STITCH_ZERO_SIZE_PTR. STITCH__GFP_ZERO: what is new is zero,
 * if the object was made, and resized ever since, with it. Kernel: krealloc.
 */
void *stitch_krealloc(void *object, size_t bytes, stitch_gfp_t flags);
/* Kernel: kfree, which takes objects of caches, too. Also frees what kvmalloc and vmalloc gave. */
void stitch_kfree(const void *object);
/* Clears the object first. Kernel: kfree_sensitive. */
void stitch_kfree_sensitive(const void *object);
/* Usable bytes; 0 for NULL and STITCH_ZERO_SIZE_PTR. Kernel: ksize. */
size_t stitch_ksize(const void *object);
/* The usable bytes that kmalloc(bytes) would give. Kernel: kmalloc_size_roundup. */
size_t stitch_kmalloc_size_roundup(size_t bytes);

/* Copies; NULL of NULL. Kernel: kstrdup, kstrndup, kmemdup. */
char *stitch_kstrdup(const char *text, stitch_gfp_t flags);
char *stitch_kstrndup(const char *text, size_t max_bytes, stitch_gfp_t flags);
void *stitch_kmemdup(const void *source, size_t bytes, stitch_gfp_t flags);

/*
 * kmalloc, and from a page on whole pages of the vmalloc side when kmalloc has none. Here kmalloc
 * has no limit of its own, so that these are kmalloc. Kernel: kvmalloc, kvzalloc, kvcalloc, kvfree.
 */
void *stitch_kvmalloc(size_t bytes, stitch_gfp_t flags);
void *stitch_kvzalloc(size_t bytes, stitch_gfp_t flags);
void *stitch_kvcalloc(size_t count, size_t bytes, stitch_gfp_t flags);
void stitch_kvfree(const void *object);

/*
 * --- caches ------------------------------------------------------------------------------------
 */

/* A cache of objects of one size. Kernel: struct kmem_cache. */
struct stitch_kmem_cache;

typedef unsigned int stitch_slab_flags_t;

/*
 * Values of Linux. CONSISTENCY_CHECKS: each free is checked against the slab at once. RED_ZONE:
 * bytes behind (and before) each object that must not change. POISON: free objects are filled with
 * 0x6b, 0xa5 at the end, and must still be so when they are allocated (without a constructor).
 * STORE_USER: who allocated and freed last. (Without effect where objects come near to 4 MiB.)
 * HWCACHE_ALIGN: objects start on a cache line (small ones at a fraction of it). PANIC: creation
 * never fails: the process is aborted. NO_MERGE: never an alias of another cache. ACCOUNT,
 * RECLAIM_ACCOUNT: without effect. CACHE_DMA, CACHE_DMA32, TYPESAFE_BY_RCU: refused, creation
 * fails with EINVAL.
 */
#define STITCH_SLAB_CONSISTENCY_CHECKS 0x00000100u
#define STITCH_SLAB_RED_ZONE 0x00000400u
#define STITCH_SLAB_POISON 0x00000800u
#define STITCH_SLAB_HWCACHE_ALIGN 0x00002000u
#define STITCH_SLAB_CACHE_DMA 0x00004000u
#define STITCH_SLAB_CACHE_DMA32 0x00008000u
#define STITCH_SLAB_STORE_USER 0x00010000u
#define STITCH_SLAB_RECLAIM_ACCOUNT 0x00020000u
#define STITCH_SLAB_PANIC 0x00040000u
#define STITCH_SLAB_TYPESAFE_BY_RCU 0x00080000u
#define STITCH_SLAB_NO_MERGE 0x01000000u
#define STITCH_SLAB_ACCOUNT 0x04000000u

/*
 * A new cache. name: copied; a name may occur twice. size: 1 byte to 4 MiB. align: a power of two
 * up to a page, or 0 for 8. ctor: called once for each object when its slab is made, or NULL; a
 * freed object must be as the constructor left it, and the next to get it finds it so; the
 * constructor may do anything, allocate too. A cache without constructor and debug flags may be an
 * alias of one with the same size, or of malloc's objects of this size; not in leak checks
 * (leaks=). Debug flags can be added from outside: slub_debug=FZPU, or slub_debug=FZPU:name+name2*
 * (STITCH_CONF) for some. NULL and errno: EINVAL (flags, sizes), ENOMEM, ENOSYS (malloc is not
 * ours). May sleep; not for signal handlers.
 * Kernel: kmem_cache_create.
 */
struct stitch_kmem_cache *stitch_kmem_cache_create(const char *name, unsigned int size,
						   unsigned int align, stitch_slab_flags_t flags,
						   void (*ctor)(void *object));

/* Named and sized after a structure. Kernel: KMEM_CACHE. */
#define STITCH_KMEM_CACHE(type, flags)                                                           \
	stitch_kmem_cache_create(#type, sizeof(struct type), __alignof__(struct type), flags, NULL)

/*
 * One object; zalloc (for caches without constructor): all bytes zero. Without DIRECT_RECLAIM from
 * the reserve, not from the cache's slabs; a constructor is then called by this call. Kernel:
 * kmem_cache_alloc, kmem_cache_zalloc.
 */
void *stitch_kmem_cache_alloc(struct stitch_kmem_cache *cache, stitch_gfp_t flags);
void *stitch_kmem_cache_zalloc(struct stitch_kmem_cache *cache, stitch_gfp_t flags);
/*
 * An object of a slab of this node as long as it has any, with STITCH__GFP_THISNODE of it or not at
 * all (of who may not wait: of any; stitch/mm.h has the rest). Where the node is full the free
 * objects that its threads keep do not count, nor, for a cache that shares malloc's slabs, pages
 * behind a slab of another node. STITCH_NUMA_NO_NODE: as stitch_kmem_cache_alloc. Kernel:
 * kmem_cache_alloc_node.
 */
void *stitch_kmem_cache_alloc_node(struct stitch_kmem_cache *cache, stitch_gfp_t flags, int nid);
/* object: of this cache, or NULL. Kernel: kmem_cache_free. */
void stitch_kmem_cache_free(struct stitch_kmem_cache *cache, void *object);

/*
 * `count` objects, or none: returns count or 0. Kernel: kmem_cache_alloc_bulk,
 * kmem_cache_free_bulk.
 */
int stitch_kmem_cache_alloc_bulk(struct stitch_kmem_cache *cache, stitch_gfp_t flags, size_t count,
				 void **objects);
void stitch_kmem_cache_free_bulk(struct stitch_kmem_cache *cache, size_t count, void **objects);

/*
 * Give the pages of slabs without a live object back. 0: none is left with objects or without.
 * May sleep. Kernel: kmem_cache_shrink.
 */
int stitch_kmem_cache_shrink(struct stitch_kmem_cache *cache);

/*
 * The end of a cache. Objects that are alive are listed on standard error, the first 64 by
 * address, with who allocated them where STORE_USER or leaks=full tells; then the cache stays as
 * it is, unusable but for frees. Of an alias only the handle ends, and nothing is listed. NULL:
 * nothing. May sleep. Kernel: kmem_cache_destroy.
 */
void stitch_kmem_cache_destroy(struct stitch_kmem_cache *cache);

/* Bytes of an object, as asked for; ksize of an alias' may be more. Kernel: kmem_cache_size. */
unsigned int stitch_kmem_cache_size(const struct stitch_kmem_cache *cache);

#ifdef __cplusplus
}
#endif

#endif
