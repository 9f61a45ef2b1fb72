/* pressure.c - see pressure.h. The texts: Documentation/accounting/psi.rst. */
#include "core/pressure.h"

#include <string.h>

#include "base/format.h"
#include "core/cgroup.h"
#include "os/os.h"

#define TEXT_BYTES 256u
/* Of the time, that somebody waited. */
#define SHARE 10u

static struct {
	uint64_t ms, waited_us;
	bool is_known;
} last;

/* The first line is that of `some`: at least one task was waiting. */
static bool parse_total(char *text, uint64_t *total)
{
	char *number = strstr(text, "total="), *end = strchr(text, '\n');

	if (strncmp(text, "some ", 5) || !number || !end || number > end)
		return false;
	number += strlen("total=");
	return parse_bytes(number, (size_t)(end - number), total);
}

static bool read_waited_us(uint64_t *waited_us)
{
	char text[TEXT_BYTES];
	long length = cgroup_read_pressure(text, sizeof(text) - 1);

	if (length <= 0)
		length = os_read_kernel_file("/proc/pressure/memory", text, sizeof(text) - 1);
	if (length <= 0)
		return false;
	text[length] = '\0';
	return parse_total(text, waited_us);
}

/* The group may have changed meanwhile, and its clock with it. */
static bool has_waited(uint64_t now_ms)
{
	uint64_t waited_us, ms = now_ms - last.ms, us;
	bool was_known = last.is_known;

	last.is_known = read_waited_us(&waited_us);
	if (!last.is_known)
		return false;
	us = waited_us > last.waited_us ? waited_us - last.waited_us : 0;
	last.waited_us = waited_us;
	last.ms = now_ms;
	return was_known && us * SHARE >= ms * 1000 && us;
}

bool pressure_is_high(uint64_t now_ms)
{
	bool waited = has_waited(now_ms);

	return waited || cgroup_is_nearly_full();
}
