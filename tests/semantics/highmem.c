/*
 * Pages outside the address space (stitch/highmem.h, vmap of vmalloc.h): more of them than there is
 * address space, one at two addresses, guarded, readable only, shared with a child; and what is had
 * where there are none.
 */
#include <setjmp.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "kernel_api.h"
#include "semantics/check.h"

#define HIGH STITCH_GFP_HIGHUSER
#define PAGE STITCH_PAGE_SIZE

static sigjmp_buf escape;

static void on_fault(int number)
{
	siglongjmp(escape, number);
}

/* Does the access end in a fault? */
static bool faults(volatile char *address, bool write)
{
	struct sigaction action = { .sa_handler = on_fault }, old;
	bool faulted = true;

	sigaction(SIGSEGV, &action, &old);
	if (!sigsetjmp(escape, 1)) {
		if (write)
			*address = 1;
		else
			(void)*address;
		faulted = false;
	}
	sigaction(SIGSEGV, &old, NULL);
	return faulted;
}

static struct stitch_page *new_page(void)
{
	struct stitch_page *page = stitch_alloc_pages(HIGH | STITCH__GFP_ZERO, 0);

	CHECK(page && stitch_page_is_high(page), "no page of ZONE_HIGHMEM");
	return page;
}

static void one_page_two_addresses(void)
{
	struct stitch_page *first = new_page(), *second = new_page();
	struct stitch_page *pages[] = { first, second, first };
	char *area = stitch_vmap(pages, 3, STITCH_VM_MAP, STITCH_PAGE_KERNEL);
	char *mapped = stitch_kmap(first);

	CHECK(area && mapped && mapped == stitch_page_address(first), "vmap, kmap");
	strcpy(area, "shown twice");
	CHECK(!strcmp(area + 2 * PAGE, "shown twice") && !strcmp(mapped, "shown twice"), "%s",
	      area + 2 * PAGE);
	CHECK(faults(area - 1, false) && faults(area + 3 * PAGE, false), "no guard pages");
	CHECK(stitch_is_vmalloc_addr(area + PAGE), "is_vmalloc_addr");
	CHECK(stitch_vmalloc_to_page(area + PAGE) == second, "vmalloc_to_page");
	CHECK(stitch_pfn_to_page(stitch_page_to_pfn(second)) == second, "pfn");
	CHECK(stitch_pfn_valid(stitch_page_to_pfn(second)), "pfn_valid");
	stitch_vunmap(area);
	CHECK(faults(area, false), "vunmap has left the area mapped");
	CHECK(!strcmp(mapped, "shown twice"), "vunmap has taken kmap's mapping");
	stitch_kunmap(first);
	CHECK(!stitch_page_address(first), "an address without a mapping");
	stitch_free_pages_of(first, 0);
	stitch_free_pages_of(second, 0);
}

static void read_only(void)
{
	struct stitch_page *page = new_page();
	char *area = stitch_vmap(&page, 1, 0, STITCH_PAGE_KERNEL_RO);

	CHECK(area && !stitch_memcpy_to_page(page, 5, "text", 5), "no memory");
	CHECK(!strcmp(area + 5, "text") && faults(area + 5, true), "PAGE_KERNEL_RO");
	stitch_vunmap(area);
	stitch_free_pages_of(page, 0);
}

static void copies(void)
{
	struct stitch_page *from = new_page(), *to = new_page();
	char text[8];

	stitch_memcpy_to_page(from, 100, "copied", 7);
	CHECK(!stitch_copy_highpage(to, from), "copy_highpage");
	CHECK(!stitch_memcpy_from_page(text, to, 100, 7) && !strcmp(text, "copied"), "%s", text);
	CHECK(!stitch_clear_highpage(to) && !stitch_memcpy_from_page(text, to, 100, 7) && !*text,
	      "clear_highpage");
	stitch_free_pages_of(from, 0);
	stitch_free_pages_of(to, 0);
}

static void pages_of_the_heap(void)
{
	struct stitch_page *page = stitch_alloc_pages(STITCH_GFP_KERNEL, 0);
	void *large = malloc(3 << 20), *small = malloc(100);

	CHECK(!stitch_page_is_high(page), "PageHighMem");
	CHECK(stitch_kmap(page) == stitch_page_address(page), "kmap of a page of the heap");
	stitch_kunmap(page);
	errno = 0;
	CHECK(!stitch_vmap(&page, 1, 0, STITCH_PAGE_KERNEL) && errno == EINVAL, "vmap");
	CHECK(!stitch_vmap(NULL, 0, 0, STITCH_PAGE_KERNEL) && errno == EINVAL, "vmap of nothing");
	CHECK(stitch_is_vmalloc_addr(large) && !stitch_is_vmalloc_addr(small) &&
	      !stitch_is_vmalloc_addr(&page), "is_vmalloc_addr");
	CHECK(stitch_vmalloc_to_page(large) == stitch_virt_to_page(large), "vmalloc_to_page");
	stitch_free_pages_of(page, 0);
	free(large);
	free(small);
}

/* 128 MiB where there are 64 MiB of addresses. */
static void more_than_addresses(void)
{
	enum { NR = 128 << 20 >> 12 };
	static struct stitch_page *pages[NR];
	struct rlimit old, limit;
	unsigned long used;
	FILE *file = fopen("/proc/self/statm", "r");

	CHECK(file && fscanf(file, "%lu", &used) == 1, "statm");
	fclose(file);
	getrlimit(RLIMIT_AS, &old);
	limit = old;
	limit.rlim_cur = used * PAGE + (64 << 20);
	CHECK(!setrlimit(RLIMIT_AS, &limit), "setrlimit");
	for (int i = 0; i < NR; i++) {
		pages[i] = new_page();
		CHECK(!stitch_memcpy_to_page(pages[i], 8, &i, sizeof(i)), "page %d", i);
	}
	for (int i = 0; i < NR; i++) {
		int found;

		CHECK(!stitch_memcpy_from_page(&found, pages[i], 8, sizeof(found)), "page %d", i);
		CHECK(found == i, "page %d holds %d", i, found);
		stitch_free_pages_of(pages[i], 0);
	}
	/* Nor has it taken what there was. */
	CHECK(mmap(NULL, 40 << 20, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED,
	      "no addresses are left");
	setrlimit(RLIMIT_AS, &old);
}

static void trimmed(void)
{
	struct stitch_sysinfo info;

	malloc_trim(0);
	stitch_si_meminfo(&info);
	CHECK(info.totalhigh && info.totalhigh == info.freehigh, "%lu of %lu", info.freehigh,
	      info.totalhigh);
}

/* Descriptors of files that pages are from. */
static unsigned int nr_files(void)
{
	unsigned int nr = 0;

	for (int fd = 3; fd < 1024; fd++) {
		char path[32], target[64];
		ssize_t length;

		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		length = readlink(path, target, sizeof(target) - 1);
		target[length > 0 ? length : 0] = '\0';
		nr += strstr(target, "stitchmalloc-highmem") != NULL;
	}
	return nr;
}

static int in_child(char *shared, struct stitch_page *page)
{
	struct stitch_page *own = new_page();
	const char *seen;

	strcpy(shared, "from the child");
	stitch_memcpy_to_page(own, 0, "own", 4);
	if (nr_files() != 1) /* the parent's pages are not to live as long as this process */
		return 2;
	seen = stitch_kmap(page); /* NULL, unless the window has it still */
	if (seen && strcmp(seen, "from the child"))
		return 1;
	if (seen)
		stitch_kunmap(page);
	stitch_vunmap(shared);
	stitch_free_pages_of(page, 0);
	stitch_free_pages_of(own, 0);
	return 0;
}

static void shared_with_a_child(void)
{
	struct stitch_page *page = new_page();
	char *area = stitch_vmap(&page, 1, 0, STITCH_PAGE_KERNEL);
	pid_t child = fork();
	int status;

	if (!child)
		_exit(in_child(area, page));
	CHECK(waitpid(child, &status, 0) == child && !status, "status %d", status);
	CHECK(!strcmp(area, "from the child"), "%s", area);
	stitch_vunmap(area);
	stitch_free_pages_of(page, 0);
}

/* As daemons do. What is not mapped is lost, and nothing worse. */
static void descriptor_closed(void)
{
	struct stitch_page *mapped = new_page(), *block = stitch_alloc_pages(HIGH, 10);
	struct stitch_page *other = stitch_pfn_to_page(stitch_page_to_pfn(block) + 500);
	char *address = stitch_kmap(mapped); /* `other` is in no window: long ago it was */

	strcpy(address, "stays");
	for (int fd = 3; fd < 1024; fd++)
		close(fd);
	CHECK(!stitch_kmap(other), "a page of a file that is lost");
	CHECK(!strcmp(address, "stays"), "%s", address);
	stitch_kunmap(mapped);
	stitch_free_pages_of(mapped, 0);
	stitch_free_pages_of(block, 10);
	copies(); /* of a new file */
}

/* In a process that may have no large file: pages of the heap. */
static void none_to_be_had(void)
{
	pid_t child = fork();
	int status;

	if (!child) {
		struct rlimit none = { 0, 0 };
		struct stitch_page *page;

		setrlimit(RLIMIT_FSIZE, &none);
		page = stitch_alloc_pages(HIGH, 2);
		_exit(page && !stitch_page_is_high(page) && stitch_kmap(page) ? 0 : 1);
	}
	CHECK(waitpid(child, &status, 0) == child && !status, "status %d", status);
}

int main(void)
{
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc's own functions");
	none_to_be_had();
	more_than_addresses(); /* first, so that all that it takes counts */
	one_page_two_addresses();
	read_only();
	copies();
	pages_of_the_heap();
	trimmed();
	shared_with_a_child();
	descriptor_closed();
	return 0;
}
