// SPDX-License-Identifier: MIT
//! tokio::process: with pidfds, or on the SIGCHLD path of older kernels.

use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::task::JoinSet;

const CHILDREN: i32 = 20;

fn shell(script: &str) -> Command {
	let mut command = Command::new("/bin/sh");
	command.arg("-c").arg(script);
	command
}

fn describe(status: ExitStatus) -> String {
	match (status.code(), status.signal()) {
		(Some(code), _) => format!("exit {code}"),
		(_, Some(signal)) => format!("signal {signal}"),
		_ => "neither".to_string(),
	}
}

/// A child that repeats its input and exits with the number it was given.
async fn one(number: i32) -> String {
	let mut child = shell(&format!("cat; exit {number}"))
		.stdin(Stdio::piped())
		.stdout(Stdio::piped())
		.spawn()
		.expect("spawn");
	let mut input = child.stdin.take().expect("stdin");
	let mut output = child.stdout.take().expect("stdout");
	let sent = vec![number as u8; 1000 * (1 + number as usize)];
	let writer = async {
		input.write_all(&sent).await.expect("write");
		drop(input);
	};
	let mut got = Vec::new();
	let (_, read) = tokio::join!(writer, output.read_to_end(&mut got));
	read.expect("read");
	assert!(got == sent, "child {number}: wrong bytes");
	let status = child.wait().await.expect("wait");
	format!(
		"child {number:02}: {} bytes, {}",
		got.len(),
		describe(status)
	)
}

async fn ready(child: &mut Child) {
	let mut output = child.stdout.take().expect("stdout");
	let mut byte = [0];
	output.read_exact(&mut byte).await.expect("ready");
	assert_eq!(byte[0], b'r');
}

async fn killed() {
	let mut child = shell("echo r; exec sleep 1000")
		.stdout(Stdio::piped())
		.spawn()
		.expect("spawn");
	ready(&mut child).await;
	assert!(child.try_wait().expect("try_wait").is_none());
	child.start_kill().expect("kill");
	let status = child.wait().await.expect("wait");
	println!("killed: {}", describe(status));

	let mut child = shell("echo r; exec sleep 1000")
		.stdout(Stdio::piped())
		.kill_on_drop(true)
		.spawn()
		.expect("spawn");
	ready(&mut child).await;
	drop(child);
	println!("dropped: reaped by the runtime");
}

async fn at_once() {
	let mut tasks = JoinSet::new();
	for number in 0..CHILDREN {
		tasks.spawn(one(number));
	}
	let mut lines = tasks.join_all().await;
	lines.sort();
	println!("{}", lines.join("\n"));
}

pub async fn run(pidfd: bool) {
	println!("pidfd: {pidfd}");
	at_once().await;
	let output = shell("echo out; echo err >&2; exit 7").output().await;
	let output = output.expect("output");
	println!(
		"output: {:?} {:?} {}",
		String::from_utf8_lossy(&output.stdout),
		String::from_utf8_lossy(&output.stderr),
		describe(output.status)
	);
	killed().await;
	let missing = Command::new("/nonexistent/program").spawn();
	println!("missing: {:?}", missing.map(drop).map_err(|e| e.kind()));
}
