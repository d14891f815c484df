// SPDX-License-Identifier: MIT
//! Tokio programs for the integration tests, all in one binary.
//!
//! `epemu-tokio CASE [ct|mt] [N]` runs one case on a current_thread or a
//! multi_thread runtime. Every case checks itself (a wrong byte, a timer that
//! fires early or a lost wake-up panics or hangs, and the runner has a limit)
//! and prints only what is the same in every run: counts, sums and sorted
//! lines, so that a native run and an emulated one can be compared byte for
//! byte. Nothing here asserts that something happened *soon*.

mod answer;
mod asyncfd;
mod channels;
mod echo;
mod files;
mod inherit;
mod pipes;
mod pressure;
mod process;
mod runtimes;
mod select;
mod signals;
mod sys;
mod timers;

use std::process::ExitCode;
use tokio::runtime::{Builder, Runtime};

const WORKERS: usize = 4;

/// What a case is told on the command line.
pub struct Args {
	pub multi: bool,
	pub count: Option<u64>,
}

impl Args {
	/// A runtime of the flavour asked for, with every driver enabled.
	pub fn runtime(&self) -> Runtime {
		let mut builder = if self.multi {
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
}

fn run(case: &str, args: &Args) -> bool {
	let runtime = || args.runtime();
	match case {
		"answer" => runtime().block_on(answer::run(answer::Keep::Last)),
		"answer-lost" => runtime().block_on(answer::run(answer::Keep::First)),
		"asyncfd" => runtime().block_on(asyncfd::run()),
		"blocking" => runtime().block_on(channels::blocking(args.multi)),
		"channels" => channels::run(args),
		"echo-tcp" => runtime().block_on(echo::tcp()),
		"echo-udp" => runtime().block_on(echo::udp()),
		"echo-unix" => runtime().block_on(echo::unix()),
		"files" => runtime().block_on(files::run()),
		"inherit" => runtime().block_on(inherit::run()),
		"inherit-child" => runtime().block_on(inherit::child()),
		"pipes" => runtime().block_on(pipes::run()),
		"pressure" => runtime().block_on(pressure::run()),
		"process-pidfd" => runtime().block_on(process::run(true)),
		"process-sigchld" => {
			sys::deny_pidfd_open();
			runtime().block_on(process::run(false))
		}
		"runtimes" => runtimes::run(args),
		"select" => runtime().block_on(select::run()),
		"signals" => runtime().block_on(signals::run()),
		"stdio" => runtime().block_on(pipes::stdio()),
		"timers" => runtime().block_on(timers::run()),
		_ => return false,
	}
	true
}

fn main() -> ExitCode {
	let words: Vec<String> = std::env::args().skip(1).collect();
	let word = |i: usize| words.get(i).map(String::as_str);
	let args = Args {
		multi: word(1) != Some("ct"),
		count: word(2).and_then(|n| n.parse().ok()),
	};
	match word(0) {
		Some(case) if run(case, &args) => ExitCode::SUCCESS,
		_ => {
			eprintln!("usage: epemu-tokio CASE [ct|mt] [N]");
			ExitCode::from(2)
		}
	}
}
