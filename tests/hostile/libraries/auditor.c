/*
 * An audit library (rtld-audit(7)) that asks to see every binding and allocates, in its own
 * namespace, while the loader works. Exits with 3 when it has not seen our library bound to.
 */
#include "semantics/check.h"

#include <link.h>

static bool seen, bound;

unsigned int la_version(unsigned int version);
unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie);
uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned int index, uintptr_t *from, uintptr_t *to,
		       unsigned int *flags, const char *name);
unsigned int la_objclose(uintptr_t *cookie);
void la_preinit(uintptr_t *cookie);

static void allocate(void)
{
	free(realloc(malloc(100), 5000));
}

unsigned int la_version(unsigned int version)
{
	allocate();
	return version < LAV_CURRENT ? version : LAV_CURRENT;
}

unsigned int la_objopen(struct link_map *map, Lmid_t space, uintptr_t *cookie)
{
	(void)space;
	allocate();
	*cookie = strstr(map->l_name, "libstitchmalloc") != NULL;
	seen |= *cookie;
	return LA_FLG_BINDTO | LA_FLG_BINDFROM;
}

uintptr_t la_symbind64(Elf64_Sym *symbol, unsigned int index, uintptr_t *from, uintptr_t *to,
		       unsigned int *flags, const char *name)
{
	(void)index;
	(void)from;
	(void)flags;
	(void)name;
	allocate();
	bound |= *to == 1;
	return symbol->st_value;
}

unsigned int la_objclose(uintptr_t *cookie)
{
	(void)cookie;
	allocate();
	return 0;
}

void la_preinit(uintptr_t *cookie)
{
	(void)cookie;
	if (!seen)
		_exit(3);
}

__attribute__((destructor)) static void last(void)
{
	if (!bound)
		_exit(3);
}
