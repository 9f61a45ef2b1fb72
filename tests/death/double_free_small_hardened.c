/* With another free between: the hardened mode finds it at once, and _exit would hide it else. */
#include <unistd.h>

#include "death/death.h"

int main(void)
{
	char *object = block_of(OBJECT_BYTES), *other = block_of(OBJECT_BYTES);

	free(object);
	free(other);
	free(launder(object));
	_exit(0);
}
