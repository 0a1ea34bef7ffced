"""The exceptions of this package: one a kind of failure, all of them a `ChaosError`.

Each has the text that says what failed, where, and how to mend it; `kind`, its name as in traces and recordings; and
`retryable`, whether the same call may succeed a moment later. Where Python has an exception for the same, ours is one
of that too: a `DeadlineError` is a `TimeoutError`.
"""

from __future__ import annotations

__all__ = [
    "AgentFailedError",
    "BusyError",
    "ChaosError",
    "CommandFailedError",
    "ConflictError",
    "DanglingCitationError",
    "DeadlineError",
    "DeniedError",
    "InternalError",
    "InvalidInputError",
    "NotFoundError",
    "NotRecordedError",
    "OutputLimitError",
    "RefusedError",
    "StoppedError",
    "StorageError",
    "UnreachableError",
    "UnsupportedError",
    "of_kind",
]


class ChaosError(Exception):
    """Any failure of this package."""

    kind: str = "internal"
    """The kind's name as in traces and recordings."""
    retryable: bool = False
    """Whether the same call may succeed a moment later."""


class InvalidInputError(ChaosError, ValueError):
    """What the caller gave is wrong and stays wrong."""

    kind = "invalid_input"


class NotFoundError(ChaosError, LookupError):
    """What was named does not exist."""

    kind = "not_found"


class ConflictError(ChaosError):
    """Something else is in the way: a second run, a running fault."""

    kind = "conflict"


class UnsupportedError(ChaosError):
    """This target, transport or sink cannot do it."""

    kind = "unsupported"


class DeniedError(ChaosError, PermissionError):
    """The target or the file system says no: permission, authentication."""

    kind = "denied"


class RefusedError(ChaosError):
    """The engine's own rules say no: not read-only, not approved, not marked as fair game."""

    kind = "refused"


class UnreachableError(ChaosError, ConnectionError):
    """The target did not answer."""

    kind = "unreachable"
    retryable = True


class BusyError(ChaosError):
    """The target is there and has no room right now."""

    kind = "busy"
    retryable = True


class DeadlineError(ChaosError, TimeoutError):
    """It took longer than it was given."""

    kind = "deadline"


class StoppedError(ChaosError):
    """Somebody asked for the end."""

    kind = "stopped"


class OutputLimitError(ChaosError):
    """More output than the limit allows."""

    kind = "output_limit"


class NotRecordedError(ChaosError, LookupError):
    """A replay was asked for something that the recording does not hold."""

    kind = "not_recorded"


class CommandFailedError(ChaosError):
    """A command on the target ran and failed."""

    kind = "command_failed"


class DanglingCitationError(ChaosError):
    """A claim cites evidence that does not exist."""

    kind = "dangling_citation"


class AgentFailedError(ChaosError):
    """An agent raised, panicked or broke its contract."""

    kind = "agent_failed"


class StorageError(ChaosError, OSError):
    """Writing or reading artifacts failed: disk full, not writable, damaged."""

    kind = "storage"


class InternalError(ChaosError):
    """A defect of this package."""

    kind = "internal"


_KINDS: dict[str, type[ChaosError]] = {
    cls.kind: cls
    for cls in (
        InvalidInputError,
        NotFoundError,
        ConflictError,
        UnsupportedError,
        DeniedError,
        RefusedError,
        UnreachableError,
        BusyError,
        DeadlineError,
        StoppedError,
        OutputLimitError,
        NotRecordedError,
        CommandFailedError,
        DanglingCitationError,
        AgentFailedError,
        StorageError,
        InternalError,
    )
}


def of_kind(kind: str, message: str) -> ChaosError:
    """The exception for a kind, to raise: what a transport, sink or agent of yours may want to say.

    A kind that is not known becomes a plain `ChaosError` that has it as its `kind`.
    """
    cls = _KINDS.get(kind)
    if cls is not None:
        return cls(message)
    error = ChaosError(message)
    error.kind = kind
    return error
