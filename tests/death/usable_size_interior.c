#include "death/death.h"

int main(void)
{
	char *area = block_of(AREA_BYTES);

	return malloc_usable_size(area + 4096) == 0;
}
