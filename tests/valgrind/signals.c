/*
 * A handler that allocates and frees amid the slow paths of its thread: the allocator serves it
 * from memory of its own, and links what it frees through the dead objects. Nothing is reported.
 *
 * A handler amid the fast path of one size must leave that size alone, which is undefined: the
 * program has other sizes, and holds the signal back where the two exchange objects.
 */
#include <signal.h>
#include <sys/time.h>

#include "valgrind/fault.h"

#define NR_OBJECTS 300
#define NR_SIGNALS 400

static volatile sig_atomic_t nr_signals;
static char *volatile from_program, *volatile from_handler;

/* Frees what the program made, and the other way round. */
static void handler(int signal)
{
	char *object = from_program;

	(void)signal;
	nr_signals++;
	from_program = NULL;
	free(object);
	if (!from_handler)
		from_handler = memset(malloc(200), 'a', 200);
	free(memset(malloc(5000), 'b', 5000)); /* used up, a chunk is used again */
}

static void exchange(void)
{
	char *object;
	sigset_t alarm;

	sigemptyset(&alarm);
	sigaddset(&alarm, SIGALRM);
	sigprocmask(SIG_BLOCK, &alarm, NULL);
	object = from_handler;
	from_handler = NULL;
	CHECK(!object || all_bytes_are(object, 'a', 200), "an object of the handler's");
	free(object);
	if (!from_program)
		from_program = memset(malloc(100), 'c', 100);
	sigprocmask(SIG_UNBLOCK, &alarm, NULL);
}

int main(void)
{
	const struct itimerval often = { { 0, 1000 }, { 0, 1000 } }, never = { { 0, 0 }, { 0, 0 } };
	static char *objects[NR_OBJECTS];

	signal(SIGALRM, handler);
	setitimer(ITIMER_REAL, &often, NULL);
	for (int round = 0; nr_signals < NR_SIGNALS; round++) {
		size_t bytes = 40 + (size_t)round % 20 * 500;

		for (int i = 0; i < NR_OBJECTS; i++)
			objects[i] = malloc(bytes);
		exchange();
		for (int i = 0; i < NR_OBJECTS; i++)
			free(objects[i]);
	}
	setitimer(ITIMER_REAL, &never, NULL);
	free(from_program);
	free(from_handler);
	return 0;
}
