// SPDX-License-Identifier: MIT
//! Edges that a sloppy epoll loses: room in a full socket, the end of a
//! stream, a half close, a reset, a refused connection, urgent data.

use crate::sys::register;
use std::io::ErrorKind;
use tokio::io::{AsyncReadExt, AsyncWriteExt, Interest};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::oneshot;

const BYTES: usize = 8 << 20;

async fn tcp_pair() -> (TcpStream, TcpStream) {
	let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
	let addr = listener.local_addr().expect("address");
	let (client, server) =
		tokio::join!(TcpStream::connect(addr), listener.accept());
	(client.expect("connect"), server.expect("accept").0)
}

/// Writes until the socket is full; only then does the peer begin to read.
async fn backpressure() {
	let (near, mut far) = UnixStream::pair().expect("pair");
	let (full, wait_full) = oneshot::channel();
	let mut full = Some(full);
	let writer = tokio::spawn(async move {
		let chunk = vec![1; 10_000];
		let mut sent = 0;
		while sent < BYTES {
			near.writable().await.expect("writable");
			let want = chunk.len().min(BYTES - sent);
			match near.try_write(&chunk[..want]) {
				Ok(n) => sent += n,
				Err(e) if e.kind() == ErrorKind::WouldBlock => {
					full.take().map(|full| full.send(()));
				}
				Err(e) => panic!("{e}"),
			}
		}
	});
	wait_full.await.expect("it was never full");
	let mut buf = vec![0; 7000];
	let mut got = 0;
	loop {
		let n = far.read(&mut buf).await.expect("read");
		if n == 0 {
			break;
		}
		got += n;
	}
	writer.await.expect("writer");
	println!("backpressure: {got} bytes, after it was full");
}

async fn half_close() {
	let (mut client, mut server) = tcp_pair().await;
	client.write_all(b"question").await.expect("write");
	client.shutdown().await.expect("shutdown");
	let ready = server.ready(Interest::READABLE).await.expect("ready");
	assert!(ready.is_readable());
	let mut question = String::new();
	server.read_to_string(&mut question).await.expect("read");
	server.write_all(b"answer").await.expect("write");
	drop(server);
	let mut answer = String::new();
	client.read_to_string(&mut answer).await.expect("read");
	println!("half close: {question}, {answer}");
}

/// Somebody waits already when the other end goes away.
async fn end_while_waiting() {
	for _ in 0..50 {
		let (mut near, far) = UnixStream::pair().expect("pair");
		let reader = tokio::spawn(async move { near.read(&mut [0; 8]).await });
		tokio::task::yield_now().await;
		drop(far);
		assert_eq!(reader.await.expect("task").expect("read"), 0);
	}
	println!("end while waiting: 50 rounds");
}

async fn reset() {
	let (mut client, server) = tcp_pair().await;
	client.write_all(b"unread").await.expect("write");
	server.readable().await.expect("readable");
	// Closing with data unread makes it a reset.
	drop(server);
	let mut buf = [0; 8];
	let end = client.read(&mut buf).await.map_err(|e| e.kind());
	println!("reset: {end:?}");
}

async fn refused() {
	let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
	let addr = listener.local_addr().expect("address");
	drop(listener);
	let end = TcpStream::connect(addr).await.map(drop);
	println!("refused: {:?}", end.map_err(|e| e.kind()));
}

async fn urgent() {
	let (client, server) = tcp_pair().await;
	let client = client.into_std().expect("std");
	let raw = std::os::fd::AsRawFd::as_raw_fd(&client);
	// Safety: one byte from a live buffer.
	let n = unsafe { libc::send(raw, b"!".as_ptr().cast(), 1, libc::MSG_OOB) };
	assert_eq!(n, 1);
	let server = register(server.into_std().expect("std"), Interest::PRIORITY);
	let ready = server.ready(Interest::PRIORITY).await.expect("ready");
	println!("urgent: {}", ready.ready().is_priority());
}

pub async fn run() {
	backpressure().await;
	half_close().await;
	end_while_waiting().await;
	reset().await;
	refused().await;
	urgent().await;
}
