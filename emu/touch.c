/* SPDX-License-Identifier: MIT */
/*
 * Calls whose memory is not there yet.
 *
 * Before a call is carried out its memory is looked at (pages.c). If a program
 * or another machine may have to bring a page (userfaultfd(2), FUSE, a network
 * file system), a thread of ours has it brought, which may take any time, and
 * all other calls are served meanwhile; whoever brings the page may need them.
 * The call goes on when the page is there; it took no effect before. A wait for
 * events sleeps as ever: room for them is brought when there are some.
 *
 * The threads wait in the kernel and touch nothing of the supervisor's but
 * their order, under a lock. There are at most MOST of them; more calls than
 * that wait for one to be free.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "arch.h"
#include "notifier.h"
#include "observe.h"
#include "pages.h"
#include "poll_bits.h"
#include "room.h"
#include "supervisor.h"

#define MOST 16
#define RANGES 3
#define STACK_SIZE (64u << 10)

struct range {
	uint64_t addr;
	size_t size;
	bool write;
};

struct ranges {
	bool faults; /* any page may be under userfaultfd(2) */
	int count;
	struct range at[RANGES];
};

/* A call that waits for its memory, and the order to bring it. */
struct emu_touch {
	struct emu_list link; /* on orders or done */
	struct emu_call call;
	pid_t tid;
	bool gone; /* nobody waits for it any more */
	bool parked; /* the call sleeps meanwhile */
	struct ranges ranges;
};

/* Shared with the threads, under the lock. */
static struct {
	pthread_mutex_t lock;
	pthread_cond_t order_came;
	struct emu_list orders;
	struct emu_list done;
	int threads;
	int idle;
	int bell; /* eventfd: something is done; -1 before the first order */
} pool = {
	.lock = PTHREAD_MUTEX_INITIALIZER,
	.order_came = PTHREAD_COND_INITIALIZER,
	.bell = -1,
};

static void bring_range(pid_t tid, const struct range *range)
{
	emu_pages_bring(tid, range->addr, range->size, range->write);
}

static void *bring(void *unused)
{
	const uint64_t one = 1;
	ssize_t n;

	(void)unused;
	pthread_mutex_lock(&pool.lock);
	for (;;) {
		struct emu_touch *touch;

		pool.idle++;
		while (emu_list_empty(&pool.orders))
			pthread_cond_wait(&pool.order_came, &pool.lock);
		pool.idle--;
		touch = emu_container_of(
			pool.orders.next, struct emu_touch, link);
		emu_list_remove(&touch->link);
		pthread_mutex_unlock(&pool.lock);
		for (int i = 0; i < touch->ranges.count; i++)
			bring_range(touch->tid, &touch->ranges.at[i]);
		pthread_mutex_lock(&pool.lock);
		emu_list_add_tail(&touch->link, &pool.done);
		n = write(pool.bell, &one, sizeof(one));
		(void)n; /* the supervisor looks at all that is done */
	}
	return NULL;
}

static int add_thread(void)
{
	pthread_attr_t attributes;
	pthread_t thread;
	sigset_t all;
	sigset_t mask;
	int error;

	pthread_attr_init(&attributes);
	pthread_attr_setstacksize(&attributes, STACK_SIZE);
	pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	error = pthread_create(&thread, &attributes, bring, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	pthread_attr_destroy(&attributes);
	return error;
}

/*
 * A signal ended the call before it was carried out. A wait without events
 * would have slept by then, as far as others can see.
 */
static void cut_off(
	struct emu_intercept *intercept, const struct emu_call *call)
{
	bool slept = emu_call_is_wait(call->kind) &&
		     emu_wait_would_sleep(intercept, call);

	emu_voided_add(
		intercept, call, slept ? EMU_VOID_WAIT : EMU_VOID_AGAIN, 0);
}

void emu_touch_go_on(struct emu_intercept *intercept, struct emu_call *call)
{
	call->touched = true;
	if (emu_exec_arrival(intercept, call))
		return;
	if (!emu_notifier_valid(intercept->listener, call->id)) {
		cut_off(intercept, call);
		return;
	}
	emu_observe_cause_call(intercept, call);
	emu_signalfd_caller(call->thread);
	emu_dispatch_ready(intercept, call);
	emu_observe_cause(intercept, EMU_CAUSE_UNKNOWN);
}

/* The memory is there, or cannot be had: the call goes on. */
static void go_on(struct emu_intercept *intercept, struct emu_touch *touch)
{
	struct emu_thread *thread = touch->call.thread;

	thread->touch = NULL;
	emu_pages_forget(thread); /* so that there is room for all of them */
	for (int i = 0; i < touch->ranges.count; i++) {
		const struct range *range = &touch->ranges.at[i];

		emu_pages_brought(
			thread, range->addr, range->size, range->write);
	}
	if (!touch->parked)
		emu_touch_go_on(intercept, &touch->call);
	else if (thread->parked && thread->parked->delayed)
		emu_parked_serve(thread->parked, false);
}

static struct emu_touch *take_done(void)
{
	struct emu_touch *touch = NULL;

	pthread_mutex_lock(&pool.lock);
	if (!emu_list_empty(&pool.done)) {
		touch = emu_container_of(
			pool.done.next, struct emu_touch, link);
		emu_list_remove(&touch->link);
	}
	pthread_mutex_unlock(&pool.lock);
	return touch;
}

static void some_done(struct emu_source *source, uint32_t events)
{
	struct emu_intercept *intercept =
		emu_container_of(source, struct emu_intercept, touched);
	struct emu_touch *touch;
	uint64_t count;
	ssize_t n = read(pool.bell, &count, sizeof(count));

	(void)events;
	(void)n;
	while ((touch = take_done())) {
		if (!touch->gone)
			go_on(intercept, touch);
		free(touch);
	}
}

static int open_pool(struct emu_intercept *intercept)
{
	int rc;

	if (pool.bell >= 0)
		return 0;
	emu_list_init(&pool.orders);
	emu_list_init(&pool.done);
	pool.bell = emu_room_keep(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
	if (pool.bell < 0)
		return pool.bell;
	intercept->touched.ready = some_done;
	rc = emu_loop_add(
		intercept->loop, pool.bell, EPOLLIN, &intercept->touched);
	if (rc < 0) {
		close(pool.bell);
		pool.bell = -1;
	}
	return rc;
}

/* Errors: there is no thread to do it. */
static int give_order(struct emu_touch *touch)
{
	int error = 0;

	pthread_mutex_lock(&pool.lock);
	if (pool.idle == 0 && pool.threads < MOST) {
		error = add_thread();
		if (error == 0)
			pool.threads++;
	}
	if (pool.threads > 0) {
		error = 0;
		emu_list_add_tail(&touch->link, &pool.orders);
		pthread_cond_signal(&pool.order_came);
	}
	pthread_mutex_unlock(&pool.lock);
	return -error;
}

static void add(struct ranges *ranges, const struct emu_call *call,
	uint64_t addr, size_t size, bool write)
{
	if (addr && !emu_pages_ready(
			    call->thread, addr, size, write, ranges->faults))
		ranges->at[ranges->count++] = (struct range){addr, size, write};
}

/* Room for the events that are there. */
static void add_events(struct ranges *ranges, const struct emu_call *call,
	const struct emu_object *epoll)
{
	int max = emu_call_int(call, 2);
	int queued = emu_epoll_queued(epoll->epoll);
	int room = max < queued ? max : queued;

	add(ranges, call, call->args[1], (size_t)room * emu_arch_event_size,
		true);
}

/* What the call reads, or an eventfd is read into. */
static void add_arguments(struct ranges *ranges, const struct emu_call *call)
{
	const uint64_t *args = call->args;

	switch (call->kind) {
	case EMU_CALL_EPOLL_PWAIT2:
		add(ranges, call, args[3], 2 * sizeof(int64_t), false);
		add(ranges, call, args[4], sizeof(uint64_t), false);
		break;
	case EMU_CALL_EPOLL_PWAIT:
		add(ranges, call, args[4], sizeof(uint64_t), false);
		break;
	case EMU_CALL_EPOLL_CTL:
		if (emu_call_int(call, 1) != EMU_EPOLL_CTL_DEL)
			add(ranges, call, args[3], emu_arch_event_size, false);
		break;
	case EMU_CALL_READ:
	case EMU_CALL_WRITE:
		add(ranges, call, args[1], sizeof(uint64_t),
			call->kind == EMU_CALL_READ);
		break;
	default:
		break;
	}
}

static bool is_parked(const struct emu_call *call)
{
	const struct emu_parked *parked = call->thread->parked;

	return parked && call == &parked->call;
}

/* Has the memory brought. False if nobody can do it. */
static bool order(struct emu_intercept *intercept, const struct emu_call *call,
	const struct ranges *ranges)
{
	struct emu_touch *touch;

	if (open_pool(intercept) < 0)
		return false;
	touch = malloc(sizeof(*touch));
	if (!touch)
		return false;
	*touch = (struct emu_touch){
		.call = emu_call_keep(call),
		.tid = call->thread->tid,
		.parked = is_parked(call),
		.ranges = *ranges,
	};
	emu_list_init(&touch->link);
	if (give_order(touch) < 0) {
		free(touch);
		return false;
	}
	call->thread->touch = touch;
	emu_observe_put_off(intercept, call);
	return true;
}

bool emu_touch_first(struct emu_intercept *intercept,
	const struct emu_call *call, const struct emu_object *epoll)
{
	struct ranges ranges = {.count = 0};

	if (call->thread->touch) /* of a parked call */
		return true;
	if (call->stopped) /* that was done before */
		return false;
	ranges.faults = emu_faults_possible(&intercept->faults, call->thread);
	if (epoll)
		add_events(&ranges, call, epoll);
	else
		add_arguments(&ranges, call);
	return ranges.count > 0 && order(intercept, call, &ranges);
}

void emu_touch_finish(struct emu_intercept *intercept)
{
	if (pool.bell >= 0)
		emu_loop_remove(
			intercept->loop, pool.bell, &intercept->touched);
}

void emu_touch_left(struct emu_intercept *intercept, struct emu_thread *thread)
{
	/* Of one that sleeps voided.c knows. */
	if (!thread->touch->parked)
		cut_off(intercept, &thread->touch->call);
	emu_touch_forget(thread);
}

void emu_touch_forget(struct emu_thread *thread)
{
	if (thread->touch)
		thread->touch->gone = true;
	thread->touch = NULL;
}
