"""Answers incidents on Linux hosts: evidence, blind diagnosis, a rehearsed fix, a post-mortem.

>>> import chaos_handler as ch
>>> incident = ch.run("local", observe_s=10)             # this machine, now
>>> incident = ch.run("ops@db1", scenario="cpu_spike")   # a spare host, after breaking it on purpose
>>> incident = ch.replay("incidents/inc-20261124-001")   # a recorded incident, thought over again
>>> incident.diagnosis.title, incident.diagnosis.confidence
>>> incident.series("system.cpu.utilization")[0].to_pandas()

Agents, transports and places for artifacts may be written in Python (`Pipeline`, `Detector`, `Transport`,
`ArtifactSink`, …); log and metric analysis works without an incident (`mine_templates`, `detect_anomalies`, `assess`,
`evaluate`). Every failure is a `ChaosError`.

A process that forks gets threads of its own in the child; a run belongs to the process that started it. The main
interpreter of CPython with the GIL is supported, sub-interpreters and free-threaded builds are not. When the interpreter
ends while runs go on, they are stopped, and what they injected is reverted.
"""

from __future__ import annotations

import atexit as _atexit
from typing import TYPE_CHECKING, Any

from ._main import require_main_interpreter as _require_main_interpreter

_require_main_interpreter()

from . import _native  # noqa: E402
from .errors import (  # noqa: E402
    AgentFailedError,
    BusyError,
    ChaosError,
    CommandFailedError,
    ConflictError,
    DanglingCitationError,
    DeadlineError,
    DeniedError,
    InternalError,
    InvalidInputError,
    NotFoundError,
    NotRecordedError,
    OutputLimitError,
    RefusedError,
    StoppedError,
    StorageError,
    UnreachableError,
    UnsupportedError,
)

if TYPE_CHECKING:
    from . import analysis, model, testing
    from .agents import (
        ArtifactSink,
        Collector,
        Context,
        Detector,
        Fixer,
        Follow,
        Host,
        Investigator,
        Reporter,
        Tester,
    )
    from .analysis import assess, detect_anomalies, evaluate, mine_templates
    from .evidence import LogStream, MetricSeries, Observation
    from .incident import Incident
    from .model import (
        Action,
        Check,
        Citation,
        Culprit,
        Diagnosis,
        Entity,
        Expect,
        Finding,
        FixPlan,
        Hypothesis,
        LogSignal,
        MetricSignal,
        OtherSignal,
        Report,
        RiskAssessment,
        TraceEvent,
    )
    from .pipeline import Pipeline, Run, Scenario, replay, run, run_async, scenarios
    from .targets import Files, Local, Replay, Ssh, Target, Transport

# Where each name is: read when it is first asked for, so that importing the package takes little.
_PLACES = {
    "agents": "ArtifactSink Collector Context Detector Fixer Follow Host Investigator Reporter Tester",
    "analysis": "assess detect_anomalies evaluate mine_templates",
    "evidence": "LogStream MetricSeries Observation",
    "incident": "Incident",
    "model": "Action Check Citation Culprit Diagnosis Entity Expect Finding FixPlan Hypothesis LogSignal MetricSignal "
    "OtherSignal Report RiskAssessment TraceEvent",
    "pipeline": "Pipeline Run Scenario replay run run_async scenarios",
    "targets": "Files Local Replay Ssh Target Transport",
}
_MODULE = {name: module for module, names in _PLACES.items() for name in names.split()}

__all__ = [
    "Action",
    "AgentFailedError",
    "ArtifactSink",
    "BusyError",
    "ChaosError",
    "Check",
    "Citation",
    "Collector",
    "CommandFailedError",
    "ConflictError",
    "Context",
    "Culprit",
    "DanglingCitationError",
    "DeadlineError",
    "DeniedError",
    "Detector",
    "Diagnosis",
    "Entity",
    "Expect",
    "Files",
    "Finding",
    "FixPlan",
    "Fixer",
    "Follow",
    "Host",
    "Hypothesis",
    "Incident",
    "InternalError",
    "InvalidInputError",
    "Investigator",
    "Local",
    "LogSignal",
    "LogStream",
    "MetricSeries",
    "MetricSignal",
    "NotFoundError",
    "NotRecordedError",
    "Observation",
    "OtherSignal",
    "OutputLimitError",
    "Pipeline",
    "RefusedError",
    "Replay",
    "Report",
    "Reporter",
    "RiskAssessment",
    "Run",
    "Scenario",
    "Ssh",
    "StoppedError",
    "StorageError",
    "Target",
    "Tester",
    "TraceEvent",
    "Transport",
    "UnreachableError",
    "UnsupportedError",
    "analysis",
    "assess",
    "detect_anomalies",
    "evaluate",
    "mine_templates",
    "model",
    "replay",
    "run",
    "run_async",
    "scenarios",
    "testing",
]

# How long the interpreter's end waits for reverts, in seconds: a target that does not answer reverts by itself.
_PATIENCE = 30.0


def __getattr__(name: str) -> Any:
    import importlib

    module = _MODULE.get(name)
    if module is not None:
        value = getattr(importlib.import_module(f".{module}", __name__), name)
        globals()[name] = value
        return value
    if name in ("analysis", "model", "testing"):
        return importlib.import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)


@_atexit.register
def _end() -> None:
    left = _native.stop_all(_PATIENCE)
    if left:
        import sys

        print(f"chaos_handler: {left} runs were still being stopped; targets revert by themselves", file=sys.stderr)
