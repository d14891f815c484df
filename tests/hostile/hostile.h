/* SPDX-License-Identifier: MIT */
/*
 * What the processes of one arena share: the arena itself, the honest
 * clients, and the actors of the chaos. It lies in a memfd that each of them
 * finds under HOSTILE_FD, so that it survives exec and needs no epoll.
 */
#ifndef HOSTILE_H
#define HOSTILE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum {
	HOSTILE_FD = 60, /* the memfd */
	HOSTILE_MAIL = 61, /* two ends of a socket, descriptors go by it */
	HOSTILE_FD_LIMIT = 64, /* RLIMIT_NOFILE of an actor */
	HOSTILE_ACTORS = 20,
	HOSTILE_MOST_LIVE = 40, /* actors and their children */
	HOSTILE_MOST_HONEST = 16,
	HOSTILE_MOST_ACTIONS = 64,
	HOSTILE_PAGE = 65536, /* as large as any kernel's page */
	HOSTILE_GOOD = 3, /* exit status of an arena that found no fault */
};

/* One honest client. */
struct hostile_client {
	_Atomic uint64_t progress; /* goes up with each right answer */
};

struct hostile {
	_Atomic int stop; /* the honest clients are to end */
	_Atomic int chaos_over; /* the actors are to end */
	bool tame; /* no action may free a process of its parent */
	_Atomic pid_t actor[HOSTILE_ACTORS];
	struct hostile_client client[HOSTILE_MOST_HONEST];
	/* From here on actors write, too: */
	_Alignas(HOSTILE_PAGE) _Atomic int live; /* with children, about */
	_Atomic uint64_t did[HOSTILE_MOST_ACTIONS];
	_Atomic uint64_t good_calls, failed_calls;
};

/*
 * The mapped memfd, or NULL. An actor can only read the first page. It goes on
 * with registers of two contexts at times, when a handler forges its frame
 * where another had just put one; then it stores anywhere, and it must neither
 * end the game nor change what is counted.
 */
struct hostile *hostile_map(bool actor);

#endif
