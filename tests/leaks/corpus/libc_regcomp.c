// A compiled expression that was not freed; how much is glibc's affair.
// expect: definite >=100/1 indirect >=100/5 possible 0/0 reachable 0/0
// top: lose main
// valgrind: same
#include "corpus.h"
#include <regex.h>

NOINLINE void lose(void)
{
	regex_t expression;

	if (regcomp(&expression, "a(b|c)*d", REG_EXTENDED))
		abort();
}

int main(void)
{
	lose();
	scrub_stack();
	return 0;
}
