/*
 * first_and_last_work.c STAGE NAME - call the exported function NAME where STAGE says.
 *
 * Stages: preinit (before every constructor, the first call of the process), thread (the first
 * call of a thread), key (the last round of the destructors of thread-specific data), local (a
 * destructor of a thread_local object), atexit (of the handler registered first, hence run last),
 * fini (after the handlers). With another STAGE a library makes the call. Ends with 42 when it
 * was made.
 */
#include <pthread.h>

#include "hostile/entries.h"

#define MADE 42

/* libc's half of thread_local destructors. */
int __cxa_thread_atexit_impl(void (*destructor)(void *), void *object, void *handle);
extern void *__dso_handle;

static const char *stage, *name;
static bool made;
static void *kept;

static void make_call(void)
{
	CHECK(entry_call(name, kept), "hostile/entries.h does not know %s", name);
	made = true;
}

static void at_stage(const char *here)
{
	if (stage && !strcmp(stage, here))
		make_call();
}

/* Nothing of ours comes after these two. */
static void at_exit_function(void)
{
	at_stage("atexit");
	if (made)
		_exit(MADE);
}

__attribute__((destructor(101))) static void destructor_function(void)
{
	at_stage("fini");
	if (made)
		_exit(MADE);
}

static void preinit(int argc, char **argv, char **environment)
{
	(void)environment;
	if (argc != 3)
		return;
	stage = argv[1];
	name = argv[2];
	at_stage("preinit");
	atexit(at_exit_function);
}

__attribute__((section(".preinit_array"), used))
static void (*const preinit_entry)(int, char **, char **) = preinit;

static pthread_key_t key;
static unsigned int round_of_key;

static void key_destructor(void *value)
{
	if (++round_of_key < 4)
		pthread_setspecific(key, value);
	else
		at_stage("key");
}

static void local_destructor(void *unused)
{
	(void)unused;
	at_stage("local");
}

static void *thread_function(void *unused)
{
	at_stage("thread");
	pthread_setspecific(key, &key);
	__cxa_thread_atexit_impl(local_destructor, NULL, &__dso_handle);
	return unused;
}

int main(int argc, char **argv)
{
	pthread_t thread;

	(void)argv;
	CHECK(argc == 3, "usage: first_and_last_work STAGE NAME");
	CHECK(on_stitchmalloc(), "this test is about stitchmalloc");
	if (strcmp(stage, "preinit"))
		kept = malloc(100);
	CHECK(!pthread_key_create(&key, key_destructor), "pthread_key_create");
	CHECK(!pthread_create(&thread, NULL, thread_function, NULL), "pthread_create");
	pthread_join(thread, NULL);
	if (made)
		free(malloc(1000));
	return made ? MADE : 0;
}
