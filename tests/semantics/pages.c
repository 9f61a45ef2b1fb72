/* valloc and pvalloc: page alignment, and whole pages from pvalloc. */
#include "semantics/check.h"

int main(void)
{
	for (size_t bytes = 0, step = 1; step; step = size_after(bytes), bytes = step) {
		void *block = valloc(bytes), *rounded = pvalloc(bytes);
		size_t whole = (bytes + 4095) / 4096 * 4096;

		CHECK(block && (uintptr_t)block % 4096 == 0, "valloc(%zu) gave %p", bytes, block);
		CHECK(rounded && (uintptr_t)rounded % 4096 == 0, "pvalloc(%zu) gave %p", bytes,
		      rounded);
		CHECK(malloc_usable_size(rounded) >= whole, "pvalloc(%zu) has only %zu bytes",
		      bytes, malloc_usable_size(rounded));
		memset(block, 1, bytes);
		memset(rounded, 2, whole);
		CHECK(all_bytes_are(block, 1, bytes), "valloc(%zu) overlaps pvalloc", bytes);
		free(block);
		free(rounded);
	}
	return 0;
}
