/* SPDX-License-Identifier: MIT */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * What a workload measures is for the person who reads the table, so each
 * one says what an operation is and how many calls of it epemu traps.
 */
struct workload {
	const char *name;
	int calls; /* trapped in one operation; 0: a count of its own */
	const char *traced; /* to name to strace; NULL: no row of the table */
	/* Before the clock runs. */
	void (*prepare)(void);
	/* Runs some operations and returns the nanoseconds that count. */
	int64_t (*run)(int operations);
	int batch; /* operations in one run() */
};

/* The program runs under the bare notifier, which answers a constant. */
extern bool under_floor;

/* Each operation begins only when the supervisor has nothing more to do. */
extern bool in_steps;

extern const struct workload call_workloads[];
extern const struct workload thread_workloads[];
extern const struct workload scale_workloads[];

/* A workload that takes numbers and prints its own fields. */
struct measure {
	const char *name;
	void (*run)(long amount, int64_t duration_ns);
};

extern const struct measure measures[];

int64_t now_ns(void);
void nap_us(long us);

/* A call that fails, and that forward.c looks out for. */
#define STEPS_MARK 0x6d61726bu
void mark(void);

/* In steps: returns when our parent sleeps, which is the supervisor. */
void settled(void);

/* In steps: returns when the thread sleeps. */
void await_sleep(pid_t tid);

/* Ends the program with a line unless good; the line has errno in it. */
void need(bool good, const char *what);

/* Makes as many files possible as the hard limit allows, and returns that. */
long raise_file_limit(void);

/* An epoll with one item for fd. */
int epoll_with(int fd, uint32_t events);
void epoll_add(int epoll, int fd, uint32_t events, uint64_t data);

/* Of the parent, which under epemu is the supervisor. */
long parent_heap_bytes(void);
int64_t parent_cpu_ns(void);

/* One field of the result, in the order of the calls. */
void field(const char *name, double value);

#endif
