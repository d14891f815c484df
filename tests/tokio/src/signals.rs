// SPDX-License-Identifier: MIT
//! tokio::signal. Signals of one kind merge while pending, so each one is
//! awaited before the next is sent.

use crate::sys::send_signal;
use std::time::Duration;
use tokio::signal::unix::{signal, SignalKind};
use tokio::sync::mpsc;
use tokio::time::interval;

const ROUNDS: usize = 50;

async fn rounds() {
	let kinds = [
		SignalKind::user_defined1(),
		SignalKind::user_defined2(),
		SignalKind::hangup(),
		SignalKind::terminate(),
		SignalKind::interrupt(),
		SignalKind::window_change(),
	];
	for kind in kinds {
		let mut stream = signal(kind).expect("signal");
		for _ in 0..ROUNDS {
			let number = kind.as_raw_value();
			let sender = std::thread::spawn(move || send_signal(number));
			stream.recv().await.expect("stream ended");
			sender.join().expect("sender");
		}
		println!("signal {}: {ROUNDS} rounds", kind.as_raw_value());
	}
}

/// Signals that land while the loop is busy with timers and other tasks.
async fn among_others() {
	let mut stream = signal(SignalKind::user_defined1()).expect("signal");
	let (tx, mut rx) = mpsc::channel(1);
	tokio::spawn(async move {
		let mut ticks = interval(Duration::from_millis(1));
		while tx.send(()).await.is_ok() {
			ticks.tick().await;
		}
	});
	let (mut signals, mut ticks) = (0, 0);
	send_signal(libc::SIGUSR1);
	while signals < ROUNDS || ticks < ROUNDS {
		tokio::select! {
			_ = stream.recv() => {
				signals += 1;
				send_signal(libc::SIGUSR1);
			}
			Some(()) = rx.recv() => ticks += 1,
		}
	}
	println!("signals among timers: both went on");
}

async fn ctrl_c() {
	let waiting = tokio::signal::ctrl_c();
	tokio::pin!(waiting);
	// The handler is there once the future was polled.
	tokio::select! {
		biased;
		_ = &mut waiting => panic!("no signal was sent yet"),
		() = std::future::ready(()) => (),
	}
	send_signal(libc::SIGINT);
	waiting.await.expect("ctrl_c");
	println!("ctrl_c: seen");
}

pub async fn run() {
	rounds().await;
	among_others().await;
	ctrl_c().await;
}
