/*
 * sizes.h - sizes and lives that the mixed loads share, drawn without a division or a logarithm, so
 * that the drawing costs little beside malloc.
 */
#ifndef BENCH_SIZES_H
#define BENCH_SIZES_H

#include <stddef.h>
#include <stdint.h>

/* What most objects of measured programs are: 16 to 128 bytes, every size as often. */
static inline size_t small_size(uint64_t random)
{
	return 16 + (random & 0xffff) * 113 / 0x10000;
}

/*
 * Three of four are small. Of the others each doubling has half as many blocks as the one before,
 * up to 64 KiB. Every 16,384th has 1 MiB.
 */
static inline size_t mixed_size(uint64_t random)
{
	uint64_t detail = random >> 48, kind = random >> 16 & 0x3fff;
	size_t low;

	if (kind == 0)
		return 1 << 20;
	if (kind & 3)
		return small_size(detail);
	low = (size_t)128 << __builtin_ctzll((random >> 30 & 0xff) | 0x100);
	return low + low * detail / 0x10000;
}

/*
 * One of 2^bits places of a table, where each doubling of the place is as likely. A block lives
 * until its place is drawn again: lives of bits / 3.3 orders of magnitude.
 */
static inline size_t lasting_place(uint64_t random, unsigned int bits)
{
	size_t first = (size_t)1 << (random & 0xffff) * bits / 0x10000;

	return first + (random >> 32 & (first - 1));
}

#endif
