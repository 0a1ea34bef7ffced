// Logs: every kept line of every source by time, or grouped by template. Cited lines are marked and lead back to the
// finding.

import { useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { LogLine, LogPattern } from '../api/types'
import { bytes, count, time } from '../format'
import { go } from '../route'
import { Icon } from '../ui/icons'
import { Empty, Loading, Marked, Notice } from '../ui/parts'
import { VirtualList } from '../ui/virtual'
import { citeOf, tabHref } from './link'
import type { PanelProps } from './page'
import type { Seen, Stream } from './seen'
import { isOver } from './state'

const LEVELS = ['trace', 'debug', 'info', 'notice', 'warning', 'error', 'critical', 'alert', 'emergency']

const LEVEL_SHORT: Record<string, string> = { notice: 'note', warning: 'warn', critical: 'crit', emergency: 'emerg' }

interface Row {
  stream: Stream
  line: LogLine
  row: number
  findings: number[]
}

/** Lines by time; those of one time in the order of their sources. */
function rowsOf(seen: Seen): Row[] {
  const rows: Row[] = []
  for (const stream of seen.streams) {
    const cited = new Map<number, number[]>()
    for (const c of stream.cited) {
      for (let r = c.rows.start; r < c.rows.end; r++) {
        const of = cited.get(r) ?? []
        if (!of.includes(c.finding)) of.push(c.finding)
        cited.set(r, of)
      }
    }
    const none: number[] = []
    stream.lines.forEach((line, row) => rows.push({ stream, line, row, findings: cited.get(row) ?? none }))
  }
  return rows.sort((a, b) => (a.line.at < b.line.at ? -1 : a.line.at > b.line.at ? 1 : 0))
}

export function LogsPanel({ id, incident, query }: PanelProps) {
  const { seen } = incident
  const rows = useMemo(() => (seen ? rowsOf(seen) : []), [seen])
  const [source, setSource] = useState('')
  const [level, setLevel] = useState('')
  const [find, setFind] = useState('')
  const [onlyCited, setOnlyCited] = useState(false)
  const [grouped, setGrouped] = useState(false)
  const [pattern, setPattern] = useState<{ stream: Stream; index: number } | null>(null)
  const [target, setTarget] = useState<{ index: number } | null>(null)
  const cite = citeOf(query)
  const citeKey = query.toString()

  // A citation is shown whatever was filtered before.
  const handled = useRef('')
  useEffect(() => {
    if (!cite || !rows.length || handled.current === citeKey) return
    setSource('')
    setLevel('')
    setFind('')
    setOnlyCited(false)
    setGrouped(false)
    setPattern(null)
    const index = rows.findIndex((r) => r.stream.evidence === cite.evidence && r.row === cite.rows.start)
    if (index >= 0) {
      handled.current = citeKey
      setTarget({ index })
    }
  }, [citeKey, rows])

  const low = find.trim().toLowerCase()
  const least = LEVELS.indexOf(level)
  const shown = useMemo(
    () =>
      rows.filter(
        (r) =>
          (!source || r.stream.source === source) &&
          (least < 0 || LEVELS.indexOf(r.line.level ?? 'info') >= least) &&
          (!onlyCited || r.findings.length > 0) &&
          (!pattern || (r.stream === pattern.stream && r.line.pattern === pattern.index)) &&
          (!low || r.line.text.toLowerCase().includes(low) || (r.line.unit ?? '').toLowerCase().includes(low)),
      ),
    [rows, source, least, onlyCited, pattern, low],
  )
  const inCite = (r: Row) => cite !== null && r.stream.evidence === cite.evidence && r.row >= cite.rows.start && r.row < cite.rows.end

  if (!seen) {
    if (incident.seenError)
      return (
        <div class="p-3">
          <Notice
            tone="bad"
            title="The logs could not be loaded"
            action={
              <button type="button" class="btn" onClick={incident.refresh}>
                Try again
              </button>
            }
          >
            {incident.seenError}
          </Notice>
        </div>
      )
    if (incident.seenLoading) return <Loading what="the logs" rows={12} />
    return (
      <Empty title={isOver(incident.status?.status) ? 'No logs were kept' : 'The logs are still being followed'}>
        {isOver(incident.status?.status)
          ? null
          : 'They appear here when the observation ends; the timeline says which sources are followed.'}
      </Empty>
    )
  }
  if (!rows.length)
    return (
      <Empty title="The sources said nothing">
        {seen.streams.length ? `${count(seen.streams.length, 'source')} without a line.` : 'No log source was found.'}
      </Empty>
    )
  const citedCount = rows.filter((r) => r.findings.length).length
  const total = seen.streams.reduce((n, s) => n + s.total, 0)
  const size = seen.streams.reduce((n, s) => n + s.bytes, 0)
  return (
    <>
      <div class="flex-none space-y-2 border-b border-line bg-panel px-3 py-2">
        <div class="flex flex-wrap gap-2">
          <input
            data-search
            class="field w-auto! min-w-32 flex-1"
            type="search"
            aria-label="Search the logs"
            placeholder="Search the logs"
            value={find}
            onInput={(e) => setFind(e.currentTarget.value)}
          />
          <select
            class="field w-auto! max-w-44"
            aria-label="Source"
            value={source}
            onChange={(e) => {
              setSource(e.currentTarget.value)
              setPattern(null)
            }}
          >
            <option value="">All sources</option>
            {seen.streams.map((s) => (
              <option key={s.source} value={s.source}>
                {s.source} ({s.lines.length})
              </option>
            ))}
          </select>
          <select class="field w-auto!" aria-label="Least severe level" value={level} onChange={(e) => setLevel(e.currentTarget.value)}>
            <option value="">Any level</option>
            {['notice', 'warning', 'error', 'critical'].map((l) => (
              <option key={l} value={l}>
                {l} and worse
              </option>
            ))}
          </select>
        </div>
        <div class="flex flex-wrap items-center gap-x-4 gap-y-1 text-xs">
          <label class="flex items-center gap-1.5">
            <input type="checkbox" checked={grouped} onChange={(e) => setGrouped(e.currentTarget.checked)} />
            Group by template
          </label>
          <label class="flex items-center gap-1.5">
            <input type="checkbox" checked={onlyCited} disabled={!citedCount} onChange={(e) => setOnlyCited(e.currentTarget.checked)} />
            Only cited ({citedCount})
          </label>
          {pattern && (
            <button type="button" class="chip max-w-72!" onClick={() => setPattern(null)}>
              <span class="truncate">{pattern.stream.patterns[pattern.index]?.template}</span>
              <Icon name="cross" class="size-3" />
              <span class="sr-only">: show all templates</span>
            </button>
          )}
          {cite && (
            <button
              type="button"
              class="chip"
              onClick={() => {
                setTarget(null)
                go(tabHref(id, 'logs'), true)
              }}
            >
              {cite.finding !== null ? `evidence of finding ${cite.finding + 1}` : 'cited lines'} <Icon name="cross" class="size-3" />
              <span class="sr-only">: end highlighting</span>
            </button>
          )}
          <span class="ml-auto text-muted" role="status">
            {shown.length.toLocaleString('en-US')} of {count(rows.length, 'line')} kept
            {total > rows.length ? `, ${total.toLocaleString('en-US')} read` : ''} ({bytes(size)})
          </span>
        </div>
        {seen.streams.some((s) => s.gaps.length) && (
          <Notice tone="warn" title="There are gaps">
            {seen.streams.flatMap((s) =>
              s.gaps.map((g, i) => (
                <div key={s.source + i}>
                  {s.source}: {g}
                </div>
              )),
            )}
          </Notice>
        )}
      </div>
      {grouped ? (
        <Templates
          seen={seen}
          source={source}
          find={low}
          onOpen={(p) => {
            setPattern(p)
            setGrouped(false)
          }}
        />
      ) : shown.length === 0 ? (
        <Empty title="No line matches">
          <button
            type="button"
            class="link"
            onClick={() => {
              setSource('')
              setLevel('')
              setFind('')
              setOnlyCited(false)
              setPattern(null)
            }}
          >
            Clear the filters
          </button>
        </Empty>
      ) : (
        <VirtualList
          class="flex-1 bg-panel"
          label="Log lines"
          items={shown}
          keyOf={(r) => `${r.stream.source} ${r.row}`}
          estimate={22}
          subject={`${source} ${level} ${onlyCited} ${low} ${pattern?.index}`}
          target={target}
          render={(r) => <Line id={id} row={r} find={low} strong={inCite(r)} first={cite?.rows.start === r.row && inCite(r)} />}
        />
      )}
    </>
  )
}

function levelTone(level: string | undefined): string {
  const at = LEVELS.indexOf(level ?? '')
  return at >= 5 ? 'text-bad font-semibold' : at === 4 ? 'text-warn font-semibold' : 'text-muted'
}

function Line({ id, row, find, strong, first }: { id: string; row: Row; find: string; strong: boolean; first: boolean }) {
  const { line, stream, findings } = row
  const cited = findings.length > 0
  return (
    <div
      data-focus
      tabIndex={-1}
      data-cited={cited || undefined}
      class={`mono flex gap-x-2 border-l-3 px-2 py-px max-sm:flex-wrap text-[12px]! leading-5 ${strong ? 'border-l-accent bg-accent-soft' : cited ? 'border-l-accent bg-mark/60' : 'border-l-transparent hover:bg-sunken'}`}
    >
      <span class="flex-none text-muted" title={line.at}>
        {time(line.at, false)}
      </span>
      <span class={`w-10 flex-none truncate ${levelTone(line.level)}`} title={line.level}>
        {LEVEL_SHORT[line.level ?? ''] ?? line.level ?? '–'}
      </span>
      <span class="min-w-0 flex-1 whitespace-pre-wrap [overflow-wrap:anywhere] max-sm:order-last max-sm:basis-full">
        <span class="text-muted" title={`${stream.source}, line ${row.row + 1}`}>
          {line.unit ?? stream.source.split('/').pop()}
          {line.pid ? `[${line.pid}]` : ''}{' '}
        </span>
        <Marked text={line.text.length > 4000 ? `${line.text.slice(0, 4000)}…` : line.text} find={find} />
      </span>
      {cited && (
        <a
          class="chip h-5 flex-none bg-panel font-sans max-sm:ml-auto"
          href={tabHref(id, 'diagnosis', { finding: findings[0] ?? 0 })}
          title="To the finding that cites this line"
          aria-label={`F${findings.map((f) => f + 1).join(', ')}: cited by finding${first ? ', here the evidence begins' : ''}`}
        >
          <Icon name="evidence" class="size-3" />F{findings.map((f) => f + 1).join(', ')}
        </a>
      )}
    </div>
  )
}

function Templates({
  seen,
  source,
  find,
  onOpen,
}: {
  seen: Seen
  source: string
  find: string
  onOpen: (p: { stream: Stream; index: number }) => void
}) {
  const all = useMemo(
    () =>
      seen.streams
        .filter((s) => !source || s.source === source)
        .flatMap((stream) =>
          stream.patterns.map((p, index) => ({
            stream,
            index,
            p,
            cited: stream.cited.some((c) => p.rows.some((r) => r >= c.rows.start && r < c.rows.end)),
          })),
        )
        .filter(({ p }) => !find || p.template.toLowerCase().includes(find))
        .sort(
          (a, b) =>
            Number(b.cited) - Number(a.cited) ||
            LEVELS.indexOf(b.p.level ?? 'info') - LEVELS.indexOf(a.p.level ?? 'info') ||
            b.p.count - a.p.count,
        ),
    [seen, source, find],
  )
  if (!seen.streams.some((s) => s.patterns.length)) return <Empty title="Templates are worked out when the run ends" />
  if (!all.length) return <Empty title="No template matches" />
  return (
    <VirtualList
      class="flex-1 bg-panel"
      label="Templates"
      items={all}
      keyOf={({ stream, p }) => `${stream.source} ${p.id}`}
      estimate={48}
      subject={`${source} ${find}`}
      render={({ stream, index, p, cited }) => (
        <button
          type="button"
          data-focus
          tabIndex={-1}
          class={`flex w-full items-center gap-3 border-b border-line px-3 py-1.5 text-left hover:bg-sunken ${cited ? 'bg-mark/60' : ''}`}
          onClick={() => onOpen({ stream, index })}
        >
          <span class="w-12 flex-none text-right font-semibold tabular-nums">{p.count.toLocaleString('en-US')}</span>
          <span class="min-w-0 flex-1">
            <span class="mono block [overflow-wrap:anywhere]">
              <Template text={p.template} />
            </span>
            <span class="text-xs text-muted">
              <span class={levelTone(p.level)}>{p.level ?? 'no level'}</span> · {stream.source} · {time(p.first)} to {time(p.last)}
              {cited ? ' · cited' : ''}
            </span>
          </span>
          <Spark pattern={p} seen={seen} />
        </button>
      )}
    />
  )
}

function Template({ text }: { text: string }) {
  const parts = text.split('<*>')
  return (
    <>
      {parts.map((part, i) =>
        i
          ? [
              <span key={i} class="rounded bg-sunken px-0.5 text-accent">
                {'<*>'}
              </span>,
              part,
            ]
          : part,
      )}
    </>
  )
}

/** When records of a pattern came, over the whole window. */
function Spark({ pattern, seen }: { pattern: LogPattern; seen: Seen }) {
  if (!seen.observed) return null
  const start = Date.parse(seen.baseline?.start ?? seen.observed.start)
  const end = Date.parse(seen.observed.end)
  const bins = new Array<number>(40).fill(0)
  const from = Date.parse(pattern.histogram.start)
  pattern.histogram.counts.forEach((n, i) => {
    const at = Math.floor(((from + i * pattern.histogram.width_ms - start) / (end - start)) * bins.length)
    if (at >= 0 && at < bins.length) bins[at] = (bins[at] ?? 0) + n
  })
  const most = Math.max(1, ...bins)
  const split = ((Date.parse(seen.observed.start) - start) / (end - start)) * 80
  return (
    <svg width="80" height="20" class="flex-none max-sm:hidden" aria-hidden="true">
      <rect x={split} width={80 - split} height="20" fill="var(--sunken)" />
      {bins.map(
        (n, i) => n > 0 && <rect key={i} x={i * 2} y={20 - (n / most) * 18} width="1.6" height={(n / most) * 18} fill="var(--accent)" />,
      )}
    </svg>
  )
}
