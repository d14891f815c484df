/* SPDX-License-Identifier: MIT */
/*
 * The supervisor is one thread, and a call that it cannot finish holds up
 * all: memory of the program that makes whoever touches it wait (userfaultfd,
 * a file system in user space), or a fault of its own. This thread looks every
 * two seconds whether the supervisor does not come to rest, or rests although a
 * call waits to be taken. It says so after ten seconds, and after a minute it
 * ends the program and the supervisor.
 *
 * A look counts only if the supervisor could have run: on a machine that has
 * no time for it nothing is wrong.
 */
#define _GNU_SOURCE
#include "launcher/watchdog.h"

#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "emu/proc.h"
#include "launcher/control.h"
#include "launcher/fds.h"
#include "launcher/launch.h"
#include "launcher/message.h"
#include "launcher/tree.h"

#define PERIOD_S 2
#define LOOKS_TO_SAY 5
#define LOOKS_TO_END 30

/* So much waiting for a processor between two looks, and the look is void. */
#define STARVED_NS 500000000u
/* Unless it ran so long. */
#define RAN_NS 300000000u

/* There is one, as there is one supervisor. */
static struct {
	struct emu_watchdog setup;
	pid_t watched; /* the thread that takes the calls */
	sem_t started;
	int error;
	uint64_t ran_ns, starved_ns; /* as of the last look */
} state;

static void read_watched(const char *name, char *text, size_t size)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d/%s",
		(int)state.watched, name);
	if (emu_proc_read(path, text, size) < 0)
		text[0] = '\0';
	text[strcspn(text, "\n")] = '\0';
}

/*
 * Has the thread mostly waited for a processor since the last look? One that
 * had it for a while and still did not come to rest was not kept from it.
 */
static bool was_starved(void)
{
	unsigned long long ran_ns = state.ran_ns, waited_ns = state.starved_ns;
	bool starved;
	char text[128];

	read_watched("schedstat", text, sizeof(text));
	sscanf(text, "%llu %llu", &ran_ns, &waited_ns);
	starved = waited_ns - state.starved_ns > STARVED_NS &&
		  ran_ns - state.ran_ns < RAN_NS;
	state.ran_ns = ran_ns;
	state.starved_ns = waited_ns;
	return starved;
}

static void say(const char *line)
{
	if (state.setup.messages)
		emu_message_write(state.setup.messages, line);
	else
		emu_control_send_now(state.setup.control, line);
}

static void say_stuck(void)
{
	char place[64];
	char call[128];
	char line[EMU_MESSAGE_TEXT];

	read_watched("wchan", place, sizeof(place));
	read_watched("syscall", call, sizeof(call));
	call[strcspn(call, " ")] = '\0';
	snprintf(line, sizeof(line),
		"the supervisor has not gone on for %d s (system call %s, "
		"%s): memory of the program may be what it waits for; all is "
		"ended in %d s",
		PERIOD_S * LOOKS_TO_SAY, call[0] ? call : "?",
		place[0] ? place : "?",
		PERIOD_S * (LOOKS_TO_END - LOOKS_TO_SAY));
	say(line);
}

/* SIGKILL for this process, should the rest of the end not come about. */
static void set_last_resort(void)
{
	struct sigevent kill = {
		.sigev_notify = SIGEV_SIGNAL, .sigev_signo = SIGKILL};
	struct itimerspec soon = {.it_value.tv_sec = PERIOD_S};
	timer_t timer;

	if (timer_create(CLOCK_MONOTONIC, &kill, &timer) == 0)
		timer_settime(timer, 0, &soon, NULL);
}

/* The program first: calls without a supervisor would fail. */
static _Noreturn void end_all(void)
{
	set_last_resort();
	say("the supervisor did not go on: everything is ended");
	emu_tree_kill(NULL);
	_exit(EMU_EXIT_FAILURE);
}

static void watch(void)
{
	static const struct timespec period = {.tv_sec = PERIOD_S};
	struct pollfd listener = {.fd = state.setup.listener, .events = POLLIN};
	uint64_t before = 0;
	int looks = 0;

	for (;;) {
		uint64_t now;
		bool starved;

		nanosleep(&period, NULL);
		now = __atomic_load_n(state.setup.steps, __ATOMIC_RELAXED);
		starved = was_starved();
		listener.revents = 0;
		poll(&listener, 1, 0);
		if (now != before || (now % 2 && !(listener.revents & POLLIN)))
			looks = 0;
		else if (!starved && ++looks == LOOKS_TO_SAY)
			say_stuck();
		if (listener.revents & POLLHUP)
			return;
		if (looks == LOOKS_TO_END)
			end_all();
		before = now;
	}
}

static void *run(void *unused)
{
	const struct emu_outlet *messages = state.setup.messages;
	int keep[] = {state.setup.listener, state.setup.control,
		messages ? messages->fd : -1};

	(void)unused;
	/* What the supervisor closes is to be closed. */
	state.error = unshare(CLONE_FILES) < 0 ? -errno : 0;
	if (state.error == 0)
		emu_fds_close_others(keep, sizeof(keep) / sizeof(keep[0]));
	sem_post(&state.started);
	if (state.error == 0) {
		prctl(PR_SET_NAME, "epemu-watchdog");
		watch();
	}
	return NULL;
}

int emu_watchdog_start(const struct emu_watchdog *watchdog)
{
	pthread_t thread;
	sigset_t all;
	sigset_t mask;
	int error;

	state.setup = *watchdog;
	state.watched = (pid_t)syscall(SYS_gettid);
	sem_init(&state.started, 0, 0);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	error = pthread_create(&thread, NULL, run, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (error)
		return -error;
	while (sem_wait(&state.started) < 0)
		;
	pthread_detach(thread);
	return state.error;
}
