/* frames.c - a library whose functions call each other: built with and without frame pointers. */
#include "frames.h"

int CALL_DEEP(unsigned int depth, void (*bottom)(void))
{
	volatile int local[4] = { (int)depth };

	if (depth)
		return CALL_DEEP(depth - 1, bottom) + local[0];
	bottom();
	return local[1];
}
