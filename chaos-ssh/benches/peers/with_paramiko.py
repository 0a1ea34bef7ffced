"""paramiko, measured: answers what protocol.rs beside this one describes."""

import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import paramiko

COMMAND = "/bin/true"
LOGINS = 50
PAUSE = 0.02


def connect():
    client = paramiko.SSHClient()
    client.load_host_keys(os.environ["SSH_BENCH_KNOWN_HOSTS"])
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.connect(
        "127.0.0.1",
        int(os.environ["SSH_BENCH_PORT"]),
        username=os.environ["SSH_BENCH_USER"],
        key_filename=os.environ["SSH_BENCH_KEY"],
        allow_agent=False,
        look_for_keys=False,
        timeout=60,
        banner_timeout=60,
        auth_timeout=60,
        channel_timeout=60,
    )
    return client


def run(client):
    _, out, _ = client.exec_command(COMMAND)
    status = out.channel.recv_exit_status()
    if status != 0:
        sys.exit(f"it ended so: {status}")


def connects(count):
    for _ in range(count):
        started = time.perf_counter()
        client = connect()
        run(client)
        say(started)
        client.close()
        time.sleep(PAUSE)


def execs(count):
    client = connect()
    for _ in range(count):
        started = time.perf_counter()
        run(client)
        say(started)
    client.close()


def stdout(count):
    client = connect()
    started = time.perf_counter()
    channel = client.get_transport().open_session()
    channel.exec_command(f"head -c {count} /dev/zero")
    got = 0
    while data := channel.recv(1 << 20):
        got += len(data)
    say(started)
    client.close()
    if got != count:
        sys.exit(f"{got} bytes came in place of {count}")


def many(count):
    def one(_):
        client = connect()
        run(client)
        return client

    started = time.perf_counter()
    with ThreadPoolExecutor(LOGINS) as pool:
        held = list(pool.map(one, range(count)))
    say(started)
    sys.stdin.read()
    for client in held:
        client.close()


def say(started):
    print(f"{(time.perf_counter() - started) * 1e3:.3f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "version":
        print(paramiko.__version__)
    else:
        measure = {"connect": connects, "exec": execs, "stdout": stdout, "many": many}[sys.argv[1]]
        measure(int(sys.argv[2]))
