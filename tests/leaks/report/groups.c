/*
 * groups.c - a million objects, lost in a thousand places: each digit is a call of its own, and the
 * first two tell the size, 1 to 100.
 */
#include <stdlib.h>

#define NOINLINE __attribute__((noinline))
#define FOR_DIGITS(call) \
	call(0) call(1) call(2) call(3) call(4) call(5) call(6) call(7) call(8) call(9)

static volatile int nr_lost;

static NOINLINE void lose(size_t bytes)
{
	for (int i = 0; i < 1000; i++)
		nr_lost += malloc(bytes) != NULL;
}

static NOINLINE void ones(size_t bytes)
{
#define CALL(digit) \
	lose(bytes + 1 + 0 * digit); \
	nr_lost++;
	FOR_DIGITS(CALL)
#undef CALL
}

static NOINLINE void tens(size_t bytes)
{
#define CALL(digit) \
	ones(bytes + digit); \
	nr_lost++;
	FOR_DIGITS(CALL)
#undef CALL
}

static NOINLINE void hundreds(void)
{
#define CALL(digit) \
	tens(digit * 10); \
	nr_lost++;
	FOR_DIGITS(CALL)
#undef CALL
}

int main(void)
{
	hundreds();
	return 0;
}
