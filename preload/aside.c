/*
 * aside.c - the entry points without a heap: none could be had, or a sanitizer has one of its own.
 *
 * L10. Programs built with -fsanitize=address, thread or leak have a malloc that their sanitizer
 * cannot work without; preloaded we stand before it. Its functions have second names, which are
 * weak references here: where they are found our heap never comes up, every call finds the empty
 * sheaf, and ends here to be passed on. (UBSan has no malloc, and works with ours.)
 */
#include <errno.h>

#include "core/hooks.h"
#include "entry.h"

#define SANITIZERS(name) __interceptor_##name
void *SANITIZERS(malloc)(size_t bytes) __attribute__((weak));
void *SANITIZERS(calloc)(size_t count, size_t bytes) __attribute__((weak));
void *SANITIZERS(memalign)(size_t align, size_t bytes) __attribute__((weak));
void *SANITIZERS(realloc)(void *object, size_t bytes) __attribute__((weak));
void SANITIZERS(free)(void *object) __attribute__((weak));
size_t SANITIZERS(malloc_usable_size)(const void *object) __attribute__((weak));

/* Under the prefix we are in nobody's way. */
bool another_heap_is_wanted(void)
{
	return !STITCH_PREFIX && SANITIZERS(malloc);
}

static void *no_heap(void)
{
	errno = ENOMEM;
	return NULL;
}

void *heapless_malloc(size_t bytes)
{
	return another_heap_is_wanted() ? SANITIZERS(malloc)(bytes) : no_heap();
}

void *heapless_calloc(size_t bytes)
{
	return another_heap_is_wanted() ? SANITIZERS(calloc)(1, bytes) : no_heap();
}

void *heapless_memalign(size_t align, size_t bytes)
{
	return another_heap_is_wanted() ? SANITIZERS(memalign)(align, bytes) : no_heap();
}

void heapless_free(void *object)
{
	if (another_heap_is_wanted())
		SANITIZERS(free)(object);
	else
		foreign_ops.free(object);
}

void *heapless_realloc(void *object, size_t bytes)
{
	return another_heap_is_wanted() ? SANITIZERS(realloc)(object, bytes) :
					  foreign_ops.realloc(object, bytes);
}

size_t heapless_usable(void *object)
{
	return another_heap_is_wanted() ? SANITIZERS(malloc_usable_size)(object) :
					  foreign_ops.usable_size(object);
}

#if !STITCH_PREFIX
/*
 * AddressSanitizer refuses to start behind any other library, because that may have a malloc; it
 * asks the first function of this name for its options. A program's own one comes first.
 */
const char *__asan_default_options(void);
__visible __attribute__((weak)) const char *__asan_default_options(void)
{
	return "verify_asan_link_order=0";
}
#endif
