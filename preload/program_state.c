/*
 * program_state.c - around functions of the program that the allocator calls (core/hooks.h): errno
 * stays as it was, and the thread is not cancelled in them.
 *
 * L10.
 */
#include <errno.h>
#include <pthread.h>

#include "core/hooks.h"
#include "entry.h"

static void begin(struct program_state *state)
{
	state->error = errno;
	pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &state->cancel_state);
}

static void end(const struct program_state *state)
{
	pthread_setcancelstate(state->cancel_state, NULL);
	errno = state->error;
}

void program_state_use(void)
{
	program_ops = (struct program_ops){ begin, end };
}
