/* SPDX-License-Identifier: MIT */
/* The supervisor's part in the launcher's stops; mirror.c has the other. */
#ifndef EMU_STOPS_H
#define EMU_STOPS_H

#include <stdbool.h>
#include <sys/types.h>

#include "launcher/control.h"

struct emu_stops {
	struct emu_source timer;
	struct emu_loop *loop;
	struct emu_control *control;
	pid_t program;
	pid_t launcher;
	int launcher_pidfd;
	int timer_fd;
	int stopped_by; /* the program, as was last reported; or 0 */
	bool launcher_may_stop;
};

/*
 * Fill in loop, control, program, launcher and launcher_pidfd before. Returns
 * 0 or a negative errno.
 */
int emu_stops_init(struct emu_stops *stops);
void emu_stops_finish(struct emu_stops *stops);

/* The program was stopped by `signal`, was continued, has ended. */
void emu_stops_stopped(struct emu_stops *stops, int signal);
void emu_stops_continued(struct emu_stops *stops);
void emu_stops_ended(struct emu_stops *stops);

/* The launcher's answer; all changes of the program must be known. */
void emu_stops_replied(struct emu_stops *stops, enum emu_reply reply);

#endif
