/* SPDX-License-Identifier: MIT */
/*
 * What every stress program shares: options, cases, random numbers, the
 * watchdog, children, and short forms of the calls under test.
 *
 * A program is a table of cases. `prog CASE` runs one in this process;
 * `prog` alone runs each in a child of its own. A case ends by returning
 * after stress_ok(), or through fail() or stress_skip(), which do not return.
 * Exit status: 0 good, 1 failed, 77 skipped, SIGABRT when the watchdog bit.
 */
#ifndef STRESS_H
#define STRESS_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define ARRAY_LEN(a) (sizeof(a) / sizeof((a)[0]))

struct stress_case {
	const char *name;
	void (*run)(void);
};

/* Filled by stress_main() from the command line. */
struct stress_options {
	const char *prog;
	const char *what; /* the case that runs */
	uint64_t seed; /* --seed */
	double seconds; /* --seconds: how long a timed case goes on */
	long count; /* --count, 0: the case's own default */
	int limit_s; /* --limit: the watchdog's patience */
	unsigned gap; /* --gap: so many times as long between two signals */
	bool sync; /* --sync: pause for the driver, see stress_pause() */
	bool emulated; /* --emulated: allow what epemu documents */
	int err; /* where failures go, 2 unless a case moves it */
	_Atomic long *cut_off; /* how many calls stress_cut_off() has seen */
	char *const *args; /* what follows the case's name */
};
extern struct stress_options stress;

/* The table ends with a NULL name; a name starting with '@' is not listed. */
int stress_main(int argc, char **argv, const struct stress_case *cases);

_Noreturn void stress_fail(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
_Noreturn void stress_skip(const char *why);

/* Prints the one line of result. */
void stress_ok(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define fail(...) stress_fail(__FILE__, __LINE__, __VA_ARGS__)
#define must(cond, ...)                    \
	do {                               \
		if (!(cond))               \
			fail(__VA_ARGS__); \
	} while (0)

/* The value of a call that has to succeed. */
#define good(expr)                                              \
	({                                                      \
		long good_ = (long)(expr);                      \
		if (good_ < 0)                                  \
			fail("%s: %s", #expr, strerror(errno)); \
		good_;                                          \
	})

/* A call that has to fail with just this errno. */
#define bad(err, expr)                                                     \
	do {                                                               \
		long bad_ = (long)(expr);                                  \
		if (bad_ >= 0 || errno != (err))                           \
			fail("%s gave %ld (%s), expected %s", #expr, bad_, \
				bad_ < 0 ? strerror(errno) : "no error",   \
				strerror(err));                            \
	} while (0)

/* Arms the watchdog anew, as a child must; `dump` prints a case's state. */
void stress_arm(void);
void stress_on_watchdog(void (*dump)(void));

/* Tells the driver `word`, and with --sync waits for its answer. */
void stress_pause(const char *word);

uint64_t stress_now_ns(void);
void stress_sleep_us(unsigned us);

/* --count when given, else `dflt` scaled by --seconds (3 is scale one). */
long stress_count(long dflt);

struct stress_rng {
	uint64_t state;
};
void stress_seed(struct stress_rng *rng, uint64_t stream);
uint64_t stress_rand(struct stress_rng *rng);
/* 0 to bound - 1 */
unsigned stress_below(struct stress_rng *rng, unsigned bound);

/* A child that dies with its parent, with a watchdog of its own. */
pid_t stress_fork(void);
/* Reaps `pid`: it must have ended with status 0. */
void stress_join(pid_t pid);
/* SIGKILLs and reaps `pid`. */
void stress_kill(pid_t pid);
/* Waits until thread `tid` is inside system call `nr` (or `alt`). */
void stress_wait_blocked(pid_t tid, long nr, long alt);
/* Number of open descriptors of this process. */
int stress_count_fds(void);
pid_t stress_gettid(void);

/* Memory that forked children share. */
void *stress_shared(size_t len);

/* Short forms; each of them must succeed. */
int x_epoll(void);
int x_eventfd(unsigned initval, int flags);
void x_pipe(int fd[2], int flags);
void x_pair(int fd[2], int type);
void x_tcp(int fd[2]);
void x_add(int ep, int fd, uint32_t events, uint64_t data);
void x_mod(int ep, int fd, uint32_t events, uint64_t data);
void x_del(int ep, int fd);
void x_close(int fd);
void x_put(int efd, uint64_t value);
uint64_t x_take(int efd);
void x_nonblock(int fd);
/* Waits for exactly one event and returns its data. */
uint64_t x_wait1(int ep, int timeout_ms, uint32_t *events);
/* Checks that nothing is ready now. */
void x_wait0(int ep);

/*
 * The ordinary calls, one after the other, in whatever process this is: also
 * blocking ones, ended by an event, by a signal, and by one that only
 * epoll_pwait's mask lets in. Takes SIGUSR1.
 */
void stress_basic_calls(void);
/* The same without signals. */
void stress_plain_calls(void);

/*
 * Waits and reads of eventfds, by turns, that sleep while `drop` has the page
 * go that they store into, so that somebody has to bring it again.
 */
void stress_page_goes(char *page, void (*drop)(char *page), long count);

/*
 * On aarch64 a call that a signal cuts off before the supervisor saw it has
 * lost its first argument: it fails with EINTR (README, "Signals just before
 * a call"). Natively none of these can, so under epemu, and there alone, they
 * are made again, and counted. stress_cut_off(): was the last call, which
 * failed, such a one? A descriptor of -1 stands for one that cannot sleep.
 */
#ifdef __aarch64__
bool stress_cut_off(int fd, size_t size);
bool stress_no_time(const struct timespec *timeout);
#define stress_again(call, fd, size)                                \
	({                                                          \
		__typeof__(call) again_;                            \
		do                                                  \
			again_ = (call);                            \
		while (again_ < 0 && stress_cut_off((fd), (size))); \
		again_;                                             \
	})
#define epoll_create(size) stress_again(epoll_create(size), -1, 0)
#define epoll_create1(flags) stress_again(epoll_create1(flags), -1, 0)
#define eventfd(value, flags) stress_again(eventfd(value, flags), -1, 0)
#define epoll_ctl(ep, op, fd, event) \
	stress_again(epoll_ctl(ep, op, fd, event), -1, 0)
#define epoll_wait(ep, events, max, timeout)               \
	stress_again(epoll_wait(ep, events, max, timeout), \
		(timeout) == 0 ? -1 : ep, 0)
#define epoll_pwait(ep, events, max, timeout, mask)               \
	stress_again(epoll_pwait(ep, events, max, timeout, mask), \
		(timeout) == 0 ? -1 : ep, 0)
#define epoll_pwait2(ep, events, max, timeout, mask)               \
	stress_again(epoll_pwait2(ep, events, max, timeout, mask), \
		stress_no_time(timeout) ? -1 : ep, 0)
#define read(fd, to, size) stress_again(read(fd, to, size), fd, size)
#define write(fd, from, size) stress_again(write(fd, from, size), fd, size)
#else
#define stress_again(call, fd, size) (call)
#endif

/* The numbers under which a blocked wait may be seen. */
#ifdef __NR_epoll_wait
#define NR_WAIT __NR_epoll_wait
#else
#define NR_WAIT __NR_epoll_pwait
#endif

#endif
