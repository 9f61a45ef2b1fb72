// sized.cc - frees with their sizes, or one with a wrong size: hardened=1 looks at them.
#include <cstddef>
#include <new>

int main(int argc, char **)
{
	for (std::size_t bytes = 1; bytes <= 20000; bytes += 7)
		for (int i = 0; i < 20; i++)
			::operator delete(::operator new(bytes), bytes);
	if (argc > 1)
		for (int i = 0; i < 1000; i++)
			::operator delete(::operator new(3000), 5000);
	return 7;
}
