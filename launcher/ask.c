/* SPDX-License-Identifier: MIT */
/*
 * epemu --dump PID, the asking side.
 *
 * PID may be any process that has to do with an epemu: itself, a child (the
 * supervisor of the epemu with that PID) or an ancestor has the socket. Its
 * address could be taken by anybody, so the kernel is asked whether the
 * process that listens is the very one; and what it says is printed without
 * control characters.
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "launcher/dump.h"
#include "launcher/launch.h"
#include "launcher/tree.h"

enum { PATIENCE_S = 30, FOREIGN = -2 };

/* Somebody who may be the one takes no client at the moment. */
static bool busy;

/*
 * A connection to the supervisor `pid` by this address; -1 if it is none,
 * FOREIGN if it is another user's.
 */
static int connect_by(
	const struct sockaddr_un *address, socklen_t length, pid_t pid)
{
	struct timeval patience = {.tv_sec = PATIENCE_S};
	struct ucred peer;
	socklen_t size = sizeof(peer);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	int error = -1;

	if (fd < 0)
		return -1;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof(patience));
	if (connect(fd, (const struct sockaddr *)address, length) < 0) {
		busy |= errno == EAGAIN;
	} else if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
		   peer.pid == pid) {
		error = FOREIGN;
		if ((geteuid() == 0 || peer.uid == geteuid()) &&
			fcntl(fd, F_SETFL, 0) == 0)
			return fd;
	}
	close(fd);
	return error;
}

/*
 * The same by the names that begin with the usual one, which somebody else
 * may have taken.
 */
static int connect_by_search(
	const struct sockaddr_un *usual, socklen_t length, pid_t pid)
{
	const size_t size = length - offsetof(struct sockaddr_un, sun_path) - 1;
	FILE *sockets = fopen("/proc/net/unix", "re");
	char line[512];
	int fd = -1;

	while (sockets && fd == -1 && fgets(line, sizeof(line), sockets)) {
		struct sockaddr_un address = *usual;
		const char *name = strchr(line, '@');
		size_t more;

		if (!name ||
			strncmp(name + 1, usual->sun_path + 1, size) != 0 ||
			name[1 + size] != '-')
			continue;
		more = strcspn(name + 1 + size, "\n");
		if (length + more > sizeof(address))
			continue;
		memcpy((char *)&address + length, name + 1 + size, more);
		fd = connect_by(&address, length + (socklen_t)more, pid);
	}
	if (sockets)
		fclose(sockets);
	return fd;
}

/* The same by any name. */
static int connect_to(pid_t pid)
{
	struct sockaddr_un address;
	socklen_t length = emu_dump_address(&address, pid);
	int fd = connect_by(&address, length, pid);

	return fd == -1 ? connect_by_search(&address, length, pid) : fd;
}

static int connect_to_child(pid_t parent)
{
	const struct dirent *entry;
	int fd = -1;
	DIR *processes = opendir("/proc");

	if (!processes)
		return -1;
	while (fd == -1 && (entry = readdir(processes))) {
		pid_t pid = (pid_t)strtol(entry->d_name, NULL, 10), its_parent;

		if (pid > 0 && emu_tree_state(pid, &its_parent) &&
			its_parent == parent)
			fd = connect_to(pid);
	}
	closedir(processes);
	return fd;
}

static int look_for(pid_t pid)
{
	int fd = connect_to(pid);

	if (fd == -1)
		fd = connect_to_child(pid);
	while (fd == -1 && emu_tree_state(pid, &pid) && pid > 0)
		fd = connect_to(pid);
	return fd;
}

static int find(pid_t pid)
{
	static const struct timespec pause = {.tv_nsec = 10000000};
	int rest = PATIENCE_S * 100, fd;

	do {
		busy = false;
		fd = look_for(pid);
	} while (
		fd == -1 && busy && rest-- > 0 && nanosleep(&pause, NULL) == 0);
	return fd;
}

/* Returns whether all that was announced came, and could be written. */
static bool print_answer(FILE *from)
{
	size_t size, done;
	int byte;

	if (fscanf(from, "epemu-dump-1 %zu", &size) != 1 || getc(from) != '\n')
		return false;
	for (done = 0; done < size && (byte = getc(from)) != EOF; done++) {
		if (byte != '\n' && (byte < ' ' || byte > '~'))
			byte = '?';
		putchar(byte);
	}
	return fflush(stdout) == 0 && !ferror(stdout) && done == size;
}

static int fail(const char *what, const char *pid, const char *advice)
{
	fprintf(stderr, "epemu: %s %.20s; %s\n", what, pid, advice);
	return EMU_EXIT_FAILURE;
}

int emu_dump_ask(const char *pid)
{
	char *end;
	long number = strtol(pid, &end, 10);
	bool done;
	FILE *from;
	int fd;

	if (*end || number <= 0 || number > INT32_MAX)
		return fail("--dump takes a process number, not", pid,
			"see 'epemu --help'");
	fd = find((pid_t)number);
	if (fd == FOREIGN)
		return fail("another user's epemu serves process", pid,
			"ask as that user or as root");
	from = fd >= 0 ? fdopen(fd, "r") : NULL;
	if (!from)
		return fail("no epemu serves process", pid,
			"give the number of an epemu or of a process under "
			"it");
	done = print_answer(from);
	fclose(from);
	return done ? 0
		    : fail("the answer was cut short that came from process",
			      pid, "try again");
}
