/* SPDX-License-Identifier: MIT */
/*
 * An honest client that takes in bytes from a pipe, edge-triggered, and checks
 * each: what is lost, doubled or out of place is seen at once.
 */
#define _GNU_SOURCE
#include "honest.h"

#include <stdatomic.h>

static uint8_t byte_at(uint64_t position)
{
	return (uint8_t)(position * 0x9e3779b97f4a7c15u >> 56);
}

/* Writes the bytes of all positions, in pieces, to its end. */
static void pour(int fd, _Atomic uint64_t *written)
{
	uint8_t bytes[700];
	uint64_t at = 0;

	while (going()) {
		size_t len = 1 + stress_below(&rng, sizeof(bytes));

		/* What has just 8 bytes is looked at by the supervisor. */
		if (stress_below(&rng, 3) == 0)
			len = 8;
		for (size_t i = 0; i < len; i++)
			bytes[i] = byte_at(at + i);
		at += (uint64_t)good(write(fd, bytes, len));
		atomic_store(written, at);
		stress_sleep_us(stress_below(&rng, 600));
	}
	_exit(0);
}

/* All bytes that are there now. Returns the end's place, or at the end 0. */
static uint64_t drain(int fd, uint64_t at, bool *ended)
{
	uint8_t bytes[512];

	for (;;) {
		size_t room = stress_below(&rng, 2) ? sizeof(bytes) : 8;
		ssize_t len = read(fd, bytes, room);

		if (len <= 0) {
			must(len == 0 || errno == EAGAIN, "read: %s",
				strerror(errno));
			*ended = len == 0;
			return at;
		}
		/* On a slow machine the pipe may never be empty. */
		progressed();
		for (ssize_t i = 0; i < len; i++, at++)
			must(bytes[i] == byte_at(at), "wrong byte %llu",
				(unsigned long long)at);
	}
}

/* Bytes through a pipe, edge-triggered. */
void bytes(void)
{
	_Atomic uint64_t *written = stress_shared(sizeof(*written));
	bool ended = false;
	uint64_t at = 0;
	int fd[2], ep;

	begin();
	x_pipe(fd, 0);
	ep = x_epoll();
	pid_t pid = stress_fork();

	if (pid == 0) {
		x_close(fd[0]);
		pour(fd[1], written);
	}
	x_close(fd[1]);
	x_nonblock(fd[0]);
	x_add(ep, fd[0], EPOLLIN | EPOLLET, 5);
	while (!ended) {
		must(x_wait1(ep, -1, NULL) == 5, "wrong data");
		at = drain(fd[0], at, &ended);
		answered();
	}
	stress_join(pid);
	must(at == atomic_load(written), "%llu bytes of %llu",
		(unsigned long long)at, (unsigned long long)*written);
	stress_ok("%llu bytes", (unsigned long long)at);
}
