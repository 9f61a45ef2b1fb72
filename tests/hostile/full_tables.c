/*
 * A process that has used up its address space, or its mappings (vm.max_map_count): malloc goes
 * on as far as memory is open, free never fails and keeps errno, trimming does no harm, no thread
 * start crashes, and when there is room again all is as before.
 */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "hostile/load.h"

#define MIB ((size_t)1 << 20)
#define PAGE 4096u
#define ENOUGH (100 * MIB)
/* Distributions raise vm.max_map_count to a million. */
#define MAX_MAPPINGS 2000000u

static struct load load;

static void *nothing(void *unused)
{
	free(malloc(100));
	return unused;
}

static void start_a_thread(bool must_start)
{
	pthread_t thread;
	int error = pthread_create(&thread, NULL, nothing, NULL);

	CHECK(!error || (error == EAGAIN && !must_start), "pthread_create: %d", error);
	if (!error)
		pthread_join(thread, NULL);
}

/* Every page of the heap's units that are open is at hand. */
static void small_ones_go_on(void)
{
	void *blocks[100];

	for (unsigned int i = 0; i < 100; i++) {
		blocks[i] = malloc(i * 90 + 1);
		CHECK(blocks[i], "malloc(%u) failed beside free memory", i * 90 + 1);
	}
	for (unsigned int i = 0; i < 100; i++)
		free(blocks[i]);
}

/* As much as there is, up to a bound. Returns how many MiB. */
static size_t take_and_free(size_t bytes)
{
	void **last = NULL, **block;
	size_t total = 0;

	errno = LOAD_ERRNO;
	while (total < ENOUGH && (block = malloc(bytes))) {
		*block = last;
		last = block;
		total += bytes;
	}
	CHECK(total >= ENOUGH || errno == ENOMEM, "malloc(%zu): errno is %d", bytes, errno);
	while (last) {
		block = *last;
		errno = LOAD_ERRNO;
		free(last);
		CHECK(errno == LOAD_ERRNO, "free(%zu bytes) set errno to %d", bytes, errno);
		last = block;
	}
	return total / MIB;
}

static void work_in_want(void)
{
	static const size_t sizes[] = { 1000, 100000, 5 * MIB, 1000 };

	small_ones_go_on();
	for (unsigned int i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		CHECK(take_and_free(sizes[i]) >= ENOUGH / MIB || !on_stitchmalloc(),
		      "no more memory in blocks of %zu", sizes[i]);
	start_a_thread(false);
	load_work(&load, 1000);
	errno = LOAD_ERRNO;
	malloc_trim(0);
	CHECK(errno == LOAD_ERRNO, "malloc_trim set errno to %d", errno);
	load_work(&load, 1000);
	load_end(&load);
	malloc_trim(0);
	small_ones_go_on();
}

/* Every second page has another protection: as many mappings as the kernel allows. */
static void use_up_mappings(void)
{
	size_t bytes = 2 * (size_t)MAX_MAPPINGS * PAGE;
	char *region = mmap(NULL, bytes, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
			    -1, 0);
	unsigned int nr = 0;

	CHECK(region != MAP_FAILED, "mmap");
	while (nr < MAX_MAPPINGS && !mprotect(region + 2 * PAGE * (size_t)nr, PAGE, PROT_READ))
		nr++;
	CHECK(nr > 1000, "only %u mappings", nr);
	if (nr == MAX_MAPPINGS) {
		puts("vm.max_map_count is above 2,000,000: the rest ran with that many mappings");
		return;
	}
	work_in_want();
	munmap(region, bytes);
}


/* The last free 64 KiB too, and back. */
static void use_up_addresses(void)
{
	static struct {
		void *address;
		size_t bytes;
	} taken[4096];
	unsigned int nr = 0;

	for (size_t bytes = (size_t)1 << 46; bytes >= PAGE && nr < 4096; bytes /= 2) {
		void *address;

		while (nr < 4096 && (address = mmap(NULL, bytes, PROT_NONE,
						    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
						    -1, 0)) != MAP_FAILED) {
			taken[nr].address = address;
			taken[nr++].bytes = bytes;
		}
	}
	CHECK(nr < 4096, "the address space is in more pieces than expected");
	CHECK(mmap(NULL, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
	      "the address space is not full");
	work_in_want();
	while (nr--)
		munmap(taken[nr].address, taken[nr].bytes);
}

static void in_a_child(const char *name, void (*use_up)(void))
{
	pid_t child = fork();
	int status;

	CHECK(child >= 0, "fork");
	if (!child) {
		load_init(&load, 1, 6 * MIB);
		load_work(&load, 1000);
		use_up();
		start_a_thread(true);
		load_init(&load, 2, 6 * MIB);
		load_work(&load, 1000);
		CHECK(!load.nr_failed, "%lu failures when there is room again", load.nr_failed);
		load_end(&load);
		_exit(0);
	}
	CHECK(waitpid(child, &status, 0) == child, "waitpid");
	CHECK(!status, "without more %s: status %#x", name, (unsigned int)status);
}

int main(void)
{
	in_a_child("addresses", use_up_addresses);
	in_a_child("mappings", use_up_mappings);
	return 0;
}
