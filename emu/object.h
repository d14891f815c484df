/* SPDX-License-Identifier: MIT */
/*
 * An emulated open file description: an object of the engine, and the
 * placeholder that stands for it in the targets' descriptor tables.
 */
#ifndef EMU_OBJECT_H
#define EMU_OBJECT_H

#include <stdbool.h>
#include <stdint.h>

#include "edges.h"
#include "epoll_emul.h"
#include "eventfd_emul.h"
#include "list.h"
#include "loop.h"
#include "weak.h"

enum emu_kind {
	EMU_KIND_EPOLL,
	EMU_KIND_EVENTFD,
	EMU_KINDS,
};

struct emu_object {
	enum emu_kind kind;
	bool many; /* threads of several processes wait on it */
	uint64_t number; /* for people: epoll#1, eventfd#2 */
	struct emu_weak weak; /* on the placeholder */
	struct emu_list hints; /* of fdtable.c, that lead to it */
	unsigned int pins; /* parked calls that need the object */
	pid_t process; /* whose threads wait on it */

	/* EMU_KIND_EPOLL; see placeholder.c for the bell */
	struct emu_epoll *epoll;
	struct emu_edges *edges; /* of the files in it: `own`, or shared */
	struct emu_edges own;
	struct emu_wait bell; /* on the instance's queue of pollers */
	struct emu_list unsettled; /* on the set's list: look at the bell */
	struct emu_list *unsettled_list;
	int ready_set; /* host epoll in the placeholder; -1 if none */
	int doorbell; /* host eventfd in the ready set */
	bool rung;
	bool coarse; /* some item cannot be in the ready set */
	bool drained; /* the ready set no longer shows a queued edge */
	unsigned int signals; /* signalfds that a poll has to show */
	unsigned int outer; /* items of other epolls that it is */
	uint64_t deliveries; /* waits that took events from it */

	/* EMU_KIND_EVENTFD; see counter.c */
	struct emu_eventfd *eventfd;
	int counter_fd; /* our copy of the descriptor, during a call */
	struct emu_source source; /* its movements, while calls are parked */
	struct emu_loop *loop; /* where `source` is, or NULL */
};

#endif
