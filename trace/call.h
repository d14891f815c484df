/* SPDX-License-Identifier: MIT */
/*
 * One finished call as the trace's outputs see it: everything is decoded and
 * named, nothing refers to the interception or to a thread any more.
 */
#ifndef TRACE_CALL_H
#define TRACE_CALL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/types.h>

#include "emu/observer.h"
#include "trace/stack.h"

#define TRACE_NAME 96
#define TRACE_COMM 16
/* So many events of a wait are shown. */
#define TRACE_EVENTS 32

/* A descriptor of the program. */
struct trace_fd {
	int number;
	enum {
		TRACE_FD_UNKNOWN,
		TRACE_FD_EPOLL,
		TRACE_FD_EVENTFD,
		TRACE_FD_OTHER,
	} kind;
	uint64_t object; /* number of the emulated epoll or eventfd */
	bool counted; /* a transfer's eventfd */
	uint64_t count; /* after it, as far as trapped calls tell */
	char name[TRACE_NAME]; /* "epoll#1", "TCP 127.0.0.1:80→...", "" */
};

/* Copies no more of the name than there is. */
static inline void trace_fd_copy(
	struct trace_fd *to, const struct trace_fd *from)
{
	memcpy(to, from,
		offsetof(struct trace_fd, name) + strlen(from->name) + 1);
}

/* An event of a wait, with the item that it is about. */
struct trace_event {
	uint32_t events;
	uint64_t data;
	struct trace_fd fd;
};

enum trace_wake {
	TRACE_WAKE_NONE, /* it did not sleep, or sleeps still */
	TRACE_WAKE_FILE,
	TRACE_WAKE_CALL,
	TRACE_WAKE_TIMEOUT,
	TRACE_WAKE_SIGNAL,
	TRACE_WAKE_SIGNALFD,
	TRACE_WAKE_UNKNOWN,
};

/* What ended a call's sleep. */
struct trace_cause {
	enum trace_wake kind;
	struct trace_fd source; /* FILE, SIGNALFD: the item's descriptor */
	int signal; /* SIGNAL: 0 when it is not known */
	/* The call that did it: of a FILE, a write to that eventfd. */
	bool has_waker;
	enum emu_call_kind call;
	pid_t pid;
	pid_t tid;
	char thread[TRACE_COMM];
	uint64_t at_ns;
};

struct trace_call {
	struct emu_list link; /* on its thread's open calls */
	uint64_t id;
	pid_t pid;
	pid_t tid;
	char thread[TRACE_COMM];

	enum emu_call_kind kind;
	uint64_t args[6];
	struct trace_fd fd; /* the epoll or eventfd, or what it is instead */
	struct trace_fd item; /* of epoll_ctl() */
	struct emu_event event; /* of epoll_ctl() */
	bool has_event;
	uint64_t value; /* of a transfer */
	int64_t timeout_ns; /* of epoll_pwait2(); -1 for ever */
	bool bad_timeout; /* its memory cannot be read */

	uint64_t start_ns;
	uint64_t end_ns;
	uint64_t slept_ns; /* of that, parked */
	uint64_t parked_ns; /* since when, or 0 */
	unsigned int spurious; /* wakes that brought it nothing */
	bool silent; /* its result was shown before */
	struct trace_stack *stack; /* NULL: not asked for, or not found */

	enum emu_end how;
	int64_t result;
	struct trace_cause cause;
	int left; /* ready, and not among the events */
	int shown; /* of `events` */
	struct trace_event events[TRACE_EVENTS]; /* the last, as it is large */
};

/* Is its result a new descriptor of an epoll or eventfd? */
static inline bool trace_call_made_fd(const struct trace_call *call)
{
	return call->how == EMU_END_GIVEN ||
	       (call->how == EMU_END_LATE && emu_call_makes(call->kind));
}

#endif
