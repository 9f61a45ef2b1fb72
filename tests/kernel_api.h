/*
 * kernel_api.h - the functions of include/stitch/, for programs that are run under the preload
 * and not linked with the library.
 */
#ifndef TESTS_KERNEL_API_H
#define TESTS_KERNEL_API_H

#include "stitch/cma.h"
#include "stitch/devm.h"
#include "stitch/gfp.h"
#include "stitch/highmem.h"
#include "stitch/memcontrol.h"
#include "stitch/mempool.h"
#include "stitch/mm.h"
#include "stitch/report.h"
#include "stitch/shrinker.h"
#include "stitch/slab.h"
#include "stitch/vmalloc.h"

#pragma weak stitch_page_is_high
#pragma weak stitch_kmap
#pragma weak stitch_kunmap
#pragma weak stitch_kmap_local_page
#pragma weak stitch_kunmap_local
#pragma weak stitch_vmap
#pragma weak stitch_vunmap
#pragma weak stitch_is_vmalloc_addr
#pragma weak stitch_vmalloc_to_page
#pragma weak stitch_report
#pragma weak stitch_mem_cgroup_create
#pragma weak stitch_mem_cgroup_destroy
#pragma weak stitch_mem_cgroup_set_max
#pragma weak stitch_set_active_memcg
#pragma weak stitch_get_active_memcg
#pragma weak stitch_mem_cgroup_from_obj
#pragma weak stitch_mem_cgroup_read
#pragma weak stitch_cma_declare
#pragma weak stitch_cma_alloc
#pragma weak stitch_cma_release
#pragma weak stitch_cma_get_base
#pragma weak stitch_cma_get_size
#pragma weak stitch_cma_get_name
#pragma weak stitch_alloc_movable_page
#pragma weak stitch_free_movable_page
#pragma weak stitch_register_shrinker
#pragma weak stitch_unregister_shrinker
#pragma weak stitch_shrink_slab
#pragma weak stitch_reserve_fill
#pragma weak stitch_memalloc_noreclaim_save
#pragma weak stitch_memalloc_noreclaim_restore
#pragma weak stitch_kmalloc
#pragma weak stitch_kzalloc
#pragma weak stitch_kmalloc_array
#pragma weak stitch_kmalloc_node
#pragma weak stitch_alloc_pages_node
#pragma weak stitch_numa_node_id
#pragma weak stitch_page_to_nid
#pragma weak stitch_kcalloc
#pragma weak stitch_krealloc
#pragma weak stitch_kfree
#pragma weak stitch_kfree_sensitive
#pragma weak stitch_ksize
#pragma weak stitch_kmalloc_size_roundup
#pragma weak stitch_kstrdup
#pragma weak stitch_kstrndup
#pragma weak stitch_kmemdup
#pragma weak stitch_kvmalloc
#pragma weak stitch_kvzalloc
#pragma weak stitch_kvcalloc
#pragma weak stitch_kvfree
#pragma weak stitch_kmem_cache_create
#pragma weak stitch_kmem_cache_alloc
#pragma weak stitch_kmem_cache_alloc_node
#pragma weak stitch_kmem_cache_zalloc
#pragma weak stitch_kmem_cache_free
#pragma weak stitch_kmem_cache_alloc_bulk
#pragma weak stitch_kmem_cache_free_bulk
#pragma weak stitch_kmem_cache_shrink
#pragma weak stitch_kmem_cache_destroy
#pragma weak stitch_kmem_cache_size
#pragma weak stitch_alloc_pages
#pragma weak stitch_free_pages_of
#pragma weak stitch_get_free_pages
#pragma weak stitch_get_zeroed_page
#pragma weak stitch_free_pages
#pragma weak stitch_alloc_pages_exact
#pragma weak stitch_free_pages_exact
#pragma weak stitch_free_cold_page
#pragma weak stitch_page_address
#pragma weak stitch_virt_to_page
#pragma weak stitch_page_to_pfn
#pragma weak stitch_pfn_to_page
#pragma weak stitch_pfn_valid
#pragma weak stitch_si_meminfo
#pragma weak stitch_vmalloc
#pragma weak stitch_vzalloc
#pragma weak stitch_vfree
#pragma weak stitch_mempool_create
#pragma weak stitch_mempool_create_slab_pool
#pragma weak stitch_mempool_create_kmalloc_pool
#pragma weak stitch_mempool_create_page_pool
#pragma weak stitch_mempool_alloc_slab
#pragma weak stitch_mempool_kmalloc
#pragma weak stitch_mempool_alloc_pages
#pragma weak stitch_mempool_free_slab
#pragma weak stitch_mempool_kfree
#pragma weak stitch_mempool_free_pages
#pragma weak stitch_mempool_resize
#pragma weak stitch_mempool_alloc
#pragma weak stitch_mempool_free
#pragma weak stitch_mempool_destroy
#pragma weak stitch_mempool_min
#pragma weak stitch_mempool_count
#pragma weak stitch_device_init
#pragma weak stitch_device_release
#pragma weak stitch_devm_kmalloc
#pragma weak stitch_devm_kzalloc
#pragma weak stitch_devm_kmalloc_array
#pragma weak stitch_devm_kcalloc
#pragma weak stitch_devm_krealloc
#pragma weak stitch_devm_kstrdup
#pragma weak stitch_devm_kmemdup
#pragma weak stitch_devm_kfree
#pragma weak stitch_devm_get_free_pages
#pragma weak stitch_devm_free_pages
#pragma weak stitch_devm_add_named_action
#pragma weak stitch_devm_add_named_action_or_reset
#pragma weak stitch_devm_remove_action
#pragma weak stitch_devm_release_action
#pragma weak stitch_devres_open_group
#pragma weak stitch_devres_close_group
#pragma weak stitch_devres_remove_group
#pragma weak stitch_devres_release_group
#pragma weak stitch_device_usage
#pragma weak stitch_device_report

#endif
