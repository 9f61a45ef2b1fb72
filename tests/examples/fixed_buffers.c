/*
 * Buffers that a device reads into: of ZONE_DMA, so that they are pinned and each is in one piece
 * for the device, too. io_uring takes them as fixed buffers once, instead of looking up and pinning
 * their pages for every read. The program reads itself through them, and by read() into the same
 * buffers, and compares.
 */
#include <fcntl.h>
#include <stdio.h>
#include <sys/uio.h>
#include <unistd.h>

#include <liburing.h> /* Debian: liburing-dev */

#include <stitch/mm.h>

enum { NR_BUFFERS = 8, ORDER = 4 };
#define BUFFER_BYTES ((size_t)STITCH_PAGE_SIZE << ORDER)

static struct iovec buffers[NR_BUFFERS];

/* Some machines have no huge page to give, or let nobody pin that much: then any memory does. */
static int make_buffers(void)
{
	stitch_gfp_t flags = STITCH_GFP_KERNEL | STITCH_GFP_DMA;

	for (int i = 0; i < NR_BUFFERS; i++) {
		unsigned long buffer = stitch_get_free_pages(flags, ORDER);

		if (!buffer && flags & STITCH_GFP_DMA) {
			flags &= ~STITCH_GFP_DMA;
			buffer = stitch_get_free_pages(flags, ORDER);
		}
		if (!buffer)
			return -1;
		buffers[i] = (struct iovec){ (void *)buffer, BUFFER_BYTES };
	}
	printf("buffers of %s\n", flags & STITCH_GFP_DMA ? "ZONE_DMA" : "any memory");
	return 0;
}

static void free_buffers(void)
{
	for (int i = 0; i < NR_BUFFERS; i++)
		stitch_free_pages((unsigned long)buffers[i].iov_base, ORDER);
}

static unsigned long sum_of(int buffer, int nr_bytes)
{
	const unsigned char *bytes = buffers[buffer].iov_base;
	unsigned long sum = 0;

	for (int i = 0; i < nr_bytes; i++)
		sum += bytes[i];
	return sum;
}

/* One read for each buffer, from `*from` on. How many bytes came, or an error. */
static int read_round(struct io_uring *ring, int file, __u64 *from, unsigned long *sum)
{
	struct io_uring_cqe *done;
	int total = 0, answer;

	for (int i = 0; i < NR_BUFFERS; i++, *from += BUFFER_BYTES) {
		struct io_uring_sqe *wanted = io_uring_get_sqe(ring);

		io_uring_prep_read_fixed(wanted, file, buffers[i].iov_base, BUFFER_BYTES, *from, i);
		io_uring_sqe_set_data64(wanted, (__u64)i);
	}
	answer = io_uring_submit_and_wait(ring, NR_BUFFERS);
	for (int i = 0; i < NR_BUFFERS && answer >= 0; i++) {
		answer = io_uring_wait_cqe(ring, &done);
		if (!answer)
			answer = done->res;
		if (answer > 0) {
			*sum += sum_of((int)io_uring_cqe_get_data64(done), answer);
			total += answer;
		}
		if (answer >= 0)
			io_uring_cqe_seen(ring, done);
	}
	return answer < 0 ? answer : total;
}

/* -1: there is no io_uring here. */
static int read_by_ring(int file, unsigned long *sum)
{
	struct io_uring ring;
	__u64 from = 0;
	int answer;

	if (io_uring_queue_init(NR_BUFFERS, &ring, 0))
		return -1;
	answer = io_uring_register_buffers(&ring, buffers, NR_BUFFERS);
	if (!answer)
		do
			answer = read_round(&ring, file, &from, sum);
		while (answer > 0);
	io_uring_queue_exit(&ring);
	if (answer < 0)
		printf("io_uring: error %d\n", -answer);
	return answer;
}

static void read_plainly(int file, unsigned long *sum)
{
	ssize_t nr;

	while ((nr = read(file, buffers[0].iov_base, BUFFER_BYTES)) > 0)
		*sum += sum_of(0, (int)nr);
}

int main(int argc, char **argv)
{
	unsigned long by_ring = 0, plainly = 0;
	int file = open(argc ? argv[0] : "/proc/self/exe", O_RDONLY | O_CLOEXEC), answer;

	if (file < 0 || make_buffers())
		return 1;
	answer = read_by_ring(file, &by_ring);
	read_plainly(file, &plainly);
	close(file);
	free_buffers();
	if (answer < 0) {
		printf("no io_uring here\n");
		return 0;
	}
	printf("%s\n", by_ring == plainly ? "the same by both" : "they differ");
	return by_ring != plainly;
}
