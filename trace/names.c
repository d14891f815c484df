/* SPDX-License-Identifier: MIT */
/*
 * What a descriptor of a program is, in a few words.
 *
 * A copy of the descriptor is fetched, asked and closed at once. Sockets are
 * asked for their addresses, pipes for their number; all else is what /proc
 * says of it. The arrow of a connection goes from our end to the peer's.
 */
#include "trace/names.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/un.h>
#include <unistd.h>

#include "emu/proc.h"
#include "trace/utf8.h"

union address {
	struct sockaddr any;
	struct sockaddr_in in;
	struct sockaddr_in6 in6;
	struct sockaddr_un un;
	struct sockaddr_storage room;
};

static void ip_text(char *text, size_t size, const union address *address)
{
	char host[INET6_ADDRSTRLEN] = "?";

	if (address->any.sa_family == AF_INET) {
		inet_ntop(AF_INET, &address->in.sin_addr, host, sizeof(host));
		snprintf(
			text, size, "%s:%u", host, ntohs(address->in.sin_port));
	} else {
		inet_ntop(
			AF_INET6, &address->in6.sin6_addr, host, sizeof(host));
		snprintf(text, size, "[%s]:%u", host,
			ntohs(address->in6.sin6_port));
	}
}

static const char *protocol(int type)
{
	return type == SOCK_STREAM ? "TCP" : type == SOCK_DGRAM ? "UDP" : "IP";
}

static void name_ip(char *name, int copy, const union address *own)
{
	union address peer = {.room = {0}};
	socklen_t size = sizeof(peer);
	socklen_t type_size = sizeof(int);
	char here[64];
	char there[64];
	int type = 0;

	getsockopt(copy, SOL_SOCKET, SO_TYPE, &type, &type_size);
	ip_text(here, sizeof(here), own);
	if (getpeername(copy, &peer.any, &size) == 0) {
		ip_text(there, sizeof(there), &peer);
		snprintf(name, TRACE_NAME, "%s %.40s→%.40s", protocol(type),
			here, there);
	} else {
		snprintf(name, TRACE_NAME, "%s %s", protocol(type), here);
	}
}

static bool name_socket(char *name, int copy)
{
	union address own = {.room = {0}};
	socklen_t size = sizeof(own);

	if (getsockname(copy, &own.any, &size) < 0)
		return false;
	if (own.any.sa_family == AF_INET || own.any.sa_family == AF_INET6) {
		name_ip(name, copy, &own);
		return true;
	}
	if (own.any.sa_family == AF_UNIX && own.un.sun_path[0]) {
		snprintf(name, TRACE_NAME, "UNIX %.80s", own.un.sun_path);
		return true;
	}
	return false;
}

/* Is it a pipe, and not one with a name in a file system? */
static bool is_pipe(int copy, const struct stat *st)
{
	struct statfs system;

	return S_ISFIFO(st->st_mode) && fstatfs(copy, &system) == 0 &&
	       system.f_type == PIPEFS_MAGIC;
}

/* As /proc has it, which takes longer to say so. */
static void name_pipe(char *name, int copy, const struct stat *st)
{
	int mode = fcntl(copy, F_GETFL) & O_ACCMODE;

	snprintf(name, TRACE_NAME, "pipe:[%llu] %s",
		(unsigned long long)st->st_ino,
		mode == O_RDONLY ? "read" : "write");
}

static void name_file(char *name, int copy)
{
	static const char anon[] = "anon_inode:";
	char path[32];
	char link[TRACE_NAME - 8];
	const char *text = link;
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", copy);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return;
	link[length] = '\0';
	if (strncmp(link, anon, sizeof(anon) - 1) == 0)
		text += sizeof(anon) - 1;
	snprintf(name, TRACE_NAME, "%s", text);
}

void trace_name_copy(struct trace_fd *fd, int copy, int number)
{
	struct stat st = {.st_mode = 0};

	*fd = (struct trace_fd){.number = number, .kind = TRACE_FD_OTHER};
	fstat(copy, &st);
	if (is_pipe(copy, &st))
		name_pipe(fd->name, copy, &st);
	else if (!S_ISSOCK(st.st_mode) || !name_socket(fd->name, copy))
		name_file(fd->name, copy);
	trace_utf8_clean(fd->name);
}

void trace_name_fd(struct trace_fd *fd, struct emu_thread *thread, int number)
{
	int copy = emu_target_fetch(thread, number);

	*fd = (struct trace_fd){.number = number};
	if (copy < 0)
		return;
	trace_name_copy(fd, copy, number);
	close(copy);
}

void trace_name_object(
	struct trace_fd *fd, enum emu_kind kind, uint64_t object, int number)
{
	bool epoll = kind == EMU_KIND_EPOLL;

	fd->number = number;
	fd->kind = epoll ? TRACE_FD_EPOLL : TRACE_FD_EVENTFD;
	fd->object = object;
	snprintf(fd->name, sizeof(fd->name), "%s#%llu",
		epoll ? "epoll" : "eventfd", (unsigned long long)object);
}

void trace_name_thread(char *name, pid_t tid)
{
	char path[64];
	char text[TRACE_COMM + 2];

	snprintf(path, sizeof(path), "/proc/%d/comm", (int)tid);
	emu_proc_read(path, text, sizeof(text));
	text[strcspn(text, "\n")] = '\0';
	trace_utf8_clean(text);
	memcpy(name, text, TRACE_COMM);
	name[TRACE_COMM - 1] = '\0';
}
