/* A block of libc's heap. */
#include "death/death.h"

int main(void)
{
	void *libc = dlopen("libc.so.6", RTLD_NOW | RTLD_NOLOAD);

	free(((void *(*)(size_t))dlsym(libc, "malloc"))(100));
	return 0;
}
