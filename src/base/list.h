/*
 * list.h - the list of include/stitch/list.h under its kernel names, as the layers use it.
 *
 * L0. The caller owns the nodes and provides any locking. Nodes that leave a list are left stale
 * (__list_del_entry): the kernel's list_del poisons their links, two stores more.
 */
#ifndef BASE_LIST_H
#define BASE_LIST_H

#include "base/compiler.h"
#include "stitch/list.h"

#define list_head stitch_list_head
#define INIT_LIST_HEAD stitch_init_list_head
#define list_empty stitch_list_empty
#define list_count_nodes stitch_list_count_nodes
#define list_add stitch_list_add
#define list_add_tail stitch_list_add_tail
#define list_move stitch_list_move
#define list_move_tail stitch_list_move_tail
#define __list_del_entry stitch_list_del_entry
#define list_entry stitch_list_entry
#define list_first_entry stitch_list_first_entry
#define list_first_entry_or_null stitch_list_first_entry_or_null
#define list_last_entry stitch_list_last_entry
#define list_for_each_entry stitch_list_for_each_entry
#define list_for_each_entry_safe stitch_list_for_each_entry_safe

#endif
