/*
 * At limit= there are no pages for those of a sample, but small blocks still: whoever is chosen has
 * such a one, as he would have without leaks=sample. What shrinks does not fail.
 */
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "kernel_api.h"
#include "semantics/again.h"
#include "semantics/check.h"

#define NR_BLOCKS 1000

static void take_all_pages(void)
{
	for (size_t bytes = 8 << 20; bytes > 16384; bytes /= 2)
		while (malloc(bytes))
			;
	while (stitch_alloc_pages(STITCH_GFP_KERNEL, 0))
		;
}

static void at_the_limit(void)
{
	static char *blocks[NR_BLOCKS];

	for (int i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = malloc(160);
		memset(blocks[i], 7, 160);
	}
	take_all_pages();
	for (int i = 0; i < NR_BLOCKS; i++) {
		char *zeroed = calloc(1, 64), *aligned = aligned_alloc(64, 64);

		CHECK(malloc(64), "malloc %d", i);
		CHECK(zeroed, "calloc %d", i);
		CHECK(!zeroed[0] && !zeroed[63], "calloc %d is not zero", i);
		CHECK(aligned && !((size_t)aligned % 64), "aligned_alloc %d: %p", i, aligned);
	}
	for (int i = 0; i < NR_BLOCKS; i++) {
		blocks[i] = realloc(blocks[i], 80);
		CHECK(blocks[i], "realloc %d to less", i);
		CHECK(blocks[i][0] == 7 && blocks[i][79] == 7, "realloc %d has lost bytes", i);
	}
	_exit(0); /* no report of all that */
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		at_the_limit();
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's options");
	run_with_options("limit=32M,leaks=sample:1000");
	run_with_options("limit=32M,profile=sample,leak_sample=1000");
	return 0;
}
