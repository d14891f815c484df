/* SPDX-License-Identifier: MIT */
/*
 * What the files of the interception share: the supervisor's state, the
 * parked calls, and the functions that pass a call on. Internal to this floor.
 */
#ifndef EMU_SUPERVISOR_H
#define EMU_SUPERVISOR_H

#include <stdbool.h>
#include <stdint.h>

#include "calls.h"
#include "epoll_emul.h"
#include "fdtable.h"
#include "intercept.h"
#include "loop.h"
#include "observer.h"
#include "placeholder.h"
#include "table.h"
#include "target.h"
#include "watch.h"

/* Room for so many events there always is. */
#define EMU_EVENTS 256

/* One uid's share of fs.epoll.max_user_watches. */
struct emu_user {
	struct emu_user *next;
	uid_t uid;
	struct emu_epoll_user epoll;
};

/* How far the search for what has gone is, see sweep.c. */
struct emu_sweep {
	size_t at[EMU_KINDS]; /* the object that is next */
	size_t left; /* so many of each kind are still to be looked at */
	bool stale; /* something was made since the search began */
	uint64_t next_whole_ns; /* not before then all at once again */
};

/* Whose memory may be under userfaultfd(2), see faults.c. */
struct emu_faults {
	pid_t program; /* that was started */
	struct emu_table processes; /* by id */
	uint64_t changes; /* so often it has grown */
	size_t prune_at; /* so many are looked through for ended ones */
};

struct emu_intercept {
	struct emu_loop *loop;
	int listener;
	const struct emu_log *log;
	void (*finished)(void *ctx);
	void *ctx;

	struct emu_source source; /* the listener */
	struct emu_source
		touched; /* memory of calls that wait for it is there */
	struct emu_settle settle;
	struct emu_threads *threads;
	struct emu_fdtable *fdtable;
	struct emu_watches watches;
	struct emu_user *users;
	long max_user_watches;

	struct emu_list observers;
	struct emu_cause cause; /* of what wakes now; kept while observed */

	struct emu_list parked; /* all parked calls */
	struct emu_list woken; /* those that a wake chose */
	struct emu_list unsettled; /* epolls whose bell needs a look */
	struct emu_list execs; /* execve() calls under way */
	struct emu_deadline exec_tick;
	size_t exec_count;
	size_t exec_most; /* more, and those that are over are looked for */
	struct emu_list exec_ended; /* since the last call was received */
	struct emu_list postponed; /* calls that will be looked at again */
	struct emu_deadline postponed_tick;

	struct emu_deadline housekeeping;
	struct emu_list signalfds; /* all watched ones */
	struct emu_deadline signalfd_tick;
	struct emu_sweep sweep;
	uint64_t unseen; /* calls that went void before they were received */
	uint64_t next_id; /* the cookie that the next call should have */
	bool begun; /* there was a call; the kernel picks its cookie */
	uint64_t exact_until_ns; /* see exact.c */
	size_t nested; /* items that are epolls */
	bool merged; /* all epolls have their edges together */
	bool mixed; /* an epoll's edges are in several parts */
	bool coarse; /* an epoll's placeholder needs the doorbell for all */
	size_t sleepers; /* waits that are parked, and not dead */
	struct emu_faults faults;
	bool warned_32bit;
	bool warned_denied;
	bool warned_full;
	bool warned_debugger, warned_untraced;

	/* Room for events on their way from the engine to a target. */
	struct emu_event *events;
	char *events_out;
	int events_room; /* at least EMU_EVENTS */

	struct emu_call_count counts[EMU_CALLS];
};

/* A call that waits for its answer. */
struct emu_parked {
	struct emu_list link; /* on intercept->parked */
	struct emu_list woken_link; /* on intercept->woken */
	struct emu_deadline deadline;
	struct emu_intercept *intercept;
	struct emu_call call;
	struct emu_object *object;
	uint64_t since_ns;
	/*
	 * The call was cut off (a signal, or its thread ended). It is on no
	 * queue any more, and stays only to be recognised if it comes again.
	 */
	bool dead;
	bool expired; /* its deadline has come */
	bool resumes; /* stopped by us: made again, it sleeps on */
	bool delayed; /* it is to be served when its memory is there */
	bool kept; /* a wake chose it while an execve() was under way */

	struct emu_waiter waiter; /* epoll_wait() and its kin */
	uint64_t at_ns; /* its deadline, for a call made again */
	uint64_t shared; /* the shared watch that woke it; 0: none did */
	struct emu_wait wait; /* read or write of an eventfd */
	int counter_fd; /* keeps the eventfd open meanwhile */
	uint64_t value; /* to write */
};

/* Why a call that a signal cut off is remembered. */
enum emu_void {
	EMU_VOID_WAIT, /* it slept in epoll_wait(): it has to fail with EINTR */
	EMU_VOID_SLEPT, /* it slept in an eventfd: as SA_RESTART says */
	EMU_VOID_AGAIN, /* it cannot fail with EINTR: it has to run again */
	EMU_VOID_DONE, /* it took effect: it has to return its result */
	EMU_VOID_UNDECIDED, /* not made: its handler's frame tells */
	EMU_VOID_HELD, /* the same, in vain: made again, it is not stopped */
};

/* answer.c: answers; count and trace what a call came to. */

/* Returns 0, or -ENOENT when the call is void; nothing was delivered then. */
int emu_answer(struct emu_intercept *intercept, const struct emu_call *call,
	int64_t result);

/* Counts a call that ended with this result. */
void emu_answer_tally(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result);

/* Answers a call that took no effect yet and cannot be interrupted. */
void emu_answer_plain(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result);

/* Answers a call that took effect: if void, it returns the result later. */
void emu_answer_done(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result);

/*
 * The same, with the number of a descriptor that the thread has now. `sent`:
 * it was answered by that.
 */
void emu_answer_given(struct emu_intercept *intercept,
	const struct emu_call *call, int number, bool sent);

/* The kernel carries the call out. */
void emu_answer_continue(
	struct emu_intercept *intercept, const struct emu_call *call);

/* The thread may not be looked at: says so once, and answers EPERM. */
void emu_answer_tell_denied(
	struct emu_intercept *intercept, const struct emu_call *call);
void emu_answer_denied(
	struct emu_intercept *intercept, const struct emu_call *call);

/* The supervisor's own table of descriptors is full: says so once. */
void emu_answer_full(struct emu_intercept *intercept);

/* intercept.c: serves a call that was received. */
void emu_intercept_call(struct emu_intercept *intercept, struct emu_call *call);
/* Forgets all that is known of a thread but that it is there. */
void emu_intercept_reset_thread(
	struct emu_intercept *intercept, struct emu_thread *thread);

/* dispatch.c: one function per call. */
void emu_dispatch(struct emu_intercept *intercept, struct emu_call *call);
/*
 * A call that takes no effect because there is no memory for it: ENOMEM, or the
 * kernel carries it out where that comes to the same.
 */
void emu_dispatch_no_memory(
	struct emu_intercept *intercept, const struct emu_call *call);
/* A call that was dispatched before and not answered. */
void emu_dispatch_again(struct emu_intercept *intercept, struct emu_call *call);
/* The same, when its memory is there. */
void emu_dispatch_ready(struct emu_intercept *intercept, struct emu_call *call);
/*
 * The emulated epoll that is the call's first argument. NULL if there is none
 * to be had: the call was answered then.
 */
struct emu_object *emu_dispatch_epoll(
	struct emu_intercept *intercept, struct emu_call *call);

/* create.c */
void emu_call_epoll_create(struct emu_intercept *, struct emu_call *);
void emu_call_eventfd(struct emu_intercept *, struct emu_call *);

/* ctl.c */
void emu_call_epoll_ctl(struct emu_intercept *, struct emu_call *);

/* wait.c */
void emu_call_epoll_wait(struct emu_intercept *, struct emu_call *);
/* Makes room for so many events. False: there is no memory. */
bool emu_wait_make_room(struct emu_intercept *intercept, int room);
/* A wake chose this call, or its deadline came. */
void emu_wait_serve(struct emu_parked *parked, bool expired);
/* The call came again after ptrace let it go: it sleeps on. */
void emu_wait_resume(struct emu_parked *parked, const struct emu_call *call);
/*
 * Its thread is in a stop, on its way out of the call: what is there goes into
 * its memory and registers, and `parked` is gone. False: it has to sleep on.
 */
bool emu_wait_serve_stopped(struct emu_parked *parked);

/* Would the wait, which was not carried out yet, sleep now? */
bool emu_wait_would_sleep(
	struct emu_intercept *intercept, const struct emu_call *call);
/* Would it find an event now? None is taken. */
bool emu_wait_has_events(
	struct emu_intercept *intercept, const struct emu_call *call);

/* rw.c */
void emu_call_read_write(struct emu_intercept *, struct emu_call *);
void emu_rw_serve(struct emu_parked *parked);
/*
 * Would a read or write (`kind`) through our descriptor `fd` of a file not
 * sleep now?
 */
bool emu_rw_never_blocks(enum emu_call_kind kind, int fd);

/*
 * parked.c: the wake-ups of the epoll's files that came before the call that
 * is being served are known from here on.
 */
void emu_intercept_drain(
	struct emu_intercept *intercept, struct emu_object *object);
/*
 * The epoll is to share a watch with others: its edges and theirs come
 * together from now on. Errors: those of epoll_ctl(2); all edges are heeded
 * then, since some of the epoll's are here and some there.
 */
int emu_intercept_merge(
	struct emu_intercept *intercept, struct emu_object *object);
/* The same for all epolls there are; those to come join them. */
void emu_intercept_merge_all(struct emu_intercept *intercept);
struct emu_parked *emu_parked_create(struct emu_intercept *intercept,
	const struct emu_call *call, struct emu_object *object);
/* Leaves the waiters; a wake that it had goes to the next that it is for. */
void emu_parked_pass_on(struct emu_parked *parked);
/* Leaves all queues, for good; with `pass_on` hands its wake to the next. */
void emu_parked_kill(struct emu_parked *parked, bool pass_on);
void emu_parked_destroy(struct emu_parked *parked);
/* A wake or the deadline chose it, or what kept it is over. */
void emu_parked_serve(struct emu_parked *parked, bool expired);
/* A signal took its thread out of it: it is remembered as that, and gone. */
void emu_parked_interrupted(struct emu_parked *parked);
/* A wake chose it: it is served before the next call. */
void emu_parked_woken(struct emu_parked *parked);
bool emu_parked_is_wait(const struct emu_parked *parked);
/* Does its thread still sleep in it? */
bool emu_parked_valid(const struct emu_parked *parked);

/* voided.c: calls that signals cut off. */
void emu_voided_add(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_void why, int64_t result);
/* The same; observers were told already. */
void emu_voided_remember(
	const struct emu_call *call, enum emu_void why, int64_t result);
void emu_voided_clear(struct emu_thread *thread);
/*
 * Takes the memory for remembering one more call of the thread, and its answer,
 * before the call takes effect. False: there is none.
 */
bool emu_voided_reserve(struct emu_thread *thread);
/*
 * The kernel took this answer, or (`kernels`) carries the call out itself, in
 * which it will sleep; see mend.c for what that is worth.
 */
void emu_voided_note_answer(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result, bool kernels);
/*
 * A call comes from a thread: settles what it says about an earlier call of
 * that thread. True when that answered it.
 */
bool emu_voided_arrival(struct emu_intercept *, struct emu_call *);

/* mend.c: frames set right when a handler returns. */
void emu_call_rt_sigreturn(struct emu_intercept *, struct emu_call *);
/* Looks again at returns that were postponed. */
void emu_mend_tick(struct emu_intercept *intercept);

/* deferred.c: lists of calls that will be looked at again, oldest first. */
/* False: there is no memory. */
bool emu_deferred_add(struct emu_list *list, const struct emu_call *call);
/* Takes the oldest; false if there is none. */
bool emu_deferred_take(struct emu_list *list, struct emu_call *call);
/* Forgets those of the thread; NULL: all. */
void emu_deferred_drop(struct emu_list *list, const struct emu_thread *thread);

/* exact.c: answers that cannot be lost. */
/* A signal came to one of the threads. */
void emu_exact_signal(struct emu_intercept *intercept);
/* Is it a call whose result could be lost, were it answered at once? */
bool emu_exact_is_due(
	struct emu_intercept *intercept, const struct emu_call *call);
/*
 * For one that is due and is about to take effect. True: it will be served in a
 * stop of its thread, or was already; it is void. Or there was no memory for
 * that, and it was answered.
 */
bool emu_exact_stop(
	struct emu_intercept *intercept, const struct emu_call *call);

/* hold.c: calls that are served in a ptrace stop. */
enum emu_hold_use {
	EMU_HOLD_SERVE, /* the call is carried out */
	EMU_HOLD_LOOK, /* observers are told the registers */
	EMU_HOLD_NOTHING, /* the thread is to be let go */
};

/*
 * Has the thread of the call stop; what is to be done in the stop is done when
 * it comes, perhaps at once. Errors: those of emu_stop_seize(), -EBUSY,
 * -ENOMEM; the call is as it was then.
 */
int emu_hold_begin(struct emu_intercept *intercept, const struct emu_call *call,
	enum emu_hold_use use);
/* A status of a thread. True if it was a stop that was waited for. */
bool emu_hold_status(
	struct emu_intercept *intercept, struct emu_thread *thread, int status);
/* Another call of the thread came: it has left the one that was held. */
void emu_hold_left(struct emu_intercept *intercept, struct emu_thread *thread);
void emu_hold_forget(struct emu_thread *thread);

/* faults.c: processes that made a userfaultfd, and those they forked. */
/* The thread's process makes one. */
void emu_faults_begin(struct emu_faults *faults, struct emu_thread *thread);
/* May pages of the thread's memory be under a userfaultfd? */
bool emu_faults_possible(struct emu_faults *faults, struct emu_thread *thread);
void emu_faults_finish(struct emu_faults *faults);

/* touch.c: calls whose memory is not there yet. */
/*
 * Sees to what the call reads, or with `epoll` to room for the events that it
 * has. True: the memory is brought first. Then the call goes on, or is served
 * if it is parked.
 */
bool emu_touch_first(struct emu_intercept *intercept,
	const struct emu_call *call, const struct emu_object *epoll);
/* Another call of the thread came: it has left the one that waits. */
void emu_touch_left(struct emu_intercept *intercept, struct emu_thread *thread);
void emu_touch_forget(struct emu_thread *thread);
/* The memory of a call is there, or cannot be had. */
void emu_touch_go_on(struct emu_intercept *intercept, struct emu_call *call);
void emu_touch_finish(struct emu_intercept *intercept);

/* exec.c: execve() and the calls of its process meanwhile. */
/*
 * A call was received. True: it is kept until an execve() of its process is
 * over; or it was an execve() itself, and goes on; or one has ended its thread.
 */
bool emu_exec_arrival(
	struct emu_intercept *intercept, const struct emu_call *call);
/* Must the thread be left alone? */
bool emu_exec_under_way(
	struct emu_intercept *intercept, struct emu_thread *thread);
/* The same for a parked call that was to be served; it will be afterwards. */
bool emu_exec_keeps_parked(struct emu_parked *parked);
void emu_exec_tick(struct emu_intercept *intercept);
/* A call is going to be received. */
void emu_exec_next_call(struct emu_intercept *intercept);
void emu_exec_thread_gone(
	struct emu_intercept *intercept, const struct emu_thread *thread);
void emu_exec_finish(struct emu_intercept *intercept);

/*
 * look.c: stops the thread of a call that was just received if an observer
 * wants its registers. True: the call is void, and will be made again.
 */
bool emu_look(struct emu_intercept *intercept, const struct emu_call *call);
/* Does an observer want them? It is asked once for each call. */
bool emu_look_is_due(
	struct emu_intercept *intercept, const struct emu_call *call);
/* In a stop of the thread: the observers get them. */
void emu_look_registers(
	struct emu_intercept *intercept, const struct emu_call *call);

/* pwait.c: waits that sleep while their threads are traced. */

/*
 * The wait sleeps under the signal mask `mask` (NULL: the thread's own). If its
 * thread has to be traced for that, or for its registers, the call becomes void
 * and comes again; `parked` may be gone by then. 0, or an errno for the
 * program, negative.
 */
int emu_pwait_lend(struct emu_parked *parked, const uint64_t *mask);
/*
 * The thread is in a stop with this status, and its wait sleeps on: it goes on
 * traced. False: no memory, it is still in the stop.
 */
bool emu_pwait_keep(struct emu_parked *parked, int status);
/* A wake or the deadline chose it: it is served in a stop, perhaps at once. */
void emu_pwait_serve(struct emu_parked *parked);
bool emu_pwait_status(
	struct emu_intercept *intercept, struct emu_thread *, int status);
void emu_pwait_forget(struct emu_thread *thread);

/* signalfd.c: files that are ready for one thread and not for another. */
/* From now on files are polled on behalf of this thread. */
void emu_signalfd_caller(struct emu_thread *thread);
/*
 * The watch is on a signalfd, which the thread has at `fd`. Errors: -ENOMEM.
 */
int emu_signalfd_attach(struct emu_intercept *intercept,
	struct emu_watch *watch, struct emu_thread *thread, int fd);
uint32_t emu_signalfd_poll(struct emu_watch *watch);
void emu_signalfd_free(struct emu_watch *watch);
/* Its item's mask in the epoll is `events`, 0 for none. */
void emu_signalfd_show(
	struct emu_watch *watch, struct emu_object *object, uint32_t events);
void emu_signalfd_thread_gone(
	struct emu_intercept *intercept, const struct emu_thread *thread);
/*
 * Looks for signals that came for the caller, on behalf of this epoll; NULL:
 * of all. There is a caller.
 */
void emu_signalfd_look(
	struct emu_intercept *intercept, const struct emu_epoll *epoll);
/* Looks for signals that came since; due every so often. */
void emu_signalfd_tick(struct emu_intercept *intercept);
void emu_signalfd_arm(struct emu_intercept *intercept);

/* sweep.c: what has gone without a word. */
void emu_sweep_note(struct emu_intercept *intercept);
/* Sees to it that what was armed comes down again. */
void emu_sweep_settle(struct emu_intercept *intercept);
void emu_sweep_due(struct emu_intercept *intercept);
void emu_sweep_all(struct emu_intercept *intercept);
/*
 * For a table of descriptors that is full: gives back what can be. False if
 * there was nothing, or if it was tried just now.
 */
bool emu_sweep_make_room(struct emu_intercept *intercept);
/* Epolls that are gone leave the epolls that they were added to. */
void emu_sweep_nested(struct emu_intercept *intercept);
void emu_object_retire(
	struct emu_intercept *intercept, struct emu_object *object);

#endif
