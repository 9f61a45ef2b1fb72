/* Freed by its thread, then by another: found at once, and _exit would hide it else. */
#include <pthread.h>
#include <unistd.h>

#include "death/death.h"

static void *frees(void *object)
{
	free(object);
	_exit(0);
}

int main(void)
{
	char *object = block_of(OBJECT_BYTES), *other = block_of(OBJECT_BYTES);
	pthread_t thread;

	free(object);
	free(other);
	pthread_create(&thread, NULL, frees, launder(object));
	pthread_join(thread, NULL);
	return 0;
}
