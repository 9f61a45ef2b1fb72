// What setlocale keeps is libc's own; a locale object was the program's to free.
// expect: definite >=100/1 indirect 0/0 possible 0/0 reachable >=0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <locale.h>

NOINLINE void lose(void)
{
	setlocale(LC_ALL, "C.UTF-8");
	use(newlocale(LC_ALL_MASK, "C.UTF-8", (locale_t)0));
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
