/*
 * stitch.h - the public interface of stitchmalloc beyond malloc and its family.
 *
 * Programs need it only to ask whether, and which, stitchmalloc they run on, and what they have
 * lost so far: look the functions up with dlsym(RTLD_DEFAULT, "stitch_version"), or link with
 * -lstitchmalloc and call them.
 */
#ifndef STITCH_STITCH_H
#define STITCH_STITCH_H

#define STITCH_VERSION_MAJOR 0
#define STITCH_VERSION_MINOR 1
#define STITCH_VERSION_PATCH 0

#ifdef __cplusplus
extern "C" {
#endif

/* Version of the library at run time, "major.minor.patch". */
const char *stitch_version(void);

/*
 * What has the program lost by now? Writes a leak report, if there is something to list, to where
 * that of the program's end goes: log_path=, or standard error. No option is needed; with
 * leaks=full there are stacks and exact sizes. Flags:
 *
 *	STITCH_LEAKS_NEW	only of what was not lost at the last scan on demand yet. (An object
 *				that was freed although it was taken for lost, and whose address
 *				another has that is lost now, is not told from it.)
 *	STITCH_LEAKS_ALWAYS	a report though there is nothing to list
 *	STITCH_LEAKS_QUIET	no report
 *
 * Returns how many bytes are lost for certain, with all that only these hold; -1 and errno:
 * EINVAL: unknown flags; EBUSY: another scan is under way; ENOSYS: malloc is not ours, or built
 * without leak checks; EAGAIN: it could not be done, a line on standard error says why.
 *
 * The other threads stand still while the process is copied, as long as a fork takes; calls
 * that they are in may end with EINTR. The copy looks and reports, the calling thread waits for it.
 * The copy is no child that wait() or SIGCHLD tell of, but one that waitpid() with __WALL
 * would take. Where a filter allows no copy the other threads stand still all the time. Memory
 * that is marked MADV_DONTFORK or MADV_WIPEONFORK is not seen: what only it points to is
 * taken for lost.
 *
 * Thread-safe; not for signal handlers (there is the option leak_signal=), and no handler that
 * comes meanwhile may leave it by longjmp. No cancellation point.
 */
#define STITCH_LEAKS_NEW 1u
#define STITCH_LEAKS_ALWAYS 2u
#define STITCH_LEAKS_QUIET 4u

long stitch_leak_scan(unsigned int flags);

#ifdef __cplusplus
}
#endif

#endif
