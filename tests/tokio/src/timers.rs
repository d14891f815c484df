// SPDX-License-Identifier: MIT
//! sleep, interval, timeout and reset. A timer may be late, never early.

use std::time::Duration;
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::{
	interval, interval_at, sleep, sleep_until, timeout, Instant,
	MissedTickBehavior,
};

fn ms(n: u64) -> Duration {
	Duration::from_millis(n)
}

async fn sleeps() {
	let mut tasks = JoinSet::new();
	for i in 0..100u64 {
		tasks.spawn(async move {
			let wanted = Duration::from_micros(1500 * i);
			let start = Instant::now();
			sleep(wanted).await;
			assert!(start.elapsed() >= wanted, "sleep {i} was early");
			i
		});
	}
	let sum: u64 = tasks.join_all().await.into_iter().sum();
	println!("sleeps: 100 done, sum {sum}, none early");
}

async fn intervals() {
	let start = Instant::now();
	let mut ticks = interval(ms(4));
	for n in 0..25u32 {
		let due = ticks.tick().await;
		assert!(due >= start + ms(4) * n, "tick {n} was due early");
		assert!(Instant::now() >= due, "tick {n} came early");
	}
	println!("interval: 25 ticks, none early");

	let mut ticks = interval_at(start, ms(10));
	ticks.set_missed_tick_behavior(MissedTickBehavior::Burst);
	std::thread::sleep(ms(30));
	for _ in 0..10 {
		ticks.tick().await;
	}
	println!("interval: missed ticks made up for");
}

async fn timeouts() {
	let (keep, never) = oneshot::channel::<()>();
	assert!(timeout(ms(20), never).await.is_err());
	drop(keep);
	println!("timeout: elapsed when nothing came");

	let (tx, rx) = oneshot::channel();
	tokio::spawn(async move {
		sleep(ms(5)).await;
		tx.send(42).expect("send");
	});
	let got = timeout(Duration::from_secs(60), rx).await;
	println!("timeout: got {}", got.expect("elapsed").expect("closed"));
}

async fn resets() {
	let start = Instant::now();
	let timer = sleep_until(start + Duration::from_secs(3600));
	tokio::pin!(timer);
	assert!(timeout(ms(2), timer.as_mut()).await.is_err());
	timer.as_mut().reset(start + ms(15));
	timer.await;
	assert!(start.elapsed() >= ms(15));
	println!("reset: from an hour to now");
}

pub async fn run() {
	sleeps().await;
	intervals().await;
	timeouts().await;
	resets().await;
}
