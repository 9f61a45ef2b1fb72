#include "death/death.h"

int main(void)
{
	char *area = block_of(AREA_BYTES);

	free(area + ((size_t)3 << 20));
	return 0;
}
