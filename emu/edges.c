/* SPDX-License-Identifier: MIT */
/*
 * Which edges end the loop's sleep.
 *
 * Those of a part for which a thread waits must. The others need not: whoever
 * waits next asks for all there are. That matters for programs with several
 * event loops, of which one always sleeps: while another is busy, its packets
 * shall not wake the supervisor.
 *
 * A part that ends the sleep is `attended`: poll(2) looks at it. There is
 * room for a few that nobody waits for but that are quiet. When too many have
 * to be looked at each time the loop is `crowded`, and whoever has the parts
 * brings them together.
 */
#include "edges.h"

#include <errno.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "loop_internal.h"
#include "room.h"

bool emu_edges_needed(const struct emu_edges *edges)
{
	return edges->waiting > 0 || edges->loop->all_needed;
}

static void leave(struct emu_edges *edges)
{
	struct emu_loop *loop = edges->loop;
	int i = 0;

	if (!edges->attended)
		return;
	edges->attended = false;
	while (loop->attended[i] != edges)
		i++;
	loop->attended[i] = loop->attended[--loop->attended_count];
}

/* Room for one more, if need be in place of one that nobody waits for. */
static bool make_room(struct emu_loop *loop, bool needed)
{
	for (int i = 0;
		loop->attended_count == ATTENDED && needed && i < ATTENDED;
		i++) {
		if (!emu_edges_needed(loop->attended[i]))
			leave(loop->attended[i]);
	}
	return loop->attended_count < ATTENDED;
}

static void note_change(struct emu_edges *edges)
{
	if (emu_list_empty(&edges->changed))
		emu_list_add_tail(&edges->changed, &edges->loop->changed);
}

/* It is needed, or no longer, or has become quiet. */
static void review(struct emu_edges *edges)
{
	struct emu_loop *loop = edges->loop;
	bool needed = emu_edges_needed(edges);

	if (loop->whole >= 0) {
		note_change(edges);
		return;
	}
	if (!needed && edges->quiet < QUIET) {
		leave(edges);
	} else if (!edges->attended) {
		if (make_room(loop, needed)) {
			loop->attended[loop->attended_count++] = edges;
			edges->attended = true;
		} else if (needed) {
			loop->crowded = true;
		}
	}
}

static void alarm_rung(struct emu_source *source, uint32_t events)
{
	struct emu_edges *edges =
		emu_container_of(source, struct emu_edges, alarm);

	(void)events;
	emu_edges_note_due(edges);
}

void emu_edges_note_due(struct emu_edges *edges)
{
	emu_list_remove(&edges->due);
	emu_list_add_tail(&edges->due, &edges->loop->due);
}

int emu_edges_open(struct emu_edges *edges, struct emu_loop *loop)
{
	static uint64_t serial;
	int rc = 0;

	if (edges->loop)
		return 0;
	edges->epfd = emu_room_keep(epoll_create1(EPOLL_CLOEXEC));
	if (edges->epfd < 0)
		return edges->epfd;
	edges->loop = loop;
	edges->serial = ++serial;
	edges->source.last = true; /* not served in its turn */
	edges->alarm.ready = alarm_rung;
	emu_list_init(&edges->changed);
	emu_list_init(&edges->due);
	emu_list_add_tail(&edges->link, &loop->edges);
	if (loop->whole >= 0)
		rc = emu_edges_join_whole(edges);
	if (rc < 0) {
		emu_edges_close(edges);
		return rc;
	}
	review(edges);
	return 0;
}

void emu_edges_close(struct emu_edges *edges)
{
	if (!edges->loop)
		return;
	leave(edges);
	emu_loop_blank(edges->loop, &edges->source);
	emu_loop_blank(edges->loop, &edges->alarm);
	emu_list_remove(&edges->changed);
	emu_list_remove(&edges->due);
	emu_list_remove(&edges->link);
	close(edges->epfd);
	edges->loop = NULL;
}

void emu_edges_wait(struct emu_edges *edges, int change)
{
	bool waited = edges->waiting > 0;

	edges->waiting += (unsigned int)change;
	if (edges->loop && waited != (edges->waiting > 0))
		review(edges);
}

void emu_edges_in_vain(struct emu_edges *edges)
{
	edges->quiet = 0;
	review(edges);
}

void emu_edges_drain(struct emu_edges *edges)
{
	struct emu_loop *loop = edges->loop;

	if (!loop || edges->known == loop->turn)
		return;
	edges->known = loop->turn;
	if (loop->whole >= 0 && loop->whole_known != loop->turn) {
		loop->whole_known = loop->turn;
		emu_loop_drain_whole(loop);
	}
	if (emu_loop_drain_epoll(loop, edges->epfd) > 0) {
		edges->quiet = 0;
	} else if (edges->quiet < QUIET && ++edges->quiet == QUIET) {
		review(edges);
	}
}

uint64_t emu_edges_turn(const struct emu_edges *edges)
{
	return edges->loop->turn;
}

bool emu_edges_drained_since(const struct emu_edges *edges, uint64_t turn)
{
	return turn < edges->loop->turn && edges->known == edges->loop->turn;
}

size_t emu_edges_count(const struct emu_loop *loop)
{
	size_t count = 0;
	struct emu_list *pos;

	emu_list_for_each (pos, &loop->edges)
		count++;
	return count;
}

void emu_edges_drain_all(struct emu_loop *loop)
{
	size_t count = emu_edges_count(loop);

	/* What is served may close any part. */
	while (count-- > 0 && !emu_list_empty(&loop->edges)) {
		struct emu_edges *edges = emu_container_of(
			loop->edges.next, struct emu_edges, link);

		emu_list_remove(&edges->link);
		emu_list_add_tail(&edges->link, &loop->edges);
		emu_edges_drain(edges);
	}
}

/*
 * The host watches the file in as many epolls as it will. Whether the event
 * that this makes is an edge cannot be told; so it is taken for one.
 */
static int move_at_once(struct emu_source *source, int fd,
	struct epoll_event *event, struct emu_edges *to)
{
	struct emu_edges *from = source->edges;
	int rc = 0;

	epoll_ctl(from->epfd, EPOLL_CTL_DEL, fd, NULL);
	if (epoll_ctl(to->epfd, EPOLL_CTL_ADD, fd, event) < 0) {
		rc = -errno;
		epoll_ctl(from->epfd, EPOLL_CTL_ADD, fd, event);
	} else {
		source->edges = to;
	}
	return rc;
}

int emu_edges_move(struct emu_source *source, int fd, uint32_t events,
	struct emu_edges *to)
{
	struct epoll_event event = {.events = events, .data.ptr = source};
	struct emu_edges *from = source->edges;
	struct emu_loop *loop = from->loop;

	if (source->forgets) { /* it is in neither */
		source->edges = to;
		return 0;
	}
	emu_loop_drain_epoll(loop, to->epfd);
	emu_loop_drain_epoll(loop, from->epfd);
	if (epoll_ctl(to->epfd, EPOLL_CTL_ADD, fd, &event) < 0)
		return errno == EINVAL ? move_at_once(source, fd, &event, to)
				       : -errno;
	/* To add one that is ready makes an event, which is no edge. */
	source->edges = to;
	if (events)
		emu_loop_swallow(loop, source);
	/* One that came meanwhile is in both. */
	emu_loop_drain_epoll(loop, from->epfd);
	epoll_ctl(from->epfd, EPOLL_CTL_DEL, fd, NULL);
	return 0;
}

bool emu_edges_crowded(const struct emu_loop *loop)
{
	return loop->crowded;
}

static void review_all(struct emu_loop *loop)
{
	struct emu_list *pos;

	emu_list_for_each (pos, &loop->edges)
		review(emu_container_of(pos, struct emu_edges, link));
}

void emu_edges_uncrowd(struct emu_loop *loop)
{
	loop->crowded = false;
	review_all(loop);
}

void emu_edges_need_all(struct emu_loop *loop, bool need)
{
	if (loop->all_needed == need)
		return;
	loop->all_needed = need;
	review_all(loop);
}

int emu_edges_join_whole(struct emu_edges *edges)
{
	struct epoll_event event = {.data.ptr = &edges->source};

	leave(edges);
	edges->heeded = false;
	if (epoll_ctl(edges->loop->whole, EPOLL_CTL_ADD, edges->epfd, &event) <
		0)
		return -errno;
	note_change(edges);
	return 0;
}

void emu_edges_tell_whole(struct emu_loop *loop)
{
	while (!emu_list_empty(&loop->changed)) {
		struct emu_edges *edges = emu_container_of(
			loop->changed.next, struct emu_edges, changed);
		bool needed = emu_edges_needed(edges);
		struct epoll_event event = {
			.events = needed ? EPOLLIN : 0,
			.data.ptr = &edges->source,
		};

		emu_list_remove(&edges->changed);
		if (needed != edges->heeded)
			epoll_ctl(loop->whole, EPOLL_CTL_MOD, edges->epfd,
				&event);
		edges->heeded = needed;
	}
}
