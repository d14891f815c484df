/* SPDX-License-Identifier: MIT */
/* What the trace remembers of threads, epolls and eventfds. */
#ifndef TRACE_KNOWN_H
#define TRACE_KNOWN_H

#include "emu/table.h"
#include "trace/call.h"

struct trace_thread {
	pid_t pid;
	pid_t tid;
	char name[TRACE_COMM];
	struct emu_list open; /* its calls, oldest first */
	/* It was stopped in a call that it makes again, see looker.c. */
	bool was_stopped;
	struct emu_call stopped_in;
	struct trace_stack *stack; /* what its registers gave, or NULL */
};

/* All zero is a good start. */
struct trace_known {
	struct emu_table threads; /* by thread id */
	struct emu_table epolls; /* by address of the instance */
	struct emu_table eventfds; /* by number */
};

/* Takes up the thread if it is new. NULL when there is no memory. */
struct trace_thread *trace_known_thread(
	struct trace_known *known, struct emu_thread *of);

/* Forgets a thread and returns it, for the caller to free. */
struct trace_thread *trace_known_take_thread(
	struct trace_known *known, const struct emu_thread *of);

/* Frees a thread that was taken. */
void trace_known_free_thread(struct trace_thread *thread);

/* An object was made by a call, or has gone. */
void trace_known_made(struct trace_known *known,
	const struct emu_object *object, const struct emu_call *call);
void trace_known_gone(
	struct trace_known *known, const struct emu_object *object);

/* The number of an emulated epoll; 0 when it is not known. */
uint64_t trace_known_number(
	const struct trace_known *known, const struct emu_epoll *epoll);

/* What the epoll's item with this descriptor is; NULL when not known. */
const struct trace_fd *trace_known_item(
	const struct trace_known *known, const struct emu_epoll *epoll, int fd);

/* epoll_ctl() added or changed an item, or with `gone` removed it. */
void trace_known_set_item(struct trace_known *known,
	const struct emu_epoll *epoll, const struct trace_fd *item, bool gone);

/* A transfer, or that it was taken back: the eventfd's count after it. */
uint64_t trace_known_transfer(struct trace_known *known,
	const struct emu_object *object, const struct emu_call *call, bool back,
	uint64_t at_ns);
uint64_t trace_known_count(const struct trace_known *known, uint64_t eventfd);

/* In the trace's terms: what woke a call. */
void trace_known_cause(struct trace_known *known, struct trace_cause *to,
	const struct emu_cause *cause, uint64_t at_ns);

void trace_known_clear(struct trace_known *known);

#endif
