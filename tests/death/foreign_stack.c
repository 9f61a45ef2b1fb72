/*
 * A pointer that is nobody's is handed to libc, which says so. (Misaligned, and with zeros
 * before it, so that libc has one thing only to say.)
 */
#include "death/death.h"

int main(void)
{
	char on_the_stack[100] __attribute__((aligned(16))) = "";

	free(launder(on_the_stack + 24));
	return 0;
}
