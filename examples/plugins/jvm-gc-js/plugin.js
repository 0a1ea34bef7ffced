// Long garbage collections of a JVM, from the lines that `-Xlog:gc` writes:
// `GC(41) Pause Full (G1 Compaction Pause) 4011M->3987M(4096M) 1834.567ms`.

import { config } from "chaos:plugin/host@0.1.0";

const PAUSE = /\bPause (\w+) .*?([\d.,]+)ms\s*$/;

export const detector = {
  detect(seen) {
    const longestUsual = Number(config("pause_ms") ?? 500);
    const found = [];
    seen.evidence.forEach(({ body }, place) => {
      if (body.tag !== "logs") return;
      const long = [];
      const { at, texts } = body.val;
      texts.split("\0").forEach((text, row) => {
        const match = PAUSE.exec(text);
        const ms = match ? Number(match[2].replace(",", ".")) : 0;
        if (ms >= longestUsual) long.push({ ms, full: match[1] === "Full", row, at: at[row] });
      });
      if (long.length === 0) return;
      long.sort((a, b) => b.ms - a.ms);
      const count = long.length;
      const full = long.filter((p) => p.full).length;
      // What cites too much shows nothing: the longest pauses stand for all.
      long.splice(20);
      found.push({
        signal: { tag: "other", val: "jvm.gc.pause" },
        entity: { kind: "process", name: "java", attributes: [] },
        summary: `${count} garbage collections of ${longestUsual} ms or longer (${full} full), up to ${long[0].ms.toFixed(0)} ms`,
        score: Math.min(0.9, Math.max(0.5, long[0].ms / (longestUsual * 4))),
        onset: long.reduce((first, p) => (p.at < first ? p.at : first), long[0].at),
        cites: long.map((p) => ({ tag: "rows", val: { evidence: place, start: p.row, end: p.row + 1 } })),
      });
    });
    return found;
  },
};
