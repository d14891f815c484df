// SPDX-License-Identifier: MIT
//! Wake-ups across threads: each one is a write to the waker's eventfd when
//! the loop sleeps in epoll_wait, and the waker is never drained.

use crate::Args;
use std::sync::mpsc as blocking_mpsc;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{block_in_place, spawn_blocking, JoinSet};

const WAKES: u64 = 100_000;
const RING: u64 = 8;
const JOBS: u64 = 200;

/// A thread outside the runtime and a task inside it, turn and turn about:
/// the loop is asleep, or about to be, whenever a message comes.
fn ping_pong(args: &Args, rounds: u64) {
	let (ask, mut questions) = mpsc::unbounded_channel::<u64>();
	let (answer, answers) = blocking_mpsc::channel::<u64>();
	let asker = std::thread::spawn(move || {
		let mut sum = 0u64;
		for i in 0..rounds {
			ask.send(i).expect("the loop is gone");
			sum += answers.recv().expect("the loop is gone");
		}
		sum
	});
	args.runtime().block_on(async {
		while let Some(i) = questions.recv().await {
			answer.send(i + 1).expect("the asker is gone");
		}
	});
	let sum = asker.join().expect("asker");
	println!("ping-pong: {rounds} wakes, sum {sum}");
}

/// Many threads at once, so that several writes meet in one wait.
fn fan_in(args: &Args, rounds: u64) {
	let (tx, mut rx) = mpsc::channel::<u64>(16);
	let senders: Vec<_> = (0..RING)
		.map(|_| {
			let tx = tx.clone();
			std::thread::spawn(move || {
				for i in 0..rounds / RING {
					tx.blocking_send(i).expect("the loop is gone");
				}
			})
		})
		.collect();
	drop(tx);
	let (mut count, mut sum) = (0u64, 0u64);
	args.runtime().block_on(async {
		while let Some(i) = rx.recv().await {
			count += 1;
			sum += i;
		}
	});
	for sender in senders {
		sender.join().expect("sender");
	}
	println!("fan-in: {count} messages, sum {sum}");
}

/// A token goes round a ring of tasks.
async fn ring(rounds: u64) {
	let mut tasks = JoinSet::new();
	let (first, mut before) = mpsc::channel::<u64>(1);
	for i in 0..RING {
		let (tx, rx) = mpsc::channel(1);
		let mut from = std::mem::replace(&mut before, rx);
		tasks.spawn(async move {
			while let Some(n) = from.recv().await {
				tx.send(n + i).await.expect("next");
			}
		});
	}
	let mut token = 0;
	for _ in 0..rounds / RING {
		first.send(token).await.expect("first");
		token = before.recv().await.expect("last");
	}
	drop(first);
	tasks.join_all().await;
	println!("ring: token {token}");
}

pub fn run(args: &Args) {
	let rounds = args.count.unwrap_or(WAKES);
	ping_pong(args, rounds);
	fan_in(args, rounds);
	args.runtime().block_on(ring(rounds));
}

/// spawn_blocking, also nested in another; on several threads block_in_place.
pub async fn blocking(multi: bool) {
	let mut tasks = JoinSet::new();
	for i in 0..JOBS {
		tasks.spawn(async move {
			let outer = spawn_blocking(move || {
				let (tx, rx) = oneshot::channel();
				std::thread::spawn(move || tx.send(i * i));
				rx.blocking_recv().expect("inner thread")
			});
			outer.await.expect("spawn_blocking")
		});
	}
	let sum: u64 = tasks.join_all().await.into_iter().sum();
	println!("spawn_blocking: {JOBS} jobs, sum {sum}");

	if multi {
		let job = tokio::spawn(async {
			block_in_place(|| (1..=1000u64).sum::<u64>())
		});
		println!("block_in_place: {}", job.await.expect("job"));
	}
}
