"""asyncssh, measured: answers what protocol.rs beside this one describes."""

import asyncio
import os
import sys
import time

import asyncssh

COMMAND = "/bin/true"
LOGINS = 50
PAUSE = 0.02


def connect():
    return asyncssh.connect(
        "127.0.0.1",
        int(os.environ["SSH_BENCH_PORT"]),
        username=os.environ["SSH_BENCH_USER"],
        client_keys=[os.environ["SSH_BENCH_KEY"]],
        known_hosts=os.environ["SSH_BENCH_KNOWN_HOSTS"],
        config=None,
        agent_path=None,
        connect_timeout=60,
        login_timeout=60,
    )


async def run(connection):
    await connection.run(COMMAND, check=True)


class Counter(asyncssh.SSHClientSession):
    """Counts bytes as they come: the way with the least work that the library has."""

    def __init__(self):
        self.bytes = 0
        self.ended = asyncio.get_running_loop().create_future()

    def data_received(self, data, datatype):
        self.bytes += len(data)

    def connection_lost(self, exc):
        self.ended.set_result(exc)


async def connects(count):
    for _ in range(count):
        started = time.perf_counter()
        connection = await connect()
        await run(connection)
        say(started)
        connection.close()
        await connection.wait_closed()
        await asyncio.sleep(PAUSE)


async def execs(count):
    async with connect() as connection:
        for _ in range(count):
            started = time.perf_counter()
            await run(connection)
            say(started)


async def stdout(count):
    async with connect() as connection:
        started = time.perf_counter()
        _, counter = await connection.create_session(Counter, f"head -c {count} /dev/zero", encoding=None)
        await counter.ended
        say(started)
        if counter.bytes != count:
            sys.exit(f"{counter.bytes} bytes came in place of {count}")


async def many(count):
    held = []
    left = iter(range(count))

    async def work():
        for _ in left:
            connection = await connect()
            await run(connection)
            held.append(connection)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(min(LOGINS, count))))
    say(started)
    await asyncio.to_thread(sys.stdin.read)
    for connection in held:
        connection.abort()


def say(started):
    print(f"{(time.perf_counter() - started) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(asyncssh.__version__)
    else:
        measure = {"connect": connects, "exec": execs, "stdout": stdout, "many": many}[sys.argv[1]]
        asyncio.run(measure(int(sys.argv[2])))
