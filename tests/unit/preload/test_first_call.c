/*
 * Every entry point brings the heap up by itself when it is the first call of the process. Each is
 * made in a child of its own; the library is linked under its prefix, so that nothing has called
 * it before.
 */
#include <errno.h>
#include <malloc.h>

#include "kunit.h"
#include "init/mm_init.h"
#include "stitch_api.h"

/* What info.c and malloc.c have beyond stitch_api.h. */
int stitch_mallopt(int option, int value);
struct mallinfo stitch_mallinfo(void);
int stitch_malloc_info(int options, FILE *file);
void stitch_cfree(void *object);

static bool works(void *block)
{
	bool good = block && memset(block, 1, 100);

	stitch_free(block);
	return good;
}

static bool first_malloc(void) { return works(stitch_malloc(100)); }
static bool first_malloc_large(void) { return works(stitch_malloc(5000000)); }
static bool first_calloc(void) { return works(stitch_calloc(10, 10)); }
static bool first_realloc(void) { return works(stitch_realloc(NULL, 100)); }
static bool first_reallocarray(void) { return works(stitch_reallocarray(NULL, 10, 10)); }
static bool first_memalign(void) { return works(stitch_memalign(64, 100)); }
static bool first_aligned_alloc(void) { return works(stitch_aligned_alloc(64, 100)); }
static bool first_valloc(void) { return works(stitch_valloc(100)); }
static bool first_pvalloc(void) { return works(stitch_pvalloc(100)); }

static bool first_posix_memalign(void)
{
	void *block = NULL;

	return !stitch_posix_memalign(&block, 64, 100) && works(block);
}

static bool first_free_of_nothing(void)
{
	stitch_free(NULL);
	stitch_cfree(NULL);
	return works(stitch_malloc(100));
}

/* Blocks of libc's heap: before ours is up everything else is foreign. */
static bool first_free_of_foreign(void)
{
	stitch_free(malloc(100));
	return works(stitch_malloc(100));
}

static bool first_realloc_of_foreign(void)
{
	void *block = stitch_realloc(malloc(100), 200);
	bool good = block && malloc_usable_size(block) >= 200;

	free(block);
	return good;
}

static bool first_usable_size_of_foreign(void)
{
	void *block = malloc(100);
	bool good = stitch_malloc_usable_size(block) == malloc_usable_size(block);

	free(block);
	return good;
}

static bool first_usable_size_of_nothing(void) { return !stitch_malloc_usable_size(NULL); }
static bool first_mallinfo(void) { return !stitch_mallinfo().hblks; }
static bool first_mallinfo2(void) { return !stitch_mallinfo2().hblks; }
static bool first_malloc_trim(void) { return stitch_malloc_trim(0) >= 0; }
static bool first_mallopt(void) { return stitch_mallopt(M_ARENA_MAX, 1) == 1; }
static bool first_info_refused(void) { return stitch_malloc_info(1, stdout) == EINVAL; }

static bool first_malloc_fails(void)
{
	errno = 0;
	return !stitch_malloc(SIZE_MAX) && errno == ENOMEM && works(stitch_malloc(100));
}

static const struct {
	const char *name;
	bool (*call)(void);
} first_calls[] = {
#define CALL(name) { #name, name }
	CALL(first_malloc), CALL(first_malloc_large), CALL(first_calloc), CALL(first_realloc),
	CALL(first_reallocarray), CALL(first_memalign), CALL(first_aligned_alloc),
	CALL(first_valloc), CALL(first_pvalloc), CALL(first_posix_memalign),
	CALL(first_free_of_nothing), CALL(first_free_of_foreign), CALL(first_realloc_of_foreign),
	CALL(first_usable_size_of_foreign), CALL(first_usable_size_of_nothing),
	CALL(first_mallinfo), CALL(first_mallinfo2), CALL(first_malloc_trim), CALL(first_mallopt),
	CALL(first_info_refused), CALL(first_malloc_fails),
#undef CALL
};

TEST(every_entry_point_boots_the_heap)
{
	ASSERT_EQ(mm_state, MM_DOWN);
	for (size_t i = 0; i < sizeof(first_calls) / sizeof(first_calls[0]); i++) {
		int status = -1;
		pid_t child = fork();

		ASSERT(child >= 0);
		if (!child)
			_exit(!first_calls[i].call());
		EXPECT_EQ(waitpid(child, &status, 0), child);
		if (status)
			fprintf(stderr, "%s: status %d\n", first_calls[i].name, status);
		EXPECT_EQ(status, 0);
	}
}

RUN_TESTS
