// SPDX-License-Identifier: MIT

import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.Socket;
import java.nio.ByteBuffer;
import java.nio.channels.AsynchronousServerSocketChannel;
import java.nio.channels.AsynchronousSocketChannel;
import java.nio.channels.Pipe;
import java.nio.channels.SelectionKey;
import java.nio.channels.Selector;
import java.nio.channels.ServerSocketChannel;
import java.nio.channels.SocketChannel;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.Callable;
import java.util.concurrent.Future;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.SynchronousQueue;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * Selectors, their wakeups from other threads (an eventfd that the JDK reads
 * with a buffer of 16 bytes), pipes, and asynchronous channels (one-shot
 * registrations in an epoll that several threads wait on). Each part prints
 * only what is the same in every run.
 */
public final class NioLoop {
	private static final int CLIENTS = 100;
	private static final int ROUNDS = 10;
	private static final int WAKEUPS = 5000;

	private static InetSocketAddress anyPort() {
		return new InetSocketAddress(InetAddress.getLoopbackAddress(), 0);
	}

	/** What one blocking client gets back, in bytes. */
	private static int client(int number, int port) throws IOException {
		byte[] data = new byte[1 + number * 31];
		java.util.Arrays.fill(data, (byte) number);
		int total = 0;
		try (Socket socket = new Socket(anyPort().getAddress(), port)) {
			InputStream in = socket.getInputStream();
			OutputStream out = socket.getOutputStream();
			for (int turn = 0; turn < ROUNDS; turn++) {
				out.write(data);
				byte[] back = in.readNBytes(data.length);
				if (!java.util.Arrays.equals(data, back))
					throw new IOException("wrong bytes");
				total += back.length;
			}
			socket.shutdownOutput();
			if (in.read() != -1)
				throw new IOException("no end");
		}
		return total;
	}

	private static int clients(int port) throws Exception {
		ExecutorService pool = Executors.newFixedThreadPool(CLIENTS);
		List<Callable<Integer>> calls = new ArrayList<>();
		for (int i = 0; i < CLIENTS; i++) {
			int number = i;
			calls.add(() -> client(number, port));
		}
		int total = 0;
		for (Future<Integer> end : pool.invokeAll(calls))
			total += end.get();
		pool.shutdown();
		return total;
	}

	private static void accept(Selector selector, ServerSocketChannel server)
			throws IOException {
		SocketChannel peer = server.accept();
		if (peer == null)
			return;
		peer.configureBlocking(false);
		peer.register(selector, SelectionKey.OP_READ,
				ByteBuffer.allocate(1024).flip());
	}

	/** Moves what it can; true at the end of the stream. */
	private static boolean echo(SelectionKey key) throws IOException {
		SocketChannel peer = (SocketChannel) key.channel();
		ByteBuffer buffer = (ByteBuffer) key.attachment();
		boolean ended = false;
		if (key.isReadable()) {
			buffer.compact();
			ended = peer.read(buffer) < 0;
			buffer.flip();
		}
		peer.write(buffer);
		key.interestOps(buffer.hasRemaining()
				? SelectionKey.OP_WRITE : SelectionKey.OP_READ);
		if (ended)
			peer.close();
		return ended;
	}

	private static void selectorServer() throws Exception {
		try (Selector selector = Selector.open();
				ServerSocketChannel server = ServerSocketChannel.open()) {
			server.bind(anyPort(), CLIENTS);
			server.configureBlocking(false);
			server.register(selector, SelectionKey.OP_ACCEPT);
			int port = server.socket().getLocalPort();
			ExecutorService pool = Executors.newSingleThreadExecutor();
			Future<Integer> total = pool.submit(() -> clients(port));
			int ended = 0;
			while (ended < CLIENTS) {
				selector.select();
				for (SelectionKey key : selector.selectedKeys()) {
					if (key.isAcceptable())
						accept(selector, server);
					else if (echo(key))
						ended++;
				}
				selector.selectedKeys().clear();
			}
			System.out.println("selector: " + total.get() + " bytes echoed");
			pool.shutdown();
		}
	}

	/** Each wakeup ends one select, and is answered before the next. */
	private static void wakeups() throws Exception {
		BlockingQueue<Integer> answers = new SynchronousQueue<>();
		try (Selector selector = Selector.open()) {
			Thread waker = new Thread(() -> {
				try {
					for (int i = 0; i < WAKEUPS; i++) {
						selector.wakeup();
						answers.take();
					}
				} catch (InterruptedException e) {
					throw new IllegalStateException(e);
				}
			});
			waker.start();
			int keys = 0;
			for (int i = 0; i < WAKEUPS; i++) {
				keys += selector.select();
				answers.put(i);
			}
			waker.join();
			selector.wakeup();
			selector.wakeup();
			keys += selector.select();
			keys += selector.selectNow();
			System.out.println("wakeups: " + WAKEUPS + ", keys " + keys);
		}
	}

	/** Several threads wake one selector at the same time. */
	private static void wakeupsAtOnce() throws Exception {
		AtomicInteger sent = new AtomicInteger();
		try (Selector selector = Selector.open()) {
			List<Thread> wakers = new ArrayList<>();
			for (int i = 0; i < 4; i++) {
				Thread waker = new Thread(() -> {
					for (int n = 0; n < WAKEUPS; n++) {
						sent.incrementAndGet();
						selector.wakeup();
					}
				});
				wakers.add(waker);
				waker.start();
			}
			while (sent.get() < 4 * WAKEUPS)
				selector.select();
			for (Thread waker : wakers)
				waker.join();
			System.out.println("wakeups at once: " + sent);
		}
	}

	private static void pipes() throws Exception {
		Pipe pipe = Pipe.open();
		Thread writer = new Thread(() -> {
			try (Pipe.SinkChannel sink = pipe.sink()) {
				for (int i = 0; i < 500; i++)
					sink.write(ByteBuffer.wrap(new byte[1 + i]));
			} catch (IOException e) {
				throw new IllegalStateException(e);
			}
		});
		long total = 0;
		try (Selector selector = Selector.open();
				Pipe.SourceChannel source = pipe.source()) {
			source.configureBlocking(false);
			source.register(selector, SelectionKey.OP_READ);
			writer.start();
			ByteBuffer buffer = ByteBuffer.allocate(777);
			for (int n = 0; n >= 0; n = source.read(buffer.clear())) {
				total += n;
				selector.select();
				selector.selectedKeys().clear();
			}
		}
		writer.join();
		System.out.println("pipe: " + total + " bytes");
	}

	private static void serveAsync(AsynchronousSocketChannel peer) {
		ByteBuffer buffer = ByteBuffer.allocate(512);
		try (peer) {
			while (peer.read(buffer.clear()).get() >= 0) {
				buffer.flip();
				while (buffer.hasRemaining())
					peer.write(buffer).get();
			}
		} catch (Exception e) {
			throw new IllegalStateException(e);
		}
	}

	private static void asynchronousServer() throws Exception {
		ExecutorService pool = Executors.newCachedThreadPool();
		try (AsynchronousServerSocketChannel server =
				AsynchronousServerSocketChannel.open().bind(anyPort(),
						CLIENTS)) {
			int port = ((InetSocketAddress) server.getLocalAddress())
					.getPort();
			Future<Integer> total = pool.submit(() -> clients(port));
			for (int i = 0; i < CLIENTS; i++) {
				AsynchronousSocketChannel peer = server.accept().get();
				pool.submit(() -> serveAsync(peer));
			}
			System.out.println("asynchronous: " + total.get()
					+ " bytes echoed");
		}
		pool.shutdown();
	}

	public static void main(String[] args) throws Exception {
		selectorServer();
		wakeups();
		wakeupsAtOnce();
		pipes();
		asynchronousServer();
		System.exit(0);
	}
}
