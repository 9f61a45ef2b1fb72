/*
 * memory_cgroup_work.c - fit: phases of 30 MiB each in other sizes, trimmed in between, which stay
 * within a limit of 64 MiB only if what was freed is given back. burst: 200 MiB at once, for which
 * the kernel kills.
 */
#include "semantics/check.h"

#define MIB ((size_t)1 << 20)
#define PHASE (30 * MIB)

static void phase(size_t bytes, size_t total)
{
	void **last = NULL, **block;

	for (size_t done = 0; done < total; done += bytes) {
		block = malloc(bytes);
		CHECK(block, "malloc(%zu)", bytes);
		memset(block, 0x5a, bytes);
		*block = last;
		last = block;
	}
	while (last) {
		block = *last;
		free(last);
		last = block;
	}
}

int main(int argc, char **argv)
{
	static const size_t sizes[] = { 100, 8 * MIB, 50000, 2000, 1 * MIB, 24, 3 * MIB, 7000 };

	if (argc > 1 && !strcmp(argv[1], "burst")) {
		phase(MIB, 200 * MIB);
		return 0;
	}
	for (unsigned int i = 0; i < 3 * sizeof(sizes) / sizeof(sizes[0]); i++) {
		phase(sizes[i % (sizeof(sizes) / sizeof(sizes[0]))], PHASE);
		malloc_trim(0);
	}
	return 0;
}
