"""A target over SSH: a real sshd on loopback, reached as `ssh` would reach it."""

from __future__ import annotations

import getpass
import os
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import chaos_handler as ch

SSHD = shutil.which("sshd", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/sbin")


class Server:
    """An OpenSSH server that lets one key in."""

    def __init__(self, place: Path) -> None:
        assert SSHD is not None
        self.place = place
        for name in ("host", "key"):
            made = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(place / name)]
            subprocess.run(made, check=True, stdin=subprocess.DEVNULL)
        shutil.copy(place / "key.pub", place / "authorized")
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        (place / "config").write_text(
            f"Port {self.port}\nListenAddress 127.0.0.1\nHostKey {place}/host\nAuthorizedKeysFile {place}/authorized\n"
            "PasswordAuthentication no\nKbdInteractiveAuthentication no\nUsePAM no\nStrictModes no\nPidFile none\n"
            "PermitRootLogin yes\n"
        )
        (place / "client").write_text("")
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        log = ["-E", str(place / "log")]
        self.process = subprocess.Popen([SSHD, "-D", "-f", str(place / "config"), *log])
        until = time.monotonic() + 20
        while time.monotonic() < until:
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", self.port)) == 0:
                    return
            time.sleep(0.05)
        raise AssertionError((place / "log").read_text())

    def target(self, *, trusted: bool = True) -> ch.Ssh:
        known = self.place / "known_hosts"
        host = (self.place / "host.pub").read_text().split()
        known.write_text(f"[127.0.0.1]:{self.port} {host[0]} {host[1]}\n" if trusted else "")
        return ch.Ssh(
            f"ssh://{getpass.getuser()}@127.0.0.1:{self.port}",
            identity=self.place / "key",
            config=self.place / "client",
            known_hosts=[known],
        )


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    if SSHD is None or shutil.which("ssh-keygen") is None:
        why = "there is no sshd (Debian: openssh-server)"
        if os.environ.get("CI"):
            pytest.fail(f"{why}, which in CI is a failure")
        pytest.skip(why)
    server = Server(tmp_path)
    yield server
    server.process.terminate()
    server.process.wait()


def test_a_host_over_ssh(server: Server) -> None:
    asked: list[str] = []

    def look(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        asked.append(host.ask("cat", "/proc/sys/kernel/hostname")[1].text.strip())
        return []

    incident = ch.Pipeline(server.target(), observe_s=2, rehearse=False).detector(look).run(progress=False)
    assert incident.status == "completed" and incident.target.kind == "ssh"
    assert incident.facts is not None and asked == [incident.facts.hostname]
    assert len(incident.series("system.cpu.utilization")[0]) >= 1
    ch.testing.check_transport(server.target())


def test_a_host_whose_key_is_not_known_is_refused(server: Server) -> None:
    with pytest.raises(ch.ChaosError, match="key") as refused:
        ch.run(server.target(trusted=False), progress=False)
    assert isinstance(refused.value, (ch.RefusedError, ch.DeniedError)), type(refused.value)
