/*
 * validators.h - the library's own invariants, for the quiet points of tests linked with it.
 */
#ifndef TESTS_FUZZ_VALIDATORS_H
#define TESTS_FUZZ_VALIDATORS_H

#include <stdbool.h>

#include "../stitch_api.h"

#if USES_LIBC

static inline bool heap_is_valid(void)
{
	return true;
}

#else

#include "mm/zone.h"
#include "slab/slab.h"
#include "slab/slot.h"

static bool slots_are_valid;

static inline void validate_slot(struct slot *slot)
{
	slots_are_valid &= validate_slabs(slot);
}

/* To be called while no other thread is in the allocator. */
static inline bool heap_is_valid(void)
{
	slots_are_valid = true;
	slots_visit_free(validate_slot, 0);
	if (slot_is_held())
		validate_slot(current_slot);
	return slots_are_valid && validate_zone();
}

#endif
#endif
