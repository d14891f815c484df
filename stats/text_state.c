/* SPDX-License-Identifier: MIT */
/*
 * The living state as text: each epoll with its items, its ready list in
 * order and its waiters, then each eventfd. An item looks as in fdinfo of an
 * epoll, but with the file's name and what it is ready for at this moment.
 */
#include <inttypes.h>
#include <string.h>

#include "emu/inspect.h"
#include "emu/poll_bits.h"
#include "stats/text.h"

struct printer {
	struct emu_visitor visitor;
	FILE *out;
	uint64_t now_ns;
	size_t queue_left; /* of the ready list, to be printed */
	int column;
	bool found;
};

enum { LINE = 70 };

const char *stats_mask_text(char text[STATS_MASK_TEXT], uint32_t events)
{
	static const struct {
		uint32_t bit;
		const char *name;
	} names[] = {
		{EMU_EPOLLIN, "IN"},
		{EMU_EPOLLPRI, "PRI"},
		{EMU_EPOLLOUT, "OUT"},
		{EMU_EPOLLERR, "ERR"},
		{EMU_EPOLLHUP, "HUP"},
		{EMU_EPOLLRDNORM, "RDNORM"},
		{EMU_EPOLLRDBAND, "RDBAND"},
		{EMU_EPOLLWRNORM, "WRNORM"},
		{EMU_EPOLLWRBAND, "WRBAND"},
		{EMU_EPOLLMSG, "MSG"},
		{EMU_EPOLLRDHUP, "RDHUP"},
		{EMU_EPOLLEXCLUSIVE, "EXCLUSIVE"},
		{EMU_EPOLLWAKEUP, "WAKEUP"},
		{EMU_EPOLLONESHOT, "ONESHOT"},
		{EMU_EPOLLET, "ET"},
	};
	size_t used = 0;

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!(events & names[i].bit))
			continue;
		events &= ~names[i].bit;
		used += (size_t)snprintf(text + used, STATS_MASK_TEXT - used,
			"%s%s", used ? "|" : "", names[i].name);
	}
	if (events || !used)
		snprintf(text + used, STATS_MASK_TEXT - used,
			used ? "|%#x" : "%#x", events);
	return text;
}

static struct printer *printer_of(struct emu_visitor *visitor)
{
	return emu_container_of(visitor, struct printer, visitor);
}

static const char *plural(size_t count)
{
	return count == 1 ? "" : "s";
}

static void show_epoll(
	struct emu_visitor *visitor, const struct emu_view_epoll *epoll)
{
	struct printer *printer = printer_of(visitor);

	printer->found = true;
	printer->queue_left = epoll->queued;
	printer->column = 0;
	fprintf(printer->out,
		"epoll#%" PRIu64 ": %zu item%s, %zu on the ready list, "
		"%zu waiter%s\n",
		epoll->number, epoll->items, plural(epoll->items),
		epoll->queued, epoll->waiters, plural(epoll->waiters));
}

static void show_item(
	struct emu_visitor *visitor, const struct emu_view_item *item)
{
	FILE *out = printer_of(visitor)->out;
	char mask[STATS_MASK_TEXT];

	fprintf(out, "  item %d<%s> %s data %#" PRIx64, item->fd,
		*item->name ? item->name : "?",
		stats_mask_text(
			mask, item->events & ~(EMU_EPOLLERR | EMU_EPOLLHUP)),
		item->data);
	if (item->disabled)
		fputs(", reported and not armed again", out);
	else if (item->ready)
		fprintf(out, ", ready for %s",
			stats_mask_text(mask, item->ready));
	if (item->queued)
		fputs(", queued", out);
	fputc('\n', out);
}

static void show_omitted(struct emu_visitor *visitor, size_t items)
{
	fprintf(printer_of(visitor)->out, "  and %zu items more\n", items);
}

static void show_queued(struct emu_visitor *visitor, int fd)
{
	struct printer *printer = printer_of(visitor);

	if (printer->column == 0)
		printer->column = fprintf(printer->out, "  ready list:");
	printer->column += fprintf(printer->out, " %d", fd);
	if (--printer->queue_left > 0 && printer->column < LINE)
		return;
	fputc('\n', printer->out);
	printer->column = 0;
}

static void show_waiter(
	struct emu_visitor *visitor, const struct emu_view_waiter *waiter)
{
	const struct printer *printer = printer_of(visitor);
	uint64_t slept_ns = printer->now_ns - waiter->since_ns;

	fprintf(printer->out,
		"  thread %d \"%s\" of process %d in %s for %.3f s",
		(int)waiter->tid, waiter->comm, (int)waiter->process,
		waiter->call, (double)slept_ns / 1e9);
	if (waiter->at_ns == EMU_DEADLINE_NEVER)
		fputs(", without a timeout\n", printer->out);
	else
		fprintf(printer->out, ", until %.3f s from now\n",
			waiter->at_ns > printer->now_ns
				? (double)(waiter->at_ns - printer->now_ns) /
					  1e9
				: 0.0);
}

static void show_eventfd(
	struct emu_visitor *visitor, const struct emu_view_eventfd *eventfd)
{
	struct printer *printer = printer_of(visitor);

	printer->found = true;
	fprintf(printer->out, "eventfd#%" PRIu64 ": %s%s, %zu waiter%s\n",
		eventfd->number,
		eventfd->full	      ? "full"
		: eventfd->above_zero ? "above zero"
				      : "zero",
		eventfd->semaphore ? ", a semaphore" : "", eventfd->waiters,
		plural(eventfd->waiters));
}

void stats_text_state(FILE *out, struct emu_intercept *intercept)
{
	struct printer printer = {
		.visitor =
			{
				.epoll = show_epoll,
				.item = show_item,
				.omitted = show_omitted,
				.queued = show_queued,
				.epoll_waiter = show_waiter,
				.eventfd = show_eventfd,
				.eventfd_waiter = show_waiter,
			},
		.out = out,
		.now_ns = emu_loop_now_ns(),
	};

	fputs("the state now\n", out);
	if (emu_inspect(intercept, &printer.visitor, STATS_MOST_ITEMS) < 0)
		fputs("memory is short: not all is shown\n", out);
	else if (!printer.found)
		fputs("no epoll and no eventfd\n", out);
}
