// SPDX-License-Identifier: MIT
//! Runtimes that come and go, several in one process, and a fork that takes
//! copies of their descriptors along.

use crate::Args;
use std::time::Duration;
use tokio::net::UnixStream;
use tokio::sync::mpsc;

const RUNTIMES: u64 = 30;

/// Each runtime has two epoll descriptors and a waker; all must go.
fn one_after_another(args: &Args) {
	// The first one also opens the signal pipe, which stays.
	drop(args.runtime());
	let before = open_files();
	let mut sum = 0;
	for i in 0..RUNTIMES {
		let runtime = args.runtime();
		sum += runtime.block_on(async move {
			let task = tokio::spawn(async move { i });
			tokio::time::sleep(Duration::from_micros(100)).await;
			task.await.expect("task")
		});
		match i % 3 {
			0 => drop(runtime),
			1 => runtime.shutdown_timeout(Duration::from_secs(60)),
			_ => runtime.shutdown_background(),
		}
	}
	// A background shutdown leaves its threads to end by themselves.
	while open_files() > before {
		std::thread::sleep(Duration::from_millis(1));
	}
	println!("one after another: sum {sum}, no descriptor left");
}

fn open_files() -> usize {
	std::fs::read_dir("/proc/self/fd").expect("fd").count()
}

/// A message goes through a chain of runtimes, each on its own thread.
fn side_by_side(multi: bool) {
	let (first, mut input) = mpsc::channel::<u64>(1);
	let mut threads = Vec::new();
	for i in 0..RUNTIMES {
		let (tx, rx) = mpsc::channel(1);
		let mut from = std::mem::replace(&mut input, rx);
		threads.push(std::thread::spawn(move || {
			let args = Args {
				multi: multi && i % 2 == 0,
				count: None,
			};
			args.runtime().block_on(async {
				while let Some(n) = from.recv().await {
					tx.send(n + i).await.expect("next");
				}
			});
		}));
	}
	let mut sum = 0;
	for n in 0..100 {
		first.blocking_send(n).expect("first");
		sum += input.blocking_recv().expect("last");
	}
	drop(first);
	for thread in threads {
		thread.join().expect("thread");
	}
	println!("side by side: sum {sum}");
}

/// A forked child holds the runtime's descriptors for a while; what it does
/// with them must not show here.
async fn forked() {
	let (mut tx, mut rx) = UnixStream::pair().expect("pair");
	let mut gate = [0; 2];
	// Safety: the child makes plain system calls only.
	let child = unsafe {
		assert_eq!(libc::pipe(gate.as_mut_ptr()), 0);
		match libc::fork() {
			0 => {
				libc::close(gate[1]);
				for fd in (3..256).filter(|&fd| fd != gate[0]) {
					libc::close(fd);
				}
				libc::read(gate[0], [0u8; 1].as_mut_ptr().cast(), 1);
				libc::_exit(3)
			}
			child => child,
		}
	};
	use tokio::io::{AsyncReadExt, AsyncWriteExt};
	for i in 0..100u8 {
		tx.write_u8(i).await.expect("write");
		assert_eq!(rx.read_u8().await.expect("read"), i);
	}
	let status = tokio::task::spawn_blocking(move || {
		let mut status = 0;
		// Safety: plain calls; the pipe is this function's own.
		unsafe {
			libc::close(gate[0]);
			libc::close(gate[1]);
			assert_eq!(libc::waitpid(child, &mut status, 0), child);
		}
		libc::WEXITSTATUS(status)
	});
	println!("forked: child ended with {}", status.await.expect("wait"));
}

pub fn run(args: &Args) {
	one_after_another(args);
	side_by_side(args.multi);
	args.runtime().block_on(forked());
}
