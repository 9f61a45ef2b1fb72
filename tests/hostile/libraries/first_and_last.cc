/*
 * A preload beside ours that makes the first or the last call of the process: CALL_NAME is made in
 * its constructor when CALL_STAGE is "constructor", and else in its destructor, after a static
 * object of it has been destroyed. It asks to be the first to start, as ours does; who is last in
 * LD_PRELOAD wins. Exits with 42 from the destructor.
 */
#include "hostile/entries.h"

static bool destroyed;

struct holder {
	void *block;

	~holder()
	{
		free(block);
		block = calloc(3, 100);
		CHECK(block && all_bytes_are(block, 0, 300), "calloc in a static destructor");
		free(block);
		destroyed = true;
	}
};

static holder static_holder;
static void *kept;

static bool stage_is(const char *stage)
{
	const char *wanted = getenv("CALL_STAGE");

	return wanted && !strcmp(wanted, stage);
}

static void make_call(void)
{
	CHECK(entry_call(getenv("CALL_NAME"), kept), "entries.h does not know it");
}

__attribute__((constructor(101))) static void first_call(void)
{
	if (stage_is("constructor"))
		make_call();
}

__attribute__((constructor)) static void keep_blocks(void)
{
	kept = malloc(100);
	static_holder.block = malloc(500000);
}

__attribute__((destructor(101))) static void last_call(void)
{
	if (stage_is("constructor"))
		_exit(42);
	if (!stage_is("destructor"))
		return;
	CHECK(destroyed, "the static object is still there");
	make_call();
	_exit(42);
}
