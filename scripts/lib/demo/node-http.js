// SPDX-License-Identifier: MIT
// A web server and a hundred requests to it, with work for the thread pool,
// which libuv's eventfd tells of.

const crypto = require("node:crypto");
const http = require("node:http");

const REQUESTS = 100;

const server = http.createServer((request, response) => {
  crypto.pbkdf2(request.url, "salt", 10, 16, "sha1", (error, key) => {
    response.end(error ? String(error) : key.toString("hex"));
  });
});

function get(port, path) {
  return new Promise((resolve, reject) => {
    http.get({ host: "127.0.0.1", port, path }, (response) => {
      let body = "";
      response.on("data", (chunk) => (body += chunk));
      response.on("end", () => resolve(body));
    }).on("error", reject);
  });
}

server.listen(0, "127.0.0.1", async () => {
  const port = server.address().port;
  const paths = Array.from({ length: REQUESTS }, (_, n) => `/${n}`);
  const bodies = await Promise.all(paths.map((path) => get(port, path)));
  const kinds = new Set(bodies).size;
  console.log(`${bodies.length} requests, ${kinds} different answers`);
  server.close();
});
