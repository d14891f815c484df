/* SPDX-License-Identifier: MIT */
/* epemu --dump: asks a running supervisor for its state. */
#ifndef EMU_DUMP_H
#define EMU_DUMP_H

#include <stdio.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "emu/loop.h"

/* The first line of an answer, with the size in bytes of what follows it. */
#define EMU_DUMP_HEAD "epemu-dump-1 %zu\n"

/*
 * The address of the socket of the supervisor with this pid, as seen in the
 * caller's pid namespace. Returns its length. If somebody else has taken it,
 * there are more bytes behind, a dash first.
 */
socklen_t emu_dump_address(struct sockaddr_un *address, pid_t supervisor);

/*
 * In the supervisor: answers each client with what `print` writes. Only
 * clients of its own user and root get any. NULL, with errno set, when there
 * is no socket to be had.
 */
struct emu_dump;

struct emu_dump *emu_dump_create(
	struct emu_loop *loop, void (*print)(void *ctx, FILE *out), void *ctx);
void emu_dump_destroy(struct emu_dump *dump); /* NULL is ignored */

/*
 * The command: prints what the supervisor says that serves `pid`, which may
 * be an epemu, its supervisor, or a process that runs under it. Returns the
 * status to exit with.
 */
int emu_dump_ask(const char *pid);

#endif
