/*
 * stress_lists.c - a klist that threads walk while others add and delete its nodes, with its own
 * lock and with a mutex; and a ring with one thread at each end, while a third asks how full it is.
 *
 * Who walks finds every node whole that an iterator is at, deleted or not. Who deletes frees the
 * node: when klist_remove returns, or in put. At the end each get has had its put.
 */
#include <sched.h>
#include <stdbool.h>
#include <stdint.h>

#include "stress.h"

#include "stitch/kfifo.h"
#include "stitch/klist.h"

#define NR_OWNERS 2u
#define NR_WALKERS 2u
#define NR_DEVICES 8u /* of an owner */
#define ALIVE 0x600d600du

struct device {
	unsigned int magic;
	_Atomic bool deleted;
	bool freed_by_put;
	bool put; /* written by put, read when klist_remove has returned */
	unsigned int value[8];
	struct stitch_klist_node node;
};

static struct stitch_klist devices;
static _Atomic unsigned long nr_gets, nr_puts, nr_seen, nr_held_deleted;
static _Atomic bool stop, nothing_more;

static struct device *device_of(struct stitch_klist_node *node)
{
	return stitch_container_of(node, struct device, node);
}

static void device_free(struct device *device)
{
	memset(device, 0xdd, sizeof(*device));
	free(device);
}

static void device_get(struct stitch_klist_node *node)
{
	if (device_of(node)->magic != ALIVE)
		die("get of a node that is not alive");
	nr_gets++;
}

static void device_put(struct stitch_klist_node *node)
{
	struct device *device = device_of(node);

	if (device->magic != ALIVE || device->put)
		die("put of a node that is not alive");
	if (stitch_klist_node_attached(node))
		die("put of a node that is on the list");
	nr_puts++;
	device->put = true;
	if (device->freed_by_put)
		device_free(device);
}

/* beside: a device of the caller's that is on the list, or NULL. */
static struct device *device_add(struct device *beside, uint64_t dice)
{
	struct device *device = calloc(1, sizeof(*device));

	if (!device)
		die("no memory");
	device->magic = ALIVE;
	for (unsigned int i = 0; i < ARRAY_SIZE(device->value); i++)
		device->value[i] = (unsigned int)dice;
	if (!beside && dice & 1)
		stitch_klist_add_tail(&device->node, &devices);
	else if (!beside)
		stitch_klist_add_head(&device->node, &devices);
	else if (dice & 1)
		stitch_klist_add_behind(&device->node, &beside->node);
	else
		stitch_klist_add_before(&device->node, &beside->node);
	return device;
}

static void device_remove(struct device *device, bool wait)
{
	device->deleted = true;
	if (!wait) {
		device->freed_by_put = true;
		stitch_klist_del(&device->node);
		return;
	}
	stitch_klist_remove(&device->node);
	if (!device->put)
		die("klist_remove has returned before put");
	if (stitch_klist_node_attached(&device->node))
		die("klist_remove has returned and the node is on the list");
	device_free(device);
}

static void *owner(void *number)
{
	struct device *own[NR_DEVICES] = { NULL };
	struct rng rng = { (uintptr_t)number };

	while (!stop) {
		uint64_t dice = rng_next(&rng);
		struct device **one = &own[dice % NR_DEVICES];
		struct device *other = own[(dice >> 8) % NR_DEVICES];

		if (*one) {
			device_remove(*one, dice >> 16 & 1);
			*one = NULL;
		} else {
			*one = device_add(other, dice >> 16);
		}
	}
	for (unsigned int i = 0; i < NR_DEVICES; i++)
		if (own[i])
			device_remove(own[i], i % 2);
	return NULL;
}

static void look_at(struct device *device, uint64_t dice)
{
	if (dice % 8 == 0)
		sched_yield(); /* its owner may delete it now */
	for (unsigned int i = 0; i < ARRAY_SIZE(device->value); i++)
		if (device->magic != ALIVE || device->value[i] != device->value[0])
			die("a node was freed while an iterator was at it");
	nr_held_deleted += device->deleted;
	nr_seen++;
}

static void *walker(void *number)
{
	struct rng rng = { (uintptr_t)number };
	struct stitch_klist_iter iter;
	struct stitch_klist_node *node;

	while (!stop) {
		bool forwards = rng_next(&rng) & 1;

		stitch_klist_iter_init(&devices, &iter);
		while ((node = forwards ? stitch_klist_next(&iter) : stitch_klist_prev(&iter))) {
			uint64_t dice = rng_next(&rng);

			look_at(device_of(node), dice);
			if (dice >> 32 & 1)
				forwards = !forwards;
			if ((dice >> 40) % 64 == 0)
				break;
		}
		stitch_klist_iter_exit(&iter);
	}
	return NULL;
}

static void run_klist(double end, pthread_mutex_t *mutex)
{
	pthread_t threads[NR_OWNERS + NR_WALKERS];

	stop = false;
	stitch_klist_init_mutex(&devices, mutex, device_get, device_put);
	for (uintptr_t i = 0; i < ARRAY_SIZE(threads); i++) {
		void *number = (void *)(i + 1); // NOLINT

		thread_start(&threads[i], i < NR_OWNERS ? owner : walker, number);
	}
	while (seconds_now() < end) {
		if (!stitch_klist_validate(&devices))
			die("the klist is damaged");
		usleep(1000);
	}
	stop = true;
	for (unsigned int i = 0; i < ARRAY_SIZE(threads); i++)
		pthread_join(threads[i], NULL);
	if (!stitch_list_empty(&devices.k_list) || !stitch_list_empty(&devices.k_waiters))
		die("something is left on the klist");
	if (nr_gets != nr_puts)
		die("%lu gets, %lu puts", nr_gets, nr_puts);
}

/*
 * The ring. What is put in is a count and its complement.
 */
struct message {
	uint64_t number, complement;
};

static STITCH_DEFINE_KFIFO(ring, struct message, 32);
#define MOST 50u

static void *writer(void *nr_written)
{
	struct message messages[MOST];
	struct rng rng = { 1 };

	for (uint64_t number = 0; !stop;) {
		unsigned int nr = (unsigned int)(rng_next(&rng) % MOST);

		for (unsigned int i = 0; i < nr; i++)
			messages[i] = (struct message){ number + i, ~(number + i) };
		if (nr != 1)
			nr = stitch_kfifo_in(&ring, messages, nr);
		else
			nr = stitch_kfifo_put(&ring, messages[0]);
		number += nr;
		if (stitch_kfifo_is_full(&ring))
			sched_yield();
		*(uint64_t *)nr_written = number;
	}
	return NULL;
}

static unsigned int take(struct message *messages, uint64_t dice)
{
	unsigned int most = (unsigned int)(dice % MOST);
	struct message *where;
	unsigned int nr;

	if (dice >> 32 & 1)
		return stitch_kfifo_out(&ring, messages, most);
	nr = stitch_kfifo_out_linear_ptr(&ring, &where, most);
	memcpy(messages, where, nr * sizeof(*where));
	stitch_kfifo_skip_count(&ring, nr);
	return nr;
}

static void *reader(void *nr_read)
{
	struct message messages[MOST];
	struct rng rng = { 2 };
	uint64_t expected = 0;

	for (bool last = false; !last || !stitch_kfifo_is_empty(&ring);) {
		unsigned int nr;

		last = nothing_more;
		nr = take(messages, rng_next(&rng));
		for (unsigned int i = 0; i < nr; i++, expected++)
			if (messages[i].number != expected || messages[i].complement != ~expected)
				die("message %llu is %llu", (unsigned long long)expected,
				    (unsigned long long)messages[i].number);
		if (!nr)
			sched_yield();
	}
	*(uint64_t *)nr_read = expected;
	return NULL;
}

static uint64_t run_ring(double end)
{
	pthread_t threads[2];
	uint64_t nr_written = 0, nr_read = 0;

	stop = false;
	ring.core.in = ring.core.out = (unsigned int)-1000; /* they pass 2^32 */
	thread_start(&threads[0], writer, &nr_written);
	thread_start(&threads[1], reader, &nr_read);
	while (seconds_now() < end)
		if (stitch_kfifo_len(&ring) > 32 || stitch_kfifo_avail(&ring) > 32)
			die("the ring has more than it has room for");
	stop = true;
	pthread_join(threads[0], NULL);
	nothing_more = true;
	pthread_join(threads[1], NULL);
	if (nr_written != nr_read)
		die("%llu messages written, %llu read", (unsigned long long)nr_written,
		    (unsigned long long)nr_read);
	return nr_read;
}

int main(void)
{
	pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
	double start = seconds_now(), third = (stress_end() - start) / 3;
	uint64_t nr_messages;

	run_klist(start + third, NULL);
	run_klist(start + 2 * third, &mutex);
	nr_messages = run_ring(start + 3 * third);
	printf("%lu nodes added, %lu seen, %lu of them deleted; %llu messages\n", nr_gets, nr_seen,
	       nr_held_deleted, (unsigned long long)nr_messages);
	return 0;
}
