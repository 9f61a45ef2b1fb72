/*
 * frame.c - a module that is built twice, with frames of different size and all else the same, so
 * that the second comes to lie where the first has been. See test_unwind.c.
 */
void call_through(void (*callback)(void));

#define TEXT(x) #x
#define NUMBER(x) TEXT(x)

__asm__(".text\n"
	".globl call_through\n"
	".type call_through, @function\n"
	"call_through:\n"
	".cfi_startproc\n"
	"sub $" NUMBER(FRAME_BYTES) ", %rsp\n"
	".cfi_adjust_cfa_offset " NUMBER(FRAME_BYTES) "\n"
	"call *%rdi\n"
	"add $" NUMBER(FRAME_BYTES) ", %rsp\n"
	".cfi_adjust_cfa_offset -" NUMBER(FRAME_BYTES) "\n"
	"ret\n"
	".cfi_endproc\n"
	".size call_through, . - call_through\n");
