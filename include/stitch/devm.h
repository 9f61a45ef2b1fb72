/*
 * devm.h - memory and actions that belong to a device and are released with it: the kernel's
 * managed resources (include/linux/device/devres.h).
 *
 * A device is whatever opens several things and closes them all: a connection, a plugin, a
 * request. It embeds a struct stitch_device; what it acquires by these functions needs no code that
 * undoes it:
 *
 *	struct server { struct stitch_device device; char *name; int log; };
 *
 *	server->name = stitch_devm_kstrdup(&server->device, name, STITCH_GFP_KERNEL);
 *	server->log = open(path, O_WRONLY);
 *	if (stitch_devm_add_action_or_reset(&server->device, close_log, server))
 *		goto failed;
 *	...
 *	failed:
 *	stitch_device_release(&server->device);	 newest first, whatever there is
 *
 * Unless said otherwise: any thread may call, for a device that others use, too; sizes are bytes;
 * functions without flags may wait for a lock and are not for signal handlers. With
 * STITCH_GFP_ATOMIC or STITCH_GFP_NOWAIT those with flags may be called in signal handlers
 * (stitch/gfp.h), but for krealloc. NULL is returned when there is no memory, or -1, and errno is
 * then ENOMEM; EINVAL when the device is NULL; errno is left alone by what succeeds.
 *
 * Releases run in the reverse order of acquisition, one after the other, in the thread that has
 * asked for them and without any lock held: an action may allocate, free and release by these
 * functions, from the same device, too. Two threads that release a device at a time share the
 * work.
 *
 * What is freed by itself is searched for from the newest on, in time that is proportional to what
 * was acquired since.
 *
 * The child of a fork has what its parent's device owned and releases it by itself: what memory is
 * concerned it must, to have it back; an action that undoes more than memory happens in parent and
 * child. EAGAIN is the error of functions without flags where the list cannot be had: in a signal
 * handler that has interrupted malloc, while another thread's fork lasts longer than a second,
 * and in a child that a bare clone() has made while a thread of its parent was inside malloc. What
 * was not released then still belongs to the device. Memory of GFP_DMA is not the child's, nor is
 * what was acquired before such memory.
 */
#ifndef STITCH_DEVM_H
#define STITCH_DEVM_H

#include "stitch/gfp.h"

#ifdef __cplusplus
extern "C" {
#endif

/*
 * What owns. With all bytes zero it is a device without a name that owns nothing; it may be moved
 * (memcpy, realloc) while nobody uses it. Kernel: struct device.
 */
struct stitch_device {
	const char *name; /* for reports; not copied; NULL: none */
	unsigned long internal[3];
};

/* Of a static one. Kernel: none; there a device is never static. */
#define STITCH_DEVICE_INIT(device_name) { (device_name), { 0, 0, 0 } }

/*
 * A device that owns nothing. name: not copied; for reports; or NULL. Anywhere. Kernel:
 * device_initialize, dev_set_name.
 */
void stitch_device_init(struct stitch_device *device, const char *name);

/*
 * Release all that the device owns, newest first; what releases add is released next, so that in
 * the end there is nothing (a release that adds another each time never comes to an end). The
 * device can be used again. Returns how many resources it has released, or -1 and errno: EAGAIN:
 * what is left still belongs to the device; EINVAL. May sleep, as the actions do. Kernel:
 * devres_release_all, which leaves what is added meanwhile.
 */
int stitch_device_release(struct stitch_device *device);

/*
 * --- memory ------------------------------------------------------------------------------------
 *
 * Aligned to 16 bytes. Not to be freed by stitch_kfree or free: it lies behind 32 bytes of ours.
 */

/* As stitch_kmalloc. 0 bytes: STITCH_ZERO_SIZE_PTR. Kernel: devm_kmalloc, devm_kzalloc. */
void *stitch_devm_kmalloc(struct stitch_device *device, size_t bytes, stitch_gfp_t flags);
void *stitch_devm_kzalloc(struct stitch_device *device, size_t bytes, stitch_gfp_t flags);
/* count x bytes; NULL when that overflows. Kernel: devm_kmalloc_array, devm_kcalloc. */
void *stitch_devm_kmalloc_array(struct stitch_device *device, size_t count, size_t bytes,
				stitch_gfp_t flags);
void *stitch_devm_kcalloc(struct stitch_device *device, size_t count, size_t bytes,
			  stitch_gfp_t flags);
/*
 * Resize; contents up to the smaller size stay, and so does its place in the order of releases. A
 * smaller object stays where it is. object NULL: as kmalloc. bytes 0: as kfree, returns
 * STITCH_ZERO_SIZE_PTR. NULL: the object is untouched; errno also EINVAL: the device does not own
 * it; EAGAIN. STITCH__GFP_ZERO: what is new is zero. Not for signal handlers. Kernel:
 * devm_krealloc.
 */
void *stitch_devm_krealloc(struct stitch_device *device, void *object, size_t bytes,
			   stitch_gfp_t flags);
/* Copies; NULL of NULL. Kernel: devm_kstrdup, devm_kmemdup. */
char *stitch_devm_kstrdup(struct stitch_device *device, const char *text, stitch_gfp_t flags);
void *stitch_devm_kmemdup(struct stitch_device *device, const void *source, size_t bytes,
			  stitch_gfp_t flags);
/*
 * Free it before the device is released. What the device does not own is a misuse as a wrong
 * pointer to free() is (on_error=). NULL and STITCH_ZERO_SIZE_PTR: nothing. Leaves errno alone;
 * where others fail with EAGAIN the object waits for stitch_device_release. Kernel: devm_kfree,
 * which warns.
 */
void stitch_devm_kfree(struct stitch_device *device, const void *object);

/*
 * 2^order pages, aligned to their size: their address, or 0. free: as kfree above; 0: nothing.
 * Kernel: devm_get_free_pages, devm_free_pages.
 */
unsigned long stitch_devm_get_free_pages(struct stitch_device *device, stitch_gfp_t flags,
					 unsigned int order);
void stitch_devm_free_pages(struct stitch_device *device, unsigned long address);

/*
 * --- actions -----------------------------------------------------------------------------------
 */

/*
 * At the release action(data) is called. May sleep. 0, or -1 and errno: ENOMEM, EINVAL (no device,
 * no action). `or_reset`: action(data) is called at once if that fails, so that the caller has
 * nothing to undo. The macros give the reports the action's name; the functions take it (not
 * copied; NULL: none), and flags. Kernel: devm_add_action, devm_add_action_or_reset,
 * __devm_add_action.
 */
int stitch_devm_add_named_action(struct stitch_device *device, void (*action)(void *data),
				 void *data, const char *name, stitch_gfp_t flags);
int stitch_devm_add_named_action_or_reset(struct stitch_device *device,
					  void (*action)(void *data), void *data,
					  const char *name, stitch_gfp_t flags);
#define stitch_devm_add_action(device, action, data) \
	stitch_devm_add_named_action(device, action, data, #action, STITCH_GFP_KERNEL)
#define stitch_devm_add_action_or_reset(device, action, data) \
	stitch_devm_add_named_action_or_reset(device, action, data, #action, STITCH_GFP_KERNEL)

/*
 * Forget the newest such action; release: after having called it. 0, or -1 and errno: ENOENT: there
 * is none; EAGAIN, EINVAL. Kernel: devm_remove_action_nowarn, devm_release_action.
 */
int stitch_devm_remove_action(struct stitch_device *device, void (*action)(void *data), void *data);
int stitch_devm_release_action(struct stitch_device *device, void (*action)(void *data),
			       void *data);

/*
 * --- groups ------------------------------------------------------------------------------------
 *
 * What is acquired between open and close can be released at once; an open group goes on to the
 * newest. Groups may nest and overlap.
 */

/*
 * A group begins. id: what it is known by later, best an address of the caller's own; NULL: one is
 * made. Returns the id, or NULL. Kernel: devres_open_group.
 */
void *stitch_devres_open_group(struct stitch_device *device, void *id, stitch_gfp_t flags);
/*
 * The newest group with this id; id NULL: the newest open one. Each returns -1 and errno where it
 * can do nothing: ENOENT: there is no such group; EAGAIN; EINVAL: no device, or close of a closed
 * group. close, remove: 0. remove: the group is forgotten, what it has stays the device's.
 * release: what it has is released, newest first, with groups that are wholly inside, and open ones
 * that began inside; the rest of one that overlaps stays a group; what its releases add is not part
 * of it. Returns how many resources it has released; in time that is proportional to their number
 * times that of what was acquired after the group. From its begin on there is no such group any
 * more: if it does not come to its end (EAGAIN; an action that does not return) what is left is
 * released by stitch_device_release() only. Kernel: devres_close_group, devres_remove_group,
 * devres_release_group, which warn.
 */
int stitch_devres_close_group(struct stitch_device *device, void *id);
int stitch_devres_remove_group(struct stitch_device *device, void *id);
int stitch_devres_release_group(struct stitch_device *device, void *id);

/*
 * --- reports -----------------------------------------------------------------------------------
 */

struct stitch_device_resources {
	unsigned long nr_resources; /* objects, pieces of pages, actions */
	unsigned long nr_groups;
	unsigned long bytes; /* as they were asked for; actions have none */
};

/* What the device owns at this moment. 0, or -1 and errno: EAGAIN, EINVAL. Kernel: none. */
int stitch_device_usage(const struct stitch_device *device, struct stitch_device_resources *usage);

/*
 * Write to a descriptor what the device owns, a line each, newest first: in the order of its
 * release. What comes and goes meanwhile may be missing or there. Needs 4 KiB of stack. 0, or -1
 * and errno: EAGAIN, EINVAL, or what write(2) said. Kernel: devres.log=1, which prints them as
 * they come.
 */
int stitch_device_report(const struct stitch_device *device, int fd);

#ifdef __cplusplus
}
#endif

#endif
