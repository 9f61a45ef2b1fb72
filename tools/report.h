/* report.h - `stitchmalloc report PID NAME`. */
#ifndef TOOLS_REPORT_H
#define TOOLS_REPORT_H

/* name: NULL: list the names. Returns the status to exit with. */
int report(const char *pid, const char *name);

#endif
