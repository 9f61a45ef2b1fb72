/*
 * os_start.c - the environment and AT_SECURE, without getenv and before libc is initialised.
 *
 * L1. The kernel leaves argc, argv, NULL, environment, NULL, auxiliary vector on the initial
 * stack; the dynamic loader keeps its address in __libc_stack_end before any library runs. In
 * a static program that symbol points near it only, which the checks here notice; then libc is
 * asked, which has read the stack itself before anything of a static program runs.
 */
#include <linux/auxvec.h>

#include "os/os.h"

/* Linux puts about 20 on the stack; an end that is not found means that it is no vector. */
#define MAX_AUX_ENTRIES 64u

extern void *__libc_stack_end __attribute__((weak));
extern char **environ __attribute__((weak));
/* Touches errno only for a type that the kernel did not give; not weak: an archive has it too. */
unsigned long getauxval(unsigned long type);

struct aux_entry {
	uint64_t type;
	uint64_t value;
};

/* True when `entry` starts a credible vector; then *secure is set. */
static bool read_auxv(const struct aux_entry *entry, bool *secure)
{
	bool credible = false;

	*secure = false;
	for (unsigned int i = 0; i < MAX_AUX_ENTRIES; i++, entry++) {
		if (entry->type == AT_NULL)
			return credible;
		if (entry->type == AT_SECURE)
			*secure = entry->value;
		if (entry->type == AT_PAGESZ)
			credible = entry->value == OS_PAGE_SIZE;
	}
	return false;
}

static bool read_stack(struct os_start *start)
{
	const uintptr_t *argc, *word;

	if (!&__libc_stack_end || !__libc_stack_end)
		return false;
	argc = __libc_stack_end;
	for (word = argc + 1; *word; word++)
		;
	if ((size_t)(word - (argc + 1)) != *argc)
		return false;
	start->environment = (const char *const *)++word;
	while (*word)
		word++;
	return read_auxv((const struct aux_entry *)(word + 1), &start->secure);
}

void os_start_read(struct os_start *start)
{
	if (read_stack(start))
		return;
	start->environment = &environ ? (const char *const *)environ : NULL;
	start->secure = getauxval(AT_SECURE);
}
