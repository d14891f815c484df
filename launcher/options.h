/* SPDX-License-Identifier: MIT */
/* The command line. */
#ifndef EMU_OPTIONS_H
#define EMU_OPTIONS_H

#include "launcher/launch.h"

/*
 * Fills `launch` from the command line. Returns -1 to go on, or the status
 * to exit with: after --help and --version, or after a mistake was reported.
 */
int emu_options_parse(struct emu_launch *launch, int argc, char **argv);

#endif
