/*
 * refusal.h - a seccomp filter that answers chosen system calls with a chosen error.
 *
 * What a container's filter, a full table or an old kernel do, for any call and without a tracer.
 */
#ifndef HOSTILE_REFUSAL_H
#define HOSTILE_REFUSAL_H

#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#define REFUSAL_MAX_CALLS 16u

struct refusal_name {
	const char *name;
	long value;
};

static const struct refusal_name refusable_calls[] = {
	{ "mmap", SYS_mmap },
	{ "munmap", SYS_munmap },
	{ "mremap", SYS_mremap },
	{ "madvise", SYS_madvise },
	{ "process_madvise", SYS_process_madvise },
	{ "mprotect", SYS_mprotect },
	{ "userfaultfd", SYS_userfaultfd },
};
#define NR_REFUSABLE (sizeof(refusable_calls) / sizeof(refusable_calls[0]))

static const struct refusal_name refusal_errors[] = {
	{ "ENOMEM", ENOMEM }, { "EPERM", EPERM },   { "ENOSYS", ENOSYS },
	{ "EAGAIN", EAGAIN }, { "EINVAL", EINVAL },
};
#define NR_REFUSAL_ERRORS (sizeof(refusal_errors) / sizeof(refusal_errors[0]))

/* Bit i of `calls`: refusable_calls[i]. For all threads, and for what they execute. */
static inline bool refuse_calls(unsigned int calls, int error)
{
	struct sock_filter code[REFUSAL_MAX_CALLS + 3];
	struct sock_fprog program = { 0, code };
	unsigned short nr = 0, left = (unsigned short)__builtin_popcount(calls);

	code[nr++] = (struct sock_filter)BPF_STMT(BPF_LD | BPF_W | BPF_ABS,
						  offsetof(struct seccomp_data, nr));
	for (unsigned int i = 0; i < NR_REFUSABLE; i++)
		if (calls >> i & 1)
			code[nr++] = (struct sock_filter)BPF_JUMP(
				BPF_JMP | BPF_JEQ | BPF_K,
				(unsigned int)refusable_calls[i].value, left--, 0);
	code[nr++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
	code[nr++] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K,
						  SECCOMP_RET_ERRNO | (unsigned int)error);
	program.len = nr;
	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program);
}

static inline int refusal_find(const struct refusal_name *names, size_t nr, const char *name)
{
	for (size_t i = 0; i < nr; i++)
		if (!strcmp(names[i].name, name))
			return (int)i;
	return -1;
}

#endif
