/* In the run's first page, which the page map knows as the start of an object. */
#include "death/death.h"

int main(void)
{
	char *run = block_of(RUN_BYTES);

	free(run + 1);
	return 0;
}
