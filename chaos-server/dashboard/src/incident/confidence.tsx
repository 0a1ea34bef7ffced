// Probabilities of the leading hypotheses after each step, as a small line chart. The table below says the same.

import type { Step } from '../api/types'
import { percent, words } from '../format'

/** The probability after a step; of what is not among its five likeliest, what it can be at most. */
export function known(step: Step, verdict: string | null): string {
  const p = step.posterior.find(([v]) => v === verdict)?.[1]
  return p === undefined ? `≤ ${percent(step.posterior[step.posterior.length - 1]?.[1] ?? 0)}` : percent(p)
}

const W = 640
const H = 150
const LEFT = 42
const RIGHT = 150
const TOP = 8
const BOTTOM = 20
const DASHES = ['', '6 3', '2 3', '8 3 2 3', '1 3']

export function Confidence({ steps, final, titles }: { steps: Step[]; final: string | null; titles: Map<string, string> }) {
  const peak = new Map<string, number>()
  for (const s of steps) for (const [v, p] of s.posterior) peak.set(v, Math.max(peak.get(v) ?? 0, p))
  const names = [...peak.entries()]
    .sort((a, b) => (a[0] === final ? -1 : b[0] === final ? 1 : b[1] - a[1]))
    .slice(0, 4)
    .map(([v]) => v)
  const x = (i: number) => LEFT + (steps.length < 2 ? 0 : (i * (W - LEFT - RIGHT)) / (steps.length - 1))
  const y = (p: number) => TOP + (1 - p) * (H - TOP - BOTTOM)
  const at = (s: Step, v: string) => s.posterior.find(([name]) => name === v)?.[1]
  // Labels at the lines' ends must not lie on each other.
  const ends = names
    .filter((v) => at(steps[steps.length - 1] as Step, v) !== undefined)
    .map((v) => ({ v, y: y(at(steps[steps.length - 1] as Step, v) ?? 0) }))
    .sort((a, b) => a.y - b.y)
  for (let i = 1; i < ends.length; i++) {
    const [before, now] = [ends[i - 1], ends[i]]
    if (before && now && now.y - before.y < 14) now.y = before.y + 14
  }
  const over = Math.max(0, (ends[ends.length - 1]?.y ?? 0) - (H - 4))
  for (const e of ends) e.y -= over
  return (
    <div class="overflow-x-auto" tabIndex={0} role="group" aria-label="Chart of the confidence; the table below has its numbers">
      <svg
        viewBox={`0 0 ${W} ${H}`}
        class="w-full max-w-3xl min-w-130 font-sans"
        role="img"
        aria-label={names.map((v) => `${titles.get(v) ?? words(v)}: ${steps.map((s) => known(s, v)).join(', ')}`).join('. ')}
      >
        {[0, 0.5, 1].map((p) => (
          <g key={p}>
            <line x1={LEFT} x2={W - RIGHT} y1={y(p)} y2={y(p)} stroke="var(--line)" />
            <text x={LEFT - 6} y={y(p) + 4} text-anchor="end" font-size="11" fill="var(--muted)">
              {percent(p)}
            </text>
          </g>
        ))}
        {steps.map((_, i) => (
          <text key={i} x={x(i)} y={H - 5} text-anchor="middle" font-size="11" fill="var(--muted)">
            {steps.length > 24 && i % 5 ? '' : i + 1}
          </text>
        ))}
        {names.map((v, k) => {
          const main = v === final
          // Only the five likeliest of each step are known: a line has a gap where it is not among them.
          const runs: (readonly [number, number])[][] = [[]]
          steps.forEach((s, i) => {
            const p = at(s, v)
            if (p === undefined) runs.push([])
            else runs[runs.length - 1]?.push([x(i), y(p)])
          })
          return (
            <g key={v} stroke={main ? 'var(--accent)' : 'var(--line-strong)'} fill={main ? 'var(--accent)' : 'var(--line-strong)'}>
              {runs.map((points, r) => (
                <polyline
                  key={r}
                  points={points.map((p) => p.join(',')).join(' ')}
                  fill="none"
                  stroke-width={main ? 2.5 : 1.25}
                  stroke-dasharray={main ? undefined : DASHES[k % DASHES.length]}
                  stroke-linejoin="round"
                />
              ))}
              {runs.flat().map(([a, b], i) => (
                <circle key={i} cx={a} cy={b} r={main ? 3 : 1.75} stroke="none" />
              ))}
            </g>
          )
        })}
        {names
          .filter((v) => !ends.some((e) => e.v === v))
          .map((v) => {
            const i = steps.findLastIndex((s) => at(s, v) !== undefined)
            const s = steps[i]
            return (
              s && (
                <text
                  key={v}
                  x={x(i) + 7}
                  y={y(at(s, v) ?? 0) + 4}
                  font-size="11"
                  fill="var(--muted)"
                  stroke="var(--panel)"
                  stroke-width="4"
                  paint-order="stroke"
                >
                  {words(v).slice(0, 20)}
                </text>
              )
            )
          })}
        {ends.map(({ v, y: top }) => (
          <text
            key={v}
            x={W - RIGHT + 8}
            y={top + 4}
            font-size="11.5"
            font-weight={v === final ? 600 : 400}
            fill={v === final ? 'var(--accent)' : 'var(--muted)'}
          >
            {words(v).slice(0, 20)} {percent(at(steps[steps.length - 1] as Step, v) ?? 0)}
          </text>
        ))}
      </svg>
    </div>
  )
}
