/* A library with a large thread-local variable, which a thread's first use of it allocates. */
#include <stddef.h>

int tls_user_touch(int value);

static _Thread_local struct {
	int first, values[16000], last;
} local;

/* Returns what the thread's last call left. */
int tls_user_touch(int value)
{
	int was = local.first == local.last ? local.first : -1;

	local.first = local.last = local.values[value % 16000] = value;
	return was;
}
