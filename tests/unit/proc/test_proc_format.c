/*
 * test_proc_format.c - the exact text of reports of a zone whose counts are known, read through a
 * reader that can refuse.
 */
#include "fake/os_fake.h"
#include "kunit.h"
#include "proc/proc_view.h"

static char text[8192];
static size_t length;

static int to_text(void *context, const char *piece, size_t bytes)
{
	(void)context;
	memcpy(text + length, piece, bytes);
	length += bytes;
	text[length] = '\0';
	return 0;
}

static const char *print(const struct proc_view *view, const char *name)
{
	struct report report;

	length = 0;
	text[0] = '\0';
	report_init(&report, to_text, NULL);
	EXPECT(proc_report_print(&report, view, name));
	EXPECT_EQ(report_finish(&report), 0);
	return text;
}

static bool refuse(void *context, uint64_t address, void *to, size_t bytes)
{
	(void)context, (void)address, (void)to, (void)bytes;
	return false;
}

static bool copy(void *context, uint64_t address, void *to, size_t bytes)
{
	(void)context;
	memcpy(to, (const void *)(uintptr_t)address, bytes); // NOLINT
	return true;
}

TEST(texts_are_exact)
{
	static struct proc_view view = { .read = refuse };

	view.zone.nodes[0].free_area[0].nr_free = 3;
	view.zone.nodes[0].free_area[10].nr_free = 1;
	EXPECT_STREQ(print(&view, "buddyinfo"),
		     "Node 0, zone   Normal      3      0      0      0      0      0      0 "
		     "     0      0      0      1 \n");
	EXPECT_STREQ(print(&view, "unusable_index"),
		     "Node 0, zone   Normal 0.000 0.002 0.002 0.002 0.002 0.002 0.002 0.002 0.002 "
		     "0.002 0.002 \n");
	view.zone.nodes[0].free_area[10].nr_free = 0;
	EXPECT_STREQ(print(&view, "extfrag_index"),
		     "Node 0, zone   Normal -1.000  0.167  0.417  0.542  0.605  0.636  0.652 "
		     " 0.659  0.663  0.665  0.666 \n");
	view.zone.nodes[0].free_area[0].nr_free = 1; /* the kernel's format makes it look so, too */
	EXPECT_STREQ(print(&view, "extfrag_index"),
		     "Node 0, zone   Normal -1.000  0.-500  0.-250  0.-125  0.-62  0.-31  0.-15 "
		     " 0.-07  0.-03  0.-01  0.000 \n");
	EXPECT_STREQ(print(&view, "vmallocinfo"), "");
	view.nr_resident[0][0] = 2; /* of 34 pages 2 are of no use to order 1, and so on */
	view.nr_resident[0][4] = 2;
	EXPECT_STREQ(print(&view, "resident_unusable_index"),
		     "Node 0, zone   Normal 0.000 0.058 0.058 0.058 0.058 1.000 1.000 1.000 1.000 "
		     "1.000 1.000 \n");
}

TEST(a_root_of_another_kind_is_refused)
{
	static struct proc_view view;
	struct proc_root root = { .version = PROC_ROOT_VERSION + 1 };

	EXPECT_EQ(proc_view_fill(&view, refuse, NULL, 0), PROC_UNREADABLE);
	EXPECT_EQ(proc_view_fill(&view, copy, NULL, (uint64_t)&root), PROC_OTHER_VERSION);
	root.version = PROC_ROOT_VERSION; /* and other structures */
	EXPECT_EQ(proc_view_fill(&view, copy, NULL, (uint64_t)&root), PROC_OTHER_VERSION);
}

RUN_TESTS
