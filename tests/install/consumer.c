/* A user's program: says where its malloc comes from, by the file that the address lies in. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#ifdef USE_STITCH
#include <stitch/stitch.h>
#endif

int main(void)
{
	char *text = malloc(100);
	unsigned long low, high;
	char line[512], file[256];
	FILE *maps = fopen("/proc/self/maps", "r");

	if (!text || !maps)
		return 1;
	strcpy(text, "malloc is from");
	while (fgets(line, sizeof(line), maps))
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %255s", &low, &high, file) == 3 &&
		    (uintptr_t)malloc - low < high - low)
			printf("%s %s\n", text, file);
	fclose(maps);
#ifdef USE_STITCH
	printf("version %s\n", stitch_version());
#endif
	free(text);
	return 0;
}
