/* No line, and the heap goes on as if the call had not been made. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES), *run = block_of(RUN_BYTES), *other;

	free(object);
	free(launder(object));
	free(run);
	free(launder(run));
	other = block_of(OBJECT_BYTES);
	return malloc(OBJECT_BYTES) == other;
}
