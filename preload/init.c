/*
 * init.c - when things happen: boot at the first call, the constructor, thread exit, process exit.
 *
 * L10. The first call of any entry point boots the heap, long before constructors run. The
 * constructor (as early as a library's can be) then makes what must exist before the program makes
 * its own: the thread key, whose number must be low since pthread_setspecific allocates
 * for keys from 32 on, and the fork handlers. Nothing is ever torn down: free works until the
 * process is gone.
 *
 * Life of a thread's registration: none -> EXIT_FIRST_ROUND (thread_register) ->
 * EXIT_LAST_ROUND (key destructor, so that the destructors of other keys still find the
 * thread's caches) -> none (slot left; later calls borrow one and never register again).
 */
#include <pthread.h>

#include "core/memcheck.h"
#include "entry.h"
#include "init/mm_init.h"

#define EXIT_FIRST_ROUND ((void *)1)
#define EXIT_LAST_ROUND ((void *)2)

/* Key number + 1; 0: not made yet. */
static _Atomic unsigned int thread_key;

static void thread_exit(void *round)
{
	pthread_key_t key = atomic_load_explicit(&thread_key, memory_order_relaxed) - 1;

	if (round == EXIT_FIRST_ROUND && !pthread_setspecific(key, EXIT_LAST_ROUND))
		return;
	mm_thread_exit();
}

/* False when the program has taken all keys before us. */
static bool thread_key_make(void)
{
	unsigned int expected = 0;
	pthread_key_t key;

	if (likely(atomic_load_explicit(&thread_key, memory_order_acquire)))
		return true;
	if (pthread_key_create(&key, thread_exit))
		return false;
	if (!atomic_compare_exchange_strong(&thread_key, &expected, key + 1))
		pthread_key_delete(key);
	return true;
}

/*
 * pthread_setspecific may allocate; that call finds the thread with a slot and does not come
 * here again. A thread that cannot be registered gives its slot back at once, for else nobody
 * would; it borrows one for each of its slow calls.
 */
void thread_register(void)
{
	if (!thread_key_make() || pthread_setspecific(thread_key - 1, EXIT_FIRST_ROUND))
		mm_thread_exit();
}

__slow bool heap_boot(void)
{
	if (another_heap_is_wanted())
		return false;
	foreign_install();
	return mm_init();
}

#if !STITCH_PREFIX
/*
 * What pthread_atfork calls (Linux Standard Base, libc). The linker puts that function behind all
 * others, on pages that nothing else would read.
 */
int __register_atfork(void (*prepare)(void), void (*parent)(void), void (*child)(void),
		      void *library);
extern void *__dso_handle __attribute__((visibility("hidden")));

static void fork_child(void)
{
	mm_fork_child();
	background_after_fork();
	exit_after_fork();
	demand_after_fork();
}

/*
 * 101: the first priority that is not the compiler's own. Valgrind's tools put a malloc of their
 * own over ours, unless told not to: there the heap waits for its first call, for it is
 * likely that none comes, and Valgrind prints a line about every large reserve. (Builds for
 * Valgrind are run with that option.)
 */
__attribute__((constructor(101))) static void library_start(void)
{
	if ((CONFIG_VALGRIND || !running_on_valgrind()) && !heap_ready())
		return;
	thread_key_make();
	__register_atfork(mm_fork_prepare, mm_fork_parent, fork_child, __dso_handle);
	background_arm();
	exit_arm();
	demand_arm();
}
#endif
