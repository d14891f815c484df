# SPDX-License-Identifier: MIT
"""A server and fifty clients on one asyncio loop, and timers beside them."""

import asyncio

CLIENTS = 50
ROUNDS = 20


async def serve(reader, writer):
    while line := await reader.readline():
        writer.write(line.upper())
        await writer.drain()
    writer.close()


async def client(port, number):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for turn in range(ROUNDS):
        writer.write(f"client {number} turn {turn}\n".encode())
        answer = await reader.readline()
        assert answer == f"CLIENT {number} TURN {turn}\n".encode()
        await asyncio.sleep(0.001)
    writer.close()
    return ROUNDS


async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    sums = await asyncio.gather(
        *(client(port, number) for number in range(CLIENTS)))
    server.close()
    print(f"{CLIENTS} clients, {sum(sums)} lines echoed")


asyncio.run(main())
