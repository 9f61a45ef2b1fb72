/* entries_report.h - see entries.h: include/stitch/report.h. */
#ifndef HOSTILE_ENTRIES_REPORT_H
#define HOSTILE_ENTRIES_REPORT_H

#include <fcntl.h>
#include <unistd.h>

#include "kernel_api.h"

static inline bool entry_report(void)
{
	int fd = open("/dev/null", O_WRONLY | O_CLOEXEC);
	bool done = fd >= 0 && !stitch_report(fd, "buddyinfo");

	close(fd);
	return done;
}

static inline bool entry_call_report(const char *name)
{
	SAYS(stitch_report, entry_report())
	return false;
}

#endif
