/* SPDX-License-Identifier: MIT */
/*
 * What is remembered of calls that signals cut off: voided.c makes and keeps
 * it, mend.c goes by it when a handler returns. Internal to these two.
 */
#ifndef EMU_VOIDED_H
#define EMU_VOIDED_H

#include "supervisor.h"

struct emu_voided {
	struct emu_voided *next;
	struct emu_call call;
	enum emu_void why;
	int64_t result;
	bool fresh; /* its thread made no call since */
};

/*
 * The latest answers to a thread. The kernel takes an answer also when a
 * signal has ended the thread's sleep and the thread waits for the listener's
 * lock (seccomp_do_user_notification() goes by what ended the sleep): then the
 * call fails or is made again, although it was answered.
 */
#define ANSWERS 4

struct emu_answers {
	unsigned int next;
	struct {
		struct emu_call call;
		int64_t result;
		uint64_t unseen; /* intercept->unseen at that time */
		bool given;
		bool kernels; /* the kernel carried it out */
	} answers[ANSWERS];
};

/* Stopped by us: what became of it shows when the thread is heard of. */
static inline bool emu_voided_is_undecided(enum emu_void why)
{
	return why == EMU_VOID_UNDECIDED || why == EMU_VOID_HELD;
}

/*
 * The signals that are blocked while the handler runs and will not be after
 * it: the one that it was called for, unless SA_NODEFER is set, and those of
 * its sa_mask. 0: nothing can be said. `bytes`: the frame as it was read.
 */
uint64_t emu_voided_handled(const struct emu_thread *thread, const void *bytes);

/* Forgets the newest. */
void emu_voided_pop(struct emu_thread *thread);

/* To those who look on it is over, unless it will be made again. */
void emu_voided_observe(struct emu_intercept *intercept,
	const struct emu_call *call, enum emu_void why, int64_t result);

#endif
