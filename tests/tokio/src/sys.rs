// SPDX-License-Identifier: MIT
//! The few system calls that std and tokio have no name for.

use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;

fn check(result: i32) -> i32 {
	assert!(result >= 0, "{}", io::Error::last_os_error());
	result
}

/// A raw eventfd.
pub struct EventFd(File);

impl EventFd {
	pub fn new(count: u32, flags: i32) -> EventFd {
		// Safety: a fresh descriptor that nobody else owns.
		EventFd(unsafe {
			File::from_raw_fd(check(libc::eventfd(count, flags)))
		})
	}

	/// Takes over an eventfd that was inherited.
	pub fn adopt(fd: RawFd) -> EventFd {
		// Safety: the caller got the number from its parent, for itself.
		EventFd(unsafe { File::from_raw_fd(fd) })
	}

	pub fn read(&self) -> io::Result<u64> {
		let mut value = [0; 8];
		(&self.0).read_exact(&mut value)?;
		Ok(u64::from_ne_bytes(value))
	}

	pub fn write(&self, value: u64) -> io::Result<()> {
		(&self.0).write_all(&value.to_ne_bytes())
	}
}

impl AsRawFd for EventFd {
	fn as_raw_fd(&self) -> RawFd {
		self.0.as_raw_fd()
	}
}

/// Hands a descriptor to the runtime's epoll.
pub fn register<T: AsRawFd>(owner: T, interest: Interest) -> AsyncFd<T> {
	// Safety: the owners here keep their one descriptor as long as they live.
	unsafe { AsyncFd::register_with_interest(owner, interest) }
		.unwrap_or_else(|_| panic!("the descriptor cannot be registered"))
}

pub fn epoll_create(flags: i32) -> OwnedFd {
	// Safety: a fresh descriptor that nobody else owns.
	unsafe { OwnedFd::from_raw_fd(check(libc::epoll_create1(flags))) }
}

pub fn epoll_add(epoll: RawFd, fd: RawFd, events: i32, data: u64) {
	let mut event = libc::epoll_event {
		events: events as u32,
		u64: data,
	};
	// Safety: the event outlives the call.
	check(unsafe {
		libc::epoll_ctl(epoll, libc::EPOLL_CTL_ADD, fd, &mut event)
	});
}

/// Waits for ever; the (data, events) that came, sorted.
pub fn epoll_wait(epoll: RawFd) -> Vec<(u64, u32)> {
	let mut events = [libc::epoll_event { events: 0, u64: 0 }; 8];
	let n = loop {
		// Safety: the array has room for as many events as are asked for.
		let n = unsafe { libc::epoll_wait(epoll, events.as_mut_ptr(), 8, -1) };
		if n >= 0
			|| io::Error::last_os_error().raw_os_error() != Some(libc::EINTR)
		{
			break check(n) as usize;
		}
	};
	let mut got: Vec<_> =
		events[..n].iter().map(|e| (e.u64, e.events)).collect();
	got.sort_unstable();
	got
}

/// Lets a descriptor live on through exec.
pub fn keep_on_exec(fd: RawFd) {
	// Safety: plain fcntl on a number.
	check(unsafe { libc::fcntl(fd, libc::F_SETFD, 0) });
}

pub fn send_signal(number: i32) {
	// Safety: a signal to this process, for which a handler is installed.
	check(unsafe { libc::kill(libc::getpid(), number) });
}

/// Makes pidfd_open fail with ENOSYS from now on, as on a kernel before 5.3,
/// so that tokio falls back to SIGCHLD. A filter of the program's own.
pub fn deny_pidfd_open() {
	const LOAD: u16 = 0x20; // BPF_LD | BPF_W | BPF_ABS
	const JUMP_EQ: u16 = 0x15; // BPF_JMP | BPF_JEQ | BPF_K
	const RETURN: u16 = 0x06; // BPF_RET | BPF_K
	const fn op(code: u16, jf: u8, k: u32) -> libc::sock_filter {
		libc::sock_filter { code, jt: 0, jf, k }
	}
	let mut code = [
		op(LOAD, 0, 0),
		op(JUMP_EQ, 1, libc::SYS_pidfd_open as u32),
		op(RETURN, 0, libc::SECCOMP_RET_ERRNO | libc::ENOSYS as u32),
		op(RETURN, 0, libc::SECCOMP_RET_ALLOW),
	];
	let program = libc::sock_fprog {
		len: code.len() as u16,
		filter: code.as_mut_ptr(),
	};
	// Safety: the program lives until the call has copied it.
	unsafe {
		let set = || libc::prctl(libc::PR_SET_SECCOMP, 2, &program);
		if set() != 0 {
			check(libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0));
			check(set());
		}
		assert_eq!(libc::syscall(libc::SYS_pidfd_open, libc::getpid(), 0), -1);
	}
}
