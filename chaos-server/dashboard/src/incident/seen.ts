// What was seen, in one shape for the panels: log streams and metric series with their evidence ids, and who cites
// which rows. While an incident runs there are only the plain files, without ids.

import type { Cite, Finding, IncidentJson, LogLine, LogPattern, MetricsJson, Rows, Series, Span } from '../api/types'

export interface Cited {
  rows: Rows
  finding: number
}

export interface Stream {
  /** Evidence id; `null` while the incident runs. */
  evidence: number | null
  source: string
  lines: LogLine[]
  patterns: LogPattern[]
  total: number
  bytes: number
  cited: Cited[]
  gaps: string[]
}

export interface Metric {
  evidence: number | null
  source: string
  series: Series
  cited: Cited[]
}

export interface Seen {
  streams: Stream[]
  metrics: Metric[]
  baseline: Span | null
  observed: Span | null
  /** When a fault of ours was there. */
  fault: Span | null
  /** Earliest onset of a finding. */
  onset: string | null
}

export function seenFromJson(incident: IncidentJson): Seen {
  const cited = new Map<number, Cited[]>()
  incident.findings.forEach((f, finding) => {
    for (const c of f.cites) {
      const list = cited.get(c.evidence) ?? []
      list.push({ rows: c.rows, finding })
      cited.set(c.evidence, list)
    }
  })
  const streams: Stream[] = []
  const metrics: Metric[] = []
  incident.observation?.evidence.forEach((e, evidence) => {
    const of = cited.get(evidence) ?? []
    if (e.body.kind === 'logs') {
      const gaps = (e.gaps ?? []).map(
        (g) => `${g.span.start} to ${g.span.end}: ${typeof g.why === 'string' ? g.why : (g.why.message ?? 'not seen')}`,
      )
      streams.push({
        evidence,
        source: e.source,
        lines: e.body.lines,
        patterns: e.body.patterns,
        total: e.body.total_lines,
        bytes: e.body.total_bytes,
        cited: of,
        gaps,
      })
    } else if (e.body.kind === 'metric') {
      metrics.push({ evidence, source: e.source, series: e.body, cited: of })
    }
  })
  const i = incident.injection
  const end = i?.reverted ?? incident.observation?.observed.end
  return {
    streams,
    metrics,
    baseline: incident.observation?.baseline ?? null,
    observed: incident.observation?.observed ?? null,
    fault: i?.started && end ? { start: i.started, end } : null,
    onset: onsetOf(incident.findings),
  }
}

function onsetOf(findings: Finding[]): string | null {
  const all = findings.map((f) => f.onset).filter((o) => o !== undefined)
  return all.sort()[0] ?? null
}

const RAW = /^(\S+) (\S+) (trace|debug|info|notice|warning|error|critical|alert|emergency|-) (.*)$/

/** From `metrics.json` and `raw_logs.txt`, which are there before the diagnosis is. */
export function seenFromFiles(metrics: MetricsJson, raw: string): Seen {
  const streams = new Map<string, Stream>()
  for (const text of raw.split('\n')) {
    if (!text) continue
    const m = RAW.exec(text)
    const source = m?.[2] ?? 'raw_logs.txt'
    let stream = streams.get(source)
    if (!stream) {
      stream = { evidence: null, source, lines: [], patterns: [], total: 0, bytes: 0, cited: [], gaps: [] }
      streams.set(source, stream)
    }
    const level = m?.[3] === '-' ? undefined : m?.[3]
    stream.lines.push({ at: m?.[1] ?? '', level, text: m?.[4] ?? text, pattern: -1 })
    stream.total++
    stream.bytes += text.length
  }
  return {
    streams: [...streams.values()],
    metrics: metrics.series.map((series) => ({ evidence: null, source: 'metrics.json', series, cited: [] })),
    baseline: metrics.window.baseline,
    observed: metrics.window.observed,
    fault: null,
    onset: null,
  }
}

/** What a citation names, in a few words. */
export function citeLabel(seen: Seen | null, cite: Cite): { kind: 'logs' | 'metric' | 'gone'; label: string } {
  const n = cite.rows.end - cite.rows.start
  const stream = seen?.streams.find((s) => s.evidence === cite.evidence)
  if (stream)
    return {
      kind: 'logs',
      label: `${stream.source}, ${n === 1 ? `line ${cite.rows.start + 1}` : `lines ${cite.rows.start + 1}–${cite.rows.end}`}`,
    }
  const metric = seen?.metrics.find((m) => m.evidence === cite.evidence)
  if (metric) return { kind: 'metric', label: `${seriesName(metric.series)}, ${n === 1 ? '1 sample' : `${n} samples`}` }
  return { kind: 'gone', label: `evidence ${cite.evidence}` }
}

const DROPPED = new Set(['process.start_ticks', 'process.parent_pid', 'process.group_id', 'count'])

/** Attributes as a person tells series apart. */
export function seriesLabel(s: Series): string {
  const a = s.attributes ?? {}
  if (a['process.command']) return `${a['process.command']} (${a['process.pid'] ?? '?'})`
  const parts = Object.entries(a)
    .filter(([k]) => !DROPPED.has(k))
    .map(([, v]) => v)
  return parts.join(' ') || s.name.split('.').slice(-1)[0] || s.name
}

export function seriesName(s: Series): string {
  return s.attributes && Object.keys(s.attributes).length ? `${s.name} ${seriesLabel(s)}` : s.name
}
