/*
 * harness.cc - the benchmarks of bench.h on Google Benchmark: one process, one allocator.
 *
 *	bench [--allocator=PATH|libc] [--quick] [--list] [--only=NAME]... [OPTION]...
 *
 * OPTIONs are Google Benchmark's. --allocator ends the program unless malloc is that library's: a
 * preload that the dynamic linker could not follow would otherwise measure glibc. Each row has,
 * beside its time, what one operation costs in instructions and cycles of user code (where the
 * machine has counters) and in page faults, and the process's peak of resident memory during the
 * row. What was measured where is in the context of the JSON.
 */
#include "bench.h"

#include <benchmark/benchmark.h>

#include <dlfcn.h>
#include <fcntl.h>
#include <gnu/libc-version.h>
#include <linux/perf_event.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cinttypes>
#include <climits>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <vector>

struct bench_counter {
	const char *name;
	double value;
};

namespace {

constexpr unsigned int MAX_COUNTERS = 16;
bench *first_bench;
bool quick;

[[noreturn]] void fail(const std::string &text)
{
	std::fprintf(stderr, "bench: %s\n", text.c_str());
	std::exit(1);
}

/* --- what the machine counts ----------------------------------------------------------------- */

/* Of the calling thread's user code. */
class Counter {
public:
	explicit Counter(uint64_t event)
	{
		perf_event_attr attribute = {};

		attribute.type = PERF_TYPE_HARDWARE;
		attribute.size = sizeof(attribute);
		attribute.config = event;
		attribute.exclude_kernel = 1;
		attribute.exclude_hv = 1;
		file_ = static_cast<int>(syscall(SYS_perf_event_open, &attribute, 0, -1, -1, 0));
		error_ = errno;
	}
	~Counter()
	{
		if (file_ >= 0)
			close(file_);
	}
	Counter(const Counter &) = delete;
	Counter &operator=(const Counter &) = delete;

	bool works() const { return file_ >= 0; }
	int error() const { return error_; }
	uint64_t read_now() const
	{
		uint64_t value = 0;

		return works() && read(file_, &value, sizeof(value)) == sizeof(value) ? value : 0;
	}

private:
	int file_;
	int error_ = 0;
};

double faults_of_thread()
{
	rusage usage = {};

	getrusage(RUSAGE_THREAD, &usage);
	return static_cast<double>(usage.ru_minflt + usage.ru_majflt);
}

/* In KiB; 0: unknown. */
double peak_rss()
{
	std::ifstream status("/proc/self/status");
	std::string line;

	while (std::getline(status, line))
		if (line.rfind("VmHWM:", 0) == 0)
			return std::strtod(line.c_str() + 6, nullptr);
	return 0;
}

/* False: the kernel cannot, and peaks are those of the process's life. */
bool reset_peak()
{
	int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
	bool done = file >= 0 && write(file, "5", 1) == 1;

	if (file >= 0)
		close(file);
	return done;
}

/* --- one row --------------------------------------------------------------------------------- */

/* What the first thread prepares for all; they meet before the first call and after the last. */
void *shared_data;
std::atomic<bool> is_set_up;

/* A call that is not timed: the first one pays for memory that the kernel has never seen used. */
void prepare(const bench *bench, bench_run *run, bool is_first, unsigned int batch)
{
	if (is_first) {
		reset_peak();
		shared_data = bench->set_up ? bench->set_up(run) : nullptr;
		is_set_up.store(true, std::memory_order_release);
	}
	while (!is_set_up.load(std::memory_order_acquire))
		sched_yield();
	run->data = shared_data;
	if (bench->warm_up)
		bench->warm_up(run);
	if (!bench->rounds)
		bench->run(run, batch);
}

void add_counter(benchmark::State &state, const char *name, double value)
{
	state.counters[name] = benchmark::Counter(value, benchmark::Counter::kAvgIterations);
}

void run_row(benchmark::State &state, const bench *bench)
{
	std::vector<bench_counter> counters(MAX_COUNTERS);
	bench_run run = {};
	bool is_first = state.thread_index() == 0, first_call = true;
	unsigned int batch = bench->batch ? bench->batch : 1;

	run.argument = bench->to ? state.range(0) : 0;
	run.thread = static_cast<unsigned int>(state.thread_index());
	run.nr_threads = static_cast<unsigned int>(state.threads());
	run.random = 0x5eed + run.thread;
	run.counters = counters.data();
	prepare(bench, &run, is_first, batch);
	Counter instructions(PERF_COUNT_HW_INSTRUCTIONS), cycles(PERF_COUNT_HW_CPU_CYCLES);
	uint64_t nr_instructions = 0, nr_cycles = 0;
	double nr_faults = 0;
	while (state.KeepRunningBatch(batch)) {
		if (first_call) {
			nr_faults = faults_of_thread();
			nr_cycles = cycles.read_now();
			nr_instructions = instructions.read_now();
			first_call = false;
		}
		bench->run(&run, batch);
	}
	nr_instructions = instructions.read_now() - nr_instructions;
	nr_cycles = cycles.read_now() - nr_cycles;
	add_counter(state, "faults", faults_of_thread() - nr_faults);
	if (instructions.works())
		add_counter(state, "instructions", static_cast<double>(nr_instructions));
	if (cycles.works())
		add_counter(state, "cycles", static_cast<double>(nr_cycles));
	if (is_first) {
		is_set_up = false;
		state.counters["peak_kib"] = peak_rss();
		if (bench->tear_down)
			bench->tear_down(&run);
	}
	state.SetLabel(bench->text);
	for (const bench_counter &counter : counters)
		if (counter.name)
			state.counters[counter.name] = counter.value;
}

std::string group_of(const bench *bench)
{
	std::string path = bench->group, name = path.substr(path.rfind('/') + 1);

	return name.substr(0, name.find('.'));
}

void add_arguments(benchmark::internal::Benchmark *row, const bench *bench)
{
	int64_t times = quick && bench->quick_times ? bench->quick_times : bench->times;
	int64_t argument = bench->from;

	if (!bench->to)
		return;
	do
		row->Arg(argument);
	while (times > 1 && (argument *= times) <= bench->to);
}

void add_threads(benchmark::internal::Benchmark *row, const bench *bench)
{
	unsigned int most = quick && bench->quick_threads ? bench->quick_threads : bench->threads;
	unsigned int fewest = bench->fewest_threads ? bench->fewest_threads : 1;

	if (bench->threads)
		row->ThreadRange(static_cast<int>(fewest), static_cast<int>(most));
}

void register_bench(const bench *bench)
{
	if (quick && bench->only_full)
		return;
	auto *row = benchmark::RegisterBenchmark(
		bench->name, [bench](benchmark::State &state) { run_row(state, bench); });
	add_arguments(row, bench);
	add_threads(row, bench);
	if (bench->rounds)
		row->Iterations(static_cast<benchmark::IterationCount>(
			bench->rounds * (bench->batch ? bench->batch : 1)));
	row->UseRealTime();
}

/* Rows keep their order whatever the linker did with the constructors: by group, then by name. */
void register_all(const std::set<std::string> &names)
{
	std::map<std::pair<std::string, std::string>, const bench *> sorted;

	for (const bench *bench = first_bench; bench; bench = bench->next)
		sorted[{ group_of(bench), bench->name }] = bench;
	for (const auto &[key, bench] : sorted)
		if (names.empty() || names.count(bench->name))
			register_bench(bench);
}

/* --- the allocator --------------------------------------------------------------------------- */

std::string malloc_library()
{
	Dl_info info = {};
	void *address = dlsym(RTLD_DEFAULT, "malloc");
	char resolved[PATH_MAX];

	if (!address || !dladdr(address, &info) || !info.dli_fname)
		return "unknown";
	return realpath(info.dli_fname, resolved) ? resolved : info.dli_fname;
}

template <typename Function> Function *find(const char *name)
{
	return reinterpret_cast<Function *>(dlsym(RTLD_DEFAULT, name));
}

/* What the allocator says of itself. */
std::string malloc_version()
{
	std::string path = malloc_library();
	const char *text = nullptr;
	size_t size = sizeof(text);

	if (auto *ours = find<const char *()>("stitch_version"))
		return std::string("stitchmalloc ") + ours();
	auto *control = find<int(const char *, void *, size_t *, void *, size_t)>("mallctl");
	if (control && !control("version", &text, &size, nullptr, 0))
		return std::string("jemalloc ") + text;
	if (auto *mimalloc = find<int()>("mi_version"))
		return "mimalloc " + std::to_string(mimalloc());
	if (auto *google = find<const char *(int *, int *, const char **)>("tc_version"))
		return google(nullptr, nullptr, nullptr);
	if (path.find("/libc.so") != std::string::npos)
		return std::string("glibc ") + gnu_get_libc_version();
	return "does not say";
}

void check_allocator(const std::string &wanted)
{
	char resolved[PATH_MAX];
	std::string found = malloc_library();
	bool is_libc = found.find("/libc.so") != std::string::npos;

	if (wanted.empty() || (wanted == "libc" && is_libc))
		return;
	if (wanted != "libc" && !realpath(wanted.c_str(), resolved))
		fail(wanted + ": " + std::strerror(errno));
	if (wanted == "libc" || found != resolved)
		fail("malloc is " + found + "'s, not " + wanted +
		     "'s: was it preloaded (LD_PRELOAD), and could it be?");
}

/* --- the context ----------------------------------------------------------------------------- */

std::string first_line(const char *path)
{
	std::ifstream file(path);
	std::string line;

	return std::getline(file, line) ? line : "unknown";
}

std::string processor()
{
	std::ifstream file("/proc/cpuinfo");
	std::string line;

	while (std::getline(file, line))
		if (line.rfind("model name", 0) == 0)
			return line.substr(line.find(':') + 2);
	return "unknown";
}

std::string counters_state()
{
	Counter counter(PERF_COUNT_HW_INSTRUCTIONS);

	if (counter.works())
		return "yes";
	return std::string("not on this machine: perf_event_open: ") +
	       std::strerror(counter.error());
}

void add_context()
{
	utsname system = {};

	uname(&system);
	benchmark::AddCustomContext("allocator_path", malloc_library());
	benchmark::AddCustomContext("allocator_version", malloc_version());
	benchmark::AddCustomContext("kernel", std::string(system.sysname) + " " + system.release);
	benchmark::AddCustomContext("glibc", gnu_get_libc_version());
	benchmark::AddCustomContext("processor", processor());
	benchmark::AddCustomContext("transparent_hugepage",
				    first_line("/sys/kernel/mm/transparent_hugepage/enabled"));
	benchmark::AddCustomContext("overcommit_memory",
				    first_line("/proc/sys/vm/overcommit_memory"));
	benchmark::AddCustomContext("max_map_count", first_line("/proc/sys/vm/max_map_count"));
	benchmark::AddCustomContext(
		"scaling_governor",
		first_line("/sys/devices/system/cpu/cpu0/cpufreq/scaling_governor"));
	benchmark::AddCustomContext("instructions_and_cycles", counters_state());
	benchmark::AddCustomContext("peak_of_each_row",
				    reset_peak() ? "yes" : "not on this machine: clear_refs");
}

/* The value of an option of ours, which is taken out of the arguments; nullptr: not given. */
const char *take_option(int *argc, char **argv, const char *name)
{
	size_t length = std::strlen(name);

	for (int i = 1; i < *argc; i++) {
		const char *argument = argv[i];

		if (std::strncmp(argument, name, length) ||
		    (argument[length] && argument[length] != '='))
			continue;
		std::memmove(&argv[i], &argv[i + 1],
			     static_cast<size_t>(*argc - i) * sizeof(*argv));
		--*argc;
		return argument[length] ? argument + length + 1 : "";
	}
	return nullptr;
}

/* Names, each with its group. */
void print_list()
{
	std::set<std::string> lines;

	for (const bench *bench = first_bench; bench; bench = bench->next)
		if (!quick || !bench->only_full)
			lines.insert(group_of(bench) + " " + bench->name);
	for (const std::string &line : lines)
		std::puts(line.c_str());
}

} // namespace

extern "C" void bench_register(bench *bench)
{
	bench->next = first_bench;
	first_bench = bench;
}

extern "C" void bench_count(bench_run *run, const char *name, double value)
{
	for (unsigned int i = 0; i < MAX_COUNTERS; i++) {
		bench_counter *counter = &run->counters[i];

		if (counter->name && std::strcmp(counter->name, name) != 0)
			continue;
		*counter = { name, value };
		return;
	}
	bench_fail("a row has more counters than MAX_COUNTERS");
}

extern "C" void bench_fail(const char *text)
{
	fail(text);
}

extern "C" void *bench_map(size_t bytes)
{
	void *memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS,
			    -1, 0);

	if (memory == MAP_FAILED)
		bench_fail("no memory for a table");
	return memory;
}

extern "C" void bench_unmap(void *memory, size_t bytes)
{
	if (munmap(memory, bytes))
		bench_fail("munmap of a table failed");
}

extern "C" uint64_t bench_resident_kib(void)
{
	int file = open("/proc/self/statm", O_RDONLY | O_CLOEXEC);
	char text[256] = {}, *end;
	uint64_t pages;

	if (file < 0 || read(file, text, sizeof(text) - 1) <= 0)
		bench_fail("cannot read /proc/self/statm");
	close(file);
	std::strtoull(text, &end, 10);
	pages = std::strtoull(end, nullptr, 10);
	return pages * (static_cast<uint64_t>(sysconf(_SC_PAGESIZE)) / 1024);
}

int main(int argc, char **argv)
{
	const char *allocator = take_option(&argc, argv, "--allocator");
	std::set<std::string> names;

	quick = take_option(&argc, argv, "--quick");
	while (const char *name = take_option(&argc, argv, "--only"))
		names.insert(name);
	check_allocator(allocator ? allocator : "");
	if (take_option(&argc, argv, "--list")) {
		print_list();
		return 0;
	}
	register_all(names);
	add_context();
	benchmark::Initialize(&argc, argv);
	if (benchmark::ReportUnrecognizedArguments(argc, argv))
		return 2;
	benchmark::RunSpecifiedBenchmarks();
	benchmark::Shutdown();
	return 0;
}
