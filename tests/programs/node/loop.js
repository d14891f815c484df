// SPDX-License-Identifier: MIT
// What drives libuv's loop: sockets, the thread pool, worker threads, child
// processes, timers and signals. Each part tells only what is the same in
// every run. libuv wakes its loop by an eventfd, and reads it with a buffer
// of 1,024 bytes.
"use strict";

const { spawn } = require("node:child_process");
const { createHash, pbkdf2 } = require("node:crypto");
const { once } = require("node:events");
const fs = require("node:fs/promises");
const http = require("node:http");
const net = require("node:net");
const os = require("node:os");
const path = require("node:path");
const { promisify } = require("node:util");
const {
  Worker, isMainThread, parentPort,
} = require("node:worker_threads");

const CLIENTS = 100;
const ROUNDS = 20;
const MESSAGES = 2000;
const FILES = 50;

const sum = (numbers) => numbers.reduce((a, b) => a + b, 0);
const range = (n) => Array.from({ length: n }, (_, i) => i);
const sha = (data) => createHash("sha256").update(data).digest("hex");

async function webServer() {
  const server = http.createServer(async (request, response) => {
    const body = [];
    for await (const chunk of request) body.push(chunk);
    response.end(sha(Buffer.concat(body)));
  });
  await promisify(server.listen.bind(server))(0, "127.0.0.1");
  const { port } = server.address();
  const agent = new http.Agent({ keepAlive: true, maxSockets: 10 });
  const ask = (n) => new Promise((resolve, reject) => {
    const request = http.request(
      { host: "127.0.0.1", port, agent, method: "POST" }, (response) => {
        let text = "";
        response.on("data", (chunk) => (text += chunk));
        response.on("end", () => resolve(text));
      });
    request.on("error", reject);
    request.end(Buffer.alloc(n * 997, n));
  });
  const answers = await Promise.all(range(CLIENTS).map(ask));
  agent.destroy();
  server.close();
  await once(server, "close");
  console.log(`http: ${answers.length} answers, ${sha(answers.join())}`);
}

async function unixEcho(place) {
  const name = path.join(place, "echo.sock");
  const server = net.createServer((peer) => peer.pipe(peer));
  await promisify(server.listen.bind(server))(name);
  const client = async (n) => {
    const socket = net.connect(name);
    let bytes = 0;
    socket.on("data", (chunk) => (bytes += chunk.length));
    for (const turn of range(ROUNDS)) {
      if (!socket.write(Buffer.alloc(1 + n * 331 * (turn % 3)))) {
        await once(socket, "drain");
      }
    }
    socket.end();
    await once(socket, "close");
    return bytes;
  };
  const bytes = await Promise.all(range(CLIENTS).map(client));
  server.close();
  await once(server, "close");
  console.log(`unix: ${sum(bytes)} bytes echoed`);
}

async function threadPool(place) {
  const keys = await Promise.all(range(100).map(
    (n) => promisify(pbkdf2)(`${n}`, "salt", 50, 16, "sha1")));
  console.log(`pool: ${sha(Buffer.concat(keys))}`);
  const names = range(FILES).map((n) => path.join(place, `f${n}`));
  await Promise.all(names.map((name, n) => fs.writeFile(name, "x".repeat(n))));
  const texts = await Promise.all(names.map((name) => fs.readFile(name)));
  const stats = await Promise.all(names.map((name) => fs.stat(name)));
  console.log(`files: ${sum(texts.map((text) => text.length))} bytes read, ` +
    `${sum(stats.map((stat) => stat.size))} by stat`);
}

async function workers() {
  const totals = await Promise.all(range(4).map(async (n) => {
    const worker = new Worker(__filename);
    let total = 0;
    worker.postMessage(n);
    worker.on("message", (value) => {
      total += value;
      if (value < MESSAGES) worker.postMessage(value);
      else worker.postMessage(-1);
    });
    const [code] = await once(worker, "exit");
    return total + code;
  }));
  console.log(`workers: ${totals.join(" ")}`);
}

function workerThread() {
  parentPort.on("message", (value) => {
    if (value < 0) parentPort.close();
    else parentPort.postMessage(value + 1);
  });
}

async function children() {
  const ends = await Promise.all(range(10).map(async (n) => {
    const child = spawn("/bin/sh", ["-c", `cat; exit ${n}`]);
    let text = "";
    child.stdout.on("data", (chunk) => (text += chunk));
    child.stdin.end("y".repeat(n * 10000));
    const [code] = await once(child, "close");
    return `${code}:${text.length}`;
  }));
  console.log(`children: ${ends.join(" ")}`);
  const child = spawn("/bin/sh", ["-c", "echo; exec sleep 1000"]);
  await once(child.stdout, "data");
  child.kill("SIGTERM");
  const [code, signal] = await once(child, "close");
  console.log(`killed: ${code} ${signal}`);
}

async function signals() {
  let seen = 0;
  const count = () => seen++;
  // A signal handler alone does not keep the loop going.
  const keep = setInterval(() => {}, 1000);
  process.on("SIGUSR2", count);
  for (const _ of range(20)) {
    const next = once(process, "SIGUSR2");
    process.kill(process.pid, "SIGUSR2");
    await next;
  }
  process.off("SIGUSR2", count);
  clearInterval(keep);
  console.log(`signals: ${seen}`);
}

async function timers() {
  const early = await Promise.all(range(50).map((n) => {
    const start = performance.now();
    return new Promise((done) => setTimeout(
      () => done(performance.now() - start < n - 1), n));
  }));
  console.log(`timers: ${early.length} fired, ` +
    `${early.filter(Boolean).length} early`);
}

async function main() {
  const place = await fs.mkdtemp(path.join(os.tmpdir(), "loop-"));
  try {
    await webServer();
    await unixEcho(place);
    await threadPool(place);
    await workers();
    await children();
    await signals();
    await timers();
  } finally {
    await fs.rm(place, { recursive: true });
  }
}

if (isMainThread) main();
else workerThread();
