/* SPDX-License-Identifier: MIT */
/*
 * Calls on any descriptor, and the files that need nothing but a call to be
 * made: eventfds and pipes. What is written depends on the place in the
 * program alone; its first eight bytes are a small number, so that they also
 * are something an eventfd takes.
 */
#define _GNU_SOURCE
#include "ops.h"
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

enum { BYTES_MAX = 200000 };

static unsigned char data_of[ACTORS][BYTES_MAX];

static unsigned char *data_for(const struct call *c, size_t count)
{
	unsigned char *data = data_of[c->self->number];
	uint64_t first = c->index + 1;

	for (size_t i = 0; i < count; i++)
		data[i] = (unsigned char)(c->index + i * 7);
	memcpy(data, &first, count < 8 ? count : 8);
	return data;
}

static size_t size_of(long arg)
{
	return arg < 0 ? 0 : arg > BYTES_MAX ? BYTES_MAX : (size_t)arg;
}

static void new_fd(struct call *c, long fd)
{
	call_set_slot(c, 0, fd);
	text_add_result(c->out, fd);
}

static void result(struct call *c, long r)
{
	text_add_result(c->out, outcome(r));
}

static void result_bytes(struct call *c, long r, const unsigned char *data)
{
	result(c, r);
	if (r > 0)
		text_add_bytes(c->out, data, r);
}

void op_eventfd(struct call *c)
{
#ifdef SYS_eventfd
	new_fd(c, outcome(syscall(SYS_eventfd, (unsigned)c->arg[0])));
#else
	new_fd(c, outcome(syscall(SYS_eventfd2, (unsigned)c->arg[0], 0)));
#endif
}

void op_eventfd2(struct call *c)
{
	new_fd(c, outcome(syscall(
			  SYS_eventfd2, (unsigned)c->arg[0], (int)c->arg[1])));
}

/* As /proc has it. */
void op_eventfd_count(struct call *c)
{
	char path[64], text[400] = "";

	snprintf(path, sizeof(path), "/proc/thread-self/fdinfo/%ld", c->arg[0]);
	FILE *f = fopen(path, "re");

	if (f) {
		size_t n = fread(text, 1, sizeof(text) - 1, f);

		text[n] = '\0';
		fclose(f);
	}
	const char *count = strstr(text, "eventfd-count:");
	const char *unit = strstr(text, "eventfd-semaphore:");

	if (!count)
		text_add(c->out, "none");
	else
		text_add(c->out, "%.31s%.20s", count, unit ? unit : "");
	for (uint32_t i = 0; i < c->out->len; i++) {
		if (c->out->data[i] == '\n')
			c->out->data[i] = ' ';
	}
}

void op_pipe2(struct call *c)
{
	int fd[2];
	long r = outcome(pipe2(fd, (int)c->arg[0]));

	text_add_result(c->out, r);
	if (r < 0)
		return;
	call_set_slot(c, 0, fd[0]);
	call_set_slot(c, 1, fd[1]);
	text_add(c->out, " %d %d", fd[0], fd[1]);
}

void op_dup(struct call *c)
{
	new_fd(c, outcome(dup((int)c->arg[0])));
}

/* Not over the standard streams, and not far away. */
void op_dup2(struct call *c)
{
	if (c->arg[1] < 3 || c->arg[1] > 500)
		text_add(c->out, "no place");
	else
		result(c, dup2((int)c->arg[0], (int)c->arg[1]));
}

void op_dupfd(struct call *c)
{
	new_fd(c,
		outcome(fcntl((int)c->arg[0], (int)c->arg[1], (int)c->arg[2])));
}

void op_close(struct call *c)
{
	result(c, close((int)c->arg[0]));
}

void op_fcntl(struct call *c)
{
	long r = outcome(fcntl((int)c->arg[0], (int)c->arg[1], (int)c->arg[2]));

	if (r > 0)
		text_add(c->out, "0x%lx", r);
	else
		text_add_result(c->out, r);
}

void op_ioctl(struct call *c)
{
	unsigned char data[64] = {0};
	int value = (int)c->arg[2];

	memcpy(data, &value, sizeof(value));
	result(c,
		syscall(SYS_ioctl, (int)c->arg[0], (unsigned)c->arg[1], data));
	text_add_bytes(c->out, data, 8);
}

/* What it is, without the number that tells one from another. */
void op_link(struct call *c)
{
	char path[64], name[128] = "";
	struct stat st = {0};

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%ld", c->arg[0]);
	long n = outcome(readlink(path, name, sizeof(name) - 1));

	if (n < 0) {
		text_add_result(c->out, n);
		return;
	}
	if (name[strcspn(name, "[")] && !strncmp(name, "anon", 4))
		text_add(c->out, "%s", name);
	else
		text_add(c->out, "%.*s", (int)strcspn(name, "["), name);
	fstat((int)c->arg[0], &st);
	text_add(c->out, " mode %o size %ld", (unsigned)st.st_mode,
		(long)st.st_size);
}

void op_lseek(struct call *c)
{
	result(c, lseek((int)c->arg[0], c->arg[1], (int)c->arg[2]));
}

void op_read(struct call *c)
{
	unsigned char *data = data_of[c->self->number];

	result_bytes(c, read((int)c->arg[0], data, size_of(c->arg[1])), data);
}

/* Into two pieces. */
void op_readv(struct call *c)
{
	unsigned char *data = data_of[c->self->number];
	size_t first = size_of(c->arg[1]) / 2;
	struct iovec iov[2] = {
		{data, first}, {data + first, size_of(c->arg[2]) / 2}};

	result_bytes(c, readv((int)c->arg[0], iov, 2), data);
}

void op_read_bad(struct call *c)
{
	result(c,
		read((int)c->arg[0], actor_edge(c->self), size_of(c->arg[1])));
}

void op_pread(struct call *c)
{
	unsigned char *data = data_of[c->self->number];

	result_bytes(c,
		pread((int)c->arg[0], data, size_of(c->arg[1]), c->arg[2]),
		data);
}

void op_write(struct call *c)
{
	size_t count = size_of(c->arg[1]);

	result(c, write((int)c->arg[0], data_for(c, count), count));
}

/* Eight bytes that are a number. */
void op_write8(struct call *c)
{
	uint64_t value = (uint64_t)c->arg[1];

	result(c, write((int)c->arg[0], &value, sizeof(value)));
}

void op_writev(struct call *c)
{
	size_t first = size_of(c->arg[1]) / 2, second = size_of(c->arg[2]) / 2;
	unsigned char *data = data_for(c, first + second);
	struct iovec iov[2] = {{data, first}, {data + first, second}};

	if (second >= 8)
		memcpy(data + first, "\1\0\0\0\0\0\0\0", 8);
	result(c, writev((int)c->arg[0], iov, 2));
}

void op_write_bad(struct call *c)
{
	result(c,
		write((int)c->arg[0], actor_edge(c->self), size_of(c->arg[1])));
}

static void do_poll(struct call *c, int timeout)
{
	struct pollfd pfd = {(int)c->arg[0], (short)c->arg[1], 0};

	result(c, poll(&pfd, 1, timeout));
	text_add(c->out, " 0x%x", (unsigned)(unsigned short)pfd.revents);
}

void op_poll(struct call *c)
{
	do_poll(c, (int)c->arg[2]);
}

/* At once, and not of an epoll. */
void op_poll_file(struct call *c)
{
	char path[64], name[32] = "";

	snprintf(path, sizeof(path), "/proc/thread-self/fd/%ld", c->arg[0]);
	if (readlink(path, name, sizeof(name) - 1) > 0 &&
		strstr(name, "eventpoll"))
		text_add(c->out, "an epoll");
	else
		do_poll(c, 0);
}
