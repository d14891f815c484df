// SPDX-License-Identifier: MIT
//! Echo servers with 200 clients that are all connected at the same time.

use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket, UnixListener, UnixStream};
use tokio::sync::Barrier;
use tokio::task::JoinSet;

const CLIENTS: usize = 200;
const ROUNDS: usize = 10;
const DATAGRAMS: u32 = 200;

/// The bytes that a client sends in a round: from one byte to 16 KiB.
fn message(client: usize, round: usize) -> Vec<u8> {
	let len = 1 + (client * 81 + round * 1601) % 16384;
	(0..len).map(|i| (i * 7 + client + round) as u8).collect()
}

/// Sends back what comes in until the end of the stream; says how much.
async fn serve(mut peer: impl AsyncRead + AsyncWrite + Unpin) -> u64 {
	let mut buf = vec![0; 4096];
	let mut total = 0;
	loop {
		let n = peer.read(&mut buf).await.expect("server read");
		if n == 0 {
			peer.shutdown().await.expect("server shutdown");
			return total;
		}
		peer.write_all(&buf[..n]).await.expect("server write");
		total += n as u64;
	}
}

async fn client<S>(id: usize, stream: S, all_here: Arc<Barrier>) -> u64
where
	S: AsyncRead + AsyncWrite + Unpin,
{
	all_here.wait().await;
	let (mut reader, mut writer) = tokio::io::split(stream);
	let mut total = 0;
	for round in 0..ROUNDS {
		let sent = message(id, round);
		let mut got = vec![0; sent.len()];
		let (wrote, read) =
			tokio::join!(writer.write_all(&sent), reader.read_exact(&mut got));
		wrote.expect("client write");
		read.expect("client read");
		assert!(sent == got, "client {id} round {round}: wrong bytes");
		total += sent.len() as u64;
	}
	writer.shutdown().await.expect("client shutdown");
	assert_eq!(reader.read(&mut [0; 1]).await.expect("client eof"), 0);
	total
}

async fn sum(mut tasks: JoinSet<u64>) -> (usize, u64) {
	let (mut count, mut total) = (0, 0);
	while let Some(bytes) = tasks.join_next().await {
		count += 1;
		total += bytes.expect("task");
	}
	(count, total)
}

async fn report(name: &str, servers: JoinSet<u64>, clients: JoinSet<u64>) {
	let (count, bytes) = sum(clients).await;
	println!("{name}: {count} clients echoed {bytes} bytes");
	let (count, bytes) = sum(servers).await;
	println!("{name}: {count} connections served {bytes} bytes");
}

pub async fn tcp() {
	let listener = TcpListener::bind("127.0.0.1:0").await.expect("bind");
	let addr = listener.local_addr().expect("address");
	let barrier = Arc::new(Barrier::new(CLIENTS));
	let mut clients = JoinSet::new();
	for id in 0..CLIENTS {
		let barrier = barrier.clone();
		clients.spawn(async move {
			let stream = TcpStream::connect(addr).await.expect("connect");
			stream.set_nodelay(true).expect("nodelay");
			client(id, stream, barrier).await
		});
	}
	let mut servers = JoinSet::new();
	for _ in 0..CLIENTS {
		let (peer, _) = listener.accept().await.expect("accept");
		servers.spawn(serve(peer));
	}
	report("tcp", servers, clients).await;
}

pub async fn unix() {
	let path =
		std::env::temp_dir().join(format!("echo-{}.sock", std::process::id()));
	let listener = UnixListener::bind(&path).expect("bind");
	let barrier = Arc::new(Barrier::new(CLIENTS));
	let mut clients = JoinSet::new();
	for id in 0..CLIENTS {
		let barrier = barrier.clone();
		let path = path.clone();
		clients.spawn(async move {
			let stream = UnixStream::connect(path).await.expect("connect");
			client(id, stream, barrier).await
		});
	}
	let mut servers = JoinSet::new();
	for _ in 0..CLIENTS {
		let (peer, _) = listener.accept().await.expect("accept");
		servers.spawn(serve(peer));
	}
	report("unix", servers, clients).await;
	std::fs::remove_file(path).expect("remove the socket");
}

/// One datagram at a time, so that none can be dropped.
pub async fn udp() {
	let server = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
	let addr = server.local_addr().expect("address");
	let echo = tokio::spawn(async move {
		let mut buf = [0; 64];
		for _ in 0..DATAGRAMS {
			let (n, from) = server.recv_from(&mut buf).await.expect("recv");
			server.send_to(&buf[..n], from).await.expect("send");
		}
	});
	let client = UdpSocket::bind("127.0.0.1:0").await.expect("bind");
	client.connect(addr).await.expect("connect");
	let mut total = 0u64;
	for i in 0..DATAGRAMS {
		let mut buf = [0; 4];
		client.send(&i.to_le_bytes()).await.expect("send");
		assert_eq!(client.recv(&mut buf).await.expect("recv"), 4);
		assert_eq!(u32::from_le_bytes(buf), i);
		total += u64::from(i);
	}
	echo.await.expect("echo");
	println!("udp: {DATAGRAMS} datagrams, sum {total}");
}
