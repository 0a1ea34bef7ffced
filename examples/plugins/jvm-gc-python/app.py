"""Long garbage collections of a JVM, from the lines that `-Xlog:gc` writes:
`GC(41) Pause Full (G1 Compaction Pause) 4011M->3987M(4096M) 1834.567ms`."""

import re

from wit_world import exports
from wit_world.imports import host
from wit_world.imports.types import (
    Body_Logs, Citation_Rows, Entity, EntityKind, Finding, Observation, Rows, Signal_Other,
)

PAUSE = re.compile(r"\bPause (\w+) .*?([\d.,]+)ms\s*$")


class Detector(exports.Detector):
    def detect(self, seen: Observation) -> list[Finding]:
        longest_usual = float(host.config("pause_ms") or 500)
        found = []
        for place, evidence in enumerate(seen.evidence):
            if not isinstance(evidence.body, Body_Logs):
                continue
            pauses = []
            logs = evidence.body.value
            for row, (at, text) in enumerate(zip(logs.at, logs.texts.split("\0"))):
                if match := PAUSE.search(text):
                    pauses.append((float(match[2].replace(",", ".")), match[1], row, at))
            long = sorted((p for p in pauses if p[0] >= longest_usual), reverse=True)
            if not long:
                continue
            full = sum(kind == "Full" for _, kind, _, _ in long)
            found.append(Finding(
                signal=Signal_Other("jvm.gc.pause"),
                entity=Entity(EntityKind.PROCESS, "java", []),
                summary=f"{len(long)} garbage collections of {longest_usual:.0f} ms or longer ({full} full), up to {long[0][0]:.0f} ms",
                score=min(0.9, max(0.5, long[0][0] / (longest_usual * 4))),
                onset=min(at for _, _, _, at in long),
                # What cites too much shows nothing: the longest pauses stand for all.
                cites=[Citation_Rows(Rows(place, row, row + 1)) for _, _, row, _ in long[:20]],
            ))
        return found
