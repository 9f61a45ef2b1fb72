/*
 * test_unwind.c - stacks are those that libgcc's unwinder sees, at every instruction; what cannot
 * be followed ends with the mark, and nothing faults. Also debug/orc.h and debug/eh_frame.h.
 */
#define _GNU_SOURCE
#include "kunit.h"

#include <alloca.h>
#include <dlfcn.h>
#include <link.h>
#include <pthread.h>
#include <setjmp.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <time.h>
#include <ucontext.h>
#include <unwind.h>

#include "debug/orc.h"
#include "debug/unwind.h"

#define MAX_FRAMES 64u
#define NOINLINE __attribute__((noinline))

/* --- two stacks of one place ------------------------------------------------------------------ */

struct collected {
	uintptr_t pcs[MAX_FRAMES];
	unsigned int nr, nr_to_skip;
};

static struct collected ours, theirs;
static unsigned int nr_compared, nr_different;

/* In front of libgcc's, which begins with its caller: no frame may be added. */
unsigned int nr_by_libgcc; /* how often unwind_stack has left it to libgcc */
_Unwind_Reason_Code (*libgcc_backtrace)(_Unwind_Trace_Fn function, void *argument);
__asm__(".text\n"
	".globl _Unwind_Backtrace\n"
	".type _Unwind_Backtrace, @function\n"
	"_Unwind_Backtrace:\n"
	"incl nr_by_libgcc(%rip)\n"
	"jmp *libgcc_backtrace(%rip)\n"
	".size _Unwind_Backtrace, . - _Unwind_Backtrace\n");

static void setup(void)
{
	if (orc_table)
		return;
	libgcc_backtrace = (__typeof__(libgcc_backtrace))dlsym(RTLD_NEXT, "_Unwind_Backtrace");
	ASSERT(libgcc_backtrace);
	ASSERT(unwind_init());
	unwind_start(false);
}

static _Unwind_Reason_Code collect(struct _Unwind_Context *context, void *unused)
{
	int is_exact = 0;
	uintptr_t pc = _Unwind_GetIPInfo(context, &is_exact);

	(void)unused;
	if (theirs.nr_to_skip) {
		theirs.nr_to_skip--;
		return _URC_NO_REASON;
	}
	if (!pc || theirs.nr == MAX_FRAMES)
		return _URC_NORMAL_STOP;
	theirs.pcs[theirs.nr++] = pc + (is_exact != 0);
	return _URC_NO_REASON;
}

static bool has_mark(const struct collected *stack)
{
	return stack->nr && stack->pcs[stack->nr - 1] == UNWIND_NO_INFORMATION;
}

static void print_both(unsigned int nr)
{
	fprintf(stderr, "stacks differ: %u frames, by libgcc %u\n", nr, theirs.nr);
	for (unsigned int i = 0; i < nr || i < theirs.nr; i++)
		fprintf(stderr, "  %2u  %14" PRIxPTR "  %14" PRIxPTR "\n", i,
			i < ours.nr ? ours.pcs[i] : 0, i < theirs.nr ? theirs.pcs[i] : 0);
}

/* Without the mark, which libgcc does not have. */
static void compare(void)
{
	unsigned int nr = ours.nr - has_mark(&ours);

	nr_compared++;
	if (nr == theirs.nr && !memcmp(ours.pcs, theirs.pcs, nr * sizeof(*ours.pcs)))
		return;
	if (!nr_different++)
		print_both(nr);
}

/*
 * In frames that are aligned by force gcc says before and behind the instructions where it is so
 * that rbp points to itself: libgcc may fault there.
 */
static sigjmp_buf out_of_libgcc;
static volatile sig_atomic_t in_libgcc;
static unsigned int nr_faults;

static void on_fault(int signal_number)
{
	if (in_libgcc)
		siglongjmp(out_of_libgcc, 1);
	signal(signal_number, SIG_DFL); /* comes again */
}

/* Of its caller. */
static NOINLINE void look(void)
{
	ours.nr = unwind_stack(ours.pcs, MAX_FRAMES);
	theirs.nr = 0;
	theirs.nr_to_skip = 1;
	if (sigsetjmp(out_of_libgcc, 1)) {
		nr_faults++;
	} else {
		in_libgcc = true;
		libgcc_backtrace(collect, NULL);
		in_libgcc = false;
		compare();
	}
	in_libgcc = false;
}

static void begin(void)
{
	setup();
	nr_by_libgcc = nr_compared = nr_different = nr_faults = 0;
	signal(SIGSEGV, on_fault);
}

#define EXPECT_EQUAL_STACKS() \
	do { \
		EXPECT(nr_compared); \
		EXPECT(nr_faults < 16); \
		EXPECT_EQ(nr_different, 0); \
	} while (0)

/* --- at every instruction --------------------------------------------------------------------- */

#define TRAP_FLAG 0x100

static uintptr_t wanted_start, wanted_bytes; /* code that shall be met */
static unsigned int nr_met;

static void on_step(int signal_number, siginfo_t *info, void *context)
{
	const ucontext_t *interrupted = context;

	(void)signal_number;
	(void)info;
	nr_met += (uintptr_t)interrupted->uc_mcontext.gregs[REG_RIP] - wanted_start < wanted_bytes;
	look();
}

static void set_trap_flag(bool on)
{
	if (on)
		__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\torq %0, (%%rsp)\n\tpopfq\n\t"
				 "lea 128(%%rsp), %%rsp" : : "i"(TRAP_FLAG) : "cc", "memory");
	else
		__asm__ volatile("lea -128(%%rsp), %%rsp\n\tpushfq\n\tandq %0, (%%rsp)\n\tpopfq\n\t"
				 "lea 128(%%rsp), %%rsp" : : "i"(~TRAP_FLAG) : "cc", "memory");
}

static void step_through(void (*function)(void), int flags)
{
	struct sigaction action = { .sa_sigaction = on_step, .sa_flags = SA_SIGINFO | flags };

	begin();
	nr_met = 0;
	sigaction(SIGTRAP, &action, NULL);
	set_trap_flag(true);
	function();
	set_trap_flag(false);
	EXPECT_EQUAL_STACKS();
	EXPECT(nr_compared > 10); /* it does step */
}

/* --- frames of all kinds ---------------------------------------------------------------------- */

static volatile int sink;
static NOINLINE void use(void *memory)
{
	__asm__ volatile("" : : "r"(memory) : "memory");
}

static NOINLINE void plain(void)
{
	look();
	sink++;
}

static NOINLINE int leaf(int a, int b)
{
	return a * b + (a ^ b);
}

static NOINLINE int recurse(int depth, void (*bottom)(void))
{
	int local[3] = { depth };

	use(local);
	if (depth)
		return recurse(depth - 1, bottom) + local[0];
	bottom();
	return local[1];
}

static NOINLINE void with_alloca(size_t bytes, void (*bottom)(void))
{
	char *memory = alloca(bytes);

	use(memory);
	bottom();
	sink = memory[0];
}

static NOINLINE void aligned(void (*bottom)(void))
{
	_Alignas(64) char memory[128];

	use(memory);
	bottom();
	sink = memory[0];
}

static NOINLINE void aligned_alloca(size_t bytes, void (*bottom)(void))
{
	_Alignas(64) char memory[128];
	char *more = alloca(bytes);

	use(memory);
	use(more);
	bottom();
	sink = memory[0];
}

static NOINLINE void large(void (*bottom)(void))
{
	char memory[1 << 20];

	use(memory);
	bottom();
	sink = memory[0];
}

static NOINLINE int many_registers(int a, int b, int c, int d, void (*bottom)(void))
{
	int e = leaf(a, b), f = leaf(c, d), g = leaf(a, d), h = leaf(b, c);

	bottom();
	return a + b * c - d + e * f - g * h;
}

static int order(const void *a, const void *b)
{
	return *(const int *)a - *(const int *)b;
}

static int look_and_order(const void *a, const void *b)
{
	look();
	return order(a, b);
}

static NOINLINE void sort(int (*by)(const void *, const void *))
{
	int numbers[] = { 3, 1, 4, 1, 5, 9, 2, 6 }, key = 5;

	qsort(numbers, ARRAY_SIZE(numbers), sizeof(*numbers), by);
	sink += bsearch(&key, numbers, ARRAY_SIZE(numbers), sizeof(*numbers), by) != NULL;
}

TEST(stacks_are_libgccs)
{
	begin();
	for (int depth = 0; depth < 100; depth++)
		sink += recurse(depth, plain);
	for (size_t bytes = 1; bytes < 100000; bytes = bytes * 3 + 1) {
		with_alloca(bytes, plain);
		aligned_alloca(bytes, plain);
	}
	aligned(plain);
	large(plain);
	sink += many_registers(1, 2, 3, 4, plain);
	sort(look_and_order);
	EXPECT_EQUAL_STACKS();
	EXPECT_EQ(nr_by_libgcc, 0);
}

static void nothing(void)
{
}

static void all_kinds(void)
{
	sink += recurse(3, nothing);
	with_alloca(1000, nothing);
	aligned(nothing);
	aligned_alloca(1000, nothing);
	large(nothing);
	sink += many_registers(1, 2, 3, 4, nothing);
}

TEST(at_every_instruction_stacks_are_libgccs)
{
	step_through(all_kinds, 0);
	EXPECT_EQ(nr_by_libgcc, 0);
}

static void in_libc(void)
{
	char text[64];

	snprintf(text, sizeof(text), "%d %s %f", 42, "words", 1.5);
	sink += (int)strtol(text, NULL, 10);
	sort(order);
}

TEST(at_every_instruction_of_libc)
{
	step_through(in_libc, 0);
}

TEST(from_a_handler_on_its_own_stack)
{
	static char memory[65536];
	stack_t stack = { .ss_sp = memory, .ss_size = sizeof(memory) };

	sigaltstack(&stack, NULL);
	step_through(all_kinds, SA_ONSTACK);
	EXPECT_EQ(nr_by_libgcc, 0);
	stack.ss_flags = SS_DISABLE;
	sigaltstack(&stack, NULL);
}

static void ask_the_time(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	clock_gettime(CLOCK_REALTIME_COARSE, &now);
	sink += (int)now.tv_nsec;
}

TEST(in_the_vdso)
{
	wanted_start = getauxval(AT_SYSINFO_EHDR);
	wanted_bytes = wanted_start ? 8192 : 0;
	step_through(ask_the_time, 0);
	EXPECT(!wanted_start || nr_met);
	wanted_bytes = 0;
}

static void *look_in_thread(void *unused)
{
	sink += recurse(5, plain);
	return unused;
}

TEST(down_to_the_thread_s_start)
{
	pthread_t thread;

	begin();
	pthread_create(&thread, NULL, look_in_thread, NULL);
	pthread_join(thread, NULL);
	EXPECT_EQUAL_STACKS();
	EXPECT(!has_mark(&ours));
	EXPECT(ours.nr >= 8);
}

static ucontext_t outer, inner;
static void in_context(void)
{
	sink += recurse(2, plain);
	swapcontext(&inner, &outer);
}

/* Its stack is gone then, and another one, higher and lower, in its place. */
TEST(on_stacks_that_come_and_go)
{
	size_t bytes = 65536;

	begin();
	for (int i = 0; i < 4; i++) {
		char *memory = mmap(NULL, bytes * (size_t)(4 - i), PROT_READ | PROT_WRITE,
				    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		getcontext(&inner);
		inner.uc_stack = (stack_t){ .ss_sp = memory, .ss_size = bytes };
		inner.uc_link = NULL;
		makecontext(&inner, in_context, 0);
		swapcontext(&outer, &inner);
		munmap(memory, bytes * (size_t)(4 - i));
		sink += recurse(i, plain);
	}
	EXPECT_EQUAL_STACKS();
}

/* --- assembly --------------------------------------------------------------------------------- */

void asm_pushes(void (*callback)(void));
void asm_by_rbx(void (*callback)(void));
void asm_old_rsp_on_stack(void (*callback)(void));
void asm_without_cfi(void (*callback)(void));

#define FUNCTION(name, body) \
	__asm__(".text\n.globl " #name "\n.type " #name ", @function\n" #name ":\n" body \
		".size " #name ", . - " #name "\n")

FUNCTION(asm_pushes,
	 ".cfi_startproc\n"
	 "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n"
	 "push %rbp\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbp, 0\n"
	 "xor %ebp, %ebp\n"
	 ".cfi_remember_state\n"
	 "sub $8, %rsp\n.cfi_adjust_cfa_offset 8\n"
	 "call *%rdi\n"
	 "add $8, %rsp\n.cfi_restore_state\n"
	 "pop %rbp\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbp\n"
	 "pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbx\n"
	 "ret\n.cfi_endproc\n");

FUNCTION(asm_by_rbx,
	 ".cfi_startproc\n"
	 "push %rbx\n.cfi_adjust_cfa_offset 8\n.cfi_rel_offset rbx, 0\n"
	 "mov %rsp, %rbx\n.cfi_def_cfa_register rbx\n"
	 "and $-64, %rsp\n"
	 "call *%rdi\n"
	 "mov %rbx, %rsp\n.cfi_def_cfa_register rsp\n"
	 "pop %rbx\n.cfi_adjust_cfa_offset -8\n.cfi_restore rbx\n"
	 "ret\n.cfi_endproc\n");

/* DW_CFA_def_cfa_expression: breg7 +8, deref, plus_uconst 8 */
FUNCTION(asm_old_rsp_on_stack,
	 ".cfi_startproc\n"
	 "mov %rsp, %rax\n.cfi_def_cfa_register rax\n"
	 "sub $1000, %rsp\n"
	 "and $-64, %rsp\n"
	 "mov %rax, 8(%rsp)\n.cfi_escape 0x0f, 5, 0x77, 8, 0x06, 0x23, 8\n"
	 "call *%rdi\n"
	 "mov 8(%rsp), %rax\n.cfi_def_cfa rax, 8\n"
	 "mov %rax, %rsp\n.cfi_def_cfa_register rsp\n"
	 "ret\n.cfi_endproc\n");

FUNCTION(asm_without_cfi, "sub $8, %rsp\ncall *%rdi\nadd $8, %rsp\nret\n");

TEST(assembly_that_tells)
{
	begin();
	asm_pushes(plain);
	asm_old_rsp_on_stack(plain);
	EXPECT_EQ(nr_by_libgcc, 0);
	asm_by_rbx(plain);
	EXPECT_EQ(nr_by_libgcc, 1);
	EXPECT_EQUAL_STACKS();
}

static void all_assembly(void)
{
	asm_pushes(nothing);
	asm_old_rsp_on_stack(nothing);
	asm_by_rbx(nothing);
}

TEST(assembly_at_every_instruction)
{
	step_through(all_assembly, 0);
}

TEST(assembly_that_does_not_tell_ends_with_the_mark)
{
	begin();
	asm_without_cfi(plain);
	EXPECT_EQUAL_STACKS();
	EXPECT(has_mark(&ours));
	EXPECT_EQ(ours.nr, 3); /* plain, the function, the mark */
	EXPECT_EQ(unwind_stack(ours.pcs, 1), 1);
	EXPECT(!has_mark(&(struct collected){ .pcs = { ours.pcs[0] }, .nr = 1 }));
}

/* Does not return: there is nowhere to. libgcc would read code there. */
static NOINLINE void look_and_leave(void)
{
	ours.nr = unwind_stack(ours.pcs, MAX_FRAMES);
	_exit(has_mark(&ours) && ours.nr == 2 && ours.pcs[0] == 0x1234 ? 0 : 1);
}

TEST(code_in_no_module_ends_with_the_mark)
{
	pid_t child;
	int status;

	begin();
	child = fork();
	if (!child)
		__asm__ volatile("and $-16, %%rsp\n\t"
				 "push %0\n\t"
				 "jmp *%1\n"
				 :
				 : "r"((uintptr_t)0x1234), "r"((uintptr_t)look_and_leave));
	waitpid(child, &status, 0);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* --- modules that take each other's place ----------------------------------------------------- */

typedef void call_through_fn(void (*callback)(void));

static call_through_fn *open_module(const char *path, void **handle)
{
	*handle = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*handle)
		fprintf(stderr, "%s\n", dlerror());
	return *handle ? (call_through_fn *)dlsym(*handle, "call_through") : NULL;
}

static NOINLINE call_through_fn *open_and_look(const char *path)
{
	void *handle;
	call_through_fn *call_through = open_module(path, &handle);

	ASSERT(call_through);
	for (int i = 0; i < 3; i++)
		call_through(plain);
	EXPECT(!has_mark(&ours));
	dlclose(handle);
	return call_through;
}

static void replace_modules(void)
{
	call_through_fn *place, *other;

	for (int i = 0; i < 3; i++) {
		place = open_and_look("./libunwind_frame_24.so");
		other = open_and_look("./libunwind_frame_72.so");
		EXPECT_EQ(place, other);
		other = open_and_look("./libunwind_frame_40.so"); /* has no build-id */
		EXPECT_EQ(place, other);
		other = open_and_look("./libunwind_frame_56.so"); /* nor has this one */
		EXPECT_EQ(place, other);
	}
}

TEST(a_module_in_the_place_of_another)
{
	begin();
	replace_modules();
	EXPECT_EQUAL_STACKS();
	EXPECT_EQ(nr_by_libgcc, 0);
}

/* In a child: it would count for all that follows. */
static NOINLINE int look_at_what_stays(void)
{
	begin();
	unwind_start(true);
	sort(look_and_order);
	replace_modules();
	return nr_compared && !nr_different && !nr_by_libgcc ? 0 : 1;
}

TEST(what_was_there_at_the_start_stays)
{
	pid_t child = fork();
	int status;

	if (!child)
		_exit(look_at_what_stays());
	waitpid(child, &status, 0);
	EXPECT(WIFEXITED(status) && !WEXITSTATUS(status));
}

/* --- what is broken --------------------------------------------------------------------------- */

static uint64_t random_state;
static uint64_t draw(uint64_t limit)
{
	random_state = random_state * 6364136223846793005u + 1442695040888963407u;
	return (random_state >> 33) % limit;
}

struct copy {
	struct eh_frame original, frame;
	unsigned char *bytes;
	size_t nr_bytes;
};

/* Between two pages that nobody may touch, with the end or the start at one. */
static void make_copy(struct copy *copy, bool at_end)
{
	size_t room = (copy->nr_bytes + 8191) / 4096 * 4096;
	char *memory = mmap(NULL, room + 8192, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	ASSERT(memory != MAP_FAILED);
	mprotect(memory + 4096, room, PROT_READ | PROT_WRITE);
	copy->bytes = (unsigned char *)memory + 4096 + (at_end ? room - copy->nr_bytes : 0);
	memcpy(copy->bytes, (const void *)copy->original.start, copy->nr_bytes);
	copy->frame.start = (uintptr_t)copy->bytes;
	copy->frame.end = copy->frame.start + copy->nr_bytes;
	copy->frame.table = copy->frame.start + (copy->original.table - copy->original.start);
}

static int find_segment(struct dl_phdr_info *info, size_t bytes, void *argument)
{
	struct eh_frame *frame = argument;

	(void)bytes;
	for (unsigned int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
		uintptr_t start = info->dlpi_addr + segment->p_vaddr;

		if (segment->p_type == PT_LOAD && frame->table - start < segment->p_filesz)
			*frame = (struct eh_frame){ start, start + segment->p_filesz,
						    frame->table };
	}
	return frame->start != 0;
}

/* Entries of the table: where code begins, and its FDE. */
static const int32_t *entry_at(const struct eh_frame *frame, size_t i)
{
	return (const int32_t *)(frame->table + 12 + 8 * i);
}

static size_t nr_entries(const struct eh_frame *frame)
{
	return *(const uint32_t *)(frame->table + 8);
}

/* Behind the last FDE, so that what reads on reads behind the end. */
static void cut_behind_last(struct eh_frame *frame)
{
	frame->end = 0;
	for (size_t i = 0; i < nr_entries(frame); i++) {
		uintptr_t fde = frame->table + (uintptr_t)(int64_t)entry_at(frame, i)[1];
		uintptr_t end = fde + 4 + *(const uint32_t *)fde;

		if (end > frame->end)
			frame->end = end;
	}
}

/* Of libc, which has all that compilers and people write. */
static void find_frames(struct eh_frame *frame)
{
	struct dl_find_object found;

	ASSERT(!_dl_find_object((void *)qsort, &found)); // NOLINT
	*frame = (struct eh_frame){ .table = (uintptr_t)found.dlfo_eh_frame };
	dl_iterate_phdr(find_segment, frame);
	ASSERT(frame->start);
	cut_behind_last(frame);
	ASSERT_EQ(frame->end % 4, 0);
}

static void break_and_read(struct copy *copy, size_t nr_fdes)
{
	size_t which = draw(16) ? draw(nr_fdes) : nr_fdes - 1 - draw(8), bytes;
	uintptr_t fde = copy->frame.table + (uintptr_t)(int64_t)entry_at(&copy->original, which)[1];
	uintptr_t pc = copy->frame.table + (uintptr_t)(int64_t)entry_at(&copy->original, which)[0];
	unsigned char saved[64], *place = (unsigned char *)fde;

	if (draw(8) == 0) /* the table's beginning */
		place = (unsigned char *)copy->frame.table;
	else if (draw(4) == 0) /* the CIE's */
		place = (unsigned char *)(fde + 4 - *(uint32_t *)(fde + 4));
	bytes = copy->frame.end - (uintptr_t)place;
	bytes = bytes < sizeof(saved) ? bytes : sizeof(saved);
	memcpy(saved, place, bytes);
	for (uint64_t i = draw(4) + 1; i; i--)
		place[draw(bytes)] = draw(3) ? (unsigned char)draw(256) : 0xff;
	for (int i = 0; i < 4; i++)
		sink += (int)eh_frame_rule(&copy->frame, pc + draw(200)).kind;
	memcpy(place, saved, bytes);
}

TEST(broken_information_never_faults)
{
	for (int at_end = 0; at_end < 2; at_end++) {
		struct copy copy;

		setup();
		random_state = kunit_seed();
		find_frames(&copy.original);
		copy.nr_bytes = copy.original.end - copy.original.start;
		make_copy(&copy, at_end);
		for (uint64_t i = 0; i < kunit_ops(200000); i++)
			break_and_read(&copy, nr_entries(&copy.original));
	}
}

static union orc *entry_of(uintptr_t pc)
{
	return (union orc *)orc_place(pc);
}

/* Any kind, register and offset for the addresses of a stack, but libgcc's way out. */
static NOINLINE void look_with_broken_rules(void)
{
	uintptr_t pcs[MAX_FRAMES];
	unsigned int nr;

	look();
	for (unsigned int i = 0; i < ours.nr; i++) {
		union orc *entry = entry_of(ours.pcs[i] - 1), broken = *entry;

		if (draw(3))
			continue;
		broken.kind = draw(ORC_COMPLEX);
		if (broken.kind == ORC_REGISTER || broken.kind == ORC_RSP_FAR)
			broken.kind = ORC_RBP;
		broken.cfa = (int64_t)draw(32768) - 16384;
		if (draw(2))
			broken.cfa /= 512;
		broken.rbp = draw(64);
		*entry = broken;
	}
	nr = unwind_stack(pcs, MAX_FRAMES);
	EXPECT(nr >= 1 && nr <= MAX_FRAMES);
	memset(orc_table, 0, sizeof(*orc_table) << ORC_INDEX_BITS);
}

TEST(broken_rules_never_fault)
{
	begin();
	random_state = kunit_seed();
	for (uint64_t i = 0; i < kunit_ops(3000); i++)
		sink += recurse((int)draw(20), look_with_broken_rules);
	EXPECT_EQUAL_STACKS();
}

RUN_TESTS
