/*
 * compressor.c - a kernel lecture's exercise, in user space: 100 MiB are compressed by zstd, piece
 * by piece, with the result in one large buffer, in a page that is allocated and freed for each
 * piece, or in one working buffer. The work is the same; what differs is how memory is asked for.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zstd.h>

#include "measure.h"

#define PAGE_BYTES 4096u
#define LEVEL 1

static const char usage[] =
	"usage: compressor WAY [--mib N] [--rounds N]\n"
	"\n"
	"Compresses N MiB (100) of text N times (3), the result\n"
	"  whole    in a buffer as large as the text, allocated for each round\n"
	"  pages    in buffers of a page, allocated and freed for each piece\n"
	"  working  in one buffer of a page\n"
	"Prints milliseconds of a round and the ratio.\n";

static struct {
	size_t bytes;
	unsigned long nr_rounds;
} options = { .bytes = (size_t)100 << 20, .nr_rounds = 3 };

static char *text;
static ZSTD_CCtx *context;

static _Noreturn void wrong_usage(const char *what)
{
	fprintf(stderr, "compressor: %s?\n%s", what, usage);
	exit(2);
}

/* Words of three to ten letters, the short ones often: compresses to about two fifths. */
static void write_text(void)
{
	static const char letters[] = "etaoinshrdlucmfwypvbgkjqxz";
	uint64_t state = 1;
	size_t at = 0;

	text = malloc(options.bytes);
	if (!text)
		die("no memory");
	while (at < options.bytes) {
		uint64_t word = random_next(&state) % (1 << (4 + random_next(&state) % 9));
		size_t length = 3 + word % 8;

		for (size_t i = 0; i < length && at < options.bytes; i++)
			text[at++] = letters[(word * 2654435761u >> (4 * i)) % 26];
		if (at < options.bytes)
			text[at++] = ' ';
	}
}

/* Until there is no more, or the output is full. Returns bytes written; *done: no more. */
static size_t compress_some(ZSTD_inBuffer *in, void *to, size_t room, int *done)
{
	ZSTD_outBuffer out = { to, room, 0 };
	size_t left;

	do {
		left = ZSTD_compressStream2(context, &out, in, ZSTD_e_end);
		if (ZSTD_isError(left))
			die("zstd: %s", ZSTD_getErrorName(left));
	} while (left && out.pos < out.size);
	*done = !left;
	return out.pos;
}

static size_t whole(void)
{
	ZSTD_inBuffer in = { text, options.bytes, 0 };
	char *result = malloc(options.bytes);
	size_t bytes;
	int done;

	if (!result)
		die("no memory");
	bytes = compress_some(&in, result, options.bytes, &done);
	if (!done)
		die("the result is larger than the text");
	free(result);
	return bytes;
}

static size_t pages(void)
{
	ZSTD_inBuffer in = { text, options.bytes, 0 };
	size_t bytes = 0;
	int done = 0;

	while (!done) {
		char *page = malloc(PAGE_BYTES);

		bytes += compress_some(&in, page, PAGE_BYTES, &done);
		free(page);
	}
	return bytes;
}

static size_t working(void)
{
	static char page[PAGE_BYTES];
	ZSTD_inBuffer in = { text, options.bytes, 0 };
	size_t bytes = 0;
	int done = 0;

	while (!done)
		bytes += compress_some(&in, page, PAGE_BYTES, &done);
	return bytes;
}

static size_t (*find_way(const char *name))(void)
{
	if (!strcmp(name, "whole"))
		return whole;
	if (!strcmp(name, "pages"))
		return pages;
	if (!strcmp(name, "working"))
		return working;
	wrong_usage(name);
}

static void read_options(int argc, char **argv)
{
	for (int i = 2; i < argc; i += 2) {
		unsigned long number = i + 1 < argc ? strtoul(argv[i + 1], NULL, 10) : 0;

		if (!number || number > 1000000)
			wrong_usage(argv[i]);
		if (!strcmp(argv[i], "--mib"))
			options.bytes = (size_t)number << 20;
		else if (!strcmp(argv[i], "--rounds"))
			options.nr_rounds = number;
		else
			wrong_usage(argv[i]);
	}
}

int main(int argc, char **argv)
{
	size_t (*way)(void), bytes = 0;
	struct measure measure;
	uint64_t start;

	quiet_stdout();
	if (argc == 2 && !strcmp(argv[1], "--help")) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc < 2)
		wrong_usage("which way");
	way = find_way(argv[1]);
	read_options(argc, argv);
	context = ZSTD_createCCtx();
	if (!context)
		die("no memory");
	ZSTD_CCtx_setParameter(context, ZSTD_c_compressionLevel, LEVEL);
	write_text();
	measure_start(&measure);
	start = now_ns();
	for (unsigned long i = 0; i < options.nr_rounds; i++)
		bytes = way();
	printf("ms: %.2f\nratio: %.3f\n",
	       (double)(now_ns() - start) * 1e-6 / (double)options.nr_rounds,
	       (double)bytes / (double)options.bytes);
	measure_print(&measure);
	ZSTD_freeCCtx(context);
	return 0;
}
