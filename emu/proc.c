/* SPDX-License-Identifier: MIT */
/*
 * Reading /proc: what the kernel tells of threads and descriptors there is
 * made anew for each read, and small enough for one.
 */
#include "proc.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

ssize_t emu_proc_read(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t length;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	length = read(fd, text, size - 1);
	if (length < 0)
		length = -errno;
	else
		text[length] = '\0';
	close(fd);
	return length;
}

/* Takes the line of groups away; false: its end has not been read yet. */
static bool leave_out(char *groups)
{
	char *end = strchr(groups + 1, '\n');

	if (end)
		memmove(groups, end, strlen(end) + 1);
	else
		groups[1] = '\0';
	return end;
}

ssize_t emu_proc_read_status(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t length = 0, room;
	char *groups = NULL;
	bool without = false;
	ssize_t n;

	text[0] = '\0';
	if (fd < 0)
		return -errno;
	do {
		room = size - 1 - length;
		n = read(fd, text + length, room);
		if (n <= 0)
			break;
		length += (size_t)n;
		text[length] = '\0';
		if (!groups)
			groups = strstr(text, "\nGroups:");
		if (groups && !without)
			without = leave_out(groups);
		length = strlen(text);
	} while ((size_t)n == room);
	if (n < 0)
		n = -errno;
	close(fd);
	return n < 0 ? n : (ssize_t)length;
}

enum emu_anon emu_proc_anon(int fd)
{
	char path[32];
	char link[32];
	ssize_t length;

	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	length = readlink(path, link, sizeof(link) - 1);
	if (length < 0)
		return EMU_ANON_OTHER;
	link[length] = '\0';
	if (strcmp(link, "anon_inode:[signalfd]") == 0)
		return EMU_ANON_SIGNALFD;
	if (strcmp(link, "anon_inode:[perf_event]") == 0)
		return EMU_ANON_PERF;
	return strcmp(link, "anon_inode:[pidfd]") == 0 ? EMU_ANON_PIDFD
						       : EMU_ANON_OTHER;
}
