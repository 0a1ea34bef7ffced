// Finds log records that contain a text.

import { config } from "chaos:plugin/host@0.1.0";

export const detector = {
  detect(seen) {
    const pattern = (config("pattern") ?? "out of memory").toLowerCase();
    const found = [];
    seen.evidence.forEach(({ body }, place) => {
      if (body.tag !== "logs") return;
      const { at, texts } = body.val;
      texts.split("\0").forEach((text, row) => {
        if (row >= at.length || found.length >= 10 || !text.toLowerCase().includes(pattern)) return;
        found.push({
          signal: { tag: "other", val: "app.pattern" },
          entity: { kind: "host", name: "", attributes: [] },
          summary: text.slice(0, 500),
          score: 0.7,
          onset: at[row],
          cites: [{ tag: "rows", val: { evidence: place, start: row, end: row + 1 } }],
        });
      });
    });
    return found;
  },
};
