"""Log and metric analysis, the assessment of commands and the judgement of diagnoses, without an incident."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from datetime import datetime, timezone
from typing import TYPE_CHECKING, Any, Literal, Union

from . import _native
from ._record import Record, millis
from .evidence import MetricSeries
from .model import Change, Histogram, Level, RiskCategory, RiskLevel, RiskVerdict, Rows, RuleHit, Span

if TYPE_CHECKING:
    import numpy
    import pandas
    from numpy.typing import NDArray

__all__ = [
    "Anomaly",
    "Assessment",
    "Evaluation",
    "Judged",
    "Share",
    "Survey",
    "Template",
    "assess",
    "detect_anomalies",
    "evaluate",
    "mine_templates",
]

Path = Union[str, "os.PathLike[str]"]
Lines = Union[bytes, "os.PathLike[str]", Iterable[Union[str, bytes]]]
_PIECE = 1 << 22


class Template(Record):
    """Records of one shape: what stays the same is text, what varies is `<*>`."""

    id: str
    """Derived from the text, so that it is the same in every run."""
    template: str
    count: int
    level: Level | None = None
    alert: bool = False
    """Whether it asks for attention."""
    first: datetime | None = None
    last: datetime | None = None
    trend: Literal["steady", "rising", "falling"] | None = None
    baseline_count: int | None = None
    new: bool = False
    """Whether there was a baseline without it."""
    example: str = ""
    histogram: Histogram | None = None
    values: list[Any] = []


class Survey(Record):
    """What is in a log: its templates, the most frequent first."""

    records: int
    bytes: int
    baseline_records: int | None = None
    span: Span | None = None
    templates: list[Template] = []
    gone: list[Any] = []
    """What the baseline had and the rest has not."""
    packed: Any = None
    """For each line the position of its template, packed; see `per_line`."""

    @property
    def per_line(self) -> NDArray[numpy.int32]:
        """For each line the position of its template in `templates`, -1 of a line that is part of no record. Needs numpy."""
        import numpy

        return numpy.frombuffer(self.packed or b"", dtype="<i4")

    def to_pandas(self) -> pandas.DataFrame:
        """The templates as a pandas frame. Needs pandas."""
        import pandas

        columns = ["id", "template", "count", "level", "alert", "first", "last", "baseline_count", "new", "example"]
        return pandas.DataFrame([{c: getattr(t, c) for c in columns} for t in self.templates], columns=columns)

    def __repr__(self) -> str:
        return f"<Survey: {self.records} records in {len(self.templates)} templates>"


def mine_templates(
    lines: Lines,
    *,
    baseline: Lines | None = None,
    per_line: bool = False,
    reference: datetime | None = None,
) -> Survey:
    """Mines log lines into templates, in bounded memory.

    `lines`: a path (`pathlib.Path`), the bytes of a whole log, or lines, each text or bytes: a list, a file, a series of a
    dataframe. `baseline`: lines of when all was well, to compare with. With `per_line` the survey has the template of each
    line. `reference` gives times without a year theirs (default: now). Lines of one record, such as those of a stack
    trace, are one record.

    Source of the method: ARCHITECTURE.md, "Logs and metrics without an incident". The GIL is not held while mining.
    """
    at = reference or datetime.now(timezone.utc)
    miner = _native.Miner(millis(at), per_line)
    if baseline is not None:
        _push(miner, baseline)
        miner.baseline_ends()
    _push(miner, lines)
    survey, packed = miner.finish()
    return Survey.from_dict({**survey, "packed": packed})


def _push(miner: _native.Miner, lines: Lines) -> None:
    if isinstance(lines, str):
        raise TypeError("lines are wanted, or a pathlib.Path to a file of them; a text has to be split: text.splitlines()")
    if isinstance(lines, (bytes, bytearray, memoryview)):
        miner.push(bytes(lines))
    elif isinstance(lines, os.PathLike):
        with open(lines, "rb") as file:
            while piece := file.read(_PIECE):
                miner.push(piece)
    else:
        miner.push_lines(lines)


class Anomaly(Record):
    """Something abnormal in a series."""

    change: Change
    before: float | None = None
    """Typical value before, in the series' unit."""
    after: float
    onset: datetime | None = None
    rows: Rows
    score: float
    """How far from usual, 0 to 1; from 0.5 on a person would call it abnormal."""
    slope_per_s: float | None = None
    exhausted_after_s: float | None = None
    """For a trend towards a known limit: seconds until it is reached."""


def detect_anomalies(
    series: MetricSeries | Sequence[float] | Any,
    *,
    at: Sequence[datetime] | Sequence[int] | Any | None = None,
    observed: Span | tuple[datetime, datetime] | None = None,
    baseline: Span | tuple[datetime, datetime] | None = None,
    name: str = "value",
    unit: str = "1",
) -> list[Anomaly]:
    """What is abnormal in a series: a change of level, a trend, a spike, a known limit, a stuck value, silence.

    `series`: a `MetricSeries`, a pandas series with a DatetimeIndex, or numbers, whose times are `at` (one second apart
    without). `observed`: what is judged (default: all that comes after the baseline, or all of it); `baseline`: when all
    was well. Without one, the series is its own reference. `name` and `unit`, of OpenTelemetry's system metrics, say which
    limits and differences matter: `system.cpu.utilization` with unit `1` is full at 1.0.
    """
    if not isinstance(series, MetricSeries):
        if at is None:
            at = range(0, 1000 * len(series), 1000)
            index: Any = getattr(series, "index", None)
            if hasattr(index, "tz"):
                at = index if index.tz is None else index.tz_convert("UTC").tz_localize(None)
        series = MetricSeries(name, at, series, unit=unit)
    before = None if baseline is None else _millis(baseline)
    if observed is not None:
        window = _millis(observed)
    else:
        stamps = series.at
        last = int(max(stamps, default=0)) + 1
        window = (int(min(stamps, default=0)) if before is None else before[1], last)
    return [Anomaly.from_dict(found) for found in series._inner.anomalies(window, before)]


def _millis(span: Span | tuple[datetime, datetime]) -> tuple[int, int]:
    start, end = (span.start, span.end) if isinstance(span, Span) else span
    return millis(start), millis(end)


class Assessment(Record):
    """What a command or a script risks, by its text alone."""

    verdict: RiskVerdict
    level: RiskLevel
    categories: list[RiskCategory] = []
    reasons: list[str] = []
    rules: list[RuleHit] = []
    unresolved: list[str] = []
    """What could not be resolved; what has such parts is never safe."""


def assess(script: str) -> Assessment:
    """Judges a command or a shell script by its text alone: `safe`, `needs_approval` or `dangerous`. Nothing is run."""
    return Assessment.from_dict(_native.assess(script))


class Share(Record):
    """`n` of `of`."""

    n: int
    of: int

    @property
    def value(self) -> float | None:
        """As a fraction; `None` of none."""
        return self.n / self.of if self.of else None


class Judged(Record):
    """One labelled incident and what was said of it."""

    incident: str
    label: Any
    said: str
    confidence: float
    right: bool
    in_first_three: bool
    culprit: bool | None = None
    named: str | None = None
    probes: int
    took_ms: float


class Evaluation(Record):
    """How good the diagnoses of labelled incidents are."""

    not_judged: list[tuple[str, str]] = []
    detected: Share
    top_1: Share
    top_3: Share
    culprit: Share
    false_alarms: Share
    misleading: Share
    brier: float
    calibration_error: float
    calibration: list[Any] = []
    probes_median: float
    took_ms_median: float
    incidents: list[Judged] = []

    def __repr__(self) -> str:
        told = ", ".join(
            f"{name} {share.n}/{share.of}"
            for name in ("detected", "top_1", "top_3", "culprit", "false_alarms")
            if (share := getattr(self, name)) is not None
        )
        return f"<Evaluation of {len(self.incidents)} incidents: {told}>"


def evaluate(*directories: Path, catalogues: Sequence[Path] = ()) -> Evaluation:
    """Thinks labelled incidents (those with a `label.toml`) over again, blind, and judges the diagnoses.

    Raises `NotFoundError` when there is no such incident, `InvalidInputError` for a label or catalogue that is wrong.
    """
    dirs = [os.fspath(directory) for directory in directories]
    return Evaluation.from_dict(_native.evaluate(dirs, [os.fspath(path) for path in catalogues]))
