/* SPDX-License-Identifier: MIT */
/*
 * A channel of counted traffic: an eventfd, a pipe or a socket, with what
 * went in and what came out.
 *
 * An eventfd channel counts units, modulo 2^64. A stream carries a pattern
 * that depends on the position, so a byte that is lost, doubled or out of
 * order is seen at once. The writing end of a stream blocks; eventfds and
 * reading ends do not.
 */
#ifndef CHANNEL_H
#define CHANNEL_H

#include "stress.h"
#include <pthread.h>
#include <stdatomic.h>

enum channel_kind {
	CHANNEL_EVENTFD,
	CHANNEL_BIG, /* an eventfd near its limit: writes get EAGAIN */
	CHANNEL_SEMA, /* a semaphore eventfd */
	CHANNEL_PIPE,
	CHANNEL_PAIR,
	CHANNEL_TCP,
	CHANNEL_KINDS
};

struct channel {
	enum channel_kind kind;
	int rfd, wfd;
	pthread_mutex_t wlock; /* orders the writers of a stream */
	pthread_mutex_t rlock; /* orders its readers; unused for one-shot */
	_Atomic uint64_t produced, consumed;
	_Atomic long writes; /* successful write calls */
	_Atomic long delivered; /* events received for it */
	_Atomic long armed; /* times it could be delivered: ADD, MOD */
	_Atomic int owner; /* one-shot: the waiter at work, plus one */
};

void channel_open(struct channel *ch, enum channel_kind kind);
void channel_close(struct channel *ch);
bool channel_is_eventfd(const struct channel *ch);

/* One write of random size; false if full for now, or interrupted. */
bool channel_put(struct channel *ch, struct stress_rng *rng);

/*
 * One read of at most `max` bytes of a stream, or of an eventfd's counter;
 * false if there was nothing. The caller keeps other readers away.
 */
bool channel_take(struct channel *ch, size_t max);

void channel_dump(const struct channel *ch, unsigned count);

#endif
