/* SPDX-License-Identifier: MIT */
/*
 * The statistics as text: a table of the calls, as strace -c has it, then a
 * few lines for each epoll and one for each eventfd. What is zero and says
 * nothing is left out. Lines fit a terminal together with the prefix that
 * messages have.
 */
#include <inttypes.h>
#include <stdlib.h>

#include "emu/loop.h"
#include "stats/records.h"
#include "stats/text.h"

static double in_ms(uint64_t ns)
{
	return (double)ns / 1e6;
}

static double in_us(uint64_t ns)
{
	return (double)ns / 1e3;
}

static void print_call(
	FILE *out, const char *name, const struct stats_call *call)
{
	fprintf(out,
		"%10" PRIu64 " %8" PRIu64 " %9" PRIu64 " %10.3f %11.3f  %s\n",
		call->calls, call->errors, call->passed, in_ms(call->busy_ns),
		in_ms(call->asleep_ns), name);
}

static void print_calls(FILE *out, const struct stats_tally *tally)
{
	struct stats_call total = {0};

	fprintf(out, "%10s %8s %9s %10s %11s  %s\n", "calls", "errors",
		"passed", "busy ms", "asleep ms", "call");
	for (int kind = 0; kind < EMU_CALLS; kind++) {
		const struct stats_call *call = &tally->calls[kind];

		if (!call->calls && !call->passed)
			continue;
		print_call(out, emu_call_name((enum emu_call_kind)kind), call);
		total.calls += call->calls;
		total.errors += call->errors;
		total.passed += call->passed;
		total.busy_ns += call->busy_ns;
		total.asleep_ns += call->asleep_ns;
	}
	print_call(out, "total", &total);
}

static void print_latency(FILE *out, const struct stats_histogram *latency)
{
	if (!latency->count)
		return;
	fprintf(out,
		"  from wake to return: median %.1f us, 99th percentile %.1f "
		"us\n",
		in_us(stats_histogram_percentile(latency, 50)),
		in_us(stats_histogram_percentile(latency, 99)));
}

static void print_waits(FILE *out, const struct stats_epoll *epoll)
{
	fprintf(out, "  waits %" PRIu64, epoll->waits);
	if (epoll->slept)
		fprintf(out, ", slept %" PRIu64, epoll->slept);
	if (epoll->timeouts)
		fprintf(out, ", timed out %" PRIu64, epoll->timeouts);
	if (epoll->empty)
		fprintf(out, ", found nothing %" PRIu64, epoll->empty);
	if (epoll->interrupted)
		fprintf(out, ", interrupted %" PRIu64, epoll->interrupted);
	fputc('\n', out);
	if (epoll->events || epoll->wakes)
		fprintf(out,
			"  events %" PRIu64 ", %.2f for each wait; wakes "
			"%" PRIu64 ", spurious %" PRIu64 "\n",
			epoll->events,
			epoll->waits
				? (double)epoll->events / (double)epoll->waits
				: 0.0,
			epoll->wakes, epoll->spurious);
}

static void print_epoll(FILE *out, const struct stats_epoll *epoll)
{
	fprintf(out,
		"  items: at most %" PRIu64 " (added %" PRIu64
		", modified %" PRIu64 ", deleted %" PRIu64
		"); longest ready list %" PRIu64 "\n",
		epoll->items_most, epoll->added, epoll->modified,
		epoll->deleted, epoll->longest_ready);
	print_waits(out, epoll);
	print_latency(out, &epoll->latency);
}

static const char *gone(const struct stats_object *object)
{
	return object->gone ? " (gone)" : "";
}

static void print_epolls(FILE *out, const struct stats_tally *tally)
{
	size_t count, shown;
	struct stats_object **sorted =
		stats_records_sorted(&tally->epolls, &count, &shown);
	struct stats_epoll rest = tally->other_epolls;

	for (size_t i = 0; i < shown; i++) {
		fprintf(out, "epoll#%" PRIu64 "%s\n", sorted[i]->number,
			gone(sorted[i]));
		print_epoll(out, emu_container_of(sorted[i], struct stats_epoll,
					 object));
	}
	for (size_t i = shown; i < count; i++)
		stats_epoll_merge(&rest, emu_container_of(sorted[i],
						 struct stats_epoll, object));
	if (tally->epolls.made > shown) {
		fprintf(out, "%" PRIu64 " other epolls together\n",
			tally->epolls.made - shown);
		print_epoll(out, &rest);
	}
	free(sorted);
}

static void print_eventfd(FILE *out, const struct stats_eventfd *eventfd)
{
	fprintf(out,
		": writes %" PRIu64 ", reads %" PRIu64 ", coalesced writes "
		"%" PRIu64 "\n",
		eventfd->writes, eventfd->reads,
		eventfd->coalesced + eventfd->open);
}

static void print_eventfds(FILE *out, const struct stats_tally *tally)
{
	size_t count, shown;
	struct stats_object **sorted =
		stats_records_sorted(&tally->eventfds, &count, &shown);
	struct stats_eventfd rest = tally->other_eventfds;

	for (size_t i = 0; i < shown; i++) {
		fprintf(out, "eventfd#%" PRIu64 "%s", sorted[i]->number,
			gone(sorted[i]));
		print_eventfd(out, emu_container_of(sorted[i],
					   struct stats_eventfd, object));
	}
	for (size_t i = shown; i < count; i++)
		stats_eventfd_merge(
			&rest, emu_container_of(sorted[i], struct stats_eventfd,
				       object));
	if (tally->eventfds.made > shown) {
		fprintf(out, "%" PRIu64 " other eventfds together",
			tally->eventfds.made - shown);
		print_eventfd(out, &rest);
	}
	free(sorted);
}

void stats_text_tally(FILE *out, const struct stats_tally *tally)
{
	fprintf(out, "statistics of %.3f s\n",
		in_ms(emu_loop_now_ns() - tally->since_ns) / 1e3);
	print_calls(out, tally);
	print_epolls(out, tally);
	print_eventfds(out, tally);
	if (tally->incomplete)
		fputs("memory was short: not all was counted\n", out);
}
