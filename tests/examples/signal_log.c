/*
 * What a signal handler has to say goes into a ring, from which the main program writes it: one
 * puts in, one takes out, and so neither a lock nor blocked signals are needed.
 */
#include <signal.h>
#include <stdio.h>
#include <sys/time.h>
#include <time.h>

#include <stitch/kfifo.h>

struct entry {
	int signal_number;
	long nanoseconds;
};

static STITCH_DEFINE_KFIFO(log_ring, struct entry, 64);
static volatile sig_atomic_t nr_lost;

static void on_signal(int signal_number)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	if (!stitch_kfifo_put(&log_ring, ((struct entry){ signal_number, now.tv_nsec })))
		nr_lost++; /* nobody has taken anything out for long */
}

int main(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct itimerval timer = { { 0, 1000 }, { 0, 1000 } };
	struct entry entry;
	unsigned int nr_logged = 0, nr_wrong = 0;

	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &timer, NULL);
	while (nr_logged < 100) {
		while (stitch_kfifo_get(&log_ring, &entry)) {
			nr_logged++;
			if (entry.signal_number != SIGALRM || entry.nanoseconds > 999999999)
				nr_wrong++;
		}
	}
	printf("%u entries, %d lost\n", nr_logged, (int)nr_lost);
	return nr_wrong ? 2 : 0;
}
