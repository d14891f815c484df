/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's side of --dump.
 *
 * The socket has an abstract address, so nothing is left behind by a
 * supervisor that is killed. Everybody can connect to it; who is on the other
 * end is asked of the kernel, and all but the supervisor's own user and root
 * find it closed.
 *
 * A client must not hold up the program: it is written to only when it reads,
 * one client at a time (the next ones wait in the kernel), and one that has
 * not read everything after five seconds is dropped. The same timer has the
 * socket rest when there is no descriptor for a client.
 */
#define _GNU_SOURCE
#include "launcher/dump.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "emu/list.h"
#include "launcher/fds.h"

enum { PATIENCE_S = 5, BACKLOG = 128, ROOM = 16384 };

struct emu_dump {
	struct emu_loop *loop;
	void (*print)(void *ctx, FILE *out);
	void *ctx;
	struct emu_source listener, client, timer;
	int listener_fd, client_fd, timer_fd;
	char *answer; /* to the client, if there is one */
	size_t size, sent;
};

socklen_t emu_dump_address(struct sockaddr_un *address, pid_t supervisor)
{
	struct stat space = {0};
	int length;

	/* A pid means something in its namespace only. */
	stat("/proc/self/ns/pid", &space);
	memset(address, 0, sizeof(*address));
	address->sun_family = AF_UNIX;
	length = snprintf(address->sun_path + 1, sizeof(address->sun_path) - 1,
		"epemu-dump-%llu-%d", (unsigned long long)space.st_ino,
		(int)supervisor);
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + 1 +
			   (size_t)length);
}

static void set_timer(const struct emu_dump *dump, int seconds)
{
	struct itimerspec once = {.it_value.tv_sec = seconds};

	timerfd_settime(dump->timer_fd, 0, &once, NULL);
}

/* The client is done, in one way or the other: on to the next. */
static void finish_client(struct emu_dump *dump)
{
	if (dump->client_fd >= 0) {
		emu_loop_remove(dump->loop, dump->client_fd, &dump->client);
		close(dump->client_fd);
		dump->client_fd = -1;
	}
	free(dump->answer);
	dump->answer = NULL;
	set_timer(dump, 0);
	emu_loop_modify(
		dump->loop, dump->listener_fd, EPOLLIN, &dump->listener);
}

/* Until the timer or the client's end. */
static void stop_listening(struct emu_dump *dump)
{
	set_timer(dump, PATIENCE_S);
	emu_loop_modify(dump->loop, dump->listener_fd, 0, &dump->listener);
}

static void client_ready(struct emu_source *source, uint32_t events)
{
	struct emu_dump *dump =
		emu_container_of(source, struct emu_dump, client);

	(void)events;
	while (dump->sent < dump->size) {
		ssize_t sent = send(dump->client_fd, dump->answer + dump->sent,
			dump->size - dump->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

		if (sent < 0 && errno == EAGAIN)
			return;
		if (sent < 0)
			break;
		dump->sent += (size_t)sent;
	}
	finish_client(dump);
}

/* What the client is to get, with its head. */
static int make_answer(struct emu_dump *dump)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	int length = -1;

	if (!out)
		return -ENOMEM;
	dump->print(dump->ctx, out);
	if (fclose(out) == 0)
		length =
			asprintf(&dump->answer, EMU_DUMP_HEAD "%s", size, text);
	free(text);
	if (length < 0) {
		dump->answer = NULL;
		return -ENOMEM;
	}
	dump->size = (size_t)length;
	dump->sent = 0;
	return 0;
}

static bool may_ask(int client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(client, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	       (peer.uid == geteuid() || peer.uid == 0);
}

static void serve_client(struct emu_dump *dump)
{
	/* So much memory of the kernel's may a client take that does not read.
	 */
	int room = ROOM;

	setsockopt(dump->client_fd, SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	if (!may_ask(dump->client_fd) || make_answer(dump) < 0 ||
		emu_loop_add(dump->loop, dump->client_fd, EPOLLOUT,
			&dump->client) < 0) {
		close(dump->client_fd);
		dump->client_fd = -1;
		free(dump->answer);
		dump->answer = NULL;
		return;
	}
	stop_listening(dump);
	client_ready(&dump->client, EPOLLOUT);
}

static void listener_ready(struct emu_source *source, uint32_t events)
{
	struct emu_dump *dump =
		emu_container_of(source, struct emu_dump, listener);

	int fd;

	(void)events;
	if (dump->client_fd >= 0)
		return;
	fd = accept4(
		dump->listener_fd, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC);
	if (fd < 0 && (errno == EAGAIN || errno == ECONNABORTED))
		return;
	fd = emu_fds_raise(fd);
	if (fd >= 0) {
		dump->client_fd = fd;
		serve_client(dump);
	} else {
		stop_listening(dump);
	}
}

static void timer_ready(struct emu_source *source, uint32_t events)
{
	(void)events;
	finish_client(emu_container_of(source, struct emu_dump, timer));
}

/* Names can be guessed before they are used; then it is one that cannot. */
static int bind_somewhere(int fd)
{
	struct sockaddr_un address;
	socklen_t length = emu_dump_address(&address, getpid());
	uint64_t random;

	if (bind(fd, (struct sockaddr *)&address, length) == 0)
		return 0;
	if (errno != EADDRINUSE ||
		getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		return -errno;
	length += (socklen_t)snprintf((char *)&address + length,
		sizeof(address) - length, "-%016llx",
		(unsigned long long)random);
	return bind(fd, (struct sockaddr *)&address, length) < 0 ? -errno : 0;
}

static int open_socket(struct emu_dump *dump)
{
	int rc;

	dump->listener_fd = emu_fds_raise(
		socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
	dump->timer_fd = emu_fds_raise(
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	if (dump->listener_fd < 0 || dump->timer_fd < 0)
		return -EMFILE;
	rc = bind_somewhere(dump->listener_fd);
	if (rc < 0)
		return rc;
	if (listen(dump->listener_fd, BACKLOG) < 0)
		return -errno;
	dump->listener.ready = listener_ready;
	dump->client.ready = client_ready;
	dump->timer.ready = timer_ready;
	if (emu_loop_add(dump->loop, dump->timer_fd, EPOLLIN, &dump->timer) < 0)
		return -ENOMEM;
	return emu_loop_add(
		dump->loop, dump->listener_fd, EPOLLIN, &dump->listener);
}

struct emu_dump *emu_dump_create(
	struct emu_loop *loop, void (*print)(void *ctx, FILE *out), void *ctx)
{
	struct emu_dump *dump = calloc(1, sizeof(*dump));
	int error;

	if (!dump)
		return NULL;
	dump->loop = loop;
	dump->print = print;
	dump->ctx = ctx;
	dump->listener_fd = dump->client_fd = dump->timer_fd = -1;
	error = open_socket(dump);
	if (error == 0)
		return dump;
	emu_dump_destroy(dump);
	errno = -error;
	return NULL;
}

static void drop(struct emu_dump *dump, int fd, struct emu_source *source)
{
	if (fd < 0)
		return;
	emu_loop_remove(dump->loop, fd, source);
	close(fd);
}

void emu_dump_destroy(struct emu_dump *dump)
{
	if (!dump)
		return;
	drop(dump, dump->client_fd, &dump->client);
	drop(dump, dump->listener_fd, &dump->listener);
	drop(dump, dump->timer_fd, &dump->timer);
	free(dump->answer);
	free(dump);
}
