/* SPDX-License-Identifier: MIT */
/*
 * What can be seen of the interception while it works: trace, statistics and
 * the like are observers. An observer is told what happens, in order, on the
 * supervisor's only thread; it must not call back into the interception, and
 * what it is shown is valid during the callback only. With none registered
 * each place costs one look at an empty list.
 *
 * A call's life: received, then perhaps parked and woken (several times, when
 * a wake brought it nothing), then finished, once. A call that a signal cut
 * off and that its thread makes again is received again; `again` says so,
 * right after that.
 */
#ifndef EMU_OBSERVER_H
#define EMU_OBSERVER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "calls.h"
#include "epoll_emul.h"
#include "list.h"
#include "object.h"
#include "target.h"

struct emu_intercept;

/* How a call came to its end. */
enum emu_end {
	EMU_END_ANSWERED, /* with `result` */
	EMU_END_GIVEN, /* with a new descriptor, `result` */
	EMU_END_CONTINUED, /* the kernel carries it out */
	/* A signal ended its sleep. `result` is -EINTR for a wait; for a read
	 * or write it is that or another try, as SA_RESTART says. */
	EMU_END_INTERRUPTED,
	/* A signal came before the answer. It took no effect; the thread
	 * makes it again. */
	EMU_END_VOIDED,
	/* The same, but it took effect: it returns `result` all the same. */
	EMU_END_LATE,
	EMU_END_GONE, /* its thread ended in it */
};

struct emu_finish {
	const struct emu_call *call;
	enum emu_end how;
	int64_t result;
	uint64_t at_ns;
	int signal; /* that interrupted it; 0 when that is not known */
	/*
	 * A wait with a result above 0: its events; they are the first items
	 * of its epoll's ready list, see emu_epoll_harvested().
	 */
	const struct emu_event *events;
	int left; /* items on the ready list that are not among them */
};

/* Why something woke up. */
enum emu_cause_kind {
	EMU_CAUSE_UNKNOWN,
	EMU_CAUSE_FILE, /* a wake-up of a watched file */
	EMU_CAUSE_CALL, /* what another call did, or left for others */
	EMU_CAUSE_DEADLINE,
	EMU_CAUSE_SIGNALFD, /* a signal for a signalfd */
	EMU_CAUSE_END, /* the thread that had been woken ended */
};

struct emu_cause {
	enum emu_cause_kind kind;
	/* FILE, SIGNALFD: the item's descriptor, -1 when it has several. */
	int fd;
	const struct emu_epoll *epoll; /* of that item, or NULL */
	uint64_t eventfd; /* number of the emulated eventfd, 0 for another */
	/* CALL: which. */
	const struct emu_call *call;
};

struct emu_observer {
	struct emu_list link; /* on the interception's list */
	void *ctx;

	/* Each may be NULL. Times are emu_loop_now_ns(). */
	void (*received)(
		void *ctx, const struct emu_call *call, uint64_t at_ns);
	/*
	 * The call just received is an earlier one of its thread, made again.
	 * `ended`: that one was reported as finished with its result, and
	 * this one will be so once more. Else it goes on as that one, whose
	 * id was `earlier`.
	 */
	void (*again)(void *ctx, const struct emu_call *call, uint64_t earlier,
		bool ended);
	/*
	 * An epoll_ctl() is about this file, which is no emulated one; `fd` is
	 * a descriptor of ours for the time of the call.
	 */
	void (*file)(void *ctx, const struct emu_call *call, int fd);
	void (*finished)(void *ctx, const struct emu_finish *finish);
	/*
	 * Are the registers of the thread of this call wanted, which was just
	 * received? They take a ptrace stop, after which the thread makes the
	 * call again: for what cannot be had otherwise, and not twice for one
	 * call.
	 */
	bool (*wants_registers)(void *ctx, const struct emu_call *call);
	/*
	 * Here they are, see emu_arch_get_registers(); NULL when the thread
	 * cannot be stopped, and the call goes on. Not called when a signal
	 * came first: the call is received again.
	 */
	void (*registers)(void *ctx, const struct emu_call *call,
		const uint64_t *registers);
	/* It sleeps, until EMU_DEADLINE_NEVER or earlier. */
	void (*parked)(void *ctx, const struct emu_call *call,
		uint64_t until_ns, uint64_t at_ns);
	/* A wake or its deadline chose the sleeper; it is served presently. */
	void (*woken)(void *ctx, const struct emu_call *call,
		const struct emu_cause *cause, uint64_t at_ns);
	/* What becomes of it is told later, without its object. */
	void (*put_off)(void *ctx, const struct emu_call *call);
	/*
	 * It found nothing, and sleeps on: a spurious wake, if it was woken
	 * since it was parked.
	 */
	void (*slept_on)(
		void *ctx, const struct emu_call *call, uint64_t at_ns);
	/* A watched file had a wake-up. */
	void (*stirred)(
		void *ctx, const struct emu_cause *cause, uint64_t at_ns);
	/* An item came onto the ready list that was not there. */
	void (*queued)(void *ctx, const struct emu_epoll *epoll,
		const struct emu_item *item, const struct emu_cause *cause,
		uint64_t at_ns);
	/*
	 * A trapped read took, or a write added, call->value; with `back` that
	 * is undone, since the call has not been made.
	 */
	void (*counter)(void *ctx, const struct emu_object *eventfd,
		const struct emu_call *call, bool back, uint64_t at_ns);
	/* `call` made the object; its descriptor is the call's result. */
	void (*object_made)(void *ctx, const struct emu_object *object,
		const struct emu_call *call);
	void (*object_gone)(void *ctx, const struct emu_object *object);
	void (*thread_seen)(void *ctx, struct emu_thread *thread);
	/* Its calls were finished before. */
	void (*thread_gone)(void *ctx, struct emu_thread *thread);
};

/*
 * Takes up an observer, which must outlive the interception or be removed,
 * before the first call is received.
 */
void emu_observer_add(
	struct emu_intercept *intercept, struct emu_observer *observer);
void emu_observer_remove(struct emu_observer *observer);

#endif
