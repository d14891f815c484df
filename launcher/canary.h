/* SPDX-License-Identifier: MIT */
/* Was a signal sent to the whole process group, or to us alone? */
#ifndef EMU_CANARY_H
#define EMU_CANARY_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

enum { EMU_CANARY_SIGNALS = 65 };

/* The launcher's end. */
struct emu_canary {
	pid_t pid; /* 0 before it is known */
	int fd; /* -1 when there is none */
	int its_fd; /* for the canary; -1 when that has it */
	bool woken; /* by us: it has a SIGCONT that does not count */
	/* Signals that the canary got and that were not asked for yet. */
	uint32_t taken[EMU_CANARY_SIGNALS];
};

/* In the launcher, before the supervisor is forked: makes the connection. */
void emu_canary_open(struct emu_canary *canary);

/*
 * In the supervisor, while it is in the launcher's process group and all
 * signals are blocked: makes the process. Returns its pid, or 0 if there are
 * no more processes to be had; the launcher then does without.
 */
pid_t emu_canary_fork(struct emu_canary *canary);

/*
 * In the supervisor, after that: the text that tells the launcher which signals
 * `program` has got and the canary has not, since they came between the two
 * forks. The program's process must be the older one, have all signals blocked
 * and have taken none.
 */
const char *emu_canary_missed(pid_t canary, pid_t program);

/*
 * In the launcher: the canary is there, if pid is not 0; `missed` is what the
 * supervisor told. It is not needed any more.
 */
void emu_canary_started(
	struct emu_canary *canary, pid_t pid, const char *missed);
void emu_canary_close(struct emu_canary *canary);

/* Whether there is (still) one to ask. */
bool emu_canary_alive(const struct emu_canary *canary);

/*
 * Whether it is stopped. It is so from a SIGSTOP of the group until a SIGCONT
 * of the group or the next refresh.
 */
bool emu_canary_stands(const struct emu_canary *canary);

/*
 * Fetches what the canary got; call it after taking signals of one's own.
 * SIGCONT stays where it is unless `with_sigcont`: a stop of the group takes
 * back what is pending, from the canary as from its launcher.
 */
void emu_canary_refresh(struct emu_canary *canary, bool with_sigcont);

/* Whether the canary got `signal` too, since the last time it said yes. */
bool emu_canary_took(struct emu_canary *canary, int signal);

/* The caller's own copy of `signal` is lost: forget the canary's as well. */
void emu_canary_forget(struct emu_canary *canary, int signal);

#endif
