/* An address of the heap that has not come to use yet. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES);

	free(object + ((size_t)4 << 30));
	return 0;
}
