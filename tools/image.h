/*
 * image.h - finds what a library in another process exports, by reading the process's memory.
 */
#ifndef TOOLS_IMAGE_H
#define TOOLS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef bool image_peek_fn(void *context, uint64_t address, void *to, size_t bytes);

/*
 * The symbol's address, in any file that is mapped from its beginning; 0: it is in none. tid: a
 * thread of the process that has not ended.
 */
uint64_t image_find(pid_t pid, pid_t tid, const char *name, image_peek_fn *fn, void *context);

#endif
