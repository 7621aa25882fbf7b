/*
 * Many Motion JPEG clients in one process: drain PORT CLIENTS SECONDS REQUEST-FILE [STALLED]
 *
 * Client n connects from 127.0.1.(n + 1), sends what the file holds, and throws away what it reads. After one second it
 * begins to count parts of kind image/jpeg; at the end it prints the fewest and the most that a client got. The last
 * STALLED clients keep their connections, read nothing after the first bytes, and are left out of what is printed.
 */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define MOST 250
#define MARK "image/jpeg"
#define MARK_BYTES (sizeof MARK - 1)
#define CHUNK (1 << 17)

static int sockets[MOST], parts[MOST];
static char tails[MOST][MARK_BYTES];
static size_t tail_bytes[MOST];

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int must(int result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
	return result;
}

static void connect_one(int number, int port, const char *request, size_t length, int poll)
{
	struct sockaddr_in here = {.sin_family = AF_INET}, there = {.sin_family = AF_INET};
	struct epoll_event event = {.events = EPOLLIN, .data.u32 = (unsigned)number};
	int fd = must(socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), "socket");

	here.sin_addr.s_addr = htonl(0x7f000101u + (unsigned)number);
	there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	there.sin_port = htons((unsigned short)port);
	must(bind(fd, (struct sockaddr *)&here, sizeof here), "bind");
	must(connect(fd, (struct sockaddr *)&there, sizeof there), "connect");
	must((int)send(fd, request, length, 0), "send");
	must(epoll_ctl(poll, EPOLL_CTL_ADD, fd, &event), "epoll");
	sockets[number] = fd;
}

static void count(int number, const char *data, size_t length)
{
	const char *end = data + length;

	for (const char *at = data; (at = memmem(at, (size_t)(end - at), MARK, MARK_BYTES)); at += MARK_BYTES)
		parts[number]++;
}

static void stall(int number, char *room, int poll)
{
	if (recv(sockets[number], room, CHUNK, MSG_DONTWAIT) > 0)
		must(epoll_ctl(poll, EPOLL_CTL_DEL, sockets[number], NULL), "epoll");
	else if (errno != EAGAIN) {
		fprintf(stderr, "client %d was hung up on before it could stall\n", number);
		exit(1);
	}
}

static void take(int number, char *room, int counting)
{
	/* what was left of the last piece goes before this one, so that a mark cut in two is found */
	size_t before = tail_bytes[number];
	ssize_t got;

	memcpy(room, tails[number], before);
	got = recv(sockets[number], room + before, CHUNK, MSG_DONTWAIT);
	if (got <= 0) {
		if (got < 0 && errno == EAGAIN)
			return;
		fprintf(stderr, "client %d was hung up on\n", number);
		exit(1);
	}
	if (counting)
		count(number, room, before + (size_t)got);
	tail_bytes[number] = MARK_BYTES - 1 < before + (size_t)got ? MARK_BYTES - 1 : before + (size_t)got;
	memcpy(tails[number], room + before + (size_t)got - tail_bytes[number], tail_bytes[number]);
}

int main(int argc, char **argv)
{
	static char room[CHUNK + MARK_BYTES], request[4096];
	struct epoll_event events[64];
	int clients, stalled, readers, poll = must(epoll_create1(0), "epoll"), fewest, most;
	double began, ends;
	size_t length;
	FILE *file;

	if (argc < 5 || argc > 6 || (clients = atoi(argv[2])) < 1 || clients > MOST ||
	    (stalled = argc == 6 ? atoi(argv[5]) : 0) < 0 || (readers = clients - stalled) < 1 ||
	    !(file = fopen(argv[4], "rb"))) {
		fprintf(stderr, "drain PORT CLIENTS SECONDS REQUEST-FILE [STALLED]\n");
		return 2;
	}
	length = fread(request, 1, sizeof request, file);
	for (int number = 0; number < clients; number++)
		connect_one(number, atoi(argv[1]), request, length, poll);
	began = now() + 1;
	ends = began + atof(argv[3]);
	puts("connected");
	fflush(stdout);
	while (now() < ends) {
		int ready = epoll_wait(poll, events, 64, 20), counting = now() >= began;

		for (int at = 0; at < ready; at++) {
			int number = (int)events[at].data.u32;

			if (number < readers)
				take(number, room, counting);
			else
				stall(number, room, poll);
		}
	}
	fewest = most = parts[0];
	for (int number = 1; number < readers; number++) {
		fewest = parts[number] < fewest ? parts[number] : fewest;
		most = parts[number] > most ? parts[number] : most;
	}
	printf("%d %d\n", fewest, most);
	return 0;
}
