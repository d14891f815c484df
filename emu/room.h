/* SPDX-License-Identifier: MIT */
/*
 * Room in the supervisor's own table of descriptors.
 */
#ifndef EMU_ROOM_H
#define EMU_ROOM_H

/*
 * For a descriptor that was just opened (negative: that failed, errno says
 * why) and is to be kept beyond the call that is served. Returns it, or a
 * negative errno: that of opening it; -EMFILE when only the room for
 * descriptors that are closed at once is left, and it was closed.
 */
int emu_room_keep(int fd);

#endif
