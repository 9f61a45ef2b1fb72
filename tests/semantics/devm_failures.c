/*
 * devm_failures.c - a device whose start fails at any of its allocations (fail_interval=), again
 * and again: what it had acquired by then is undone, each once, whoever undoes it: the
 * add_action_or_reset that could not add, the release of a group, that of the device.
 */
#include "kernel_api.h"
#include "semantics/again.h"

#define KERNEL STITCH_GFP_KERNEL
#define NR_ROUNDS 500
#define NR_PARTS 3

static struct stitch_device device;
static bool is_open[2 * NR_PARTS];
static bool *last_open;

static void close_it(void *data)
{
	bool *open = data;

	CHECK(*open && (open == last_open), "not the last that was opened, or twice");
	*open = false;
	while (last_open > is_open && !*last_open)
		last_open--;
}

static bool open_it(bool *open)
{
	*open = true;
	last_open = open;
	return !stitch_devm_add_action_or_reset(&device, close_it, open);
}

/* All or nothing: the caller has nothing to undo if it fails. */
static bool part(unsigned int nr)
{
	void *group = stitch_devres_open_group(&device, NULL, KERNEL);
	char *text;

	if (!group)
		return false;
	if (open_it(&is_open[2 * nr]) && (text = stitch_devm_kstrdup(&device, "text", KERNEL)) &&
	    stitch_devm_get_free_pages(&device, KERNEL, 1) &&
	    stitch_devm_krealloc(&device, text, 3000, KERNEL) && open_it(&is_open[2 * nr + 1]))
		return !stitch_devres_close_group(&device, group);
	CHECK(stitch_devres_release_group(&device, group) >= 0, "release");
	CHECK(!is_open[2 * nr] && !is_open[2 * nr + 1], "part %u has left something", nr);
	return false;
}

/* True: it was not disturbed. */
static bool start_and_stop(void)
{
	struct stitch_device_resources had;
	unsigned int nr = 0;
	int released;

	while (nr < NR_PARTS && part(nr))
		nr++;
	CHECK(!stitch_device_usage(&device, &had), "usage");
	CHECK(had.nr_resources == 4 * nr && had.nr_groups == nr && had.bytes == 11192 * nr,
	      "%u parts: %lu resources, %lu groups, %lu bytes", nr, had.nr_resources,
	      had.nr_groups, had.bytes);
	released = stitch_device_release(&device);
	CHECK(released == 4 * (int)nr, "%d of %u parts", released, nr);
	for (unsigned int i = 0; i < 2 * NR_PARTS; i++)
		CHECK(!is_open[i], "%u is open", i);
	return nr == NR_PARTS;
}

static int work(void)
{
	struct mallinfo2 before = mallinfo2(), after;
	unsigned int nr_done = 0;

	for (unsigned int i = 0; i < NR_ROUNDS; i++)
		nr_done += start_and_stop();
	after = mallinfo2();
	CHECK(after.uordblks + after.hblkhd == before.uordblks + before.hblkhd, "%zu bytes lost",
	      after.uordblks - before.uordblks);
	dprintf(2, "%u done", nr_done);
	return 0;
}

static unsigned int done_with(const char *conf)
{
	static char text[65536];
	const char *found;
	int status = run_again("work", "STITCH_CONF", conf, text, sizeof(text));

	CHECK(!status, "STITCH_CONF=%s: status %d: %s", conf, status, text);
	found = strstr(text, " done");
	CHECK(found, "%s", text);
	while (found > text && found[-1] >= '0' && found[-1] <= '9')
		found--;
	return (unsigned int)atoi(found);
}

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1)
		return work();
	CHECK(done_with("fail=0") == NR_ROUNDS, "undisturbed");
	/* A start makes 24 requests. */
	for (unsigned int interval = 1; interval < 40; interval++) {
		char conf[60];
		unsigned int nr_done;

		snprintf(conf, sizeof(conf), "fail=100,fail_interval=%u", interval);
		nr_done = done_with(conf);
		CHECK(nr_done < NR_ROUNDS, "%s: nothing has failed", conf);
		CHECK((nr_done > 0) == (interval > 24), "%s: %u done", conf, nr_done);
	}
	return 0;
}
