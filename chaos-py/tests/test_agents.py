"""Agents, transports and sinks that are written in Python."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import queue
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Generator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

import chaos_handler as ch


def hot(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
    cpu = seen.series("system.cpu.utilization")[0]
    context.emit("note", f"looking at {len(cpu)} samples", {"samples": len(cpu)})
    return [ch.Finding(signal=ch.OtherSignal(name="cpu.hot"), summary="the CPU is hot", cites=[cpu.cite(0, 5)])]


def events(incident: ch.Incident, kind: str) -> list[ch.TraceEvent]:
    return [event for event in incident.trace if event.type == kind]


def test_a_detector(recorded: Path) -> None:
    incident = ch.Pipeline(recorded).detector(hot).run()
    (mine,) = [finding for finding in incident.findings if finding.agent == "hot"]
    assert mine.summary == "the CPU is hot" and mine.cites[0].rows.end == 5
    (note,) = [event for event in events(incident, "note") if event.agent == "hot"]
    assert note.data == {"samples": len(incident.series("system.cpu.utilization")[0])}
    # The built-in agents' work is there, too.
    assert incident.diagnosis is not None and incident.diagnosis.fault == "cpu_saturation"


def test_an_async_detector_as_a_class(recorded: Path) -> None:
    class Slow(ch.Detector):
        async def detect(self, context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
            await asyncio.sleep(0.01)
            return hot(context, seen, host)

    incident = ch.Pipeline(recorded).detector(Slow(), "patient").run()
    assert [finding.agent for finding in incident.findings].count("patient") == 1


def test_a_detector_that_raises_is_an_event_with_its_traceback(recorded: Path) -> None:
    def broken(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        raise ZeroDivisionError("by zero\nand more")

    incident = ch.Pipeline(recorded).detector(broken).run()
    told = [event for event in events(incident, "error") if event.agent == "broken"]
    assert any("ZeroDivisionError: by zero" in event.content for event in told)
    assert any("raise ZeroDivisionError" in event.data["traceback"] for event in told if "traceback" in event.data)
    assert incident.status == "completed" and incident.diagnosis is not None
    assert incident.diagnosis.fault == "cpu_saturation"


@pytest.mark.parametrize("returned", [None, 5, ["x"], [{"summary": "no signal"}], [hot]])
def test_a_detector_that_returns_rubbish_is_an_event(recorded: Path, returned: Any) -> None:
    incident = ch.Pipeline(recorded).detector(lambda context, seen, host: returned, "rubbish").run()
    assert incident.status == "completed"
    told = [event for event in events(incident, "error") if event.agent == "rubbish"]
    assert bool(told) == (returned is not None)


def test_a_claim_without_evidence_is_refused(recorded: Path) -> None:
    cite = ch.Citation(evidence=999, rows=ch.model.Rows(start=0, end=1))
    made_up = ch.Finding(signal=ch.OtherSignal(name="x"), summary="made up", cites=[cite])
    incident = ch.Pipeline(recorded).detector(lambda context, seen, host: [made_up], "liar").run()
    assert not [finding for finding in incident.findings if finding.agent == "liar"]
    assert [event for event in events(incident, "error") if event.agent == "liar"]


def test_a_detector_asks_what_is_allowed_and_nothing_else(tmp_path: Path) -> None:
    asked: list[Any] = []

    def curious(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        number, answer = host.ask("cat", "/proc/loadavg")
        asked.append(answer)
        for argv in (["rm", "-rf", "/"], ["sh", "-c", "id"]):
            with pytest.raises(ch.RefusedError):
                host.ask(*argv)
            with pytest.raises(ch.RefusedError):
                host.allows(*argv)
        signal = ch.OtherSignal(name="load")
        return [ch.Finding(signal=signal, summary=answer.text.strip(), answers=[number])]

    incident = ch.Pipeline("local", observe_s=2, rehearse=False).detector(curious).run(progress=False)
    (finding,) = [finding for finding in incident.findings if finding.agent == "curious"]
    assert finding.summary == asked[0].text.strip() and asked[0].end.is_success
    assert incident.answers[finding.answers[0]].ask.run == ch.model.Command(argv=["cat", "/proc/loadavg"])


def test_a_collector(recorded: Path) -> None:
    def load(context: ch.Context, host: ch.Host) -> list[Any]:
        at, values, lines = [], [], []
        for read_at, line in host.follow("tail", "-n", "3", "-F", "/etc/hostname").lines():
            at.append(read_at)
            values.append(float(len(line)))
            lines.append((read_at, f"read {line}"))
        return [ch.MetricSeries("app.length", at, values, unit="By"), ch.LogStream("hostname", lines)]

    incident = ch.Pipeline("local", observe_s=2, rehearse=False).collector(load).run(progress=False)
    (series,) = incident.series("app.length")
    assert len(series) >= 1 and series.number is not None and series.source == "python"
    (log,) = [log for log in incident.logs if log.source == "hostname"]
    assert log[0].text.startswith("read ")


def test_an_investigator_a_fixer_a_tester_and_a_reporter(recorded: Path) -> None:
    got: dict[str, Any] = {}

    def investigate(context: Any, seen: Any, findings: Any, history: Any, host: Any) -> ch.Diagnosis:
        got["findings"] = len(findings)
        sure = ch.Hypothesis(verdict="fault", fault="gremlins", title="Gremlins", posterior=0.9)
        return ch.Diagnosis(verdict="fault", fault="gremlins", title="Gremlins", confidence=0.9, hypotheses=[sure])

    def propose(context: Any, seen: Any, findings: Any, answers: Any, diagnosis: ch.Diagnosis) -> ch.FixPlan:
        got["fault"] = diagnosis.fault
        check = ch.Check(title="it is gone", argv=["true"], expect=ch.Expect(kind="prints", text="x"))
        action = ch.Action(id="feed", title="Feed them", argv=["systemctl", "restart", "zoo"], cites=[0], verify=[check])
        return ch.FixPlan(summary="Feed the gremlins", actions=[action])

    def judge(context: Any, plan: ch.FixPlan, host: Any) -> ch.RiskAssessment:
        risk = ch.model.ActionRisk(action=plan.actions[0].id, level="high", verdict="dangerous", categories=["downtime"])
        return ch.RiskAssessment(plan_sha256=plan.plan_sha256, level="high", verdict="dangerous", actions=[risk])

    def tell(context: Any, incident: ch.Incident) -> str:
        got["injection"] = incident.injection
        return f"# {incident.diagnosis.title}\n"  # type: ignore[union-attr]

    pipeline = ch.Pipeline(recorded).investigator(investigate).tester(judge).reporter(tell)
    incident = pipeline.fixer(propose).run()
    assert incident.diagnosis is not None and incident.diagnosis.title == "Gremlins"
    plan = next(plan for plan in incident.plans if plan.summary == "Feed the gremlins")
    assert plan.plan_sha256 and plan.actions[0].verify[0].expect == ch.Expect(kind="prints", text="x")
    assert incident.risks[incident.plans.index(plan)].verdict == "dangerous"
    assert str(incident.report) == "# Gremlins\n"
    assert got["findings"] > 0 and got["fault"] == "gremlins" and got["injection"].scenario == "cpu_spike"


def test_a_callback_may_call_back(recorded: Path) -> None:
    inner: list[ch.Incident] = []

    def nested(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        inner.append(ch.replay(recorded))
        return []

    outer = ch.Pipeline(recorded).detector(nested).run()
    assert inner[0].diagnosis == outer.diagnosis


def test_names_and_roles_are_checked(recorded: Path) -> None:
    with pytest.raises(TypeError, match="neither callable"):
        ch.Pipeline(recorded).detector(5)  # type: ignore[arg-type]
    twice = ch.Pipeline(recorded).detector(hot).detector(hot)
    with pytest.raises(ch.InvalidInputError, match="taken"):
        twice.run()
    with pytest.raises(ch.InvalidInputError, match="needs an investigator"):
        ch.Pipeline(recorded, builtin=False).run()
    used = ch.Pipeline(recorded)
    used.run()
    with pytest.raises(ch.ConflictError, match="started already"):
        used.run()


class Shell(ch.Transport):
    """This machine, by Python's own means."""

    def __init__(self) -> None:
        super().__init__(name="shell", kind="python")
        self.open = 0

    def run(self, request: ch.targets.TransportRequest) -> Generator[tuple[str, bytes], None, int]:
        try:
            process = subprocess.Popen(
                request.argv,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                start_new_session=True,
            )
        except FileNotFoundError:
            raise ch.NotFoundError(f"there is no {request.argv[0]}") from None
        self.open += 1
        pieces: queue.Queue[tuple[str, bytes] | None] = queue.Queue(maxsize=4)

        def feed() -> None:
            with contextlib.suppress(OSError):
                process.stdin.write(request.stdin.encode())  # type: ignore[union-attr]
            with contextlib.suppress(OSError):
                process.stdin.close()  # type: ignore[union-attr]

        def read(name: str, stream: Any) -> None:
            while piece := stream.read1(1 << 16):
                pieces.put((name, piece))
            pieces.put(None)

        threads = [threading.Thread(target=feed, daemon=True)]
        for name, stream in (("stdout", process.stdout), ("stderr", process.stderr)):
            threads.append(threading.Thread(target=read, args=(name, stream), daemon=True))
        for thread in threads:
            thread.start()
        streams, quiet, until = 2, 0, 0.0
        try:
            # What a command left behind may hold its output open for ever.
            while streams and quiet < 10:
                if request.stopped and not until:
                    os.killpg(process.pid, signal.SIGTERM)
                    until = time.monotonic() + 1.5
                if until and time.monotonic() > until:
                    return -signal.SIGKILL
                try:
                    piece = pieces.get(timeout=0.05)
                except queue.Empty:
                    quiet += process.poll() is not None
                    continue
                if piece is None:
                    streams -= 1
                else:
                    yield piece
            return process.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            self.open -= 1


def test_a_transport(recorded: Path) -> None:
    shell = Shell()
    incident = ch.run(shell, observe_s=3, rehearse=False, progress=False)
    assert incident.status == "completed" and incident.target == ch.model.TargetInfo(name="shell", kind="python")
    assert incident.facts is not None and incident.facts.hostname
    assert len(incident.series("system.cpu.utilization")[0]) >= 2
    until = time.monotonic() + 10
    while shell.open and time.monotonic() < until:
        time.sleep(0.05)
    assert shell.open == 0, "what was started has ended"


def test_an_async_transport() -> None:
    class Echo(ch.Transport):
        async def run(self, request: Any) -> AsyncIterator[Any]:
            yield "stdout", " ".join(request.argv).encode()
            await asyncio.sleep(0)
            yield ("stderr", b"quiet")
            yield 3

    def look(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        number, answer = host.ask("cat", "/etc/hostname")
        assert (answer.stdout, answer.stderr, answer.end.exited) == ("cat /etc/hostname", "quiet", 3)
        return [ch.Finding(signal=ch.OtherSignal(name="echo"), summary="heard", answers=[number])]

    incident = ch.Pipeline(Echo("echo", "test"), observe_s=1, rehearse=False).detector(look).run(progress=False)
    assert any("heard" == finding.summary for finding in incident.findings) or incident.status == "failed"
    assert not [event for event in events(incident, "error") if event.agent == "look"]


def test_a_transport_that_breaks_is_told() -> None:
    class Broken(ch.Transport):
        def run(self, request: Any) -> Any:
            raise ch.UnreachableError("the tunnel is down")

    incident = ch.run(Broken("b", "test"), observe_s=1, progress=False)
    assert incident.status in ("failed", "completed")
    assert "the tunnel is down" in incident.to_json()


class Shelf(ch.ArtifactSink):
    """Incidents in a dict."""

    def __init__(self) -> None:
        self.kept: dict[str, dict[str, bytes]] = {}
        self.events: list[ch.TraceEvent] = []
        self.full = False
        self.lock = threading.Lock()

    def create(self, at: datetime) -> str:
        with self.lock:
            incident = f"inc-{at:%Y%m%d}-{len(self.kept) + 1:03}"
            self.kept[incident] = {"trace.json": b"[]"}
        return incident

    def append_event(self, incident: str, event: ch.TraceEvent) -> None:
        if incident not in self.kept:
            raise ch.NotFoundError(incident)
        with self.lock:
            self.events.append(event)
            trace = json.loads(self.kept[incident]["trace.json"])
            self.kept[incident]["trace.json"] = json.dumps([*trace, event.to_dict()]).encode()

    def write(self, incident: str, name: str, data: bytes) -> None:
        if self.full:
            raise OSError("the shelf is full")
        self.of(incident)[name] = data

    async def append(self, incident: str, name: str, data: bytes) -> None:
        with self.lock:
            self.of(incident)[name] = self.of(incident).get(name, b"") + data

    def of(self, incident: str) -> dict[str, bytes]:
        if incident not in self.kept:
            raise ch.NotFoundError(incident)
        return self.kept[incident]

    def read(self, incident: str, name: str) -> bytes:
        if name not in self.of(incident):
            raise ch.NotFoundError(name)
        return self.of(incident)[name]

    def names(self, incident: str) -> list[str]:
        return sorted(self.of(incident))

    def incidents(self) -> list[str]:
        return sorted(self.kept, key=lambda incident: (incident[:12], len(incident), incident))


def test_a_sink(recorded: Path) -> None:
    shelf = Shelf()
    incident = ch.replay(recorded, incidents=shelf)
    (kept,) = shelf.kept.values()
    assert kept["report.md"].decode() == str(incident.report) and "incident.json" in kept
    assert [event.seq for event in shelf.events] == list(range(len(incident.trace)))
    assert incident.storage_error is None


def test_a_transport_conforms() -> None:
    ch.testing.check_transport(Shell())
    ch.testing.check_transport(ch.Local())


def test_a_transport_that_loses_output_does_not_conform() -> None:
    class Lossy(Shell):
        def run(self, request: ch.targets.TransportRequest) -> Generator[tuple[str, bytes], None, int]:
            for name, piece in super().run(request):
                yield name, piece[:-1]
            return 0

    with pytest.raises(ch.AgentFailedError, match="behaviours do not hold"):
        ch.testing.check_transport(Lossy())


def test_a_sink_conforms() -> None:
    ch.testing.check_sink(Shelf())


def test_a_full_sink_does_not_end_the_run(recorded: Path) -> None:
    shelf = Shelf()
    shelf.full = True
    with pytest.raises(ch.StorageError, match="the shelf is full"):
        ch.replay(recorded, incidents=shelf)

    def fill(context: ch.Context, seen: ch.Observation, host: ch.Host) -> list[ch.Finding]:
        shelf.full = True
        return []

    shelf.full = False
    incident = ch.Pipeline(recorded, incidents=shelf).detector(fill).run()
    assert incident.status == "completed" and incident.diagnosis is not None
    assert incident.storage_error is not None and "the shelf is full" in incident.storage_error


def test_plugins_load(tmp_path: Path) -> None:
    root = Path(__file__).parents[2] / "examples" / "plugins"
    log = root / "jvm-gc" / "sample"
    incident = ch.run(ch.Files(log), plugins=[root / "built" / "jvm-gc.wasm"], progress=False)
    assert [finding for finding in incident.findings if finding.agent == "jvm-gc"]
    (tmp_path / "no.wasm").write_bytes(b"no component")
    incident = ch.run(ch.Files(log), plugins=[tmp_path / "no.wasm"], progress=False)
    assert incident.status == "completed" and "no.wasm" in str(incident.errors)
