"""Evidence as arrays and dataframes."""

from __future__ import annotations

import math
from datetime import datetime, timedelta, timezone
from pathlib import Path

import numpy
import pandas
import polars
import pyarrow  # type: ignore[import-untyped]
import pytest

import chaos_handler as ch

START = datetime(2026, 11, 24, 8, tzinfo=timezone.utc)


def test_a_series_is_an_array_without_a_copy(recorded: Path) -> None:
    incident = ch.replay(recorded)
    cpu = incident.series("system.cpu.utilization")[0]
    values = numpy.asarray(cpu.values)
    assert values.dtype == numpy.float64 and len(values) == len(cpu)
    assert values.__array_interface__["data"][0] == cpu.values.__array_interface__["data"][0]
    assert not values.flags.writeable
    assert values.max() > 0.9 and values.min() >= 0
    assert list(values[:3]) == [cpu.values[0], cpu.values[1], cpu.values[2]] and cpu.values[-1] == values[-1]
    with pytest.raises(IndexError):
        cpu.values[len(cpu)]
    # The memory is there for as long as anybody has it.
    del incident, cpu
    assert values.max() > 0.9


def test_a_series_as_a_frame(recorded: Path) -> None:
    cpu = ch.replay(recorded).series("system.cpu.utilization")[0]
    as_pandas = cpu.to_pandas()
    assert isinstance(as_pandas.index, pandas.DatetimeIndex) and str(as_pandas.index.tz) == "UTC"
    assert as_pandas.name == "system.cpu.utilization"
    as_polars = cpu.to_polars()
    assert as_polars.columns == ["at", "value"] and as_polars["at"].dtype == polars.Datetime("ms", "UTC")
    as_arrow = pyarrow.table(cpu)
    assert as_arrow.schema.field("at").type == pyarrow.timestamp("ms", "UTC")
    assert as_arrow["value"].to_pylist() == as_polars["value"].to_list() == as_pandas.tolist() == list(cpu.values)
    assert as_arrow["at"].to_pylist() == as_pandas.index.to_pydatetime().tolist()
    column = as_arrow["value"].chunk(0)
    assert column.buffers()[1].address == cpu.values.__array_interface__["data"][0]
    assert pyarrow.schema(cpu).names == ["at", "value"]


def test_logs_as_a_frame(recorded: Path) -> None:
    (journal,) = [log for log in ch.replay(recorded).logs if log.source == "journald"]
    frame = journal.to_pandas()
    assert list(frame.columns) == ["at", "level", "unit", "pid", "text", "template"]
    assert len(frame) == len(journal) == pyarrow.table(journal).num_rows
    first = journal[0]
    assert frame["text"][0] == first.text and frame["at"][0] == first.at
    assert journal[-1] == list(journal)[-1] and journal[1:3] == list(journal)[1:3]
    assert frame["template"][0] == journal.patterns[first.pattern].template
    assert journal.to_polars()["text"].to_list() == frame["text"].tolist()
    assert sum(pattern.count for pattern in journal.patterns) == journal.total_lines


@pytest.mark.parametrize(
    "at",
    [
        [START + timedelta(seconds=n) for n in range(4)],
        [int(START.timestamp() * 1000) + 1000 * n for n in range(4)],
        numpy.datetime64("2026-11-24T08:00:00", "s") + numpy.arange(4),
    ],
    ids=["datetimes", "milliseconds", "numpy"],
)
def test_a_series_can_be_made(at: object) -> None:
    series = ch.MetricSeries("app.queue", at, [1.0, 2, None, 4], unit="{job}", attributes={"queue": "mail"})
    assert series.at[0] == START.timestamp() * 1000 and len(series) == 4
    assert math.isnan(series.values[2]) and series.unit == "{job}" and series.attributes == {"queue": "mail"}
    assert series.number is None and "app.queue" in repr(series) and series._repr_svg_().startswith("<svg")


def test_bad_series() -> None:
    with pytest.raises(ch.InvalidInputError, match="there are 1 and 2"):
        ch.MetricSeries("x", [START], [1.0, 2.0])
    with pytest.raises(ch.InvalidInputError, match="a time for each value"):
        ch.MetricSeries("x", numpy.arange(3), numpy.arange(2))
    with pytest.raises((TypeError, ValueError)):
        ch.MetricSeries("x", [START], ["many"])
    with pytest.raises(ch.InvalidInputError, match="only what was collected"):
        ch.MetricSeries("x", [START], [1.0]).cite()


def test_logs_can_be_made() -> None:
    lines = [f"2026-11-24T08:00:{n:02}Z ERROR worker {n} of 7 failed, password=hunter2secret" for n in range(20)]
    stream = ch.LogStream("app", [*lines, b"\xff\xfe not text", (START, "read at eight")])
    assert len(stream) == 22 and stream[0].level == "error"
    assert "hunter2secret" not in str(list(stream))
    assert any("<*>" in pattern.template for pattern in stream.patterns)


def test_a_million_samples_are_quickly_a_frame() -> None:
    at = numpy.arange(1_000_000) * 1000
    series = ch.MetricSeries("x", at, numpy.sin(at / 1e6))
    frame = series.to_pandas()
    assert len(frame) == 1_000_000 and frame.iloc[-1] == pytest.approx(math.sin(999_999_000 / 1e6))
