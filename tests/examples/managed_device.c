/*
 * A device that owns what it opens: a recorder wants a file, buffers, a pipe and a thread. Wherever
 * its start fails, all that it has by then is undone, newest first, by one call; and there is no
 * other code for that. Each attempt fails at another step, the last at none.
 */
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

#include <stitch/devm.h>

enum { NR_STEPS = 5, NR_BUFFERS = 4, BUFFER_BYTES = 16 << 10 };

struct recorder {
	struct stitch_device device;
	FILE *file;
	char *title;
	char **buffers;
	int pipe[2];
	pthread_t thread;
};

static int nr_open, nr_threads; /* that there are */

static void close_file(void *recorder)
{
	fclose(((struct recorder *)recorder)->file);
	nr_open--;
}

static void close_reader(void *recorder)
{
	close(((struct recorder *)recorder)->pipe[0]);
	nr_open--;
}

static void close_writer(void *recorder)
{
	close(((struct recorder *)recorder)->pipe[1]);
	nr_open--;
}

/* What is written to the pipe goes into the file: both must be there until the thread has ended. */
static void *record(void *argument)
{
	struct recorder *recorder = argument;
	ssize_t bytes;

	while ((bytes = read(recorder->pipe[0], recorder->buffers[0], BUFFER_BYTES)) > 0)
		if (fwrite(recorder->buffers[0], 1, (size_t)bytes, recorder->file) != (size_t)bytes)
			break;
	return NULL;
}

/* It reads until nobody can write: a release may ask for another one. */
static void stop_thread(void *argument)
{
	struct recorder *recorder = argument;

	stitch_devm_release_action(&recorder->device, close_writer, recorder);
	pthread_join(recorder->thread, NULL);
	nr_threads--;
}

static int open_file(struct recorder *recorder)
{
	recorder->file = tmpfile();
	if (!recorder->file)
		return -1;
	nr_open++;
	return stitch_devm_add_action_or_reset(&recorder->device, close_file, recorder);
}

static int open_pipe(struct recorder *recorder)
{
	if (pipe(recorder->pipe))
		return -1;
	nr_open += 2;
	if (stitch_devm_add_action_or_reset(&recorder->device, close_reader, recorder)) {
		close_writer(recorder); /* the device does not have it yet */
		return -1;
	}
	return stitch_devm_add_action_or_reset(&recorder->device, close_writer, recorder);
}

/* All or none of them; later ones, of another size, could be released without the rest. */
static int make_buffers(struct recorder *recorder)
{
	struct stitch_device *device = &recorder->device;
	void *group = stitch_devres_open_group(device, NULL, STITCH_GFP_KERNEL);

	if (!group)
		return -1;
	recorder->buffers = stitch_devm_kcalloc(device, NR_BUFFERS, sizeof(char *),
						STITCH_GFP_KERNEL);
	for (int i = 0; recorder->buffers && i < NR_BUFFERS; i++) {
		recorder->buffers[i] = stitch_devm_kmalloc(device, BUFFER_BYTES,
							   STITCH_GFP_KERNEL);
		if (!recorder->buffers[i])
			recorder->buffers = NULL;
	}
	if (!recorder->buffers) {
		stitch_devres_release_group(device, group);
		return -1;
	}
	return stitch_devres_close_group(device, group);
}

static int start_thread(struct recorder *recorder)
{
	if (pthread_create(&recorder->thread, NULL, record, recorder))
		return -1;
	nr_threads++;
	return stitch_devm_add_action_or_reset(&recorder->device, stop_thread, recorder);
}

static int set_title(struct recorder *recorder)
{
	recorder->title = stitch_devm_kstrdup(&recorder->device, "evening news",
					      STITCH_GFP_KERNEL);
	return recorder->title ? 0 : -1;
}

/* Fails at the step of this number. */
static int start(struct recorder *recorder, int failing)
{
	int (*const steps[NR_STEPS])(struct recorder *) = {
		open_file, make_buffers, set_title, open_pipe, start_thread,
	};

	stitch_device_init(&recorder->device, "recorder");
	for (int i = 0; i < NR_STEPS; i++)
		if (i == failing || steps[i](recorder)) {
			stitch_device_release(&recorder->device);
			return -1;
		}
	return 0;
}

int main(void)
{
	static const char news[] = "nothing has happened";
	struct recorder recorder;
	struct stitch_device_resources usage;

	for (int failing = 0; failing < NR_STEPS; failing++)
		if (!start(&recorder, failing) || nr_open || nr_threads)
			return 1;
	if (start(&recorder, NR_STEPS) || nr_open + nr_threads != 4)
		return 2;
	stitch_device_usage(&recorder.device, &usage);
	printf("%s: %lu resources, %lu bytes\n", recorder.title, usage.nr_resources, usage.bytes);
	fflush(stdout);
	stitch_device_report(&recorder.device, STDOUT_FILENO);
	if (write(recorder.pipe[1], news, sizeof(news) - 1) != sizeof(news) - 1)
		return 3;
	stitch_device_release(&recorder.device);
	return nr_open + nr_threads;
}
