"""An incident with everything that is known about it."""

from __future__ import annotations

import json
import os
from datetime import datetime
from functools import cached_property
from typing import Any, Union

from . import _native
from ._record import of_millis
from .errors import InvalidInputError, NotFoundError
from .evidence import LogStream, MetricSeries, _matching, _wrapped
from .model import (
    Answer,
    Chart,
    Diagnosis,
    Facts,
    Finding,
    FixPlan,
    Injection,
    Report,
    RiskAssessment,
    RunOptions,
    Span,
    Status,
    TargetInfo,
    TraceEvent,
)

__all__ = ["Incident"]


class Incident:
    """Everything that is known about an incident: what was seen, found, concluded and proposed.

    A run gives one; `Incident.open` reads one that was written. In a notebook it shows itself as a page.
    """

    _inner: _native.Incident

    @classmethod
    def _of(
        cls,
        native: _native.Incident,
        report: Report | None = None,
        trace: list[TraceEvent] | None = None,
        storage_error: str | None = None,
    ) -> Incident:
        incident = cls.__new__(cls)
        incident._inner = native
        incident._report = report
        incident._trace = trace or []
        incident._storage_error = storage_error
        return incident

    _report: Report | None
    _trace: list[TraceEvent]
    _storage_error: str | None

    @classmethod
    def open(cls, directory: Union[str, "os.PathLike[str]"]) -> Incident:
        """Reads an incident's directory: `incident.json` and, where they are there, the report, its charts and the trace.

        Raises `NotFoundError` when there is none, `InvalidInputError` when it is damaged, `UnsupportedError` when a newer
        version wrote it.
        """
        directory = os.fspath(directory)
        native = _native.open_incident(os.path.join(directory, "incident.json"))
        try:
            events = json.loads(_text(directory, "trace.json") or "[]")
        except ValueError as e:
            raise InvalidInputError(f"trace.json is damaged (path: {directory}): {e}") from None
        report = None
        markdown = _text(directory, "report.md")
        if markdown is not None:
            slack = _text(directory, "slack_summary.txt") or ""
            report = Report(markdown=markdown, slack=slack, charts=_charts(directory))
        return cls._of(native, report, [TraceEvent.from_dict(event) for event in events])

    @property
    def id(self) -> str:
        """`inc-YYYYMMDD-NNN`."""
        return self._inner.id

    @cached_property
    def status(self) -> Status:
        """How far it came: `completed`, `failed` (there was no evidence at all), `stopped`, `interrupted`, `running`."""
        status: Status = self._inner.section("status")
        return status

    @cached_property
    def reason(self) -> str | None:
        """Why it failed or was stopped, where it was."""
        reason: str | None = self._inner.section("reason")
        return reason

    @cached_property
    def target(self) -> TargetInfo:
        """What it is about."""
        return TargetInfo.from_dict(self._inner.section("target"))

    @cached_property
    def options(self) -> RunOptions:
        """How it was run."""
        return RunOptions.from_dict(self._inner.section("options"))

    @cached_property
    def span(self) -> Span:
        """When it began and ended."""
        return Span.from_dict(self._inner.section("span"))

    @cached_property
    def facts(self) -> Facts | None:
        """What the target is and has; `None` when it could not be asked."""
        facts = self._inner.section("facts")
        return None if facts is None else Facts.from_dict(facts)

    @property
    def baseline(self) -> Span | None:
        """When the target was taken to be as usual."""
        spans = self._inner.spans()
        return None if spans is None or spans[0] is None else _span(spans[0])

    @property
    def observed(self) -> Span | None:
        """When something may have been wrong."""
        spans = self._inner.spans()
        return None if spans is None else _span(spans[1])

    @cached_property
    def evidence(self) -> list[MetricSeries | LogStream]:
        """What was seen; positions are the numbers that citations have."""
        return [_wrapped(native) for native in self._inner.evidence()]

    @property
    def metrics(self) -> list[MetricSeries]:
        """All metric series."""
        return [e for e in self.evidence if isinstance(e, MetricSeries)]

    @property
    def logs(self) -> list[LogStream]:
        """All log streams."""
        return [e for e in self.evidence if isinstance(e, LogStream)]

    def series(self, name: str, /, **attributes: str) -> list[MetricSeries]:
        """The series of that name; attributes are given with `_` for `.`: `series("system.cpu.time", cpu_mode="user")`."""
        return _matching(self.metrics, name, attributes)

    @cached_property
    def findings(self) -> list[Finding]:
        """What is abnormal."""
        return [Finding.from_dict(item) for item in self._inner.section("findings")]

    @cached_property
    def answers(self) -> list[Answer]:
        """What the target was asked, and what it said."""
        return [Answer.from_dict(item) for item in self._inner.section("answers")]

    @cached_property
    def diagnosis(self) -> Diagnosis | None:
        """What explains it; `None` when it was never worked out."""
        diagnosis = self._inner.section("diagnosis")
        return None if diagnosis is None else Diagnosis.from_dict(diagnosis)

    @cached_property
    def plans(self) -> list[FixPlan]:
        """What to do, best first."""
        return [FixPlan.from_dict(item) for item in self._inner.section("plans")]

    @property
    def plan(self) -> FixPlan | None:
        """The best plan."""
        return self.plans[0] if self.plans else None

    @cached_property
    def risks(self) -> list[RiskAssessment]:
        """What could go wrong with each plan, in the same order."""
        return [RiskAssessment.from_dict(item) for item in self._inner.section("risks")]

    @property
    def risk(self) -> RiskAssessment | None:
        """What could go wrong with the best plan."""
        return self.risks[0] if self.risks else None

    @cached_property
    def injection(self) -> Injection | None:
        """The fault that was injected by us, where one was."""
        injection = self._inner.section("injection")
        return None if injection is None else Injection.from_dict(injection)

    @cached_property
    def errors(self) -> list[str]:
        """What failed on the way, one line each."""
        return list(self._inner.section("errors"))

    @property
    def report(self) -> Report | None:
        """The post-mortem; `None` when none was written."""
        return self._report

    @property
    def trace(self) -> list[TraceEvent]:
        """The events of the run, in order."""
        return self._trace

    @property
    def storage_error(self) -> str | None:
        """The first failure to write an artifact; the run went on all the same."""
        return self._storage_error

    def to_json(self) -> str:
        """`incident.json`: the versioned contract that other programs read."""
        return bytes(self._inner.json()).decode()

    def to_dict(self) -> dict[str, Any]:
        """The same as plain data."""
        data: dict[str, Any] = json.loads(self.to_json())
        return data

    def timeline(self) -> Any:
        """The events as a table for a notebook."""
        from ._html import Timeline

        return Timeline(self._trace)

    def __repr__(self) -> str:
        said = "no diagnosis"
        if self.diagnosis is not None:
            said = f"{self.diagnosis.title} ({100 * self.diagnosis.confidence:.0f} %)"
        return f"<Incident {self.id} on {self.target.name}: {self.status}, {said}>"

    def __str__(self) -> str:
        return self._inner.summary()

    def _repr_html_(self) -> str:
        from ._html import incident

        return incident(self)


def _span(span: tuple[int, int]) -> Span:
    return Span(start=of_millis(span[0]), end=of_millis(span[1]))


def _text(directory: str, name: str) -> str | None:
    try:
        with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as file:
            return file.read()
    except FileNotFoundError:
        return None
    except OSError as e:
        raise NotFoundError(f"cannot read {name} (path: {directory}): {e}") from None


def _charts(directory: str) -> list[Chart]:
    folder = os.path.join(directory, "artifacts")
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    charts = []
    for name in names:
        svg = _text(folder, name) if name.endswith(".svg") else None
        if svg is not None:
            charts.append(Chart(name=name, title=name.removesuffix(".svg"), svg=svg))
    return charts
