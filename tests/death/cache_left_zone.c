/* One byte too early; freed by free(). The option asks for the checks. */
#include "death/cache.h"

int main(void)
{
	char *object = object_of(cache_with(0));

	memset(object, 'x', 100);
	object[-1] = 'y';
	free(object);
	return 0;
}
