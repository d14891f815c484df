/* SPDX-License-Identifier: MIT */
/*
 * epoll_ctl(2), in the order of do_epoll_ctl() (fs/eventpoll.c, 6.18): the
 * event is copied, the descriptors are looked up, the file must be able to
 * poll, it must not be the epoll itself, then come the rules of
 * EPOLLEXCLUSIVE, loops, and whether the item exists.
 *
 * What the call changes is done before it is answered. If the answer finds
 * the call void, its effect stays and the call returns its result when the
 * thread comes back to it (EMU_VOID_DONE).
 */
#include <errno.h>
#include <sys/stat.h>

#include "arch.h"
#include "observe.h"
#include "poll_bits.h"
#include "proc.h"
#include "slot.h"
#include "supervisor.h"
#include "taken.h"

/* One call's way through this file. */
struct ctl {
	struct emu_intercept *intercept;
	struct emu_call *call;
	struct emu_object *object; /* the epoll */
	int op;
	int fd; /* the target's number */
	int copy; /* our own descriptor of it, the slot */
	struct emu_event event;
	struct emu_object *inner; /* the epoll behind fd, if it is one */
	struct emu_object *eventfd; /* the eventfd; while observed */
	bool anon; /* the file may be an epoll or eventfd */
	bool untyped; /* it is of the kind that only /proc can tell */
	mode_t mode; /* of the file */
};

/* Is the item's file the one behind our copy of the descriptor? */
static bool item_matches(const struct ctl *ctl, struct emu_item *item)
{
	struct emu_item_info info;

	emu_item_info(item, &info);
	if (!emu_file_is_watch(info.file))
		return ctl->inner &&
		       info.file == emu_epoll_file(ctl->inner->epoll);
	return emu_weak_is_own(
		       &emu_watch_of_file(info.file)->weak, ctl->copy) == 1;
}

static struct emu_item *find_item(const struct ctl *ctl)
{
	struct emu_item *item = NULL;

	while ((item = emu_epoll_next_fd(ctl->object->epoll, ctl->fd, item))) {
		if (item_matches(ctl, item))
			return item;
	}
	return NULL;
}

/*
 * A number that is used anew: items of files that are gone leave before a
 * new one comes.
 */
static void drop_gone(const struct ctl *ctl)
{
	struct emu_item *item = NULL;
	struct emu_item *next;
	struct emu_item_info info;

	item = emu_epoll_next_fd(ctl->object->epoll, ctl->fd, NULL);
	while (item) {
		next = emu_epoll_next_fd(ctl->object->epoll, ctl->fd, item);
		emu_item_info(item, &info);
		if (emu_file_is_watch(info.file) &&
			emu_weak_gone(&emu_watch_of_file(info.file)->weak)) {
			emu_watch_release(emu_watch_of_file(info.file));
			/* A shared watch took more than this item along. */
			next = emu_epoll_next_fd(
				ctl->object->epoll, ctl->fd, NULL);
		}
		item = next;
	}
}

/*
 * The watch may be another epoll's: then its edges and those of this epoll
 * come together, in the order in which they were.
 */
static int share(const struct ctl *ctl, const struct emu_watch *watch)
{
	struct emu_edges *edges = watch->source.edges;
	int rc;

	if (edges == ctl->object->edges)
		return 0;
	rc = emu_intercept_merge(ctl->intercept, ctl->object);
	if (rc == 0 && edges != &ctl->intercept->watches.edges)
		rc = emu_intercept_merge(ctl->intercept,
			emu_container_of(edges, struct emu_object, own));
	return rc;
}

static enum emu_anon anon_of(const struct ctl *ctl)
{
	return ctl->untyped ? emu_proc_anon(ctl->copy) : EMU_ANON_OTHER;
}

static uint32_t taken_by_poll(const struct ctl *ctl, enum emu_anon anon)
{
	return emu_taken_by_poll(ctl->copy, ctl->mode, anon == EMU_ANON_PERF);
}

static int new_watch(
	const struct ctl *ctl, bool shared, struct emu_watch **watch)
{
	struct emu_watches *set = &ctl->intercept->watches;
	enum emu_anon anon = anon_of(ctl);
	int rc;

	do
		rc = emu_watch_create(set, ctl->object->edges, ctl->copy,
			ctl->event.events, shared, taken_by_poll(ctl, anon),
			watch);
	while (rc == -EMFILE && emu_sweep_make_room(ctl->intercept));
	if (rc == -EINVAL && !shared) {
		/* The host has had its fill of watches on this file. */
		*watch = emu_watches_find_alike(
			set, ctl->copy, ctl->event.events);
		if (!*watch)
			return rc;
		return share(ctl, *watch);
	}
	if (rc < 0)
		return rc;
	if (anon == EMU_ANON_PIDFD)
		emu_watch_is_pidfd(*watch);
	else if (anon == EMU_ANON_SIGNALFD)
		rc = emu_signalfd_attach(
			ctl->intercept, *watch, ctl->call->thread, ctl->fd);
	if (rc < 0)
		emu_watch_destroy(*watch);
	return rc;
}

/* Has native pollers of the epoll see the file as `events` demands. */
static void show(
	const struct ctl *ctl, struct emu_watch *watch, uint32_t events)
{
	if (watch->signalfd)
		emu_signalfd_show(watch, ctl->object, events);
	else
		emu_placeholder_show(ctl->object, watch, ctl->copy, events);
}

static int get_watch(const struct ctl *ctl, struct emu_watch **watch)
{
	bool shared = ctl->event.events & EMU_EPOLLEXCLUSIVE;
	uint32_t events;
	int rc;

	*watch = shared ? emu_watches_find_shared(
				  &ctl->intercept->watches, ctl->copy)
			: NULL;
	if (!*watch)
		return new_watch(ctl, shared, watch);
	rc = share(ctl, *watch);
	if (rc < 0)
		return rc;
	events = (*watch)->weak.events | ctl->event.events;
	if (events == (*watch)->weak.events)
		return 0;
	return emu_watch_modify(*watch, ctl->copy, events);
}

static int add_watch(const struct ctl *ctl)
{
	struct emu_watch *watch;
	struct emu_item *item;
	int rc;

	if (find_item(ctl))
		return -EEXIST;
	rc = get_watch(ctl, &watch);
	if (rc < 0)
		return rc;
	if (ctl->eventfd)
		watch->eventfd = ctl->eventfd->number;
	drop_gone(ctl);
	rc = emu_epoll_add(
		ctl->object->epoll, &watch->file, ctl->fd, &ctl->event, &item);
	if (rc < 0) {
		if (watch->users == 0)
			emu_watch_destroy(watch);
		return rc;
	}
	watch->item = watch->users++ == 0 ? item : NULL;
	show(ctl, watch, ctl->event.events | EMU_EPOLLERR);
	emu_sweep_note(ctl->intercept);
	return 0;
}

static int add_nested(const struct ctl *ctl)
{
	struct emu_item *item;
	int rc = emu_epoll_add(ctl->object->epoll,
		emu_epoll_file(ctl->inner->epoll), ctl->fd, &ctl->event, &item);

	if (rc < 0)
		return rc;
	ctl->intercept->nested++;
	ctl->inner->outer++;
	emu_placeholder_show_nested(
		ctl->object, ctl->inner, ctl->event.events | EMU_EPOLLERR);
	return 0;
}

static int add(const struct ctl *ctl)
{
	int rc = ctl->inner ? add_nested(ctl) : add_watch(ctl);

	if (rc != -ELOOP && rc != -EINVAL && rc != -ENOSPC)
		return rc;
	/* Perhaps only because of what is gone: look, and try again. */
	emu_sweep_all(ctl->intercept);
	return ctl->inner ? add_nested(ctl) : add_watch(ctl);
}

/*
 * The ready set has one entry for the watch, whatever items it serves, so it
 * cannot tell them apart: from now on the doorbell speaks for this epoll.
 */
static void hide_alike(const struct ctl *ctl, struct emu_watch *watch)
{
	show(ctl, watch, 0);
	ctl->object->coarse = true;
}

/* The watch serves other items, too: it polls for what any of them wants. */
static int modify_alike(
	const struct ctl *ctl, struct emu_item *item, struct emu_watch *watch)
{
	int rc = emu_watch_modify(
		watch, ctl->copy, watch->weak.events | ctl->event.events);

	if (rc == 0)
		rc = emu_epoll_mod(item, &ctl->event);
	if (rc == 0)
		hide_alike(ctl, watch);
	return rc;
}

/*
 * Is it this item that the call is about? If the watch is the item's alone,
 * the host is asked by changing the watch, which is what follows anyway.
 * 1 yes, 0 no, or a negative errno.
 */
static int claim(const struct ctl *ctl, struct emu_item *item)
{
	struct emu_item_info info;
	struct emu_watch *watch;
	int rc;

	emu_item_info(item, &info);
	if (ctl->inner || !emu_file_is_watch(info.file))
		return item_matches(ctl, item);
	watch = emu_watch_of_file(info.file);
	if (watch->shared || watch->users > 1)
		return item_matches(ctl, item);
	if (ctl->op == EMU_EPOLL_CTL_DEL)
		rc = emu_weak_remove(&watch->weak, ctl->copy);
	else
		rc = emu_watch_modify(watch, ctl->copy, ctl->event.events);
	return rc == 0 ? 1 : rc == -ENOENT ? 0 : rc;
}

/* The item that the call is about. Errors: -ENOENT, those of the host. */
static int claim_item(const struct ctl *ctl, struct emu_item **item)
{
	int rc;

	*item = NULL;
	while ((*item = emu_epoll_next_fd(
			ctl->object->epoll, ctl->fd, *item))) {
		rc = claim(ctl, *item);
		if (rc != 0)
			return rc < 0 ? rc : 0;
	}
	return -ENOENT;
}

static int modify(const struct ctl *ctl)
{
	struct emu_watch *watch = NULL;
	struct emu_item_info info;
	struct emu_item *item;
	int rc = claim_item(ctl, &item);

	if (rc < 0)
		return rc;
	emu_item_info(item, &info);
	if (info.events & EMU_EPOLLEXCLUSIVE)
		return -EINVAL;
	if (!ctl->inner) {
		watch = emu_watch_of_file(info.file);
		if (watch->users > 1)
			return modify_alike(ctl, item, watch);
	}
	rc = emu_epoll_mod(item, &ctl->event);
	if (rc < 0)
		return rc;
	if (watch)
		show(ctl, watch, ctl->event.events | EMU_EPOLLERR);
	else
		emu_placeholder_show_nested(ctl->object, ctl->inner,
			ctl->event.events | EMU_EPOLLERR);
	return 0;
}

static int delete (const struct ctl *ctl)
{
	struct emu_item *item;
	struct emu_item_info info;
	struct emu_watch *watch;
	int rc = claim_item(ctl, &item);

	if (rc < 0)
		return rc;
	emu_item_info(item, &info);
	emu_epoll_del(item);
	if (ctl->inner) {
		ctl->intercept->nested--;
		ctl->inner->outer--;
		emu_placeholder_show_nested(ctl->object, ctl->inner, 0);
		return 0;
	}
	watch = emu_watch_of_file(info.file);
	if (watch->users > 1 && !watch->shared)
		hide_alike(ctl, watch);
	else if (watch->shown)
		show(ctl, watch, 0);
	emu_watch_put(watch);
	emu_placeholder_changed(ctl->object);
	return 0;
}

/* EPERM for a file that has no poll, whatever the operation. */
static int must_poll(const struct ctl *ctl)
{
	struct emu_weak weak;
	int rc;

	if (taken_by_poll(ctl, anon_of(ctl)))
		return 0; /* it has, and this would be one */
	rc = emu_weak_init(&weak, ctl->copy, 0);
	emu_weak_finish(&weak);
	return rc == -EPERM || rc == -EBADF ? rc : 0;
}

static int operate(const struct ctl *ctl)
{
	struct emu_file *file =
		ctl->inner ? emu_epoll_file(ctl->inner->epoll) : NULL;
	int rc = emu_epoll_check(
		ctl->object->epoll, ctl->op, file, ctl->event.events);

	if (rc < 0)
		return rc;
	/* What is ready now comes after what was woken before. */
	if (ctl->op != EMU_EPOLL_CTL_DEL)
		emu_intercept_drain(ctl->intercept, ctl->object);
	switch (ctl->op) {
	case EMU_EPOLL_CTL_ADD:
		return add(ctl);
	case EMU_EPOLL_CTL_MOD:
		return modify(ctl);
	case EMU_EPOLL_CTL_DEL:
		return delete (ctl);
	default:
		return -EINVAL;
	}
}

/* What kind of file is in the slot? */
static void look_at(struct ctl *ctl)
{
	struct emu_fdtable *table = ctl->intercept->fdtable;
	struct stat st;

	if (fstat(ctl->copy, &st) < 0)
		return;
	ctl->mode = st.st_mode;
	ctl->untyped = (st.st_mode & S_IFMT) == 0;
	ctl->anon = emu_fdtable_is_anon(table, &st);
	if (!ctl->anon)
		return;
	emu_fdtable_find_anon(table, ctl->copy, EMU_KIND_EPOLL, &ctl->inner);
	if (!ctl->inner && emu_observed(ctl->intercept))
		emu_fdtable_find_anon(
			table, ctl->copy, EMU_KIND_EVENTFD, &ctl->eventfd);
}

/* With the epoll known: the rest of the call. */
static int control(struct ctl *ctl)
{
	int wrong;
	int rc;

	ctl->copy = emu_slot_fetch(ctl->call->thread, ctl->fd);
	if (ctl->copy < 0)
		return ctl->copy;
	look_at(ctl);
	ctl->call->item = ctl->inner ? ctl->inner : ctl->eventfd;
	if (!ctl->call->item)
		emu_observe_file(ctl->intercept, ctl->call, ctl->copy);
	/* Another thread may close them just now. */
	ctl->object->pins++;
	if (ctl->inner)
		ctl->inner->pins++;
	rc = operate(ctl);
	ctl->object->pins--;
	if (ctl->inner)
		ctl->inner->pins--;
	if (rc < 0 && rc != -EPERM && rc != -EEXIST) {
		wrong = must_poll(ctl);
		if (wrong < 0)
			rc = wrong;
	}
	emu_slot_clear();
	return rc;
}

static int read_event(
	struct emu_thread *thread, uint64_t addr, struct emu_event *event)
{
	char bytes[16];
	int rc = emu_target_read(thread, addr, bytes, emu_arch_event_size);

	if (rc == 0)
		emu_arch_event_load(event, bytes);
	return rc;
}

void emu_call_epoll_ctl(struct emu_intercept *intercept, struct emu_call *call)
{
	struct ctl ctl = {
		.intercept = intercept,
		.call = call,
		.object = emu_dispatch_epoll(intercept, call),
		.op = emu_call_int(call, 1),
		.fd = emu_call_int(call, 2),
	};
	int rc = 0;

	if (!ctl.object || (emu_exact_is_due(intercept, call) &&
				   emu_exact_stop(intercept, call)))
		return;
	if (ctl.op != EMU_EPOLL_CTL_DEL)
		rc = read_event(call->thread, call->args[3], &ctl.event);
	call->event = ctl.event;
	/* No suspend blocker is ever taken here. */
	ctl.event.events &= ~EMU_EPOLLWAKEUP;
	if (rc == 0)
		rc = control(&ctl);
	if (rc == -EMFILE)
		emu_answer_full(intercept);
	intercept->coarse = intercept->coarse || ctl.object->coarse;
	emu_placeholder_settle(&intercept->unsettled);
	emu_answer_done(intercept, call, rc);
}
