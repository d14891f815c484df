/* SPDX-License-Identifier: MIT */
/*
 * The table of operations. Names are those of the calls they make; one that
 * makes several, or has an argument the call has not, has a name of its own.
 */
#define _GNU_SOURCE
#include "ops.h"
#include <string.h>

static const struct op ops[] = {
	{"epoll_create", op_epoll_create, 1, 1, OP_PLAIN, 0},
	{"epoll_create1", op_epoll_create1, 1, 1, OP_PLAIN, 0},
	{"epoll_ctl", op_epoll_ctl, 5, 0, OP_PLAIN, 0},
	{"epoll_ctl_bad", op_epoll_ctl_bad, 3, 0, OP_PLAIN, 0},
	{"epoll_wait", op_epoll_wait, 3, 0, OP_TIMED, 2},
	{"epoll_wait_any_order", op_epoll_wait_any_order, 2, 0, OP_TIMED, 1},
	{"epoll_wait_fits", op_epoll_wait_fits, 4, 0, OP_TIMED, 2},
	{"epoll_pwait", op_epoll_pwait, 4, 0, OP_TIMED, 2},
	{"epoll_pwait2", op_epoll_pwait2, 4, 0, OP_TIMED, 2},
	{"epoll_pwait2_bad", op_epoll_pwait2_bad, 4, 0, OP_ENDS, 0},
	{"eventfd", op_eventfd, 1, 1, OP_PLAIN, 0},
	{"eventfd2", op_eventfd2, 2, 1, OP_PLAIN, 0},
	{"eventfd_count", op_eventfd_count, 1, 0, OP_PLAIN, 0},
	{"pipe2", op_pipe2, 1, 2, OP_PLAIN, 0},
	{"dup", op_dup, 1, 1, OP_PLAIN, 0},
	{"dup2", op_dup2, 2, 0, OP_PLAIN, 0},
	{"dupfd", op_dupfd, 3, 1, OP_PLAIN, 0},
	{"close", op_close, 1, 0, OP_PLAIN, 0},
	{"fcntl", op_fcntl, 3, 0, OP_PLAIN, 0},
	{"ioctl", op_ioctl, 3, 0, OP_PLAIN, 0},
	{"link", op_link, 1, 0, OP_PLAIN, 0},
	{"lseek", op_lseek, 3, 0, OP_PLAIN, 0},
	{"read", op_read, 2, 0, OP_PLAIN, 0},
	{"readv", op_readv, 3, 0, OP_PLAIN, 0},
	{"read_bad", op_read_bad, 2, 0, OP_PLAIN, 0},
	{"pread", op_pread, 3, 0, OP_PLAIN, 0},
	{"write", op_write, 2, 0, OP_PLAIN, 0},
	{"write8", op_write8, 2, 0, OP_PLAIN, 0},
	{"writev", op_writev, 3, 0, OP_PLAIN, 0},
	{"write_bad", op_write_bad, 2, 0, OP_PLAIN, 0},
	{"poll", op_poll, 3, 0, OP_PLAIN, 0},
	{"poll_file", op_poll_file, 2, 0, OP_PLAIN, 0},
	{"socketpair", op_socketpair, 1, 2, OP_PLAIN, 0},
	{"tcp_pair", op_tcp_pair, 1, 2, OP_ENDS, 0},
	{"tcp_listen", op_tcp_listen, 1, 1, OP_PLAIN, 0},
	{"tcp_connect", op_tcp_connect, 2, 1, OP_ENDS, 0},
	{"tcp_accept", op_tcp_accept, 2, 1, OP_PLAIN, 0},
	{"send", op_send, 3, 0, OP_PLAIN, 0},
	{"recv", op_recv, 3, 0, OP_PLAIN, 0},
	{"shutdown", op_shutdown, 2, 0, OP_PLAIN, 0},
	{"sendfd", op_sendfd, 2, 0, OP_PLAIN, 0},
	{"recvfd", op_recvfd, 2, 1, OP_PLAIN, 0},
	{"timerfd_create", op_timerfd_create, 2, 1, OP_PLAIN, 0},
	{"timerfd_expire", op_timerfd_expire, 2, 0, OP_ENDS, 0},
	{"timerfd_set", op_timerfd_set, 2, 0, OP_PLAIN, 0},
	{"fork", op_fork, 1, 0, OP_SPAWN, 0},
	{"thread", op_thread, 1, 0, OP_SPAWN, 0},
	{"exit", op_exit, 0, 0, OP_EXIT, 0},
	{"kill", op_kill, 1, 0, OP_KILL, 0},
	{"signal", op_signal, 1, 0, OP_ENDS, 0},
	{"handler", op_handler, 1, 0, OP_PLAIN, 0},
	{"sigmask", op_sigmask, 1, 0, OP_PLAIN, 0},
	{"stop", op_stop, 1, 0, OP_ENDS, 0},
	{"unshare", op_unshare, 1, 0, OP_PLAIN, 0},
};

const struct op *op_find(const char *name)
{
	for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
		if (strcmp(ops[i].name, name) == 0)
			return &ops[i];
	}
	return NULL;
}

void call_set_slot(struct call *c, unsigned which, long fd)
{
	if (fd >= 0)
		c->self->slot[c->step->out[which]] = (int)fd;
}
