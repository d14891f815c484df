// SPDX-License-Identifier: MIT
//! A child that inherits descriptors through fork and exec: an eventfd, an
//! epoll instance with what its parent registered, a listener, a socket.

use crate::sys::{
	epoll_add, epoll_create, epoll_wait, keep_on_exec, register, EventFd,
};
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::process::Command;
use tokio::task::spawn_blocking;

const EPOLL: &str = "EPEMU_TEST_EPOLL";
const EVENT: &str = "EPEMU_TEST_EVENT";
const LISTENER: &str = "EPEMU_TEST_LISTENER";
const SOCKET: &str = "EPEMU_TEST_SOCKET";

fn inherited(name: &str) -> RawFd {
	let number = std::env::var(name).expect(name);
	number.parse().expect(name)
}

pub async fn run() {
	let epoll = epoll_create(0);
	let event = EventFd::new(0, libc::EFD_NONBLOCK);
	epoll_add(epoll.as_raw_fd(), event.as_raw_fd(), libc::EPOLLIN, 77);
	let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("bind");
	listener.set_nonblocking(true).expect("nonblocking");
	let addr = listener.local_addr().expect("address");
	let (near, far) = std::os::unix::net::UnixStream::pair().expect("pair");
	for fd in [listener.as_raw_fd(), far.as_raw_fd()] {
		keep_on_exec(fd);
	}
	let mut child = Command::new("/proc/self/exe")
		.args(["inherit-child", "ct"])
		.env(EPOLL, epoll.as_raw_fd().to_string())
		.env(EVENT, event.as_raw_fd().to_string())
		.env(LISTENER, listener.as_raw_fd().to_string())
		.env(SOCKET, far.as_raw_fd().to_string())
		.spawn()
		.expect("spawn");
	drop((listener, far));

	let mut client = TcpStream::connect(addr).await.expect("connect");
	client.write_all(b"hello").await.expect("write");
	let mut reply = String::new();
	client.read_to_string(&mut reply).await.expect("read");
	println!("parent: reply {reply:?}");

	near.set_nonblocking(true).expect("nonblocking");
	let mut near = UnixStream::from_std(near).expect("register");
	assert_eq!(near.read_u8().await.expect("read"), b'w');
	event.write(5).expect("wake the child");
	assert_eq!(near.read_u8().await.expect("read"), b'd');

	let event = register(event, Interest::READABLE);
	near.write_u8(b'g').await.expect("write");
	let mut guard = event.readable().await.expect("readable");
	let value = guard.try_io(|fd| fd.get_ref().read()).expect("readable");
	println!("parent: the child wrote {}", value.expect("read"));

	let eof = near.read(&mut [0]).await.expect("eof");
	println!("parent: {eof} bytes at the end");
	println!("parent: {}", child.wait().await.expect("wait"));
}

/// The other half, in a process of its own, with a runtime of its own.
pub async fn child() {
	let listener = inherited(LISTENER);
	let socket = inherited(SOCKET);
	let epoll = inherited(EPOLL);
	let event = EventFd::adopt(inherited(EVENT));
	// Safety: each number was left to this process by its parent.
	let (listener, socket, epoll) = unsafe {
		(
			std::net::TcpListener::from_raw_fd(listener),
			std::os::unix::net::UnixStream::from_raw_fd(socket),
			OwnedFd::from_raw_fd(epoll),
		)
	};
	let listener = TcpListener::from_std(listener).expect("register");
	let (mut peer, _) = listener.accept().await.expect("accept");
	let mut word = [0; 5];
	peer.read_exact(&mut word).await.expect("read");
	peer.write_all(b"from the child").await.expect("write");
	drop(peer);

	socket.set_nonblocking(true).expect("nonblocking");
	let mut socket = UnixStream::from_std(socket).expect("register");
	let waiter = spawn_blocking(move || epoll_wait(epoll.as_raw_fd()));
	socket.write_u8(b'w').await.expect("write");
	let got = waiter.await.expect("epoll_wait");
	println!("child: inherited epoll says {got:?}");
	println!(
		"child: inherited eventfd holds {}",
		event.read().expect("read")
	);
	socket.write_u8(b'd').await.expect("write");
	assert_eq!(socket.read_u8().await.expect("read"), b'g');
	event.write(9).expect("write");
}
