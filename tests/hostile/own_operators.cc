/*
 * A program with operators new and delete of its own, which ask malloc for more than they were
 * asked for, and with no sized ones: in hardened mode the sizes that the compiler gives to our
 * sized operators are not held against malloc's objects.
 */
#include <new>

#include "semantics/again.h"

#define EXTRA 1000

static unsigned int nr_deleted;

void *operator new(std::size_t bytes)
{
	return malloc(bytes + EXTRA);
}

void operator delete(void *object) noexcept
{
	nr_deleted++;
	free(object);
}

void *operator new(std::size_t bytes, std::align_val_t align)
{
	return memalign((size_t)align, bytes + EXTRA);
}

void operator delete(void *object, std::align_val_t) noexcept
{
	nr_deleted++;
	free(object);
}

struct alignas(64) line {
	char bytes[100];
	~line() { }
};

struct item {
	char bytes[100];
	~item() { }
};

int main(int argc, char **)
{
	char text[4096];
	int status;

	if (argc == 1) {
		status = run_again("once", "STITCH_CONF", "hardened=1", text, sizeof(text));
		CHECK(!status && !*text, "status %#x: %s", (unsigned int)status, text);
		return 0;
	}
	delete (item *)launder(new item);
	delete[] (item *)launder(new item[10]);
	delete (line *)launder(new line);
	delete[] (line *)launder(new line[10]);
	CHECK(nr_deleted == 4, "the program's operator delete was called %u times", nr_deleted);
	return 0;
}
