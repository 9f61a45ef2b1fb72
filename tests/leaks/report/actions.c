/*
 * actions.c - does what its arguments say, in their order: see the table at the end.
 *
 * test_report.py runs it with the library preloaded. What is lost and how is told by names of
 * functions, so that rules and stacks can be about one of them.
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <link.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOINLINE __attribute__((noinline))
#define MANY 10

void __lsan_ignore_object(const void *object) __attribute__((weak));
void __lsan_disable(void) __attribute__((weak));
void __lsan_enable(void) __attribute__((weak));
void __lsan_register_root_region(const void *start, size_t bytes) __attribute__((weak));
void __lsan_unregister_root_region(const void *start, size_t bytes) __attribute__((weak));
void __lsan_do_leak_check(void) __attribute__((weak));
int __lsan_do_recoverable_leak_check(void) __attribute__((weak));

#ifdef DEFAULT_SUPPRESSIONS
const char *__lsan_default_suppressions(void);
const char *__lsan_default_suppressions(void)
{
	return "# the program's own\nleak:^lose_other$\n";
}
#endif

/* --- losing ----------------------------------------------------------------------------------- */

static char *volatile kept[64];
static volatile unsigned int nr_kept;

/* What registers and dead frames hold is overwritten by the next calls. */
static NOINLINE void forget(void)
{
	volatile char frames[4096];

	for (size_t i = 0; i < sizeof(frames); i++)
		frames[i] = 0;
}

static NOINLINE void lose_one(const char *bytes)
{
	char *volatile object = malloc(strtoul(bytes, NULL, 10));

	memset(object, 'x', strtoul(bytes, NULL, 10));
	object = NULL;
}

static NOINLINE void lose_other(const char *bytes)
{
	char *volatile object = calloc(1, strtoul(bytes, NULL, 10));

	object = NULL;
}

static int lose_and_compare(const void *a, const void *b)
{
	lose_one(*(const char *const *)a);
	return a < b;
}

/* Below frames of libc, which are below main. */
static NOINLINE void lose_sorting(const char *bytes)
{
	const char *texts[] = {bytes, bytes};

	qsort(texts, 2, sizeof(*texts), lose_and_compare);
}

static NOINLINE void lose_ten(const char *bytes)
{
	for (int i = 0; i < MANY; i++) {
		char *volatile object = malloc(strtoul(bytes, NULL, 10));

		object = NULL;
	}
}

static NOINLINE void lose_pair(const char *bytes)
{
	char *volatile *volatile head = malloc(strtoul(bytes, NULL, 10));

	*head = malloc(strtoul(bytes, NULL, 10));
	head = NULL;
}

/* As stacks of coroutines, whose first page is a guard. */
static NOINLINE void lose_guarded(const char *bytes)
{
	char *volatile object = aligned_alloc(4096, strtoul(bytes, NULL, 10));

	if (mprotect(object, 4096, PROT_NONE))
		abort();
	object = NULL;
}

static NOINLINE void keep(const char *bytes)
{
	kept[nr_kept] = malloc(strtoul(bytes, NULL, 10));
	nr_kept++;
}

static NOINLINE void keep_interior(const char *bytes)
{
	kept[nr_kept] = (char *)malloc(strtoul(bytes, NULL, 10)) + 8;
	nr_kept++;
}

/* In the last word that malloc_usable_size allows. */
static NOINLINE void keep_at_end(const char *bytes)
{
	char *holder = malloc(100);
	void **last = (void **)(void *)(holder + malloc_usable_size(holder)) - 1;

	*(void *volatile *)last = malloc(strtoul(bytes, NULL, 10));
	kept[nr_kept] = holder;
	nr_kept++;
}

static NOINLINE long descend(long depth, const char *bytes)
{
	volatile long one = 1;

	if (depth)
		return descend(depth - 1, bytes) + one;
	lose_one(bytes);
	return one;
}

static void lose_deep(const char *depth)
{
	printf("%ld", descend(strtol(depth, NULL, 10), "100"));
}

/* Nobody can tell who has called this. */
void call_without_tables(void (*function)(const char *), const char *argument);
__asm__(".text\n"
	".type call_without_tables, @function\n"
	"call_without_tables:\n"
	"sub $8, %rsp\n"
	"mov %rdi, %rax\n"
	"mov %rsi, %rdi\n"
	"call *%rax\n"
	"add $8, %rsp\n"
	"ret\n"
	".size call_without_tables, . - call_without_tables\n");

static void lose_without_tables(const char *bytes)
{
	call_without_tables(lose_one, bytes);
}

/* Calls its lose_in_module while it is loaded. */
static void *load(const char *path)
{
	void *module = dlopen(path, RTLD_NOW);
	void (*lose)(void) = module ? (void (*)(void))dlsym(module, "lose_in_module") : NULL;

	if (!lose) {
		fprintf(stderr, "%s\n", dlerror());
		abort();
	}
	lose();
	return module;
}

static void load_for_good(const char *path)
{
	load(path);
}

static void load_and_close(const char *path)
{
	dlclose(load(path));
}

/* --- annotations ------------------------------------------------------------------------------ */

static NOINLINE void lose_ignored(const char *bytes)
{
	char *volatile *volatile object = malloc(strtoul(bytes, NULL, 10));

	*object = malloc(strtoul(bytes, NULL, 10));
	__lsan_ignore_object((const void *)object);
	object = NULL;
}

static NOINLINE void lose_disabled(const char *bytes)
{
	__lsan_disable();
	__lsan_disable();
	lose_one(bytes);
	__lsan_enable();
	lose_one(bytes);
	__lsan_enable();
}

/* A region that is no root by itself: it can be read, and not written. */
static void *region;

static NOINLINE void hold_in_region(const char *bytes)
{
	int fd = memfd_create("region", 0);
	void **page;

	if (ftruncate(fd, 4096))
		abort();
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	page[7] = malloc(strtoul(bytes, NULL, 10));
	munmap(page, 4096);
	region = mmap(NULL, 4096, PROT_READ, MAP_SHARED, fd, 0);
	close(fd);
}

/* A root that a process has not touched since it was forked. */
static void hold_in_shared(const char *bytes)
{
	void **page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	page[7] = malloc(strtoul(bytes, NULL, 10));
}

static void register_region(const char *unused)
{
	(void)unused;
	__lsan_register_root_region(region, 4096);
}

static void unregister_region(const char *unused)
{
	(void)unused;
	__lsan_unregister_root_region(region, 4096);
}

static void check_now(const char *unused)
{
	(void)unused;
	forget();
	__lsan_do_leak_check();
	printf("checked ");
}

static void check_recoverably(const char *unused)
{
	(void)unused;
	forget();
	printf("found %d ", __lsan_do_recoverable_leak_check());
}

/* --- files ------------------------------------------------------------------------------------ */

static void print(const char *text)
{
	fputs(text, stdout);
}

static void close_one(const char *fd)
{
	close(atoi(fd));
}

static void close_all(const char *from)
{
	for (int fd = atoi(from); fd < 1024; fd++)
		close(fd);
}

/* Until this descriptor is taken: data of the program. */
static void open_up_to(const char *number)
{
	while (open("data", O_WRONLY | O_CREAT | O_APPEND, 0666) < atoi(number))
		;
}

static void open_all(const char *path)
{
	while (open(path, O_RDONLY) >= 0)
		;
}

static void become(const char *user)
{
	if (setuid((uid_t)atoi(user)))
		abort();
}

static void change_folder(const char *path)
{
	if (chdir(path))
		abort();
}

/* Of the kernel's calls those that a report likes to use. */
static void forbid(const char *what)
{
	unsigned int verdict =
		strcmp(what, "kill") ? SECCOMP_RET_ERRNO | EPERM : SECCOMP_RET_KILL_PROCESS;
	struct sock_filter filter[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_open, 3, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_openat, 2, 0),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_process_vm_readv, 1, 0),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
		BPF_STMT(BPF_RET | BPF_K, verdict),
	};
	struct sock_fprog program = {sizeof(filter) / sizeof(*filter), filter};

	if (!strcmp(what, "copies")) /* nothing but process_vm_readv */
		filter[1] = filter[2] = filter[0];
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) ||
	    prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		abort();
}

/* --- threads ---------------------------------------------------------------------------------- */

/* Posted by who has all that it is there for, but for the call that it will wait in. */
static sem_t is_ready;

static void start(void *(*function)(void *))
{
	pthread_t thread;

	if (sem_init(&is_ready, 0, 0) || pthread_create(&thread, NULL, function, NULL))
		abort();
	while (sem_wait(&is_ready))
		continue;
	usleep(20000);
}

/* Each has an object that only its own stack holds. */
static void *read_for_ever(void *unused)
{
	char *volatile object = malloc(300);
	int ends[2];

	sem_post(&is_ready);
	if (!pipe(ends) && read(ends[0], object, 1) < 0)
		abort();
	return unused;
}

static void *spin(void *unused)
{
	char *volatile object = malloc(300);

	sem_post(&is_ready);
	for (;;)
		object[0]++;
	return unused;
}

static void *wait_with_signals_blocked(void *unused)
{
	char *volatile object;
	sigset_t all;

	sigfillset(&all);
	pthread_sigmask(SIG_BLOCK, &all, NULL);
	object = malloc(300);
	sem_post(&is_ready);
	for (;;)
		object[0] += (char)usleep(1000);
	return unused;
}

static void *allocate_for_ever(void *unused)
{
	sem_post(&is_ready);
	for (;;) {
		char *volatile object = malloc(300);

		free(object);
	}
	return unused;
}

/* With the lock of stdin. */
static void *read_line(void *unused)
{
	char line[100];

	sem_post(&is_ready);
	if (!fgets(line, sizeof(line), stdin))
		abort();
	return unused;
}

static int allocate_amid_modules(struct dl_phdr_info *info, size_t bytes, void *unused)
{
	char *volatile object = malloc(bytes + 300);

	(void)info;
	(void)unused;
	free(object);
	return 0;
}

/* Inside malloc it nearly always has the loader's lock. */
static void *visit_modules(void *unused)
{
	sem_post(&is_ready);
	while (!dl_iterate_phdr(allocate_amid_modules, unused))
		;
	return unused;
}

static void start_threads(const char *kind)
{
	void *(*function)(void *) = !strcmp(kind, "read")    ? read_for_ever
				    : !strcmp(kind, "spin")  ? spin
				    : !strcmp(kind, "block") ? wait_with_signals_blocked
				    : !strcmp(kind, "line")  ? read_line
				    : !strcmp(kind, "phdr")  ? visit_modules
							     : allocate_for_ever;

	for (int i = 0; i < 3; i++)
		start(function);
}

/* --- processes -------------------------------------------------------------------------------- */

static void wait_for(pid_t child)
{
	int status;

	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	if (WIFSIGNALED(status))
		printf("child: signal %d ", WTERMSIG(status));
	else
		printf("child %d ", WEXITSTATUS(status));
	fflush(stdout);
}

static void fork_and_lose(const char *bytes)
{
	pid_t child = fork();

	if (!child) {
		lose_other(bytes);
		forget();
		exit(5);
	}
	wait_for(child);
}

static void vfork_and_exit(const char *status)
{
	pid_t child = vfork();

	if (!child)
		_exit(atoi(status));
	wait_for(child);
}

static void fork_and_execute(const char *action)
{
	pid_t child = fork();

	if (!child) {
		execl("/proc/self/exe", "again", action, "exit=6", NULL);
		_exit(127);
	}
	wait_for(child);
}

/* --- the end ---------------------------------------------------------------------------------- */

static void end(const char *status)
{
	forget();
	exit(atoi(status));
}

static void end_at_once(const char *status)
{
	forget();
	_exit(atoi(status));
}

static void end_at_once_in_c(const char *status)
{
	forget();
	_Exit(atoi(status));
}

static void end_quickly(const char *status)
{
	forget();
	quick_exit(atoi(status));
}

static void *end_here(void *status)
{
	end(status);
	return NULL;
}

static void end_in_thread(const char *status)
{
	pthread_t thread;

	forget();
	if (pthread_create(&thread, NULL, end_here, (void *)status) || pthread_join(thread, NULL))
		abort();
}

static void end_on_small_stack(const char *status)
{
	pthread_attr_t attributes;
	pthread_t thread;

	forget();
	pthread_attr_init(&attributes);
	if (pthread_attr_setstacksize(&attributes, PTHREAD_STACK_MIN) ||
	    pthread_create(&thread, &attributes, end_here, (void *)status) ||
	    pthread_join(thread, NULL))
		abort();
}

static const char *handler_status;

static void end_in_atexit(void)
{
	end(handler_status);
}

static void end_nested(const char *status)
{
	handler_status = status;
	if (atexit(end_in_atexit))
		abort();
	exit(0);
}

static void handle(int unused)
{
	(void)unused;
	exit(9);
}

static void *end_soon(void *unused)
{
	usleep(5000);
	_exit(3);
	return unused;
}

/* While the other thread's exit is at the report. */
static void end_twice(const char *status)
{
	pthread_t thread;

	forget();
	if (pthread_create(&thread, NULL, end_soon, NULL))
		abort();
	exit(atoi(status));
}

/* Amid malloc or free, most likely, after so many microseconds. */
static void end_in_handler(const char *microseconds)
{
	struct itimerval timer = {{0, 0}, {0, atoi(microseconds)}};

	signal(SIGALRM, handle);
	setitimer(ITIMER_REAL, &timer, NULL);
	for (;;) {
		char *volatile objects[50];

		for (size_t i = 0; i < 50; i++)
			objects[i] = malloc(i * 100);
		for (size_t i = 0; i < 50; i++)
			free(objects[i]);
	}
}

/* As handlers of crashes do, on a stack of the size that SIGSTKSZ used to be. */
static void handle_aside(int unused)
{
	(void)unused;
	_exit(atoi(handler_status));
}

static void end_on_signal_stack(const char *status)
{
	static char memory[8192];
	stack_t stack = {.ss_sp = memory, .ss_size = sizeof(memory)};
	struct sigaction action = {.sa_handler = handle_aside, .sa_flags = SA_ONSTACK};

	handler_status = status;
	if (sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL))
		abort();
	forget();
	raise(SIGSEGV);
}

static void end_by_signal(const char *number)
{
	raise(atoi(number));
}

/* --- arguments -------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	void (*function)(const char *value);
} actions[] = {
	{"lose", lose_one},
	{"lose_other", lose_other},
	{"lose_ten", lose_ten},
	{"lose_guarded", lose_guarded},
	{"lose_sorting", lose_sorting},
	{"lose_pair", lose_pair},
	{"lose_deep", lose_deep},
	{"lose_without_tables", lose_without_tables},
	{"keep", keep},
	{"keep_interior", keep_interior},
	{"keep_at_end", keep_at_end},
	{"load", load_for_good},
	{"load_and_close", load_and_close},
	{"lose_ignored", lose_ignored},
	{"lose_disabled", lose_disabled},
	{"hold_in_region", hold_in_region},
	{"hold_in_shared", hold_in_shared},
	{"register", register_region},
	{"unregister", unregister_region},
	{"check", check_now},
	{"check_recoverably", check_recoverably},
	{"print", print},
	{"close", close_one},
	{"close_all", close_all},
	{"open_up_to", open_up_to},
	{"open_all", open_all},
	{"setuid", become},
	{"chdir", change_folder},
	{"forbid", forbid},
	{"threads", start_threads},
	{"fork", fork_and_lose},
	{"vfork", vfork_and_exit},
	{"exec", fork_and_execute},
	{"exit", end},
	{"_exit", end_at_once},
	{"_Exit", end_at_once_in_c},
	{"quick_exit", end_quickly},
	{"thread_exit", end_in_thread},
	{"small_stack_exit", end_on_small_stack},
	{"stack_exit", end_on_signal_stack},
	{"nested_exit", end_nested},
	{"exit_twice", end_twice},
	{"handler_exit", end_in_handler},
	{"raise", end_by_signal},
};

static void act(const char *argument)
{
	size_t length = strcspn(argument, "=");

	for (size_t i = 0; i < sizeof(actions) / sizeof(*actions); i++) {
		if (strlen(actions[i].name) == length &&
		    !strncmp(actions[i].name, argument, length)) {
			actions[i].function(argument + length + (argument[length] == '='));
			return;
		}
	}
	fprintf(stderr, "no such action: %s\n", argument);
	abort();
}

/* return=N, and nothing, return from here. */
int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++) {
		if (!strncmp(argv[i], "return=", 7)) {
			forget();
			return atoi(argv[i] + 7);
		}
		act(argv[i]);
		forget();
	}
	return 0;
}
