// SPDX-License-Identifier: MIT
//! Pipes, FIFOs and the standard streams.

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::unix::pipe;

const CHUNKS: usize = 300;
const CHUNK: usize = 4099;

async fn anonymous() {
	let (mut tx, mut rx) = pipe::pipe().expect("pipe");
	let writer = tokio::spawn(async move {
		for i in 0..CHUNKS {
			tx.write_all(&[i as u8; CHUNK]).await.expect("write");
		}
	});
	let mut got = Vec::new();
	rx.read_to_end(&mut got).await.expect("read");
	writer.await.expect("writer");
	let sum: u64 = got.iter().map(|&b| u64::from(b)).sum();
	println!("pipe: {} bytes, sum {sum}", got.len());
}

async fn named() {
	let name = format!("fifo-{}", std::process::id());
	let path = std::env::temp_dir().join(name);
	let made = std::process::Command::new("mkfifo").arg(&path).status();
	assert!(made.expect("mkfifo").success());
	let mut rx = pipe::OpenOptions::new()
		.open_receiver(&path)
		.expect("open for reading");
	for round in 0..20u8 {
		let mut tx = pipe::OpenOptions::new()
			.open_sender(&path)
			.expect("open for writing");
		let (wrote, byte) = tokio::join!(tx.write_u8(round), rx.read_u8());
		wrote.expect("write");
		assert_eq!(byte.expect("read"), round);
	}
	let eof = rx.read(&mut [0]).await.expect("eof");
	println!("fifo: 20 writers one after another, then {eof}");
	std::fs::remove_file(path).expect("remove the fifo");
}

async fn reader_gone() {
	let (mut tx, rx) = pipe::pipe().expect("pipe");
	drop(rx);
	let error = loop {
		if let Err(error) = tx.write_u8(0).await {
			break error;
		}
	};
	println!("reader gone: {:?}", error.kind());
}

pub async fn run() {
	anonymous().await;
	named().await;
	reader_gone().await;
}

/// Numbers the lines of standard input.
pub async fn stdio() {
	let mut lines = BufReader::new(tokio::io::stdin()).lines();
	let mut out = tokio::io::stdout();
	let mut number = 0;
	while let Some(line) = lines.next_line().await.expect("stdin") {
		number += 1;
		let line = format!("{number}: {line}\n");
		out.write_all(line.as_bytes()).await.expect("stdout");
	}
	out.flush().await.expect("stdout");
}
