/*
 * free_sized, free_aligned_sized and the sized operators delete with a size that is not the
 * object's: with hardened=1 one line, and the end; with on_error=warn or ignore the object, which
 * is the right one, is freed. By default nobody looks at the size.
 */
#include "hostile/faults.h"

static const char *const modes[] = {
	"hardened=1",
	"on_error=warn,hardened=1",
	"on_error=ignore,hardened=1",
	"on_error=warn",
	"hardened=0",
	NULL,
};

enum shape { C, C_ALIGNED, DELETE, DELETE_ALIGNED };

static const struct wrong {
	enum shape shape;
	size_t align, bytes;		 /* of the object */
	size_t given_align, given_bytes; /* to the free */
	size_t resized;			 /* 0, or what realloc then made of it */
	const char *line;		 /* NULL: it is right */
} wrongs[] = {
	{ C, 0, 100, 0, 100, 0, NULL },
	{ C, 0, 100, 0, 112, 0, NULL }, /* what malloc_usable_size says */
	{ C, 0, 100, 0, 113, 0, "wrong size 113 for %p (kmalloc-112)" },
	{ C, 0, 100, 0, 55, 0, "wrong size 55 for %p (kmalloc-112)" },
	{ C, 0, 100, 0, SIZE_MAX, 0, "wrong size 18446744073709551615 for %p (kmalloc-112)" },
	{ C, 0, 1000, 0, 600, 600, NULL },
	{ C, 0, 1000, 0, 1000, 200, "wrong size 1000 for %p (kmalloc-208)" },
	{ C, 0, 300000, 0, 300000, 0, NULL },
	{ C, 0, 300000, 0, 250000, 250000, NULL },
	{ C, 0, 300000, 0, 30000, 0, "wrong size 30000 for %p (page run)" },
	{ C, 0, 5000000, 0, 5000000, 0, NULL },
	{ C, 0, 5000000, 0, 6000000, 0, "wrong size 6000000 for %p (area)" },
	{ C_ALIGNED, 64, 640, 64, 640, 0, NULL },
	{ C_ALIGNED, 4096, 100, 4096, 100, 0, NULL },
	{ C_ALIGNED, 65536, 100, 65536, 100, 0, NULL },
	{ C_ALIGNED, 64, 640, 64, 1280, 0, "wrong size 1280 for %p (kmalloc-896)" },
	{ C_ALIGNED, 4096, 100, 16, 100, 0, "wrong size 100 for %p (kmalloc-4k)" },
	{ DELETE, 0, 100, 0, 100, 0, NULL },
	{ DELETE, 0, 0, 0, 0, 0, NULL },
	{ DELETE, 0, 100, 0, 64, 0, "wrong size 64 for %p (kmalloc-112)" },
	{ DELETE, 0, 100, 0, 128, 0, "wrong size 128 for %p (kmalloc-112)" },
	{ DELETE, 0, 100000, 0, 100, 0, "wrong size 100 for %p (page run)" },
	{ DELETE_ALIGNED, 64, 100, 64, 100, 0, NULL },
	{ DELETE_ALIGNED, 64, 100, 64, 256, 0, "wrong size 256 for %p (kmalloc-128)" },
};

static const struct names {
	const char *allocates, *frees, *operation;
} names[][2] = {
	[C] = { { "malloc", "free_sized", "free_sized()" } },
	[C_ALIGNED] = { { "aligned_alloc", "free_aligned_sized", "free_aligned_sized()" } },
	[DELETE] = { { "_Znwm", "_ZdlPvm", "operator delete" },
		     { "_Znam", "_ZdaPvm", "operator delete" } },
	[DELETE_ALIGNED] = { { "_ZnwmSt11align_val_t", "_ZdlPvmSt11align_val_t",
			       "operator delete" },
			     { "_ZnamSt11align_val_t", "_ZdaPvmSt11align_val_t",
			       "operator delete" } },
};

static void *allocate(const struct wrong *wrong, const struct names *name)
{
	void *function = dlsym(RTLD_DEFAULT, name->allocates);

	switch (wrong->shape) {
	case C_ALIGNED:
		return ((void *(*)(size_t, size_t))function)(wrong->align, wrong->bytes);
	case DELETE_ALIGNED:
		return ((void *(*)(size_t, size_t))function)(wrong->bytes, wrong->align);
	default:
		return ((void *(*)(size_t))function)(wrong->bytes);
	}
}

static void prepare(struct scene *scene)
{
	const struct wrong *wrong = scene->wrong;
	const struct names *name = scene->call;
	const char *line = wrong->line ? wrong->line : "%p";

	scene->pointer = allocate(wrong, name);
	if (wrong->resized)
		scene->pointer = realloc(scene->pointer, wrong->resized);
	snprintf(scene->line, sizeof(scene->line), "stitchmalloc: %s: %.*s%p%s", name->operation,
		 (int)(strstr(line, "%p") - line), line, scene->pointer, strstr(line, "%p") + 2);
}

static void commit(struct scene *scene)
{
	const struct wrong *wrong = scene->wrong;
	const struct names *name = scene->call;
	void *function = dlsym(RTLD_DEFAULT, name->frees);

	if (wrong->shape == C || wrong->shape == DELETE)
		((void (*)(void *, size_t))function)(scene->pointer, wrong->given_bytes);
	else if (wrong->shape == C_ALIGNED)
		((void (*)(void *, size_t, size_t))function)(scene->pointer, wrong->given_align,
							     wrong->given_bytes);
	else
		((void (*)(void *, size_t, size_t))function)(scene->pointer, wrong->given_bytes,
							     wrong->given_align);
}

/* The object is free now: malloc gives a small one out again, once. */
static void settle(struct scene *scene)
{
	const struct wrong *wrong = scene->wrong;
	void *again = allocate(wrong, scene->call), *other = allocate(wrong, scene->call);
	bool is_next = wrong->bytes <= 8192 && wrong->align <= 64 && !wrong->resized;

	if ((is_next && again != scene->pointer) || other == again)
		fault_failed("%s: %p freed, then %p and %p given out",
			     ((const struct names *)scene->call)->frees, scene->pointer, again,
			     other);
	free(other);
	free(again);
}

static void judge(void)
{
	for (size_t w = 0; w < sizeof(wrongs) / sizeof(wrongs[0]); w++)
		for (const struct names *name = names[wrongs[w].shape];
		     name < names[wrongs[w].shape] + 2 && name->frees; name++) {
			*faults.scene = (struct scene){
				.when = wrongs[w].line && faults.hardened ? AT_ONCE : NEVER,
				.prepare = prepare,
				.commit = commit,
				.settle = settle,
				.wrong = &wrongs[w],
				.call = name,
			};
			fault_judge(faults.scene, name->frees);
		}
}

int main(int argc, char **argv)
{
	return faults_main(argc, argv, modes, judge);
}
