/* SPDX-License-Identifier: MIT */
/*
 * What the targets hold.
 *
 * The placeholder of an emulated epoll is a real epoll instance. The engine
 * answers every epoll call on it, so the real one serves one purpose only:
 * poll(2), select(2) and all other calls that no filter traps behave on it as
 * on the instance that it stands for. It has a single item, the `ready set`,
 * a host epoll instance of ours, which is readable exactly when a poll of the
 * emulated instance should say so:
 *
 *   level-triggered    the item's file, or handle, is in the ready set: the
 *                      kernel keeps it right without our help
 *   edge-triggered     the same with EPOLLET. Before the engine's ready list
 *                      is harvested the ready set is drained, so an edge that
 *                      was taken no longer shows. What stays queued then (the
 *                      program had no room for it) is the doorbell's business
 *   one-shot,          only the engine knows whether they are due, so a
 *   exclusive          `doorbell` in the ready set rings while such an item
 *                      is on the engine's ready list
 *   files whose poll   are the engine's to poll: the doorbell rings for them
 *   takes the event    as well (taken.c)
 *   away
 *   signalfd           is ready for one thread and not for another; the
 *                      doorbell rings while it has a signal (signalfd.c)
 *
 * A plain item's file is in the ready set itself, so that one look at the
 * ready set, which has to be drained anyway, also tells what many files are
 * ready for, and no file has to be asked on its own. That a file is missing
 * there is believed only if it had no wake-up that was not looked into: a
 * wake-up may have reached the handle first.
 *
 * The doorbell is rung and silenced when a batch of events has settled.
 *
 * We keep no reference on a placeholder: the object ends when the targets'
 * last descriptor goes, as it would natively.
 */
#include "placeholder.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "memory.h"
#include "poll_bits.h"
#include "room.h"

/* So much is taken in at one look; with more edges the bell helps out. */
#define MOST 256

/* So few items are better polled one by one. */
#define FEW 3

static int control(int epfd, int op, int fd)
{
	struct epoll_event event = {.events = EPOLLIN};

	return epoll_ctl(epfd, op, fd, &event) < 0 ? -errno : 0;
}

static struct emu_object *object_new(enum emu_kind kind)
{
	static uint64_t numbers[EMU_KINDS];
	struct emu_object *object = calloc(1, sizeof(*object));

	if (!object)
		return NULL;
	object->kind = kind;
	object->number = ++numbers[kind];
	object->weak.epfd = -1;
	object->ready_set = -1;
	object->doorbell = -1;
	object->counter_fd = -1;
	object->edges = &object->own;
	emu_list_init(&object->unsettled);
	emu_list_init(&object->hints);
	return object;
}

static void close_if(int fd)
{
	if (fd >= 0)
		close(fd);
}

static int bell_touched(struct emu_wait *wait, uint32_t key)
{
	struct emu_object *object =
		emu_container_of(wait, struct emu_object, bell);

	(void)key;
	if (!object->rung && emu_list_empty(&object->unsettled))
		emu_list_add_tail(&object->unsettled, object->unsettled_list);
	return 0; /* whether it is news is for the items to say */
}

/* Opens placeholder, ready set and doorbell, and puts them together. */
static int open_epoll(struct emu_object *object, int *fd)
{
	int rc;

	object->ready_set = emu_room_keep(epoll_create1(EPOLL_CLOEXEC));
	if (object->ready_set < 0)
		return object->ready_set;
	object->doorbell =
		emu_room_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (object->doorbell < 0)
		return object->doorbell;
	*fd = epoll_create1(EPOLL_CLOEXEC);
	if (*fd < 0)
		return -errno;
	rc = control(object->ready_set, EPOLL_CTL_ADD, object->doorbell);
	if (rc == 0)
		rc = control(*fd, EPOLL_CTL_ADD, object->ready_set);
	if (rc == 0)
		rc = emu_weak_init(&object->weak, *fd, 0);
	return rc;
}

int emu_placeholder_epoll(struct emu_epoll_user *user,
	struct emu_list *unsettled, struct emu_object **object, int *fd)
{
	struct emu_object *new = object_new(EMU_KIND_EPOLL);
	int placeholder = -1;
	int rc = -ENOMEM;

	if (!new)
		return -ENOMEM;
	new->unsettled_list = unsettled;
	new->epoll = emu_epoll_create(&emu_memory, user);
	if (new->epoll)
		rc = open_epoll(new, &placeholder);
	if (rc < 0) {
		close_if(placeholder);
		emu_placeholder_destroy(new);
		return rc;
	}
	emu_wait_init(&new->bell, bell_touched);
	emu_waitq_add(&emu_epoll_file(new->epoll)->waitq, &new->bell);
	*object = new;
	*fd = placeholder;
	return 0;
}

int emu_placeholder_eventfd(
	uint32_t initval, int flags, struct emu_object **object, int *fd)
{
	struct emu_object *new = object_new(EMU_KIND_EVENTFD);
	int placeholder = -1;
	int rc = -ENOMEM;

	if (!new)
		return -ENOMEM;
	new->eventfd = emu_eventfd_create(&emu_memory, initval,
		flags & EFD_SEMAPHORE, &emu_placeholder_counter, new);
	if (new->eventfd) {
		placeholder = eventfd(initval, flags | EFD_CLOEXEC);
		rc = placeholder < 0 ? -errno
				     : emu_weak_init(&new->weak, placeholder,
					       EPOLLIN | EPOLLOUT);
	}
	if (rc < 0) {
		close_if(placeholder);
		emu_placeholder_destroy(new);
		return rc;
	}
	*object = new;
	*fd = placeholder;
	return 0;
}

void emu_placeholder_destroy(struct emu_object *object)
{
	emu_list_remove(&object->unsettled);
	if (object->epoll && object->bell.wake)
		emu_waitq_remove(&object->bell);
	emu_epoll_destroy(object->epoll);
	emu_edges_close(&object->own);
	emu_eventfd_destroy(object->eventfd);
	emu_weak_finish(&object->weak);
	close_if(object->ready_set);
	close_if(object->doorbell);
	free(object);
}

/* The name of an entry that is no watch: a nested epoll that has edges. */
#define NESTED UINT64_MAX

/* Does the kernel keep what a poll sees of an item with this mask right? */
static bool shows(uint32_t events, uint32_t wanted)
{
	return (events & wanted) &&
	       !(events & (EMU_EPOLLONESHOT | EMU_EPOLLEXCLUSIVE));
}

static int set_entry(struct emu_object *object, int fd, bool there,
	struct epoll_event *event)
{
	int rc = epoll_ctl(object->ready_set,
		there ? EPOLL_CTL_MOD : EPOLL_CTL_ADD, fd, event);

	return rc < 0 ? -errno : 0;
}

/* The same, whether it is there or not. */
static int put_entry(
	struct emu_object *object, int fd, struct epoll_event *event)
{
	int rc = set_entry(object, fd, false, event);

	return rc == -EEXIST ? set_entry(object, fd, true, event) : rc;
}

static void unset_entry(struct emu_object *object, int fd)
{
	epoll_ctl(object->ready_set, EPOLL_CTL_DEL, fd, NULL);
}

/*
 * The file itself is in the ready set if it can be, so that one look tells
 * what it is ready for; else, because another item has it there, its handle.
 */
static int show(struct emu_object *object, struct emu_watch *watch, int fd,
	uint32_t events)
{
	struct epoll_event event = {
		.events = events & ~EMU_EPOLL_PRIVATE_BITS,
		.data.u64 = emu_watch_tag(watch),
	};
	int rc = -EEXIST;

	event.events |= events & EMU_EPOLLET;
	if (watch->shown == object || watch->users == 1)
		rc = set_entry(object, fd, watch->shown == object, &event);
	if (rc == 0) {
		watch->shown = object;
		return 0;
	}
	if (rc != -EEXIST)
		return rc;
	event.events = EPOLLIN | (events & EMU_EPOLLET);
	event.data.u64 = events & EMU_EPOLLET ? emu_watch_tag(watch) : 0;
	watch->listed = true;
	return put_entry(object, watch->weak.epfd, &event);
}

void emu_placeholder_show(struct emu_object *object, struct emu_watch *watch,
	int fd, uint32_t events)
{
	emu_placeholder_changed(object);
	if (watch->source.forgets)
		return;
	if (!shows(events, UINT32_MAX)) {
		unset_entry(
			object, watch->shown == object ? fd : watch->weak.epfd);
		if (watch->shown == object)
			watch->shown = NULL;
	} else if (show(object, watch, fd, events) < 0) {
		object->coarse = true;
	}
}

void emu_placeholder_show_nested(struct emu_object *object,
	const struct emu_object *inner, uint32_t events)
{
	struct epoll_event event = {.events = EPOLLIN};

	emu_placeholder_changed(object);
	/* A ready set has no mask. */
	if (!shows(events, EMU_EPOLLIN | EMU_EPOLLRDNORM)) {
		unset_entry(object, inner->ready_set);
		return;
	}
	if (events & EMU_EPOLLET) {
		event.events |= EPOLLET;
		event.data.u64 = NESTED;
	}
	/* Too deep or too many paths for the host: the bell has to do. */
	if (put_entry(object, inner->ready_set, &event) < 0)
		object->coarse = true;
}

void emu_placeholder_signal(struct emu_object *object, bool ready)
{
	object->signals += ready ? 1u : -1u;
	if (emu_list_empty(&object->unsettled))
		emu_list_add_tail(&object->unsettled, object->unsettled_list);
}

/* Is the edge that the ready set just gave up on its way in the engine? */
static bool is_queued(const struct emu_watch *watch)
{
	struct emu_item_info info;

	if (!watch || watch->shared || !watch->item)
		return false;
	emu_item_info(watch->item, &info);
	return info.queued;
}

/* One entry of the ready set that has something. */
static void tell(struct emu_object *object, struct emu_watches *set,
	const struct epoll_event *event)
{
	struct emu_watch *watch = emu_watches_find(set, event->data.u64);
	bool edge = event->data.u64 == NESTED;

	if (watch && watch->shown == object) {
		watch->look = set->look;
		watch->bits = event->events;
	}
	if (watch)
		edge = watch->edges;
	if (edge && !is_queued(watch))
		object->drained = true;
}

void emu_placeholder_look(
	struct emu_object *object, struct emu_watches *set, int max)
{
	struct epoll_event events[MOST];
	bool edges = emu_epoll_edge_available(object->epoll);
	int room = edges || max >= MOST / 2 ? MOST : 2 * max;
	int n;

	if (!edges && emu_epoll_queued(object->epoll) < FEW)
		return;
	n = epoll_wait(object->ready_set, events, room, 0);
	if (n < 0)
		return;
	set->look = ++set->looks;
	if (n < room)
		set->complete = object;
	if (edges)
		object->drained = n == room;
	for (int i = 0; i < n; i++)
		tell(object, set, &events[i]);
}

void emu_placeholder_looked(struct emu_watches *set)
{
	set->look = 0;
	set->complete = NULL;
}

void emu_placeholder_taken(struct emu_object *object)
{
	if (emu_epoll_edge_available(object->epoll))
		object->drained = true;
	emu_placeholder_changed(object);
}

void emu_placeholder_changed(struct emu_object *object)
{
	if ((object->rung || object->drained) &&
		emu_list_empty(&object->unsettled))
		emu_list_add_tail(&object->unsettled, object->unsettled_list);
}

static bool must_ring(const struct emu_object *object)
{
	if (object->coarse && emu_epoll_available(object->epoll))
		return true;
	return object->signals || emu_epoll_hidden_available(object->epoll) ||
	       (object->drained && emu_epoll_edge_available(object->epoll));
}

static void settle(struct emu_object *object)
{
	uint64_t value = 1;
	ssize_t n;
	bool ring;

	emu_list_remove(&object->unsettled);
	/* The edges to come show in the ready set themselves. */
	if (!emu_epoll_edge_available(object->epoll))
		object->drained = false;
	ring = must_ring(object);
	if (ring == object->rung)
		return;
	if (ring)
		n = write(object->doorbell, &value, sizeof(value));
	else
		n = read(object->doorbell, &value, sizeof(value));
	if (n == (ssize_t)sizeof(value))
		object->rung = ring;
}

void emu_placeholder_settle(struct emu_list *unsettled)
{
	while (!emu_list_empty(unsettled))
		settle(emu_container_of(
			unsettled->next, struct emu_object, unsettled));
}
