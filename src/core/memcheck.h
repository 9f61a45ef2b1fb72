/*
 * memcheck.h - Valgrind: is it there, and what its memcheck is told in builds made for it.
 *
 * L2. The only file that knows Valgrind's headers, and only with CONFIG_VALGRIND=1 (preset
 * `valgrind`); else the requests are nothing at all. All objects are marked in preload/marked.h;
 * what is left to the layers below is to say where they touch a dead object on purpose, and to
 * leave no pointers behind that memcheck's search for leaks would take for the program's.
 */
#ifndef CORE_MEMCHECK_H
#define CORE_MEMCHECK_H

#include <string.h>

#include "base/compiler.h"

#ifndef CONFIG_VALGRIND
#define CONFIG_VALGRIND 0
#endif

#if CONFIG_VALGRIND
#include <valgrind/memcheck.h>
#else
#define REQUEST_NOTHING(...) ((void)sizeof((uintptr_t[]){ __VA_ARGS__ }))
#define VALGRIND_MALLOCLIKE_BLOCK(object, bytes, red_zone, zeroed) \
	REQUEST_NOTHING((uintptr_t)(object), (bytes), (red_zone), (zeroed))
#define VALGRIND_FREELIKE_BLOCK(object, red_zone) \
	REQUEST_NOTHING((uintptr_t)(object), (red_zone))
#define VALGRIND_RESIZEINPLACE_BLOCK(object, old_bytes, bytes, red_zone) \
	REQUEST_NOTHING((uintptr_t)(object), (old_bytes), (bytes), (red_zone))
#define VALGRIND_MAKE_MEM_DEFINED(memory, bytes) REQUEST_NOTHING((uintptr_t)(memory), (bytes))
#define VALGRIND_MAKE_MEM_NOACCESS(memory, bytes) REQUEST_NOTHING((uintptr_t)(memory), (bytes))
#define VALGRIND_DISABLE_ERROR_REPORTING ((void)0)
#define VALGRIND_ENABLE_ERROR_REPORTING ((void)0)
#endif

/*
 * Between these two the calling thread may touch what memcheck holds for dead. Marks stay as they
 * are: a program that touches the same bytes meanwhile is still reported.
 */
static inline void memcheck_quiet_begin(void)
{
	VALGRIND_DISABLE_ERROR_REPORTING;
}

static inline void memcheck_quiet_end(void)
{
	VALGRIND_ENABLE_ERROR_REPORTING;
}

/* Memory of dead objects in which the allocator keeps books of its own from now on. */
static inline void memcheck_reuse(void *memory, size_t bytes)
{
	VALGRIND_MAKE_MEM_DEFINED(memory, bytes);
}

/* Clear what an array of pointers to objects no longer holds. */
static inline void memcheck_forget(void **pointers, size_t nr)
{
	if (CONFIG_VALGRIND)
		memset(pointers, 0, nr * sizeof(*pointers));
}

/*
 * Any build, any tool of Valgrind. The sequence does nothing on a processor; it is part of
 * Valgrind's interface ("client request") and will not change. Without its headers, so that the
 * library as it is shipped needs none.
 */
static inline bool running_on_valgrind(void)
{
	volatile const uint64_t request[6] = { 0x1001 /* RUNNING_ON_VALGRIND */ };
	uint64_t answer = 0;

	__asm__ volatile("rolq $3, %%rdi\n\trolq $13, %%rdi\n\t"
			 "rolq $61, %%rdi\n\trolq $51, %%rdi\n\t"
			 "xchgq %%rbx, %%rbx"
			 : "+d"(answer)
			 : "a"(request)
			 : "cc", "memory");
	return answer;
}

#endif
