/* misuse.c - see misuse.h. */
#include "core/misuse.h"

#include "core/params.h"
#include "core/printk.h"
#include "os/os.h"

__slow void misuse_report(const char *operation, const char *what, const void *pointer,
			  const char *where)
{
	if (params.on_error != ON_ERROR_IGNORE)
		pr_err("%s: %s %p (%s)", operation, what, pointer, where);
	if (params.on_error == ON_ERROR_ABORT)
		os_abort();
}
