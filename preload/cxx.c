/*
 * cxx.c - the C++ operators new and delete, by their mangled names.
 *
 * L10. May call everything below; compiled with -fexceptions, since exceptions of the
 * new-handler and our own std::bad_alloc pass through. The C++ runtime is not needed: its two
 * functions are weak references, and looked up at the moment of failure where the runtime
 * came later.
 *
 * Every operator but the basic ones forwards as the C++ standard has its default do, through the
 * symbol and not to our own function: a program may replace `operator delete(void *)` alone and
 * expect the sized one, which the compiler calls, to end there. This file is compiled with
 * -fsemantic-interposition, so that the compiler does not look through them. In the static library
 * they are weak, as libstdc++'s are: a program may define its own. In the shared one they are not,
 * because Valgrind does not see weak ones, to put its own in their place.
 */
#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* RTLD_NEXT, RTLD_DEFAULT */
#endif
#include <dlfcn.h>

#include "base/math.h"
#include "core/params.h"
#include "core/printk.h"
#include "debug/stack_name.h"
#include "entry.h"
#include "kmalloc/kmalloc.h"
#include "marked.h"

#if !STITCH_PREFIX

/* Not inline: malloc.c says why. */
void *ENTRY(memalign)(size_t align, size_t bytes);
void ENTRY(free)(void *object);

/* Mangled names: m is size_t, Pv is void *; w new, a new[], dl delete, da delete[]. */
void *_Znwm(size_t bytes);
void *_Znam(size_t bytes);
void *_ZnwmSt11align_val_t(size_t bytes, size_t align);
void *_ZnamSt11align_val_t(size_t bytes, size_t align);
void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *tag);
void *_ZnamRKSt9nothrow_t(size_t bytes, const void *tag);
void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *tag);
void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *tag);
void _ZdlPv(void *object);
void _ZdaPv(void *object);
void _ZdlPvm(void *object, size_t bytes);
void _ZdaPvm(void *object, size_t bytes);
void _ZdlPvSt11align_val_t(void *object, size_t align);
void _ZdaPvSt11align_val_t(void *object, size_t align);
void _ZdlPvmSt11align_val_t(void *object, size_t bytes, size_t align);
void _ZdaPvmSt11align_val_t(void *object, size_t bytes, size_t align);
void _ZdlPvRKSt9nothrow_t(void *object, const void *tag);
void _ZdaPvRKSt9nothrow_t(void *object, const void *tag);
void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *object, size_t align, const void *tag);
void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *object, size_t align, const void *tag);

/* std::get_new_handler() and std::__throw_bad_alloc() of the C++ runtime. */
typedef void new_handler(void);
new_handler *_ZSt15get_new_handlerv(void) __attribute__((weak));
_Noreturn void _ZSt17__throw_bad_allocv(void) __attribute__((weak));

/*
 * A runtime that a plug-in of a C program brought along is in no global scope. dlopen with
 * RTLD_NOLOAD loads nothing; it only finds what is there. It is looked up by name because the
 * linker warns of it in static programs, which have no plug-ins.
 */
static void *runtime_symbol(void *scope, const char *name)
{
	void *(*open_library)(const char *, int);
	void *symbol = dlsym(scope, name), *runtime;

	if (symbol)
		return symbol;
	open_library = (__typeof__(open_library))dlsym(RTLD_DEFAULT, "dlopen");
	runtime = open_library ? open_library("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD) : NULL;
	return runtime ? dlsym(runtime, name) : NULL;
}

static new_handler *new_handler_read(void)
{
	new_handler *(*read)(void) = _ZSt15get_new_handlerv;

	if (!read)
		read = (__typeof__(read))runtime_symbol(RTLD_DEFAULT, "_ZSt15get_new_handlerv");
	return read ? read() : NULL;
}

static _Noreturn void throw_bad_alloc(size_t bytes)
{
	void (*throw)(void) = _ZSt17__throw_bad_allocv;

	if (!throw)
		throw = (__typeof__(throw))runtime_symbol(RTLD_DEFAULT, "_ZSt17__throw_bad_allocv");
	if (throw)
		throw();
	panic("operator new: out of memory for %zu bytes, and no C++ runtime to throw "
	      "std::bad_alloc", bytes);
}

/* NULL also for alignments that are none, as libstdc++ does. */
static void *try_new(size_t bytes, size_t align)
{
	if (align <= KMALLOC_MIN_ALIGN)
		return malloc_inline(bytes);
	return is_power_of_two(align) ? ENTRY(memalign)(align, bytes) : NULL;
}

/*
 * Call the new-handler until there is memory; NULL when there is none. There never will be for an
 * alignment that is none.
 */
static __inline_always void *try_new_again(size_t bytes, size_t align)
{
	new_handler *handler;
	void *object;

	while (!(object = try_new(bytes, align))) {
		handler = is_power_of_two(align) ? new_handler_read() : NULL;
		if (!handler)
			return NULL;
		handler();
	}
	return object;
}

/* The throwing form. */
static __slow void *new_slow(size_t bytes, size_t align)
{
	void *object = try_new_again(bytes, align);

	if (!object)
		throw_bad_alloc(bytes);
	return object;
}
STACK_NAME(new_slow, "operator new");

/*
 * The throwing forms. Where another form must know whether the program has replaced one of
 * these, it compares the symbol with our own function.
 */
static void *own_new(size_t bytes)
{
	void *object = malloc_fast(bytes);

	if (likely(object))
		return object;
	return new_slow(bytes, KMALLOC_MIN_ALIGN);
}
STACK_NAME(own_new, "operator new(unsigned long)");

static void *own_new_array(size_t bytes)
{
	return _Znwm(bytes);
}
STACK_NAME(own_new_array, "operator new[](unsigned long)");

static void *own_new_aligned(size_t bytes, size_t align)
{
	void *object = try_new(bytes, align);

	if (likely(object))
		return object;
	return new_slow(bytes, align);
}
STACK_NAME(own_new_aligned, "operator new(unsigned long, std::align_val_t)");

static void *own_new_array_aligned(size_t bytes, size_t align)
{
	return _ZnwmSt11align_val_t(bytes, align);
}
STACK_NAME(own_new_array_aligned, "operator new[](unsigned long, std::align_val_t)");

#define SYMBOL_OF(function) __visible __attribute__((alias(#function)))
SYMBOL_OF(own_new) void *_Znwm(size_t bytes);
SYMBOL_OF(own_new_array) void *_Znam(size_t bytes);
SYMBOL_OF(own_new_aligned) void *_ZnwmSt11align_val_t(size_t bytes, size_t align);
SYMBOL_OF(own_new_array_aligned) void *_ZnamSt11align_val_t(size_t bytes, size_t align);

/*
 * The forms that do not throw must turn an exception, of the new-handler or of a throwing form
 * that the program has replaced, into NULL. Only C++ can catch: the runtime's own form, called
 * `name`, does it around the throwing form. Where it cannot be found (the runtime is a part of the
 * program: -static-libstdc++) an exception ends the process, for which there has to be no memory.
 */
static __slow void *new_nothrow_slow(const char *name, void *(*replacement)(size_t), size_t bytes,
				     const void *tag)
{
	void *(*form)(size_t, const void *);
	void *object = replacement ? NULL : malloc_miss(bytes);

	if (object || (!replacement && !new_handler_read()))
		return object;
	form = (__typeof__(form))runtime_symbol(RTLD_NEXT, name);
	if (form)
		return form(bytes, tag);
	return replacement ? replacement(bytes) : try_new_again(bytes, KMALLOC_MIN_ALIGN);
}
STACK_NAME(new_nothrow_slow, "operator new");

static void *new_aligned_nothrow(const char *name, void *(*replacement)(size_t, size_t),
				 size_t bytes, size_t align, const void *tag)
{
	void *(*form)(size_t, size_t, const void *);
	void *object = replacement ? NULL : try_new(bytes, align);

	if (object || (!replacement && (!is_power_of_two(align) || !new_handler_read())))
		return object;
	form = (__typeof__(form))runtime_symbol(RTLD_NEXT, name);
	if (form)
		return form(bytes, align, tag);
	return replacement ? replacement(bytes, align) : try_new_again(bytes, align);
}
STACK_NAME(new_aligned_nothrow, "operator new");

__visible void *_ZnwmRKSt9nothrow_t(size_t bytes, const void *tag)
{
	bool replaced = _Znwm != own_new;
	void *object = likely(!replaced) ? malloc_fast(bytes) : NULL;

	if (likely(object))
		return object;
	return new_nothrow_slow("_ZnwmRKSt9nothrow_t", replaced ? _Znwm : NULL, bytes, tag);
}

__visible void *_ZnamRKSt9nothrow_t(size_t bytes, const void *tag)
{
	bool replaced = _Znam != own_new_array || _Znwm != own_new;
	void *object = likely(!replaced) ? malloc_fast(bytes) : NULL;

	if (likely(object))
		return object;
	return new_nothrow_slow("_ZnamRKSt9nothrow_t", replaced ? _Znam : NULL, bytes, tag);
}

__visible void *_ZnwmSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *tag)
{
	bool replaced = _ZnwmSt11align_val_t != own_new_aligned;

	return new_aligned_nothrow("_ZnwmSt11align_val_tRKSt9nothrow_t",
				   replaced ? _ZnwmSt11align_val_t : NULL, bytes, align, tag);
}

__visible void *_ZnamSt11align_val_tRKSt9nothrow_t(size_t bytes, size_t align, const void *tag)
{
	bool replaced = _ZnamSt11align_val_t != own_new_array_aligned ||
			_ZnwmSt11align_val_t != own_new_aligned;

	return new_aligned_nothrow("_ZnamSt11align_val_tRKSt9nothrow_t",
				   replaced ? _ZnamSt11align_val_t : NULL, bytes, align, tag);
}

static void own_delete(void *object)
{
	free_inline(object);
}

static void own_delete_array(void *object)
{
	_ZdlPv(object);
}

static void own_delete_aligned(void *object, size_t align)
{
	(void)align;
	ENTRY(free)(object);
}

static void own_delete_array_aligned(void *object, size_t align)
{
	_ZdlPvSt11align_val_t(object, align);
}

SYMBOL_OF(own_delete) void _ZdlPv(void *object);
SYMBOL_OF(own_delete_array) void _ZdaPv(void *object);
SYMBOL_OF(own_delete_aligned) void _ZdlPvSt11align_val_t(void *object, size_t align);
SYMBOL_OF(own_delete_array_aligned) void _ZdaPvSt11align_val_t(void *object, size_t align);

/*
 * In hardened mode the sizes are compared with the objects', unless the program has operators of
 * its own: what those give out may lie inside what they have asked for.
 */
static bool pair_is_own(void)
{
	return _Znwm == own_new && _ZdlPv == own_delete;
}

static bool aligned_pair_is_own(void)
{
	return _ZnwmSt11align_val_t == own_new_aligned &&
	       _ZdlPvSt11align_val_t == own_delete_aligned;
}

static __slow void check_size(bool is_own, void *object, size_t align, size_t bytes)
{
	if (is_own)
		heap_check_size("operator delete", object, align, bytes, false);
}

__visible void _ZdlPvm(void *object, size_t bytes)
{
	if (unlikely(params.hardened))
		check_size(pair_is_own(), object, 0, bytes);
	_ZdlPv(object);
}

__visible void _ZdaPvm(void *object, size_t bytes)
{
	if (unlikely(params.hardened))
		check_size(pair_is_own() && _Znam == own_new_array && _ZdaPv == own_delete_array,
			   object, 0, bytes);
	_ZdaPv(object);
}

__visible void _ZdlPvRKSt9nothrow_t(void *object, const void *tag)
{
	(void)tag;
	_ZdlPv(object);
}

__visible void _ZdaPvRKSt9nothrow_t(void *object, const void *tag)
{
	(void)tag;
	_ZdaPv(object);
}

__visible void _ZdlPvmSt11align_val_t(void *object, size_t bytes, size_t align)
{
	if (unlikely(params.hardened))
		check_size(aligned_pair_is_own(), object, align, bytes);
	_ZdlPvSt11align_val_t(object, align);
}

__visible void _ZdaPvmSt11align_val_t(void *object, size_t bytes, size_t align)
{
	if (unlikely(params.hardened))
		check_size(aligned_pair_is_own() &&
			   _ZnamSt11align_val_t == own_new_array_aligned &&
			   _ZdaPvSt11align_val_t == own_delete_array_aligned,
			   object, align, bytes);
	_ZdaPvSt11align_val_t(object, align);
}

__visible void _ZdlPvSt11align_val_tRKSt9nothrow_t(void *object, size_t align, const void *tag)
{
	(void)tag;
	_ZdlPvSt11align_val_t(object, align);
}

__visible void _ZdaPvSt11align_val_tRKSt9nothrow_t(void *object, size_t align, const void *tag)
{
	(void)tag;
	_ZdaPvSt11align_val_t(object, align);
}

#endif
