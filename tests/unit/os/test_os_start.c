/*
 * test_os_start.c - the initial stack: the real one, made-up ones, and none.
 */
#include <elf.h>
#include <sys/auxv.h>
#include <sys/mman.h>

#include "kunit.h"
#include "os/os.h"

extern char **environ;
/* The dynamic loader's; it is read-only after relocation. */
extern void *__libc_stack_end;

static void set_stack(const void *stack)
{
	uintptr_t page = (uintptr_t)&__libc_stack_end & ~(uintptr_t)(OS_PAGE_SIZE - 1);

	ASSERT(!mprotect((void *)page, OS_PAGE_SIZE, PROT_READ | PROT_WRITE));
	__libc_stack_end = (void *)(uintptr_t)stack;
}

static char *elsewhere[] = { (char[]){ "SOMEWHERE=else" }, NULL };

/* Read with libc's environ moved, so that it shows whose environment was found. */
static struct os_start read_start(const void *stack)
{
	struct os_start start = { NULL, false };
	char **saved_environ = environ;
	void *saved_stack = __libc_stack_end;

	environ = elsewhere;
	set_stack(stack);
	os_start_read(&start);
	set_stack(saved_stack);
	environ = saved_environ;
	return start;
}

TEST(real_stack_is_found_without_libc)
{
	struct os_start start = read_start(__libc_stack_end);

	EXPECT_EQ(start.environment, environ);
	EXPECT_EQ(start.secure, getauxval(AT_SECURE));
}

TEST(without_a_stack_libc_is_asked)
{
	struct os_start start = read_start(NULL);

	EXPECT_EQ(start.environment, elsewhere);
	EXPECT_EQ(start.secure, getauxval(AT_SECURE));
}

TEST(secure_process)
{
	static const char *const stack[] = {
		(const char *)2, "prog", "arg", NULL, "A=1", "B=2", NULL,
		(const char *)AT_PAGESZ, (const char *)4096,
		(const char *)AT_SECURE, (const char *)1, (const char *)AT_NULL, NULL,
	};
	struct os_start start = read_start(stack);

	EXPECT_EQ(start.environment, &stack[4]);
	EXPECT_EQ(start.secure, true);
}

TEST(no_arguments_and_empty_environment)
{
	static const char *const stack[] = {
		(const char *)0, NULL, NULL, (const char *)AT_SECURE, (const char *)0,
		(const char *)AT_PAGESZ, (const char *)4096, (const char *)AT_NULL, NULL,
	};
	struct os_start start = read_start(stack);

	EXPECT_EQ(start.environment, &stack[2]);
	EXPECT_EQ(start.environment[0], NULL);
	EXPECT_EQ(start.secure, false);
}

/* Static programs: the symbol points one word below argc. */
TEST(stack_with_a_wrong_count_is_not_believed)
{
	static const char *const stack[] = {
		(const char *)0, (const char *)2, "prog", "arg", NULL, "A=1", NULL,
		(const char *)AT_PAGESZ, (const char *)4096,
		(const char *)AT_SECURE, (const char *)1, (const char *)AT_NULL, NULL,
	};
	struct os_start start = read_start(stack);

	EXPECT_EQ(start.environment, elsewhere);
	EXPECT_EQ(start.secure, false);
}

TEST(stack_without_a_credible_vector_is_not_believed)
{
	const char *stack[256] = {
		(const char *)1, "prog", NULL, "A=1", NULL,
		(const char *)AT_SECURE, (const char *)1, (const char *)AT_NULL, NULL,
	};

	EXPECT_EQ(read_start(stack).environment, elsewhere);
	/* One that does not end. */
	for (size_t i = 5; i + 1 < ARRAY_SIZE(stack); i += 2) {
		stack[i] = (const char *)AT_PAGESZ;
		stack[i + 1] = (const char *)4096;
	}
	EXPECT_EQ(read_start(stack).environment, elsewhere);
	EXPECT_EQ(read_start(stack).secure, false);
}

RUN_TESTS
