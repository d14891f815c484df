/* SPDX-License-Identifier: MIT */
/*
 * Deadlines: an intrusive pairing heap, so that arming one allocates nothing
 * and cannot fail. Time is passed in: nanoseconds of CLOCK_MONOTONIC, or of
 * whatever clock the host keeps to.
 */
#ifndef EMU_DEADLINE_H
#define EMU_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

/* A deadline that never comes. */
#define EMU_DEADLINE_NEVER UINT64_MAX

struct emu_deadline {
	uint64_t at_ns;
	struct emu_deadline *child;
	struct emu_deadline *sibling;
	struct emu_deadline *prev; /* parent, or left sibling; see .c */
	bool armed;
};

struct emu_deadlines {
	struct emu_deadline *root;
};

void emu_deadlines_init(struct emu_deadlines *heap);

void emu_deadline_init(struct emu_deadline *deadline);

/*
 * Arms `deadline` at `at_ns`; an armed one is moved there. Arming at
 * EMU_DEADLINE_NEVER disarms.
 */
void emu_deadline_arm(struct emu_deadlines *heap, struct emu_deadline *deadline,
	uint64_t at_ns);

/* Takes `deadline` off the heap; harmless for one that is not armed. */
void emu_deadline_disarm(
	struct emu_deadlines *heap, struct emu_deadline *deadline);

/* The time of the earliest deadline, or EMU_DEADLINE_NEVER. */
uint64_t emu_deadlines_next(const struct emu_deadlines *heap);

/*
 * Disarms and returns the earliest deadline that is at or before `now_ns`,
 * or NULL. Call until NULL.
 */
struct emu_deadline *emu_deadlines_expired(
	struct emu_deadlines *heap, uint64_t now_ns);

#endif
