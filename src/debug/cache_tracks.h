/*
 * cache_tracks.h - who allocated and freed the objects of caches: fills track_ops (core/hooks.h).
 *
 * L7. Stacks are those of the leak check, when it has any (leaks=full, whose records tell of all
 * objects), else the depot is made when the first cache wants them.
 */
#ifndef DEBUG_CACHE_TRACKS_H
#define DEBUG_CACHE_TRACKS_H

#include "base/compiler.h"

/*
 * Once, after leak_check_init or later; may be repeated. wanted: a cache with CACHE_STORE_USER is
 * about to be made; one thread at a time. Without memory threads are known, and no stacks.
 */
void cache_tracks_init(bool wanted);

#endif
