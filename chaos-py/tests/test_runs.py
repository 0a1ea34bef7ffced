"""Runs: many at once, stopped, cancelled, interrupted, forked, and up to the interpreter's end."""

from __future__ import annotations

import asyncio
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import chaos_handler as ch

Python = Callable[..., "subprocess.Popen[str]"]


def test_many_at_once(recorded: Path) -> None:
    async def all_of_them() -> list[ch.Incident]:
        return await asyncio.gather(*(ch.run_async(ch.Replay(recorded)) for _ in range(30)))

    incidents = asyncio.run(all_of_them())
    assert len(incidents) == 30
    assert {incident.diagnosis.fault for incident in incidents if incident.diagnosis} == {"cpu_saturation"}


def test_events_as_they_happen(recorded: Path) -> None:
    async def follow() -> tuple[list[ch.TraceEvent], ch.Incident]:
        run = await ch.Pipeline(recorded).start_async()
        events = [event async for event in run]
        return events, await run

    events, incident = asyncio.run(follow())
    assert events == incident.trace
    run = ch.Pipeline(recorded).start()
    assert list(run) == run.wait().trace and run.is_over
    # After the end, and as often as one likes.
    assert list(run.events(after=3)) == run.wait().trace[3:]


def test_on_event(recorded: Path) -> None:
    seen: list[ch.TraceEvent] = []
    incident = asyncio.run(ch.Pipeline(recorded).run_async(on_event=seen.append))
    assert seen == incident.trace


def test_a_run_can_be_stopped() -> None:
    run = ch.Pipeline("local", observe_s=3600, rehearse=False).start()
    assert next(iter(run)).phase == "prepare"
    with pytest.raises(ch.DeadlineError, match="not over"):
        run.wait(timeout=0.5)
    run.stop()
    incident = run.wait(timeout=60)
    assert incident.status == "stopped"


def test_a_timeout_stops_the_run() -> None:
    with pytest.raises(ch.DeadlineError, match="was stopped"):
        ch.run("local", observe_s=3600, rehearse=False, timeout=2, progress=False)


def test_a_cancelled_task_stops_its_run() -> None:
    runs: list[ch.TraceEvent] = []

    async def hurried() -> None:
        pipeline = ch.Pipeline("local", observe_s=3600, rehearse=False)
        async with asyncio.timeout(2):
            await pipeline.run_async(on_event=runs.append)

    started = time.monotonic()
    with pytest.raises(TimeoutError):
        asyncio.run(hurried())
    assert runs and time.monotonic() - started < 60


CHAOS = """
import sys, threading, _thread, chaos_handler as ch
pipeline = ch.Pipeline("local", scenario=ch.Scenario("cpu_spike", load=1, duration_s=100), baseline_s=2, observe_s=60,
                       rehearse=False, incidents="incidents")
run = pipeline.start()
for event in run:
    if event.type == "chaos" and "start" in event.content:
        break
print(run.id, flush=True)
"""


def reverted(place: Path) -> dict[str, Any]:
    (written,) = place.glob("incidents/*/incident.json")
    return ch.Incident.open(written.parent).to_dict()


def test_the_interpreters_end_reverts_what_was_injected(python: Python, tmp_path: Path) -> None:
    program = python(CHAOS)
    out, err = program.communicate(timeout=120)
    assert program.returncode == 0, err
    incident = reverted(tmp_path)
    assert incident["status"] == "stopped"
    assert incident["injection"]["recovery"] == {"state": "proven"}, err


def test_ctrl_c_reverts_what_was_injected(python: Python, tmp_path: Path) -> None:
    text = CHAOS.replace("run = pipeline.start()", "import os\npipeline.run(progress=True)").split("for event")[0]
    program = python(text)
    assert program.stderr is not None
    for line in program.stderr:
        if "inject" in line and "cpu_spike" in line or " observe" in line:
            break
    program.send_signal(signal.SIGINT)
    _, err = program.communicate(timeout=120)
    assert program.returncode == -signal.SIGINT or "KeyboardInterrupt" in err
    incident = reverted(tmp_path)
    assert incident["status"] == "stopped"
    assert incident["injection"]["recovery"] == {"state": "proven"}, err


def test_a_callback_that_never_returns_does_not_hold_the_interpreter(python: Python) -> None:
    program = python(
        """
import os, time, pathlib, chaos_handler as ch
def stuck(context, seen, host):
    print("stuck", flush=True)
    while True:
        time.sleep(1)
run = ch.Pipeline(pathlib.Path(os.environ["EXAMPLES"]) / "cpu_spike").detector(stuck).start()
for event in run:
    if event.phase == "detect":
        break
time.sleep(1)
ch._PATIENCE = 1.0
print("over", flush=True)
"""
    )
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0, err
    assert out.split() == ["stuck", "over"] and "still being stopped" in err


def test_a_forked_child_has_runs_of_its_own(python: Python) -> None:
    program = python(
        """
import os, sys, pathlib, warnings, chaos_handler as ch
warnings.simplefilter("ignore")
path = pathlib.Path(os.environ["EXAMPLES"]) / "cpu_spike"
before = ch.replay(path)
child = os.fork()
incident = ch.replay(path)
assert incident.diagnosis == before.diagnosis
if child == 0:
    sys.exit(7)
print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
"""
    )
    out, err = program.communicate(timeout=60)
    assert program.returncode == 0 and out.strip() == "7", err


def test_an_unknown_target_or_scenario(tmp_path: Path, recorded: Path) -> None:
    with pytest.raises(ch.InvalidInputError, match="known: cpu_spike"):
        ch.Pipeline("local", scenario="meteor")
    with pytest.raises(ch.InvalidInputError, match="known: load"):
        ch.Pipeline("local", scenario=ch.Scenario("cpu_spike", cores=2))
    with pytest.raises(ch.InvalidInputError, match="whole number of cores"):
        ch.Pipeline("local", scenario=ch.Scenario("cpu_spike", load="many"))
    with pytest.raises(ch.InvalidInputError, match="max-runtime"):
        ch.Pipeline("local", scenario=ch.Scenario("cpu_spike", duration_s=100, max_runtime_s=50))
    with pytest.raises(ch.InvalidInputError, match="nothing can be injected"):
        ch.run(recorded, scenario="cpu_spike", progress=False)
    with pytest.raises(ch.NotFoundError):
        ch.run(ch.Files(tmp_path / "nothing.log"), progress=False)
    with pytest.raises(ch.ChaosError):
        ch.run(ch.Replay(tmp_path), progress=False)
    with pytest.raises(ch.UnreachableError, match="127.0.0.1:1"):
        ch.run(ch.Ssh("nobody@127.0.0.1:1", password="secret"), progress=False)
    with pytest.raises(ch.NotFoundError, match="no such file"):
        ch.run("incidents/inc-20261124-999", progress=False)
    with pytest.raises(TypeError):
        ch.run(None, progress=False)  # type: ignore[arg-type]
    assert "secret" not in repr(ch.Ssh("nobody@127.0.0.1:1", password="secret"))
    with pytest.raises(ch.InvalidInputError):
        ch.Pipeline("local", observe_s=-1)


def test_every_exception_is_of_its_kind() -> None:
    from chaos_handler import errors

    kinds = {getattr(errors, name).kind for name in errors.__all__ if name.endswith("Error") and name != "ChaosError"}
    assert len(kinds) == 17
    for kind in kinds:
        error = errors.of_kind(kind, "it failed")
        assert error.kind == kind and str(error) == "it failed" and isinstance(error, ch.ChaosError)
        assert error.retryable == (kind in ("unreachable", "busy")) and type(error).__doc__
    assert isinstance(errors.of_kind("deadline", "x"), TimeoutError)
    assert errors.of_kind("newer", "x").kind == "newer"


def test_memory_is_flat_over_many_replays(recorded: Path) -> None:
    def resident() -> int:
        text = Path("/proc/self/status").read_text()
        return int(text.split("VmRSS:")[1].split()[0])

    for _ in range(20):
        ch.replay(recorded)
    before = resident()
    for _ in range(60):
        ch.replay(recorded)
    grown = resident() - before
    assert grown < 30_000, f"{grown} kB more after 60 replays"


def test_a_sub_interpreter_is_refused(python: Python) -> None:
    program = python(
        """
try:
    import _interpreters as interpreters
    create, run = lambda: interpreters.create("legacy"), interpreters.exec
except ImportError:
    import _xxsubinterpreters as interpreters
    create, run = interpreters.create, interpreters.run_string
import chaos_handler
run(create(), '''
try:
    import chaos_handler
except ImportError as e:
    print("refused:", e, flush=True)
''')
"""
    )
    out, err = program.communicate(timeout=60)
    assert "refused:" in out and "subinterpreters" in out, err
