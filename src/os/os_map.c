/* os_map.c - see os_map.h. */
#include <asm/errno.h>
#include <asm/unistd.h>
#include <linux/mman.h>

#include "os/os.h"
#include "os/os_map.h"
#include "os/syscall.h"

#define MAPPING_ALIGN MIB(2)

int os_map(size_t bytes, void **address)
{
	size_t spare;
	char *end;
	long ret;

	if (bytes > SIZE_MAX - MAPPING_ALIGN)
		return -ENOMEM;
	ret = syscall6(__NR_mmap, 0, (long)(bytes + MAPPING_ALIGN), PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (is_error(ret))
		return (int)ret;
	spare = -(size_t)ret % MAPPING_ALIGN;
	end = (char *)ret + spare + bytes;
	if (spare)
		syscall3(__NR_munmap, ret, (long)spare, 0);
	syscall3(__NR_munmap, (long)end, (long)(MAPPING_ALIGN - spare), 0);
	*address = (char *)ret + spare;
	return 0;
}

int os_map_at(void *address, size_t bytes)
{
	long ret = syscall6(__NR_mmap, (long)address, (long)bytes, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE, -1,
			    0);

	return is_error(ret) ? (int)ret : 0;
}

static long remap(void *from, size_t old_bytes, size_t bytes, unsigned long flags, void *to)
{
	return syscall6(__NR_mremap, (long)from, (long)old_bytes, (long)bytes, (long)flags,
			(long)to, 0);
}

int os_move_out(void *from, size_t bytes, void *to)
{
	long ret = remap(from, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED | MREMAP_DONTUNMAP, to);

	return is_error(ret) ? (int)ret : 0;
}

/* To grow by a page where there is no room: what is wrong with the range is told first. */
bool os_is_one_map(void *address, size_t bytes)
{
	return remap(address, bytes, bytes + OS_PAGE_SIZE, 0, NULL) == -ENOMEM;
}

int os_resize_mapping(void **address, size_t old_bytes, size_t bytes)
{
	long ret = remap(*address, old_bytes, bytes, MREMAP_MAYMOVE, NULL);

	if (is_error(ret))
		return (int)ret;
	*address = (void *)ret;
	return 0;
}

/* Only locked memory is refused. The page looks a little less used to the kernel now. */
bool os_is_locked(void *address)
{
	return syscall3(__NR_madvise, (long)address, OS_PAGE_SIZE, MADV_COLD) != 0;
}
