"""What was seen: metric series and log streams. Their data stays where the engine put it; numpy, pandas, polars and
whatever reads Arrow take it from there."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any, overload

from . import _native
from ._record import millis, of_millis
from .errors import InvalidInputError
from .model import Citation, Facts, Gap, LogLine, LogPattern, Rows, Span

if TYPE_CHECKING:
    import pandas
    import polars

__all__ = ["LogStream", "MetricSeries", "Observation"]


class _Evidence:
    """What both kinds of evidence have in common."""

    _inner: Any

    @property
    def source(self) -> str:
        """Where it comes from on the target: `journald`, `/var/log/syslog`, `/proc`."""
        return str(self._inner.source)

    @property
    def number(self) -> int | None:
        """Its number among what was seen, as citations have it; `None` of what was made here and not collected yet."""
        number: int | None = self._inner.number
        return number

    @property
    def gaps(self) -> list[Gap]:
        """When nothing could be seen, and why."""
        return [Gap.from_dict(gap) for gap in self._inner.gaps()]

    def __len__(self) -> int:
        return len(self._inner)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> Any:
        """Arrow's C stream interface: `pyarrow.table(x)`, `polars.DataFrame(x)`, `duckdb` and others read this."""
        return self._inner.arrow_stream()

    def __arrow_c_schema__(self) -> Any:
        return self._inner.arrow_schema()

    def to_polars(self) -> polars.DataFrame:
        """As a polars frame, without a copy of numbers. Needs polars."""
        import polars

        return polars.DataFrame(self)

    def cite(self, start: int = 0, end: int | None = None) -> Citation:
        """Rows of it, for a finding: from `start` to `end`, excluded; to the last without an end.

        Raises `InvalidInputError` when there are no such rows, or when it is no part of an observation.
        """
        rows = len(self)
        end = rows if end is None else end
        if self.number is None:
            raise InvalidInputError("only what was collected can be cited")
        if not 0 <= start < end <= rows:
            raise InvalidInputError(f"rows {start} to {end} of {rows}")
        return Citation(evidence=self.number, rows=Rows(start=start, end=end))


class MetricSeries(_Evidence):
    """A metric over time.

    `at` (milliseconds since the epoch) and `values` (floats, NaN where one is missing) are sequences that `numpy.asarray`
    takes without a copy.
    """

    _inner: _native.MetricSeries

    def __init__(
        self,
        name: str,
        at: Sequence[datetime] | Sequence[int] | Any,
        values: Sequence[float] | Any,
        *,
        unit: str = "1",
        attributes: Mapping[str, str] | None = None,
        source: str = "python",
    ) -> None:
        """Makes a series: what a collector of yours returns.

        `name` and `unit` as OpenTelemetry's system metrics have them (UCUM). `at` holds times, or milliseconds since the
        epoch as integers, one for each value; both may be arrays.
        """
        named = dict(attributes or {})
        if hasattr(at, "__array__") or hasattr(values, "__array__"):
            times, numbers = _arrays(at, values)
            self._inner = _native.metric_series_packed(source, name, unit, named, times, numbers)
            return
        stamps = [millis(t) if isinstance(t, datetime) else int(t) for t in at]
        floats = [float("nan") if v is None else float(v) for v in values]
        if len(stamps) != len(floats):
            raise InvalidInputError(f"a series has a time for each value; there are {len(stamps)} and {len(floats)}")
        self._inner = _native.metric_series(source, name, unit, named, stamps, floats)

    @classmethod
    def _of(cls, native: _native.MetricSeries) -> MetricSeries:
        series = cls.__new__(cls)
        series._inner = native
        return series

    @property
    def name(self) -> str:
        """Such as `system.cpu.utilization`."""
        return self._inner.name

    @property
    def unit(self) -> str:
        """UCUM unit: `1`, `By`, `s`, `{process}`."""
        return self._inner.unit

    @property
    def attributes(self) -> dict[str, str]:
        """Such as `{"cpu.mode": "user"}`."""
        return dict(self._inner.attributes)

    @property
    def at(self) -> _native.Column:
        """Milliseconds since the epoch of each sample."""
        return self._inner.at

    @property
    def values(self) -> _native.Column:
        """One value a sample; NaN where it is missing."""
        return self._inner.values

    def to_pandas(self) -> pandas.Series[float]:
        """As a pandas series over UTC times. Needs pandas."""
        import numpy
        import pandas

        index = pandas.DatetimeIndex(numpy.asarray(self.at).view("datetime64[ms]"), name="at").tz_localize("UTC")
        return pandas.Series(numpy.asarray(self.values), index=index, name=self.name, copy=False)

    def _repr_svg_(self) -> str:
        return _native.chart(self._inner)

    def __repr__(self) -> str:
        named = "".join(f", {key}={value}" for key, value in self.attributes.items())
        return f"<MetricSeries {self.name}{named}: {len(self)} samples in {self.unit} from {self.source}>"


def _arrays(at: Any, values: Any) -> tuple[bytes, bytes]:
    import numpy

    stamps = numpy.asarray(at)
    if stamps.dtype.kind == "M":
        stamps = stamps.astype("datetime64[ms]")
    elif stamps.dtype.kind == "O":
        stamps = numpy.asarray([millis(t) if isinstance(t, datetime) else int(t) for t in stamps])
    numbers = numpy.asarray(values, dtype="<f8")
    if stamps.shape != numbers.shape or numbers.ndim != 1:
        raise InvalidInputError(f"a series has a time for each value; there are {stamps.shape} and {numbers.shape}")
    return stamps.astype("<i8").tobytes(), numbers.tobytes()


class LogStream(_Evidence):
    """A log stream: all of it counted by pattern, part of it kept. It is a sequence of the kept `LogLine`s."""

    _inner: _native.LogStream

    def __init__(self, source: str, lines: Iterable[str | bytes | tuple[datetime, str | bytes]]) -> None:
        """Makes a stream: what a collector of yours returns. The lines are redacted and mined.

        Each line may come with the time at which it was read; without one its own header has to say when it was.
        """
        rows: list[tuple[int, bytes]] = []
        for line in lines:
            at, text = line if isinstance(line, tuple) else (None, line)
            raw = text.encode("utf-8", "surrogateescape") if isinstance(text, str) else bytes(text)
            rows.append((0 if at is None else millis(at), raw))
        self._inner = _native.log_stream(source, rows)

    @classmethod
    def _of(cls, native: _native.LogStream) -> LogStream:
        stream = cls.__new__(cls)
        stream._inner = native
        return stream

    @property
    def total_lines(self) -> int:
        """Records in the whole stream."""
        return self._inner.total_lines

    @property
    def total_bytes(self) -> int:
        """Bytes in the whole stream."""
        return self._inner.total_bytes

    @property
    def patterns(self) -> list[LogPattern]:
        """Every shape of record in the stream."""
        return [LogPattern.from_dict(pattern) for pattern in self._inner.patterns()]

    @overload
    def __getitem__(self, index: int) -> LogLine: ...
    @overload
    def __getitem__(self, index: slice) -> list[LogLine]: ...
    def __getitem__(self, index: int | slice) -> LogLine | list[LogLine]:
        if isinstance(index, slice):
            start, stop, step = index.indices(len(self))
            if step == 1:
                return [LogLine.from_dict(line) for line in self._inner.lines(start, stop)]
            return [self[i] for i in range(start, stop, step)]
        at = index + len(self) if index < 0 else index
        if not 0 <= at < len(self):
            raise IndexError("no such line")
        return LogLine.from_dict(self._inner.lines(at, at + 1)[0])

    def __iter__(self) -> Iterator[LogLine]:
        for start in range(0, len(self), 1000):
            for line in self._inner.lines(start, start + 1000):
                yield LogLine.from_dict(line)

    def to_pandas(self) -> pandas.DataFrame:
        """The kept lines as a pandas frame: `at` (UTC), `level`, `unit`, `pid`, `text`, `template`. Needs pandas."""
        import numpy
        import pandas

        columns = dict(self._inner.columns())
        at = numpy.frombuffer(columns.pop("at"), dtype="<i8").view("datetime64[ms]")
        frame = pandas.DataFrame({"at": pandas.DatetimeIndex(at).tz_localize("UTC"), **columns})
        return frame.astype({"pid": "Int64"})

    def __repr__(self) -> str:
        return f"<LogStream {self.source}: {len(self)} of {self.total_lines} lines kept>"


def _wrapped(native: Any) -> MetricSeries | LogStream:
    if isinstance(native, _native.MetricSeries):
        return MetricSeries._of(native)
    return LogStream._of(native)


def _span(span: tuple[int, int]) -> Span:
    return Span(start=of_millis(span[0]), end=of_millis(span[1]))


class Observation:
    """All that was seen. Detectors get this: no scenario and no phase is in it."""

    def __init__(self, native: _native.Observation) -> None:
        self._inner = native
        self._evidence: list[MetricSeries | LogStream] | None = None

    @property
    def facts(self) -> Facts:
        """What the target is and has."""
        return Facts.from_dict(self._inner.facts())

    @property
    def baseline(self) -> Span | None:
        """When the target was taken to be as usual; `None` when there was no such time."""
        return None if self._inner.baseline is None else _span(self._inner.baseline)

    @property
    def observed(self) -> Span:
        """When something may be wrong."""
        return _span(self._inner.observed)

    @property
    def evidence(self) -> list[MetricSeries | LogStream]:
        """All of it; positions are the numbers that citations have."""
        if self._evidence is None:
            self._evidence = [_wrapped(native) for native in self._inner.evidence()]
        return self._evidence

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

    def __repr__(self) -> str:
        return f"<Observation of {self.facts.hostname or 'files'}: {len(self.metrics)} series, {len(self.logs)} logs>"


def _matching(all_series: list[MetricSeries], name: str, attributes: Mapping[str, str]) -> list[MetricSeries]:
    def fits(series: MetricSeries) -> bool:
        own = {key.replace(".", "_"): value for key, value in series.attributes.items()}
        return series.name == name and all(own.get(key) == value for key, value in attributes.items())

    return [series for series in all_series if fits(series)]
