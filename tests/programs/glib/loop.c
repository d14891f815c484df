/* SPDX-License-Identifier: MIT */
/*
 * The GLib main loop: woken from threads, by timers, children, signals and
 * descriptors.
 *
 * GLib polls; it has no epoll. Its wake-up descriptor is an eventfd, which
 * ppoll() must see as ready as soon as another thread wrote to it, and which
 * is read with 16 bytes. Each part prints only what is the same in every run.
 */
#include <glib-unix.h>
#include <glib.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#define THREADS 4
#define WAKES 2000
#define TIMERS 40
#define CHILDREN 10
#define SIGNALS 20
#define ROUNDS 200

struct count {
	GMainLoop *loop;
	int left;
	guint64 sum;
};

static void done_one(struct count *count)
{
	if (--count->left == 0)
		g_main_loop_quit(count->loop);
}

static void run(struct count *count)
{
	count->loop = g_main_loop_new(NULL, FALSE);
	g_main_loop_run(count->loop);
	g_main_loop_unref(count->loop);
}

static gboolean from_thread(gpointer data)
{
	struct count *count = data;

	count->sum++;
	done_one(count);
	return G_SOURCE_REMOVE;
}

static gpointer waker(gpointer data)
{
	for (int i = 0; i < WAKES; i++) {
		g_main_context_invoke_full(
			NULL, G_PRIORITY_DEFAULT, from_thread, data, NULL);
		if (i % 16 == 0)
			g_thread_yield();
	}
	return NULL;
}

static void wakes(void)
{
	struct count count = {.left = THREADS * WAKES};
	GThread *threads[THREADS];

	for (int i = 0; i < THREADS; i++)
		threads[i] = g_thread_new("waker", waker, &count);
	run(&count);
	for (int i = 0; i < THREADS; i++)
		g_thread_join(threads[i]);
	g_print("wakes: %" G_GUINT64_FORMAT "\n", count.sum);
}

/* A loop of its own in another thread; both take turns. */
struct turns {
	GMainContext *context[2];
	GMainLoop *loop;
	int done;
};

static gboolean turn(gpointer data)
{
	struct turns *turns = data;

	turns->done++;
	if (turns->done == 2 * ROUNDS)
		g_main_loop_quit(turns->loop);
	else
		g_main_context_invoke(
			turns->context[turns->done % 2], turn, turns);
	return G_SOURCE_REMOVE;
}

static gpointer second_loop(gpointer data)
{
	GMainLoop *loop = data;
	GMainContext *context = g_main_loop_get_context(loop);

	g_main_context_push_thread_default(context);
	g_main_loop_run(loop);
	g_main_context_pop_thread_default(context);
	return NULL;
}

static void two_loops(void)
{
	GMainContext *other = g_main_context_new();
	GMainLoop *second = g_main_loop_new(other, FALSE);
	struct turns turns = {{NULL, other}, NULL, 0};
	GThread *thread;
	GSource *source;

	turns.loop = g_main_loop_new(NULL, FALSE);
	thread = g_thread_new("loop", second_loop, second);
	source = g_idle_source_new();
	g_source_set_callback(source, turn, &turns, NULL);
	g_source_attach(source, NULL);
	g_main_loop_run(turns.loop);
	g_main_loop_quit(second);
	g_thread_join(thread);
	g_source_unref(source);
	g_main_loop_unref(turns.loop);
	g_main_loop_unref(second);
	g_main_context_unref(other);
	g_print("two loops: %d turns\n", turns.done);
}

struct timer {
	struct count *count;
	gint64 due;
};

static gboolean expired(gpointer data)
{
	struct timer *timer = data;

	if (g_get_monotonic_time() < timer->due)
		timer->count->sum++;
	done_one(timer->count);
	return G_SOURCE_REMOVE;
}

static void timers(void)
{
	struct count count = {.left = TIMERS};
	struct timer timer[TIMERS];

	for (guint i = 0; i < TIMERS; i++) {
		timer[i].count = &count;
		timer[i].due = g_get_monotonic_time() + i * 1000;
		g_timeout_add(i, expired, &timer[i]);
	}
	run(&count);
	g_print("timers: %d expired, %d early\n", TIMERS, (int)count.sum);
}

static void child_ended(GPid pid, gint status, gpointer data)
{
	struct count *count = data;

	g_spawn_close_pid(pid);
	count->sum += (guint64)WEXITSTATUS(status);
	done_one(count);
}

static void children(void)
{
	struct count count = {.left = CHILDREN};

	for (int i = 0; i < CHILDREN; i++) {
		char script[] = "exit 0";
		char *argv[] = {"/bin/sh", "-c", script, NULL};
		GPid pid;

		script[5] = (char)('0' + i);
		if (!g_spawn_async(NULL, argv, NULL, G_SPAWN_DO_NOT_REAP_CHILD,
			    NULL, NULL, &pid, NULL))
			abort();
		g_child_watch_add(pid, child_ended, &count);
	}
	run(&count);
	g_print("children: %d, sum of statuses %d\n", CHILDREN, (int)count.sum);
}

static gboolean signalled(gpointer data)
{
	struct count *count = data;

	count->sum++;
	if (count->left > 1)
		raise(SIGUSR1);
	done_one(count);
	return G_SOURCE_CONTINUE;
}

static void signals(void)
{
	struct count count = {.left = SIGNALS};
	guint source = g_unix_signal_add(SIGUSR1, signalled, &count);

	raise(SIGUSR1);
	run(&count);
	g_source_remove(source);
	g_print("signals: %d\n", (int)count.sum);
}

/* An eventfd and an epoll instance of ours as sources of the loop. */
static gpointer adder(gpointer data)
{
	int fd = GPOINTER_TO_INT(data);

	for (eventfd_t i = 1; i <= WAKES; i++)
		if (eventfd_write(fd, i))
			abort();
	return NULL;
}

static gboolean eventfd_ready(gint fd, GIOCondition condition, gpointer data)
{
	struct count *count = data;
	eventfd_t value;

	if (condition != G_IO_IN || eventfd_read(fd, &value))
		abort();
	count->sum += value;
	if (count->sum == (guint64)WAKES * (WAKES + 1) / 2)
		done_one(count);
	return G_SOURCE_CONTINUE;
}

static void eventfds(void)
{
	struct count count = {.left = 1};
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	guint source = g_unix_fd_add(fd, G_IO_IN, eventfd_ready, &count);
	GThread *thread = g_thread_new("adder", adder, GINT_TO_POINTER(fd));

	run(&count);
	g_thread_join(thread);
	g_source_remove(source);
	close(fd);
	g_print("eventfd: sum %" G_GUINT64_FORMAT "\n", count.sum);
}

static gboolean epoll_ready(gint fd, GIOCondition condition, gpointer data)
{
	struct count *count = data;
	struct epoll_event event;
	char byte;

	if (condition != G_IO_IN || epoll_wait(fd, &event, 1, 0) != 1 ||
		read(event.data.fd, &byte, 1) != 1)
		abort();
	count->sum += (guint64)byte;
	done_one(count);
	return G_SOURCE_CONTINUE;
}

static gpointer sender(gpointer data)
{
	const int *fds = data;

	for (char i = 0; i < 100; i++)
		if (write(fds[i % 2], &i, 1) != 1)
			abort();
	return NULL;
}

static void epolls(void)
{
	struct count count = {.left = 100};
	int epoll = epoll_create1(EPOLL_CLOEXEC);
	int pairs[2][2], ends[2];
	GThread *thread;
	guint source;

	for (int i = 0; i < 2; i++) {
		struct epoll_event event = {.events = EPOLLIN};

		if (socketpair(AF_UNIX, SOCK_STREAM, 0, pairs[i]))
			abort();
		event.data.fd = pairs[i][0];
		ends[i] = pairs[i][1];
		if (epoll_ctl(epoll, EPOLL_CTL_ADD, pairs[i][0], &event))
			abort();
	}
	source = g_unix_fd_add(epoll, G_IO_IN, epoll_ready, &count);
	thread = g_thread_new("sender", sender, ends);
	run(&count);
	g_thread_join(thread);
	g_source_remove(source);
	for (int i = 0; i < 2; i++) {
		close(pairs[i][0]);
		close(pairs[i][1]);
	}
	close(epoll);
	g_print("epoll in the loop: sum %d\n", (int)count.sum);
}

int main(void)
{
	wakes();
	two_loops();
	timers();
	children();
	signals();
	eventfds();
	epolls();
	return 0;
}
