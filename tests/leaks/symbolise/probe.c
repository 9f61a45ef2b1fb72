/*
 * probe.c - asks the symboliser about the marks of modules and compares.
 *
 * usage: probe LEVEL:MODULE...    in this order; each is opened only when its turn comes
 *	LEVEL	lines: functions, lines and inlining; names: one function, without lines;
 *		exported: the same, if it is in .dynsym; mangled: the same, not demangled;
 *		gone: the file is removed, so that nothing is known but module and offset
 *	MODULE	the path of a shared object, or `self`: the program
 *
 * All calls of malloc and its like are counted: the symboliser must not make any. Calls of open
 * tell that no files are read but those of the module in question.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "debug/symbolise.h"
#include "fixture.h"

static unsigned int nr_failures;

#define CHECK(what, ...) \
	do { \
		if (!(what)) { \
			nr_failures++; \
			printf("%s:%d: not so: %s: ", __FILE__, __LINE__, #what); \
			printf(__VA_ARGS__); \
			printf("\n"); \
		} \
	} while (0)

/* --- a malloc that counts --------------------------------------------------------------------- */

static bool is_counting;
static unsigned int nr_mallocs;

/* Never given back: a program that is linked statically cannot call libc's behind its own. */
static _Alignas(16) unsigned char arena[16 << 20];
static size_t arena_used;

void *malloc(size_t bytes)
{
	size_t *block = (size_t *)&arena[__atomic_fetch_add(&arena_used, (bytes + 31) & ~(size_t)15,
							    __ATOMIC_RELAXED)];

	if (is_counting)
		nr_mallocs++;
	if (bytes > sizeof(arena) || (unsigned char *)block > &arena[sizeof(arena) - bytes - 32])
		abort();
	*block = bytes;
	return (char *)block + 16;
}

void free(void *block)
{
	(void)block;
	if (is_counting)
		nr_mallocs++;
}

void *calloc(size_t nr, size_t bytes)
{
	return malloc(nr * bytes); /* still zero */
}

void *realloc(void *block, size_t bytes)
{
	size_t old_bytes = block ? *(size_t *)((char *)block - 16) : 0;
	void *copy = malloc(bytes);

	if (block)
		memcpy(copy, block, old_bytes < bytes ? old_bytes : bytes);
	return copy;
}

/* --- what is opened --------------------------------------------------------------------------- */

#ifndef PROBE_STATIC
static const char *in_question;
static unsigned int nr_foreign;

static int is_of_module(struct dl_phdr_info *info, size_t bytes, void *path)
{
	(void)bytes;
	return !strcmp(info->dlpi_name, path);
}

/* As libbacktrace calls it. Modules are opened by the names that the loader has for them. */
int open(const char *path, int flags, ...)
{
	if (is_counting && in_question && strcmp(path, in_question) &&
	    dl_iterate_phdr(is_of_module, (void *)path))
		nr_foreign++;
	return openat(AT_FDCWD, path, flags);
}
#endif

/* --- asking ----------------------------------------------------------------------------------- */

#define MAX_TEXT 2048u

struct frame {
	struct symbol symbol;
	char function[MAX_TEXT], file[MAX_TEXT], module[MAX_TEXT];
};

struct answer {
	unsigned int nr_frames;
	struct frame frames[8];
};

static const char *keep(char *to, const char *text)
{
	if (!text)
		return NULL;
	strncpy(to, text, MAX_TEXT - 1);
	return to;
}

static void take(void *context, const struct symbol *symbol)
{
	struct answer *answer = context;
	struct frame *frame = &answer->frames[answer->nr_frames++ % 8];

	frame->symbol = *symbol;
	frame->symbol.function = keep(frame->function, symbol->function);
	frame->symbol.file = keep(frame->file, symbol->file);
	frame->symbol.module = keep(frame->module, symbol->module);
}

struct question {
	uintptr_t pc;
	struct answer *answer;
};

static void *ask_on_thread(void *argument)
{
	struct question *question = argument;

	is_counting = true;
	symbolise(question->pc, take, question->answer);
	is_counting = false;
	return NULL;
}

#define STACK_BYTES ((size_t)1 << 20)
static size_t max_stack_bytes;

/* On a stack that tells how much of it was used. */
static void ask(uintptr_t pc, struct answer *answer)
{
	static unsigned char stack[STACK_BYTES] __attribute__((aligned(4096)));
	struct question question = {pc, answer};
	pthread_attr_t attributes;
	pthread_t thread;
	size_t unused = 0;

	memset(answer, 0, sizeof(*answer));
	memset(stack, 0xa5, sizeof(stack));
	pthread_attr_init(&attributes);
	pthread_attr_setstack(&attributes, stack, sizeof(stack));
	pthread_create(&thread, &attributes, ask_on_thread, &question);
	pthread_join(thread, NULL);
	while (unused < STACK_BYTES && stack[unused] == 0xa5)
		unused++;
	if (STACK_BYTES - unused > max_stack_bytes)
		max_stack_bytes = STACK_BYTES - unused;
}

/* --- judging ---------------------------------------------------------------------------------- */

enum level { LINES, NAMES, EXPORTED, MANGLED, GONE, NR_LEVELS };
static const char *const level_names[NR_LEVELS] = {"lines", "names", "exported", "mangled", "gone"};

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? slash + 1 : path;
}

static void judge_name(const char *got, const char *want, bool is_cut)
{
	CHECK(got, "no name instead of %s", want);
	if (!got)
		return;
	CHECK(strstr(got, want), "%s instead of %s", got, want);
	CHECK(strncmp(got, "_Z", 2) != 0, "%s", got);
	CHECK(strlen(got) < 1024, "%zu characters", strlen(got));
	if (is_cut)
		CHECK(!strcmp(got + strlen(got) - 3, "..."), "%s", got);
	else if (strchr(want, '('))
		CHECK(!strcmp(got, want), "%s instead of %s", got, want);
}

static void judge_lines(const struct mark *mark, const struct answer *answer)
{
	CHECK(answer->nr_frames == mark->nr_frames, "%u frames at %s", answer->nr_frames,
	      mark->frames[0].name);
	for (unsigned int i = 0; i < mark->nr_frames; i++) {
		const struct symbol *got = &answer->frames[i].symbol;

		judge_name(got->function, mark->frames[i].name, mark->is_cut);
		CHECK(got->file && !strcmp(base_name(got->file), "fixture.cc"), "%s", got->file);
		CHECK(got->line == mark->frames[i].line, "%s: line %u instead of %u",
		      mark->frames[i].name, got->line, mark->frames[i].line);
		CHECK(got->inlined == (i + 1 < mark->nr_frames), "frame %u", i);
	}
}

static void judge_name_only(const struct mark *mark, const struct answer *answer, enum level level)
{
	const struct symbol *got = &answer->frames[0].symbol;
	const char *want = mark->frames[mark->nr_frames - 1].name;

	CHECK(answer->nr_frames == 1, "%u frames at %s", answer->nr_frames, want);
	CHECK(!got->file && !got->line && !got->inlined, "%s: %s:%u", want, got->file, got->line);
	if (level == GONE || (level != NAMES && !mark->is_exported))
		CHECK(!got->function, "%s for %s", got->function, want);
	else if (level == MANGLED && strchr(want, '('))
		CHECK(got->function && !strncmp(got->function, "_Z", 2), "%s for %s", got->function,
		      want);
	else
		judge_name(got->function, want, mark->is_cut);
}

static void judge_module(const struct answer *answer, const char *path, uintptr_t offset)
{
	for (unsigned int i = 0; i < answer->nr_frames; i++) {
		const struct symbol *got = &answer->frames[i].symbol;

		CHECK(got->module && !strcmp(got->module, path), "%s instead of %s", got->module,
		      path);
		CHECK(got->offset == offset, "offset %zx instead of %zx", got->offset, offset);
	}
}

/* Compared with readelf's by the driver. */
static void print_build_id(uintptr_t pc, const char *path)
{
	char text[64], exact[41], short_text[40];

	is_counting = true;
	bool found = symbolise_build_id(pc, text, sizeof(text));
	bool found_exactly = symbolise_build_id(pc, exact, sizeof(exact));
	bool found_short = symbolise_build_id(pc, short_text, sizeof(short_text));
	is_counting = false;
	printf("build-id %s %s\n", path, found ? text : "none");
	CHECK(found == found_exactly && !found_short, "%s", path);
}

static void judge(enum level level, const char *path, uintptr_t bias, fixture_marks_fn *fill)
{
	static struct answer answer;
	struct mark marks[MAX_MARKS] = {0};
	unsigned int nr = fill(marks);

	for (unsigned int i = 0; i < nr; i++) {
		ask(marks[i].pc, &answer);
		if (level == LINES)
			judge_lines(&marks[i], &answer);
		else
			judge_name_only(&marks[i], &answer, level);
		judge_module(&answer, path, marks[i].pc - bias);
	}
	print_build_id(marks[0].pc, path);
}

static uintptr_t bias_of_program(void)
{
	/* The first is the program. */
	struct link_map *map = _r_debug.r_map;

	return map ? map->l_addr : 0;
}

static void judge_program(enum level level)
{
	char path[MAX_TEXT] = {0};

	if (readlink("/proc/self/exe", path, sizeof(path) - 1) < 0)
		perror("/proc/self/exe");
	judge(level, path, bias_of_program(), fixture_marks);
}

#ifndef PROBE_STATIC
static void judge_shared_object(enum level level, const char *path)
{
	void *handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	struct link_map *map = NULL;
	fixture_marks_fn *fill;

	if (!handle || dlinfo(handle, RTLD_DI_LINKMAP, &map)) {
		CHECK(false, "%s", dlerror());
		return;
	}
	if (level == GONE)
		unlink(path);
	fill = (fixture_marks_fn *)dlsym(handle, "fixture_marks");
	in_question = path;
	judge(level, path, map->l_addr, fill);
	in_question = NULL;
	CHECK(!nr_foreign, "%u files of other modules are read for %s", nr_foreign, path);
	/* Gone again: it must not be named after what is not there any more. */
	struct mark marks[MAX_MARKS] = {0};
	static struct answer answer;

	fill(marks);
	dlclose(handle);
	ask(marks[0].pc, &answer);
	CHECK(answer.nr_frames == 1 && !answer.frames[0].symbol.module &&
		      !answer.frames[0].symbol.function,
	      "%s is closed", path);
}
#endif

static void judge_no_module(void)
{
	static struct answer answer;
	const struct symbol *got = &answer.frames[0].symbol;
	char text[64];

	ask(16, &answer);
	CHECK(answer.nr_frames == 1 && !got->function && !got->file && !got->module &&
		      got->offset == 16,
	      "%s", got->module);
	CHECK(!symbolise_build_id(16, text, sizeof(text)), "%s", text);
}

int main(int argc, char **argv)
{
	judge_no_module();
	for (int i = 1; i < argc; i++) {
		const char *path = strchr(argv[i], ':') + 1;
		int level = 0;

		while (level < NR_LEVELS &&
		       strncmp(argv[i], level_names[level], (size_t)(path - argv[i] - 1)))
			level++;
		printf("%s\n", argv[i]);
		if (!strcmp(path, "self"))
			judge_program((enum level)level);
#ifndef PROBE_STATIC
		else
			judge_shared_object((enum level)level, path);
#endif
	}
	CHECK(!nr_mallocs, "%u calls of malloc and its like", nr_mallocs);
	printf("%u failures, at most %zu bytes of stack\n", nr_failures, max_stack_bytes);
	return nr_failures ? 1 : 0;
}
