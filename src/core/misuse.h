/*
 * misuse.h - what the program did wrong to the heap: one fixed line, then params.on_error.
 *
 * L2. "stitchmalloc: free(): double free of 0x7f0012345678 (kmalloc-64)". Never allocates. Returns
 * when on_error is warn or ignore; the caller then leaves the heap as it is.
 */
#ifndef CORE_MISUSE_H
#define CORE_MISUSE_H

#include "base/compiler.h"

/* operation: "free()"; what: "double free of"; where: the cache or kind of memory. */
void misuse_report(const char *operation, const char *what, const void *pointer,
		   const char *where);

#endif
