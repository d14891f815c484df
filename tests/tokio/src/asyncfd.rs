// SPDX-License-Identifier: MIT
//! AsyncFd on eventfds: a counter, a semaphore, and a full one.

use crate::sys::{register, EventFd};
use std::io::ErrorKind;
use std::sync::Arc;
use tokio::io::unix::AsyncFd;
use tokio::io::Interest;
use tokio::task::JoinSet;

const WRITES: u64 = 2000;
const FULL: u64 = u64::MAX - 1;

fn new(flags: i32) -> Arc<AsyncFd<EventFd>> {
	let fd = EventFd::new(0, libc::EFD_CLOEXEC | libc::EFD_NONBLOCK | flags);
	Arc::new(register(fd, Interest::READABLE | Interest::WRITABLE))
}

async fn read(fd: &AsyncFd<EventFd>) -> u64 {
	loop {
		let mut guard = fd.readable().await.expect("readable");
		if let Ok(value) = guard.try_io(|fd| fd.get_ref().read()) {
			return value.expect("read");
		}
	}
}

async fn write(fd: &AsyncFd<EventFd>, value: u64) {
	loop {
		let mut guard = fd.writable().await.expect("writable");
		if let Ok(done) = guard.try_io(|fd| fd.get_ref().write(value)) {
			return done.expect("write");
		}
	}
}

/// A thread outside the runtime adds 1, 2, 3, …; the reader takes sums.
async fn counter() {
	let fd = new(0);
	let shared = fd.clone();
	let writer = std::thread::spawn(move || {
		for value in 1..=WRITES {
			shared.get_ref().write(value).expect("write");
		}
	});
	let wanted = WRITES * (WRITES + 1) / 2;
	let mut sum = 0;
	while sum < wanted {
		sum += read(&fd).await;
	}
	writer.join().expect("writer");
	println!("counter: sum {sum}");
	let empty = fd.get_ref().read().map_err(|e| e.kind());
	assert_eq!(empty, Err(ErrorKind::WouldBlock));
}

/// As many reads as units, whichever task gets which.
async fn semaphore() {
	let fd = new(libc::EFD_SEMAPHORE);
	let mut tasks = JoinSet::new();
	for _ in 0..10 {
		let fd = fd.clone();
		tasks.spawn(async move {
			let mut sum = 0;
			for _ in 0..20 {
				sum += read(&fd).await;
			}
			sum
		});
	}
	for _ in 0..50 {
		fd.get_ref().write(4).expect("write");
		tokio::task::yield_now().await;
	}
	let sum: u64 = tasks.join_all().await.into_iter().sum();
	println!("semaphore: 200 reads, sum {sum}");
}

/// A writer waits while the counter is full, and goes on after each read.
async fn full() {
	let fd = new(0);
	let writer = fd.clone();
	let task = tokio::spawn(async move {
		for _ in 0..50 {
			write(&writer, FULL).await;
		}
	});
	for _ in 0..50 {
		assert_eq!(read(&fd).await, FULL);
	}
	task.await.expect("writer");
	println!("full: 50 rounds of {FULL}");
}

pub async fn run() {
	counter().await;
	semaphore().await;
	full().await;
}
