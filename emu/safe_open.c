/* SPDX-License-Identifier: MIT */
/*
 * In a folder like /tmp another user can put a symbolic link under the name
 * that a trace is going to have, and epemu would empty the file that it leads
 * to, with the rights of its own user; or put a file there, and read what is
 * written to it. Most systems have the kernel refuse that (may_follow_link(),
 * may_create_in_sticky(), read in 6.18). The rules are kept here as well.
 *
 * The links are followed one by one, each from its own folder. The last
 * component is opened as what it is. What comes between the look and the open
 * is seen: a link by O_NOFOLLOW, another file by its owner, before it is
 * emptied.
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
	return all_may_write(folder) && file->st_uid != geteuid() &&
	       file->st_uid != folder->st_uid;
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

/*
 * Opens `name` in `folder`. If it is a link, its text goes to `text`, of
 * PATH_MAX bytes, and 0 is returned.
 */
static int open_or_read(int folder, const char *name, int flags, char *text)
{
	struct stat above, file;
	ssize_t size;

	if (fstat(folder, &above) < 0)
		return -errno;
	if (fstatat(folder, name, &file, AT_SYMLINK_NOFOLLOW) < 0)
		return errno == ENOENT ? open_last(folder, name, flags)
				       : -errno;
	if (is_foreign(&above, &file))
		return EMU_SAFE_OPEN_FOREIGN;
	if (!S_ISLNK(file.st_mode))
		return open_last(folder, name, flags);
	if (in_proc(folder)) {
		int fd = openat(folder, name, flags);

		return fd < 0 ? -errno : fd;
	}
	size = readlinkat(folder, name, text, PATH_MAX - 1);
	if (size < 0)
		return -errno;
	text[size] = '\0';
	return 0;
}

/* The folder that `path` is in, from `start`; its last component in *name. */
static int open_folder(int start, const char *path, const char **name)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX + 2];
	int fd;

	*name = slash ? slash + 1 : path;
	/* With the dot, a link before it is not the last component. */
	snprintf(folder, sizeof(folder), "%.*s.", (int)(*name - path), path);
	fd = openat(start, folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

int emu_safe_open(const char *path, int flags)
{
	char text[2][PATH_MAX];
	int folder = AT_FDCWD, fd = 0;

	flags |= O_CREAT | O_CLOEXEC;
	if (!*path || strlen(path) >= PATH_MAX)
		return *path ? -ENAMETOOLONG : -ENOENT;
	memcpy(text[0], path, strlen(path) + 1);
	for (int i = 0; i < MOST_LINKS && fd == 0; i++) {
		const char *name;
		int next = open_folder(folder, text[i % 2], &name);

		if (folder >= 0)
			close(folder);
		folder = next;
		if (folder < 0)
			return folder;
		fd = *name ? open_or_read(folder, name, flags, text[1 - i % 2])
			   : -EISDIR;
	}
	close(folder);
	return fd == 0 ? -ELOOP : fd;
}
