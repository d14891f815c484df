/* SPDX-License-Identifier: MIT */
/*
 * Telling the observers: one function for each thing that can be seen. Each
 * returns at once when nobody looks. Internal to the interception.
 */
#ifndef EMU_OBSERVE_H
#define EMU_OBSERVE_H

#include "observer.h"
#include "supervisor.h"

static inline bool emu_observed(const struct emu_intercept *intercept)
{
	return !emu_list_empty(&intercept->observers);
}

void emu_observe_received(
	struct emu_intercept *intercept, const struct emu_call *call);
void emu_observe_again(struct emu_intercept *intercept,
	const struct emu_call *call, uint64_t earlier, bool ended);
void emu_observe_file(
	struct emu_intercept *intercept, const struct emu_call *call, int fd);
bool emu_observe_wants_registers(
	struct emu_intercept *intercept, const struct emu_call *call);
void emu_observe_registers(struct emu_intercept *intercept,
	const struct emu_call *call, const uint64_t *registers);
void emu_observe_finished(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_end how, int64_t result);
void emu_observe_interrupted(struct emu_intercept *intercept,
	const struct emu_call *call, int64_t result, int sig);
void emu_observe_parked(const struct emu_parked *parked, uint64_t until_ns);
void emu_observe_woken(const struct emu_parked *parked);
void emu_observe_put_off(
	struct emu_intercept *intercept, const struct emu_call *call);
void emu_observe_slept_on(const struct emu_parked *parked);
void emu_observe_counter(struct emu_intercept *intercept,
	const struct emu_object *eventfd, const struct emu_call *call,
	bool back);
void emu_observe_made(struct emu_intercept *intercept,
	struct emu_object *object, const struct emu_call *call);
void emu_observe_object_gone(
	struct emu_intercept *intercept, const struct emu_object *object);
void emu_observe_thread_seen(
	struct emu_intercept *intercept, struct emu_thread *thread);
void emu_observe_thread_gone(
	struct emu_intercept *intercept, struct emu_thread *thread);

/*
 * What is under way from here on, and the cause of all that wakes meanwhile;
 * NULL when it is done.
 */
void emu_observe_cause_call(
	struct emu_intercept *intercept, const struct emu_call *call);
void emu_observe_cause(
	struct emu_intercept *intercept, enum emu_cause_kind kind);

/* Sees to it that the wake-ups of watched files are observed. */
void emu_observe_watches(struct emu_intercept *intercept);

#endif
