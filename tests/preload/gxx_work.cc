/* Work for the preload test of g++: heavy to compile, and with a result when it runs. */
#include <algorithm>
#include <atomic>
#include <cstdint>
#include <functional>
#include <iostream>
#include <map>
#include <memory>
#include <numeric>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <tuple>
#include <unordered_map>
#include <variant>
#include <vector>

#ifdef MISTAKE
static std::map<std::string, std::vector<int>> wrong = std::make_tuple(1, "two", 3.0);
#endif

template <int N> struct Fib {
	static constexpr std::uint64_t value = Fib<N - 1>::value + Fib<N - 2>::value;
};
template <> struct Fib<0> { static constexpr std::uint64_t value = 0; };
template <> struct Fib<1> { static constexpr std::uint64_t value = 1; };

template <std::size_t... I> static auto all(std::index_sequence<I...>)
{
	return std::make_tuple(Fib<I>::value...);
}

template <typename T, int N> struct Deep {
	using Inner = Deep<std::pair<T, int>, N - 1>;
	std::map<int, std::vector<T>> map;
	Inner inner;
	void fill(int n) { map[n].resize(static_cast<std::size_t>(n)); inner.fill(n + 1); }
	std::size_t size() const { return map.size() + inner.size(); }
};
template <typename T> struct Deep<T, 0> {
	void fill(int) {}
	std::size_t size() const { return 0; }
};

struct Expr;
using Node = std::shared_ptr<Expr>;
struct Expr { std::variant<double, std::string, std::pair<Node, Node>> is; };

static Node tree(int depth)
{
	if (depth == 0)
		return std::make_shared<Expr>(Expr{1.5});
	return std::make_shared<Expr>(Expr{std::make_pair(tree(depth - 1), tree(depth - 1))});
}

static double sum(const Node &node)
{
	if (auto *pair = std::get_if<2>(&node->is))
		return sum(pair->first) + sum(pair->second);
	return std::get<double>(node->is);
}

static void regexes()
{
	const std::regex word("([a-z]+)([0-9]{1,4})|(foo|bar)*baz", std::regex::icase);
	std::ostringstream text;
	for (int i = 0; i < 3000; i++)
		text << "word" << i % 1000 << " FooBarBaz, " << std::hex << i << std::dec << ' ';
	const std::string all_text = text.str();
	std::map<std::string, int> count;
	for (std::sregex_iterator it(all_text.begin(), all_text.end(), word), end; it != end; ++it)
		count[it->str()]++;
	std::cout << "regex " << count.size() << ' ' << count["FooBarBaz"] << '\n';

}

static void threads()
{
	std::atomic<std::uint64_t> total{0};
	std::vector<std::thread> pool;
	for (unsigned n = 0; n < 4; n++)
		pool.emplace_back([n, &total] {
			std::unordered_map<int, std::unique_ptr<std::string>> live;
			for (int i = 0; i < 100000; i++) {
				auto &slot = live[i * 7919 % 5003];
				slot = std::make_unique<std::string>(std::size_t(i) % 700 + n, 'x');
			}
			for (auto &entry : live)
				total += entry.second->size();
		});
	for (auto &thread : pool)
		thread.join();
	std::cout << "threads " << total << '\n';
}

int main()
{
	auto fibs = all(std::make_index_sequence<80>());
	std::apply([](auto... v) { std::cout << "fib " << (v ^ ...) << '\n'; }, fibs);
	Deep<std::string, 12> deep;
	deep.fill(3);
	std::cout << "deep " << deep.size() << '\n' << "tree " << sum(tree(14)) << '\n';
	std::set<std::vector<int>> sets;
	for (int i = 0; i < 20000; i++)
		sets.insert({i % 97, i % 89, i % 83, i});
	std::vector<std::function<int(int)>> functions;
	for (int i = 0; i < 1000; i++)
		functions.emplace_back([i, pad = std::string(40, 'p')](int x) {
			return x + i + int(pad.size());
		});
	int x = 0;
	for (auto &f : functions)
		x = f(x) % 1000003;
	std::cout << "sets " << sets.size() << ' ' << (*sets.rbegin())[3] << " f " << x << '\n';
	regexes();
	threads();
	return 0;
}
