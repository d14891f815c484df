// SPDX-License-Identifier: MIT
//! Tokio programs for the benchmark. `epemu-bench-tokio CASE ct|mt AMOUNT`
//! runs one case on a current_thread or a multi_thread runtime:
//!
//! * `echo ct|mt PORT` serves TCP connections for ever;
//! * `wakes ct|mt MILLISECONDS` wakes the runtime from a thread outside of it
//!   and is woken in turn; each time the event loop sleeps;
//! * `timers ct|mt MILLISECONDS` keeps 10,000 timers in the wheel, each of
//!   which is set anew when it fires.
//!
//! The latter two end with a line of JSON: how many a second.

use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{mpsc as blocking_mpsc, Arc};
use std::time::{Duration, Instant};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio::sync::mpsc;

const WORKERS: usize = 2;
const TIMERS: u64 = 10_000;
const ROOM: usize = 4096;

fn runtime(multi: bool) -> Runtime {
	let mut builder = if multi {
		Builder::new_multi_thread()
	} else {
		Builder::new_current_thread()
	};
	builder
		.worker_threads(WORKERS)
		.enable_all()
		.build()
		.expect("no runtime")
}

async fn serve(mut stream: TcpStream) {
	let mut buffer = [0; ROOM];
	while let Ok(n) = stream.read(&mut buffer).await {
		if n == 0 || stream.write_all(&buffer[..n]).await.is_err() {
			break;
		}
	}
}

async fn echo(port: u64) {
	let port = u16::try_from(port).expect("a port");
	let listener = TcpListener::bind(("127.0.0.1", port)).await.expect("bind");
	loop {
		let (stream, _) = listener.accept().await.expect("accept");
		stream.set_nodelay(true).expect("nodelay");
		tokio::spawn(serve(stream));
	}
}

/// The loop is asleep, or about to be, whenever a message comes.
fn wakes(multi: bool, duration: Duration) -> f64 {
	let (ask, mut questions) = mpsc::unbounded_channel::<u64>();
	let (answer, answers) = blocking_mpsc::channel::<u64>();
	let asker = std::thread::spawn(move || {
		let start = Instant::now();
		let mut rounds = 0;
		while start.elapsed() < duration {
			ask.send(rounds).expect("the loop is gone");
			rounds = answers.recv().expect("the loop is gone");
		}
		rounds as f64 / start.elapsed().as_secs_f64()
	});
	let answering = async move {
		while let Some(i) = questions.recv().await {
			answer.send(i + 1).expect("the asker is gone");
		}
	};
	// As a task: the thread in block_on() of a multi_thread runtime does not
	// sleep in epoll_wait.
	runtime(multi).block_on(async move {
		tokio::spawn(answering).await.expect("the answers");
	});
	asker.join().expect("asker")
}

/// Between 1 and 64 ms each, so that the wheel's levels are in use.
async fn keep_timer(which: u64, fired: Arc<AtomicU64>) {
	let period = Duration::from_millis(1 + which % 64);
	loop {
		tokio::time::sleep(period).await;
		fired.fetch_add(1, Relaxed);
	}
}

async fn timers(duration: Duration) -> f64 {
	let fired = Arc::new(AtomicU64::new(0));
	for which in 0..TIMERS {
		tokio::spawn(keep_timer(which, fired.clone()));
	}
	let start = Instant::now();
	tokio::time::sleep(duration).await;
	fired.load(Relaxed) as f64 / start.elapsed().as_secs_f64()
}

fn main() -> ExitCode {
	let words: Vec<String> = std::env::args().skip(1).collect();
	let amount = words.get(2).and_then(|word| word.parse().ok());
	let (Some(case), Some(flavour), Some(amount)) =
		(words.first(), words.get(1), amount)
	else {
		eprintln!("usage: epemu-bench-tokio CASE ct|mt AMOUNT");
		return ExitCode::from(2);
	};
	let multi = flavour == "mt";
	let duration = Duration::from_millis(amount);
	let rate = match case.as_str() {
		"echo" => {
			runtime(multi).block_on(echo(amount));
			return ExitCode::SUCCESS;
		}
		"wakes" => wakes(multi, duration),
		"timers" => runtime(multi).block_on(async move {
			// Off the thread that block_on() holds.
			tokio::spawn(timers(duration)).await.expect("timers")
		}),
		_ => return ExitCode::from(2),
	};
	println!("{{\"rate\": {rate:.1}}}");
	ExitCode::SUCCESS
}
