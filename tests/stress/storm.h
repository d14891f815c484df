/* SPDX-License-Identifier: MIT */
/*
 * A storm of signals at random threads at random moments.
 *
 * Four signals: with and without SA_RESTART, on the thread's own stack and
 * on an alternate one. No handler blocks another signal, so handlers nest up
 * to four deep. Each handler returns normally (no siglongjmp), and now and
 * then makes calls of its own that cannot fail with EINTR.
 */
#ifndef STORM_H
#define STORM_H

#include "stress.h"
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

#define STORM_SIGNALS 4

/* One thread that takes signals; it owns this while it lives. */
struct storm_target {
	pthread_t thread;
	pid_t tid;
	_Atomic bool ready; /* signals may come */
	_Atomic long sent; /* written by the storm thread */
	_Atomic long queued; /* real-time ones sent, not yet handled */
	_Atomic long handled; /* handlers entered */
	_Atomic long left; /* handlers left */
	_Atomic bool inside; /* storm_only_inside(): in the call */
	bool only_inside; /* a handler elsewhere is a failure */
	const char *_Atomic doing; /* for the watchdog */
	volatile unsigned active; /* bit i: in the handler of signal i */
	int probe_ep, probe_efd; /* private to the handlers */
	void *stack;
};

struct storm {
	pthread_t thread;
	struct storm_target *targets;
	unsigned count;
	unsigned gap_us; /* mean distance of two signals */
	unsigned slack; /* quarters of it more, on a busy machine */
	uint64_t stream;
	_Atomic bool stop;
	long total;
};

/* Called in each handler, when set. */
extern void (*storm_hook)(struct storm_target *t);

/* Installs the handlers, once for the process. */
void storm_install(void);
/* The signals of the storm. */
void storm_set(sigset_t *set);
/* Called first and last in each thread that takes signals. */
void storm_enter(struct storm_target *t);
void storm_leave(struct storm_target *t);

/*
 * From a hook: sends the calling thread a signal that it is not handling, so
 * its handler runs at once. False if it is handling all of them.
 */
bool storm_raise(struct storm_target *t);

/*
 * README, "The first signal": before signals come to several threads the caller
 * sends itself one, which cuts nobody off. It is a SIGURG, not to be blocked.
 */
void storm_send_first(void);

/* Begins with storm_send_first(). */
void storm_start(struct storm *s);
/* No signal is sent after this returned. */
void storm_stop(struct storm *s);
void storm_dump(const struct storm_target *t, unsigned count);

#endif
