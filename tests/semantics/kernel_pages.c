/*
 * kernel_pages.c - whole pages of include/stitch/mm.h: every order, tagged and aligned, beside a
 * list of what lives; hot and cold; exact numbers; vmalloc.
 */
#include "semantics/check.h"

#include "kernel_api.h"

#define KERNEL STITCH_GFP_KERNEL
#define PAGE 4096ul

enum { NR_LIVE = 60, NR_STEPS = 4000 };

static struct block {
	unsigned long address;
	unsigned int order;
	unsigned long tag;
} live[NR_LIVE];

static uint64_t next_random(void)
{
	static uint64_t state = 3;

	state = state * 6364136223846793005u + 1442695040888963407u;
	return state >> 33;
}

/* A word in each page: a page that two blocks have shows it. */
static void tag_pages(const struct block *block)
{
	for (unsigned long i = 0; i < 1ul << block->order; i++)
		*(unsigned long *)(block->address + i * PAGE + 8 * (i % 512)) = block->tag + i;
}

static void check_pages(const struct block *block)
{
	for (unsigned long i = 0; i < 1ul << block->order; i++)
		CHECK(*(unsigned long *)(block->address + i * PAGE + 8 * (i % 512)) ==
			      block->tag + i,
		      "page %lu of order %u", i, block->order);
}

static void check_zero(const struct block *block)
{
	for (unsigned long at = block->address; at < block->address + (PAGE << block->order);
	     at += 8)
		CHECK(!*(unsigned long *)at, "a zeroed page of order %u", block->order);
}

/* Small orders more often than large ones. */
static unsigned int random_order(void)
{
	unsigned int order = next_random() % 11;

	return next_random() % 3 ? order % 4 : order;
}

static void step(unsigned long n)
{
	struct block *block = &live[next_random() % NR_LIVE];
	bool zeroed = next_random() % 4 == 0;

	if (block->address) {
		check_pages(block);
		stitch_free_pages(block->address, block->order);
		block->address = 0;
		return;
	}
	*block = (struct block){ .order = random_order(), .tag = n * 1000003 };
	block->address = stitch_get_free_pages(zeroed ? KERNEL | STITCH__GFP_ZERO : KERNEL,
					       block->order);
	CHECK(block->address, "order %u", block->order);
	CHECK(!(block->address & ((PAGE << block->order) - 1)), "%lx of order %u", block->address,
	      block->order);
	if (zeroed)
		check_zero(block);
	tag_pages(block);
}

static void all_orders(void)
{
	for (unsigned long n = 0; n < NR_STEPS; n++)
		step(n);
	for (unsigned int i = 0; i < NR_LIVE; i++)
		if (live[i].address)
			stitch_free_pages(live[i].address, live[i].order);
	CHECK(!stitch_get_free_pages(KERNEL, 11) && !stitch_alloc_pages(KERNEL, ~0u), "no order");
	CHECK(!stitch_get_free_pages(STITCH_GFP_HIGHUSER | STITCH__GFP_NOWARN, 0), "no address");
}

static void descriptors(void)
{
	struct stitch_page *page = stitch_alloc_pages(KERNEL, 3);
	char *address = stitch_page_address(page);
	unsigned long pfn = stitch_page_to_pfn(page);

	CHECK(stitch_virt_to_page(address) == page, "there and back");
	CHECK(stitch_virt_to_page(address + 5000) != page, "the next page has its own");
	CHECK(stitch_page_to_pfn(stitch_virt_to_page(address + 5000)) == pfn + 1, "number");
	CHECK(stitch_pfn_to_page(pfn) == page && stitch_pfn_valid(pfn), "by number");
	CHECK(!stitch_pfn_valid(~0ul) && !stitch_pfn_to_page(~0ul), "no number");
	CHECK(!stitch_virt_to_page(&page) && !stitch_virt_to_page(NULL), "not of the heap");
	CHECK(!stitch_page_address(NULL), "no page");
	stitch_free_pages_of(page, 3);
	stitch_free_pages_of(NULL, 0);
	stitch_free_pages(0, 0);
}

/* The last that was freed is the next, but for who wants a cold one, and if it was freed cold. */
static void hot_and_cold(void)
{
	struct stitch_page *page = stitch_alloc_pages(KERNEL, 0), *other;

	stitch_free_pages_of(page, 0);
	other = stitch_alloc_pages(KERNEL | STITCH__GFP_COLD, 0);
	CHECK(other != page, "a cold one");
	CHECK(stitch_alloc_pages(KERNEL, 0) == page, "the hot one");
	stitch_free_pages_of(other, 0);
	stitch_free_cold_page(page);
	CHECK(stitch_alloc_pages(KERNEL, 0) == other, "not the cold one");
	stitch_free_pages_of(other, 0);
}

static void exact(void)
{
	char *five = stitch_alloc_pages_exact(5 * PAGE - 1, KERNEL);

	CHECK(five && !((uintptr_t)five % PAGE), "five pages");
	CHECK(malloc_usable_size(five) == 5 * PAGE, "and no more");
	memset(five, 1, 5 * PAGE);
	stitch_free_pages_exact(five, 5 * PAGE - 1);
	CHECK(!stitch_alloc_pages_exact(0, KERNEL) && !stitch_alloc_pages_exact(SIZE_MAX, KERNEL),
	      "no number of pages");
	five = (char *)stitch_get_free_pages(KERNEL, 2);
	free(five); /* all of it is malloc's */
}

static void atomic(void)
{
	unsigned long pages[40];
	struct stitch_page *page;

	CHECK(!stitch_reserve_fill(4 << 20), "4 MiB");
	for (unsigned int i = 0; i < 40; i++) {
		pages[i] = stitch_get_free_pages(STITCH_GFP_ATOMIC | STITCH__GFP_ZERO, i % 5);
		CHECK(pages[i] && !(pages[i] & ((PAGE << i % 5) - 1)), "order %u", i % 5);
		memset((void *)pages[i], (int)i, PAGE << i % 5);
	}
	page = stitch_virt_to_page((void *)pages[7]);
	CHECK(stitch_page_address(page) == (void *)pages[7], "with descriptors");
	for (unsigned int i = 0; i < 40; i++) {
		CHECK(all_bytes_are((unsigned char *)pages[i], (int)i, PAGE << i % 5), "contents");
		stitch_free_pages(pages[i], i % 5);
	}
}

static void vmalloc(void)
{
	for (size_t bytes = 1; bytes < 64 << 20; bytes *= 7) {
		unsigned char *memory = stitch_vmalloc(bytes);

		CHECK(memory && !((uintptr_t)memory % PAGE), "%zu bytes", bytes);
		memset(memory, 0xff, bytes);
		stitch_vfree(memory);
		memory = stitch_vzalloc(bytes);
		CHECK(all_bytes_are(memory, 0, bytes), "%zu zeroes", bytes);
		stitch_vfree(memory);
	}
	CHECK(!stitch_vmalloc(0) && !stitch_vmalloc(SIZE_MAX), "no bytes");
}

static void meminfo(void)
{
	struct stitch_sysinfo before, after;
	unsigned long pages;

	stitch_si_meminfo(&before);
	pages = stitch_get_free_pages(KERNEL, 9);
	stitch_si_meminfo(&after);
	CHECK(before.totalram - before.freeram + 512 == after.totalram - after.freeram,
	      "512 pages more are in use");
	stitch_free_pages(pages, 9);
}

int main(void)
{
	all_orders();
	descriptors();
	hot_and_cold();
	exact();
	atomic();
	vmalloc();
	meminfo();
	return 0;
}
