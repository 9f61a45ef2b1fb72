/*
 * kernel_memcontrol.h - the kernel's own names for stitch/memcontrol.h, as stitch/kernel.h has them
 * for the rest. There groups are made by mkdir; here mem_cgroup_create does.
 */
#ifndef STITCH_KERNEL_MEMCONTROL_H
#define STITCH_KERNEL_MEMCONTROL_H

#include "stitch/memcontrol.h"

#define mem_cgroup stitch_mem_cgroup /* struct mem_cgroup */
#define mem_cgroup_create stitch_mem_cgroup_create
#define mem_cgroup_destroy stitch_mem_cgroup_destroy
#define set_active_memcg stitch_set_active_memcg
#define mem_cgroup_from_slab_obj(object) stitch_mem_cgroup_from_obj(object)

#endif
