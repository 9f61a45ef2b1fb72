/*
 * container_of.h - from a member to the structure that it lies in (include/linux/container_of.h).
 */
#ifndef STITCH_CONTAINER_OF_H
#define STITCH_CONTAINER_OF_H

#include <stddef.h>
#include <stdint.h>

/*
 * The structure of which *ptr is the member: a `type *`, also where ptr points to const. The
 * compiler refuses a ptr to anything but the member's type (in C it warns); void * is accepted.
 * The sum is one of integers: a list's head lies in no such structure, and a pointer to before an
 * object may not be computed as one. Kernel: container_of.
 */
#ifndef stitch_container_of
#define stitch_container_of(ptr, type, member) \
	((type *)((uintptr_t)(ptr) - offsetof(type, member) + \
		  0 * sizeof((ptr) == &((type *)0)->member)))
#endif

#endif
