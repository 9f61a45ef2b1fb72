/* Twice in a row: found at once. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES);

	free(object);
	free(launder(object));
	return 0;
}
