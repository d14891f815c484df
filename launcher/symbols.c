/* SPDX-License-Identifier: MIT */
/*
 * Names for addresses: the supervisor's side.
 *
 * The files with the names are the program's, and what reads them (libdw,
 * libiberty) is large: a file that is made to break it must not take the
 * supervisor along. So a program of its own does it, epemu-symbols, which is
 * beside epemu or where it was installed. If that crashes, or has not answered
 * in ten seconds, it is ended, the file in question stays without names, and
 * the next question starts another. After a number of these there are no names
 * any more.
 */
#define _GNU_SOURCE
#include "launcher/symbols.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "emu/loop.h"
#include "launcher/fds.h"

#define PROGRAM "epemu-symbols"

#define PATIENCE_NS 10000000000u

enum { MOST_FAILURES = 16 };

struct emu_symbols {
	pid_t pid; /* 0: not running */
	int socket;
	char path[PATH_MAX]; /* of the program; "" if it is not there */
	int failures;
	uint64_t failed[MOST_FAILURES]; /* inodes of the files */
};

/* Where epemu itself is, in the tree that it was built in, or installed. */
static void find_program(struct emu_symbols *symbols)
{
	char *end = symbols->path + sizeof(symbols->path);
	ssize_t length = readlink("/proc/self/exe", symbols->path,
		sizeof(symbols->path) - sizeof(PROGRAM));
	char *name;

	symbols->path[length > 0 ? length : 0] = '\0';
	name = strrchr(symbols->path, '/');
	name = name ? name + 1 : symbols->path;
	snprintf(name, (size_t)(end - name), PROGRAM);
	if (access(symbols->path, X_OK) == 0)
		return;
	snprintf(symbols->path, sizeof(symbols->path), EMU_LIBEXEC "/" PROGRAM);
	if (access(symbols->path, X_OK) < 0)
		symbols->path[0] = '\0';
}

struct emu_symbols *emu_symbols_create(const struct emu_log *log)
{
	struct emu_symbols *symbols = calloc(1, sizeof(struct emu_symbols));

	if (!symbols)
		return NULL;
	find_program(symbols);
	if (!symbols->path[0])
		emu_logf(log, "stacks come without names: there is no " PROGRAM
			      " beside epemu or in " EMU_LIBEXEC
			      "; install it with epemu");
	return symbols;
}

static void stop(struct emu_symbols *symbols)
{
	if (!symbols->pid)
		return;
	kill(symbols->pid, SIGKILL);
	close(symbols->socket);
	while (waitpid(symbols->pid, NULL, 0) < 0 && errno == EINTR)
		;
	symbols->pid = 0;
}

void emu_symbols_destroy(struct emu_symbols *symbols)
{
	if (!symbols)
		return;
	stop(symbols);
	free(symbols);
}

static _Noreturn void become_program(
	const struct emu_symbols *symbols, int socket, pid_t supervisor)
{
	char number[16];

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	emu_fds_close_others(&socket, 1);
	fcntl(socket, F_SETFD, 0);
	snprintf(number, sizeof(number), "%d", socket);
	if (getppid() == supervisor)
		execl(symbols->path, PROGRAM, number, (char *)NULL);
	_exit(EXIT_FAILURE);
}

static int start(struct emu_symbols *symbols)
{
	pid_t supervisor = getpid();
	int pair[2];

	if (symbols->pid)
		return 0;
	if (emu_fds_pair(pair) < 0)
		return -1;
	symbols->pid = fork();
	if (symbols->pid == 0)
		become_program(symbols, pair[1], supervisor);
	close(pair[1]);
	symbols->socket = pair[0];
	if (symbols->pid > 0)
		return 0;
	close(pair[0]);
	symbols->pid = 0;
	return -1;
}

static bool has_failed(const struct emu_symbols *symbols, uint64_t inode)
{
	for (int i = 0; i < symbols->failures; i++) {
		if (symbols->failed[i] == inode)
			return true;
	}
	return false;
}

/* The guard's timer interrupts what sleeps, again and again. */
static bool wait_for_answer(const struct emu_symbols *symbols)
{
	struct pollfd readable = {.fd = symbols->socket, .events = POLLIN};
	uint64_t until_ns = emu_loop_now_ns() + PATIENCE_NS;
	uint64_t now_ns;
	int ready;

	do {
		now_ns = emu_loop_now_ns();
		if (now_ns >= until_ns)
			return false;
		ready = poll(
			&readable, 1, (int)((until_ns - now_ns) / 1000000) + 1);
	} while (ready == 0 || (ready < 0 && errno == EINTR));
	return ready > 0;
}

static int exchange(struct emu_symbols *symbols,
	const struct emu_symbol_question *question,
	struct emu_symbol_answer *answer)
{
	if (send(symbols->socket, question, sizeof(*question), MSG_NOSIGNAL) !=
			sizeof(*question) ||
		!wait_for_answer(symbols) ||
		recv(symbols->socket, answer, sizeof(*answer), MSG_DONTWAIT) !=
			sizeof(*answer))
		return -1;
	answer->function[sizeof(answer->function) - 1] = '\0';
	answer->file[sizeof(answer->file) - 1] = '\0';
	return 0;
}

int emu_symbols_ask(struct emu_symbols *symbols, pid_t tid,
	const struct emu_module *module, enum emu_symbol_kind kind,
	uint64_t address, struct emu_symbol_answer *answer)
{
	struct emu_symbol_question question = {
		.kind = kind,
		.tid = tid,
		.start = module->start,
		.end = module->first_end,
		.inode = module->inode,
		.address = address,
	};

	if (!module->inode || !symbols->path[0] ||
		symbols->failures == MOST_FAILURES ||
		has_failed(symbols, module->inode) || start(symbols) < 0)
		return -1;
	strncpy(question.path, module->path, sizeof(question.path) - 1);
	if (exchange(symbols, &question, answer) == 0)
		return 0;
	stop(symbols);
	symbols->failed[symbols->failures++] = module->inode;
	return -1;
}
