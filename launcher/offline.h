/* SPDX-License-Identifier: MIT */
/* Commands that run no program: compare, summarize. */
#ifndef EMU_OFFLINE_H
#define EMU_OFFLINE_H

/* Returns -1 if it is none of them, or the status to exit with. */
int emu_offline_run(int argc, char **argv);

#endif
