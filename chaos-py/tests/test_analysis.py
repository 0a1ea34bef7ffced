"""Analysis as functions, over lists, bytes, files, arrays and frames."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy
import pandas
import pytest

import chaos_handler as ch

START = datetime(2026, 11, 24, 8, tzinfo=timezone.utc)
LINES = [f"2026-11-24T08:{n // 60:02}:{n % 60:02}Z INFO served /item/{n} in {n % 9} ms" for n in range(300)] + [
    f"2026-11-24T08:05:{n:02}Z ERROR cannot reach db{n}: connection refused" for n in range(20)
]


@pytest.mark.parametrize("form", ["list", "bytes", "lines of bytes", "file", "path", "pandas", "numpy"])
def test_templates_of_whatever_holds_lines(form: str, tmp_path: Path) -> None:
    raw = "\n".join(LINES).encode()
    path = tmp_path / "app.log"
    path.write_bytes(raw)
    with open(path) as file:
        given = {
            "list": LINES,
            "bytes": raw,
            "lines of bytes": raw.split(b"\n"),
            "file": file,
            "path": path,
            "pandas": pandas.Series(LINES),
            "numpy": numpy.array(LINES, dtype=object),
        }[form]
        survey = ch.mine_templates(given, per_line=True)  # type: ignore[arg-type]
    assert survey.records == 320
    assert [t.count for t in survey.templates] == [300, 20]
    assert survey.templates[0].template == "served <*> in <*>"
    assert survey.templates[1].level == "error" and survey.templates[1].alert
    assert survey.per_line.tolist() == [0] * 300 + [1] * 20
    assert survey.to_pandas()["count"].tolist() == [300, 20]


def test_templates_against_a_baseline() -> None:
    survey = ch.mine_templates(LINES, baseline=LINES[:300], per_line=True)
    assert [(t.new, t.baseline_count) for t in survey.templates] == [(False, 300), (True, 0)]
    assert len(survey.per_line) == 320


def test_lines_of_any_kind() -> None:
    survey = ch.mine_templates([b"\xff\xfe\x00 binary", "lone \udcff surrogate", "", "\n", "x" * 100_000])
    assert survey.records >= 3
    assert ch.mine_templates([]).templates == []
    with pytest.raises(TypeError, match="splitlines"):
        ch.mine_templates("one text")
    with pytest.raises(TypeError, match="not int"):
        ch.mine_templates([1, 2])  # type: ignore[list-item]
    with pytest.raises(FileNotFoundError):
        ch.mine_templates(Path("/nowhere.log"))


def test_anomalies() -> None:
    rng = numpy.random.default_rng(7)
    values = rng.normal(0.2, 0.01, 120)
    values[80:] += 0.6
    at = [START + timedelta(seconds=n) for n in range(120)]
    times = pandas.DatetimeIndex(at)
    cases: list[tuple[Any, dict[str, Any]]] = [
        (pandas.Series(values, index=times), {}),
        (values.tolist(), {"at": at}),
        (values, {"at": times.tz_localize(None)}),
    ]
    for series, more in cases:
        window = (at[60], at[119] + timedelta(seconds=1))
        (found,) = ch.detect_anomalies(series, baseline=(at[0], at[60]), observed=window, **more)
        assert found.change == "level_up" and found.score >= 0.5
        assert found.onset is not None and abs((found.onset - at[80]).total_seconds()) <= 2
        assert found.before == pytest.approx(0.2, abs=0.02) and found.after == pytest.approx(0.8, abs=0.02)
    assert ch.detect_anomalies(values[:80].tolist()) == []
    assert ch.detect_anomalies([]) == []
    (full,) = ch.detect_anomalies([0.3] * 30 + [1.0] * 30, name="system.cpu.utilization")[:1]
    assert full.change in ("saturated", "level_up")


def test_assess() -> None:
    assert ch.assess("ls -l /etc").verdict == "safe"
    risky = ch.assess("rm -rf / --no-preserve-root")
    assert risky.verdict == "dangerous" and "data_loss" in risky.categories and risky.reasons
    assert ch.assess("eval $(cat x)").verdict != "safe"
    assert ch.assess("'").verdict != "safe"
    with pytest.raises(TypeError):
        ch.assess(None)  # type: ignore[arg-type]


def test_evaluate(examples: Path, tmp_path: Path) -> None:
    judged = ch.evaluate(examples / "cpu_spike", examples / "healthy")
    assert judged.detected.value == 1.0 and judged.top_1.n == 1 and judged.false_alarms.n == 0
    assert [one.said for one in judged.incidents] == ["cpu_saturation", "healthy"]
    with pytest.raises(ch.NotFoundError, match="label.toml"):
        ch.evaluate(tmp_path)
