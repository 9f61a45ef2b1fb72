/*
 * Pointers that are no allocator's, but might be for all that ours can know: the stack, static
 * data, mapped memory, a pool inside of them. By default libc gets them and says so, in its
 * words; with foreign=abort it is one line of ours.
 */
#include "hostile/faults.h"

static const char *const modes[] = { "foreign=abort", "foreign=abort,hardened=1", "foreign=forward",
				     "foreign=forward,hardened=1", NULL };

static char static_data[4096] __attribute__((aligned(64)));
static char *volatile stack;
static bool forwards;

static char *on_stack(void)
{
	return stack;
}

static char *in_static_data(void)
{
	return static_data + 128;
}

static char *in_mapped_memory(void)
{
	char *pages = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return pages + 4096 + 64;
}

/* Zeroed, so that libc finds no plausible size before the pointer. */
static char *inside_libc_block(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);
	char *block = ((void *(*)(size_t, size_t))dlsym(libc, "calloc"))(1, 300);

	return block + 128;
}

static const struct wrong {
	const char *name;
	char *(*make)(void);
} wrongs[] = {
	{ "stack", on_stack },
	{ "static data", in_static_data },
	{ "mapped memory", in_mapped_memory },
	{ "inside a block of libc", inside_libc_block },
};

static void call_free(void *pointer)
{
	free(pointer);
}

static void call_realloc(void *pointer)
{
	launder(realloc(pointer, opaque(100)));
}

static void call_realloc_zero(void *pointer)
{
	launder(realloc(pointer, opaque(0)));
}

static void call_usable_size(void *pointer)
{
	malloc_usable_size(pointer);
}

static void call_delete(void *pointer)
{
	((void (*)(void *, size_t))dlsym(RTLD_DEFAULT, "_ZdlPvm"))(pointer, 16);
}

static const struct call {
	void (*function)(void *pointer);
	const char *operation, *libc_line; /* libc_line NULL: libc takes any pointer */
} calls[] = {
	{ call_free, "free()", "free(): invalid pointer" },
	{ call_delete, "free()", "free(): invalid pointer" },
	{ call_realloc_zero, "free()", "free(): invalid pointer" },
	{ call_realloc, "realloc()", "realloc(): invalid pointer" },
	{ call_usable_size, "malloc_usable_size()", NULL },
};

static void prepare(struct scene *scene)
{
	const struct wrong *wrong = scene->wrong;
	const struct call *call = scene->call;

	scene->pointer = wrong->make();
	if (forwards)
		strcpy(scene->line, call->libc_line);
	else
		snprintf(scene->line, sizeof(scene->line),
			 "stitchmalloc: %s: foreign pointer %p (not of this heap)",
			 call->operation, scene->pointer);
}

static void commit(struct scene *scene)
{
	((const struct call *)scene->call)->function(launder(scene->pointer));
}

static void settle(struct scene *scene)
{
	(void)scene;
}

static void judge(void)
{
	char local[256] __attribute__((aligned(64))) = "";

	stack = launder(local + 128);
	forwards = strstr(getenv("STITCH_CONF"), "forward");
	for (size_t w = 0; w < sizeof(wrongs) / sizeof(wrongs[0]); w++)
		for (size_t c = 0; c < sizeof(calls) / sizeof(calls[0]); c++) {
			if (forwards && !calls[c].libc_line)
				continue;
			*faults.scene = (struct scene){
				.when = AT_ONCE,
				.prepare = prepare,
				.commit = commit,
				.settle = settle,
				.wrong = &wrongs[w],
				.call = &calls[c],
			};
			fault_judge(faults.scene, wrongs[w].name);
		}
}

int main(int argc, char **argv)
{
	return faults_main(argc, argv, modes, judge);
}
