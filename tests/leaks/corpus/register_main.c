// A register that calls preserve holds the only pointer when main calls exit.
// expect: definite 0/0 indirect 0/0 possible 0/0 reachable 72/1
// valgrind: same
#include "corpus.h"

int main(void)
{
	register void *held __asm__("rbx") = malloc(72);

	scrub_stack();
	__asm__ volatile("" : "+r"(held));
	exit(held == NULL);
}
