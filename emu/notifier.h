/* SPDX-License-Identifier: MIT */
/*
 * The seccomp user notifier (seccomp_unotify(2)): calls come in, answers go
 * out. -ENOENT from an answer: the call is void, a signal or the end of the
 * thread took it; nothing reached the program.
 */
#ifndef EMU_NOTIFIER_H
#define EMU_NOTIFIER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct emu_notification {
	uint64_t id;
	pid_t tid; /* 0 if it is in no pid namespace below ours */
	int nr;
	uint32_t arch;
	uint64_t ip;
	uint64_t args[6];
};

/* Has the woken thread run next on this processor, where the host can. */
void emu_notifier_tune(int listener);

/* The oldest call. -ENOENT when it went void meanwhile, -EAGAIN, -EINTR. */
int emu_notifier_receive(int listener, struct emu_notification *notification);

/* Answers with a result (negative errno for a failure). 0 or -ENOENT. */
int emu_notifier_answer(int listener, uint64_t id, int64_t result);

/* Lets the kernel carry the call out. 0 or -ENOENT. */
int emu_notifier_continue(int listener, uint64_t id);

/*
 * Puts a copy of a descriptor of ours at the thread's lowest free number, and
 * with `answer` answers the call with it. Returns that number, -ENOENT, -EMFILE
 * when there is none free (the call is not answered then), or -EINPROGRESS when
 * we were stopped and the call was answered with 0.
 */
int emu_notifier_give_fd(
	int listener, uint64_t id, int fd, bool cloexec, bool answer);

/* Has the last process under the filter gone, at this moment? */
bool emu_notifier_has_ended(int listener);

/* Does the call still wait for its answer? */
bool emu_notifier_valid(int listener, uint64_t id);

#endif
