/* SPDX-License-Identifier: MIT */
/*
 * The operations of a program: what each does in the process of its actor,
 * and what the one who hands them out has to know of it.
 */
#ifndef DIFF_OPS_H
#define DIFF_OPS_H

#include "actor.h"
#include "program.h"
#include "text.h"
#include <errno.h>

enum op_kind {
	OP_PLAIN, /* may sleep until another actor does something */
	OP_ENDS, /* ends by itself */
	OP_TIMED, /* ends by itself if its timeout is above 0 */
	OP_POLL, /* what has happened must have arrived before it */
	OP_SPAWN, /* begins the actor that the first argument names */
	OP_KILL, /* ends the process of the actor that it names */
	OP_EXIT, /* ends the actor itself */
};

struct call {
	struct actor *self;
	const struct step *step;
	unsigned index; /* of the step; makes up the bytes that are written */
	long arg[ARGS_MAX];
	struct text *out;
};

struct op {
	const char *name;
	void (*run)(struct call *c);
	unsigned args, outs;
	enum op_kind kind;
	unsigned timeout_arg; /* of OP_TIMED */
};

const struct op *op_find(const char *name);

/* Puts a descriptor into the call's slot `which`; a failed one does not. */
void call_set_slot(struct call *c, unsigned which, long fd);

/* `result`, or the negative errno if it is -1. */
static inline long outcome(long result)
{
	return result == -1 ? -errno : result;
}

/* ops_epoll.c */
void op_epoll_create(struct call *c);
void op_epoll_create1(struct call *c);
void op_epoll_ctl(struct call *c);
void op_epoll_ctl_bad(struct call *c);
void op_epoll_wait(struct call *c);
void op_epoll_wait_any_order(struct call *c);
void op_epoll_wait_fits(struct call *c);
void op_epoll_pwait(struct call *c);
void op_epoll_pwait2(struct call *c);
void op_epoll_pwait2_bad(struct call *c);

/* ops_file.c */
void op_eventfd(struct call *c);
void op_eventfd2(struct call *c);
void op_eventfd_count(struct call *c);
void op_pipe2(struct call *c);
void op_dup(struct call *c);
void op_dup2(struct call *c);
void op_dupfd(struct call *c);
void op_close(struct call *c);
void op_fcntl(struct call *c);
void op_ioctl(struct call *c);
void op_link(struct call *c);
void op_lseek(struct call *c);
void op_read(struct call *c);
void op_readv(struct call *c);
void op_read_bad(struct call *c);
void op_pread(struct call *c);
void op_write(struct call *c);
void op_write8(struct call *c);
void op_writev(struct call *c);
void op_write_bad(struct call *c);
void op_poll(struct call *c);
void op_poll_file(struct call *c);

/* ops_socket.c */
void op_socketpair(struct call *c);
void op_tcp_pair(struct call *c);
void op_tcp_listen(struct call *c);
void op_tcp_connect(struct call *c);
void op_tcp_accept(struct call *c);
void op_send(struct call *c);
void op_recv(struct call *c);
void op_shutdown(struct call *c);
void op_sendfd(struct call *c);
void op_recvfd(struct call *c);

/* ops_timer.c */
void op_timerfd_create(struct call *c);
void op_timerfd_expire(struct call *c);
void op_timerfd_set(struct call *c);

/* ops_actor.c */
void op_fork(struct call *c);
void op_thread(struct call *c);
void op_exit(struct call *c);
void op_kill(struct call *c);
void op_signal(struct call *c);
void op_handler(struct call *c);
void op_sigmask(struct call *c);
void op_stop(struct call *c);
void op_unshare(struct call *c);

#endif
