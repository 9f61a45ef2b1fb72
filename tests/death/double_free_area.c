#include "death/death.h"

int main(void)
{
	char *area = block_of(AREA_BYTES), *other = block_of(AREA_BYTES);

	free(area);
	free(other);
	free(launder(area));
	return 0;
}
