/* With another free between: found when the objects go back to their slab. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES), *other = block_of(OBJECT_BYTES);

	free(object);
	free(other);
	free(launder(object));
	malloc_trim(0);
	return 0;
}
