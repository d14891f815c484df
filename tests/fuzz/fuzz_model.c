/* SPDX-License-Identifier: MIT */
/*
 * The engine against the model of tests/unit, with the choices in the hands
 * of libFuzzer: each byte of its input decides one of them.
 */
#include <stddef.h>

#include "fake.h"
#include "model_steps.h"

/* So many bytes at most are looked at: a step costs a full comparison. */
#define LONGEST 4096

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static const uint8_t *next;
static size_t left;

static uint32_t pick(uint32_t below)
{
	if (!left)
		return 0;
	left--;
	return *next++ % below;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	next = data;
	left = size < LONGEST ? size : LONGEST;
	fake_setup();
	model_steps_begin(pick);
	while (left)
		model_step();
	model_steps_end();
	fake_teardown();
	return 0;
}
