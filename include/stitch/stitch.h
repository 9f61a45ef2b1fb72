/*
 * stitch.h - the public interface of stitchmalloc beyond malloc and its family.
 *
 * Programs need it only to ask whether, and which, stitchmalloc they run on: look the function up
 * with dlsym(RTLD_DEFAULT, "stitch_version"), or link with -lstitchmalloc and call it.
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

#ifdef __cplusplus
}
#endif

#endif
