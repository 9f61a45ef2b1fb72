/*
 * glob.h - names by pattern: a * in it is any text.
 *
 * L0. As the kernel's lib/glob.c, without classes and question marks.
 */
#ifndef BASE_GLOB_H
#define BASE_GLOB_H

#include "base/compiler.h"

bool glob_match(const char *pattern, const char *name);

/*
 * One of several patterns, with + between them, matches. Empty ones match nothing. A name with a +
 * in it has a * for it: libstdc*.so.6.
 */
bool glob_match_any(const char *patterns, const char *name);

#endif
