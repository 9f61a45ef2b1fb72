/*
 * Preload libraries that are broken on purpose, one fault each, to see the preload tests fail:
 *   cc -shared -fPIC -DFAULT=HELLO -o broken.so broken.c
 * Calls glibc's allocator by the names it exports beside the usual ones.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

enum fault {
	NONE,	/* the control: nothing is broken */
	HELLO,	/* the constructor says something on stderr */
	NOMEM,	/* the 1000th allocation fails, and each 1000th after it */
	DIRTY,	/* calloc does not clear one block in 100 */
	SHORT,	/* realloc loses the last byte of one block in 100 */
	TWICE,	/* one block in 500, and every third large one, is one that was given out before */
	EXIT,	/* the process ends with another status */
};

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t nr, size_t size);
void *__libc_realloc(void *block, size_t size);
void *__libc_memalign(size_t align, size_t size);
void __libc_free(void *block);

#define LARGE (32 << 10)
#define MAPPED 2

static atomic_ulong allocations, callocs, reallocs, large_ones;
static __thread void *last;
static void *_Atomic last_large;

__attribute__((constructor)) static void start(void)
{
	if (FAULT == HELLO && write(2, "hello\n", 6) < 0)
		_exit(99);
}

__attribute__((destructor)) static void finish(void)
{
	if (FAULT == EXIT)
		_exit(3);
}

/* A program that brings another allocator along (redis) must not mix the two: all of it here. */
void free(void *block)
{
	__libc_free(block);
}

void *memalign(size_t align, size_t size)
{
	return __libc_memalign(align, size);
}

void *aligned_alloc(size_t align, size_t size)
{
	return __libc_memalign(align, size);
}

int posix_memalign(void **block, size_t align, size_t size)
{
	*block = __libc_memalign(align, size);
	return *block ? 0 : ENOMEM;
}

/* glibc keeps the size of a block, with three flags, in the word before it. */
size_t malloc_usable_size(void *block)
{
	size_t size;

	if (!block)
		return 0;
	size = ((size_t *)block)[-1];
	return (size & ~(size_t)7) - (size & MAPPED ? 16 : 8);
}

static int fits(void *block, size_t size)
{
	return block && malloc_usable_size(block) >= size;
}

static void *allocate_large(size_t size)
{
	if (FAULT == TWICE && ++large_ones % 3 == 0 && fits(last_large, size))
		return last_large;
	last_large = __libc_malloc(size);
	return last_large;
}

void *malloc(size_t size)
{
	unsigned long call = ++allocations;

	if (FAULT == NOMEM && call % 1000 == 0)
		return NULL;
	if (size >= LARGE)
		return allocate_large(size);
	if (FAULT == TWICE && call % 500 == 0 && fits(last, size))
		return last;
	last = __libc_malloc(size);
	return last;
}

void *calloc(size_t nr, size_t size)
{
	void *block = __libc_calloc(nr, size);

	if (FAULT == DIRTY && ++callocs % 100 == 0 && block)
		memset(block, 0x5a, nr * size);
	return block;
}

void *realloc(void *block, size_t size)
{
	size_t old = block ? malloc_usable_size(block) : 0;
	size_t kept = old < size ? old : size;
	char *moved;

	if (!block)
		return malloc(size);
	moved = __libc_realloc(block, size);
	/* The slack of the old block is not the program's, so a byte well inside is lost too. */
	if (FAULT == SHORT && ++reallocs % 100 == 0 && moved && kept > 8)
		moved[kept - 1] = moved[kept / 2] = 0x5a;
	return moved;
}
