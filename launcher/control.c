/* SPDX-License-Identifier: MIT */
/*
 * The control socket between the supervisor and the launcher process.
 *
 * The supervisor tells, the launcher process acts on it; the launcher's replies
 * are single bytes about its own stops. The socket keeps messages whole and in
 * order; its closing tells either side that the other is gone. The supervisor
 * must never wait for the launcher, which is stopped whenever the user stops
 * the job while other processes of the program run on; so what does not fit is
 * queued, lines up to a limit, changes of the program's state without one.
 */
#define _GNU_SOURCE
#include "launcher/control.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include "emu/list.h"

enum { MOST_QUEUED = 1000 };

struct queued {
	struct emu_list link;
	size_t size;
	struct emu_message message;
};

struct emu_control {
	struct emu_source source;
	struct emu_loop *loop;
	int fd; /* -1 once the launcher is gone */
	struct emu_list queue;
	struct queued *spare; /* for what is no line, if there is no memory */
	int queue_length;
	unsigned long lost; /* lines that the queue had no room for */
	void (*replied)(void *ctx, enum emu_reply reply);
	void (*gone)(void *ctx);
	void *ctx;
};

/* Fills *message; returns how much of it is to be sent. */
static size_t build(struct emu_message *message, enum emu_message_kind kind,
	int value, const char *text)
{
	size_t length = strnlen(text, EMU_MESSAGE_TEXT);

	message->kind = kind;
	message->value = value;
	memcpy(message->text, text, length);
	message->text[length] = '\0';
	return offsetof(struct emu_message, text) + length + 1;
}

/* False: there is no room for it now. */
static bool put(int fd, const struct emu_message *message, size_t size)
{
	return send(fd, message, size, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0 ||
	       (errno != EAGAIN && errno != ENOBUFS && errno != ENOMEM);
}

int emu_control_receive(int fd, struct emu_message *message)
{
	ssize_t size;

	/* ECONNRESET: a reply was not read. What was sent comes after it. */
	do
		size = recv(fd, message, sizeof(*message), MSG_DONTWAIT);
	while (size < 0 && (errno == EINTR || errno == ECONNRESET));
	if (size < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	if (size <= (ssize_t)offsetof(struct emu_message, text))
		return -EPIPE;
	message->text[EMU_MESSAGE_TEXT] = '\0';
	return 1;
}

static struct queued *first_queued(struct emu_control *control)
{
	/* The analyzer does not see that what was freed left the list. */
	/* NOLINTNEXTLINE(clang-analyzer-unix.Malloc) */
	return emu_container_of(control->queue.next, struct queued, link);
}

static void drop_first(struct emu_control *control)
{
	struct queued *queued = first_queued(control);

	emu_list_remove(&queued->link);
	free(queued);
	control->queue_length--;
}

static void drop_queue(struct emu_control *control)
{
	while (!emu_list_empty(&control->queue))
		drop_first(control);
}

static void close_control(struct emu_control *control)
{
	emu_loop_remove(control->loop, control->fd, &control->source);
	close(control->fd);
	control->fd = -1;
	drop_queue(control);
	free(control->spare);
	control->spare = NULL;
}

static void lose_launcher(struct emu_control *control)
{
	close_control(control);
	control->gone(control->ctx);
}

static void tell_lost(struct emu_control *control)
{
	char text[96];

	if (!control->lost)
		return;
	snprintf(text, sizeof(text),
		"%lu messages were lost while epemu did not run",
		control->lost);
	control->lost = 0;
	emu_control_send(control, EMU_MESSAGE_LINE, 0, text);
}

/* Sends from the queue what the socket takes. */
static void flush(struct emu_control *control)
{
	while (!emu_list_empty(&control->queue)) {
		const struct queued *queued = first_queued(control);

		if (!put(control->fd, &queued->message, queued->size))
			return;
		drop_first(control);
	}
	emu_loop_modify(control->loop, control->fd, EPOLLIN, &control->source);
	tell_lost(control);
}

static void take_replies(struct emu_control *control)
{
	ssize_t size;
	char reply;

	while (control->fd >= 0) {
		size = recv(control->fd, &reply, sizeof(reply), MSG_DONTWAIT);
		if (size > 0)
			control->replied(control->ctx, reply);
		else if (size == 0)
			lose_launcher(control);
		else if (errno != EINTR && errno != ECONNRESET)
			return;
	}
}

static void control_ready(struct emu_source *source, uint32_t events)
{
	struct emu_control *control =
		emu_container_of(source, struct emu_control, source);

	take_replies(control);
	if (control->fd >= 0 && events & EPOLLOUT)
		flush(control);
}

struct emu_control *emu_control_create(struct emu_loop *loop, int fd,
	void (*replied)(void *ctx, enum emu_reply reply),
	void (*gone)(void *ctx), void *ctx)
{
	struct emu_control *control = calloc(1, sizeof(*control));

	if (!control)
		return NULL;
	control->source.ready = control_ready;
	control->loop = loop;
	control->fd = fd;
	control->replied = replied;
	control->gone = gone;
	control->ctx = ctx;
	emu_list_init(&control->queue);
	control->spare = malloc(sizeof(*control->spare));
	if (!control->spare ||
		emu_loop_add(loop, fd, EPOLLIN, &control->source) < 0) {
		free(control->spare);
		free(control);
		return NULL;
	}
	return control;
}

static void enqueue(struct emu_control *control,
	const struct emu_message *message, size_t size)
{
	struct queued *queued;

	if (message->kind == EMU_MESSAGE_LINE &&
		control->queue_length >= MOST_QUEUED) {
		control->lost++;
		return;
	}
	queued = malloc(sizeof(*queued));
	if (!queued && message->kind == EMU_MESSAGE_LINE)
		control->lost++;
	if (!queued && message->kind != EMU_MESSAGE_LINE) {
		queued = control->spare;
		control->spare = NULL;
	}
	if (!queued)
		return;
	queued->size = size;
	memcpy(&queued->message, message, size);
	emu_list_add_tail(&queued->link, &control->queue);
	control->queue_length++;
	emu_loop_modify(control->loop, control->fd, EPOLLIN | EPOLLOUT,
		&control->source);
}

void emu_control_send(struct emu_control *control, enum emu_message_kind kind,
	int value, const char *text)
{
	struct emu_message message;
	size_t size = build(&message, kind, value, text);

	if (control->fd < 0)
		return;
	if (control->queue_length || !put(control->fd, &message, size))
		enqueue(control, &message, size);
}

void emu_control_send_raw(struct emu_control *control, const char *text)
{
	char piece[EMU_MESSAGE_TEXT + 1];
	size_t length;

	if (control->queue_length >= MOST_QUEUED) {
		control->lost++;
		return;
	}
	for (; *text; text += length) {
		length = strnlen(text, EMU_MESSAGE_TEXT);
		memcpy(piece, text, length);
		piece[length] = '\0';
		emu_control_send(
			control, EMU_MESSAGE_RAW, !text[length], piece);
	}
}

void emu_control_destroy(struct emu_control *control)
{
	if (!control)
		return;
	while (control->fd >= 0 && control->queue_length) {
		struct pollfd wait = {.fd = control->fd, .events = POLLOUT};

		if (poll(&wait, 1, -1) > 0 && wait.revents != POLLOUT)
			break;
		flush(control);
	}
	if (control->fd >= 0)
		close_control(control);
	free(control);
}

void emu_control_reply(int fd, enum emu_reply reply)
{
	send(fd, &(char){reply}, 1, MSG_NOSIGNAL | MSG_DONTWAIT);
}

void emu_control_send_now(int fd, const char *text)
{
	struct emu_message message;

	put(fd, &message, build(&message, EMU_MESSAGE_LINE, 0, text));
}
