/*
 * Every call that takes a pointer with every wrong pointer that malloc itself can tell from a right
 * one: one line, the fixed one, then the end; and with on_error=warn or ignore the program lives
 * on in a heap in which nothing has changed.
 */
#include "hostile/faults.h"

#include <pthread.h>

#define KIB(n) ((size_t)(n) << 10)
#define MIB(n) ((size_t)(n) << 20)
#define GIB(n) ((size_t)(n) << 30)
#define SMALL ((size_t)64)
#define LONELY ((size_t)5000) /* of a class that nothing else uses */
#define STOCKED KIB(20)
#define RUN KIB(300)
#define AREA MIB(5)
#define MAX_LIVE 8

/* With reserve=16G: the allocator's arrays below the heap, see mm/section.c. */
#define OPTIONS "reserve=16G"
#define UNIT MIB(4)
#define MEMMAP_BYTES MIB(256)
#define ARRAYS_BYTES (MEMMAP_BYTES + MIB(16) + MIB(2))

static const char *const modes[] = {
	OPTIONS,
	OPTIONS ",hardened=1",
	OPTIONS ",on_error=warn",
	OPTIONS ",on_error=ignore",
	OPTIONS ",on_error=warn,hardened=1",
	OPTIONS ",on_error=ignore,hardened=1",
	NULL,
};

/* --- what is alive meanwhile, and must not change --------------------------------------------- */

static struct {
	unsigned char *address;
	size_t bytes;
} live[MAX_LIVE];
static unsigned int nr_live;

/* A byte here and there: to touch every page of every block would take all the time. */
static size_t fill_step(size_t bytes)
{
	return bytes > KIB(8) ? bytes / 8 : 1;
}

static void fill(unsigned char *address, size_t bytes, unsigned int tag)
{
	size_t step = fill_step(bytes);

	for (size_t at = 0; at < bytes; at += step)
		address[at] = (unsigned char)(tag + at / step);
}

static bool is_filled(const unsigned char *address, size_t bytes, unsigned int tag)
{
	size_t step = fill_step(bytes);

	for (size_t at = 0; at < bytes; at += step)
		if (address[at] != (unsigned char)(tag + at / step))
			return false;
	return true;
}

static char *keep(void *address, size_t bytes)
{
	CHECK(address, "no memory");
	live[nr_live].address = address;
	live[nr_live].bytes = bytes;
	fill(address, bytes, nr_live++);
	return launder(address);
}

static char *make(size_t bytes)
{
	return launder(keep(malloc(bytes), bytes));
}

static void expect_live_intact(const char *name)
{
	for (unsigned int i = 0; i < nr_live; i++)
		if (!is_filled(live[i].address, live[i].bytes, i) ||
		    malloc_usable_size(live[i].address) < live[i].bytes)
			fault_failed("%s: live block %u has changed", name, i);
}

/* --- wrong pointers --------------------------------------------------------------------------- */

static pthread_barrier_t rendezvous;
static pthread_t helper;
static bool helper_waits;

static void *frees_and_waits(void *object)
{
	free(object);
	pthread_barrier_wait(&rendezvous);
	pthread_barrier_wait(&rendezvous);
	return NULL;
}

static void *frees(void *object)
{
	free(object);
	return NULL;
}

static void *allocates(void *unused)
{
	(void)unused;
	return malloc(SMALL);
}

static void *in_thread(void *(*function)(void *), void *argument)
{
	pthread_t thread;
	void *result;

	if (pthread_create(&thread, NULL, function, argument) || pthread_join(thread, &result))
		fault_failed("pthread_create");
	return result;
}

static char *inside_small(size_t at)
{
	make(SMALL);
	return make(SMALL) + at;
}

static char *inside_run(size_t at)
{
	return make(RUN) + at;
}

static char *inside_area(size_t at)
{
	return make(AREA) + at;
}

static char *freed_last(size_t bytes)
{
	char *object = malloc(bytes);

	make(bytes);
	free(object);
	return launder(object);
}

static char *freed_before_last(size_t bytes)
{
	char *object = malloc(bytes), *last = malloc(bytes);

	free(object);
	free(last);
	return launder(object);
}

static char *freed_elsewhere(size_t bytes)
{
	char *object = malloc(bytes);

	make(bytes);
	in_thread(frees, object);
	return launder(object);
}

static char *freed_by_living_thread(size_t bytes)
{
	char *object = malloc(bytes);

	pthread_barrier_init(&rendezvous, NULL, 2);
	if (pthread_create(&helper, NULL, frees_and_waits, object))
		fault_failed("pthread_create");
	pthread_barrier_wait(&rendezvous);
	helper_waits = true;
	return launder(object);
}

static char *freed_of_ended_thread(size_t unused)
{
	char *object = in_thread(allocates, NULL);

	(void)unused;
	free(object);
	free(in_thread(allocates, NULL));
	return launder(object);
}

static char *freed_before_trim(size_t bytes)
{
	char *object = malloc(bytes), *neighbour = malloc(bytes);

	keep(neighbour, bytes);
	free(object);
	malloc_trim(0);
	return launder(object);
}

static char *freed_slab(size_t bytes)
{
	char *object = malloc(bytes);

	free(object);
	malloc_trim(0);
	return launder(object);
}

/* The next object of the slab is free, and what malloc would give out next. */
static char *behind_small(size_t nr_objects)
{
	char *object = make(LONELY);

	return object + nr_objects * malloc_usable_size(object);
}

static char *inside_freed(size_t bytes)
{
	char *block = malloc(bytes);

	free(block);
	return launder(block + bytes / 2 / 4096 * 4096);
}

/* What was freed is the middle of another block now. */
static char *covered(size_t bytes)
{
	char *whole = malloc(2 * bytes), *first, *second;

	free(whole);
	first = malloc(bytes);
	second = malloc(bytes);
	if (first > second) {
		char *swapped = first;

		first = second;
		second = swapped;
	}
	free(first);
	free(second);
	whole = make(2 * bytes);
	if (second <= whole || second >= whole + 2 * bytes)
		fault_failed("%p is not inside %p, %zu bytes", second, whole, 2 * bytes);
	return second;
}

static char *behind_block(size_t bytes)
{
	char *whole = malloc(2 * bytes), *first;

	free(whole);
	first = make(bytes);
	return first + bytes;
}

static char *far_in_heap(size_t at)
{
	return make(SMALL) + at;
}

/* The lowest pages of the heap are slabs, in its first unit. */
static char *below_heap(size_t at)
{
	static uintptr_t base;

	if (!base)
		base = (uintptr_t)make(SMALL) / UNIT * UNIT;
	return launder((void *)(base - at));
}

static char *address(size_t at)
{
	return launder((void *)at);
}

#define INSIDE "invalid pointer, inside an object: %p "
#define DOUBLE "double free of %p "
#define FREED "freed object %p "
#define FREE_PAGES "double free or invalid pointer %p (free pages)"

/*
 * What free, and what realloc and malloc_usable_size say. LATER is AT_ONCE in hardened mode;
 * what they do not see by default they see in hardened mode.
 */
#define OWN "invalid pointer %p (the allocator's own memory)"
#define NEAR_NULL "invalid pointer %p (near NULL)"
#define NO_ADDRESS "invalid pointer %p (no address of a program)"
#define NEVER_USED "invalid pointer %p (heap that was never used)"

static const struct wrong {
	const char *name;
	char *(*make)(size_t argument);
	size_t argument;
	const char *free_line;
	enum when free_when;
	const char *look_line;
	enum when look_when;
} wrongs[] = {
#define SAME(name, make, argument, line) { name, make, argument, line, AT_ONCE, line, AT_ONCE }
	{ "small + 16", inside_small, 16, INSIDE "(kmalloc-64)", LATER, INSIDE "(kmalloc-64)",
	  AT_ONCE },
	{ "small + 48", inside_small, 48, INSIDE "(kmalloc-64)", LATER, INSIDE "(kmalloc-64)",
	  AT_ONCE },
	SAME("small + 1", inside_small, 1, INSIDE "(kmalloc-64)"),
	SAME("small + 8", inside_small, 8, INSIDE "(kmalloc-64)"),
	SAME("small + 63", inside_small, 63, INSIDE "(kmalloc-64)"),
	{ "freed last", freed_last, SMALL, DOUBLE "(kmalloc-64)", AT_ONCE, FREED "(kmalloc-64)",
	  AT_ONCE },
	{ "freed before", freed_before_last, SMALL, DOUBLE "(kmalloc-64)", LATER,
	  FREED "(kmalloc-64)", NEVER },
	{ "freed by an ended thread", freed_elsewhere, SMALL, DOUBLE "(kmalloc-64)", LATER,
	  FREED "(kmalloc-64)", NEVER },
	{ "freed by a living thread", freed_by_living_thread, SMALL, DOUBLE "(kmalloc-64)", LATER,
	  FREED "(kmalloc-64)", NEVER },
	{ "freed, of an ended thread", freed_of_ended_thread, SMALL, DOUBLE "(kmalloc-64)", LATER,
	  FREED "(kmalloc-64)", NEVER },
	{ "freed, then trimmed", freed_before_trim, SMALL, DOUBLE "(kmalloc-64)", LATER,
	  FREED "(kmalloc-64)", AT_ONCE },
	SAME("freed with its slab", freed_slab, LONELY, FREE_PAGES),
	{ "behind small", behind_small, 1, DOUBLE "(kmalloc-5040)", AT_ONCE,
	  FREED "(kmalloc-5040)", AT_ONCE },
	{ "far behind small", behind_small, 2, DOUBLE "(kmalloc-5040)", LATER,
	  FREED "(kmalloc-5040)", NEVER },
	SAME("run + 1", inside_run, 1, INSIDE "(page run)"),
	SAME("run + 8", inside_run, 8, INSIDE "(page run)"),
	SAME("run + 16", inside_run, 16, INSIDE "(page run)"),
	SAME("run + 4096", inside_run, 4096, INSIDE "(page run)"),
	SAME("run + its last page", inside_run, RUN - 4096, INSIDE "(page run)"),
	SAME("freed run", freed_last, RUN, FREE_PAGES),
	SAME("freed run before", freed_before_last, RUN, FREE_PAGES),
	SAME("run freed elsewhere", freed_elsewhere, RUN, FREE_PAGES),
	SAME("inside freed run", inside_freed, RUN, FREE_PAGES),
	SAME("freed run in stock", freed_last, STOCKED, FREE_PAGES),
	SAME("run in stock elsewhere", freed_by_living_thread, STOCKED, FREE_PAGES),
	SAME("covered run", covered, RUN, INSIDE "(page run)"),
	SAME("behind run", behind_block, RUN, FREE_PAGES),
	SAME("area + 1", inside_area, 1, INSIDE "(area)"),
	SAME("area + 8", inside_area, 8, INSIDE "(area)"),
	SAME("area + 16", inside_area, 16, INSIDE "(area)"),
	SAME("area + 4096", inside_area, 4096, INSIDE "(area)"),
	SAME("area + 4 MiB", inside_area, MIB(4), INSIDE "(area)"),
	SAME("freed area", freed_last, AREA, FREE_PAGES),
	SAME("freed area before", freed_before_last, AREA, FREE_PAGES),
	SAME("inside freed area", inside_freed, AREA, FREE_PAGES),
	SAME("covered area", covered, MIB(8), INSIDE "(area)"),
	SAME("behind area", behind_block, AREA, FREE_PAGES),
	SAME("heap never used", far_in_heap, GIB(4), NEVER_USED),
	SAME("right below the heap", below_heap, 16, OWN),
	SAME("memmap", below_heap, MEMMAP_BYTES / 2, OWN),
	SAME("page map", below_heap, ARRAYS_BYTES - MIB(4), OWN),
	SAME("memblock", below_heap, ARRAYS_BYTES + MIB(64), OWN),
	SAME("1", address, 1, NEAR_NULL),
	SAME("8", address, 8, NEAR_NULL),
	SAME("16", address, 16, NEAR_NULL),
	SAME("4095", address, 4095, NEAR_NULL),
	SAME("65520", address, 65520, NEAR_NULL),
	SAME("behind user space", address, (size_t)1 << 47, NO_ADDRESS),
	SAME("not canonical", address, (size_t)1 << 62 | 16, NO_ADDRESS),
	SAME("kernel", address, (size_t)0xffff888000001000, NO_ADDRESS),
	SAME("-4096", address, -(size_t)4096, NO_ADDRESS),
	SAME("-16", address, -(size_t)16, NO_ADDRESS),
	SAME("-1", address, -(size_t)1, NO_ADDRESS),
};

/* --- calls ---------------------------------------------------------------------------------- */

enum shape { FREE, FREE_SIZED, FREE_ALIGNED_SIZED, REALLOC, REALLOCARRAY, USABLE };

static struct call {
	const char *symbol;
	enum shape shape;
	size_t bytes;
	void *function;
} calls[] = {
	{ "free", FREE, 0, NULL },
	{ "cfree", FREE, 0, NULL },
	{ "__libc_free", FREE, 0, NULL },
	{ "__libc_cfree", FREE, 0, NULL },
	{ "free_sized", FREE_SIZED, SMALL, NULL },
	{ "free_aligned_sized", FREE_ALIGNED_SIZED, 16, NULL },
	{ "realloc", REALLOC, 0, NULL },
	{ "realloc", REALLOC, SMALL, NULL },
	{ "realloc", REALLOC, 8 * SMALL, NULL },
	{ "realloc", REALLOC, RUN, NULL },
	{ "__libc_realloc", REALLOC, 2 * AREA, NULL },
	{ "reallocarray", REALLOCARRAY, 10, NULL },
	{ "malloc_usable_size", USABLE, 0, NULL },
	{ "_ZdlPv", FREE, 0, NULL },
	{ "_ZdaPv", FREE, 0, NULL },
	{ "_ZdlPvm", FREE_SIZED, SMALL, NULL },
	{ "_ZdaPvm", FREE_SIZED, SMALL, NULL },
	{ "_ZdlPvRKSt9nothrow_t", FREE, 0, NULL },
	{ "_ZdaPvRKSt9nothrow_t", FREE, 0, NULL },
	{ "_ZdlPvSt11align_val_t", FREE_SIZED, 16, NULL },
	{ "_ZdaPvSt11align_val_t", FREE_SIZED, 16, NULL },
	{ "_ZdlPvmSt11align_val_t", FREE_ALIGNED_SIZED, 16, NULL },
	{ "_ZdaPvmSt11align_val_t", FREE_ALIGNED_SIZED, 16, NULL },
	{ "_ZdlPvSt11align_val_tRKSt9nothrow_t", FREE_SIZED, 16, NULL },
	{ "_ZdaPvSt11align_val_tRKSt9nothrow_t", FREE_SIZED, 16, NULL },
};

static bool is_look(const struct call *call)
{
	return call->shape >= REALLOC && (call->bytes || call->shape == USABLE);
}

static void commit(struct scene *scene)
{
	const struct call *call = scene->call;
	void *result = NULL;
	size_t usable = 0;

	errno = 4711;
	switch (call->shape) {
	case FREE:
		((void (*)(void *))call->function)(scene->pointer);
		break;
	case FREE_SIZED:
		((void (*)(void *, size_t))call->function)(scene->pointer, call->bytes);
		break;
	case FREE_ALIGNED_SIZED:
		((void (*)(void *, size_t, size_t))call->function)(scene->pointer, 16, 16);
		break;
	case REALLOC:
		result = ((void *(*)(void *, size_t))call->function)(scene->pointer, call->bytes);
		break;
	case REALLOCARRAY:
		result = ((void *(*)(void *, size_t, size_t))call->function)(scene->pointer, 7,
									     call->bytes);
		break;
	case USABLE:
		usable = ((size_t (*)(void *))call->function)(scene->pointer);
		break;
	}
	if (result || usable || (errno != 4711 && !(call->shape >= REALLOC && errno == ENOMEM)))
		fault_failed("%s: result %p, %zu, errno %d", call->symbol, result, usable, errno);
}

static void settle(struct scene *scene)
{
	(void)scene;
	if (helper_waits) {
		helper_waits = false;
		pthread_barrier_wait(&rendezvous);
		pthread_join(helper, NULL);
	}
	malloc_trim(0);
}

/* New blocks are whole and apart from what lives, and all can be freed. */
static void work_on(const char *name)
{
	static const size_t sizes[] = { SMALL, SMALL, LONELY, STOCKED, RUN, AREA };
	unsigned char *blocks[2 * sizeof(sizes) / sizeof(sizes[0])];
	unsigned int nr = sizeof(blocks) / sizeof(blocks[0]);

	for (unsigned int i = 0; i < nr; i++) {
		blocks[i] = malloc(sizes[i / 2]);
		if (!blocks[i])
			fault_failed("%s: no memory afterwards", name);
		fill(blocks[i], sizes[i / 2], 100 + i);
	}
	for (unsigned int i = 0; i < nr; i++) {
		if (!is_filled(blocks[i], sizes[i / 2], 100 + i))
			fault_failed("%s: blocks overlap afterwards", name);
		free(blocks[i]);
	}
	expect_live_intact(name);
	while (nr_live)
		free(live[--nr_live].address);
	malloc_trim(0);
	if (*said())
		fault_failed("%s: lines afterwards", name);
}

static void prepare(struct scene *scene)
{
	const struct wrong *wrong = scene->wrong;
	const struct call *call = scene->call;
	const char *what = is_look(call) ? wrong->look_line : wrong->free_line;
	const char *operation = call->shape == USABLE ? "malloc_usable_size()" :
				is_look(call)	      ? "realloc()" :
							"free()";

	scene->pointer = wrong->make(wrong->argument);
	snprintf(scene->line, sizeof(scene->line), "stitchmalloc: %s: %.*s%p%s", operation,
		 (int)(strstr(what, "%p") - what), what, scene->pointer, strstr(what, "%p") + 2);
}

static void judge_one(const struct wrong *wrong, const struct call *call)
{
	enum when when = is_look(call) ? wrong->look_when : wrong->free_when;
	char name[100];

	if (when == NEVER && !faults.hardened)
		return;
	*faults.scene = (struct scene){
		.when = faults.hardened ? AT_ONCE : when,
		.prepare = prepare,
		.commit = commit,
		.settle = settle,
		.wrong = wrong,
		.call = call,
	};
	snprintf(name, sizeof(name), "%s(%s), %zu bytes", call->symbol, wrong->name, call->bytes);
	fault_judge(faults.scene, name);
	if (!faults.aborts)
		work_on(name);
}

static void judge(void)
{
	for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
		calls[c].function = dlsym(RTLD_DEFAULT, calls[c].symbol);
		CHECK(calls[c].function, "%s is not there", calls[c].symbol);
		for (size_t w = 0; w < sizeof(wrongs) / sizeof(wrongs[0]); w++)
			judge_one(&wrongs[w], &calls[c]);
	}
}

int main(int argc, char **argv)
{
	return faults_main(argc, argv, modes, judge);
}
