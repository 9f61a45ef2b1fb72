/*
 * kernel_devm.h - the kernel's own names for the functions of stitch/devm.h; part of
 * stitch/kernel.h.
 */
#ifndef STITCH_KERNEL_DEVM_H
#define STITCH_KERNEL_DEVM_H

#include <errno.h>

#include "stitch/devm.h"

/* The kernel's functions return the error, negative. */
static inline int stitch_negative_errno(int result)
{
	return result < 0 ? -errno : result;
}

#define device stitch_device /* struct device */
#define device_initialize(dev) stitch_device_init(dev, NULL)
#define devres_release_all(dev) \
	stitch_negative_errno(stitch_device_release(dev))
#define devm_kmalloc stitch_devm_kmalloc
#define devm_kzalloc stitch_devm_kzalloc
#define devm_kmalloc_array stitch_devm_kmalloc_array
#define devm_kcalloc stitch_devm_kcalloc
#define devm_krealloc stitch_devm_krealloc
#define devm_kstrdup stitch_devm_kstrdup
#define devm_kmemdup stitch_devm_kmemdup
#define devm_kfree stitch_devm_kfree
#define devm_get_free_pages stitch_devm_get_free_pages
#define devm_free_pages stitch_devm_free_pages
#define devm_add_action(dev, action, data) \
	stitch_negative_errno(stitch_devm_add_action(dev, action, data))
#define devm_add_action_or_reset(dev, action, data) \
	stitch_negative_errno(stitch_devm_add_action_or_reset(dev, action, data))
#define devm_remove_action(dev, action, data) \
	stitch_negative_errno(stitch_devm_remove_action(dev, action, data))
#define devm_remove_action_nowarn(dev, action, data) \
	stitch_negative_errno(stitch_devm_remove_action(dev, action, data))
#define devm_release_action(dev, action, data) \
	stitch_negative_errno(stitch_devm_release_action(dev, action, data))
#define devres_open_group stitch_devres_open_group
#define devres_close_group(dev, id) \
	stitch_negative_errno(stitch_devres_close_group(dev, id))
#define devres_remove_group(dev, id) \
	stitch_negative_errno(stitch_devres_remove_group(dev, id))
#define devres_release_group(dev, id) \
	stitch_negative_errno(stitch_devres_release_group(dev, id))

#endif
