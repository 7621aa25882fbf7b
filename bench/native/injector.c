/*
 * Wiegand frames on two lines of a gpio-sim chip, at real-time priority: what a reader of cards puts on the wire.
 *
 *     injector PULL_D0 PULL_D1 FRAMES INTERVAL_US GAP_US
 *
 * A frame is 26 bits, which are its number. A bit begins when at least INTERVAL_US have passed since the write that began
 * the one before had ended, so that no interval on the wire is shorter than that. After every frame it says on standard
 * output whether the frame kept the standard: "number ok longest_us" or "number spoilt longest_us", where a pause of more
 * than 20 ms in a frame (somebody took the processor away) spoils it. A spoilt number is sent again later.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define BITS 26
#define PULSE_NS 40000
#define LONGEST_NS 19000000 /* a millisecond of the standard's 20 is left to the write itself */
#define PRIORITY 40 /* before every program, after the threads of the kernel that deliver its edges (50) */

static int64_t now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static void spin_until(int64_t t_ns)
{
	while (now_ns() < t_ns)
		;
}

static void sleep_ns(int64_t ns)
{
	struct timespec t = { ns / 1000000000, ns % 1000000000 };

	while (nanosleep(&t, &t) && errno == EINTR)
		;
}

static void pull(int fd, const char *which)
{
	if (pwrite(fd, which, strlen(which), 0) < 0) {
		perror("injector: pull");
		exit(1);
	}
}

/* Sends one frame; returns the longest time from the begin of one falling write to the end of the next: no edge of the
 * kernel can be further from the one before. */
static int64_t send_frame(const int fds[2], uint32_t number, int64_t interval_ns)
{
	int64_t began_ns = 0, ended_ns = 0, longest_ns = 0;
	int bit;

	for (bit = BITS - 1; bit >= 0; bit--) {
		int fd = fds[number >> bit & 1];
		int64_t before_ns = ended_ns, first_ns = began_ns;

		if (before_ns)
			spin_until(before_ns + interval_ns);
		began_ns = now_ns();
		pull(fd, "pull-down");
		ended_ns = now_ns();
		if (first_ns && ended_ns - first_ns > longest_ns)
			longest_ns = ended_ns - first_ns;
		spin_until(ended_ns + PULSE_NS);
		pull(fd, "pull-up");
	}
	return longest_ns;
}

int main(int argc, char **argv)
{
	struct sched_param priority = { .sched_priority = PRIORITY };
	uint32_t number, frames;
	int64_t interval_ns, gap_ns;
	int fds[2];

	if (argc != 6) {
		fprintf(stderr, "usage: injector PULL_D0 PULL_D1 FRAMES INTERVAL_US GAP_US\n");
		return 2;
	}
	fds[0] = open(argv[1], O_WRONLY);
	fds[1] = open(argv[2], O_WRONLY);
	frames = strtoul(argv[3], NULL, 10);
	interval_ns = strtoll(argv[4], NULL, 10) * 1000;
	gap_ns = strtoll(argv[5], NULL, 10) * 1000;
	if (fds[0] < 0 || fds[1] < 0 || mlockall(MCL_CURRENT | MCL_FUTURE) ||
	    sched_setscheduler(0, SCHED_FIFO, &priority)) {
		perror("injector");
		return 1;
	}
	for (number = 0; number < frames;) {
		int64_t longest_ns = send_frame(fds, number, interval_ns);
		int good = longest_ns <= LONGEST_NS;

		sleep_ns(gap_ns);
		printf("%u %s %lld\n", number, good ? "ok" : "spoilt", (long long)(longest_ns / 1000));
		number += good;
	}
	return 0;
}
