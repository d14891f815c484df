/* SPDX-License-Identifier: MIT */
/* Descriptors of the launcher's processes. */
#ifndef EMU_FDS_H
#define EMU_FDS_H

#include <stddef.h>
#include <sys/types.h>

/*
 * Moves a descriptor of ours out of the standard ones, which the program may
 * have inherited closed and must find closed. Takes over `fd`; the result is
 * close-on-exec. Returns it, or a negative errno (also for a negative `fd`,
 * which is handed through).
 */
int emu_fds_raise(int fd);

/* socketpair(2) of SOCK_SEQPACKET, both ends as emu_fds_raise() leaves them. */
int emu_fds_pair(int pair[2]);

/* Points 0, 1 and, if `with_stderr`, 2 to /dev/null, or else closes them. */
void emu_fds_drop_stdio(int with_stderr);

/* Closes all descriptors from 3 on but those in `keep` (may hold -1). */
void emu_fds_close_others(const int *keep, size_t count);

/*
 * Raises the limit of open files: beyond the hard one with CAP_SYS_RESOURCE,
 * else up to it. Each file that the emulation watches takes some.
 */
void emu_fds_raise_limit(void);

/* Makes / the working folder, so that no file system is kept busy by us. */
void emu_fds_leave_folder(void);

/* Sends one byte with `fd` along. Returns 0, or the errno of sendmsg(2). */
int emu_fds_send(int socket, int fd);

/*
 * Waits for a message, fills `data` with it, and *fd with the descriptor that
 * came along (close-on-exec) or -1. Returns the message's size, 0 when the
 * other end is gone, or the errno of recvmsg(2), negative.
 */
ssize_t emu_fds_receive(int socket, void *data, size_t size, int *fd);

#endif
