// SPDX-License-Identifier: MIT
// Deno is a tokio program: its sockets, files, children, signals and workers
// go through a current_thread runtime and its blocking threads.

const CLIENTS = 50;
const ROUNDS = 20;
const MESSAGES = 500;

const range = (n: number) => Array.from({ length: n }, (_, i) => i);
const sum = (numbers: number[]) => numbers.reduce((a, b) => a + b, 0);

async function webServer() {
	const server = Deno.serve(
		{ hostname: "127.0.0.1", port: 0, onListen: () => {} },
		async (request) => new Response((await request.text()).toUpperCase()),
	);
	const { port } = server.addr as Deno.NetAddr;
	const answers = await Promise.all(range(CLIENTS).map(async (n) => {
		const response = await fetch(`http://127.0.0.1:${port}/`, {
			method: "POST",
			body: "x".repeat(n * 499),
		});
		const text = await response.text();
		if (text !== "X".repeat(n * 499)) throw new Error(`answer ${n}`);
		return text.length;
	}));
	await server.shutdown();
	console.log(`http: ${answers.length} answers, ${sum(answers)} bytes`);
}

async function readAll(conn: Deno.Conn, want: number) {
	const buffer = new Uint8Array(want);
	let got = 0;
	while (got < want) {
		const n = await conn.read(buffer.subarray(got));
		if (n === null) throw new Error("early end");
		got += n;
	}
	return sum([...buffer]);
}

async function tcpEcho() {
	const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
	const { port } = listener.addr as Deno.NetAddr;
	const served = (async () => {
		const all = [];
		for await (const conn of listener) {
			all.push(conn.readable.pipeTo(conn.writable));
		}
		await Promise.all(all);
	})();
	const sums = await Promise.all(range(CLIENTS).map(async (n) => {
		const conn = await Deno.connect({ hostname: "127.0.0.1", port });
		let total = 0;
		for (const turn of range(ROUNDS)) {
			const data = new Uint8Array(1 + n * turn).fill(n);
			await conn.write(data);
			total += await readAll(conn, data.length);
		}
		conn.close();
		return total;
	}));
	listener.close();
	await served;
	console.log(`tcp: sum ${sum(sums)}`);
}

async function files() {
	const place = await Deno.makeTempDir();
	await Promise.all(range(40).map((n) =>
		Deno.writeTextFile(`${place}/f${n}`, "y".repeat(n))
	));
	const names = [];
	for await (const entry of Deno.readDir(place)) names.push(entry.name);
	const texts = await Promise.all(
		names.map((name) => Deno.readTextFile(`${place}/${name}`)),
	);
	await Deno.remove(place, { recursive: true });
	console.log(`files: ${names.length}, ` +
		`${sum(texts.map((text) => text.length))} bytes`);
}

async function children() {
	const ends = await Promise.all(range(8).map(async (n) => {
		const child = new Deno.Command("/bin/sh", {
			args: ["-c", `cat; exit ${n}`],
			stdin: "piped",
			stdout: "piped",
		}).spawn();
		const writer = child.stdin.getWriter();
		await writer.write(new Uint8Array(n * 1000));
		await writer.close();
		const { code, stdout } = await child.output();
		return `${code}:${stdout.length}`;
	}));
	console.log(`children: ${ends.join(" ")}`);
}

async function signals() {
	let wake = () => {};
	const handler = () => wake();
	Deno.addSignalListener("SIGUSR2", handler);
	for (const _ of range(20)) {
		const next = new Promise<void>((resolve) => (wake = resolve));
		Deno.kill(Deno.pid, "SIGUSR2");
		await next;
	}
	Deno.removeSignalListener("SIGUSR2", handler);
	console.log("signals: 20");
}

async function worker() {
	const code = `self.onmessage = ({ data }) => {
		if (data < 0) self.close();
		else self.postMessage(data + 1);
	};`;
	const url = URL.createObjectURL(
		new Blob([code], { type: "text/javascript" }),
	);
	const thread = new Worker(url, { type: "module" });
	const total = await new Promise((resolve) => {
		let total = 0;
		thread.onmessage = ({ data }) => {
			total += data;
			if (data < MESSAGES) thread.postMessage(data);
			else resolve(total);
		};
		thread.postMessage(0);
	});
	thread.terminate();
	console.log(`worker: ${total}`);
}

async function timers() {
	const early = await Promise.all(range(30).map((n) => {
		const start = performance.now();
		return new Promise<number>((resolve) =>
			setTimeout(() => resolve(+(performance.now() - start < n - 1)), n)
		);
	}));
	console.log(`timers: ${early.length} fired, ${sum(early)} early`);
}

await webServer();
await tcpEcho();
await files();
await children();
await signals();
await worker();
await timers();
