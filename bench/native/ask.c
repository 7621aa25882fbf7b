/*
 * A client of HTTP that never lets its server wait: ask PORT CONNECTIONS REQUEST-FILE
 *
 * The file holds requests, each behind its length (32 bits, little-endian); they go out in turn over the connections,
 * each when the one before it on its connection was answered. It never sleeps: a client that sleeps has to be woken, and
 * the kernel counts that to the server. Every answer has to be 200 with a length; one that is not is printed, and ends
 * it with 1. At the end it prints how many seconds it took.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 64
#define ROOM 65536

static char *requests;
static size_t requests_bytes;
static int sockets[MOST], count, open_ones;
static size_t next[MOST]; /* where the connection's next request is */
static char answers[MOST][ROOM + 1];
static size_t got[MOST];

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static size_t after(size_t at)
{
	uint32_t length;

	memcpy(&length, requests + at, sizeof length);
	return at + sizeof length + length;
}

static void load(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file || fseek(file, 0, SEEK_END)) {
		perror(path);
		exit(1);
	}
	requests_bytes = (size_t)ftell(file);
	rewind(file);
	requests = malloc(requests_bytes);
	if (!requests || fread(requests, 1, requests_bytes, file) != requests_bytes)
		exit(1);
	fclose(file);
}

/* the next request of a connection; the ones between are those of the others */
static void ask(int number)
{
	size_t at = next[number];
	int others;

	if (at >= requests_bytes) {
		close(sockets[number]);
		open_ones--;
		return;
	}
	must((int)send(sockets[number], requests + at + 4, after(at) - at - 4, 0), "send");
	for (others = 0; others < count && at < requests_bytes; others++)
		at = after(at);
	next[number] = at;
	got[number] = 0;
}

static void hear(int number)
{
	char *answer = answers[number], *end, *length;
	int bytes = must((int)recv(sockets[number], answer + got[number], ROOM - got[number], 0), "recv");

	got[number] += (size_t)bytes;
	answer[got[number]] = 0;
	end = strstr(answer, "\r\n\r\n");
	length = strcasestr(answer, "content-length: ");
	if (bytes && !end)
		return;
	if (!bytes || strncmp(answer, "HTTP/1.1 200", 12) || !length || length > end) {
		printf("refused: %.200s\n", answer);
		exit(1);
	}
	if (got[number] >= (size_t)(end + 4 - answer) + (size_t)atoi(length + 16))
		ask(number);
}

int main(int argc, char **argv)
{
	struct sockaddr_in there = {.sin_family = AF_INET};
	struct epoll_event events[MOST];
	struct timespec from, to;
	int poll = must(epoll_create1(0), "epoll"), number, ready, one = 1;
	size_t at = 0;

	if (argc != 4 || (count = atoi(argv[2])) < 1 || count > MOST) {
		fprintf(stderr, "ask PORT CONNECTIONS REQUEST-FILE\n");
		return 2;
	}
	load(argv[3]);
	there.sin_port = htons((unsigned short)atoi(argv[1]));
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (number = 0; number < count && at < requests_bytes; number++, at = after(at)) {
		struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)number};

		sockets[number] = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");
		must(connect(sockets[number], (struct sockaddr *)&there, sizeof there), "connect");
		setsockopt(sockets[number], IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
		must(epoll_ctl(poll, EPOLL_CTL_ADD, sockets[number], &event), "epoll");
		next[number] = at;
		open_ones++;
	}
	count = number;
	for (number = 0; number < count; number++)
		ask(number);
	while (open_ones) {
		ready = must(epoll_wait(poll, events, MOST, 0), "epoll");
		for (number = 0; number < ready; number++)
			hear((int)events[number].data.u32);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	printf("%.6f\n", (double)(to.tv_sec - from.tv_sec) + (double)(to.tv_nsec - from.tv_nsec) / 1e9);
	return 0;
}
