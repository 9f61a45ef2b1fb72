/* test_fault_stacks.c - debug/fault_inject: requests chosen by their stacks, and printed. */
#include "debug/fault_inject.h"

#include "kunit.h"
#include "isolated.h"
#include "debug/unwind.h"

static bool fails(size_t bytes)
{
	return fault_inject("test", bytes, STITCH_GFP_KERNEL);
}

ISOLATED_TEST(stacks_choose)
{
	unwind_start(true);
	heap_up("fail=100,fail_stack=*test_fault_stacks");
	EXPECT(fails(100));
	strcpy(params.fail_stack, "libnone.so");
	EXPECT(!fails(100));
	*params.fail_stack = '\0';
	strcpy(params.fail_not_stack, "libnone.so+*test_fault_stacks");
	EXPECT(!fails(100));
	strcpy(params.fail_not_stack, "libnone.so");
	EXPECT(fails(100));
}

ISOLATED_TEST(a_failure_is_printed)
{
	const char *said;

	unwind_start(true);
	heap_up("fail=100,fail_verbose=1");
	os_fake_capture_begin();
	fails(123);
	said = os_fake_capture_end();
	EXPECT(strstr(said, "forcing a failure: test of 123 bytes, number 1, by thread "));
	EXPECT(strstr(said, "    #0 0x"));
	EXPECT(strstr(said, "test_fault_stacks+0x"));
}
RUN_TESTS
