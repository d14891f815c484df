/* SPDX-License-Identifier: MIT */
/*
 * In a folder like /tmp another user can put a symbolic link under the name
 * that a trace is going to have, and epemu would empty the file that it leads
 * to, with the rights of its own user; or put a file there, and read what is
 * written to it; or give that name to a file of epemu's user that has another
 * (link(2)). Most systems have the kernel refuse that (may_follow_link(),
 * may_create_in_sticky() and may_linkat(), read in 6.18). The rules are kept
 * here as well.
 *
 * The path is taken component by component, and so is that of a link, each
 * from its own folder. What comes between the look and the open is seen: a
 * link by O_NOFOLLOW, another file by its owner and its number of names,
 * before it is emptied.
 */
#include "safe_open.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

enum { MOST_LINKS = 40 };

static bool all_may_write(const struct stat *folder)
{
	const mode_t both = S_ISVTX | S_IWOTH;

	return (folder->st_mode & both) == both;
}

static bool is_foreign(const struct stat *folder, const struct stat *file)
{
	if (!all_may_write(folder))
		return false;
	return (file->st_uid != geteuid() && file->st_uid != folder->st_uid) ||
	       (S_ISREG(file->st_mode) && file->st_nlink > 1);
}

/* Links of /proc lead where no name does. */
static bool in_proc(int folder)
{
	struct statfs system;

	return fstatfs(folder, &system) == 0 &&
	       system.f_type == PROC_SUPER_MAGIC;
}

/* The last component itself, which is no link. */
static int open_last(int folder, const char *name, int flags)
{
	int fd = openat(folder, name, flags | O_NOFOLLOW, 0600), error = 0;
	struct stat above, file;

	if (fd < 0)
		return -errno;
	if (fstat(folder, &above) < 0 || fstat(fd, &file) < 0 ||
		is_foreign(&above, &file))
		error = EMU_SAFE_OPEN_FOREIGN;
	else if (S_ISREG(file.st_mode) && ftruncate(fd, 0) < 0)
		error = -errno;
	if (error == 0)
		return fd;
	close(fd);
	return error;
}

/* A path on its way: what is left of it, from a folder. */
struct walk {
	int folder;
	int links; /* that were followed */
	char rest[PATH_MAX];
};

static int go_to(struct walk *walk, int from, const char *name, int flags)
{
	int fd = openat(from, name, O_PATH | O_DIRECTORY | O_CLOEXEC | flags);

	if (fd < 0)
		return -errno;
	if (walk->folder >= 0)
		close(walk->folder);
	walk->folder = fd;
	return 0;
}

/* Puts the text of a link before the rest of the path. */
static int follow(struct walk *walk, const char *name, const char *rest)
{
	char text[PATH_MAX];
	ssize_t size = readlinkat(walk->folder, name, text, sizeof(text));
	size_t left = strlen(rest) + 1;

	if (size < 0)
		return -errno;
	if (++walk->links > MOST_LINKS)
		return -ELOOP;
	if ((size_t)size + left > sizeof(walk->rest))
		return -ENAMETOOLONG;
	memmove(walk->rest + size, rest, left); /* which is part of it */
	memcpy(walk->rest, text, (size_t)size);
	return text[0] == '/' ? go_to(walk, AT_FDCWD, "/", 0) : 0;
}

/*
 * Takes one component of the path. Returns the descriptor if it was the last
 * one, 0, or an error.
 */
static int step(struct walk *walk, int flags)
{
	const char *start = walk->rest + strspn(walk->rest, "/");
	const char *after = start + strcspn(start, "/");
	bool last = *after == '\0', is_link;
	char name[NAME_MAX + 1];
	struct stat above, file;
	int rc;

	if (after == start)
		return -EISDIR;
	if (after - start > NAME_MAX)
		return -ENAMETOOLONG;
	snprintf(name, sizeof(name), "%.*s", (int)(after - start), start);
	if (fstat(walk->folder, &above) < 0)
		return -errno;
	if (fstatat(walk->folder, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT && last
			       ? open_last(walk->folder, name, flags)
			       : -errno;
	is_link = S_ISLNK(file.st_mode);
	if ((is_link || last) && is_foreign(&above, &file))
		return EMU_SAFE_OPEN_FOREIGN;
	if (is_link && !in_proc(walk->folder))
		return follow(walk, name, after);
	if (last && !is_link)
		return open_last(walk->folder, name, flags);
	if (last) {
		rc = openat(walk->folder, name, flags);
		return rc < 0 ? -errno : rc;
	}
	rc = go_to(walk, walk->folder, name, is_link ? 0 : O_NOFOLLOW);
	memmove(walk->rest, after, strlen(after) + 1);
	return rc;
}

int emu_safe_open(const char *path, int flags)
{
	struct walk walk = {.folder = -1};
	int rc;

	if (!*path || strlen(path) >= PATH_MAX)
		return *path ? -ENAMETOOLONG : -ENOENT;
	memcpy(walk.rest, path, strlen(path) + 1);
	rc = go_to(&walk, AT_FDCWD, *path == '/' ? "/" : ".", 0);
	while (rc == 0)
		rc = step(&walk, flags | O_CREAT | O_CLOEXEC);
	if (walk.folder >= 0)
		close(walk.folder);
	return rc;
}
