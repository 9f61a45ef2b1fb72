/*
 * trace.h - the file format of allocation traces, version 1. Written by libstitchrecord.so
 * (tools/record), read by bench/replay. Little-endian, for the machine that wrote it or one like
 * it.
 *
 * A file is a header of TRACE_HEADER_BYTES and then chunks, each of whole pages. A chunk belongs
 * to one thread: a struct trace_chunk and then records up to a zero byte or the end of the chunk.
 * The chunks of a thread lie in the file in their order; those of different threads mix. A page
 * that begins with zeros where a chunk is due was reserved but not begun; a reader skips it.
 *
 * A record is LEB128 numbers, the first of them `kind | argument << 4`:
 *
 *	kind           argument       further numbers
 *	MALLOC         bytes                                 also realloc(NULL, n)
 *	CALLOC         bytes in all
 *	ALIGNED        bytes          log2 of the alignment  memalign and the like
 *	INHERITED      bytes                                 there before a fork; usable size
 *	FREE           back                                  also realloc(p, 0)
 *	FREE_FAR       number         thread
 *	REALLOC        back           new bytes
 *	REALLOC_FAR    number         thread, new bytes
 *	EPOCH          epochs more    milliseconds more
 *
 * Objects have no addresses: an object is the thread that allocated it and its number among that
 * thread's objects, from 0. Every record of the first four kinds and every realloc makes one
 * (realloc ends the old one). `back` counts from the thread's own latest object, which is 0;
 * `number` is of the thread that follows. Calls that failed and blocks from before the recording
 * are not in the file.
 *
 * Order. A thread's records are in its order. Between threads: an object is freed after it was
 * allocated; and every record has the epoch of the EPOCH records before it, a count of the
 * process's calls in units of 1 << epoch_shift that never runs backwards: an event that another
 * thread's event led to has the same epoch or a later one. Epoch and clock start at 0 in each
 * thread.
 */
#ifndef STITCH_RECORD_TRACE_H
#define STITCH_RECORD_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TRACE_MAGIC "stitch\1t"
#define TRACE_VERSION 1u
#define TRACE_HEADER_BYTES 4096u
#define TRACE_PAGE 4096u
#define TRACE_CHUNK_MAGIC 0x6b6e6843u
#define TRACE_KIND_BITS 4
#define TRACE_MAX_NUMBER 10 /* bytes of a LEB128 number of 64 bits */
/* What an object's number and a thread's must stay below. */
#define TRACE_MAX_OBJECTS ((uint64_t)1 << 40)
#define TRACE_MAX_THREADS ((uint64_t)1 << 24)

enum trace_kind {
	TRACE_END,
	TRACE_MALLOC,
	TRACE_CALLOC,
	TRACE_ALIGNED,
	TRACE_INHERITED,
	TRACE_FREE,
	TRACE_FREE_FAR,
	TRACE_REALLOC,
	TRACE_REALLOC_FAR,
	TRACE_EPOCH,
	TRACE_NR_KINDS,
};

struct trace_header {
	char magic[8];
	uint32_t version;
	uint32_t pid;
	uint32_t parent_pid; /* of a forked child; else 0 */
	uint32_t epoch_shift;
	char command[TRACE_HEADER_BYTES - 24]; /* the arguments, a space for 0 to 31; ends in 0 */
};

struct trace_chunk {
	uint32_t magic;
	uint32_t bytes;	 /* with this header */
	uint32_t thread; /* 0 is the one that called malloc first */
	uint32_t ordinal; /* among the thread's chunks, from 0 */
};

_Static_assert(sizeof(struct trace_header) == TRACE_HEADER_BYTES, "no padding");

static inline uint8_t *trace_put(uint8_t *at, uint64_t number)
{
	for (; number >= 0x80; number >>= 7)
		*at++ = (uint8_t)(number | 0x80);
	*at++ = (uint8_t)number;
	return at;
}

/* False at the end of the bytes, or when the number has more than 64 bits. */
static inline bool trace_get(const uint8_t **at, const uint8_t *end, uint64_t *number)
{
	uint64_t sum = 0;

	for (unsigned int shift = 0; *at < end && shift < 64; shift += 7) {
		uint8_t byte = *(*at)++;

		if (shift == 63 && byte > 1)
			return false;
		sum |= (uint64_t)(byte & 0x7f) << shift;
		if (byte < 0x80) {
			*number = sum;
			return true;
		}
	}
	return false;
}

#endif
