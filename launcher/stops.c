/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's part in the launcher's stops; mirror.c has the other.
 *
 * The launcher stops itself when it is told that the program has stopped. It
 * must not stay so when the program runs again. Mostly nothing has to be done
 * for that: the shell continues both, or the launcher passed on the SIGCONT.
 * But if the program alone was continued, by another process, the launcher
 * sleeps on, and only a SIGCONT from here wakes it. One too many does harm:
 * it would end a stop that came since. So it is sent only when the launcher is
 * seen stopped and then the program seen running; of a stop of the group the
 * program, the younger, knows first.
 *
 * A launcher that was told to stop may not have done so yet. It is looked at
 * again a little later, until it says that it runs.
 */
#define _GNU_SOURCE
#include "launcher/stops.h"

#include <errno.h>
#include <signal.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/syscall.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "emu/list.h"
#include "launcher/tree.h"

enum { LOOK_AGAIN_NS = 10 * 1000 * 1000 };

static void look_again(const struct emu_stops *stops)
{
	struct itimerspec soon = {.it_value.tv_nsec = LOOK_AGAIN_NS};

	timerfd_settime(stops->timer_fd, 0, &soon, NULL);
}

static void continue_launcher(const struct emu_stops *stops)
{
	syscall(SYS_pidfd_send_signal, stops->launcher_pidfd, SIGCONT, NULL, 0);
}

/* While the program runs: the launcher is to run, too. */
static void check_launcher(struct emu_stops *stops)
{
	if (stops->stopped_by)
		return;
	if (!emu_tree_stopped(stops->launcher)) {
		if (stops->launcher_may_stop)
			look_again(stops);
		return;
	}
	/* If it is stopped again, that will be reported. */
	if (!emu_tree_stopped(stops->program))
		continue_launcher(stops);
}

static void timer_ready(struct emu_source *source, uint32_t events)
{
	struct emu_stops *stops =
		emu_container_of(source, struct emu_stops, timer);
	uint64_t count;

	(void)events;
	if (read(stops->timer_fd, &count, sizeof(count)) > 0)
		check_launcher(stops);
}

int emu_stops_init(struct emu_stops *stops)
{
	stops->timer.ready = timer_ready;
	stops->timer_fd =
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	if (stops->timer_fd < 0)
		return -errno;
	return emu_loop_add(
		stops->loop, stops->timer_fd, EPOLLIN, &stops->timer);
}

void emu_stops_finish(struct emu_stops *stops)
{
	emu_loop_remove(stops->loop, stops->timer_fd, &stops->timer);
	close(stops->timer_fd);
}

void emu_stops_stopped(struct emu_stops *stops, int signal)
{
	stops->stopped_by = signal;
	emu_control_send(stops->control, EMU_MESSAGE_STOPPED, signal, "");
}

void emu_stops_continued(struct emu_stops *stops)
{
	stops->stopped_by = 0;
	check_launcher(stops);
}

void emu_stops_ended(struct emu_stops *stops)
{
	stops->stopped_by = 0;
	stops->launcher_may_stop = false;
	/* A stopped job that is killed has to end all the same. */
	continue_launcher(stops);
}

void emu_stops_replied(struct emu_stops *stops, enum emu_reply reply)
{
	stops->launcher_may_stop =
		reply == EMU_REPLY_MAY_STOP && stops->stopped_by;
	if (stops->launcher_may_stop)
		emu_control_send(stops->control, EMU_MESSAGE_STOP,
			stops->stopped_by, "");
}
