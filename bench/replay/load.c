/*
 * load.c - reads a trace: finds each thread's chunks and hands out records one by one. Everything
 * in the file is checked; a file that is not right ends the program with a line that says where.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "replay.h"

#define NO_CHUNK UINT32_MAX

void *map_table(size_t bytes)
{
	void *p = mmap(NULL, bytes ? bytes : 1, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

	if (p == MAP_FAILED)
		die("no memory for a table of %zu bytes", bytes);
	return p;
}

static size_t offset_of(const struct trace *trace, const uint8_t *at)
{
	return (size_t)(at - trace->bytes);
}

static const struct trace_chunk *chunk_at(const struct trace *trace, uint32_t page)
{
	return (const void *)(trace->bytes + (size_t)page * TRACE_PAGE);
}

static void map_file(struct trace *trace)
{
	int fd = open(trace->path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	void *p;

	if (fd < 0 || fstat(fd, &status))
		die("%s: %s", trace->path, strerror(errno));
	trace->nr_bytes = (size_t)status.st_size;
	if (!S_ISREG(status.st_mode) || trace->nr_bytes < sizeof(struct trace_header))
		die("%s: not a trace: shorter than a trace's header", trace->path);
	p = mmap(NULL, trace->nr_bytes, PROT_READ, MAP_PRIVATE, fd, 0);
	if (p == MAP_FAILED)
		die("%s: %s", trace->path, strerror(errno));
	close(fd);
	trace->bytes = p;
	trace->header = p;
}

static void check_header(const struct trace *trace)
{
	const struct trace_header *header = trace->header;

	if (memcmp(header->magic, TRACE_MAGIC, sizeof(header->magic)))
		die("%s: not a trace of `stitchmalloc record`", trace->path);
	if (header->version != TRACE_VERSION)
		die("%s: a trace of version %u; this program reads version %u", trace->path,
		    header->version, TRACE_VERSION);
	if (!memchr(header->command, '\0', sizeof(header->command)))
		die("%s: broken: no end of the command in the header", trace->path);
}

/* The chunk's pages, after checks; 0 for a page that no chunk begins in. */
static uint32_t check_chunk(const struct trace *trace, uint32_t page)
{
	const struct trace_chunk *chunk = chunk_at(trace, page);
	size_t offset = (size_t)page * TRACE_PAGE;

	if (!chunk->magic)
		return 0;
	if (chunk->magic != TRACE_CHUNK_MAGIC || chunk->bytes % TRACE_PAGE || !chunk->bytes)
		die("%s: broken at byte %zu: no chunk begins here", trace->path, offset);
	if (chunk->bytes > trace->nr_bytes - offset)
		die("%s: cut off: the chunk at byte %zu ends behind the end of the file",
		    trace->path, offset);
	if (chunk->thread >= TRACE_MAX_THREADS)
		die("%s: broken at byte %zu: thread %u", trace->path, offset, chunk->thread);
	return chunk->bytes / TRACE_PAGE;
}

static void link_chunk(struct trace *trace, uint32_t index, uint32_t page)
{
	const struct trace_chunk *chunk = chunk_at(trace, page);
	struct source *source = &trace->sources[chunk->thread];

	if (chunk->ordinal != source->nr_chunks)
		die("%s: broken at byte %zu: chunk %u of thread %u where %u is due", trace->path,
		    (size_t)page * TRACE_PAGE, chunk->ordinal, chunk->thread, source->nr_chunks);
	trace->chunks[index] = (struct chunk_place){ page, NO_CHUNK };
	if (source->nr_chunks++)
		trace->chunks[source->last_chunk].next = index;
	else
		source->first_chunk = index;
	source->last_chunk = index;
}

static void find_chunks(struct trace *trace)
{
	uint32_t nr_pages = (uint32_t)(trace->nr_bytes / TRACE_PAGE), nr_chunks = 0, pages;

	if (trace->nr_bytes / TRACE_PAGE >= NO_CHUNK)
		die("%s: larger than 16 TiB", trace->path);
	for (uint32_t page = 1; page < nr_pages; page += pages ? pages : 1) {
		pages = check_chunk(trace, page);
		if (pages && chunk_at(trace, page)->thread >= trace->nr_threads)
			trace->nr_threads = chunk_at(trace, page)->thread + 1;
	}
	trace->chunks = map_table(nr_pages * sizeof(*trace->chunks));
	trace->sources = map_table(trace->nr_threads * sizeof(*trace->sources));
	for (uint32_t page = 1; page < nr_pages; page += pages ? pages : 1) {
		pages = check_chunk(trace, page);
		if (pages)
			link_chunk(trace, nr_chunks++, page);
	}
}

static void enter_chunk(const struct trace *trace, struct source *source, uint32_t index)
{
	const struct trace_chunk *chunk;

	source->chunk = index;
	source->at = source->end = trace->bytes;
	if (index == NO_CHUNK)
		return;
	chunk = chunk_at(trace, trace->chunks[index].page);
	source->at = (const uint8_t *)(chunk + 1);
	source->end = (const uint8_t *)chunk + chunk->bytes;
}

void source_rewind(const struct trace *trace, struct source *source)
{
	enter_chunk(trace, source, source->nr_chunks ? source->first_chunk : NO_CHUNK);
}

/* How many numbers follow the first. */
static unsigned int nr_more(enum trace_kind kind)
{
	switch (kind) {
	case TRACE_ALIGNED:
	case TRACE_FREE_FAR:
	case TRACE_REALLOC:
	case TRACE_EPOCH:
		return 1;
	case TRACE_REALLOC_FAR:
		return 2;
	default:
		return 0;
	}
}

/* False at the end of the thread's records. */
bool source_next(const struct trace *trace, struct source *source, struct record *record)
{
	const uint8_t *start;
	uint64_t numbers[3] = { 0, 0, 0 };

	while (source->at == source->end || !*source->at) {
		if (source->chunk == NO_CHUNK)
			return false;
		enter_chunk(trace, source, trace->chunks[source->chunk].next);
		if (source->chunk == NO_CHUNK)
			return false;
	}
	start = source->at;
	if (!trace_get(&source->at, source->end, &numbers[0]))
		die("%s: broken at byte %zu: no number", trace->path, offset_of(trace, start));
	record->kind = (enum trace_kind)(numbers[0] & ((1 << TRACE_KIND_BITS) - 1));
	if (record->kind == TRACE_END || record->kind >= TRACE_NR_KINDS)
		die("%s: broken at byte %zu: no kind of record has the number %u", trace->path,
		    offset_of(trace, start), (unsigned int)record->kind);
	for (unsigned int i = 1; i <= nr_more(record->kind); i++)
		if (!trace_get(&source->at, source->end, &numbers[i]))
			die("%s: broken at byte %zu: the record is cut off", trace->path,
			    offset_of(trace, start));
	record->argument = numbers[0] >> TRACE_KIND_BITS;
	record->second = numbers[1];
	record->third = numbers[2];
	return true;
}

static bool makes_object(enum trace_kind kind)
{
	return kind != TRACE_FREE && kind != TRACE_FREE_FAR && kind != TRACE_EPOCH;
}

void trace_load(struct trace *trace, const char *path)
{
	struct record record;

	*trace = (struct trace){ .path = path };
	map_file(trace);
	check_header(trace);
	find_chunks(trace);
	for (uint32_t i = 0; i < trace->nr_threads; i++) {
		struct source *source = &trace->sources[i];

		source_rewind(trace, source);
		while (source_next(trace, source, &record)) {
			source->nr_objects += makes_object(record.kind);
			trace->nr_records += record.kind != TRACE_EPOCH;
		}
		source_rewind(trace, source);
	}
	if (!trace->nr_records)
		die("%s: the trace has no calls in it", path);
}
