/*
 * kernel_trees.h - the kernel's own names for stitch/rbtree.h, btree.h, radix_tree.h and idr.h; a
 * part of stitch/kernel.h, in C.
 *
 * Trees that are made under these names have their nodes from kmalloc: the kernel's take no cache.
 */
#ifndef STITCH_KERNEL_TREES_H
#define STITCH_KERNEL_TREES_H

#include "stitch/btree.h"
#include "stitch/idr.h"
#include "stitch/radix_tree.h"
#include "stitch/rbtree.h"

#ifndef container_of
#define container_of stitch_container_of
#endif
#define ERR_PTR stitch_err_ptr
#define PTR_ERR stitch_ptr_err
#define IS_ERR stitch_is_err

/* --- red-black trees -------------------------------------------------------------------------- */

#define rb_node stitch_rb_node /* struct rb_node, and the member of struct rb_root */
#define rb_root stitch_rb_root
#define rb_root_cached stitch_rb_root_cached
#define rb_augment_callbacks stitch_rb_augment_callbacks
#define RB_ROOT STITCH_RB_ROOT
#define RB_ROOT_CACHED STITCH_RB_ROOT_CACHED
#define RB_EMPTY_ROOT STITCH_RB_EMPTY_ROOT
#define RB_CLEAR_NODE STITCH_RB_CLEAR_NODE
#define RB_EMPTY_NODE STITCH_RB_EMPTY_NODE
#define rb_entry stitch_rb_entry
#define rb_entry_safe stitch_rb_entry_safe
#define rb_parent stitch_rb_parent
#define rb_first stitch_rb_first
#define rb_last stitch_rb_last
#define rb_next stitch_rb_next
#define rb_prev stitch_rb_prev
#define rb_first_cached stitch_rb_first_cached
#define rb_first_postorder stitch_rb_first_postorder
#define rb_next_postorder stitch_rb_next_postorder
#define rbtree_postorder_for_each_entry_safe stitch_rbtree_postorder_for_each_entry_safe
#define rb_link_node stitch_rb_link_node
#define rb_insert_color stitch_rb_insert_color
#define rb_erase stitch_rb_erase
#define rb_insert_augmented stitch_rb_insert_augmented
#define rb_erase_augmented stitch_rb_erase_augmented
#define rb_replace_node stitch_rb_replace_node
#define rb_insert_color_cached stitch_rb_insert_color_cached
#define rb_insert_augmented_cached stitch_rb_insert_augmented_cached
#define rb_erase_cached stitch_rb_erase_cached
#define rb_erase_augmented_cached stitch_rb_erase_augmented_cached
#define rb_replace_node_cached stitch_rb_replace_node_cached
#define rb_add stitch_rb_add
#define rb_add_cached stitch_rb_add_cached
#define rb_find_add stitch_rb_find_add
#define rb_find stitch_rb_find
#define rb_find_first stitch_rb_find_first
#define rb_next_match stitch_rb_next_match
#define rb_for_each stitch_rb_for_each
#define RB_DECLARE_CALLBACKS STITCH_RB_DECLARE_CALLBACKS
#define RB_DECLARE_CALLBACKS_MAX STITCH_RB_DECLARE_CALLBACKS_MAX

/* --- B+trees ---------------------------------------------------------------------------------- */

#define btree_head stitch_btree_head
#define btree_geo stitch_btree_geo
#define btree_geo32 stitch_btree_geo32
#define btree_geo64 stitch_btree_geo64
#define btree_geo128 stitch_btree_geo128
#define btree_init(head) stitch_btree_init(head, NULL)
#define btree_init_mempool stitch_btree_init_mempool
#define btree_destroy stitch_btree_destroy
#define btree_lookup stitch_btree_lookup
#define btree_insert stitch_btree_insert
#define btree_update stitch_btree_update
#define btree_remove stitch_btree_remove
#define btree_last stitch_btree_last
#define btree_get_prev stitch_btree_get_prev
#define btree_merge stitch_btree_merge
#define btree_visitor stitch_btree_visitor
#define btree_grim_visitor stitch_btree_grim_visitor

#define btree_headl stitch_btree_headl
#define btree_initl(head) stitch_btree_initl(head, NULL)
#define btree_init_mempooll stitch_btree_init_mempooll
#define btree_destroyl stitch_btree_destroyl
#define btree_lookupl stitch_btree_lookupl
#define btree_insertl stitch_btree_insertl
#define btree_updatel stitch_btree_updatel
#define btree_removel stitch_btree_removel
#define btree_lastl stitch_btree_lastl
#define btree_get_prevl stitch_btree_get_prevl
#define btree_mergel stitch_btree_mergel
#define btree_visitorl stitch_btree_visitorl
#define btree_grim_visitorl stitch_btree_grim_visitorl
#define btree_for_each_safel stitch_btree_for_each_safel
#define visitorl_t stitch_visitorl_t

#define btree_head32 stitch_btree_head32
#define btree_init32(head) stitch_btree_init32(head, NULL)
#define btree_init_mempool32 stitch_btree_init_mempool32
#define btree_destroy32 stitch_btree_destroy32
#define btree_lookup32 stitch_btree_lookup32
#define btree_insert32 stitch_btree_insert32
#define btree_update32 stitch_btree_update32
#define btree_remove32 stitch_btree_remove32
#define btree_last32 stitch_btree_last32
#define btree_get_prev32 stitch_btree_get_prev32
#define btree_merge32 stitch_btree_merge32
#define btree_visitor32 stitch_btree_visitor32
#define btree_grim_visitor32 stitch_btree_grim_visitor32
#define btree_for_each_safe32 stitch_btree_for_each_safe32
#define visitor32_t stitch_visitor32_t

#define btree_head64 stitch_btree_head64
#define btree_init64(head) stitch_btree_init64(head, NULL)
#define btree_init_mempool64 stitch_btree_init_mempool64
#define btree_destroy64 stitch_btree_destroy64
#define btree_lookup64 stitch_btree_lookup64
#define btree_insert64 stitch_btree_insert64
#define btree_update64 stitch_btree_update64
#define btree_remove64 stitch_btree_remove64
#define btree_last64 stitch_btree_last64
#define btree_get_prev64 stitch_btree_get_prev64
#define btree_merge64 stitch_btree_merge64
#define btree_visitor64 stitch_btree_visitor64
#define btree_grim_visitor64 stitch_btree_grim_visitor64
#define btree_for_each_safe64 stitch_btree_for_each_safe64
#define visitor64_t stitch_visitor64_t

#define btree_head128 stitch_btree_head128
#define btree_init128(head) stitch_btree_init128(head, NULL)
#define btree_init_mempool128 stitch_btree_init_mempool128
#define btree_destroy128 stitch_btree_destroy128
#define btree_lookup128 stitch_btree_lookup128
#define btree_insert128 stitch_btree_insert128
#define btree_update128 stitch_btree_update128
#define btree_remove128 stitch_btree_remove128
#define btree_last128 stitch_btree_last128
#define btree_get_prev128 stitch_btree_get_prev128
#define btree_merge128 stitch_btree_merge128
#define btree_visitor128 stitch_btree_visitor128
#define btree_grim_visitor128 stitch_btree_grim_visitor128
#define btree_for_each_safe128 stitch_btree_for_each_safe128
#define visitor128_t stitch_visitor128_t

/* --- radix trees and idr ---------------------------------------------------------------------- */

/*
 * The kernel's preloads are a processor's; here they are a thread's, and a source file's: preload,
 * insertion and end stand in one.
 */
static __thread struct stitch_radix_tree_nodes stitch_preloaded __attribute__((unused));

static inline int stitch_preload_here(stitch_gfp_t flags)
{
	const struct stitch_node_source kmalloc_source = { NULL, NULL };

	stitch_radix_tree_preload_end(&stitch_preloaded);
	return stitch_radix_tree_preload(&stitch_preloaded, &kmalloc_source, flags);
}

static inline void stitch_preload_end_here(void)
{
	stitch_radix_tree_preload_end(&stitch_preloaded);
}

static inline int stitch_radix_tree_insert_here(struct stitch_radix_tree_root *root,
						unsigned long index, void *item)
{
	return stitch_radix_tree_insert_preloaded(root, index, item, &stitch_preloaded);
}

static inline int stitch_idr_alloc_here(struct stitch_idr *idr, void *ptr, int start, int end,
					stitch_gfp_t flags)
{
	return stitch_idr_alloc_preloaded(idr, ptr, start, end, flags, &stitch_preloaded);
}

static inline int stitch_idr_alloc_u32_here(struct stitch_idr *idr, void *ptr, unsigned int *nextid,
					    unsigned long max, stitch_gfp_t flags)
{
	return stitch_idr_alloc_from(idr, ptr, nextid, max, flags, &stitch_preloaded);
}

static inline int stitch_idr_alloc_cyclic_here(struct stitch_idr *idr, void *ptr, int start,
					       int end, stitch_gfp_t flags)
{
	return stitch_idr_alloc_cyclic_preloaded(idr, ptr, start, end, flags, &stitch_preloaded);
}

#define radix_tree_root stitch_radix_tree_root
#define radix_tree_node stitch_radix_tree_node
#define radix_tree_iter stitch_radix_tree_iter
#define RADIX_TREE_MAP_SHIFT STITCH_RADIX_TREE_MAP_SHIFT
#define RADIX_TREE_MAP_SIZE STITCH_RADIX_TREE_MAP_SIZE
#define RADIX_TREE_MAX_TAGS STITCH_RADIX_TREE_MAX_TAGS
#define RADIX_TREE_MAX_PATH STITCH_RADIX_TREE_MAX_PATH
#define RADIX_TREE_INIT(name, flags) STITCH_RADIX_TREE_INIT(flags)
#define RADIX_TREE STITCH_RADIX_TREE
#define INIT_RADIX_TREE(root, flags) stitch_radix_tree_init(root, NULL, flags)
#define radix_tree_empty stitch_radix_tree_empty
#define radix_tree_preload stitch_preload_here
#define radix_tree_preload_end stitch_preload_end_here
#define radix_tree_insert stitch_radix_tree_insert_here
#define radix_tree_lookup stitch_radix_tree_lookup
#define radix_tree_lookup_slot stitch_radix_tree_lookup_slot
#define radix_tree_deref_slot stitch_radix_tree_deref_slot
#define radix_tree_replace_slot stitch_radix_tree_replace_slot
#define radix_tree_delete stitch_radix_tree_delete
#define radix_tree_delete_item stitch_radix_tree_delete_item
#define radix_tree_tag_set stitch_radix_tree_tag_set
#define radix_tree_tag_clear stitch_radix_tree_tag_clear
#define radix_tree_tag_get stitch_radix_tree_tag_get
#define radix_tree_tagged stitch_radix_tree_tagged
#define radix_tree_gang_lookup stitch_radix_tree_gang_lookup
#define radix_tree_gang_lookup_tag stitch_radix_tree_gang_lookup_tag
#define radix_tree_gang_lookup_slot(root, results, indices, first, max)             \
	stitch_radix_tree_gang_lookup_slot(root, results, indices, first, max,      \
					   STITCH_RADIX_TREE_ANY)
#define radix_tree_gang_lookup_tag_slot(root, results, first, max, tag) \
	stitch_radix_tree_gang_lookup_slot(root, results, NULL, first, max, tag)
#define radix_tree_for_each_slot stitch_radix_tree_for_each_slot
#define radix_tree_for_each_tagged stitch_radix_tree_for_each_tagged
#define radix_tree_iter_delete stitch_radix_tree_iter_delete

#define idr stitch_idr /* struct idr */
#define IDR_INIT(name) STITCH_IDR_INIT
#define DEFINE_IDR STITCH_DEFINE_IDR
#define idr_init(idr) stitch_idr_init(idr, NULL)
#define idr_init_base(idr, base) stitch_idr_init_base(idr, NULL, base)
#define idr_is_empty stitch_idr_is_empty
#define idr_get_cursor stitch_idr_get_cursor
#define idr_set_cursor stitch_idr_set_cursor
#define idr_preload stitch_preload_here
#define idr_preload_end stitch_preload_end_here
#define idr_alloc stitch_idr_alloc_here
#define idr_alloc_u32 stitch_idr_alloc_u32_here
#define idr_alloc_cyclic stitch_idr_alloc_cyclic_here
#define idr_find stitch_idr_find
#define idr_remove stitch_idr_remove
#define idr_replace stitch_idr_replace
#define idr_destroy stitch_idr_destroy
#define idr_for_each stitch_idr_for_each
#define idr_get_next stitch_idr_get_next
#define idr_get_next_ul stitch_idr_get_next_ul
#define idr_for_each_entry stitch_idr_for_each_entry
#define idr_for_each_entry_continue stitch_idr_for_each_entry_continue

/* Until 3.9. */
#define idr_pre_get stitch_idr_pre_get
#define idr_get_new stitch_idr_get_new
#define idr_get_new_above stitch_idr_get_new_above
#define idr_remove_all stitch_idr_destroy

#endif
