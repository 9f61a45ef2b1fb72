/*
 * ZONE_DMA and ZONE_DMA32 (stitch/gfp.h): really pinned and in one piece, really below 4 GiB, by
 * every function that has them; reports; a child; and a handler that wants some.
 */
#include <fcntl.h>
#include <malloc.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel_api.h"
#include "semantics/check.h"

#define DMA (STITCH_GFP_KERNEL | STITCH_GFP_DMA)
#define DMA32 (STITCH_GFP_KERNEL | STITCH_GFP_DMA32)
#define CHUNK (2ul << 20)

/* A number behind a name in a file of /proc, or -1. */
static long number_of(const char *path, const char *name)
{
	char line[256];
	FILE *file = fopen(path, "r");
	long number = -1;

	while (file && fgets(line, sizeof(line), file))
		if (!strncmp(line, name, strlen(name)))
			sscanf(line + strlen(name), "%ld", &number);
	if (file)
		fclose(file);
	return number;
}

/* Why this machine may have none: no huge pages, or little that may be locked. */
static bool may_lack_dma(void)
{
	char setting[64] = "";
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	struct rlimit limit;

	if (file && !fgets(setting, sizeof(setting), file))
		setting[0] = '\0';
	if (file)
		fclose(file);
	getrlimit(RLIMIT_MEMLOCK, &limit);
	return !setting[0] || strstr(setting, "[never]") || limit.rlim_cur < 4 * CHUNK;
}

static bool is_low(const void *address)
{
	return address && (unsigned long)address < 1ul << 32;
}

/* --- DMA ------------------------------------------------------------------------------------- */

/* The frame behind the page, by /proc/self/pagemap; 0: it is not to be known. */
static unsigned long frame_of(const char *address)
{
	unsigned long entry = 0;
	int file = open("/proc/self/pagemap", O_RDONLY);

	if (pread(file, &entry, sizeof(entry), (off_t)((unsigned long)address / 4096 * 8)) != 8)
		entry = 0;
	close(file);
	return entry & ((1ul << 55) - 1);
}

static void in_one_piece(const char *block, size_t bytes)
{
	unsigned long first = frame_of(block);

	for (size_t at = 0; first && at < bytes; at += 4096)
		CHECK(frame_of(block + at) == first + at / 4096, "frames: %zu", at);
	if (!first)
		printf("zones: frames are not shown here\n");
}

static void pinned(void)
{
	long before = number_of("/proc/self/status", "VmLck:");
	char *block = (char *)stitch_get_free_pages(DMA, 9);

	CHECK(block, "no 2 MiB of ZONE_DMA");
	CHECK(number_of("/proc/self/status", "VmLck:") >= before + 2048, "not locked");
	memset(block, 5, CHUNK);
	in_one_piece(block, CHUNK);
	stitch_free_pages((unsigned long)block, 9);
	malloc_trim(0);
	CHECK(number_of("/proc/self/status", "VmLck:") <= before, "still locked");
}

/* What the device writes to must stay, whatever the parent writes while there is a child. */
static void forked(void)
{
	char *block = stitch_kmalloc(8192, DMA | STITCH__GFP_ZERO);
	unsigned long frame = frame_of(block);
	int status, go[2];
	pid_t child;
	char byte;

	block[0] = 1;
	CHECK(!pipe(go), "pipe");
	child = fork();
	if (!child) {
		close(go[1]);
		byte = block[0];
		stitch_kfree(block);
		block = stitch_kmalloc(100, DMA);
		_exit(byte || !block || read(go[0], &byte, 1));
	}
	block[0] = 2;
	CHECK(!frame || frame_of(block) == frame, "the frame has gone to the child");
	close(go[1]);
	waitpid(child, &status, 0);
	CHECK(!status, "the child: %#x", status);
	close(go[0]);
	CHECK(block[0] == 2 && malloc_usable_size(block) == 8192, "it has lost it");
	stitch_kfree(block);
}

/* --- both ------------------------------------------------------------------------------------ */

static void by_every_function(stitch_gfp_t flags)
{
	struct stitch_page *page = stitch_alloc_pages(flags, 3);
	char *address, *object, *other;

	CHECK(page, "alloc_pages");
	address = stitch_page_address(page);
	CHECK(address && stitch_virt_to_page(address) == page, "virt_to_page");
	CHECK(stitch_pfn_to_page(stitch_page_to_pfn(page)) == page, "pfn_to_page");
	CHECK(stitch_pfn_valid(stitch_page_to_pfn(page)) && !stitch_page_is_high(page), "pfn");
	CHECK(stitch_page_to_pfn(stitch_virt_to_page(address + 4096)) ==
		      stitch_page_to_pfn(page) + 1, "the next page");
	memset(address, 1, 8 * 4096);
	stitch_free_pages_of(page, 3);

	object = stitch_kzalloc(1000, flags);
	CHECK(object && !object[0] && !object[999], "kzalloc");
	CHECK(stitch_ksize(object) >= 1000, "ksize");
	strcpy(object, "moves");
	other = stitch_krealloc(object, 3000, STITCH_GFP_KERNEL);
	CHECK(other && !strcmp(other, "moves") && !is_low(other), "krealloc");
	free(other);
	free(stitch_kmalloc(10, flags));
	stitch_kfree_sensitive(stitch_kmalloc(10, flags));
	object = stitch_kmalloc(4096, flags);
	CHECK(object && !((unsigned long)object % 4096), "naturally aligned");
	object = realloc(object, 0);
	object = stitch_alloc_pages_exact(3 * 4096, flags);
	stitch_free_pages_exact(object, 3 * 4096);
	errno = 0;
	CHECK(!stitch_kmalloc(CHUNK + 1, flags | STITCH__GFP_NOWARN), "too much");
	CHECK(errno == ENOMEM, "errno %d", errno);
	CHECK(!stitch_alloc_pages(flags | STITCH__GFP_NOWARN, 10), "order 10");
	CHECK(!stitch_kmalloc(1, DMA | DMA32 | STITCH__GFP_HIGHMEM | STITCH__GFP_NOWARN), "all");
}

/* Of malloc_info, in bytes. */
static size_t figure(const char *name)
{
	FILE *file = tmpfile();
	char line[256], wanted[64];
	size_t bytes = 0;

	CHECK(file && !malloc_info(0, file), "malloc_info");
	rewind(file);
	snprintf(wanted, sizeof(wanted), "<figure name=\"%s\" value=\"", name);
	while (fgets(line, sizeof(line), file))
		if (!strncmp(line, wanted, strlen(wanted)))
			sscanf(line + strlen(wanted), "%zu", &bytes);
	fclose(file);
	return bytes;
}

/* To another zone only when that is asked for. */
static void grown_in_its_zone(void)
{
	char *object = stitch_kmalloc(20000, DMA32);

	strcpy(object, "stays low");
	object = stitch_krealloc(object, 100000, DMA32);
	CHECK(is_low(object) && !strcmp(object, "stays low"), "%p", object);
	object = stitch_krealloc(object, 200000, STITCH_GFP_KERNEL);
	CHECK(object && !is_low(object) && !strcmp(object, "stays low"), "%p", object);
	stitch_kfree(object);
}

static void low(void)
{
	char *blocks[40];

	for (int i = 0; i < 40; i++) {
		blocks[i] = stitch_kmalloc(100000, DMA32);
		CHECK(is_low(blocks[i]), "%p", blocks[i]);
		memset(blocks[i], i, 100000);
	}
	CHECK(figure("lowmem") - figure("lowmem_free") >= 40 * 100000, "malloc_info");
	for (int i = 0; i < 40; i++) {
		CHECK(blocks[i][0] == i && blocks[i][99999] == i, "block %d", i);
		stitch_kfree(blocks[i]);
	}
	CHECK(figure("lowmem") == figure("lowmem_free"), "malloc_info, nothing in use");
}

/* --- reports --------------------------------------------------------------------------------- */

static char text[65536];

static bool holds(const char *name, const char *line)
{
	FILE *file = tmpfile();

	CHECK(file && !stitch_report(fileno(file), name), "%s", name);
	rewind(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	return strstr(text, line);
}

static bool reports(const char *name, const char *line)
{
	bool found = holds(name, line);

	if (!found)
		fprintf(stderr, "%s\n", text);
	return found;
}

static void reported(void)
{
	void *object = stitch_kmalloc(100, DMA32);

	CHECK(reports("zoneinfo", "Node 0, zone    DMA32\n"), "zoneinfo");
	CHECK(reports("zoneinfo", "  pages free     511\n"), "zoneinfo");
	CHECK(reports("zoneinfo", "        managed  512\n"), "zoneinfo");
	CHECK(reports("buddyinfo", "Node 0, zone    DMA32      1      1      1      1      1      "
				   "1      1      1      1      0      0 \n"), "buddyinfo");
	stitch_kfree(object);
	CHECK(reports("buddyinfo", "Node 0, zone    DMA32      0      0      0      0      0      "
				   "0      0      0      0      1      0 \n"), "buddyinfo");
	malloc_trim(0);
	CHECK(!holds("buddyinfo", "DMA32"), "parked");
}

/* --- a handler -------------------------------------------------------------------------------- */

static void *given;

static void on_signal(int number)
{
	(void)number;
	given = stitch_kmalloc(200, STITCH_GFP_ATOMIC | STITCH_GFP_DMA32);
	stitch_kfree(stitch_kmalloc(200, STITCH_GFP_ATOMIC | STITCH_GFP_DMA32));
}

static void atomic(void)
{
	CHECK(!stitch_kmalloc(200, STITCH_GFP_ATOMIC | STITCH_GFP_DMA32), "before there is any");
	stitch_kfree(stitch_kmalloc(200, DMA32));
	signal(SIGUSR1, on_signal);
	raise(SIGUSR1);
	CHECK(is_low(given), "%p", given);
	stitch_kfree(given);
}

/* The window is large then, and little of it reserved: what is mapped later may lie in it. */
static void at_address_limit(void)
{
	static const struct rlimit limit = { 8ul << 30, 8ul << 30 };
	pid_t child = fork();
	int status;

	if (!child) {
		CHECK(!setrlimit(RLIMIT_AS, &limit), "setrlimit");
		execl("/proc/self/exe", "zones", "limited", NULL);
		_exit(127);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status %#x", (unsigned int)status);
}

int main(int argc, char **argv)
{
	void *object;

	(void)argv;
	if (argc > 1) {
		by_every_function(DMA);
		return 0;
	}
	atomic();
	reported();
	by_every_function(DMA32);
	low();
	grown_in_its_zone();
	object = stitch_kmalloc(100, DMA);
	if (!object && may_lack_dma()) {
		printf("zones: this machine has no ZONE_DMA\n");
		return 0;
	}
	CHECK(object, "no ZONE_DMA");
	stitch_kfree(object);
	malloc_trim(0);
	pinned();
	forked();
	by_every_function(DMA);
	at_address_limit();
	return 0;
}
