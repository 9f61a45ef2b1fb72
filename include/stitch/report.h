/*
 * report.h - what the kernel shows in /proc, of this process's heap, in the kernel's text.
 */
#ifndef STITCH_REPORT_H
#define STITCH_REPORT_H

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Write a report to a descriptor. name is one of
 *
 *	buddyinfo pagetypeinfo slabinfo vmallocinfo zoneinfo meminfo vmstat
 *	extfrag_index unusable_index resident_unusable_index
 *	memblock_memory memblock_reserved memcg
 *
 * Each has the form of the kernel's file of that name (Linux 6.12); src/proc/README.md says which
 * fields there are. memcg is ours: a line for each group of stitch/memcontrol.h.
 * resident_unusable_index is ours: unusable_index over blocks with frames only: the share of free
 * resident memory that stitching can recover for a request of that order. A report of a process
 * that works meanwhile is of several moments. `stitchmalloc report PID NAME` shows the same of
 * another process.
 *
 * Returns 0, or -1 and errno: EINVAL: no such name; ENOSYS: malloc is not ours; or what write(2)
 * said. Thread-safe; not for signal handlers; needs 48 KiB of stack.
 */
int stitch_report(int fd, const char *name);

#ifdef __cplusplus
}
#endif

#endif
