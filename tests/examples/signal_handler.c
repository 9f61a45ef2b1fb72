/*
 * An allocation in a signal handler: GFP_ATOMIC takes neither locks nor makes system calls, so
 * that the handler may have interrupted malloc itself. The main program takes what the handler
 * has left.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/time.h>

#include <stitch/slab.h>

struct event {
	struct event *next;
	unsigned long number;
};

static _Atomic(struct event *) events;
static volatile sig_atomic_t nr_lost;

static void on_alarm(int signal_number)
{
	static unsigned long number;
	struct event *event = stitch_kmalloc(sizeof(*event), STITCH_GFP_ATOMIC);

	(void)signal_number;
	if (!event) {
		nr_lost++; /* the reserve is used up */
		return;
	}
	event->number = ++number;
	event->next = atomic_load(&events);
	while (!atomic_compare_exchange_weak(&events, &event->next, event))
		;
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	struct event *event, *next;
	unsigned long nr_seen = 0;

	if (stitch_reserve_fill(0)) /* before the first signal */
		return 1;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (nr_seen < 200) {
		stitch_kfree(stitch_kmalloc(100, STITCH_GFP_KERNEL)); /* what is interrupted */
		for (event = atomic_exchange(&events, NULL); event; event = next, nr_seen++) {
			next = event->next;
			stitch_kfree(event);
		}
	}
	printf("%lu events, %d lost\n", nr_seen, (int)nr_lost);
	return nr_lost ? 2 : 0;
}
