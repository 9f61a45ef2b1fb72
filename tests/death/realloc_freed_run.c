#include "death/death.h"

int main(void)
{
	char *run = block_of(RUN_BYTES);

	free(run);
	return realloc(launder(run), 2 * RUN_BYTES) == NULL;
}
