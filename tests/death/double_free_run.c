#include "death/death.h"

int main(void)
{
	char *run = block_of(RUN_BYTES), *other = block_of(RUN_BYTES);

	free(run);
	free(other);
	free(launder(run));
	return 0;
}
