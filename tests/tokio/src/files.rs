// SPDX-License-Identifier: MIT
//! tokio::fs: blocking threads whose results wake the loop.

use tokio::fs;
use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt, SeekFrom};
use tokio::task::JoinSet;

const FILES: usize = 40;

pub async fn run() {
	let name = format!("files-{}", std::process::id());
	let dir = std::env::temp_dir().join(name);
	fs::create_dir(&dir).await.expect("mkdir");

	let mut tasks = JoinSet::new();
	for i in 0..FILES {
		let path = dir.join(format!("f{i:02}"));
		tasks.spawn(async move {
			let mut file = fs::File::create_new(&path).await.expect("create");
			file.write_all(&vec![i as u8; i * 1000])
				.await
				.expect("write");
			file.flush().await.expect("flush");
			let mut file = fs::File::open(&path).await.expect("open");
			let start = (i * 500) as u64;
			file.seek(SeekFrom::Start(start)).await.expect("seek");
			let mut rest = Vec::new();
			file.read_to_end(&mut rest).await.expect("read");
			assert!(rest.iter().all(|&b| b == i as u8));
			rest.len()
		});
	}
	let read: usize = tasks.join_all().await.into_iter().sum();
	println!("files: {FILES} written, {read} bytes read");

	let mut names = Vec::new();
	let mut bytes = 0;
	let mut entries = fs::read_dir(&dir).await.expect("read_dir");
	while let Some(entry) = entries.next_entry().await.expect("entry") {
		bytes += entry.metadata().await.expect("metadata").len();
		names.push(entry.file_name().into_string().expect("name"));
	}
	names.sort();
	println!("dir: {bytes} bytes in {}", names.join(" "));

	fs::remove_dir_all(&dir).await.expect("rmdir");
	let gone = fs::metadata(&dir).await.map(drop).map_err(|e| e.kind());
	println!("gone: {gone:?}");
}
