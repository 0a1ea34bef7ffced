"""Agents and sinks that you write, in Python, used beside the built-in ones or in their place.

An agent is a subclass of one of the roles here, or a plain function with the same arguments; both may be `async`. It runs
on a thread of its own, so it may compute and block, within its deadline (`context.left_s`). What it raises becomes an
event of type `error` with the traceback, and the run goes on without it.
"""

from __future__ import annotations

import asyncio
import inspect
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any

from . import _native
from ._record import dump, of_millis, parsed
from .evidence import LogStream, MetricSeries, Observation
from .model import (
    Answer,
    Diagnosis,
    End,
    EventType,
    Facts,
    Finding,
    FixPlan,
    Past,
    Report,
    RiskAssessment,
    TraceEvent,
)

__all__ = [
    "ArtifactSink",
    "Collector",
    "Context",
    "Detector",
    "Fixer",
    "Follow",
    "Host",
    "Investigator",
    "Reporter",
    "Tester",
]


class Context:
    """Who runs, for which incident, until when, and where to say so."""

    def __init__(self, native: _native.Context) -> None:
        self._inner = native

    @property
    def incident(self) -> str:
        """The incident's id."""
        return self._inner.incident

    @property
    def agent(self) -> str:
        """The name under which this agent is registered."""
        return self._inner.agent

    @property
    def left_s(self) -> float:
        """Seconds until the result is no longer wanted."""
        return self._inner.left_s

    def emit(self, kind: EventType, content: str, data: object = None) -> None:
        """Says something in the trace: one line, and data for programs."""
        self._inner.emit(kind, content, None if data is None else dump(data))


class Follow:
    """A command's output as it comes: iterating gives the time at which each piece was read, the stream and the bytes."""

    def __init__(self, native: _native.Followed) -> None:
        self._inner = native

    def __iter__(self) -> Iterator[tuple[datetime, str, bytes]]:
        for at, stream, data in self._inner:
            yield of_millis(at), stream, data

    def lines(self) -> Iterator[tuple[datetime, str]]:
        """Standard output line by line, with the time at which each was read; bytes that are no UTF-8 are replaced."""
        rest, last = b"", None
        for at, stream, data in self:
            if stream != "stdout":
                continue
            *whole, rest = (rest + data).split(b"\n")
            last = at
            for line in whole:
                yield at, line.decode("utf-8", "replace")
        if rest and last is not None:
            yield last, rest.decode("utf-8", "replace")

    def stop(self) -> None:
        """Asks the command to end; what it printed until then still comes."""
        self._inner.stop()

    @property
    def end(self) -> End | None:
        """How it ended; `None` before the iteration was over."""
        end = self._inner.end()
        return None if end is None else End.from_dict(end[0])


class Host:
    """A target as agents see it: it can be asked, read-only, and nothing else."""

    def __init__(self, native: _native.Host) -> None:
        self._inner = native

    @property
    def facts(self) -> Facts:
        """What the target is and has."""
        return Facts.from_dict(self._inner.facts())

    def ask(self, *argv: str, within_s: float = 10.0) -> tuple[int, Answer]:
        """Runs one read-only command and waits for its whole answer, at most 1 MiB.

        Returns the answer's number, which a finding or a hypothesis can cite, and the answer, whether the command
        succeeded or not. Raises `RefusedError` for a command that is not known to be read-only, `NotRecordedError` in a
        replay that does not hold it, `DeadlineError`, or why the target can't be reached.
        """
        number, answer = self._inner.ask(list(argv), within_s)
        return number, Answer.from_dict(answer)

    def get(self, port: int, path: str = "/", *, within_s: float = 10.0) -> tuple[int, Answer]:
        """The same for `GET http://127.0.0.1:port/path` as seen from the target."""
        number, answer = self._inner.get(port, path, within_s)
        return number, Answer.from_dict(answer)

    def follow(self, *argv: str, within_s: float | None = None) -> Follow:
        """Runs a read-only command whose output is read as it comes, until the observation ends."""
        return Follow(self._inner.follow(list(argv), within_s))

    def allows(self, *argv: str) -> None:
        """Raises `RefusedError`, with the rule that says no, when `ask` would not let this through."""
        self._inner.allows(list(argv))


class Collector(ABC):
    """Reads a target over the whole window, from before the baseline to the end of the observation."""

    @abstractmethod
    def collect(self, context: Context, host: Host) -> Any:
        """Returns what was seen: a list of `MetricSeries` and `LogStream`."""


class Detector(ABC):
    """Finds what is abnormal."""

    @abstractmethod
    def detect(self, context: Context, seen: Observation, host: Host) -> Any:
        """Returns a list of `Finding`, each with the evidence or the answers that show it."""


class Investigator(ABC):
    """Works out the cause. There is one: yours takes the place of the built-in one."""

    @abstractmethod
    def investigate(
        self, context: Context, seen: Observation, findings: list[Finding], history: list[Past], host: Host
    ) -> Any:
        """Returns a `Diagnosis`."""


class Fixer(ABC):
    """Proposes what to do. The plans of all fixers are rehearsed; none is executed."""

    @abstractmethod
    def propose(
        self,
        context: Context,
        seen: Observation,
        findings: list[Finding],
        answers: list[Answer],
        diagnosis: Diagnosis,
    ) -> Any:
        """Returns a `FixPlan`; one without actions where none is warranted."""


class Tester(ABC):
    """Judges a plan. There is one: yours takes the place of the built-in one."""

    @abstractmethod
    def judge(self, context: Context, plan: FixPlan, host: Host) -> Any:
        """Returns a `RiskAssessment` of this plan."""


class Reporter(ABC):
    """Tells the story. There is one: yours takes the place of the built-in one."""

    @abstractmethod
    def report(self, context: Context, incident: Any) -> Any:
        """Gets the whole `Incident`, with what was injected; returns a `Report`."""


class ArtifactSink(ABC):
    """A place for incidents' files. An id is `inc-YYYYMMDD-NNN`; a name is that of an artifact, such as `report.md` or
    `artifacts/cpu.svg`. Each method may be called from any thread; each may be `async`. What is raised is a failure to
    store, unless it is a `ChaosError` of another kind: raise `NotFoundError` for what is not there.
    """

    @abstractmethod
    def create(self, at: datetime) -> Any:
        """Makes room for an incident that begins at `at` and returns its id, which was never given out before."""

    @abstractmethod
    def append_event(self, incident: str, event: TraceEvent) -> Any:
        """Appends an event to `trace.json`, which is a valid array afterwards."""

    @abstractmethod
    def write(self, incident: str, name: str, data: bytes) -> Any:
        """Writes an artifact whole, or leaves what was there."""

    @abstractmethod
    def append(self, incident: str, name: str, data: bytes) -> Any:
        """Adds to the end of an artifact, and creates it."""

    @abstractmethod
    def read(self, incident: str, name: str) -> Any:
        """Returns an artifact's bytes; raises `NotFoundError` when there is none."""

    @abstractmethod
    def names(self, incident: str) -> Any:
        """Returns the names of an incident's artifacts, sorted."""

    @abstractmethod
    def incidents(self) -> Any:
        """Returns the ids, oldest first."""

    def close(self, incident: str) -> Any:
        """Nothing more will be written to this incident for now."""


def _settled(result: Any) -> Any:
    """What a call gave; one that is awaited is awaited on a loop of its own, on this thread."""
    if inspect.isawaitable(result):

        async def waited() -> Any:
            return await result

        return asyncio.run(waited())
    return result


def _method(agent: Any, name: str) -> Callable[..., Any]:
    if hasattr(agent, name):
        return getattr(agent, name)  # type: ignore[no-any-return]
    if callable(agent):
        return agent  # type: ignore[no-any-return]
    raise TypeError(f"{agent!r} is neither callable nor has it a method {name}")


def _evidence(returned: Any) -> list[Any]:
    wanted = (MetricSeries, LogStream)
    if isinstance(returned, wanted):
        returned = [returned]
    for item in returned:
        if not isinstance(item, wanted):
            raise TypeError(f"a collector returns MetricSeries and LogStream, not {type(item).__name__}")
    return [item._inner for item in returned]


def _listed(returned: Any) -> list[Any]:
    return [dump(item) for item in ([] if returned is None else returned)]


def _adapted(role: str, agent: Any) -> Callable[[_native.Context, Any], Any]:
    """An agent as the engine calls it."""
    if role == "collector":
        collect = _method(agent, "collect")
        return lambda cx, host: _evidence(_settled(collect(Context(cx), Host(host))))
    if role == "detector":
        detect = _method(agent, "detect")
        return lambda cx, i: _listed(_settled(detect(Context(cx), Observation(i["seen"]), Host(i["host"]))))
    if role == "investigator":
        investigate = _method(agent, "investigate")

        def run_investigator(cx: _native.Context, i: Mapping[str, Any]) -> Any:
            findings, history = _each(Finding, i["findings"]), _each(Past, i["history"])
            seen, host = Observation(i["seen"]), Host(i["host"])
            return dump(_settled(investigate(Context(cx), seen, findings, history, host)))

        return run_investigator
    if role == "fixer":
        propose = _method(agent, "propose")

        def run_fixer(cx: _native.Context, i: Mapping[str, Any]) -> Any:
            findings, answers = _each(Finding, i["findings"]), _each(Answer, i["answers"])
            seen, diagnosis = Observation(i["seen"]), Diagnosis.from_dict(i["diagnosis"])
            return dump(_settled(propose(Context(cx), seen, findings, answers, diagnosis)))

        return run_fixer
    if role == "tester":
        judge = _method(agent, "judge")
        return lambda cx, i: _dumped(
            RiskAssessment, _settled(judge(Context(cx), FixPlan.from_dict(i["plan"]), Host(i["host"])))
        )
    if role == "reporter":
        tell = _method(agent, "report")

        def run_reporter(cx: _native.Context, known: _native.Incident) -> Any:
            from .incident import Incident

            told = _settled(tell(Context(cx), Incident._of(known)))
            return dump(Report(markdown=told) if isinstance(told, str) else told)

        return run_reporter
    raise ValueError(f"no such role: {role}")


def _each(record: Any, data: Sequence[Any]) -> list[Any]:
    return [record.from_dict(item) for item in data]


def _dumped(kind: type, value: Any) -> Any:
    if not isinstance(value, kind):
        raise TypeError(f"wants a {kind.__name__}, not {type(value).__name__}")
    return dump(value)


def _sink(sink: ArtifactSink) -> Callable[[str, tuple[Any, ...]], Any]:
    """A sink as the engine calls it."""

    def call(method: str, arguments: tuple[Any, ...]) -> Any:
        given: list[Any] = list(arguments)
        if method == "create":
            given[0] = parsed(given[0])
        elif method == "append_event":
            given[1] = TraceEvent.from_dict(given[1])
        returned = _settled(getattr(sink, "names" if method == "list" else method)(*given))
        return list(returned) if method in ("list", "incidents") else returned

    return call
