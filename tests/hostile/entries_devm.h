/* entries_devm.h - see entries.h: include/stitch/devm.h. */
#ifndef HOSTILE_ENTRIES_DEVM_H
#define HOSTILE_ENTRIES_DEVM_H

#include <fcntl.h>
#include <unistd.h>

#include "kernel_api.h"


static struct stitch_device entry_device;

static inline void entry_count(void *nr)
{
	++*(int *)nr;
}

/* What was made for it is there, and goes with it. */
static inline bool entry_releases(bool made, int nr)
{
	return made && stitch_device_release(&entry_device) == nr;
}

/* In each way that it can end. */
static inline bool entry_action(bool release)
{
	int nr = 0;

	if (stitch_devm_add_action(&entry_device, entry_count, &nr))
		return false;
	if (release)
		return !stitch_devm_release_action(&entry_device, entry_count, &nr) && nr == 1;
	return !stitch_devm_remove_action(&entry_device, entry_count, &nr) && !nr;
}

static inline bool entry_add_action(bool or_reset)
{
	int nr = 0;
	bool added = or_reset ?
			     !stitch_devm_add_action_or_reset(&entry_device, entry_count, &nr) :
			     !stitch_devm_add_action(&entry_device, entry_count, &nr);

	return entry_releases(added, 1) && nr == 1;
}

static inline bool entry_group(bool remove)
{
	void *id = stitch_devres_open_group(&entry_device, NULL, STITCH_GFP_KERNEL);

	if (!id || stitch_devres_close_group(&entry_device, id))
		return false;
	return remove ? !stitch_devres_remove_group(&entry_device, id) :
			!stitch_devres_release_group(&entry_device, id);
}

static inline bool entry_device_report(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && !stitch_device_report(&entry_device, fd);

	close(fd);
	return done;
}

static inline bool entry_device_usage(void)
{
	struct stitch_device_resources usage;

	return !stitch_device_usage(&entry_device, &usage) && !usage.nr_resources;
}

static inline bool entry_call_devm_memory(const char *name)
{
	SAYS(stitch_devm_kmalloc,
	     entry_releases(stitch_devm_kmalloc(&entry_device, 100, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kzalloc,
	     entry_releases(stitch_devm_kzalloc(&entry_device, 100, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kmalloc_array,
	     entry_releases(stitch_devm_kmalloc_array(&entry_device, 9, 9, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kcalloc,
	     entry_releases(stitch_devm_kcalloc(&entry_device, 9, 9, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_krealloc,
	     entry_releases(stitch_devm_krealloc(&entry_device, NULL, 100, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kstrdup,
	     entry_releases(stitch_devm_kstrdup(&entry_device, "a", STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kmemdup,
	     entry_releases(stitch_devm_kmemdup(&entry_device, "a", 2, STITCH_GFP_KERNEL), 1))
	SAYS(stitch_devm_kfree, (stitch_devm_kfree(&entry_device, NULL), true))
	SAYS(stitch_devm_get_free_pages,
	     entry_releases(stitch_devm_get_free_pages(&entry_device, STITCH_GFP_KERNEL, 1), 1))
	SAYS(stitch_devm_free_pages, (stitch_devm_free_pages(&entry_device, 0), true))
	return false;
}

static inline bool entry_call_devm(const char *name)
{
	SAYS(stitch_device_init, (stitch_device_init(&entry_device, "entries"), true))
	SAYS(stitch_device_release, !stitch_device_release(&entry_device))
	SAYS(stitch_device_usage, entry_device_usage())
	SAYS(stitch_device_report, entry_device_report())
	SAYS(stitch_devm_add_named_action, entry_add_action(false))
	SAYS(stitch_devm_add_named_action_or_reset, entry_add_action(true))
	SAYS(stitch_devm_remove_action, entry_action(false))
	SAYS(stitch_devm_release_action, entry_action(true))
	SAYS(stitch_devres_open_group, entry_group(false))
	SAYS(stitch_devres_close_group, entry_group(true))
	SAYS(stitch_devres_remove_group, entry_group(true))
	SAYS(stitch_devres_release_group, entry_group(false))
	return entry_call_devm_memory(name);
}

#endif
