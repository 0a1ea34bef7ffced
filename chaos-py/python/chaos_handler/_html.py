"""How things show themselves in a notebook: HTML that stands alone, in which no text of a host is markup."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape
from typing import TYPE_CHECKING

from . import _native
from .model import Report, TraceEvent

if TYPE_CHECKING:
    from .incident import Incident

_HEAD = "font:14px/1.5 system-ui,sans-serif;max-width:60em"
_CELL = "padding:.15em .8em .15em 0;text-align:left;vertical-align:top"
_QUIET = "color:#6b7280"
_RISK = {"safe": "#15803d", "needs_approval": "#b45309", "dangerous": "#b91c1c"}


def text(value: object) -> str:
    """A value as text in HTML: escaped, and what is invisible or turns the direction written as escapes."""
    shown = "".join(c if c.isprintable() or c == "\n" else f"\\u{{{ord(c):x}}}" for c in str(value))
    return escape(shown)


def _image(svg: str) -> str:
    # As an image: no script runs in it, and nothing is loaded from it.
    return "data:image/svg+xml;base64," + base64.b64encode(svg.encode()).decode()


def _table(rows: Sequence[tuple[str, ...]]) -> str:
    """Rows of cells that are HTML already."""
    cells = ("".join(f'<td style="{_CELL}">{cell}</td>' for cell in row) for row in rows)
    body = "".join(f"<tr>{row}</tr>" for row in cells)
    return f'<table style="border-collapse:collapse">{body}</table>'


def report(shown: Report) -> str:
    """The post-mortem, its charts in it."""
    images = [(f"artifacts/{chart.name}", _image(chart.svg)) for chart in shown.charts]
    return f'<div style="{_HEAD}">{_native.markdown_to_html(shown.markdown, images)}</div>'


class Timeline:
    """Events as a table."""

    def __init__(self, events: list[TraceEvent], title: str | None = None) -> None:
        self.events = events
        self._title = title

    def __repr__(self) -> str:
        from ._progress import printable

        return "\n".join(printable(str(event)) for event in self.events)

    def _repr_html_(self) -> str:
        rows = [
            (
                f'<span style="{_QUIET}">{event.timestamp:%H:%M:%S}</span>',
                text(event.phase),
                text(event.agent),
                text(event.content),
            )
            for event in self.events
        ]
        title = "" if self._title is None else f"<strong>{text(self._title)}</strong>"
        return f'<div style="{_HEAD}">{title}{_table(rows)}</div>'


def incident(shown: Incident) -> str:
    """What happened, what it rests on, and what to do, on one page."""
    parts = [f"<h3>{text(shown.id)} on {text(shown.target.name)}</h3>"]
    diagnosis = shown.diagnosis
    if diagnosis is None:
        parts.append(f"<p>{text(shown.status)}: {text(shown.reason or 'no diagnosis')}</p>")
    else:
        parts.append(f"<p><strong>{text(diagnosis.title)}</strong> ({100 * diagnosis.confidence:.0f} %)")
        if diagnosis.culprit is not None:
            parts.append(f"<br>{text(diagnosis.culprit.summary)}")
        parts.append("</p>")
    if shown.findings:
        rows = [
            (text(f"{finding.onset:%H:%M:%S}" if finding.onset else ""), text(finding.summary))
            for finding in shown.findings[:10]
        ]
        more = len(shown.findings) - len(rows)
        parts.append("<h4>What was abnormal</h4>" + _table(rows))
        parts.append(f'<p style="{_QUIET}">and {more} more</p>' if more > 0 else "")
    if shown.report is not None and shown.report.charts:
        chart = shown.report.charts[0]
        parts.append(f'<img alt="{text(chart.title)}" src="{_image(chart.svg)}" style="max-width:100%">')
    plan, risk = shown.plan, shown.risk
    if plan is not None:
        parts.append(f"<h4>What to do</h4><p>{text(plan.summary)}</p>")
        steps = []
        for n, action in enumerate(plan.actions):
            verdict = risk.actions[n].verdict if risk is not None and n < len(risk.actions) else "needs_approval"
            colour = _RISK.get(verdict, "inherit")
            command = action.shell or " ".join(action.argv)
            judged = f'<span style="color:{colour}">{text(verdict.replace("_", " "))}</span>'
            steps.append((text(action.title), f"<code>{text(command)}</code>", judged))
        parts.append(_table(steps))
        if plan.next_questions:
            parts.append("<ul>" + "".join(f"<li>{text(q)}</li>" for q in plan.next_questions) + "</ul>")
    parts.extend(f'<p style="{_QUIET}">{text(error)}</p>' for error in shown.errors)
    return f'<div style="{_HEAD}">{"".join(parts)}</div>'
