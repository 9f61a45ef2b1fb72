/*
 * A scheduler's queue: the task with the lowest number runs, those of the same priority take
 * turns. A task that has run for long enough leaves.
 */
#include <stdio.h>

#include <stitch/plist.h>

struct task {
	const char *name;
	int nr_slices; /* that it needs */
	struct stitch_plist_node queued;
};

static STITCH_PLIST_HEAD(run_queue);

static void wake(struct task *task, int priority)
{
	stitch_plist_node_init(&task->queued, priority);
	stitch_plist_add(&task->queued, &run_queue);
}

int main(void)
{
	struct task tasks[] = { { .name = "compile", .nr_slices = 2 },
				{ .name = "link", .nr_slices = 1 },
				{ .name = "backup", .nr_slices = 1 },
				{ .name = "shell", .nr_slices = 1 } };
	struct task *task;

	wake(&tasks[2], 19);
	wake(&tasks[0], 0);
	wake(&tasks[1], 0);
	while (!stitch_plist_head_empty(&run_queue)) {
		task = stitch_plist_first_entry(&run_queue, struct task, queued);
		printf("%s ", task->name);
		if (--task->nr_slices)
			stitch_plist_requeue(&task->queued, &run_queue); /* behind its equals */
		else
			stitch_plist_del(&task->queued, &run_queue);
		if (task == &tasks[0] && task->nr_slices)
			wake(&tasks[3], -5); /* a key was pressed */
	}
	printf("idle\n");
	return 0;
}
