/* A line for each fault, and the heap goes on as if the call had not been made. */
#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES), *run = block_of(RUN_BYTES);
	char *area = block_of(AREA_BYTES), *other;

	free(object);
	free(launder(object));
	free(run);
	free(launder(run));
	free(area + 4096);
	if (realloc(area + 4096, 100))
		return 1;
	for (size_t i = 0; i < AREA_BYTES; i++)
		if (area[i] != 1)
			return 2;
	free(area);
	/* The object that was freed twice must not be given out twice. */
	other = block_of(OBJECT_BYTES);
	return malloc(OBJECT_BYTES) == other;
}
