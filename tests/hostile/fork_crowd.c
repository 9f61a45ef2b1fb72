/*
 * fork with a thousand threads alive, every other one asleep and the rest amid allocations. The
 * child checks and frees the objects of all of them. What the vanished threads had in stock is the
 * child's: a new crowd, which does the same again, lives in the memory of the old one.
 */
#include "hostile/fork.h"

#define NR_THREADS 1000u
#define NR_OBJECTS 8u
#define NR_STOCK 400u /* objects that each thread has made and freed: they lie in its caches */
#define STACK_BYTES KIB(32)

struct member {
	pthread_t thread;
	size_t number;
	struct object objects[NR_OBJECTS];
};

static struct member members[NR_THREADS];
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static unsigned int nr_ready;
static bool go_home;
static _Atomic bool stop;

static size_t crowd_size(struct rng *rng)
{
	return rng_below(rng, 64) ? small_size(rng) : KIB(9) + rng_below(rng, KIB(60));
}

static void fill_stock(size_t bytes)
{
	void *blocks[NR_STOCK];

	for (unsigned int i = 0; i < NR_STOCK; i++) {
		blocks[i] = malloc(bytes);
		CHECK(blocks[i], "%s: malloc(%zu)", test_step, bytes);
		memset(blocks[i], 1, bytes);
	}
	for (unsigned int i = 0; i < NR_STOCK; i++)
		free(blocks[i]);
}

static void sleep_till_the_end(void)
{
	pthread_mutex_lock(&mutex);
	while (!go_home)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void *member_run(void *argument)
{
	struct member *self = argument;
	struct rng rng = { 0 };

	/* The same for all: whoever inherits a slot inherits what he needs. */
	fill_stock(200);
	for (unsigned int i = 0; i < NR_OBJECTS; i++)
		object_new(&self->objects[i], crowd_size(&rng));
	rng.state = self->number;
	pthread_mutex_lock(&mutex);
	nr_ready++;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	if (self->number % 2)
		sleep_till_the_end();
	while (!stop) {
		struct object *object = &self->objects[rng_below(&rng, NR_OBJECTS)];

		object_free(object);
		object_new(object, crowd_size(&rng));
		usleep(50000); /* so that the others come by, too */
	}
	return NULL;
}

static void crowd_start(void)
{
	pthread_attr_t attributes;

	nr_ready = 0;
	go_home = false;
	stop = false;
	pthread_attr_init(&attributes);
	CHECK(!pthread_attr_setstacksize(&attributes, STACK_BYTES), "pthread_attr_setstacksize");
	for (size_t i = 0; i < NR_THREADS; i++) {
		int error;

		members[i].number = i;
		error = pthread_create(&members[i].thread, &attributes, member_run, &members[i]);
		CHECK(!error, "thread %zu of %u: %s", i, NR_THREADS, strerror(error));
	}
	pthread_attr_destroy(&attributes);
	pthread_mutex_lock(&mutex);
	while (nr_ready < NR_THREADS)
		pthread_cond_wait(&changed, &mutex);
	pthread_mutex_unlock(&mutex);
}

static void crowd_end(void)
{
	stop = true;
	pthread_mutex_lock(&mutex);
	go_home = true;
	pthread_cond_broadcast(&changed);
	pthread_mutex_unlock(&mutex);
	for (size_t i = 0; i < NR_THREADS; i++)
		pthread_join(members[i].thread, NULL);
}

static void objects_of_all_free(void)
{
	for (size_t i = 0; i < NR_THREADS; i++)
		objects_free(members[i].objects, NR_OBJECTS);
}

/* What one thread makes and frees again and again does not add up. */
static void cycle(struct rng *rng)
{
	static struct object objects[2000];

	for (size_t i = 0; i < ARRAY_SIZE(objects); i++)
		object_new(&objects[i], crowd_size(rng));
	objects_free(objects, ARRAY_SIZE(objects));
}

static void expect_no_growth(const char *after, size_t before, size_t allowed)
{
	size_t now = resident_bytes();

	CHECK(now < before + allowed, "%s: %zu KiB resident, before %zu", after, now >> 10,
	      before >> 10);
}

/* The vanished threads' stocks are free memory to the child; their last calls may have lost some.
 */
static void expect_all_free(void)
{
	struct mallinfo2 info = mallinfo2();

	if (on_stitchmalloc())
		CHECK(info.uordblks + info.hblkhd < MIB(4), "%zu KiB are live, of none",
		      (info.uordblks + info.hblkhd) >> 10);
}

static _Noreturn void child_run(unsigned long number)
{
	size_t at_fork = resident_bytes(), after_cycles;
	struct rng rng = { .state = number };

	expect_whole_heap();
	test_step = "the child frees the objects of all threads";
	objects_of_all_free();
	expect_all_free();
	test_step = "the child allocates and frees in cycles";
	for (unsigned int i = 0; i < 5; i++)
		cycle(&rng);
	after_cycles = resident_bytes();
	for (unsigned int i = 0; i < 20; i++)
		cycle(&rng);
	expect_no_growth("twenty cycles", after_cycles, MIB(4));
	if (number % 4 == 0) {
		memset(members, 0, sizeof(members));
		pthread_cond_init(&changed, NULL); /* threads that are not here wait for it */
		test_step = "the child starts a crowd";
		crowd_start();
		/*
		 * Not twice the memory. Without a fork, it grows by half of it, too: who inherits
		 * a slot inherits how much it has learnt to keep.
		 */
		expect_no_growth("a second crowd", at_fork, at_fork * 3 / 4);
		crowd_end();
		test_step = "the child frees the objects of its crowd";
		objects_of_all_free();
	}
	_exit(0);
}

int main(void)
{
	double end = test_begin(4);

	test_step = "starting threads";
	crowd_start();
	do {
		unsigned long number = nr_forks;
		pid_t child;

		/* Taken by nobody at the fork, so that the child may use it. */
		pthread_mutex_lock(&mutex);
		child = fork_watched(fork);
		pthread_mutex_unlock(&mutex);
		if (!child)
			child_run(number);
		expect_success_of(child);
	} while (seconds_now() < end);
	test_step = "the threads end";
	crowd_end();
	objects_of_all_free();
	return 0;
}
