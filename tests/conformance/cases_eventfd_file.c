/* SPDX-License-Identifier: MIT */
/*
 * An eventfd as a file: vectors, numbers below 3, calls it refuses, what
 * stat and /proc say, blocked readers and writers, and sharing.
 */
#include "conf.h"
#include <signal.h>
#include <sys/stat.h>
#include <sys/uio.h>

#define READ_REF "fs/eventfd.c: eventfd_read"
#define WRITE_REF "fs/eventfd.c: eventfd_write"

static void get_any(void *arg)
{
	uint32_t *got = arg;
	long v = ev_get((int)got[0]);

	__atomic_add_fetch(&got[1], (uint32_t)v, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&got[2], 1, __ATOMIC_SEQ_CST);
	flag_set((int)__atomic_add_fetch(&got[3], 1, __ATOMIC_SEQ_CST));
}

CASE(e15_one_of_three_readers, .level = 3, .covers = "E15",
	.calls = "read write", .ref = READ_REF " (each checks the count again)",
	.breaks = "thread pools that sleep on one eventfd")
{
	uint32_t *got = shared_alloc(16);
	int fd = ev_new(0, 0), pid[3], i, asleep = 0;

	got[0] = (uint32_t)fd;
	for (i = 0; i < 3; i++) {
		pid[i] = child_start(get_any, got);
		asleep_in(pid[i], __NR_read);
	}
	IS(ev_put(fd, 7), 8);
	flag_wait(1);
	IS(got[1], 7);
	IS(polled(fd, EPOLLIN), 0);
	for (i = 0; i < 2; i++) {
		IS(ev_put(fd, 1), 8);
		flag_wait(2 + i);
	}
	for (i = 0; i < 3; i++)
		asleep += child_join(pid[i]);
	IS(asleep, 0);
	IS(got[1], 9);
}

CASE(e15_semaphore_two_of_three, .level = 3, .covers = "E15 E07",
	.calls = "read write", .ref = READ_REF ": EFD_SEMAPHORE",
	.breaks = "semaphores between processes")
{
	uint32_t *got = shared_alloc(16);
	int fd = ev_new(0, EFD_SEMAPHORE), pid[3], i;

	got[0] = (uint32_t)fd;
	for (i = 0; i < 3; i++) {
		pid[i] = child_start(get_any, got);
		asleep_in(pid[i], __NR_read);
	}
	IS(ev_put(fd, 2), 8);
	flag_wait(2);
	IS(got[1], 2);
	IS(polled(fd, EPOLLIN), 0);
	IS(ev_put(fd, 1), 8);
	flag_wait(3);
	for (i = 0; i < 3; i++)
		IS(child_join(pid[i]), 0);
}

CASE(e16_refused_calls, .level = 4, .covers = "E16",
	.calls = "pread64 pwrite64 splice ioctl ftruncate",
	.ref = "fs/eventfd.c: eventfd_fops", .breaks = "fuzzers, strace")
{
	int fd = ev_new(1, EFD_NONBLOCK), p[2], n = 0;
	uint64_t v = 1;

	pipe_new(p, O_NONBLOCK);
	IS(CALL(pread64, fd, &v, 8, 0), -ESPIPE);
	IS(CALL(pwrite64, fd, &v, 8, 0), -ESPIPE);
	IS(put(p[1], 8), 8);
	IS(CALL(splice, p[0], NULL, fd, NULL, 8, 0), -EINVAL);
	IS(CALL(splice, fd, NULL, p[1], NULL, 8, 0), -EINVAL);
	IS(CALL(ioctl, fd, 0x541b, &n), -ENOTTY);
	IS(CALL(ioctl, fd, 0x5401, &n), -ENOTTY);
	IS(CALL(ftruncate, fd, 0), -EINVAL);
	IS(ev_get(fd), 1);
}

CASE(e16_lseek, .level = 4, .covers = "E16", .calls = "lseek",
	.ref = "fs/eventfd.c: noop_llseek", .breaks = "file-type guessing")
{
	int fd = ev_new(1, 0);
	long r = CALL(lseek, fd, 100, SEEK_SET);

	/* VER: ESPIPE before 6.0. */
	EITHER(r, 0, -ESPIPE);
	IS(CALL(lseek, fd, 5, SEEK_CUR), r);
}

CASE(e16_fionbio, .level = 2, .covers = "E16 E20", .calls = "ioctl fcntl read",
	.ref = "fs/ioctl.c: FIONBIO", .breaks = "libuv: uv__nonblock by ioctl")
{
	int fd = ev_new(0, 0), on = 1;

	IS(CALL(ioctl, fd, 0x5421, &on), 0);
	IS(ev_get(fd), -EAGAIN);
	HOLDS(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK);
	on = 0;
	IS(CALL(ioctl, fd, 0x5421, &on), 0);
	HOLDS(!(sys_fcntl(fd, F_GETFL, 0) & O_NONBLOCK));
}

CASE(e17_readv_split, .level = 4, .covers = "E17", .calls = "readv",
	.ref = READ_REF " (read_iter)",
	.breaks = "wrappers that always use readv")
{
	int fd = ev_new(0, EFD_NONBLOCK);
	uint64_t v = 0;
	struct iovec iov[2] = {{&v, 4}, {(char *)&v + 4, 4}};

	IS(CALL(readv, fd, iov, 2), -EAGAIN);
	IS(ev_put(fd, 0x1122334455667788), 8);
	IS(CALL(readv, fd, iov, 2), 8);
	IS(v, 0x1122334455667788);
	IS(ev_put(fd, 1), 8);
	IS(CALL(readv, fd, iov, 1), -EINVAL);
	IS(CALL(readv, fd, iov, 2), 8);
	IS(v, 1);
}

CASE(e17_writev, .level = 4, .covers = "E17 E03", .calls = "writev",
	.ref = WRITE_REF " (one write for each part)",
	.breaks = "wrappers that always use writev")
{
	int fd = ev_new(0, EFD_NONBLOCK);
	uint64_t v[2] = {3, 4};
	struct iovec halves[2] = {{&v[0], 4}, {(char *)&v[0] + 4, 4}};
	struct iovec both[2] = {{&v[0], 8}, {&v[1], 8}};

	IS(CALL(writev, fd, halves, 2), -EINVAL);
	IS(CALL(writev, fd, both, 1), 8);
	IS(ev_get(fd), 3);
	IS(CALL(writev, fd, both, 2), 16);
	IS(ev_get(fd), 7);
}

CASE(e17_writev_partly, .level = 4, .covers = "E17 E05", .calls = "writev",
	.ref = "fs/read_write.c: do_loop_readv_writev", .breaks = "none known")
{
	int fd = ev_new(0, EFD_NONBLOCK);
	uint64_t v[2] = {3, 0xffffffffffffffff};
	struct iovec both[2] = {{&v[0], 8}, {&v[1], 8}};

	IS(CALL(writev, fd, both, 2), 8);
	IS(ev_get(fd), 3);
}

CASE(e17_vectors_and_calls_mixed, .level = 3, .covers = "E17 E10",
	.calls = "readv writev epoll_wait", .ref = WRITE_REF,
	.breaks = "one eventfd used through several wrappers")
{
	int ep = ep_new(), fd = ev_new(0, EFD_NONBLOCK);
	uint64_t v = 2;
	struct iovec iov = {&v, 8};

	OK(ep_add(ep, fd, EPOLLIN | EPOLLET, 1));
	IS(CALL(writev, fd, &iov, 1), 8);
	NOW(ep, {EPOLLIN, 1});
	IS(CALL(writev, fd, &iov, 1), 8);
	NOW(ep, {EPOLLIN, 1});
	IS(ev_put(fd, 1), 8);
	NOW(ep, {EPOLLIN, 1});
	IS(CALL(readv, fd, &iov, 1), 8);
	IS(v, 5);
	NONE(ep);
}

CASE(e18_nonblock_does_not_wake_reader, .level = 3, .covers = "E18",
	.calls = "read fcntl write", .ref = READ_REF,
	.breaks = "libraries that set O_NONBLOCK later")
{
	uint32_t *got = shared_alloc(16);
	int fd = ev_new(0, 0), pid;

	got[0] = (uint32_t)fd;
	pid = child_start(get_any, got);
	asleep_in(pid, __NR_read);
	IS(sys_fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	IS(ev_get(fd), -EAGAIN);
	asleep_in(pid, __NR_read);
	IS(ev_put(fd, 3), 8);
	IS(child_join(pid), 0);
	IS(got[1], 3);
}

CASE(e18_close_does_not_wake_reader, .level = 3, .covers = "E18",
	.calls = "read close write clone", .ref = "close(2), NOTES",
	.breaks = "threads that close what another one reads")
{
	uint32_t *got = shared_alloc(16);
	int fd = ev_new(0, 0), other = dup_new(fd), tid;

	got[0] = (uint32_t)fd;
	tid = thread_start(get_any, got);
	asleep_in(tid, __NR_read);
	IS(sys_close(fd), 0);
	asleep_in(tid, __NR_read);
	IS(ev_put(other, 3), 8);
	flag_wait(1);
	IS(got[1], 3);
}

CASE(e19_link_and_stat, .level = 4, .covers = "E19",
	.calls = "readlinkat fstat", .ref = "fs/eventfd.c: \"[eventfd]\"",
	.breaks = "lsof, CRIU, uv_guess_handle")
{
	struct stat st;
	char buf[64];
	long n;

	IS(ev_new(0, 0), 3);
	n = CALL(readlinkat, AT_FDCWD, "/proc/self/fd/3", buf, 63);
	if (n < 0)
		conf_skip("no /proc/self/fd");
	buf[n] = 0;
	TEXT_IS(buf, "anon_inode:[eventfd]");
	OK(CALL(fstat, 3, &st));
	IS(st.st_mode, 0600);
	IS(st.st_size, 0);
}

CASE(e19_fdinfo, .level = 4, .covers = "E19", .calls = "openat read",
	.ref = "fs/eventfd.c: eventfd_show_fdinfo", .breaks = "CRIU, lsfd")
{
	int a = ev_new(0x1234, 0), b = ev_new(2, EFD_SEMAPHORE);
	char ia[400], ib[400];

	read_fdinfo(a, ia, sizeof(ia));
	read_fdinfo(b, ib, sizeof(ib));
	IS(info_number(ia, "eventfd-count:", 16), 0x1234);
	IS(info_number(ib, "eventfd-count:", 16), 2);
	HOLDS(strstr(ia, "eventfd-count:             1234\n"));
	/* VER: the id is newer than the count, the last one newer still. */
	if (strstr(ia, "eventfd-id:"))
		HOLDS(info_number(ia, "eventfd-id:", 10) !=
			info_number(ib, "eventfd-id:", 10));
	if (strstr(ia, "eventfd-semaphore:")) {
		IS(info_number(ia, "eventfd-semaphore:", 10), 0);
		IS(info_number(ib, "eventfd-semaphore:", 10), 1);
	}
	IS(ev_put(a, 1), 8);
	read_fdinfo(a, ia, sizeof(ia));
	IS(info_number(ia, "eventfd-count:", 16), 0x1235);
}

CASE(e20_shared_by_dup, .level = 2, .covers = "E20", .calls = "dup dup3 fcntl",
	.ref = "dup(2): one open file description",
	.breaks = "programs that keep a second number")
{
	int fd = ev_new(0, 0), two = dup_new(fd);

	IS(ev_put(fd, 3), 8);
	IS(ev_put(two, 4), 8);
	IS(sys_fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	HOLDS(sys_fcntl(two, F_GETFL, 0) & O_NONBLOCK);
	IS(ev_get(two), 7);
	IS(ev_get(fd), -EAGAIN);
	IS(sys_close(fd), 0);
	IS(ev_put(two, 1), 8);
	IS(ev_get(two), 1);
	IS(sys_dup2(two, 200), 200);
	IS(ev_put(200, 5), 8);
	IS(ev_get(two), 5);
}

CASE(e20_on_standard_numbers, .level = 3, .covers = "E20 E02",
	.calls = "dup3 read write epoll_wait ppoll", .ref = "dup(2)",
	.breaks = "inetd-like programs with a waker as fd 0")
{
	int ep = ep_new(), fd = ev_new(0, EFD_NONBLOCK), i;

	OK(ep_add(ep, fd, EPOLLIN | EPOLLET, 1));
	for (i = 0; i < 3; i++) {
		IS(sys_dup2(fd, i), i);
		IS(ev_put(i, 5), 8);
		NOW(ep, {EPOLLIN, 1});
		IS(ev_put(fd, 2), 8);
		NOW(ep, {EPOLLIN, 1});
		IS(polled(i, EPOLLIN), EPOLLIN);
		IS(ev_get(i), 7);
		IS(ev_get(fd), -EAGAIN);
		IS(ev_get(i), -EAGAIN);
	}
	NONE(ep);
}

CASE(e20_created_as_standard_number, .level = 4, .covers = "E20 C03",
	.faults = "number-outside-table",
	.calls = "close eventfd2 epoll_create1",
	.ref = "open(2): lowest number",
	.breaks = "daemons that closed 0, 1, 2")
{
	IS(sys_close(0), 0);
	IS(sys_close(1), 0);
	IS(CALL(eventfd2, 0, EFD_NONBLOCK), 0);
	IS(sys_epoll_create1(0), 1);
	IS(ep_add(1, 0, EPOLLIN | EPOLLET, 8), 0);
	IS(ev_put(0, 5), 8);
	NOW(1, {EPOLLIN, 8});
	IS(ev_put(0, 5), 8);
	NOW(1, {EPOLLIN, 8});
	IS(ev_get(0), 10);
	NONE(1);
}

static void child_puts(void *arg)
{
	IS(ev_put(*(int *)arg, 4), 8);
}

CASE(e20_shared_by_fork, .level = 2, .covers = "E20", .calls = "clone write",
	.ref = "fork(2)", .breaks = "pre-forking servers")
{
	int fd = ev_new(1, EFD_NONBLOCK), pid = child_start(child_puts, &fd);

	IS(child_join(pid), 0);
	IS(ev_get(fd), 5);
}

CASE(e20_passed_over_a_socket, .level = 3, .covers = "E20",
	.calls = "sendmsg recvmsg", .ref = "unix(7): SCM_RIGHTS",
	.breaks = "Wayland, vhost-user, D-Bus")
{
	int fd = ev_new(1, EFD_NONBLOCK), ep = ep_new(), sv[2], got;

	pair_new(sv, 1);
	send_fd(sv[0], fd);
	got = recv_fd(sv[1]);
	OK(ep_add(ep, got, EPOLLIN | EPOLLET, 6));
	NOW(ep, {EPOLLIN, 6});
	IS(ev_put(fd, 4), 8);
	NOW(ep, {EPOLLIN, 6});
	IS(ev_get(got), 5);
	IS(ev_get(fd), -EAGAIN);
}
