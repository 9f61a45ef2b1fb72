/* At the start of a page, but not of the run. */
#include "death/death.h"

int main(void)
{
	char *run = block_of(RUN_BYTES);

	free(run + 4096);
	return 0;
}
