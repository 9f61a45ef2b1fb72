/* operator new fails in a process that has no C++ runtime. */
#include "death/death.h"

int main(void)
{
	void *(*operator_new)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");

	return operator_new((size_t)1 << 62) == NULL;
}
