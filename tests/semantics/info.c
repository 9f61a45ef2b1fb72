/*
 * mallinfo2, mallinfo, malloc_info, malloc_stats, malloc_trim and mallopt: they exist, have glibc's
 * form, and tell the truth within tolerance.
 */
#include <limits.h>

#include "semantics/figures.h"

#define MIB ((size_t)1 << 20)

static size_t in_use(void)
{
	struct mallinfo2 info = mallinfo2();

	return info.uordblks + info.hblkhd;
}

/* Both within 15 % (size classes, page rounding) and 256 KiB (stdio, slabs begun) of the truth. */
static void grows_by(size_t before, size_t after, size_t truth, size_t block_bytes)
{
	size_t slack = truth / 100 * 15 + 256 * 1024;

	CHECK(after + slack >= before + truth && after <= before + truth + slack,
	      "%zu bytes in blocks of %zu: mallinfo2 said %zu before and %zu after", truth,
	      block_bytes, before, after);
}

static void counts_blocks_of(size_t bytes)
{
	size_t nr = 32 * MIB / bytes, before;
	void **blocks = malloc(nr * sizeof(*blocks));

	before = in_use();
	for (size_t i = 0; i < nr; i++) {
		blocks[i] = malloc(bytes);
		CHECK(blocks[i], "malloc(%zu)", bytes);
		memset(blocks[i], 1, bytes);
	}
	grows_by(before, in_use(), nr * bytes, bytes);
	for (size_t i = 0; i < nr; i++)
		free(blocks[i]);
	grows_by(before, in_use(), 0, bytes);
	free(blocks);
}

static void old_form_agrees(void)
{
	void *block = malloc(3 * MIB + 5);
	struct mallinfo2 wide = mallinfo2();
	struct mallinfo narrow = mallinfo();

	CHECK(wide.arena < INT_MAX, "arena is %zu", wide.arena);
	CHECK((size_t)narrow.uordblks == wide.uordblks, "mallinfo says %d, mallinfo2 %zu",
	      narrow.uordblks, wide.uordblks);
	CHECK((size_t)narrow.hblkhd == wide.hblkhd, "mallinfo says %d, mallinfo2 %zu",
	      narrow.hblkhd, wide.hblkhd);
	CHECK(wide.arena == wide.uordblks + wide.fordblks, "arena %zu is not %zu + %zu",
	      wide.arena, wide.uordblks, wide.fordblks);
	CHECK(wide.hblks >= 1 && wide.hblkhd >= 3 * MIB, "a large block does not count: %zu, %zu",
	      wide.hblks, wide.hblkhd);
	free(block);
}

static void refuses_info_options(void)
{
	errno = 0;
	CHECK(malloc_info(1, stdout) == EINVAL, "malloc_info(1)");
	CHECK(!on_stitchmalloc() || errno == EINVAL, "malloc_info(1): errno is %d", errno);
}

/* The text between two marks of the file; NULL when there is none. */
static const char *info_text(void)
{
	static char text[65536];
	FILE *file = tmpfile();
	size_t length;

	CHECK(file, "tmpfile");
	CHECK(!malloc_info(0, file), "malloc_info(0)");
	rewind(file);
	length = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	CHECK(length < sizeof(text) - 1, "malloc_info writes more than 64 KiB");
	text[length] = '\0';
	return text;
}

#define MAX_DEPTH 16

/* Read one tag behind its '<'; returns what follows it. */
static const char *tag_read(const char *at, char names[][32], unsigned int *depth)
{
	const char *end = strchr(at, '>');
	bool closing = *at == '/', empty;
	size_t length = strcspn(at + closing, " />");

	CHECK(end, "a tag is not closed: %.40s", at);
	CHECK(length && length < 32, "no name in the tag %.40s", at);
	empty = end[-1] == '/';
	if (closing) {
		CHECK(*depth && !strncmp(names[*depth - 1], at + 1, length) &&
		      !names[*depth - 1][length], "</%.20s> closes nothing", at + 1);
		--*depth;
	} else if (!empty) {
		CHECK(*depth < MAX_DEPTH, "tags nest too deep");
		snprintf(names[(*depth)++], 32, "%.*s", (int)length, at);
	}
	for (unsigned int quotes = 0; at <= end; at++) {
		quotes += *at == '"';
		CHECK(at < end || quotes % 2 == 0, "a quote is not closed in a tag");
	}
	return end + 1;
}

/* One root element named malloc, tags balanced, no stray markup in text. */
static void info_is_xml(const char *at)
{
	char names[MAX_DEPTH][32];
	unsigned int depth = 0, nr_roots = 0;

	CHECK(!strncmp(at, "<malloc version=\"1\">", 20), "malloc_info begins with %.30s", at);
	for (; *at; depth ? 0 : nr_roots++) {
		size_t text = strcspn(at, "<>&");

		at += text;
		if (!*at)
			break;
		CHECK(*at == '<', "stray %c in the text", *at);
		at = tag_read(at + 1, names, &depth);
		if (!depth && at[strspn(at, "\n ")])
			CHECK(false, "text behind the root element: %.40s", at);
	}
	CHECK(!depth, "<%s> is not closed", names[depth - 1]);
}

/* The elements that programs which sum up glibc's text look for. */
static size_t info_number(const char *text, const char *element)
{
	const char *found = strstr(text, element);
	size_t value = 0;

	CHECK(found, "malloc_info has no %s", element);
	CHECK(sscanf(strstr(found, "size="), "size=\"%zu\"", &value) == 1, "no size in %s",
	      element);
	return value;
}

static void info_tells_the_truth(void)
{
	size_t before, after;
	void *block;

	info_is_xml(info_text());
	before = info_number(strstr(info_text(), "</heap>"), "<total type=\"mmap\"");
	block = launder(malloc(20 * MIB));
	after = info_number(strstr(info_text(), "</heap>"), "<total type=\"mmap\"");
	CHECK(after - before >= 20 * MIB && after - before < 21 * MIB,
	      "20 MiB more, and malloc_info said %zu before and %zu after", before, after);
	info_number(info_text(), "<system type=\"current\"");
	info_number(info_text(), "<aspace type=\"total\"");
	free(block);
}

/* malloc_stats writes to stderr, whatever FILE and locks the program has. */
static void stats_write(void)
{
	char text[65536];
	int pipes[2], saved = dup(2);
	ssize_t length;

	CHECK(!pipe(pipes), "pipe");
	dup2(pipes[1], 2);
	close(pipes[1]);
	malloc_stats();
	fflush(stderr);
	dup2(saved, 2);
	close(saved);
	length = read(pipes[0], text, sizeof(text) - 1);
	close(pipes[0]);
	CHECK(length > 100, "malloc_stats wrote %zd bytes", length);
	text[length] = '\0';
	CHECK(!on_stitchmalloc() || strstr(text, "run_live"), "malloc_stats wrote: %.200s", text);
}

/* 1 when memory went back to the system, and then it really did; 0 when there was none. */
static void trim_is_honest(void)
{
	enum { NR = 1000, BYTES = 40000 };
	static void *blocks[NR];
	size_t before, after;
	int trimmed;

	for (unsigned int i = 0; i < NR; i++)
		memset(blocks[i] = malloc(BYTES), 1, BYTES);
	for (unsigned int i = 0; i < NR; i++)
		free(blocks[i]);
	before = resident_bytes();
	trimmed = malloc_trim(0);
	after = resident_bytes();
	CHECK(trimmed == 0 || trimmed == 1, "malloc_trim gave %d", trimmed);
	CHECK((trimmed == 1) == (after < before), "malloc_trim gave %d; resident %zu before, "
	      "%zu after", trimmed, before, after);
	CHECK(after + 30 * MIB < before || before < 30 * MIB,
	      "40 MB free, and malloc_trim gave back %zu of %zu", before - after, before);
	malloc_trim(0);
	before = resident_bytes();
	trimmed = malloc_trim(0);
	after = resident_bytes();
	CHECK(trimmed == 0 || after < before, "the third malloc_trim gave %d; resident %zu before, "
	      "%zu after", trimmed, before, after);
}

static void options(void)
{
	static const int known[] = { M_MXFAST, M_NLBLKS, M_GRAIN, M_KEEP, M_TRIM_THRESHOLD,
				     M_TOP_PAD, M_MMAP_THRESHOLD, M_MMAP_MAX, M_CHECK_ACTION,
				     M_PERTURB, M_ARENA_TEST, M_ARENA_MAX };

	for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
		CHECK(mallopt(known[i], 64) == 1, "mallopt(%d) failed", known[i]);
	CHECK(!on_stitchmalloc() || mallopt(4711, 1) == 0, "mallopt(4711) succeeded");
}

int main(void)
{
	static const size_t sizes[] = { 16, 100, 1000, 5000, 20000, 300000, 2 * MIB, 5 * MIB };

	if (on_stitchmalloc()) {
		for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
			counts_blocks_of(sizes[i]);
		trim_is_honest();
	}
	old_form_agrees();
	refuses_info_options();
	info_tells_the_truth();
	stats_write();
	options();
	return 0;
}
