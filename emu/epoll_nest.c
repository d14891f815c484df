/* SPDX-License-Identifier: MIT */
/*
 * Epolls within epolls: no cycles, no long chains, no storms of wakes.
 *
 * A link is an item whose file is an epoll. A chain has at most EMU_MAX_LINKS
 * of them, above and below the new one counted together, which also bounds
 * how deep wakes, polls and the walks here recurse. From one plain file, only
 * so many paths of each length may lead up to epolls that nobody watches,
 * since each wake of the file walks all of them.
 *
 * The rules are ep_loop_check() and reverse_path_check() of fs/eventpoll.c
 * (6.18). There, paths are walked one by one; here each epoll keeps, for the
 * length of one check, how many lead up from it, so that a check costs no
 * more than the items and links it can reach.
 */
#include <errno.h>

#include "epoll_internal.h"

/* Any chain as long as this is too long. */
#define TOO_LONG (EMU_MAX_LINKS + 1)

/* path_limits[], by the number of links above the first epoll. */
static const uint32_t path_limits[EMU_MAX_LINKS + 1] = {
	UINT32_MAX, /* none */
	500,
	100,
	50,
	10,
};

/* Counts of paths stop here, beyond every limit, lest they overflow. */
#define MANY_PATHS 1000000u

/* Marks that bear another number are of an older walk. */
static uint64_t current_walk;

static int max_int(int a, int b)
{
	return a > b ? a : b;
}

/* Was `epoll` seen in this walk? If not, it is now. */
static bool visit(struct emu_epoll *epoll)
{
	if (epoll->marks.walk == current_walk)
		return true;
	epoll->marks.walk = current_walk;
	epoll->marks.longest = 0;
	return false;
}

/* The longest chain below `epoll`; TOO_LONG or more if `sought` is there. */
static int links_below(
	struct emu_epoll *epoll, const struct emu_epoll *sought, int depth)
{
	struct emu_item *item = NULL;
	int longest = 0;

	if (epoll == sought || depth >= TOO_LONG)
		return TOO_LONG;
	if (visit(epoll))
		return epoll->marks.longest;
	while (longest < TOO_LONG && (item = emu_epoll_next(epoll, item))) {
		struct emu_epoll *inner = emu_epoll_of_file(item->file);

		if (inner)
			longest = max_int(longest,
				1 + links_below(inner, sought, depth + 1));
	}
	epoll->marks.longest = longest;
	return longest;
}

/* The longest chain above `epoll`. */
static int links_above(struct emu_epoll *epoll)
{
	struct emu_list *link;
	int longest = 0;

	if (visit(epoll))
		return epoll->marks.longest;
	emu_list_for_each (link, &epoll->file.items) {
		struct emu_item *item =
			emu_container_of(link, struct emu_item, file_link);

		longest = max_int(longest, 1 + links_above(item->epoll));
	}
	epoll->marks.longest = longest;
	return longest;
}

int emu_nest_check_chain(struct emu_epoll *epoll, struct emu_file *file)
{
	struct emu_epoll *inner = emu_epoll_of_file(file);
	int below, above;

	if (!inner)
		return 0;
	current_walk++;
	below = links_below(inner, epoll, 0);
	if (below > EMU_MAX_LINKS)
		return -ELOOP;
	current_walk++;
	above = links_above(epoll);
	return below + 1 + above > EMU_MAX_LINKS ? -ELOOP : 0;
}

static void add_paths(uint32_t *sum, uint32_t paths)
{
	*sum = paths > MANY_PATHS - *sum ? MANY_PATHS : *sum + paths;
}

/* Fills in marks.paths; no chain is too long by now. */
static void count_paths(struct emu_epoll *epoll)
{
	struct emu_nest_marks *marks = &epoll->marks;
	struct emu_list *link;

	if (marks->paths_walk == current_walk)
		return;
	marks->paths_walk = current_walk;
	for (int links = 0; links <= EMU_MAX_LINKS; links++)
		marks->paths[links] = 0;
	marks->paths[0] = emu_list_empty(&epoll->file.items);
	emu_list_for_each (link, &epoll->file.items) {
		struct emu_item *item =
			emu_container_of(link, struct emu_item, file_link);

		count_paths(item->epoll);
		for (int links = 1; links <= EMU_MAX_LINKS; links++)
			add_paths(&marks->paths[links],
				item->epoll->marks.paths[links - 1]);
	}
}

/* reverse_path_check(), for one file */
static int check_file(struct emu_file *file)
{
	uint32_t paths[EMU_MAX_LINKS + 1] = {0};
	struct emu_list *link;

	emu_list_for_each (link, &file->items) {
		struct emu_item *item =
			emu_container_of(link, struct emu_item, file_link);

		count_paths(item->epoll);
		for (int links = 1; links <= EMU_MAX_LINKS; links++)
			add_paths(
				&paths[links], item->epoll->marks.paths[links]);
	}
	for (int links = 1; links <= EMU_MAX_LINKS; links++)
		if (paths[links] > path_limits[links])
			return -EINVAL;
	return 0;
}

/* ... and for every plain file below `epoll` */
static int check_files_below(struct emu_epoll *epoll)
{
	struct emu_item *item = NULL;
	int error = 0;

	if (visit(epoll))
		return 0;
	while (!error && (item = emu_epoll_next(epoll, item))) {
		struct emu_epoll *inner = emu_epoll_of_file(item->file);

		error = inner ? check_files_below(inner)
			      : check_file(item->file);
	}
	return error;
}

int emu_nest_check_paths(struct emu_item *item)
{
	struct emu_epoll *inner = emu_epoll_of_file(item->file);

	current_walk++;
	if (inner)
		return check_files_below(inner);
	/* one more path of length 1 is always welcome */
	if (emu_list_empty(&item->epoll->file.items))
		return 0;
	return check_file(item->file);
}
