/* SPDX-License-Identifier: MIT */
/*
 * The living state of an interception, for those who show or judge it: which
 * objects there are, their items, their ready lists, who waits on them. A walk
 * changes nothing that a program could see.
 */
#ifndef EMU_INSPECT_H
#define EMU_INSPECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct emu_intercept;

enum {
	EMU_VIEW_NAME = 64,
	EMU_VIEW_COMM = 16,
};

/* What an item's file is, as far as it can be told. */
enum emu_view_file {
	EMU_VIEW_UNKNOWN, /* no process was found that has it at that number */
	EMU_VIEW_EPOLL, /* an emulated one */
	EMU_VIEW_EVENTFD, /* an emulated one */
	EMU_VIEW_OTHER,
};

struct emu_view_epoll {
	uint64_t number; /* epoll#1 */
	size_t items;
	size_t queued; /* on the ready list */
	size_t waiters;
	uint64_t deliveries; /* waits that took events, until now */
};

struct emu_view_item {
	int fd;
	uint32_t events; /* the mask, ERR and HUP included */
	uint64_t data;
	bool queued; /* on the ready list */
	bool disabled; /* one-shot, reported, and not armed again */
	uint32_t ready; /* what the file is ready for now, within the mask */
	enum emu_view_file file;
	uint64_t number; /* of an emulated file */
	pid_t process; /* has the file at `fd`; 0 if unknown */
	char name[EMU_VIEW_NAME]; /* "socket:[123]", "eventfd#1", "" */
};

/* A thread that sleeps in a call. */
struct emu_view_waiter {
	pid_t tid;
	pid_t process;
	char comm[EMU_VIEW_COMM];
	const char *call; /* "epoll_wait" */
	int fd; /* its number for the object */
	uint64_t since_ns; /* CLOCK_MONOTONIC */
	uint64_t at_ns; /* when it times out, or EMU_DEADLINE_NEVER */
};

struct emu_view_eventfd {
	uint64_t number; /* eventfd#1 */
	bool semaphore;
	bool above_zero; /* a read would succeed */
	bool full; /* a write of 1 would have to wait */
	size_t waiters; /* in read and write */
};

/*
 * Called in this order: for each epoll, by number, the instance, its items by
 * age, the descriptor numbers of its ready list in order, its waiters; then
 * for each eventfd itself and its waiters. Each may be NULL.
 */
struct emu_visitor {
	void (*epoll)(struct emu_visitor *, const struct emu_view_epoll *);
	void (*item)(struct emu_visitor *, const struct emu_view_item *);
	void (*omitted)(struct emu_visitor *, size_t items); /* not shown */
	void (*queued)(struct emu_visitor *, int fd);
	void (*epoll_waiter)(
		struct emu_visitor *, const struct emu_view_waiter *);
	void (*eventfd)(struct emu_visitor *, const struct emu_view_eventfd *);
	void (*eventfd_waiter)(
		struct emu_visitor *, const struct emu_view_waiter *);
};

/*
 * Walks over everything, but shows no more than `most_items` items in all,
 * because naming and polling each takes some system calls. -ENOMEM when there
 * is no memory for it.
 */
int emu_inspect(struct emu_intercept *intercept, struct emu_visitor *visitor,
	size_t most_items);

#endif
