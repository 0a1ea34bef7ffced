// Metrics: first what a finding cites and what everybody asks for, then all of them on request. One cross-hair and one
// zoom for all charts.

import { useCallback, useEffect, useMemo, useRef, useState } from 'preact/hooks'
import type { ChartHandle } from '../chart/chart'
import { count, time, value } from '../format'
import { go } from '../route'
import { useTheme } from '../theme'
import { Icon } from '../ui/icons'
import { Badge, Empty, Loading, Notice } from '../ui/parts'
import { citeOf, tabHref } from './link'
import type { PanelProps } from './page'
import { type Metric, type Seen, seriesLabel } from './seen'
import { isOver } from './state'

const ESSENTIAL = [
  'system.cpu.utilization',
  'system.cpu.pressure',
  'system.memory.utilization',
  'system.filesystem.utilization',
  'system.disk.io',
  'system.network.io',
  'system.cpu.load_average.1m',
]
const MOST_LINES = 6
const colours = ['--agent-log', '--agent-fixer', '--agent-metrics', '--agent-tester', '--agent-investigator', '--agent-reporter']
const SHAPES = ['', '7 3', '2 3', '9 3 2 3', '1 4', '14 4']

interface Group {
  name: string
  unit: string
  metrics: Metric[]
  cited: number[]
}

function groupsOf(seen: Seen): Group[] {
  const groups = new Map<string, Group>()
  for (const m of seen.metrics) {
    // Series of one name may be of different kinds of thing (whole and by mode): those without attributes stand alone.
    const key = `${m.series.name} ${Object.keys(m.series.attributes ?? {})
      .sort()
      .join()}`
    const group = groups.get(key) ?? { name: m.series.name, unit: m.series.unit, metrics: [], cited: [] }
    group.metrics.push(m)
    for (const c of m.cited) if (!group.cited.includes(c.finding)) group.cited.push(c.finding)
    groups.set(key, group)
  }
  // What was high for long while it was observed comes first.
  const window = span(seen.observed)
  const weigh = (m: Metric) =>
    m.series.values.reduce<number>((a, v, i) => (v != null && (!window || (m.series.at[i] ?? 0) >= window[0]) ? a + v : a), 0)
  const rank = (g: Group) => {
    if (g.cited.length) return Math.min(...g.cited) - 1000
    const at = ESSENTIAL.indexOf(g.name)
    return at < 0 ? 100 : at
  }
  const all = [...groups.values()]
  for (const g of all) {
    const weight = new Map(g.metrics.map((m) => [m, weigh(m)]))
    g.metrics.sort((a, b) => b.cited.length - a.cited.length || (weight.get(b) ?? 0) - (weight.get(a) ?? 0))
  }
  return all.sort((a, b) => rank(a) - rank(b) || a.name.localeCompare(b.name))
}

function span(s: { start: string; end: string } | null): [number, number] | null {
  return s ? [Date.parse(s.start), Date.parse(s.end)] : null
}

export function MetricsPanel({ id, incident, query }: PanelProps) {
  const { seen } = incident
  const groups = useMemo(() => (seen ? groupsOf(seen) : []), [seen])
  const [find, setFind] = useState('')
  const [all, setAll] = useState(false)
  const [zoom, setZoom] = useState<[number, number] | null>(null)
  const cite = citeOf(query)
  const citeKey = query.toString()
  const range = useMemo<[number, number]>(() => {
    const from = span(seen?.baseline ?? null)?.[0] ?? span(seen?.observed ?? null)?.[0] ?? 0
    const to = span(seen?.observed ?? null)?.[1] ?? 1
    return [from, to]
  }, [seen])

  const citedGroup = cite ? groups.find((g) => g.metrics.some((m) => m.evidence === cite.evidence)) : undefined
  useEffect(() => {
    if (!citedGroup) return
    setFind('')
    const el = document.getElementById('cited-chart')
    el?.scrollIntoView({ block: 'start' })
    el?.focus({ preventScroll: true })
  }, [citeKey, citedGroup])

  if (!seen) {
    if (incident.seenError)
      return (
        <div class="p-3">
          <Notice
            tone="bad"
            title="The metrics could not be loaded"
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
    if (incident.seenLoading) return <Loading what="the metrics" rows={10} />
    return (
      <Empty title={isOver(incident.status?.status) ? 'No metrics were kept' : 'The metrics are still being sampled'}>
        {isOver(incident.status?.status) ? null : 'The charts appear when the observation ends.'}
      </Empty>
    )
  }
  if (!groups.length) return <Empty title="No metric was measured">The target gave none, or only logs were looked at.</Empty>
  const low = find.trim().toLowerCase()
  const usual = groups.filter((g) => g.cited.length || ESSENTIAL.includes(g.name) || g === citedGroup)
  const shown = low
    ? groups.filter((g) => g.name.toLowerCase().includes(low) || g.metrics.some((m) => seriesLabel(m.series).toLowerCase().includes(low)))
    : all
      ? groups
      : usual
  const fault = seen.fault ?? (seen.onset && seen.observed ? { start: seen.onset, end: seen.observed.end } : null)
  return (
    <div class="space-y-2 p-3">
      <div class="flex flex-wrap items-center gap-2">
        <input
          data-search
          class="field w-auto! min-w-40 flex-1"
          type="search"
          aria-label="Search the metrics"
          placeholder="Search the metrics"
          value={find}
          onInput={(e) => setFind(e.currentTarget.value)}
        />
        {fault && (
          <button type="button" class="btn" onClick={() => setZoom(around(span(fault) as [number, number], range))}>
            Zoom to the fault
          </button>
        )}
        <button type="button" class="btn" disabled={!zoom} onClick={() => setZoom(null)}>
          Whole window
        </button>
        {!low && (
          <button type="button" class="btn" aria-pressed={all} onClick={() => setAll(!all)}>
            {all ? 'Only the important ones' : `All ${groups.length}`}
          </button>
        )}
      </div>
      <ul class="flex flex-wrap gap-x-4 gap-y-1 text-xs text-muted" aria-label="Key">
        {fault && (
          <li class="flex items-center gap-1.5">
            <span class="h-3 w-4 border-x border-bad bg-bad-soft" aria-hidden="true" />
            {seen.fault ? `fault injected ${time(fault.start)} to ${time(fault.end)}` : `abnormal since ${time(fault.start)}`}
          </li>
        )}
        {seen.baseline && (
          <li class="flex items-center gap-1.5">
            <span class="h-2 w-4 bg-accent/25" aria-hidden="true" />
            as it was in the baseline (5 to 95 %)
          </li>
        )}
        <li class="flex items-center gap-1.5">
          <span class="size-1.5 rounded-full bg-text" aria-hidden="true" />
          cited sample
        </li>
        {seen.baseline && <li>numbers: median before → during</li>}
        <li class="max-sm:hidden">drag to zoom, double-click to go back</li>
        {cite && (
          <li>
            <button type="button" class="chip" onClick={() => go(tabHref(id, 'metrics'), true)}>
              {cite.finding !== null ? `evidence of finding ${cite.finding + 1}` : 'cited samples'} <Icon name="cross" class="size-3" />
              <span class="sr-only">: end highlighting</span>
            </button>
          </li>
        )}
      </ul>
      {shown.length === 0 && <Empty title="No metric matches" />}
      <div class="grid gap-2 xl:grid-cols-2">
        {shown.map((g) => (
          <Card
            key={`${g.name} ${g.metrics[0]?.evidence ?? seriesLabel((g.metrics[0] as Metric).series)}`}
            id={id}
            group={g}
            seen={seen}
            range={range}
            zoom={zoom}
            onZoom={setZoom}
            fault={span(fault)}
            evidence={g === citedGroup ? (cite?.evidence ?? null) : null}
            tall={g.cited.length > 0}
          />
        ))}
      </div>
    </div>
  )
}

function around([a, b]: [number, number], [from, to]: [number, number]): [number, number] {
  const pad = (b - a) * 0.15
  return [Math.max(from, a - pad), Math.min(to, b + pad)]
}

function quantile(sorted: number[], q: number): number {
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.round(q * (sorted.length - 1))))] ?? 0
}

function within(m: Metric, window: [number, number] | null): number[] {
  if (!window) return []
  const out: number[] = []
  m.series.at.forEach((t, i) => {
    const v = m.series.values[i]
    if (v != null && t >= window[0] && t <= window[1]) out.push(v)
  })
  return out.sort((a, b) => a - b)
}

interface CardProps {
  id: string
  group: Group
  seen: Seen
  range: [number, number]
  zoom: [number, number] | null
  onZoom: (z: [number, number] | null) => void
  fault: [number, number] | null
  /** Evidence that the address names. */
  evidence: number | null
  tall: boolean
}

function Card({ id, group, seen, range, zoom, onZoom, fault, evidence, tall }: CardProps) {
  const host = useRef<HTMLDivElement>(null)
  const values = useRef<HTMLElement[]>([])
  const clock = useRef<HTMLSpanElement>(null)
  const handle = useRef<ChartHandle | null>(null)
  const [near, setNear] = useState(false)
  const [failed, setFailed] = useState(false)
  const { dark } = useTheme()
  const ofFinding = group.metrics.filter((m) => m.cited.length).length
  const lines = useMemo(() => {
    const most = ofFinding ? Math.min(MOST_LINES, ofFinding + 2) : MOST_LINES
    return [...group.metrics].sort((a, b) => Number(b.evidence === evidence) - Number(a.evidence === evidence)).slice(0, most)
  }, [group, evidence])
  const [baseline, observed] = [span(seen.baseline), span(seen.observed)]
  const height = tall ? 190 : 140
  const stats = useMemo(
    () =>
      lines.map((m) => {
        const [before, after] = [within(m, baseline), within(m, observed)]
        return {
          before: before.length ? quantile(before, 0.5) : null,
          after: after.length ? quantile(after, 0.5) : null,
          band: before.length >= 3 ? ([quantile(before, 0.05), quantile(before, 0.95)] as [number, number]) : null,
        }
      }),
    [lines],
  )
  const cited = evidence !== null
  const current = useRef({ onZoom, zoom, range })
  current.current = { onZoom, zoom, range }

  useEffect(() => {
    const el = host.current
    if (!el) return
    const observer = new IntersectionObserver((e) => e.some((x) => x.isIntersecting) && (setNear(true), observer.disconnect()), {
      rootMargin: '300px',
    })
    observer.observe(el)
    return () => observer.disconnect()
  }, [])

  const rest = useCallback(() => {
    stats.forEach((s, i) => {
      const el = values.current[i]
      if (el) el.textContent = seen.baseline ? `${value(s.before, group.unit)} → ${value(s.after, group.unit)}` : value(s.after, group.unit)
    })
    if (clock.current) clock.current.textContent = ''
  }, [stats])

  useEffect(() => {
    const el = host.current
    if (!near || !el) return
    let gone = false
    let observer: ResizeObserver | null = null
    import('../chart/chart')
      .then(({ draw }) => {
        if (gone) return
        const chart = draw({
          element: el,
          lines: lines.map((m) => ({
            label: seriesLabel(m.series),
            at: m.series.at,
            values: m.series.values,
            cited: m.cited.map((c) => c.rows),
          })),
          unit: group.unit,
          band: stats[0]?.band ?? null,
          baseline,
          fault,
          range: current.current.zoom ?? current.current.range,
          height,
          group: 'incident',
          onZoom: (z) => current.current.onZoom(z),
          onCursor: (now, at) => {
            if (!now || at === null) return rest()
            now.forEach((v, i) => {
              const to = values.current[i]
              if (to) to.textContent = value(v, group.unit)
            })
            if (clock.current) clock.current.textContent = `${time(at)} UTC`
          },
        })
        handle.current = chart
        observer = new ResizeObserver(() => chart.width(el.clientWidth))
        observer.observe(el)
      })
      .catch(() => setFailed(true))
    return () => {
      gone = true
      observer?.disconnect()
      handle.current?.destroy()
      handle.current = null
    }
  }, [near, dark, lines])

  useEffect(() => handle.current?.zoom(zoom ?? range), [zoom, range])
  useEffect(rest, [rest])

  const colour = (i: number) => `var(${colours[i % colours.length]})`
  const main = lines[0]
  return (
    <figure
      id={cited ? 'cited-chart' : undefined}
      tabIndex={cited ? -1 : undefined}
      class={`panel min-w-0 p-2 ${cited ? 'border-accent ring-1 ring-accent' : ''} ${tall ? 'xl:col-span-2' : ''}`}
    >
      <figcaption>
        <div class="flex flex-wrap items-center gap-x-2">
          <h3 class="mono font-semibold [overflow-wrap:anywhere]">{group.name}</h3>
          {group.cited.length > 0 && (
            <>
              <Badge tone="warn" icon="warn">
                abnormal
              </Badge>
              {group.cited
                .sort((a, b) => a - b)
                .map((f) => (
                  <a key={f} class="chip" href={tabHref(id, 'diagnosis', { finding: f })} aria-label={`F${f + 1}: to finding ${f + 1}`}>
                    F{f + 1}
                  </a>
                ))}
            </>
          )}
          <span ref={clock} class="mono ml-auto text-xs! text-muted" />
        </div>
      </figcaption>
      <div
        ref={host}
        class="w-full overflow-hidden"
        style={{ height: `${height}px` }}
        role="img"
        aria-label={`Chart of ${group.name}. ${lines.map((m, i) => `${seriesLabel(m.series)}: ${value(stats[i]?.before, group.unit)} before, ${value(stats[i]?.after, group.unit)} in the observation`).join('; ')}`}
      >
        {failed && <p class="p-4 text-center text-bad">The chart could not be loaded. Reload the page.</p>}
      </div>
      <ul class="mt-1 flex flex-wrap gap-x-4 gap-y-0.5 text-xs">
        {lines.map((m, i) => (
          <li key={i} class="flex min-w-0 items-center gap-1.5">
            <svg width="18" height="6" aria-hidden="true" class="flex-none">
              <line x1="0" x2="18" y1="3" y2="3" stroke={colour(i)} stroke-width="2" stroke-dasharray={SHAPES[i % SHAPES.length]} />
            </svg>
            <span class="min-w-0 truncate text-muted">
              {main && lines.length === 1 && !m.series.attributes ? 'value' : seriesLabel(m.series)}
            </span>
            <span
              class="tabular-nums whitespace-nowrap"
              ref={(el) => {
                if (el) values.current[i] = el
              }}
            />
          </li>
        ))}
        {group.metrics.length > lines.length && (
          <li class="text-muted">and {count(group.metrics.length - lines.length, 'more line')} not drawn</li>
        )}
      </ul>
    </figure>
  )
}
