/* plugin.h - what the plug-in of deepbind.c offers under the name `plugin`. */
#include <stdio.h>

struct plugin {
	void *(*allocate)(size_t bytes);
	void (*release)(void *block);
	void *(*resize)(void *block, size_t bytes);
	char *(*copy_text)(const char *text);
	char *(*print)(int number);
	char *(*read_line)(FILE *file);
	char *(*read_new_line)(FILE *file);
};

extern const struct plugin plugin;
