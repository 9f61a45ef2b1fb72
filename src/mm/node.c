/* node.c - see node.h. */
#include "mm/node.h"

#include "core/params.h"
#include "os/os.h"
#include "os/os_move.h"
#include "os/os_node.h"

_Static_assert(MAX_NODES == 8, "numa_fake= in core/params.def");

_Thread_local uint8_t active_node __tls_initial_exec;

/* Constant after boot. */
static struct {
	bool are_real;
	uint16_t os_ids[MAX_NODES];
} nodes;

/* The first few of them that have memory. Returns how many have. */
static unsigned int note_nodes(const uint64_t *mask)
{
	unsigned int nr = 0;

	for (unsigned int node = 0; node < OS_MAX_NODES; node++) {
		if (!(mask[node / 64] >> node % 64 & 1))
			continue;
		if (nr < MAX_NODES)
			nodes.os_ids[nr] = (uint16_t)node;
		nr++;
	}
	return nr;
}

/*
 * Of more than there can be here most would get memory of others; and whoever started the program
 * with a policy, as numactl does, has one. By first touch each is done right.
 */
static unsigned int count_real(void)
{
	uint64_t mask[OS_MAX_NODES / 64] = { 0 };
	unsigned int nr;

	if (os_is_filtered() || os_memory_nodes(mask))
		return 1;
	nr = note_nodes(mask);
	return nr > MAX_NODES || os_has_memory_policy() ? 1 : nr;
}

unsigned int nodes_boot(void)
{
	unsigned int nr = (unsigned int)params.numa_fake;

	nodes.are_real = false;
	if (nr) {
		for (unsigned int nid = 0; nid < nr; nid++)
			nodes.os_ids[nid] = (uint16_t)nid;
		return nr;
	}
	nr = count_real();
	if (nr <= 1)
		return 1;
	nodes.are_real = true;
	return nr;
}

void nodes_bind(unsigned int nid, void *address, size_t bytes)
{
	if (unlikely(nodes.are_real))
		os_bind_node(address, bytes, nodes.os_ids[nid]);
}

static unsigned int nid_of(unsigned int os_id)
{
	for (unsigned int nid = 0; nid < zone.nr_nodes; nid++)
		if (nodes.os_ids[nid] == os_id)
			return nid;
	return os_id % zone.nr_nodes;
}

/* The program may have set a filter since the start. */
unsigned int node_current(void)
{
	unsigned int cpu, os_id;

	if (likely(zone.nr_nodes <= 1) || os_is_filtered() ||
	    os_current_node(&cpu, &os_id))
		return 0;
	return nodes.are_real ? nid_of(os_id) : cpu % zone.nr_nodes;
}

unsigned int node_os_id(unsigned int nid)
{
	return nodes.os_ids[nid];
}
