/* The C++ runtime came with a plug-in, into no global scope: std::bad_alloc is thrown still. */
#include "death/death.h"

int main(void)
{
	void *(*operator_new)(size_t) = (void *(*)(size_t))dlsym(RTLD_DEFAULT, "_Znwm");

	if (!dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL))
		return 1;
	return operator_new((size_t)1 << 62) == NULL;
}
