/* SPDX-License-Identifier: MIT */
/*
 * The supervisor's own account of what goes on.
 *
 * Statistics are counted only when they are asked for; then the tally is an
 * observer of the interception. Snapshots are made when a signal, a timer or a
 * client of the dump socket asks, and cost nothing else. Text goes out as
 * messages, line by line. JSON goes out as it is, one line for each report, so
 * that it can be told from the messages in the same file.
 */
#define _GNU_SOURCE
#include "launcher/monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "emu/list.h"
#include "launcher/dump.h"
#include "launcher/fds.h"
#include "stats/json.h"
#include "stats/stall.h"
#include "stats/tally.h"
#include "stats/text.h"

#define NSEC_PER_SEC 1000000000u

enum { MOST_COUNTS = 64 };

/* A timer that goes off again and again; fd -1: there is none. */
struct ticker {
	struct emu_source source;
	int fd;
};

struct emu_monitor {
	struct emu_loop *loop;
	struct emu_intercept *intercept;
	struct emu_launch *launch;
	const struct emu_log *log;
	struct emu_control *control;
	struct stats_tally *tally; /* NULL: nothing is counted */
	struct stats_stall *stall; /* NULL: not asked for */
	struct emu_dump *dump; /* NULL: there is no socket */
	struct ticker interval, look;
};

/* Sends off a report in text, as messages. */
static void send_lines(const struct emu_monitor *monitor, char *text)
{
	char *rest = text, *line;

	while ((line = strsep(&rest, "\n"))) {
		if (*line)
			emu_logf(monitor->log, "%s", line);
	}
}

/* Calls `print` with a stream into memory, and sends off what it wrote. */
static void report(struct emu_monitor *monitor,
	void (*print)(struct emu_monitor *monitor, FILE *out))
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return;
	print(monitor, out);
	if (fclose(out) == 0)
		send_lines(monitor, text);
	free(text);
}

static void report_json(struct emu_monitor *monitor, bool state)
{
	char *line = stats_json(monitor->tally, monitor->intercept, state);

	if (line && monitor->launch->messages.path)
		emu_outlet_put(
			&monitor->launch->messages.outlet, line, strlen(line));
	else if (line && monitor->control)
		emu_control_send_raw(monitor->control, line);
	free(line);
}

static bool json(const struct emu_monitor *monitor)
{
	return monitor->tally && monitor->launch->stats == EMU_STATS_JSON;
}

static void print_tally(struct emu_monitor *monitor, FILE *out)
{
	stats_text_tally(out, monitor->tally);
}

static void print_state(struct emu_monitor *monitor, FILE *out)
{
	stats_text_state(out, monitor->intercept);
}

static void print_stalls(struct emu_monitor *monitor, FILE *out)
{
	if (stats_stall_look(monitor->stall, out))
		print_state(monitor, out);
}

/* For a client of the dump socket: all there is. */
static void print_all(void *ctx, FILE *out)
{
	struct emu_monitor *monitor = ctx;

	print_state(monitor, out);
	if (monitor->tally)
		print_tally(monitor, out);
}

void emu_monitor_snapshot(struct emu_monitor *monitor)
{
	if (!monitor)
		return;
	if (json(monitor))
		report_json(monitor, true);
	else
		report(monitor, print_state);
}

static void report_counts(const struct emu_monitor *monitor)
{
	struct emu_call_count counts[MOST_COUNTS];
	unsigned long long total = 0;
	int count, i;

	if (!monitor->launch->verbose)
		return;
	count = emu_intercept_counts(monitor->intercept, counts, MOST_COUNTS);
	for (i = 0; i < count; i++) {
		unsigned long long calls = counts[i].calls,
				   errors = counts[i].errors;

		total += calls;
		if (errors)
			emu_logf(monitor->log, "%s %llu (%llu failed)",
				counts[i].name, calls, errors);
		else
			emu_logf(
				monitor->log, "%s %llu", counts[i].name, calls);
	}
	emu_logf(monitor->log, "total %llu", total);
}

void emu_monitor_ended(struct emu_monitor *monitor)
{
	if (!monitor)
		return;
	report_counts(monitor);
	if (!monitor->tally)
		return;
	if (json(monitor))
		report_json(monitor, false);
	else
		report(monitor, print_tally);
}

static void take_tick(const struct ticker *ticker)
{
	uint64_t count;

	if (read(ticker->fd, &count, sizeof(count)) < 0)
		return;
}

static void interval_over(struct emu_source *source, uint32_t events)
{
	struct emu_monitor *monitor = emu_container_of(
		emu_container_of(source, struct ticker, source),
		struct emu_monitor, interval);

	(void)events;
	take_tick(&monitor->interval);
	emu_monitor_snapshot(monitor);
}

static void time_to_look(struct emu_source *source, uint32_t events)
{
	struct emu_monitor *monitor = emu_container_of(
		emu_container_of(source, struct ticker, source),
		struct emu_monitor, look);

	(void)events;
	take_tick(&monitor->look);
	report(monitor, print_stalls);
}

static void start_ticker(struct emu_monitor *monitor, struct ticker *ticker,
	uint64_t period_ns,
	void (*ready)(struct emu_source *source, uint32_t events))
{
	struct timespec period = {
		.tv_sec = (time_t)(period_ns / NSEC_PER_SEC),
		.tv_nsec = (long)(period_ns % NSEC_PER_SEC),
	};
	struct itimerspec again = {period, period};

	ticker->source.ready = ready;
	ticker->fd = emu_fds_raise(
		timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC));
	if (ticker->fd >= 0 &&
		timerfd_settime(ticker->fd, 0, &again, NULL) == 0 &&
		emu_loop_add(monitor->loop, ticker->fd, EPOLLIN,
			&ticker->source) == 0)
		return;
	emu_logf(monitor->log, "cannot start a timer: no snapshots and no "
			       "warnings come by themselves");
}

static void stop_ticker(struct emu_monitor *monitor, struct ticker *ticker)
{
	if (ticker->fd < 0)
		return;
	emu_loop_remove(monitor->loop, ticker->fd, &ticker->source);
	close(ticker->fd);
	ticker->fd = -1;
}

static void start_looking(struct emu_monitor *monitor, pid_t program)
{
	uint64_t limit_ns = monitor->launch->stall_ns;

	monitor->stall =
		stats_stall_create(monitor->intercept, limit_ns, program);
	if (monitor->stall)
		start_ticker(
			monitor, &monitor->look, limit_ns / 4, time_to_look);
	else
		emu_logf(monitor->log,
			"cannot look for stalls: no memory, or no /proc; there "
			"will be no warnings");
}

static void start_what_was_asked_for(struct emu_monitor *monitor, pid_t program)
{
	const struct emu_launch *launch = monitor->launch;

	if (launch->stats != EMU_STATS_NONE) {
		monitor->tally = stats_tally_create(monitor->intercept);
		if (!monitor->tally)
			emu_logf(monitor->log,
				"no memory to count calls in: there will be "
				"no statistics");
	}
	if (launch->interval_ns)
		start_ticker(monitor, &monitor->interval, launch->interval_ns,
			interval_over);
	if (launch->stall_ns)
		start_looking(monitor, program);
}

struct emu_monitor *emu_monitor_create(struct emu_loop *loop,
	struct emu_intercept *intercept, struct emu_launch *launch,
	const struct emu_log *log, struct emu_control *control, pid_t program)
{
	struct emu_monitor *monitor = calloc(1, sizeof(*monitor));

	if (!monitor)
		return NULL;
	monitor->loop = loop;
	monitor->intercept = intercept;
	monitor->launch = launch;
	monitor->log = log;
	monitor->control = control;
	monitor->interval.fd = -1;
	monitor->look.fd = -1;
	start_what_was_asked_for(monitor, program);
	monitor->dump = emu_dump_create(loop, print_all, monitor);
	if (!monitor->dump && launch->verbose)
		emu_logf(log, "--dump will not find this epemu: %s",
			strerror(errno));
	return monitor;
}

void emu_monitor_stop(struct emu_monitor *monitor)
{
	if (!monitor)
		return;
	stop_ticker(monitor, &monitor->interval);
	stop_ticker(monitor, &monitor->look);
	emu_dump_destroy(monitor->dump);
	monitor->dump = NULL;
	stats_stall_destroy(monitor->stall);
	monitor->stall = NULL;
}

void emu_monitor_destroy(struct emu_monitor *monitor)
{
	if (!monitor)
		return;
	stats_tally_destroy(monitor->tally);
	free(monitor);
}
