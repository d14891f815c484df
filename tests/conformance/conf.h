/* SPDX-License-Identifier: MIT */
/*
 * What a case is written with: its description, the checks, and helpers for
 * files, memory, signals and processes.
 *
 * A case runs in a forked child of its own with descriptors 0, 1 and 2 open
 * and nothing else. It passes by returning; the first check that does not
 * hold ends it. Nothing is cleaned up by a case: the end of its processes
 * does that. No case asserts that something was fast, only that a timeout was
 * not early; order between processes comes from events, never from sleeping.
 */
#ifndef CONFORM_CONF_H
#define CONFORM_CONF_H

#include "rt.h"
#include "sys.h"
#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>

#ifndef EPOLLWAKEUP
#define EPOLLWAKEUP (1u << 29)
#endif
#ifndef EPOLLEXCLUSIVE
#define EPOLLEXCLUSIVE (1u << 28)
#endif

/* ---- the description of a case ---- */

enum conf_needs { NEEDS_NOTHING, NEEDS_SYSCTL };

struct conf_case {
	const char *name;
	int level;
	const char *covers; /* codes of the list of behaviours, by spaces */
	const char *faults; /* known faults that turn this case red */
	const char *calls;
	const char *ref; /* manual page, or kernel source file and function */
	const char *breaks; /* a real program that needs it */
	enum conf_needs needs;
	void (*run)(void);
};

#define CASE(id, ...)                                                      \
	static void run_##id(void);                                        \
	static const struct conf_case case_##id = {                        \
		.name = #id, __VA_ARGS__, .run = run_##id};                \
	static const struct conf_case *const ptr_##id                      \
		__attribute__((used, section("conf_cases"))) = &case_##id; \
	static void run_##id(void)

/* ---- checks; each ends the case if it does not hold ---- */

void conf_step(const char *file, int line, const char *what);
void conf_is(long got, long want);
void conf_either(long got, long a, long b);
long conf_ok(long got);
void conf_true(int good);
void conf_mask_is(uint32_t got, uint32_t want);
void conf_text_is(const char *got, const char *want);
void conf_fail(const char *expected, const char *observed)
	__attribute__((noreturn));
void conf_skip(const char *why) __attribute__((noreturn));
/* Says which of the legal behaviours this kernel has. */
void conf_note(const char *text);

#define STEP(what) conf_step(__FILE__, __LINE__, what)
/* The step is noted again because helpers inside of e note their own. */
#define IS(e, want)                                              \
	do {                                                     \
		STEP(#e);                                        \
		long got_is = (long)(e), want_is = (long)(want); \
		STEP(#e);                                        \
		conf_is(got_is, want_is);                        \
	} while (0)
#define OK(e)                            \
	__extension__({                  \
		STEP(#e);                \
		long got_ok = (long)(e); \
		STEP(#e);                \
		conf_ok(got_ok);         \
	})
#define EITHER(e, a, b) (STEP(#e), conf_either((long)(e), (long)(a), (long)(b)))
#define HOLDS(e) (STEP(#e), conf_true(!!(e)))
#define MASK_IS(e, want) (STEP(#e), conf_mask_is((e), (want)))
#define TEXT_IS(e, want) (STEP(#e), conf_text_is((e), (want)))

/* ---- epoll ---- */

#if defined(__x86_64__)
#define EP_PACKED __attribute__((packed))
#define NR_EPOLL_WAIT __NR_epoll_wait
#else
#define EP_PACKED
#define NR_EPOLL_WAIT __NR_epoll_pwait
#endif

struct ep_event {
	uint32_t events;
	uint64_t data;
} EP_PACKED;

#define SOON 9000 /* a generous limit: for what needs not be there at once */

long sys_epoll_create(int size);
long sys_epoll_create1(int flags);
long sys_epoll_ctl(int epfd, int op, int fd, const void *event);
/* epoll_wait(2); where it does not exist, epoll_pwait without a mask. */
long sys_epoll_wait(int epfd, void *events, int max, int timeout);
long sys_epoll_pwait(int epfd, void *events, int max, int timeout,
	const void *mask, size_t size);
long sys_epoll_pwait2(int epfd, void *events, int max, const void *timeout,
	const void *mask, size_t size);

int ep_new(void);
long ep_add(int epfd, int fd, uint32_t mask, uint64_t data);
long ep_mod(int epfd, int fd, uint32_t mask, uint64_t data);
long ep_del(int epfd, int fd);

/* Waits with the timeout, and compares all that came, in order. */
void ep_expect(
	int epfd, int max, int timeout, const struct ep_event *want, int count);
/* The same without regard to order. */
void ep_expect_set(
	int epfd, int timeout, const struct ep_event *want, int count);
/* Takes events until the wanted one came as given; other masks are ignored. */
void ep_expect_until(int epfd, uint32_t all_of, uint64_t data);

#define EP_LIST(...)                                             \
	(const struct ep_event[]){__VA_ARGS__},                  \
		(int)(sizeof((struct ep_event[]){__VA_ARGS__}) / \
			sizeof(struct ep_event))
/* Exactly these {mask, data} are there now. */
#define NOW(ep, ...)                    \
	(STEP("events of " #ep " now"), \
		ep_expect(ep, 16, 0, EP_LIST(__VA_ARGS__)))
#define NOW_MAX(ep, max, ...)           \
	(STEP("events of " #ep " now"), \
		ep_expect(ep, max, 0, EP_LIST(__VA_ARGS__)))
#define NOW_SET(ep, ...)                           \
	(STEP("events of " #ep " now, any order"), \
		ep_expect_set(ep, 0, EP_LIST(__VA_ARGS__)))
/* Exactly these come, within a generous limit. */
#define COMES(ep, ...) \
	(STEP("events of " #ep), ep_expect(ep, 16, SOON, EP_LIST(__VA_ARGS__)))
#define UNTIL(ep, mask, data) \
	(STEP("an event of " #ep), ep_expect_until(ep, mask, data))
#define NONE(ep) (STEP("no event of " #ep), ep_expect(ep, 16, 0, NULL, 0))

/* The number of "tfd:" lines in the fdinfo of an epoll. */
void ep_items_are(int epfd, int count);
#define ITEMS_ARE(ep, n) \
	(STEP("items of " #ep " in fdinfo"), ep_items_are(ep, n))
/* Stored mask of the nth item in fdinfo. */
uint32_t ep_stored(int epfd, int nth);

/* ---- files ---- */

int ev_new(unsigned init, int flags);
long ev_put(int fd, uint64_t value);
/* The value read, or a negative errno. */
long ev_get(int fd);
void pipe_new(int p[2], int flags);
void pair_new(int sv[2], int type);
void tcp_new(int sv[2]);
int tcp_listen(uint16_t *port);
long tcp_connect(uint16_t port, int flags);
long put(int fd, size_t count);
long take(int fd, size_t count);
/* Writes until EAGAIN; the number of bytes. */
long fill(int fd);
long drain(int fd);
long sys_close(int fd);
long sys_dup(int fd);
int dup_new(int fd);
long sys_dup2(int fd, int to);
long sys_fcntl(int fd, int op, long arg);
long sys_poll(int fd, int events, int *revents, int timeout_ms);
/* Revents of one descriptor, without waiting. */
uint32_t polled(int fd, int events);
long sys_shutdown(int fd, int how);
void limit_files(unsigned long count);
/* This program's own file, opened for reading. */
int open_self(void);
extern const char *conf_self_path;
long read_file(const char *path, char *buf, size_t cap);
long read_fdinfo(int fd, char *buf, size_t cap);
/* The number behind "key:" in a text; -1 if there is none. */
long info_number(const char *text, const char *key, int base);
void send_fd(int sock, int fd);
int recv_fd(int sock);
uint64_t now_ns(void);

/* ---- memory ---- */

/* The last n bytes of a page behind which nothing is mapped. */
void *edge(size_t n);
void *readonly_page(void);
#if defined(__x86_64__)
#define KERNEL_ADDR ((void *)0xffff888000000000ul)
#else
#define KERNEL_ADDR ((void *)0xffff800000000000ul)
#endif
#define UNMAPPED ((void *)16)
#define JUNK(x) ((long)(0xdeadbeef00000000ul | (uint32_t)(x)))

/* ---- processes ---- */

/* Shared by all processes of a case; zero at its start. */
void *shared_alloc(size_t size);
void flag_set(int n);
void conf_flag_wait(int n);
#define flag_wait(n) (STEP("another process to get on"), conf_flag_wait(n))
int flag_get(int n);
/* Runs fn(arg) in a child that shares nothing but its descriptors' files. */
int child_start(void (*fn)(void *), void *arg);
/* The same with one descriptor table for both. */
int child_start_files(void (*fn)(void *), void *arg);
/* The same in a thread of this process. */
int thread_start(void (*fn)(void *), void *arg);
/* Exit status of a child; 128 + signal if it was killed. */
int child_join(int pid);
void child_exit(int status) __attribute__((noreturn));
/* Returns when the task sleeps in the system call. */
void asleep_in(int tid, long nr);
void sleeps_until_state(int tid, char state);
int own_pid(void);

enum waiter_kind { BY_PROCESS, BY_THREAD, BY_FILES };

struct waiter {
	int pid;
	int epfd;
	int max;
	int timeout;
	const uint64_t *mask;
	long ret;
	uint32_t place; /* 1 for the first that returned */
	uint64_t took_ns;
	uint64_t mask_after; /* signal mask when the call had returned */
	struct ep_event ev[16];
};

/* Starts a waiter, returns when it sleeps. */
struct waiter *waiter_start(enum waiter_kind kind, int epfd, int max,
	int timeout, const uint64_t *mask);
#define WAITER(ep) waiter_start(BY_PROCESS, ep, 16, -1, NULL)
/* How many waiters of this case have returned so far. */
unsigned waiters_count(void);
void waiter_still(struct waiter *w);
void waiter_is(struct waiter *w, long ret);
void waiter_got(struct waiter *w, uint32_t mask, uint64_t data);
#define WAITER_IS(w, ret) (STEP("result of " #w), waiter_is(w, ret))
#define WAITER_GOT(w, mask, data) \
	(STEP("events of " #w), waiter_got(w, mask, data))
#define WAITER_STILL(w) (STEP(#w " sleeps on"), waiter_still(w))

/* ---- signals ---- */

#define SIGBIT(sig) (1ul << ((sig)-1))
void sig_catch(int sig, int flags);
void sig_handler(int sig, void (*handler)(int), int flags);
void sig_ignore(int sig);
void sig_block(int sig);
void sig_unblock(int sig);
uint64_t sig_mask(void);
uint64_t sig_pending(void);
/* How often the handler ran in any process of this case, and under what. */
int sig_caught(int sig);
void sig_caught_wait(int sig, int times);
uint64_t sig_caught_under(int sig);
void sig_send(int pid, int sig);

#endif
