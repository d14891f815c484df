/* SPDX-License-Identifier: MIT */
/*
 * The arena: starts honest clients and actors of the chaos, keeps the actors
 * within bounds, and watches that the clients get on.
 *
 *     arena [OPTIONS] run|tame|quiet
 *
 * Bounds: a fixed number of actors, each killed after some seconds; what an
 * actor leaves behind is an orphan, becomes a child of the arena and is killed
 * at once; actors are no more than the limits below let them be. "tame" leaves
 * out what would let a process outlive its parent, "quiet" all actors.
 *
 * With --sync it says "base", "rest" and "rest" when nothing but itself is
 * there, and waits for a line. It ends with status 3 when all was well.
 */
#define _GNU_SOURCE
#include "../stress/stress.h"
#include "hostile.h"
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>

#define SECOND 1000000000ull
#define PATIENCE_NS (30 * SECOND)
#define LIFE_NS (5 * SECOND)

static const char *const clients[] = {"level", "edge", "oneshot", "forked",
	"bytes", "counter-restart", "counter-eintr", "masked", "timer",
	"spawner"};

struct child {
	pid_t pid;
	uint64_t since; /* born, or last seen to get on */
	uint64_t progress;
};

static struct hostile *shared;
static struct child client[ARRAY_LEN(clients)];
static struct child actor[HOSTILE_ACTORS];
static unsigned actors; /* how many there shall be */
static unsigned born; /* actors so far */
static pid_t group; /* of the actors; its leader does nothing */
static char directory[PATH_MAX];
static int mail[2], null_fd;

static void find_directory(void)
{
	ssize_t len =
		readlink("/proc/self/exe", directory, sizeof(directory) - 1);

	must(len > 0, "/proc/self/exe: %s", strerror(errno));
	directory[len] = '\0';
	*strrchr(directory, '/') = '\0';
}

static void share(void)
{
	int fd = (int)good(memfd_create("hostile", 0));

	good(ftruncate(fd, sizeof(*shared)));
	good(dup2(fd, HOSTILE_FD));
	x_close(fd);
	shared = hostile_map(false);
	must(shared, "mmap: %s", strerror(errno));
	good(socketpair(
		AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, mail));
	null_fd = (int)good(open("/dev/null", O_RDWR | O_CLOEXEC));
}

static void limit(int what, rlim_t most)
{
	struct rlimit lim;

	good(getrlimit(what, &lim));
	if (lim.rlim_max == RLIM_INFINITY || lim.rlim_max > most)
		lim.rlim_max = most;
	lim.rlim_cur = lim.rlim_max;
	good(setrlimit(what, &lim));
}

/* A child that ends with the arena, ready to exec. */
static pid_t begin_child(void)
{
	pid_t parent = getpid(), pid = (pid_t)good(fork());

	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(1);
	alarm(0);
	good(dup2(null_fd, 0));
	good(dup2(null_fd, 1));
	return 0;
}

static void exec_honest(const char *what, unsigned index)
{
	char path[PATH_MAX + 16], seed[24], number[16], limit_s[16];
	char *argv[] = {path, (char *)"--seed", seed, (char *)"--limit",
		limit_s, (char *)what, number, NULL};

	snprintf(path, sizeof(path), "%s/honest", directory);
	snprintf(seed, sizeof(seed), "%llu", (unsigned long long)stress.seed);
	snprintf(number, sizeof(number), "%u", index);
	snprintf(limit_s, sizeof(limit_s), "%d", stress.limit_s);
	execv(path, argv);
	fail("%s: %s", path, strerror(errno));
}

static void limit_actor(void)
{
	limit(RLIMIT_CORE, 0);
	limit(RLIMIT_AS, 512ul << 20);
	limit(RLIMIT_CPU, 20);
	limit(RLIMIT_FSIZE, 1 << 20);
	limit(RLIMIT_MEMLOCK, 1 << 20);
	limit(RLIMIT_SIGPENDING, 512);
	limit(RLIMIT_NOFILE, HOSTILE_FD_LIMIT);
	if (geteuid() != 0)
		limit(RLIMIT_NPROC, 1000);
}

static void exec_actor(unsigned slot, unsigned generation)
{
	char path[PATH_MAX + 16], seed[24], number[16];
	char *argv[] = {path, seed, number, NULL};

	setpgid(0, group);
	good(dup2(null_fd, 2));
	good(dup2(mail[0], HOSTILE_MAIL));
	good(dup2(mail[1], HOSTILE_MAIL + 1));
	limit_actor();
	snprintf(path, sizeof(path), "%s/chaos", directory);
	snprintf(seed, sizeof(seed), "%llu",
		(unsigned long long)stress.seed * 1000003 + generation);
	snprintf(number, sizeof(number), "%u", slot);
	execv(path, argv);
	_exit(1);
}

/* The group stands as long as its leader does. */
static void open_group(void)
{
	sigset_t all;

	group = begin_child();
	if (group != 0) {
		setpgid(group, group);
		return;
	}
	setpgid(0, 0);
	sigfillset(&all);
	sigprocmask(SIG_BLOCK, &all, NULL);
	for (;;)
		pause();
}

static void start_clients(void)
{
	atomic_store(&shared->stop, 0);
	for (unsigned i = 0; i < ARRAY_LEN(clients); i++) {
		client[i].since = stress_now_ns();
		client[i].pid = begin_child();
		if (client[i].pid == 0)
			exec_honest(clients[i], i);
	}
}

static void start_actors(void)
{
	for (unsigned i = 0; i < actors; i++) {
		if (actor[i].pid || shared->live >= HOSTILE_MOST_LIVE)
			continue;
		actor[i].pid = begin_child();
		if (actor[i].pid == 0)
			exec_actor(i, born);
		actor[i].since = stress_now_ns();
		atomic_store(&shared->actor[i], actor[i].pid);
		atomic_fetch_add(&shared->live, 1);
		born++;
	}
}

static int client_of(pid_t pid)
{
	for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
		if (client[i].pid == pid)
			return (int)i;
	return -1;
}

static int actor_of(pid_t pid)
{
	for (unsigned i = 0; i < HOSTILE_ACTORS; i++)
		if (actor[i].pid == pid)
			return (int)i;
	return -1;
}

/* Takes who has ended; what an actor ended with is of no interest. */
static void reap(void)
{
	siginfo_t info = {0};

	while (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 &&
		info.si_pid) {
		pid_t pid = info.si_pid;
		int i = actor_of(pid), status;

		/* Nobody may signal a number that is free again. */
		if (i >= 0) {
			atomic_store(&shared->actor[i], 0);
			actor[i].pid = 0;
		}
		good(waitpid(pid, &status, 0));
		i = client_of(pid);
		if (i >= 0) {
			must(status == 0 && shared->stop,
				"client %s ended with 0x%x", clients[i],
				(unsigned)status);
			client[i].pid = 0;
		}
		info.si_pid = 0;
	}
}

static size_t children_of(pid_t pid, pid_t *list, size_t most)
{
	char path[64], text[4096], *at = text, *end;
	size_t count = 0;

	snprintf(path, sizeof(path), "/proc/%d/task/%d/children", pid, pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	if (fd >= 0)
		close(fd);
	text[len > 0 ? len : 0] = '\0';
	while (count < most) {
		long number = strtol(at, &end, 10);

		if (end == at)
			break;
		list[count++] = (pid_t)number;
		at = end;
	}
	return count;
}

/* Kills orphans, and actors that are old; counts who lives. */
static int keep_bounds(bool all)
{
	pid_t child[256], below[64];
	size_t count = children_of(getpid(), child, ARRAY_LEN(child));
	int live = 0;

	for (size_t i = 0; i < count; i++) {
		int slot = actor_of(child[i]);

		if (client_of(child[i]) >= 0 || child[i] == group)
			continue;
		live += 1 + (int)children_of(child[i], below, ARRAY_LEN(below));
		if (all || slot < 0 ||
			stress_now_ns() - actor[slot].since > LIFE_NS)
			kill(child[i], SIGKILL);
	}
	atomic_store(&shared->live, live);
	return live;
}

static void watch_client(unsigned i)
{
	uint64_t progress = atomic_load(&shared->client[i].progress);
	uint64_t now = stress_now_ns();

	if (progress != client[i].progress) {
		client[i].progress = progress;
		client[i].since = now;
	}
	must(now - client[i].since < PATIENCE_NS,
		"client %s (pid %d) stands still after %llu answers",
		clients[i], client[i].pid, (unsigned long long)progress);
}

/* One turn of what is to be looked after. */
static void look_after(bool with_actors)
{
	reap();
	for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
		watch_client(i);
	if (with_actors) {
		keep_bounds(false);
		start_actors();
		if (stress_now_ns() / 100000000 % 4 == 0)
			kill(-group, SIGCONT);
	}
	stress_sleep_us(20000);
}

/* Each client has to get on from here. */
static void see_progress(bool with_actors)
{
	uint64_t from[ARRAY_LEN(clients)];
	bool all = false;

	for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
		from[i] = atomic_load(&shared->client[i].progress);
	while (!all) {
		look_after(with_actors);
		all = true;
		for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
			all &= atomic_load(&shared->client[i].progress) !=
			       from[i];
	}
}

static void end_actors(void)
{
	uint64_t start = stress_now_ns();

	atomic_store(&shared->chaos_over, 1);
	kill(-group, SIGKILL);
	do {
		must(stress_now_ns() - start < PATIENCE_NS,
			"killed actors do not end");
		reap();
		stress_sleep_us(5000);
	} while (keep_bounds(true) > 0);
	group = 0;
	atomic_store(&shared->chaos_over, 0);
}

static void end_clients(void)
{
	uint64_t start = stress_now_ns();
	int left;

	atomic_store(&shared->stop, 1);
	do {
		reap();
		left = -1;
		for (int i = 0; i < (int)ARRAY_LEN(clients); i++)
			left = client[i].pid ? i : left;
		must(left < 0 || stress_now_ns() - start < PATIENCE_NS,
			"client %s does not end",
			left < 0 ? "" : clients[left]);
		stress_sleep_us(5000);
	} while (left >= 0);
}

/* Clients and actors together for so long, and then nobody. */
static void phase(double seconds)
{
	uint64_t end;

	start_clients();
	see_progress(false);
	if (actors)
		open_group();
	end = stress_now_ns() + (uint64_t)(seconds * 1e9);
	while (stress_now_ns() < end)
		look_after(actors > 0);
	see_progress(actors > 0);
	if (actors)
		end_actors();
	see_progress(false);
	end_clients();
}

static void report(void)
{
	uint64_t answers = 0, did = 0;

	for (unsigned i = 0; i < ARRAY_LEN(clients); i++)
		answers += atomic_load(&shared->client[i].progress);
	for (unsigned i = 0; i < HOSTILE_MOST_ACTIONS; i++)
		did += atomic_load(&shared->did[i]);
	stress_ok("%llu answers; %u actors, %llu actions, %llu calls good, "
		  "%llu failed",
		(unsigned long long)answers, born, (unsigned long long)did,
		(unsigned long long)shared->good_calls,
		(unsigned long long)shared->failed_calls);
	/* Somebody has to have attacked, also on an emulated processor. */
	must(!actors || (shared->good_calls > 10 && did > 100), "no chaos");
}

static void arena(unsigned count, bool tame)
{
	good(prctl(PR_SET_CHILD_SUBREAPER, 1));
	/* A pipe that nobody reads is no reason to end. */
	signal(SIGPIPE, SIG_IGN);
	find_directory();
	share();
	shared->tame = tame;
	actors = count;
	dprintf(1, "arena %d\n", getpid());
	stress_pause("base");
	phase(stress.seconds / 2);
	stress_pause("rest");
	phase(stress.seconds / 2);
	stress_pause("rest");
	report();
	exit(HOSTILE_GOOD);
}

static void run(void)
{
	arena(HOSTILE_ACTORS, false);
}

static void tame(void)
{
	arena(6, true);
}

static void quiet(void)
{
	arena(0, true);
}

static const struct stress_case cases[] = {
	{"run", run},
	{"tame", tame},
	{"quiet", quiet},
	{NULL, NULL},
};

int main(int argc, char **argv)
{
	return stress_main(argc, argv, cases);
}
