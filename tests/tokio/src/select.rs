// SPDX-License-Identifier: MIT
//! select! and cancellation: futures dropped while registered with epoll.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};

const TASKS: usize = 100;
const FOREVER: Duration = Duration::from_secs(3600);

/// Counts how often it was dropped.
struct Guard(Arc<AtomicUsize>);

impl Drop for Guard {
	fn drop(&mut self) {
		self.0.fetch_add(1, Ordering::SeqCst);
	}
}

/// Each task waits for the first of four things; a quarter gets each.
async fn first_of_four() {
	let (stop, _) = watch::channel(false);
	let mut tasks = JoinSet::new();
	let mut keep = Vec::new();
	for i in 0..TASKS {
		let (tx, rx) = oneshot::channel::<()>();
		let (mut near, mut far) = UnixStream::pair().expect("pair");
		let mut stopped = stop.subscribe();
		tasks.spawn(async move {
			let mut byte = [0];
			let nap = if i % 4 == 0 {
				Duration::from_millis(3)
			} else {
				FOREVER
			};
			tokio::select! {
				() = sleep(nap) => 0,
				_ = rx => 1,
				_ = near.read_exact(&mut byte) => 2,
				_ = stopped.wait_for(|stop| *stop) => 3,
			}
		});
		let mut tx = Some(tx);
		match i % 4 {
			1 => tx.take().map_or(Ok(()), |tx| tx.send(())).expect("send"),
			2 => far.write_all(b"x").await.expect("write"),
			_ => (),
		}
		keep.push((tx, far));
	}
	let mut won = [0; 4];
	for _ in 0..TASKS - TASKS / 4 {
		won[tasks.join_next().await.expect("a task").expect("join")] += 1;
	}
	stop.send(true).expect("stop");
	for which in tasks.join_all().await {
		won[which] += 1;
	}
	println!(
		"select: {} slept, {} told, {} read, {} stopped",
		won[0], won[1], won[2], won[3]
	);
	drop(keep);
}

/// Tasks aborted while they sleep, accept and read.
async fn aborts() {
	let drops = Arc::new(AtomicUsize::new(0));
	let (ready, mut all_ready) = mpsc::channel(TASKS);
	let mut tasks = JoinSet::new();
	for i in 0..TASKS {
		let guard = Guard(drops.clone());
		let ready = ready.clone();
		tasks.spawn(async move {
			let _guard = guard;
			let listener =
				TcpListener::bind("127.0.0.1:0").await.expect("bind");
			let addr = listener.local_addr().expect("address");
			let (client, server) =
				tokio::join!(TcpStream::connect(addr), listener.accept());
			let mut client = client.expect("connect");
			let _server = server.expect("accept");
			ready.send(()).await.expect("ready");
			match i % 3 {
				0 => sleep(FOREVER).await,
				1 => drop(listener.accept().await),
				_ => drop(client.read_u8().await),
			}
		});
	}
	for _ in 0..TASKS {
		all_ready.recv().await.expect("ready");
	}
	tasks.abort_all();
	let mut cancelled = 0;
	while let Some(end) = tasks.join_next().await {
		cancelled += usize::from(end.is_err_and(|e| e.is_cancelled()));
	}
	println!(
		"abort: {cancelled} cancelled, {} guards dropped",
		drops.load(Ordering::SeqCst)
	);
}

/// A read given up again and again loses nothing of what comes later.
async fn cancelled_reads() {
	let (mut near, mut far) = UnixStream::pair().expect("pair");
	let (tx, mut rx) = mpsc::channel(1);
	let writer = tokio::spawn(async move {
		for i in 0..50u8 {
			rx.recv().await.expect("go");
			far.write_all(&[i]).await.expect("write");
		}
	});
	let (mut sum, mut got) = (0u32, 0);
	let mut byte = [0];
	while got < 50 {
		let short = Duration::from_micros(200);
		assert!(timeout(short, near.read(&mut byte)).await.is_err());
		tx.send(()).await.expect("go");
		assert_eq!(near.read(&mut byte).await.expect("read"), 1);
		sum += u32::from(byte[0]);
		got += 1;
	}
	writer.await.expect("writer");
	println!("cancelled reads: {got} bytes, sum {sum}");
}

pub async fn run() {
	first_of_four().await;
	aborts().await;
	cancelled_reads().await;
}
