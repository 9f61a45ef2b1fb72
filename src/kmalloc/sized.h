/*
 * sized.h - frees that come with a size: is it that of the object?
 *
 * L6. For the hardened mode only: by default the program's word is not looked at, since most wrong
 * sizes (an object deleted through a base class without virtual destructor) harm nothing here.
 */
#ifndef KMALLOC_SIZED_H
#define KMALLOC_SIZED_H

#include "base/compiler.h"

/*
 * Report when an object that was asked for with this size and alignment (0 or a power of two) would
 * be larger or smaller. `may_be_resized`: realloc leaves a small object as it is until less
 * than half of it is used. Says nothing of pointers that are no object: free() will. The
 * object itself is right, and should be freed when this returns.
 *
 * An object that realloc could not shrink for want of memory is reported, too.
 */
void sized_free_check(const char *operation, const void *object, size_t align, size_t bytes,
		      bool may_be_resized);

#endif
