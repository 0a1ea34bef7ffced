"""Replaying, reading, showing: what is known of an incident arrives whole."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import chaos_handler as ch


def without_none(data: Any) -> Any:
    if isinstance(data, dict):
        return {key: without_none(value) for key, value in data.items() if value is not None}
    return [without_none(item) for item in data] if isinstance(data, list) else data


def test_a_replay_gives_what_the_recording_led_to(recorded: Path) -> None:
    incident = ch.replay(recorded)
    assert incident.status == "completed"
    assert incident.diagnosis is not None and incident.diagnosis.fault == "cpu_saturation"
    assert incident.diagnosis.confidence > 0.8
    assert incident.diagnosis.culprit is not None and incident.diagnosis.culprit.entity.attributes["pid"] == "869"
    assert incident.plan is not None and incident.plan.actions[0].argv == ["kill", "-TERM", "869"]
    assert incident.risk is not None and incident.risk.verdict == "needs_approval"
    assert incident.risk.plan_sha256 == incident.plan.plan_sha256
    assert incident.injection is not None and incident.injection.recovery.state == "proven"
    assert incident.report is not None and "# " in incident.report.markdown
    assert [event.seq for event in incident.trace] == list(range(len(incident.trace)))
    assert incident.trace[-1].phase == "done"
    assert incident.baseline is not None and incident.observed is not None
    assert incident.baseline.end <= incident.observed.start


def test_a_replay_is_the_same_each_time(recorded: Path, tmp_path: Path) -> None:
    once = ch.replay(recorded, incidents=tmp_path / "one")
    again = ch.replay(recorded, incidents=tmp_path / "two")
    assert once.report == again.report
    assert (tmp_path / "one" / once.id / "report.md").read_text() == str(once.report)
    assert once.diagnosis == again.diagnosis and once.diagnosis is not again.diagnosis


def test_no_field_of_any_recorded_incident_is_lost(examples: Path) -> None:
    directories = sorted(path.parent for path in examples.rglob("incident.json"))
    assert len(directories) >= 7
    records: dict[str, Any] = {
        "target": ch.model.TargetInfo,
        "options": ch.model.RunOptions,
        "findings": ch.Finding,
        "answers": ch.model.Answer,
        "diagnosis": ch.Diagnosis,
        "plans": ch.FixPlan,
        "risks": ch.RiskAssessment,
        "injection": ch.model.Injection,
    }
    for directory in directories:
        written = json.loads((directory / "incident.json").read_text())
        incident = ch.Incident.open(directory)
        for name, record in records.items():
            data = without_none(written.get(name))
            if data is None:
                continue
            value = getattr(incident, name)
            shown = [v.to_dict() for v in value] if isinstance(value, list) else value.to_dict()
            # What the engine left out because it is empty has its default here.
            covers(without_none(shown), data, f"{directory.name}.{name}")
            again = [record.from_dict(v) for v in shown] if isinstance(shown, list) else record.from_dict(shown)
            assert again == value
        assert len(incident.trace) == len(json.loads((directory / "trace.json").read_text()))


def covers(shown: Any, written: Any, where: str) -> None:
    """Everything that was written is shown, with the same value."""
    if isinstance(written, dict) and isinstance(shown, dict):
        for key, value in written.items():
            assert key in shown, f"{where}.{key} is lost"
            covers(shown[key], value, f"{where}.{key}")
    elif isinstance(written, list) and isinstance(shown, list):
        assert len(shown) == len(written), where
        for n, (one, other) in enumerate(zip(shown, written)):
            covers(one, other, f"{where}[{n}]")
    elif isinstance(written, float) or isinstance(shown, float):
        assert shown == pytest.approx(written), where
    else:
        assert shown == written, where


def test_records_are_values() -> None:
    finding = ch.Finding(signal=ch.OtherSignal(name="a.b"), summary="odd")
    assert finding == ch.Finding(signal=ch.OtherSignal(name="a.b"), summary="odd")
    assert finding != finding.replace(score=0.9)
    assert pickle.loads(pickle.dumps(finding)) == finding
    assert len({finding, finding.replace(score=0.9), finding.replace()}) == 2
    with pytest.raises(AttributeError, match="replace"):
        finding.score = 1.0  # type: ignore[misc]
    with pytest.raises(TypeError, match="needs"):
        ch.Finding(summary="no signal")  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="has no colour"):
        ch.Finding(signal=ch.OtherSignal(name="a"), summary="x", colour=1)  # type: ignore[call-arg]
    # A default is nobody's to change for all.
    finding.cites.append(ch.Citation(evidence=0, rows=ch.model.Rows(start=0, end=1)))
    assert ch.Finding(signal=ch.OtherSignal(name="a.b"), summary="odd").cites == []


def test_what_does_not_fit_says_where() -> None:
    with pytest.raises(ch.InvalidInputError, match=r"Finding.entity: Entity.name: wants str, not 5"):
        ch.Finding.from_dict({"signal": {"kind": "other", "name": "x"}, "summary": "s", "entity": {"name": 5}})
    with pytest.raises(ch.InvalidInputError, match="needs summary"):
        ch.Finding.from_dict({"signal": {"kind": "other", "name": "x"}})
    with pytest.raises(ch.InvalidInputError, match="RFC 3339"):
        ch.model.Span.from_dict({"start": "yesterday", "end": "today"})
    # What a newer version writes is no reason to fail.
    assert ch.model.Rows.from_dict({"start": 1, "end": 2, "step": 3}) == ch.model.Rows(start=1, end=2)


def test_opening_what_is_no_incident(tmp_path: Path, recorded: Path) -> None:
    with pytest.raises(ch.NotFoundError, match="incident.json"):
        ch.Incident.open(tmp_path)
    (tmp_path / "incident.json").write_text("{")
    with pytest.raises(ch.InvalidInputError, match="EOF"):
        ch.Incident.open(tmp_path)
    newer = json.loads((recorded / "incident.json").read_text())
    newer["schema_version"] = 99
    (tmp_path / "incident.json").write_text(json.dumps(newer))
    with pytest.raises(ch.UnsupportedError, match="newer version"):
        ch.Incident.open(tmp_path)


HOSTILE = '<script>alert(1)</script><img src=x onerror=alert(1)> \u202e\x1b[31m [x](javascript:alert(1)) `$#strong`'


def test_nothing_a_host_said_is_markup(tmp_path: Path) -> None:
    log = tmp_path / "app.log"
    log.write_text("".join(f"2026-11-24T08:00:{n:02}Z ERROR {HOSTILE} {n}\n" for n in range(40)))
    incident = ch.run(ch.Files(log), progress=False)
    assert incident.report is not None and incident.findings
    hostile = ch.Report(markdown=f"# {HOSTILE}\n\n{HOSTILE}\n\n![x](http://example.org/x.png)\n", charts=[])
    event = incident.trace[0].replace(content=HOSTILE, agent=HOSTILE)
    from chaos_handler._html import Timeline

    pages = [
        incident._repr_html_(),
        incident.report._repr_html_(),
        hostile._repr_html_(),
        Timeline([event], HOSTILE)._repr_html_(),
        incident.timeline()._repr_html_(),
    ]
    for page in pages:
        assert "<script" not in page and "<img src=x" not in page
        assert "javascript:" not in page.replace("(javascript:", "").replace("[x](", "") or 'href="javascript' not in page
        assert 'href="http' not in page and 'src="http' not in page
        assert "\x1b" not in page
    assert "\u202e" not in pages[0] and "\u202e" not in pages[3]
    assert "\x1b" not in repr(Timeline([event]))


def test_an_incident_shows_itself(recorded: Path) -> None:
    incident = ch.replay(recorded)
    diagnosis = incident.diagnosis
    written = json.loads((recorded / "incident.json").read_text())["diagnosis"]["confidence"]
    assert diagnosis is not None and diagnosis.confidence == written > 0.8
    sure = f"{100 * diagnosis.confidence:.0f} %"
    assert repr(incident) == f"<Incident {incident.id} on local: completed, {diagnosis.title} ({sure})>"
    page = incident._repr_html_()
    for part in ["What was abnormal", "What to do", "kill -TERM 869", "needs approval", "data:image/svg+xml;base64,"]:
        assert part in page
    assert json.loads(incident.to_json())["id"] == incident.id
    assert "A runaway process" in str(incident)
