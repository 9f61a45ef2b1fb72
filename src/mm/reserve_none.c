/* reserve_none.c - no reserve: what reserve.h says where nothing was ever filled. */
#include "mm/reserve.h"

#define __absent __attribute__((weak))

__absent void *reserve_alloc(size_t bytes, size_t align, enum reserve_depth depth)
{
	(void)bytes, (void)align, (void)depth;
	return NULL;
}

__absent bool reserve_free(void *object)
{
	(void)object;
	return false;
}

__absent size_t reserve_size(const void *object)
{
	(void)object;
	return 0;
}

__absent bool reserve_fill(size_t bytes)
{
	(void)bytes;
	return false;
}

__absent bool reserve_is_filled(void)
{
	return false;
}
