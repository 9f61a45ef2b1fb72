/* A program that goes on after a leak check: its threads run, and it gets its signals. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

void __lsan_do_leak_check(void) __attribute__((weak));

static volatile unsigned long steps;
static volatile sig_atomic_t nr_signals;

static void *count(void *unused)
{
	for (;;)
		steps++;
	return unused;
}

static void note_signal(int number)
{
	nr_signals += number == SIGUSR1;
}

int main(void)
{
	unsigned long before;
	pthread_t thread;

	signal(SIGUSR1, note_signal);
	if (pthread_create(&thread, NULL, count, NULL))
		return 1;
	while (!steps)
		usleep(100);
	__lsan_do_leak_check();
	before = steps;
	for (int i = 0; i < 10000 && steps == before; i++)
		usleep(1000);
	raise(SIGUSR1);
	puts(steps == before ? "stopped" : nr_signals ? "goes on" : "deaf");
	return 0;
}
