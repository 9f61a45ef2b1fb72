/*
 * A program for checkers (plain_valgrind.sh): every form of new and delete, one block lost and one
 * freed with the wrong function.
 */
#include <cstdlib>
#include <new>

static void *volatile block;

/* The compiler must not see that what is made is deleted. */
static void *made(void *fresh)
{
	block = fresh;
	*static_cast<volatile char *>(block) = 1;
	return block;
}

static void plain_forms()
{
	operator delete(made(operator new(30)));
	operator delete[](made(operator new[](30)));
	operator delete(made(operator new(30)), std::size_t(30));
	operator delete[](made(operator new[](30)), std::size_t(30));
	operator delete(made(operator new(30, std::nothrow)), std::nothrow);
	operator delete[](made(operator new[](30, std::nothrow)), std::nothrow);
}

static void aligned_forms()
{
	const std::align_val_t align = std::align_val_t(64);

	operator delete(made(operator new(30, align)), align);
	operator delete[](made(operator new[](30, align)), align);
	operator delete(made(operator new(30, align)), std::size_t(30), align);
	operator delete[](made(operator new[](30, align)), std::size_t(30), align);
	operator delete(made(operator new(30, align, std::nothrow)), align, std::nothrow);
	operator delete[](made(operator new[](30, align, std::nothrow)), align, std::nothrow);
}

int main()
{
	plain_forms();
	aligned_forms();
	made(operator new(55));
	std::free(made(operator new(44)));
	return 0;
}
