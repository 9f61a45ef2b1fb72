/*
 * kunit.h - a test framework in one header; include it once per test program.
 *
 *	TEST(what_is_true) { EXPECT(x > 0); EXPECT_EQ(f(x), 3); }
 *	RUN_TESTS
 *
 * An EXPECT that fails is reported and the test goes on; an ASSERT ends its test (on the thread
 * that runs the test only). Exit status 0 when all passed, 1 when one failed, 2 when none ran.
 *
 * Arguments: [PART-OF-A-TEST'S-NAME] [seed=N] [ops=N]; SEED and OPS in the environment do the
 * same. A test that asks for kunit_seed() is replayed by the seed that its failure prints.
 */
#ifndef TESTS_KUNIT_H
#define TESTS_KUNIT_H

#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

struct kunit_test {
	const char *name;
	void (*run)(void);
	struct kunit_test *next;
};

static struct {
	struct kunit_test *first, **last;
	const char *program;
	const char *filter;
	uint64_t seed, nr_ops;
	bool seed_used;
	_Atomic unsigned int nr_failed_checks; /* of the running test */
	jmp_buf test_end;
} kunit = { .seed = 1 };

#define TEST(test_name) \
	static void test_name(void); \
	static struct kunit_test test_name##_test = { #test_name, test_name, NULL }; \
	__attribute__((constructor)) static void test_name##_register(void) \
	{ \
		kunit_register(&test_name##_test); \
	} \
	static void test_name(void)

#define EXPECT(condition) ((void)kunit_check((condition), __FILE__, __LINE__, #condition))

#define ASSERT(condition) \
	do { \
		if (!kunit_check((condition), __FILE__, __LINE__, #condition)) \
			longjmp(kunit.test_end, 1); \
	} while (0)

/* Integers and pointers of any type; compared as 64-bit values. */
#define EXPECT_EQ(a, b) \
	((void)kunit_check_eq((uint64_t)(uintptr_t)(a), (uint64_t)(uintptr_t)(b), __FILE__, \
			      __LINE__, #a, #b))

#define ASSERT_EQ(a, b) \
	do { \
		if (!kunit_check_eq((uint64_t)(uintptr_t)(a), (uint64_t)(uintptr_t)(b), __FILE__, \
				    __LINE__, #a, #b)) \
			longjmp(kunit.test_end, 1); \
	} while (0)

#define EXPECT_STREQ(a, b) ((void)kunit_check_streq((a), (b), __FILE__, __LINE__, #a, #b))

/* The statement ends the process by SIGABRT and what it wrote to stderr contains `text`. */
#define EXPECT_DEATH(statement, text) \
	do { \
		struct kunit_death death; \
		if (kunit_death_begin(&death)) { \
			statement; \
			_exit(0); \
		} \
		kunit_death_end(&death, (text), __FILE__, __LINE__, #statement); \
	} while (0)

#define RUN_TESTS \
	int main(int argc, char **argv) \
	{ \
		return kunit_main(argc, argv); \
	}

__attribute__((unused)) static void kunit_register(struct kunit_test *test)
{
	if (!kunit.last)
		kunit.last = &kunit.first;
	*kunit.last = test;
	kunit.last = &test->next;
}

__attribute__((unused)) static bool kunit_check(bool ok, const char *file, int line,
						const char *text)
{
	if (!ok) {
		fprintf(stderr, "%s:%d: not true: %s\n", file, line, text);
		kunit.nr_failed_checks++;
	}
	return ok;
}

__attribute__((unused)) static bool kunit_check_eq(uint64_t a, uint64_t b, const char *file,
						   int line, const char *a_text, const char *b_text)
{
	if (a != b) {
		fprintf(stderr,
			"%s:%d: %s == %s\n\tleft:  %" PRId64 " (0x%" PRIx64 ")\n"
			"\tright: %" PRId64 " (0x%" PRIx64 ")\n",
			file, line, a_text, b_text, (int64_t)a, a, (int64_t)b, b);
		kunit.nr_failed_checks++;
	}
	return a == b;
}

__attribute__((unused)) static bool kunit_check_streq(const char *a, const char *b,
						      const char *file, int line,
						      const char *a_text, const char *b_text)
{
	bool ok = a && b && !strcmp(a, b);

	if (!ok) {
		fprintf(stderr, "%s:%d: %s == %s\n\tleft:  \"%s\"\n\tright: \"%s\"\n", file, line,
			a_text, b_text, a ? a : "(NULL)", b ? b : "(NULL)");
		kunit.nr_failed_checks++;
	}
	return ok;
}

struct kunit_death {
	pid_t child;
	int output;
};

/* True in the child, whose stderr is a pipe to the parent. */
__attribute__((unused)) static bool kunit_death_begin(struct kunit_death *death)
{
	const struct rlimit no_core = { 0, 0 };
	int ends[2];

	fflush(NULL);
	if (pipe(ends) || (death->child = fork()) < 0) {
		perror("kunit");
		exit(2);
	}
	if (!death->child) {
		dup2(ends[1], STDERR_FILENO);
		close(ends[0]);
		close(ends[1]);
		setrlimit(RLIMIT_CORE, &no_core);
		return true;
	}
	close(ends[1]);
	death->output = ends[0];
	return false;
}

__attribute__((unused)) static void kunit_death_end(struct kunit_death *death, const char *text,
						    const char *file, int line,
						    const char *statement)
{
	char output[4096];
	size_t length = 0;
	ssize_t got;
	int status;

	while ((got = read(death->output, output + length, sizeof(output) - 1 - length)) > 0)
		length += (size_t)got;
	output[length] = '\0';
	close(death->output);
	if (waitpid(death->child, &status, 0) != death->child)
		status = 0;
	if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT && strstr(output, text))
		return;
	fprintf(stderr,
		"%s:%d: no death by SIGABRT with \"%s\": %s\n"
		"\twait status 0x%x, stderr: %s\n",
		file, line, text, statement, (unsigned int)status, output);
	kunit.nr_failed_checks++;
}

/* The seed of this run; printed, so that a failure can be replayed. */
__attribute__((unused)) static uint64_t kunit_seed(void)
{
	if (!kunit.seed_used)
		printf("seed=%" PRIu64 "\n", kunit.seed);
	kunit.seed_used = true;
	return kunit.seed;
}

/* How many operations a model test performs. */
__attribute__((unused)) static uint64_t kunit_ops(uint64_t nr_by_default)
{
	return kunit.nr_ops ? kunit.nr_ops : nr_by_default;
}

/* splitmix64: any seed will do. */
__attribute__((unused)) static uint64_t kunit_random(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

/* 0 .. limit - 1 */
__attribute__((unused)) static uint64_t kunit_below(uint64_t *state, uint64_t limit)
{
	return kunit_random(state) % limit;
}

static void kunit_read_number(const char *text, uint64_t *number)
{
	char *end;

	if (!text)
		return;
	*number = strtoull(text, &end, 0);
	if (!*text || *end) {
		fprintf(stderr, "kunit: not a number: %s\n", text);
		exit(2);
	}
}

static void kunit_read_arguments(int argc, char **argv)
{
	kunit.program = argv[0];
	kunit_read_number(getenv("SEED"), &kunit.seed);
	kunit_read_number(getenv("OPS"), &kunit.nr_ops);
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "seed=", 5))
			kunit_read_number(argv[i] + 5, &kunit.seed);
		else if (!strncmp(argv[i], "ops=", 4))
			kunit_read_number(argv[i] + 4, &kunit.nr_ops);
		else
			kunit.filter = argv[i];
	}
}

/* True when the test passed. */
static bool kunit_run(const struct kunit_test *test)
{
	kunit.nr_failed_checks = 0;
	printf("%s\n", test->name);
	fflush(stdout);
	if (!setjmp(kunit.test_end))
		test->run();
	if (!kunit.nr_failed_checks)
		return true;
	fprintf(stderr, "FAILED: %s %s", kunit.program, test->name);
	if (kunit.seed_used)
		fprintf(stderr, " seed=%" PRIu64, kunit.seed);
	if (kunit.nr_ops)
		fprintf(stderr, " ops=%" PRIu64, kunit.nr_ops);
	fprintf(stderr, "\n");
	return false;
}

__attribute__((unused)) static int kunit_main(int argc, char **argv)
{
	unsigned int nr_passed = 0, nr_failed = 0;

	kunit_read_arguments(argc, argv);
	for (const struct kunit_test *test = kunit.first; test; test = test->next) {
		if (kunit.filter && !strstr(test->name, kunit.filter))
			continue;
		if (kunit_run(test))
			nr_passed++;
		else
			nr_failed++;
	}
	fflush(stderr);
	printf("%u passed, %u failed\n", nr_passed, nr_failed);
	if (!nr_passed && !nr_failed)
		return 2;
	return nr_failed ? 1 : 0;
}

#endif
