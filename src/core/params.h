/*
 * params.h - the run-time options: one table, three sources.
 *
 * L2. params.def lists every option once (name, kind, range, default, help). Sources, later
 * ones win: /etc/stitchmalloc.conf, the weak symbol `stitch_conf`, STITCH_CONF in the
 * environment; none but the built-in defaults in an AT_SECURE process. Syntax in all three:
 * key=value separated by commas (in the file also by newlines; `#` starts a comment there).
 * An unknown key or a bad value is one line on stderr naming the nearest key or the range, and
 * is otherwise ignored. Nothing else in the project reads the environment.
 *
 * Written once at boot by a single thread, constant afterwards.
 */
#ifndef CORE_PARAMS_H
#define CORE_PARAMS_H

#include "base/compiler.h"

/* What to do about misuse by the program; the order is that of the option's words. */
enum misuse_action { ON_ERROR_ABORT, ON_ERROR_WARN, ON_ERROR_IGNORE };
enum thp_setting { THP_AUTO, THP_ALWAYS, THP_NEVER };
enum stitch_setting { STITCH_AUTO, STITCH_UFFD, STITCH_MREMAP, STITCH_PURGE, STITCH_OFF };
enum foreign_action { FOREIGN_FORWARD, FOREIGN_WARN, FOREIGN_ABORT };
enum leaks_setting { LEAKS_OFF, LEAKS_SCAN, LEAKS_FULL, LEAKS_SAMPLE };
enum profile_setting { PROFILE_OFF, PROFILE_FULL, PROFILE_SAMPLE };
enum profile_sort {
	PROFILE_SORT_PEAK,
	PROFILE_SORT_LIVE,
	PROFILE_SORT_TOTAL,
	PROFILE_SORT_CALLS
};
enum leak_show { LEAK_SHOW_DEFINITE, LEAK_SHOW_POSSIBLE, LEAK_SHOW_REACHABLE };
enum leak_sort { LEAK_SORT_BYTES, LEAK_SORT_BLOCKS };
enum leak_print { LEAK_PRINT_LOST, LEAK_PRINT_ALWAYS };
/* Bit numbers. */
enum leak_format { LEAK_TEXT, LEAK_JSON, LEAK_COLLAPSED, LEAK_HEAP_V2, LEAK_PPROF,
		   NR_LEAK_FORMATS };

/* Of a text; a longer one is refused. */
#define PARAM_TEXT_BYTES 256u

/*
 * One member per option, named as it. Kinds: bool, size (uint64_t bytes), choice (unsigned), set
 * (unsigned: a bit for each word; given as words with + between them), text (no commas in it).
 * A word of a choice may be "word:option": word:VALUE sets that option, too.
 */
#define PARAM_BOOL(name, initial, help) bool name;
#define PARAM_SIZE(name, initial, low, high, help) uint64_t name;
#define PARAM_CHOICE(name, initial, words, help) unsigned int name;
#define PARAM_SET(name, initial, words, help) unsigned int name;
#define PARAM_TEXT(name, help) char name[PARAM_TEXT_BYTES];
struct params {
#include "core/params.def"
};
#undef PARAM_BOOL
#undef PARAM_SIZE
#undef PARAM_CHOICE
#undef PARAM_SET
#undef PARAM_TEXT

extern struct params params;

/* What several options come to, so that there is one thing to look at. */
extern struct params_joint {
	/* Every call of malloc and free is to take its slow path, and meet the slab at once. */
	bool no_caches;
	/* Every allocation of a kmem_cache is to be looked at (malloc's: slab/size_class.h). */
	bool no_hits;
	bool no_merging; /* of kmem_caches: who looks for leaks wants to be told their names */
	bool no_leaving; /* blocks stay in the heap: leak checks and limit= know what is there */
} params_joint;

/* Once, when the options are what they are going to be. */
void params_join(void);

/* Objects of the sample have pages of their own, however small. */
static inline bool params_take_samples(void)
{
	return params.leaks == LEAKS_SAMPLE || params.profile == PROFILE_SAMPLE;
}

/* Malloc's objects are asked for with a byte more (leak_padded in debug/leak_track.h). */
static inline bool params_pad_objects(void)
{
	return params.leaks == LEAKS_FULL || params.profile == PROFILE_FULL;
}

struct os_start;

/*
 * Read all sources; what the options are before that is their default. Prints the table of options
 * to fd 2 when help=1 was given.
 */
void params_init(const struct os_start *start);

struct report;
/* Every option: name, kind and range, default, current value, help; a line or two each. */
void params_print(struct report *report);

#endif
