/*
 * devm.c - managed resources, as include/stitch/devm.h promises them: memory, actions, their
 * order, groups that nest and overlap, releases that free and add, a child, signal handlers.
 */
#include "semantics/check.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL
/* kmalloc has none of that zone: an allocation that fails. */
#define FAILING (STITCH_GFP_KERNEL | STITCH__GFP_HIGHMEM | STITCH__GFP_NOWARN)

static struct stitch_device device;

/* --- what has been released ------------------------------------------------------------------- */

static char done[200]; /* a letter each */

static void note(void *letter)
{
	size_t length = strlen(done);

	CHECK(length < sizeof(done) - 1, "too many releases");
	done[length] = *(const char *)letter;
	done[length + 1] = '\0';
	errno = 99; /* as close() might */
}

/* An action for each letter of the text, which is there for good. */
static void add(const char *letters)
{
	for (; *letters; letters++)
		CHECK(!stitch_devm_add_action(&device, note, (void *)(uintptr_t)letters),
		      "an action");
}

static void expect_done(const char *letters)
{
	CHECK(!strcmp(done, letters), "released: %s, not %s", done, letters);
	done[0] = '\0';
}

static void expect_owned(unsigned long nr, unsigned long nr_groups, unsigned long bytes)
{
	struct stitch_device_resources usage;

	CHECK(!stitch_device_usage(&device, &usage), "usage");
	CHECK(usage.nr_resources == nr && usage.nr_groups == nr_groups && usage.bytes == bytes,
	      "%lu resources, %lu groups, %lu bytes", usage.nr_resources, usage.nr_groups,
	      usage.bytes);
}

static void release_all(int nr)
{
	int released;

	errno = 77;
	released = stitch_device_release(&device);
	CHECK(released == nr, "%d resources were there", released);
	CHECK(errno == 77, "errno is left alone: %d", errno);
	expect_owned(0, 0, 0);
}

#define FAILS_WITH(error, call) \
	do { \
		errno = 0; \
		CHECK((call) == -1 && errno == (error), "%s: errno %d", #call, errno); \
	} while (0)
#define IS_NULL_WITH(error, call) \
	do { \
		errno = 0; \
		CHECK(!(call) && errno == (error), "%s: errno %d", #call, errno); \
	} while (0)

/* --- memory ----------------------------------------------------------------------------------- */

static void objects(void)
{
	static unsigned char pattern[5000];
	unsigned long nr = 0, bytes = 0;

	memset(pattern, 0x5b, sizeof(pattern));
	for (size_t size = 1; size <= sizeof(pattern); size += size / 3 + 1) {
		unsigned char *object = stitch_devm_kmalloc(&device, size, KERNEL);
		unsigned char *zero = stitch_devm_kzalloc(&device, size, KERNEL);
		unsigned char *copy = stitch_devm_kmemdup(&device, pattern, size, KERNEL);

		CHECK(object && zero && copy, "%zu bytes", size);
		CHECK(((uintptr_t)object | (uintptr_t)zero | (uintptr_t)copy) % 16 == 0,
		      "aligned");
		memset(object, 0xff, size);
		CHECK(all_bytes_are(zero, 0, size), "zeroed");
		memset(zero, 0xff, size);
		CHECK(all_bytes_are(copy, 0x5b, size), "a copy");
		nr += 3;
		bytes += 3 * size;
		if (size % 2)
			continue;
		stitch_devm_kfree(&device, object); /* not the newest */
		nr -= 1;
		bytes -= size;
	}
	expect_owned(nr, 0, bytes);
	release_all((int)nr);
}

static void arrays_and_texts(void)
{
	unsigned char *zero = stitch_devm_kcalloc(&device, 10, 30, KERNEL);
	char *text = stitch_devm_kstrdup(&device, "a text", KERNEL);

	CHECK(zero && all_bytes_are(zero, 0, 300), "kcalloc");
	CHECK(text && !strcmp(text, "a text"), "kstrdup");
	CHECK(stitch_devm_kmalloc_array(&device, 10, 30, KERNEL), "kmalloc_array");
	CHECK(!stitch_devm_kstrdup(&device, NULL, KERNEL), "NULL of NULL");
	CHECK(!stitch_devm_kmemdup(&device, NULL, 5, KERNEL), "NULL of NULL");
	expect_owned(3, 0, 607);
	/* Each would be a few bytes if it overflowed. */
	IS_NULL_WITH(ENOMEM, stitch_devm_kmalloc_array(&device, opaque(SIZE_MAX / 4 + 3), 4,
						       KERNEL));
	IS_NULL_WITH(ENOMEM, stitch_devm_kcalloc(&device, opaque(SIZE_MAX / 4 + 3), 4, KERNEL));
	IS_NULL_WITH(ENOMEM, stitch_devm_kmalloc(&device, opaque(SIZE_MAX - 8), KERNEL));
	IS_NULL_WITH(ENOMEM, stitch_devm_kmalloc(&device, 100, FAILING));
	expect_owned(3, 0, 607);
	release_all(3);
}

static void no_memory(void)
{
	CHECK(stitch_devm_kmalloc(&device, 0, KERNEL) == STITCH_ZERO_SIZE_PTR, "0 bytes");
	CHECK(stitch_devm_kmemdup(&device, "", 0, KERNEL) == STITCH_ZERO_SIZE_PTR, "0 bytes");
	stitch_devm_kfree(&device, STITCH_ZERO_SIZE_PTR);
	stitch_devm_kfree(&device, NULL);
	stitch_devm_free_pages(&device, 0);
	release_all(0);
}

static void pages(void)
{
	unsigned long single = stitch_devm_get_free_pages(&device, KERNEL, 0);
	unsigned long eight = stitch_devm_get_free_pages(&device, KERNEL | STITCH__GFP_ZERO, 3);

	CHECK(single && !(single % 4096) && eight && !(eight % 32768), "pages");
	CHECK(all_bytes_are((void *)eight, 0, 32768), "zeroed");
	expect_owned(2, 0, 4096 + 32768);
	IS_NULL_WITH(ENOMEM, stitch_devm_get_free_pages(&device, KERNEL, 99));
	IS_NULL_WITH(ENOMEM, stitch_devm_get_free_pages(&device, FAILING, 0));
	stitch_devm_free_pages(&device, single);
	expect_owned(1, 0, 32768);
	release_all(1);
}

static void resizes(void)
{
	unsigned char *object = stitch_devm_krealloc(&device, NULL, 100, KERNEL), *other;
	int mine;

	memset(object, 0x31, 100);
	object = stitch_devm_krealloc(&device, object, 100000, KERNEL | STITCH__GFP_ZERO);
	CHECK(object && all_bytes_are(object, 0x31, 100), "what was there");
	CHECK(all_bytes_are(object + 100, 0, 100000 - 100), "what is new");
	expect_owned(1, 0, 100000);
	CHECK(stitch_devm_krealloc(&device, object, 50, KERNEL) == object, "smaller: in place");
	expect_owned(1, 0, 50);
	other = stitch_devm_krealloc(&device, object, 60, KERNEL | STITCH__GFP_ZERO);
	CHECK(other && all_bytes_are(other, 0x31, 50) && all_bytes_are(other + 50, 0, 10),
	      "larger again");
	IS_NULL_WITH(ENOMEM, stitch_devm_krealloc(&device, other, 70, FAILING));
	IS_NULL_WITH(EINVAL, stitch_devm_krealloc(&device, &mine, 70, KERNEL));
	CHECK(all_bytes_are(other, 0x31, 50), "untouched");
	expect_owned(1, 0, 60);
	CHECK(stitch_devm_krealloc(&device, other, 0, KERNEL) == STITCH_ZERO_SIZE_PTR, "freed");
	release_all(0);
}

/* --- actions ---------------------------------------------------------------------------------- */

static void actions(void)
{
	static const char letters[] = "abcde";

	add(letters);
	CHECK(stitch_devm_kmalloc(&device, 10, KERNEL), "memory");
	CHECK(!stitch_devm_remove_action(&device, note, (void *)(uintptr_t)&letters[2]), "c");
	expect_done("");
	errno = 77;
	CHECK(!stitch_devm_release_action(&device, note, (void *)(uintptr_t)&letters[1]), "b");
	CHECK(errno == 77, "errno is left alone");
	expect_done("b");
	FAILS_WITH(ENOENT, stitch_devm_release_action(&device, note,
						      (void *)(uintptr_t)&letters[1]));
	FAILS_WITH(ENOENT, stitch_devm_remove_action(&device, free,
						     (void *)(uintptr_t)&letters[0]));
	expect_owned(4, 0, 10);
	release_all(4);
	expect_done("eda");
}

/* Of several that are the same, the newest. */
static void same_actions(void)
{
	static const char a[] = "a", b[] = "b";

	add(a);
	add(b);
	add(a);
	CHECK(!stitch_devm_remove_action(&device, note, (void *)(uintptr_t)a), "the last");
	release_all(2);
	expect_done("ba");
}

static void actions_that_cannot_be_added(void)
{
	static const char letter[] = "x";
	void *data = (void *)(uintptr_t)letter;

	add("a");
	FAILS_WITH(ENOMEM, stitch_devm_add_named_action(&device, note, data, NULL, FAILING));
	expect_done("");
	FAILS_WITH(ENOMEM, stitch_devm_add_named_action_or_reset(&device, note, data, NULL,
								 FAILING));
	expect_done("x");
	FAILS_WITH(EINVAL, stitch_devm_add_action(&device, NULL, data));
	FAILS_WITH(EINVAL, stitch_devm_add_action_or_reset(&device, NULL, data));
	FAILS_WITH(EINVAL, stitch_devm_add_action_or_reset(NULL, note, data));
	expect_done("x");
	CHECK(!stitch_devm_add_action_or_reset(&device, note, data), "there is memory");
	expect_done("");
	release_all(2);
	expect_done("xa");
}

/* --- groups ----------------------------------------------------------------------------------- */

static void *open_group(void *id)
{
	void *known = stitch_devres_open_group(&device, id, KERNEL);

	CHECK(known && (!id || known == id), "a group");
	return known;
}

static void close_group(void *id)
{
	CHECK(!stitch_devres_close_group(&device, id), "close");
}

static void release_group(void *id, int nr, const char *letters)
{
	int released;

	errno = 77;
	released = stitch_devres_release_group(&device, id);
	CHECK(released == nr && errno == 77, "%d released, errno %d", released, errno);
	expect_done(letters);
}

static void one_group(void)
{
	void *id;

	add("a");
	id = open_group(NULL);
	add("bc");
	CHECK(stitch_devm_kzalloc(&device, 50, KERNEL), "memory");
	close_group(NULL);
	add("d");
	expect_owned(5, 1, 50);
	release_group(id, 3, "cb");
	expect_owned(2, 0, 0);
	FAILS_WITH(ENOENT, stitch_devres_release_group(&device, id));
	release_all(2);
	expect_done("da");
}

/* An open one goes on to the newest; of two with the same id the newer is meant. */
static void open_groups(void)
{
	int id;

	open_group(&id);
	add("a");
	open_group(&id);
	add("b");
	open_group(NULL);
	add("c");
	release_group(NULL, 1, "c");
	release_group(&id, 1, "b");
	add("d");
	release_group(&id, 2, "da");
	expect_owned(0, 0, 0);
	open_group(NULL);
	add("e");
	release_all(1);
	expect_done("e");
}

static void nested_groups(void)
{
	int outer, inner, after;

	open_group(&outer);
	add("a");
	open_group(&inner);
	add("b");
	close_group(&inner);
	add("c");
	close_group(&outer);
	open_group(&after);
	add("d");
	close_group(&after);
	release_group(&outer, 3, "cba");
	expect_owned(1, 1, 0);
	FAILS_WITH(ENOENT, stitch_devres_release_group(&device, &inner));
	release_group(&after, 1, "d");
	expect_owned(0, 0, 0);
}

/* One that is only partly inside remains, with what is left of it. */
static void overlapping_groups(void)
{
	int first, second;

	open_group(&first);
	add("a");
	open_group(&second);
	add("b");
	close_group(&first);
	add("c");
	close_group(&second);
	release_group(&first, 2, "ba");
	expect_owned(1, 1, 0);
	add("d");
	release_group(&second, 1, "c");
	expect_owned(1, 0, 0);
	release_all(1);
	expect_done("d");

	open_group(&first);
	add("a");
	open_group(&second);
	add("b");
	close_group(&first);
	add("c");
	close_group(&second);
	release_group(&second, 2, "cb");
	expect_owned(1, 1, 0);
	release_group(&first, 1, "a");
	expect_owned(0, 0, 0);
}

static void groups_that_are_forgotten(void)
{
	int id, other;

	open_group(&id);
	add("a");
	open_group(&other);
	add("b");
	close_group(&other);
	CHECK(!stitch_devres_remove_group(&device, NULL), "the open one");
	CHECK(!stitch_devres_remove_group(&device, &other), "the closed one");
	expect_owned(2, 0, 0);
	release_all(2);
	expect_done("ba");
}

static void wrong_groups(void)
{
	int id;

	FAILS_WITH(ENOENT, stitch_devres_close_group(&device, NULL));
	FAILS_WITH(ENOENT, stitch_devres_remove_group(&device, &id));
	FAILS_WITH(ENOENT, stitch_devres_release_group(&device, NULL));
	open_group(&id);
	close_group(&id);
	FAILS_WITH(EINVAL, stitch_devres_close_group(&device, &id));
	FAILS_WITH(ENOENT, stitch_devres_release_group(&device, NULL));
	IS_NULL_WITH(ENOMEM, stitch_devres_open_group(&device, NULL, FAILING));
	expect_owned(0, 1, 0);
	release_all(0);
}

/* --- releases that use the device ------------------------------------------------------------- */

static void *older, *older_group;

static void free_older(void *letter)
{
	stitch_devm_kfree(&device, older);
	CHECK(stitch_devm_kmalloc(&device, 30, KERNEL), "memory");
	add("n");
	note(letter);
}

/* The group that is being released, and one that is about to be. */
static void look_for_groups(void *letter)
{
	FAILS_WITH(ENOENT, stitch_devres_release_group(&device, older_group));
	FAILS_WITH(ENOENT, stitch_devres_remove_group(&device, older_group));
	FAILS_WITH(ENOENT, stitch_devres_close_group(&device, older_group));
	note(letter);
}

static void releases_that_free_and_add(void)
{
	static char letter[] = "f";
	int id;

	open_group(&id);
	older = stitch_devm_kmalloc(&device, 20, KERNEL);
	add("a");
	CHECK(!stitch_devm_add_action(&device, free_older, letter), "an action");
	close_group(&id);
	release_group(&id, 2, "fa"); /* what it adds is not in the group; it has freed one */
	expect_owned(2, 0, 30);
	release_all(2);
	expect_done("n");

	older = stitch_devm_kmalloc(&device, 20, KERNEL);
	add("a");
	CHECK(!stitch_devm_add_action(&device, free_older, letter), "an action");
	release_all(4);
	expect_done("fna");
}

static void releases_that_look_for_groups(void)
{
	static char letter[] = "l";
	int outer;

	for (int all = 0; all < 2; all++) {
		open_group(&outer);
		older_group = open_group(NULL);
		add("a");
		CHECK(!stitch_devm_add_action(&device, look_for_groups, letter), "an action");
		close_group(older_group);
		close_group(&outer);
		if (all)
			release_all(2);
		else
			release_group(&outer, 2, "la");
	}
	expect_done("la");
}

/* --- reports ---------------------------------------------------------------------------------- */

static const char *report_of(const struct stitch_device *reported)
{
	static char text[100000];
	int fd = memfd_create("report", MFD_CLOEXEC);
	ssize_t length;

	CHECK(fd >= 0 && !stitch_device_report(reported, fd), "report");
	length = pread(fd, text, sizeof(text) - 1, 0);
	CHECK(length > 0 && length < (ssize_t)sizeof(text) - 1, "%zd bytes", length);
	text[length] = '\0';
	close(fd);
	return text;
}

static void reports(void)
{
	static char letter[] = "r";
	char expected[1000];
	unsigned long page;
	void *object, *id;

	object = stitch_devm_kmalloc(&device, 20, KERNEL);
	id = open_group(NULL);
	page = stitch_devm_get_free_pages(&device, KERNEL, 1);
	CHECK(!stitch_devm_add_action(&device, note, letter), "an action");
	close_group(id);
	CHECK(!stitch_devm_add_named_action(&device, note, letter, NULL, KERNEL), "no name");
	object = stitch_devm_krealloc(&device, object, 2000, KERNEL); /* stays where it is */
	snprintf(expected, sizeof(expected),
		 "device gadget: 4 resources, 10192 bytes\n"
		 "  action  ?(%p)\n"
		 "  group   %p ends\n"
		 "  action  note(%p)\n"
		 "  pages   %p 8192 bytes\n"
		 "  group   %p begins\n"
		 "  kmalloc %p 2000 bytes\n",
		 letter, id, letter, (void *)page, id, object);
	CHECK(!strcmp(report_of(&device), expected), "%s\nand not\n%s", report_of(&device),
	      expected);
	FAILS_WITH(EBADF, stitch_device_report(&device, -1));
	release_all(4);
	expect_done("rr");
	CHECK(!strcmp(report_of(&device), "device gadget: 0 resources, 0 bytes\n"), "empty");
}

/* More than is taken down at a time; each once, newest first. */
static void long_report(void)
{
	struct stitch_device nameless = { 0 };
	const char *line;
	int nr = 0;

	for (size_t bytes = 1; bytes <= 100; bytes++)
		CHECK(stitch_devm_kmalloc(&nameless, bytes, KERNEL), "memory");
	line = report_of(&nameless);
	CHECK(!strncmp(line, "device (no name): 100 resources, 5050 bytes\n", 44), "%s", line);
	while ((line = strstr(line, "kmalloc 0x"))) {
		line = strchr(line + 8, ' ');
		CHECK(atoi(line) == 100 - nr, "line %d: %s", nr, line);
		nr++;
	}
	CHECK(nr == 100 && stitch_device_release(&nameless) == 100, "%d", nr);
}

/* --- where it is used ------------------------------------------------------------------------- */

static void no_device(void)
{
	struct stitch_device_resources usage;
	int id;

	IS_NULL_WITH(EINVAL, stitch_devm_kmalloc(NULL, 1, KERNEL));
	IS_NULL_WITH(EINVAL, stitch_devm_krealloc(NULL, &id, 1, KERNEL));
	IS_NULL_WITH(EINVAL, stitch_devm_get_free_pages(NULL, KERNEL, 0));
	IS_NULL_WITH(EINVAL, stitch_devres_open_group(NULL, NULL, KERNEL));
	FAILS_WITH(EINVAL, stitch_devm_add_action(NULL, note, &id));
	FAILS_WITH(EINVAL, stitch_devm_remove_action(NULL, note, &id));
	FAILS_WITH(EINVAL, stitch_devm_release_action(NULL, note, &id));
	FAILS_WITH(EINVAL, stitch_devres_close_group(NULL, &id));
	FAILS_WITH(EINVAL, stitch_devres_remove_group(NULL, &id));
	FAILS_WITH(EINVAL, stitch_devres_release_group(NULL, &id));
	FAILS_WITH(EINVAL, stitch_device_release(NULL));
	FAILS_WITH(EINVAL, stitch_device_usage(NULL, &usage));
	FAILS_WITH(EINVAL, stitch_device_report(NULL, 1));
}

static void moved(void)
{
	struct stitch_device copy;

	add("ab");
	copy = device;
	stitch_device_init(&device, "gadget");
	add("c");
	CHECK(stitch_device_release(&copy) == 2, "what it had");
	expect_done("ba");
	release_all(1);
	expect_done("c");
}

/* The child's memory is its own. */
static void child(void)
{
	int status, id;
	pid_t pid;

	add("a");
	open_group(&id);
	CHECK(stitch_devm_kmalloc(&device, 100000, KERNEL), "memory");
	add("b");
	pid = fork();
	if (!pid) {
		add("c");
		release_group(&id, 3, "cb");
		release_all(1);
		expect_done("a");
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
	expect_owned(3, 1, 100000);
	release_all(3);
	expect_done("ba");
}

/* What is written down about it is not in the zone that fork wipes. */
static void child_of_zones(void)
{
	int status, id;
	pid_t pid;

	add("a");
	CHECK(!stitch_devm_add_named_action(&device, note, "b", NULL, KERNEL | STITCH__GFP_DMA),
	      "action");
	CHECK(stitch_devres_open_group(&device, &id, KERNEL | STITCH__GFP_DMA), "group");
	CHECK(stitch_devm_get_free_pages(&device, KERNEL | STITCH__GFP_DMA, 0), "pages");
	pid = fork();
	if (!pid) {
		release_all(3);
		expect_done("ba");
		_exit(0);
	}
	CHECK(waitpid(pid, &status, 0) == pid && !status, "the child: %#x", status);
	release_all(3);
	expect_done("ba");
}

static atomic_int nr_added;
static volatile bool go_on;

static void no_action(void *data)
{
	(void)data;
}

static void add_atomically(int signal_number)
{
	(void)signal_number;
	if (stitch_devm_kzalloc(&device, 24, STITCH_GFP_ATOMIC))
		nr_added++;
	if (!stitch_devm_add_named_action(&device, no_action, NULL, NULL, STITCH_GFP_ATOMIC))
		nr_added++;
}

/* It sends signals as fast as the other thread takes them. */
static void *send_signals(void *thread)
{
	for (int i = 0; i < 2000; i++) {
		pthread_kill(*(pthread_t *)thread, SIGUSR1);
		usleep(10);
	}
	go_on = false;
	return NULL;
}

/* The handlers interrupt everything below, and nothing is lost. */
static void handlers(void)
{
	pthread_t self = pthread_self(), sender;
	unsigned long nr_mine = 0;
	int id;

	CHECK(!stitch_reserve_fill(4u << 20), "a reserve");
	signal(SIGUSR1, add_atomically);
	go_on = true;
	CHECK(!pthread_create(&sender, NULL, send_signals, &self), "a thread");
	while (go_on) {
		void *object = stitch_devm_kmalloc(&device, 40, KERNEL);

		nr_mine++;
		open_group(&id);
		object = stitch_devm_krealloc(&device, object, 400, KERNEL);
		CHECK(object, "memory");
		close_group(&id);
		CHECK(!stitch_devres_remove_group(&device, &id), "the group");
		if (nr_mine % 8) {
			stitch_devm_kfree(&device, object);
			nr_mine--;
		}
	}
	pthread_join(sender, NULL);
	signal(SIGUSR1, SIG_DFL);
	CHECK(nr_added, "some came");
	release_all((int)nr_mine + nr_added);
}

static void everything(void)
{
	objects();
	arrays_and_texts();
	no_memory();
	pages();
	resizes();
	actions();
	same_actions();
	actions_that_cannot_be_added();
	one_group();
	open_groups();
	nested_groups();
	overlapping_groups();
	groups_that_are_forgotten();
	wrong_groups();
	releases_that_free_and_add();
	releases_that_look_for_groups();
	reports();
	long_report();
	no_device();
	moved();
	child();
	child_of_zones();
}

int main(void)
{
	struct mallinfo2 before, after;

	stitch_device_init(&device, "gadget");
	everything();
	before = mallinfo2();
	everything();
	after = mallinfo2();
	CHECK(after.uordblks + after.hblkhd <= before.uordblks + before.hblkhd,
	      "%zu bytes are lost", after.uordblks - before.uordblks);
	handlers();
	return 0;
}
