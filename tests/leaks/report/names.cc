// names.cc - loses memory in functions whose names have much in them.
#include <string>
#include <vector>

#define NOINLINE __attribute__((noinline))

static volatile int nr_converted;

namespace
{
namespace outer
{
template <typename T> struct holder {
	NOINLINE void lose(const std::vector<T> &values, T (*convert)(const std::string &))
	{
		const T *volatile object = new T[values.size() * 50];

		nr_converted = nr_converted + (convert != nullptr);
		object = nullptr;
	}
};
} // namespace outer
} // namespace

static double convert(const std::string &text)
{
	return static_cast<double>(text.size());
}

static NOINLINE void lose_all()
{
	outer::holder<double> holder;

	holder.lose(std::vector<double>(4), convert);
	[](long bytes) __attribute__((noinline)) {
		const char *volatile object = new char[static_cast<unsigned long>(bytes)];

		object = nullptr;
	}(350);
}

int main()
{
	lose_all();
	return 0;
}
