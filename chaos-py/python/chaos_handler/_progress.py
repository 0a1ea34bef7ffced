"""What a person sees of a run while it goes on: lines in a terminal, a table that grows in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, Union

from .model import TraceEvent

# Of these a person wants to hear at once; the rest is in the trace.
_TOLD = {"phase", "finding", "diagnosis", "fix", "risk", "chaos", "error"}
_MOST = 12


def _notebook() -> bool:
    """Whether this is a Jupyter kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    return shell is not None and "IPKernelApp" in getattr(shell, "config", {})


def printable(text: str) -> str:
    """Text with what must not reach a terminal as it is written as escapes."""
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


@contextmanager
def display(progress: Union[Literal["auto"], bool], incident: str) -> Iterator[Callable[[TraceEvent], None]]:
    """Gives what is to be called with each event."""
    if progress is False:
        yield lambda event: None
    elif _notebook():
        yield from _in_notebook(incident)
    elif progress is True or sys.stderr.isatty():
        print(f"{incident}", file=sys.stderr)
        yield _line
    else:
        yield lambda event: None


def _line(event: TraceEvent) -> None:
    if event.type in _TOLD:
        print(f"  {event.timestamp:%H:%M:%S} {event.phase:<11} {printable(event.content)}", file=sys.stderr)


def _in_notebook(incident: str) -> Iterator[Callable[[TraceEvent], None]]:
    import importlib

    ipython: Any = importlib.import_module("IPython.display")

    from ._html import Timeline

    told: list[TraceEvent] = []
    handle: Any = ipython.display(ipython.HTML(Timeline(told, incident)._repr_html_()), display_id=True)

    def show(event: TraceEvent) -> None:
        if event.type in _TOLD:
            told.append(event)
            handle.update(ipython.HTML(Timeline(told[-_MOST:], incident)._repr_html_()))

    yield show
