"""Finds log records that contain a text."""

from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import (
    Body_Logs, Citation_Rows, Entity, EntityKind, Finding, Observation, Rows, Signal_Other,
)


class Detector(exports.Detector):
    def detect(self, seen: Observation) -> list[Finding]:
        pattern = (host.config("pattern") or "out of memory").lower()
        found = []
        for place, evidence in enumerate(seen.evidence):
            if not isinstance(evidence.body, Body_Logs):
                continue
            logs = evidence.body.value
            for row, (at, text) in enumerate(zip(logs.at, logs.texts.split("\0"))):
                if pattern in text.lower() and len(found) < 10:
                    found.append(Finding(
                        signal=Signal_Other("app.pattern"),
                        entity=Entity(EntityKind.HOST, "", []),
                        summary=text[:500],
                        score=0.7,
                        onset=at,
                        cites=[Citation_Rows(Rows(place, row, row + 1))],
                    ))
        return found
