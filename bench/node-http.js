// SPDX-License-Identifier: MIT
// A web server for scripts/bench: node node-http.js PORT.

const http = require("node:http");

http
  .createServer((request, response) => response.end("small answer\n"))
  .listen(Number(process.argv[2]), "127.0.0.1");
