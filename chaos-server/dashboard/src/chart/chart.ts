// One chart by uPlot: lines over time, what was usual as a band, the fault as a shaded stretch, cited samples drawn
// heavier. A chunk of its own, loaded when the first chart is shown.

import uPlot from 'uplot'
import { time, value } from '../format'

export interface Line {
  label: string
  at: number[]
  values: (number | null)[]
  /** Stretches of samples that a finding cites. */
  cited: { start: number; end: number }[]
}

export interface ChartOptions {
  element: HTMLElement
  lines: Line[]
  unit: string
  /** What the first line usually was, low and high. */
  band: [number, number] | null
  /** Milliseconds. */
  fault: [number, number] | null
  baseline: [number, number] | null
  range: [number, number]
  height: number
  group: string
  onCursor: (values: (number | null)[] | null, at: number | null) => void
  onZoom: (range: [number, number] | null) => void
}

export interface ChartHandle {
  zoom: (range: [number, number]) => void
  width: (px: number) => void
  destroy: () => void
}

export const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3], [1, 4], [14, 4]]
export const COLOURS = ['--agent-log', '--agent-fixer', '--agent-metrics', '--agent-tester', '--agent-investigator', '--agent-reporter']

/** Steps of an axis in bytes. */
const BINARY = Array.from({ length: 50 }, (_, i) => 2 ** i)

/** One time axis for all lines; where a line has no sample there is a hole that is drawn over. */
function joined(lines: Line[]): uPlot.AlignedData {
  const times = [...new Set(lines.flatMap((l) => l.at))].sort((a, b) => a - b)
  const place = new Map(times.map((t, i) => [t, i]))
  const columns = lines.map((l) => {
    // `undefined`: not sampled then, the line goes on; `null`: missing, the line breaks.
    const column: (number | null | undefined)[] = new Array(times.length).fill(undefined)
    l.at.forEach((t, i) => (column[place.get(t) as number] = l.values[i] ?? null))
    return column
  })
  return [times.map((t) => t / 1000), ...columns] as uPlot.AlignedData
}

export function draw(o: ChartOptions): ChartHandle {
  const css = getComputedStyle(document.documentElement)
  const colour = (name: string) => css.getPropertyValue(name).trim()
  const [grid, text, bad, accent] = [colour('--line'), colour('--muted'), colour('--bad'), colour('--accent')]
  const font = `11px ${getComputedStyle(document.body).fontFamily}`
  const stroke = (i: number) => colour(COLOURS[i % COLOURS.length] as string)
  const data = joined(o.lines)
  const fill = (u: uPlot, x0: number, x1: number, y0: number, y1: number, style: string, alpha: number) => {
    const { left, top, width, height } = u.bbox
    const [a, b] = [Math.max(left, Math.min(x0, x1)), Math.min(left + width, Math.max(x0, x1))]
    const [c, d] = [Math.max(top, Math.min(y0, y1)), Math.min(top + height, Math.max(y0, y1))]
    if (b <= a || d <= c) return
    u.ctx.save()
    u.ctx.globalAlpha = alpha
    u.ctx.fillStyle = style
    u.ctx.fillRect(a, c, b - a, d - c)
    u.ctx.restore()
  }
  const below = (u: uPlot) => {
    const { top, height } = u.bbox
    if (o.fault) {
      const [a, b] = o.fault.map((t) => u.valToPos(t / 1000, 'x', true)) as [number, number]
      fill(u, a, b, top, top + height, bad, 0.1)
      for (const x of [a, b]) fill(u, x - 0.5, x + 0.5, top, top + height, bad, 0.7)
    }
    if (o.band && o.baseline) {
      const [lo, hi] = o.band.map((v) => u.valToPos(v, 'y', true)) as [number, number]
      const middle = (lo + hi) / 2
      const half = Math.max(1.5 * devicePixelRatio, Math.abs(lo - hi) / 2)
      fill(u, u.bbox.left, u.bbox.left + u.bbox.width, middle - half, middle + half, accent, 0.16)
    }
  }
  const above = (u: uPlot) => {
    o.lines.forEach((line, i) => {
      for (const c of line.cited) {
        u.ctx.save()
        u.ctx.beginPath()
        const { left, top, width, height } = u.bbox
        u.ctx.rect(left, top, width, height)
        u.ctx.clip()
        u.ctx.fillStyle = stroke(i)
        for (let k = c.start; k < c.end && k < line.at.length; k++) {
          const v = line.values[k]
          if (v == null) continue
          u.ctx.beginPath()
          u.ctx.arc(u.valToPos((line.at[k] as number) / 1000, 'x', true), u.valToPos(v, 'y', true), 2.6 * devicePixelRatio, 0, 7)
          u.ctx.fill()
        }
        u.ctx.restore()
      }
    })
  }
  const axis = { stroke: text, grid: { stroke: grid, width: 1 }, ticks: { show: false }, font }
  const chart = new uPlot(
    {
      width: Math.max(120, o.element.clientWidth),
      height: o.height,
      padding: [8, 26, 0, 0],
      legend: { show: false },
      tzDate: (s) => uPlot.tzDate(new Date(s * 1000), 'Etc/UTC'),
      cursor: {
        sync: { key: o.group, setSeries: false },
        drag: { x: true, y: false, setScale: false },
        points: { size: 6 },
        bind: { dblclick: () => () => (o.onZoom(null), null) },
      },
      scales: {
        x: { range: (_, lo, hi) => [lo, hi] },
        y: {
          range: (_, lo, hi) => {
            if (lo == null || hi == null) return [0, 1]
            const low = lo >= 0 && lo < hi * 0.7 ? 0 : lo - (hi - lo) * 0.1
            const high = hi + (hi - low) * 0.08
            return low === high ? [low - 1, high + 1] : [lo >= 0 ? Math.max(0, low) : low, high]
          },
        },
      },
      axes: [
        { ...axis, size: 24, space: 70, values: (_, at) => at.map((s) => time(s * 1000)) },
        {
          ...axis,
          size: 64,
          space: 30,
          ...(o.unit.startsWith('By') ? { incrs: BINARY } : {}),
          values: (_, at) => at.map((v) => value(v, o.unit)),
        },
      ],
      series: [
        {},
        ...o.lines.map((l, i) => ({
          label: `${i}`,
          stroke: stroke(i),
          width: l.cited.length || o.lines.length === 1 ? 2 : 1.25,
          dash: DASHES[i % DASHES.length],
          points: { show: l.at.length < 3 },
          spanGaps: false,
        })),
      ],
      hooks: {
        drawAxes: [below],
        draw: [above],
        setCursor: [
          (u) => {
            const i = u.cursor.idx
            o.onCursor(
              i == null ? null : data.slice(1).map((c) => nearest(c as (number | null | undefined)[], i)),
              i == null ? null : ((data[0][i] as number) ?? 0) * 1000,
            )
          },
        ],
        setSelect: [
          (u) => {
            if (u.select.width < 4) return
            const range: [number, number] = [u.posToVal(u.select.left, 'x') * 1000, u.posToVal(u.select.left + u.select.width, 'x') * 1000]
            u.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false)
            o.onZoom(range)
          },
        ],
      },
    },
    data,
    o.element,
  )
  const zoom = ([a, b]: [number, number]) => chart.setScale('x', { min: a / 1000, max: b / 1000 })
  zoom(o.range)
  return { zoom, width: (px) => chart.setSize({ width: Math.max(120, px), height: o.height }), destroy: () => chart.destroy() }
}

/** The value at a time of the shared axis, or of the sample next before it. */
function nearest(column: (number | null | undefined)[], i: number): number | null {
  for (let k = i; k >= 0 && k > i - 12; k--) {
    const v = column[k]
    if (v !== undefined) return v
  }
  return null
}
