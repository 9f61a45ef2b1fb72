/*
 * test_os_node.c - each entry of os_node.h on the real kernel, which has a node at least.
 */
#define _GNU_SOURCE /* sched_getcpu */
#include "kunit.h"

#include <errno.h>
#include <limits.h>
#include <linux/mempolicy.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "os/os.h"
#include "os/os_node.h"

#define PAGE ((size_t)OS_PAGE_SIZE)

/* A kernel without nodes has no such calls; a container may forbid them. */
static bool has_nodes(void)
{
	uint64_t nodes[OS_MAX_NODES / 64] = { 0 };
	int error = os_memory_nodes(nodes);

	if (error)
		EXPECT(error == -ENOSYS || error == -EPERM);
	return !error;
}

static void pin_to(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	EXPECT(!sched_setaffinity(0, sizeof(set), &set));
}

TEST(processor_and_node_of_the_thread)
{
	uint64_t nodes[OS_MAX_NODES / 64] = { 0 };
	unsigned int cpu = UINT_MAX, node = UINT_MAX;

	pin_to(sched_getcpu());
	EXPECT_EQ(os_current_node(&cpu, &node), 0);
	EXPECT_EQ(cpu, (unsigned int)sched_getcpu());
	EXPECT(node < OS_MAX_NODES);
	if (has_nodes()) {
		EXPECT_EQ(os_memory_nodes(nodes), 0);
		EXPECT(nodes[0] | nodes[1] | nodes[2] | nodes[3]);
	}
}

static void *new_page(void)
{
	void *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	EXPECT(page != MAP_FAILED);
	return page;
}

static int policy_of(void *page, unsigned long *mask)
{
	int mode = -1;

	EXPECT(!syscall(__NR_get_mempolicy, &mode, mask, OS_MAX_NODES + 1, page, MPOL_F_ADDR));
	return mode;
}

TEST(a_range_prefers_its_node)
{
	unsigned long mask[OS_MAX_NODES / 64] = { 0 };
	uint64_t nodes[OS_MAX_NODES / 64] = { 0 };
	void *page = new_page();

	if (!has_nodes())
		return;
	EXPECT_EQ(os_memory_nodes(nodes), 0);
	if (!(nodes[0] & 1))
		return; /* a machine whose node 0 has none, or that is not for us */
	EXPECT_EQ(policy_of(page, mask), MPOL_DEFAULT);
	EXPECT_EQ(os_bind_node(page, PAGE, 0), 0);
	EXPECT_EQ(policy_of(page, mask), MPOL_PREFERRED);
	EXPECT_EQ(mask[0], 1);
	*(volatile char *)page = 1;
	EXPECT_EQ(os_bind_node(page, PAGE, OS_MAX_NODES), -EINVAL);
	EXPECT(os_bind_node(page, PAGE, OS_MAX_NODES - 1) < 0); /* it is not there */
	munmap(page, PAGE);
}

TEST(a_policy_is_seen)
{
	unsigned long node_0 = 1;

	if (!has_nodes())
		return;
	EXPECT(!os_has_memory_policy());
	if (syscall(__NR_set_mempolicy, MPOL_INTERLEAVE, &node_0, 8 * sizeof(node_0)))
		return;
	EXPECT(os_has_memory_policy());
	EXPECT(!syscall(__NR_set_mempolicy, MPOL_DEFAULT, NULL, 0));
	EXPECT(!os_has_memory_policy());
}

RUN_TESTS
