/*
 * kernel_lists.h - the kernel's own names for what stitch/list.h, list_sort.h, hlist.h,
 * hashtable.h, plist.h, klist.h and kfifo.h have. Part of stitch/kernel.h.
 *
 * Names with two underscores are those that code outside the kernel's lists uses, too.
 */
#ifndef STITCH_KERNEL_LISTS_H
#define STITCH_KERNEL_LISTS_H

#include "stitch/hashtable.h"
#include "stitch/kfifo.h"
#include "stitch/klist.h"
#include "stitch/list_sort.h"
#include "stitch/plist.h"

#ifndef container_of
#define container_of stitch_container_of
#endif

/* --- lists ---------------------------------------------------------------------------------- */

#define list_head stitch_list_head /* struct */
#define LIST_POISON1 STITCH_LIST_POISON1
#define LIST_POISON2 STITCH_LIST_POISON2
#define LIST_HEAD_INIT STITCH_LIST_HEAD_INIT
/* <sys/queue.h> has one of another kind: no file can use both; include that one before. */
#undef LIST_HEAD
#define LIST_HEAD STITCH_LIST_HEAD
#define INIT_LIST_HEAD stitch_init_list_head
#define __list_add stitch_list_add_between
#define list_add stitch_list_add
#define list_add_tail stitch_list_add_tail
#define __list_del stitch_list_join
#define __list_del_entry stitch_list_del_entry
#define list_del stitch_list_del
#define list_del_init stitch_list_del_init
#define list_del_init_careful stitch_list_del_init_careful
#define list_replace stitch_list_replace
#define list_replace_init stitch_list_replace_init
#define list_swap stitch_list_swap
#define list_move stitch_list_move
#define list_move_tail stitch_list_move_tail
#define list_empty stitch_list_empty
#define list_empty_careful stitch_list_empty_careful
#define list_is_singular stitch_list_is_singular
#define list_is_first stitch_list_is_first
#define list_is_last stitch_list_is_last
#define list_is_head stitch_list_is_head
#define list_count_nodes stitch_list_count_nodes
#define list_bulk_move_tail stitch_list_bulk_move_tail
#define list_rotate_left stitch_list_rotate_left
#define list_rotate_to_front stitch_list_rotate_to_front
#define list_cut_position stitch_list_cut_position
#define list_cut_before stitch_list_cut_before
#define __list_splice stitch_list_splice_between
#define list_splice stitch_list_splice
#define list_splice_tail stitch_list_splice_tail
#define list_splice_init stitch_list_splice_init
#define list_splice_tail_init stitch_list_splice_tail_init
#define list_entry stitch_list_entry
#define list_first_entry stitch_list_first_entry
#define list_last_entry stitch_list_last_entry
#define list_next_entry stitch_list_next_entry
#define list_prev_entry stitch_list_prev_entry
#define list_entry_is_head stitch_list_entry_is_head
#define list_first_entry_or_null stitch_list_first_entry_or_null
#define list_last_entry_or_null stitch_list_last_entry_or_null
#define list_next_entry_circular stitch_list_next_entry_circular
#define list_prev_entry_circular stitch_list_prev_entry_circular
#define list_for_each stitch_list_for_each
#define list_for_each_continue stitch_list_for_each_continue
#define list_for_each_prev stitch_list_for_each_prev
#define list_for_each_safe stitch_list_for_each_safe
#define list_for_each_prev_safe stitch_list_for_each_prev_safe
#define list_for_each_entry stitch_list_for_each_entry
#define list_for_each_entry_reverse stitch_list_for_each_entry_reverse
#define list_prepare_entry stitch_list_prepare_entry
#define list_for_each_entry_continue stitch_list_for_each_entry_continue
#define list_for_each_entry_continue_reverse stitch_list_for_each_entry_continue_reverse
#define list_for_each_entry_from stitch_list_for_each_entry_from
#define list_for_each_entry_from_reverse stitch_list_for_each_entry_from_reverse
#define list_for_each_entry_safe stitch_list_for_each_entry_safe
#define list_for_each_entry_safe_continue stitch_list_for_each_entry_safe_continue
#define list_for_each_entry_safe_from stitch_list_for_each_entry_safe_from
#define list_for_each_entry_safe_reverse stitch_list_for_each_entry_safe_reverse
#define list_safe_reset_next stitch_list_safe_reset_next
typedef stitch_list_cmp_t *list_cmp_func_t;
#define list_sort stitch_list_sort

/* --- lists with a head of one pointer ------------------------------------------------------- */

#define hlist_node stitch_hlist_node /* struct */
#define hlist_head stitch_hlist_head /* struct */
#define HLIST_HEAD_INIT STITCH_HLIST_HEAD_INIT
#define HLIST_HEAD STITCH_HLIST_HEAD
#define INIT_HLIST_HEAD stitch_init_hlist_head
#define INIT_HLIST_NODE stitch_init_hlist_node
#define hlist_empty stitch_hlist_empty
#define hlist_unhashed stitch_hlist_unhashed
#define hlist_unhashed_lockless stitch_hlist_unhashed_lockless
#define hlist_add_head stitch_hlist_add_head
#define hlist_add_before stitch_hlist_add_before
#define hlist_add_behind stitch_hlist_add_behind
#define __hlist_del stitch_hlist_del_entry
#define hlist_del stitch_hlist_del
#define hlist_del_init stitch_hlist_del_init
#define hlist_add_fake stitch_hlist_add_fake
#define hlist_fake stitch_hlist_fake
#define hlist_is_singular_node stitch_hlist_is_singular_node
#define hlist_move_list stitch_hlist_move_list
#define hlist_splice_init stitch_hlist_splice_init
#define hlist_count_nodes stitch_hlist_count_nodes
#define hlist_entry stitch_hlist_entry
#define hlist_entry_safe stitch_hlist_entry_safe
#define hlist_for_each stitch_hlist_for_each
#define hlist_for_each_safe stitch_hlist_for_each_safe
#define hlist_for_each_entry stitch_hlist_for_each_entry
#define hlist_for_each_entry_continue stitch_hlist_for_each_entry_continue
#define hlist_for_each_entry_from stitch_hlist_for_each_entry_from
#define hlist_for_each_entry_safe stitch_hlist_for_each_entry_safe

/* --- hash tables ---------------------------------------------------------------------------- */

#define hash_32 stitch_hash_32
#define hash_64 stitch_hash_64
#define hash_long stitch_hash_long
#define hash_ptr stitch_hash_ptr
#define hash_min stitch_hash_min
#define DEFINE_HASHTABLE STITCH_DEFINE_HASHTABLE
#define DECLARE_HASHTABLE STITCH_DECLARE_HASHTABLE
#define HASH_SIZE STITCH_HASH_SIZE
#define HASH_BITS STITCH_HASH_BITS
#define hash_init stitch_hash_init
#define hash_add stitch_hash_add
#define hash_hashed stitch_hash_hashed
#define hash_del stitch_hash_del
#define hash_empty stitch_hash_empty
#define hash_for_each stitch_hash_for_each
#define hash_for_each_safe stitch_hash_for_each_safe
#define hash_for_each_possible stitch_hash_for_each_possible
#define hash_for_each_possible_safe stitch_hash_for_each_possible_safe

/* --- lists by priority ---------------------------------------------------------------------- */

#define plist_head stitch_plist_head /* struct */
#define plist_node stitch_plist_node /* struct */
#define PLIST_HEAD_INIT STITCH_PLIST_HEAD_INIT
#define PLIST_HEAD STITCH_PLIST_HEAD
#define PLIST_NODE_INIT STITCH_PLIST_NODE_INIT
#define plist_head_init stitch_plist_head_init
#define plist_node_init stitch_plist_node_init
#define plist_head_empty stitch_plist_head_empty
#define plist_node_empty stitch_plist_node_empty
#define plist_first stitch_plist_first
#define plist_last stitch_plist_last
#define plist_first_entry stitch_plist_first_entry
#define plist_last_entry stitch_plist_last_entry
#define plist_next stitch_plist_next
#define plist_prev stitch_plist_prev
#define plist_add stitch_plist_add
#define plist_del stitch_plist_del
#define plist_requeue stitch_plist_requeue
#define plist_for_each stitch_plist_for_each
#define plist_for_each_continue stitch_plist_for_each_continue
#define plist_for_each_safe stitch_plist_for_each_safe
#define plist_for_each_entry stitch_plist_for_each_entry
#define plist_for_each_entry_continue stitch_plist_for_each_entry_continue
#define plist_for_each_entry_safe stitch_plist_for_each_entry_safe

/* --- lists that are walked while they change ------------------------------------------------ */

#define klist_node stitch_klist_node /* struct */
#define klist stitch_klist /* struct */
#define klist_iter stitch_klist_iter /* struct */
#define KLIST_INIT STITCH_KLIST_INIT
#define DEFINE_KLIST STITCH_DEFINE_KLIST
#define klist_init stitch_klist_init
#define klist_add_tail stitch_klist_add_tail
#define klist_add_head stitch_klist_add_head
#define klist_add_behind stitch_klist_add_behind
#define klist_add_before stitch_klist_add_before
#define klist_del stitch_klist_del
#define klist_remove stitch_klist_remove
#define klist_node_attached stitch_klist_node_attached
#define klist_iter_init_node stitch_klist_iter_init_node
#define klist_iter_init stitch_klist_iter_init
#define klist_next stitch_klist_next
#define klist_prev stitch_klist_prev
#define klist_iter_exit stitch_klist_iter_exit

/* --- rings ---------------------------------------------------------------------------------- */

#define kfifo stitch_kfifo /* struct */
#define DECLARE_KFIFO STITCH_DECLARE_KFIFO
#define DECLARE_KFIFO_PTR STITCH_DECLARE_KFIFO_PTR
#define DEFINE_KFIFO STITCH_DEFINE_KFIFO
#define INIT_KFIFO STITCH_INIT_KFIFO
#define kfifo_init stitch_kfifo_init
#define kfifo_alloc stitch_kfifo_alloc
#define kfifo_free stitch_kfifo_free
#define kfifo_reset stitch_kfifo_reset
#define kfifo_reset_out stitch_kfifo_reset_out
#define kfifo_initialized stitch_kfifo_initialized
#define kfifo_size stitch_kfifo_size
#define kfifo_esize stitch_kfifo_esize
#define kfifo_len stitch_kfifo_len
#define kfifo_avail stitch_kfifo_avail
#define kfifo_is_empty stitch_kfifo_is_empty
#define kfifo_is_full stitch_kfifo_is_full
#define kfifo_put stitch_kfifo_put
#define kfifo_get stitch_kfifo_get
#define kfifo_peek stitch_kfifo_peek
#define kfifo_in stitch_kfifo_in
#define kfifo_out stitch_kfifo_out
#define kfifo_out_peek stitch_kfifo_out_peek
#define kfifo_out_linear stitch_kfifo_out_linear
#define kfifo_out_linear_ptr stitch_kfifo_out_linear_ptr
#define kfifo_skip stitch_kfifo_skip
#define kfifo_skip_count stitch_kfifo_skip_count

#endif
