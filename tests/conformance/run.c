/* SPDX-License-Identifier: MIT */
/*
 * The runner: options, choice of cases, and one case after another.
 *
 * A case runs in a forked leader with a process group of its own; a second
 * child sleeps for the time limit. Whichever ends first is told by wait4, so
 * that the runner itself needs fork, wait, kill and nanosleep and nothing
 * else. At the end of a case whatever is left of its group is killed.
 */
#include "run.h"
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

static void close_inherited(void)
{
	int fd;

	if (RAW(__NR_close_range, 3, -1, 0) == 0)
		return;
	for (fd = 3; fd < 256; fd++)
		RAW(__NR_close, fd);
}

/* Descriptors 0, 1 and 2 must exist, or the first file would take one. */
static void fill_standard(void)
{
	long fd;

	do
		fd = RAW(__NR_openat, AT_FDCWD, "/dev/null", O_RDWR, 0);
	while (fd >= 0 && fd < 3);
	if (fd < 0)
		do
			fd = RAW(__NR_dup, 1);
		while (fd >= 0 && fd < 3);
}

static void leader_run(const struct conf_case *c) __attribute__((noreturn));
static void leader_run(const struct conf_case *c)
{
	RAW(__NR_setpgid, 0, 0);
	RAW(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	conf_shared->leader = own_pid();
	conf_in_case = conf_in_leader = 1;
	fill_standard();
	close_inherited();
	c->run();
	if (!__atomic_exchange_n(&conf_shared->claimed, 1, __ATOMIC_SEQ_CST))
		conf_shared->state = PASSED;
	child_exit(0);
}

static void watchdog_run(int limit_s) __attribute__((noreturn));
static void watchdog_run(int limit_s)
{
	long ts[2] = {limit_s, 0};

	RAW(__NR_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	RAW(__NR_nanosleep, ts, NULL);
	child_exit(0);
}

static long fork_raw(void)
{
	return RAW(__NR_clone, SIGCHLD, 0, 0, 0, 0);
}

static void reap(long pid)
{
	while (RAW(__NR_wait4, pid, NULL, 0, NULL) == -EINTR)
		;
}

static void fail_from_outside(const char *expected, const char *observed)
{
	struct conf_shared *s = conf_shared;
	struct text te = TEXT_ON(s->expected), to = TEXT_ON(s->observed);

	s->state = FAILED;
	s->at = s->step;
	text_put(&te, "%s", expected);
	text_put(&to, "%s", observed);
}

/* A case that neither passed nor said why not. */
static void judge(int status, int timed_out)
{
	char buf[64];
	struct text t = TEXT_ON(buf);

	if (conf_shared->state != RUNNING)
		return;
	if (timed_out)
		text_put(&t, "none within the time limit");
	else if (WIFSIGNALED(status))
		text_put(&t, "killed by signal %d", WTERMSIG(status));
	else
		text_put(&t, "exit status %d", WEXITSTATUS(status));
	fail_from_outside("an answer", buf);
}

void case_run(const struct conf_case *c, int limit_s, struct conf_result *r)
{
	long leader, dog, pid;
	int status = 0, got = 0, timed_out = 0;
	uint64_t start = now_ns();

	memset(conf_shared, 0, sizeof(*conf_shared));
	leader = fork_raw();
	if (!leader)
		leader_run(c);
	dog = leader > 0 ? fork_raw() : -1;
	if (!dog)
		watchdog_run(limit_s);
	if (leader < 0)
		fail_from_outside("a process for the case", "fork failed");
	while (leader > 0) {
		pid = RAW(__NR_wait4, -1, &got, 0, NULL);
		if (pid == leader) {
			status = got;
			break;
		}
		if (pid != dog && (pid > 0 || pid == -EINTR))
			continue;
		dog = -1;
		timed_out = 1;
		RAW(__NR_kill, -leader, SIGKILL);
		RAW(__NR_kill, leader, SIGKILL);
	}
	if (dog > 0) {
		RAW(__NR_kill, dog, SIGKILL);
		reap(dog);
	}
	if (leader > 0) {
		RAW(__NR_kill, -leader, SIGKILL);
		judge(status, timed_out);
	}
	r->c = c;
	r->state = conf_shared->state;
	r->took_ns = now_ns() - start;
}

static int chosen_by(const struct conf_case *c, const char *pattern)
{
	return strstr(c->name, pattern) || str_match(pattern, c->name) ||
	       strstr(c->covers, pattern);
}

static int wanted(const struct conf_case *c, const struct conf_options *o)
{
	int i;

	if (c->level > o->level || (c->needs == NEEDS_SYSCTL && !o->sysctl))
		return 0;
	for (i = 0; i < o->npatterns; i++)
		if (chosen_by(c, o->patterns[i]))
			return 1;
	return !o->npatterns;
}

/* The linker gives no order, so it is by level, then by name. */
static int before(const struct conf_case *a, const struct conf_case *b)
{
	return a->level < b->level ||
	       (a->level == b->level && strcmp(a->name, b->name) < 0);
}

int cases_choose(const struct conf_options *o, const struct conf_case **chosen)
{
	const struct conf_case *const *c;
	int at, n = 0;

	for (c = __start_conf_cases; c != __stop_conf_cases; c++) {
		if (!wanted(*c, o) || n == MAX_CASES)
			continue;
		for (at = n++; at && before(*c, chosen[at - 1]); at--)
			chosen[at] = chosen[at - 1];
		chosen[at] = *c;
	}
	return n;
}

static const char usage[] =
	"usage: epconform [options] [pattern...]\n"
	"  pattern       a part of a case's name, a glob, or a code (A03)\n"
	"  --level N     only the levels 1 to N\n"
	"  --list        names, levels, codes and calls; runs nothing\n"
	"  --coverage    which cases cover which behaviour and known fault\n"
	"  --junit FILE  results as JUnit XML too\n"
	"  --limit S     seconds for one case (10)\n"
	"  --no-skip     a skipped case is a failure\n"
	"  --sysctl      also cases that change a /proc/sys value for a "
	"moment\n"
	"  --poweroff    at the end sync and power off (for a first program)\n";

static int number_option(const char *value, int *to)
{
	*to = value ? (int)str_number(value, 10) : 0;
	return *to > 0;
}

/* Number of arguments used, 0 if the option is not known or not complete. */
static int option(struct conf_options *o, const char *arg, char *value)
{
	if (!strcmp(arg, "--list"))
		return o->list = 1;
	if (!strcmp(arg, "--coverage"))
		return o->coverage = 1;
	if (!strcmp(arg, "--no-skip"))
		return o->no_skip = 1;
	if (!strcmp(arg, "--sysctl"))
		return o->sysctl = 1;
	if (!strcmp(arg, "--poweroff"))
		return o->poweroff = 1;
	if (!strcmp(arg, "--level"))
		return number_option(value, &o->level) ? 2 : 0;
	if (!strcmp(arg, "--limit"))
		return number_option(value, &o->limit_s) ? 2 : 0;
	if (!strcmp(arg, "--junit") && value) {
		o->junit = value;
		return 2;
	}
	return 0;
}

/* Options may stand anywhere; what is left in argv are the patterns. */
static int options_read(struct conf_options *o, int argc, char **argv)
{
	int i, used;

	for (i = 1; i < argc; i += used) {
		used = 1;
		if (argv[i][0] != '-')
			argv[1 + o->npatterns++] = argv[i];
		else if (!(used = option(o, argv[i], argv[i + 1])))
			return 0;
	}
	o->patterns = argv + 1;
	return 1;
}

/* As the first program of a system there is nobody else to mount it. */
static void mount_proc(void)
{
	if (RAW(__NR_faccessat, AT_FDCWD, "/proc/self/stat", 0) == 0)
		return;
	RAW(__NR_mkdirat, AT_FDCWD, "/proc", 0555);
	RAW(__NR_mount, "proc", "/proc", "proc", 0, NULL);
}

static int run_all(
	const struct conf_options *o, const struct conf_case **chosen, int n)
{
	static struct conf_result results[MAX_CASES];
	int i;

	report_begin(n, o->junit);
	for (i = 0; i < n; i++) {
		case_run(chosen[i], o->limit_s, &results[i]);
		report_case(i + 1, &results[i]);
	}
	return report_end(results, n, o->no_skip) ? 1 : 0;
}

static void power_off(void)
{
	RAW(__NR_sync, 0);
	RAW(__NR_reboot, 0xfee1dead, 672274793, 0x4321fedc, NULL);
}

/* What the kernel was told to execute, for a system without /proc. */
static const char *own_path(char **argv)
{
	unsigned long *aux = (unsigned long *)argv;

	while (*aux)
		aux++;
	for (aux++; *aux; aux++)
		;
	for (aux++; *aux; aux += 2)
		if (*aux == 31)
			return (const char *)aux[1];
	return "";
}

int conform_main(int argc, char **argv);
int conform_main(int argc, char **argv)
{
	static const struct conf_case *chosen[MAX_CASES];
	struct conf_options o = {.level = MAX_LEVEL, .limit_s = 10};
	int n, status;
	long page;

	if (argc > 1 && !strcmp(argv[1], "--helper"))
		return helper_main(argc - 2, argv + 2);
	conf_self_path = own_path(argv);
	if (!options_read(&o, argc, argv)) {
		print("%s", usage);
		return 2;
	}
	if (own_pid() == 1)
		mount_proc();
	page = RAW(__NR_mmap, 0, sizeof(*conf_shared), PROT_READ | PROT_WRITE,
		MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page < 0) {
		print("Bail out! no shared memory: error %ld\n", -page);
		return 2;
	}
	conf_shared = (struct conf_shared *)page;
	n = cases_choose(&o, chosen);
	if (o.list || o.coverage) {
		if (o.list)
			report_list(chosen, n);
		return o.coverage && report_coverage(chosen, n) ? 1 : 0;
	}
	status = run_all(&o, chosen, n);
	if (o.poweroff)
		power_off();
	return status;
}
