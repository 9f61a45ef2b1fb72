/* Freed by its thread and by another, in either order: found when the other's goes home. */
#include <pthread.h>

#include "death/death.h"

static void *frees(void *object)
{
	free(object);
	return NULL;
}

int main(void)
{
	char *object = block_of(OBJECT_BYTES);
	pthread_t thread;

	free(object);
	pthread_create(&thread, NULL, frees, launder(object));
	pthread_join(thread, NULL);
	malloc_trim(0);
	return 0;
}
