/* SPDX-License-Identifier: MIT */
/* Which processes have a file, and could wake those who wait for it. */
#ifndef STATS_HOLDERS_H
#define STATS_HOLDERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum stats_source_kind {
	STATS_SOURCE_EVENTFD, /* `id` is the kernel's number for it */
	STATS_SOURCE_PIPE, /* `id` is its inode, for both ends */
	STATS_SOURCE_SOCKET, /* `id` is its inode */
	STATS_SOURCE_EPOLL, /* the one at `fd` of `process` */
	STATS_SOURCE_MEMORY, /* that of `process` */
};

/* Something through which a process may be woken. */
struct stats_source {
	enum stats_source_kind kind;
	uint64_t id;
	pid_t process;
	int fd;
};

/*
 * Takes an item's name, "pipe:[123]" or "socket:[123]", apart. False when it
 * is neither.
 */
bool stats_holders_parse(const char *name, struct stats_source *source);

/* The eventfd at `fd`. Errors: -ENOENT. */
int stats_holders_eventfd(pid_t process, int fd, struct stats_source *source);

/* The pipes and sockets that a process has. */
struct stats_files {
	struct stats_source *all;
	size_t count;
};

/* Errors: -ENOMEM, and those of opening a folder of /proc. */
int stats_holders_list(pid_t process, struct stats_files *files);
bool stats_holders_listed(
	const struct stats_files *files, const struct stats_source *source);

/*
 * Has the process a descriptor through which the kernel may have been given a
 * file, to write to it with no thread at work: of io_uring, KVM, a device?
 */
bool stats_holders_kernel_has(pid_t process);

/*
 * Calls `found` with the index of a source and the process for each that has
 * it, but for this one. In doubt a process of the program, a descendant of this
 * one, has all of them. False when /proc cannot be read.
 */
bool stats_holders_each(const struct stats_source *sources, size_t count,
	void (*found)(void *ctx, size_t index, pid_t holder), void *ctx);

#endif
