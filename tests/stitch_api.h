/*
 * stitch_api.h - the whole malloc family as the fuzz and stress programs call it.
 *
 * The programs are linked with the library built under a prefix (preload/ with
 * -DSTITCH_PREFIX=1), so that libc keeps its own heap and a fault in ours cannot take the
 * test's own bookkeeping with it. With -DUSE_LIBC the same names mean the malloc that the
 * process has: glibc's, or any other by LD_PRELOAD. That is how the programs themselves are
 * checked; add -fno-builtin then: the compiler believes it knows what those functions do to errno.
 */
#ifndef TESTS_STITCH_API_H
#define TESTS_STITCH_API_H

#include <malloc.h>
#include <stddef.h>
#include <stdlib.h>

/* Sanitizers keep books of their own, several times as large as what they watch. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define SANITIZED 1
#else
#define SANITIZED 0
#endif

#ifdef USE_LIBC

#define USES_LIBC 1

#define stitch_malloc malloc
#define stitch_calloc calloc
#define stitch_realloc realloc
#define stitch_reallocarray reallocarray
#define stitch_posix_memalign posix_memalign
#define stitch_aligned_alloc aligned_alloc
#define stitch_memalign memalign
#define stitch_valloc valloc
#define stitch_pvalloc pvalloc
#define stitch_malloc_usable_size malloc_usable_size
#define stitch_free free
#define stitch_malloc_trim malloc_trim
#define stitch_mallinfo2 mallinfo2
/* glibc has the sized forms from 2.43 on only. */
#define stitch_free_sized(object, bytes) ((void)(bytes), free(object))
#define stitch_free_aligned_sized(object, align, bytes) \
	((void)(align), (void)(bytes), free(object))

#else

#define USES_LIBC 0

void *stitch_malloc(size_t bytes);
void *stitch_calloc(size_t count, size_t bytes);
void *stitch_realloc(void *object, size_t bytes);
void *stitch_reallocarray(void *object, size_t count, size_t bytes);
int stitch_posix_memalign(void **object, size_t align, size_t bytes);
void *stitch_aligned_alloc(size_t align, size_t bytes);
void *stitch_memalign(size_t align, size_t bytes);
void *stitch_valloc(size_t bytes);
void *stitch_pvalloc(size_t bytes);
size_t stitch_malloc_usable_size(void *object);
void stitch_free(void *object);
void stitch_free_sized(void *object, size_t bytes);
void stitch_free_aligned_sized(void *object, size_t align, size_t bytes);
int stitch_malloc_trim(size_t pad);
struct mallinfo2 stitch_mallinfo2(void);

#endif
#endif
