/* Found when the pointer goes back to the slab that it is in. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES);

	free(object + 16);
	malloc_trim(0);
	return 0;
}
