/* SPDX-License-Identifier: MIT */
/*
 * The seccomp filter: which calls come to the supervisor. The only file that
 * knows libseccomp.
 *
 * Everything else passes at full speed: since Linux 5.11 the kernel remembers
 * for each call number that the filter always allows it. read() and write()
 * come only where they can be an eventfd's (exactly 8 bytes) and not through
 * the standard descriptors; what goes round this reaches the same counter in
 * the placeholder.
 *
 * The same rules are given for the 32-bit siblings of the architecture, whose
 * calls are not emulated: they are let through, with a warning. Their execve()
 * counts like any other (exec.c). Who makes a userfaultfd may serve faults of
 * memory that the supervisor copies to (touch.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <seccomp.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "calls.h"
#include "intercept.h"

static bool can_skip_no_new_privs(void)
{
	struct __user_cap_header_struct header = {
		.version = _LINUX_CAPABILITY_VERSION_3,
	};
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data) < 0)
		return false;
	return data[0].effective & (1u << CAP_SYS_ADMIN);
}

/* A call that this architecture does not have needs no rule. */
static int trap(scmp_filter_ctx filter, int nr)
{
	if (nr < 0)
		return 0;
	return seccomp_rule_add(filter, SCMP_ACT_NOTIFY, nr, 0);
}

static int trap_counter(scmp_filter_ctx filter, int nr)
{
	return seccomp_rule_add(filter, SCMP_ACT_NOTIFY, nr, 2,
		SCMP_A0_64(SCMP_CMP_GE, 3, 0), SCMP_A2_64(SCMP_CMP_EQ, 8, 0));
}

static int add_rules(scmp_filter_ctx filter, const struct emu_options *options)
{
	static const int always[] = {
		SCMP_SYS(epoll_create),
		SCMP_SYS(epoll_create1),
		SCMP_SYS(epoll_ctl),
		SCMP_SYS(epoll_wait),
		SCMP_SYS(epoll_pwait),
		SCMP_SYS(epoll_pwait2),
		SCMP_SYS(rt_sigreturn),
		SCMP_SYS(execve),
		SCMP_SYS(execveat),
		SCMP_SYS(userfaultfd),
	};
	int rc = 0;

	for (size_t i = 0; i < sizeof(always) / sizeof(always[0]) && rc == 0;
		i++)
		rc = trap(filter, always[i]);
	if (rc == 0)
		rc = seccomp_rule_add(filter, SCMP_ACT_NOTIFY, SCMP_SYS(ioctl),
			1, SCMP_A1_32(SCMP_CMP_EQ, EMU_USERFAULTFD_IOC_NEW, 0));
	if (rc == 0 && !options->eventfd_host) {
		rc = trap(filter, SCMP_SYS(eventfd));
		if (rc == 0)
			rc = trap(filter, SCMP_SYS(eventfd2));
		if (rc == 0)
			rc = trap_counter(filter, SCMP_SYS(read));
		if (rc == 0)
			rc = trap_counter(filter, SCMP_SYS(write));
	}
	if (rc == 0 && !options->io_uring_allow)
		rc = seccomp_rule_add(filter, SCMP_ACT_ERRNO(ENOSYS),
			SCMP_SYS(io_uring_setup), 0);
	return rc;
}

static int set_up(scmp_filter_ctx filter)
{
	int rc;

	/* An unknown architecture is none of our business. */
	rc = seccomp_attr_set(filter, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_ALLOW);
#if defined(__x86_64__)
	if (rc == 0)
		rc = seccomp_arch_add(filter, SCMP_ARCH_X86);
	if (rc == 0)
		rc = seccomp_arch_add(filter, SCMP_ARCH_X32);
#elif defined(__aarch64__)
	if (rc == 0)
		rc = seccomp_arch_add(filter, SCMP_ARCH_ARM);
#endif
	return rc;
}

/*
 * The program that libseccomp made, to be freed; NULL with errno. It goes
 * through a pipe, since files may be limited to no size at all (ulimit -f 0).
 */
static void *export(scmp_filter_ctx filter, size_t *size)
{
	void *code = NULL;
	int ends[2], there = 0, error;

	if (pipe2(ends, O_CLOEXEC | O_NONBLOCK) < 0)
		return NULL;
	errno = ENOMEM;
	if (seccomp_export_bpf(filter, ends[1]) == 0 &&
		ioctl(ends[0], FIONREAD, &there) == 0)
		code = malloc((size_t)there);
	if (code && read(ends[0], code, (size_t)there) != there) {
		free(code);
		code = NULL;
	}
	error = errno;
	close(ends[0]);
	close(ends[1]);
	errno = error;
	*size = (size_t)there;
	return code;
}

/*
 * Loads it by hand: seccomp_load() does not pass on why the kernel refused,
 * and a notifier that is in force already (EBUSY) deserves a clear word.
 */
static int load(scmp_filter_ctx filter)
{
	/* No need to slow the program down against speculation. */
	unsigned int flags = SECCOMP_FILTER_FLAG_NEW_LISTENER |
			     SECCOMP_FILTER_FLAG_SPEC_ALLOW;
	struct sock_fprog program;
	size_t size;
	void *code = export(filter, &size);
	long listener;

	if (!code)
		return -errno;
	program.len = (unsigned short)(size / sizeof(struct sock_filter));
	program.filter = code;
	if (!can_skip_no_new_privs())
		prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
	listener =
		syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
	if (listener < 0)
		listener = -errno;
	free(code);
	return (int)listener;
}

int emu_filter_install(const struct emu_options *options, const char **why)
{
	scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ALLOW);
	int rc;

	*why = "making the seccomp filter";
	if (!filter)
		return -ENOMEM;
	rc = set_up(filter);
	if (rc == 0)
		rc = add_rules(filter, options);
	if (rc == 0) {
		*why = "loading the seccomp filter";
		rc = load(filter);
	}
	seccomp_release(filter);
	return rc;
}
