/*
 * leak_news.h - what was lost at the scan before: for a report of what is new since.
 *
 * L7. Lists of the addresses of lost objects, in memory that a copy of the process shares with it
 * (os/os_copy.h): one of the last scan, one that the present scan makes. An object is told by its
 * address: one that was taken for lost, was freed all the same, and whose place another has that is
 * lost now, is not seen as new.
 *
 *	leak_news_begin		in the process
 *	leak_news_collect	by who looks, after kmemleak_finish
 *	leak_is_new		of each leak, until kmemleak_end
 *	leak_news_end		in the process
 */
#ifndef DEBUG_LEAK_NEWS_H
#define DEBUG_LEAK_NEWS_H

#include "debug/kmemleak.h"

/*
 * A scan on demand begins. only_new: leak_is_new tells what was not lost at the last one. Without
 * memory everything is new.
 */
void leak_news_begin(bool only_new);
void leak_news_collect(void);

/* While nothing is compared everything is. */
bool leak_is_new(const struct leak *leak);

/*
 * done: it has succeeded, and is the last one from now on. False: it is not, also because too much
 * is lost or for want of memory, and the one before still is.
 */
bool leak_news_end(bool done);

/* In the child of a fork: it shares the lists with its parent. */
void leak_news_forget(void);

#endif
