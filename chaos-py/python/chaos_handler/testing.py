"""For those who write a transport or a sink: whether it behaves as the engine relies on."""

from __future__ import annotations

from . import _native
from .agents import ArtifactSink, _sink
from .targets import Target

__all__ = ["check_sink", "check_transport"]


def check_transport(transport: Target) -> None:
    """Runs the engine's conformance suite on a transport: output complete and in order, exit codes, deadlines, stopping,
    slow readers. The target needs `sh` and coreutils, and is left as it was.

    Raises `AgentFailedError` with the behaviours that do not hold.
    """
    _native.check_transport(transport._inner)


def check_sink(sink: ArtifactSink) -> None:
    """Runs the engine's conformance suite on a sink, which gets incidents of its own: ids given out once, artifacts written
    whole, a trace that is valid after each event, names that never leave the incident.

    Raises `AgentFailedError` with the behaviours that do not hold.
    """
    _native.check_sink(_sink(sink))
