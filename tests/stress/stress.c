/* SPDX-License-Identifier: MIT */
/*
 * The frame of the stress programs: options, one process per case, the
 * watchdog, random numbers.
 *
 * The watchdog is SIGALRM from alarm(2): it needs no thread, so it works in
 * every process shape, and it does not disturb the signals under test since
 * it comes only when a case has already hung. It prints what each thread is
 * doing and aborts; should the printing itself hang, a second SIGALRM with
 * the default action ends the process.
 */
#define _GNU_SOURCE
#include "stress.h"
#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

struct stress_options stress;

static void (*dump_state)(void);
static const struct stress_case *case_table;

static void print_proc(const char *tid, const char *file)
{
	char path[96], text[256];

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/%s", tid, file);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t len = fd < 0 ? 0 : read(fd, text, sizeof(text) - 1);

	text[len > 0 ? len : 0] = '\0';
	text[strcspn(text, "\n")] = '\0';
	dprintf(2, " %s=[%s]", file, text);
	if (fd >= 0)
		close(fd);
}

static void print_threads(void)
{
	DIR *dir = opendir("/proc/self/task");
	struct dirent *ent;
	int shown = 0;

	while (dir && (ent = readdir(dir)) && shown < 16) {
		if (ent->d_name[0] == '.')
			continue;
		dprintf(2, "# thread %s:", ent->d_name);
		print_proc(ent->d_name, "syscall");
		print_proc(ent->d_name, "wchan");
		dprintf(2, "\n");
		shown++;
	}
	if (dir)
		closedir(dir);
}

static void on_alarm(int sig)
{
	signal(sig, SIG_DFL);
	alarm(10);
	dprintf(2, "# watchdog: %s %s (pid %d) made no end in %d s\n",
		stress.prog, stress.what, getpid(), stress.limit_s);
	print_threads();
	if (dump_state)
		dump_state();
	abort();
}

void stress_arm(void)
{
	struct sigaction sa = {.sa_handler = on_alarm};
	sigset_t set;

	/* A nested SIGALRM must be able to end a dump that hangs. */
	sa.sa_flags = SA_NODEFER;
	sigaction(SIGALRM, &sa, NULL);
	sigemptyset(&set);
	sigaddset(&set, SIGALRM);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	alarm((unsigned)stress.limit_s);
}

void stress_on_watchdog(void (*dump)(void))
{
	dump_state = dump;
}

void stress_fail(const char *file, int line, const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	dprintf(stress.err, "%s: FAIL %s: %s:%d: %s (seed %llu, pid %d)\n",
		stress.prog, stress.what, file, line, text,
		(unsigned long long)stress.seed, getpid());
	_exit(1);
}

void stress_skip(const char *why)
{
	dprintf(1, "%s: skip %s: %s\n", stress.prog, stress.what, why);
	_exit(77);
}

void stress_ok(const char *fmt, ...)
{
	char text[600];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	if (stress.cut_off && *stress.cut_off)
		dprintf(2,
			"note: %ld calls failed with EINTR, and were made "
			"again\n",
			*stress.cut_off);
	dprintf(1, "%s: ok %s: %s\n", stress.prog, stress.what, text);
}

void stress_pause(const char *word)
{
	char c = 0;

	if (!stress.sync)
		return;
	dprintf(1, "%s\n", word);
	while (c != '\n')
		if (read(0, &c, 1) != 1)
			fail("the driver went away");
}

uint64_t stress_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void stress_sleep_us(unsigned us)
{
	struct timespec ts = {us / 1000000, us % 1000000 * 1000L};

	nanosleep(&ts, NULL);
}

long stress_count(long dflt)
{
	if (stress.count > 0)
		return stress.count;
	long n = (long)((double)dflt * stress.seconds / 3.0);

	return n > 0 ? n : 1;
}

void stress_seed(struct stress_rng *rng, uint64_t stream)
{
	rng->state = stress.seed * 0x9e3779b97f4a7c15u + stream;
	stress_rand(rng);
}

/* splitmix64 */
uint64_t stress_rand(struct stress_rng *rng)
{
	uint64_t z = rng->state += 0x9e3779b97f4a7c15u;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

unsigned stress_below(struct stress_rng *rng, unsigned bound)
{
	return (unsigned)((stress_rand(rng) >> 33) % bound);
}

static int run_case(const struct stress_case *c)
{
	stress.what = c->name[0] == '@' ? c->name + 1 : c->name;
	stress_arm();
	c->run();
	fflush(stdout);
	return 0;
}

static int run_all(void)
{
	int worst = 0;

	for (const struct stress_case *c = case_table; c->name; c++) {
		int status = 0;

		if (c->name[0] == '@')
			continue;
		pid_t pid = fork();

		if (pid == 0)
			exit(run_case(c));
		if (pid < 0 || waitpid(pid, &status, 0) != pid)
			return 1;
		if (status != 0 && status != 77 << 8) {
			dprintf(2, "%s: %s: status 0x%x\n", stress.prog,
				c->name, (unsigned)status);
			worst = 1;
		}
	}
	return worst;
}

static int run_named(const char *name)
{
	for (const struct stress_case *c = case_table; c->name; c++)
		if (!strcmp(c->name + (c->name[0] == '@'), name))
			return run_case(c);
	dprintf(2, "%s: no case '%s', see --list\n", stress.prog, name);
	return 2;
}

static int list_cases(void)
{
	for (const struct stress_case *c = case_table; c->name; c++)
		if (c->name[0] != '@')
			puts(c->name);
	return 0;
}

static int parse_option(const char *name, const char *value)
{
	if (!value)
		return -1;
	if (!strcmp(name, "--seed"))
		stress.seed = strtoull(value, NULL, 0);
	else if (!strcmp(name, "--seconds"))
		stress.seconds = strtod(value, NULL);
	else if (!strcmp(name, "--count"))
		stress.count = strtol(value, NULL, 0);
	else if (!strcmp(name, "--limit"))
		stress.limit_s = (int)strtol(value, NULL, 0);
	else if (!strcmp(name, "--gap"))
		stress.gap = (unsigned)strtoul(value, NULL, 0);
	else
		return -1;
	return 0;
}

int stress_main(int argc, char **argv, const struct stress_case *cases)
{
	const char *slash = strrchr(argv[0], '/');
	int i = 1;

	case_table = cases;
	stress.prog = slash ? slash + 1 : argv[0];
	stress.what = "-";
	stress.seed = 1;
	stress.seconds = 3;
	stress.gap = 1;
	stress.err = 2;
	for (; i < argc && !strncmp(argv[i], "--", 2); i++) {
		if (!strcmp(argv[i], "--list"))
			return list_cases();
		if (!strcmp(argv[i], "--sync")) {
			stress.sync = true;
		} else if (!strcmp(argv[i], "--emulated")) {
			stress.emulated = true;
		} else if (parse_option(argv[i], argv[i + 1]) == 0) {
			i++;
		} else {
			dprintf(2, "%s: bad option %s\n", stress.prog, argv[i]);
			return 2;
		}
	}
	if (!stress.limit_s)
		stress.limit_s = 60 + (int)(stress.seconds * 4);
	if (stress.emulated)
		stress.cut_off = stress_shared(sizeof(*stress.cut_off));
	if (i >= argc)
		return run_all();
	stress.args = argv + i + 1;
	return run_named(argv[i]);
}
