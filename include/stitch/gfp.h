/*
 * gfp.h - what an allocation may do, and from where: the kernel's GFP flags in a process.
 *
 * Values and names are those of Linux 6.12 (include/linux/gfp_types.h), with the prefix STITCH_;
 * stitch/kernel.h gives the bare names. A request is one of the composites, to which single flags
 * are added:
 *
 *	stitch_kmalloc(bytes, STITCH_GFP_KERNEL | STITCH__GFP_ZERO)
 *
 * Two kinds of request differ in what they promise:
 *
 *	with STITCH__GFP_DIRECT_RECLAIM (GFP_KERNEL and all that contain it): as malloc. May make
 *	system calls, fault pages in, wait for locks, and give memory back before it fails. Not for
 *	signal handlers.
 *
 *	without (GFP_ATOMIC, GFP_NOWAIT): from a reserve of resident memory. Never a system call, a
 *	page fault or a wait for anybody: safe in a signal handler that interrupts malloc itself,
 *	and in a real-time thread. NULL when the reserve is used up. It is there after the first
 *	allocation by a function of stitch/slab.h, mm.h, vmalloc.h or mempool.h with GFP_KERNEL, or
 *	stitch_reserve_fill(); before that every such request fails.
 */
#ifndef STITCH_GFP_H
#define STITCH_GFP_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef unsigned int stitch_gfp_t;

/*
 * Where from (zone modifiers). DMA: pinned huge pages (see README.md, "Zones"), up to 2 MiB in one
 * piece, which children of fork find filled with zeroes. DMA32: below 4 GiB, up to 2 MiB at a
 * time. Both: DMA. kmalloc and its like and pages have them; caches refuse them. HIGHMEM: pages
 * outside the address space, for stitch_alloc_pages() only (stitch/highmem.h). A request that is
 * refused for its zone fails, and the first time a line on standard error says so. MOVABLE,
 * RECLAIMABLE: accepted, without effect: all memory of a process is movable.
 */
#define STITCH__GFP_DMA 0x1u
#define STITCH__GFP_HIGHMEM 0x2u
#define STITCH__GFP_DMA32 0x4u
#define STITCH__GFP_MOVABLE 0x8u
#define STITCH__GFP_RECLAIMABLE 0x10u

/*
 * How deep into the reserve. HIGH: below its low mark, as GFP_ATOMIC does. MEMALLOC: all of it, for
 * who is about to free more than that. NOMEMALLOC: not even in a scope of
 * stitch_memalloc_noreclaim_save().
 */
#define STITCH__GFP_HIGH 0x20u
#define STITCH__GFP_MEMALLOC 0x20000u
#define STITCH__GFP_NOMEMALLOC 0x80000u

/*
 * What it may do. DIRECT_RECLAIM: everything that malloc may (above); also to wake the background
 * thread (stitch/shrinker.h). KSWAPD_RECLAIM: accepted, without effect: who may not wait makes no
 * system call for others. IO, FS: what shrinkers of the program may do (stitch/shrinker.h); the
 * allocator itself writes nothing. WRITE: accepted, without effect.
 */
#define STITCH__GFP_IO 0x40u
#define STITCH__GFP_FS 0x80u
#define STITCH__GFP_DIRECT_RECLAIM 0x400u
#define STITCH__GFP_KSWAPD_RECLAIM 0x800u
#define STITCH__GFP_WRITE 0x1000u

/*
 * How it fails. NORETRY: NULL at once when there is no memory. RETRY_MAYFAIL: tries again after all
 * that can be given back was, then NULL. Neither: as RETRY_MAYFAIL. NOFAIL: waits until there is
 * memory, for ever if need be; only with DIRECT_RECLAIM. NOWARN: nothing is printed about it; else
 * a failure with DIRECT_RECLAIM is reported on standard error as the kernel does ("page allocation
 * failure", with the free blocks), at most 10 times in 5 seconds.
 */
#define STITCH__GFP_NOWARN 0x2000u
#define STITCH__GFP_RETRY_MAYFAIL 0x4000u
#define STITCH__GFP_NOFAIL 0x8000u
#define STITCH__GFP_NORETRY 0x10000u

/*
 * What is given. ZERO: all bytes are zero. COLD (removed from Linux in 4.15; here on a bit that it
 * leaves free): pages that no processor's cache is likely to hold, not those that the thread has
 * freed last. THISNODE: of pages, stitch_kmalloc_node() and stitch_kmem_cache_alloc_node(): they
 * are of the node that is asked for, pages else of the thread's, or there are none (stitch/mm.h;
 * who may not wait and has no slot yet is of no node). COMP, HARDWALL, ACCOUNT, ZEROTAGS:
 * accepted, without effect.
 */
#define STITCH__GFP_ZERO 0x100u
#define STITCH__GFP_COLD 0x200u
#define STITCH__GFP_COMP 0x40000u
#define STITCH__GFP_HARDWALL 0x100000u
#define STITCH__GFP_THISNODE 0x200000u
#define STITCH__GFP_ACCOUNT 0x400000u
#define STITCH__GFP_ZEROTAGS 0x800000u
#define STITCH__GFP_BITS_MASK 0xffffffu

/* Composites. */
#define STITCH__GFP_RECLAIM (STITCH__GFP_DIRECT_RECLAIM | STITCH__GFP_KSWAPD_RECLAIM)
#define STITCH_GFP_ATOMIC (STITCH__GFP_HIGH | STITCH__GFP_KSWAPD_RECLAIM)
#define STITCH_GFP_NOWAIT (STITCH__GFP_KSWAPD_RECLAIM | STITCH__GFP_NOWARN)
#define STITCH_GFP_NOIO STITCH__GFP_RECLAIM
#define STITCH_GFP_NOFS (STITCH__GFP_RECLAIM | STITCH__GFP_IO)
#define STITCH_GFP_KERNEL (STITCH__GFP_RECLAIM | STITCH__GFP_IO | STITCH__GFP_FS)
#define STITCH_GFP_KERNEL_ACCOUNT (STITCH_GFP_KERNEL | STITCH__GFP_ACCOUNT)
#define STITCH_GFP_USER (STITCH_GFP_KERNEL | STITCH__GFP_HARDWALL)
#define STITCH_GFP_HIGHUSER (STITCH_GFP_USER | STITCH__GFP_HIGHMEM)
#define STITCH_GFP_HIGHUSER_MOVABLE (STITCH_GFP_HIGHUSER | STITCH__GFP_MOVABLE)
#define STITCH_GFP_DMA STITCH__GFP_DMA
#define STITCH_GFP_DMA32 STITCH__GFP_DMA32

/* The request may wait. Kernel: gfpflags_allow_blocking. */
static inline int stitch_gfpflags_allow_blocking(stitch_gfp_t flags)
{
	return (flags & STITCH__GFP_DIRECT_RECLAIM) != 0;
}

/*
 * Make the reserve of GFP_ATOMIC at least `bytes` large and resident. 0 bytes: as large as the
 * kernel would (min_free_kbytes: sqrt(16 x KiB of the heap), 128 KiB to 64 MiB). It is never made
 * smaller. Returns 0, or -1 and errno: ENOMEM: less could be had; ENOSYS: malloc is not ours.
 * Thread-safe; not for signal handlers. Kernel: vm.min_free_kbytes.
 */
int stitch_reserve_fill(size_t bytes);

/*
 * From here to stitch_memalloc_noreclaim_restore() the thread's requests behave as with
 * STITCH__GFP_MEMALLOC. Nests: pass what save returned to restore.
 * Any thread, signal handlers too. Kernel: memalloc_noreclaim_save (PF_MEMALLOC).
 */
unsigned int stitch_memalloc_noreclaim_save(void);
void stitch_memalloc_noreclaim_restore(unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif
