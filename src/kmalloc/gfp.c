/* gfp.c - see gfp.h. */
#include "kmalloc/gfp.h"

#include "core/printk.h"
#include "kmalloc/gate.h"
#include "kmalloc/kmalloc.h"
#include "kmalloc/shrinker.h"
#include "mm/memcontrol.h"
#include "os/os.h"

/* Between attempts of who must not fail. */
#define NOFAIL_WAIT_US 10000u

_Thread_local uint8_t gfp_scope __tls_initial_exec;

bool gfp_is_refused(stitch_gfp_t flags, stitch_gfp_t refused)
{
	static _Atomic bool was_said;

	if (likely(!(flags & refused)))
		return false;
	if (gfp_may_wait(flags) && !(flags & STITCH__GFP_NOWARN) &&
	    !atomic_exchange(&was_said, true))
		pr_err("GFP_HIGHUSER: only alloc_pages() has it; GFP_DMA, GFP_DMA32: "
		       "kmalloc() and alloc_pages() have them; ask without");
	return true;
}

void *gfp_alloc_reserved(size_t bytes, size_t align, stitch_gfp_t flags)
{
	enum reserve_depth depth = gfp_depth(flags);

	if (gfp_may_wait(flags) && depth == RESERVE_NOWAIT)
		return NULL;
	return reserve_alloc(bytes, align, depth);
}

/* What a group lacks nobody else has. */
static void trim(size_t bytes)
{
	unsigned int full = mem_cgroup_full(bytes);

	if (full)
		kmalloc_trim_memcg(full);
	else
		kmalloc_trim();
}

bool gfp_try_harder(stitch_gfp_t flags, size_t bytes, unsigned int *nr_tries)
{
	_Atomic uint32_t nobody = 0;

	if ((flags & STITCH__GFP_NORETRY) || !gfp_may_wait(flags))
		return false;
	if (!*nr_tries) {
		++*nr_tries;
		trim(bytes);
		return true;
	}
	if (shrinkers_help(flags, bytes, nr_tries))
		return true;
	if (!(flags & STITCH__GFP_NOFAIL))
		return false;
	kmalloc_trim();
	os_futex_wait_for(&nobody, 0, NOFAIL_WAIT_US);
	*nr_tries = 1; /* shrinkers may have something by now */
	return true;
}

void gfp_fill_reserve(void)
{
	gate_pass *pass;

	if (likely(!reserve_is_small()))
		return;
	pass = gate_enter();
	if (!pass)
		return;
	reserve_fill(0);
	gate_leave(pass);
}
