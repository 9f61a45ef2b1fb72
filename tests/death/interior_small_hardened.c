#include <unistd.h>

#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES);

	free(object + 16);
	_exit(0);
}
