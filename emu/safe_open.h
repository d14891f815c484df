/* SPDX-License-Identifier: MIT */
/* Opening a file for writing where others may have put another. */
#ifndef EMU_SAFE_OPEN_H
#define EMU_SAFE_OPEN_H

/* No errno: another user has put there what `path` names. */
#define EMU_SAFE_OPEN_FOREIGN (-4096)

/*
 * open(2) of `path` with O_CREAT and O_CLOEXEC besides `flags`, mode 0600, and
 * the file is emptied. Refused are, in a folder with the sticky bit that all
 * may write to, a symbolic link (also as a folder of the path), a FIFO or a
 * file whose owner is neither the caller nor the folder's, and a file that has
 * another name as well; that is what fs.protected_symlinks and its like do
 * where they are set. Returns the descriptor, a negative errno or
 * EMU_SAFE_OPEN_FOREIGN.
 */
int emu_safe_open(const char *path, int flags);

#endif
