/*
 * hooks.c - the tables of hooks.h, empty until a higher layer fills them.
 *
 * L2.
 */
#include "core/hooks.h"

struct foreign_ops foreign_ops;
struct program_ops program_ops;
struct track_ops track_ops;
