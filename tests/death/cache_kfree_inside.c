/* The same by free(). */
#include "death/cache.h"

int main(void)
{
	free(object_of(cache_with(0)) + 16);
	return 0;
}
