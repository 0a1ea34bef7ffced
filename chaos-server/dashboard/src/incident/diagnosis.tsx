// What is wrong, how sure that is, what it rests on, and how the conclusion was reached.

import { useEffect, useMemo } from 'preact/hooks'
import type { Answer, Basis, Diagnosis, Finding, Step, TraceEvent } from '../api/types'
import { commandLine, dateTime, percent, time, words } from '../format'
import { Agent, Badge, Bar, Empty, Notice, Section } from '../ui/parts'
import { CiteChips } from './cites'
import { Confidence, known } from './confidence'
import type { PanelProps } from './page'
import { isOver } from './state'

/** The steps so far: of the file when it is there, else of the trace. */
function stepsOf(diagnosis: Diagnosis | null | undefined, events: TraceEvent[]): Step[] {
  if (diagnosis) return diagnosis.steps
  return events
    .filter((e) => e.type === 'hypothesis' && Array.isArray(e.data?.posterior))
    .map((e) => ({
      what: String(e.data?.what ?? ''),
      note: String(e.data?.note ?? e.content),
      posterior: e.data?.posterior as [string, number][],
    }))
}

export function DiagnosisPanel({ id, incident, query }: PanelProps) {
  const { detail, json, events, status, seen } = incident
  const diagnosis = json?.diagnosis
  const steps = useMemo(() => stepsOf(diagnosis, events), [diagnosis, events])
  const findings = json?.findings
  const liveFindings = useMemo(() => events.filter((e) => e.type === 'finding'), [events])
  const probes = useMemo(() => events.filter((e) => e.type === 'probe'), [events])
  const over = isOver(status?.status)
  const d = detail?.diagnosis
  // An address can name a finding or a hypothesis.
  const named = ['finding', 'hypothesis']
    .map((k) => [k, query.get(k)])
    .find(([, n]) => n && /^\d+$/.test(n))
    ?.join('-')
  useEffect(() => {
    if (named && findings) reveal(named)
  }, [named, findings])
  const final = d?.fault ?? steps[steps.length - 1]?.posterior[0]?.[0] ?? null
  const titles = new Map((diagnosis?.hypotheses ?? []).map((h) => [h.fault ?? h.verdict, h.title]))

  if (!steps.length && !liveFindings.length && !findings?.length && !d) {
    return (
      <Empty title={over ? 'No diagnosis was made' : 'Nothing is diagnosed yet'}>
        {over
          ? (status?.reason ?? 'The run ended before there was enough to go by.')
          : 'Findings come when the observation ends, then the hypotheses that they speak for.'}
      </Empty>
    )
  }
  return (
    <div class="space-y-3 p-3">
      <Conclusion id={id} incident={incident} />
      <Section title="Findings" aside={findings ? `${findings.length}, the strongest first` : 'so far'}>
        {findings ? (
          <Findings id={id} findings={findings} incident={incident} />
        ) : liveFindings.length ? (
          <ul class="space-y-1.5">
            {liveFindings.map((e) => (
              <li key={e.seq} class="flex flex-wrap items-baseline gap-x-2">
                <Agent name={e.agent} /> <span class="[overflow-wrap:anywhere]">{e.content}</span>
              </li>
            ))}
          </ul>
        ) : (
          <p class="text-muted">{over ? 'Nothing abnormal was found.' : 'None yet.'}</p>
        )}
      </Section>
      {steps.length > 0 && (
        <Section title="Confidence over time" aside={`${steps.length} steps`}>
          <Confidence steps={steps} final={final} titles={titles} />
          <Steps steps={steps} final={final} titles={titles} />
        </Section>
      )}
      {probes.length > 0 && (
        <Section title="What was asked" aside={`${probes.length} questions, all read-only`}>
          <Probes probes={probes} answers={json?.answers ?? []} />
        </Section>
      )}
      {diagnosis && <Hypotheses id={id} diagnosis={diagnosis} findings={findings ?? []} answers={json?.answers ?? []} seen={seen} />}
      {diagnosis?.changes && diagnosis.changes.length > 0 && (
        <Section title="Changed shortly before">
          <ul class="space-y-1">
            {diagnosis.changes.map((c, i) => (
              <li key={i} class="flex flex-wrap gap-x-2">
                <span class="mono text-muted">{dateTime(c.at)}</span>
                <span>{c.kind}</span>
                <span class="[overflow-wrap:anywhere]">{c.what}</span>
                {c.about_culprit && <Badge tone="warn">about the culprit</Badge>}
              </li>
            ))}
          </ul>
        </Section>
      )}
      {diagnosis?.limits && diagnosis.limits.length > 0 && (
        <Section title="What limits this">
          <ul class="list-disc space-y-1 pl-5 text-muted">
            {diagnosis.limits.map((l, i) => (
              <li key={i} class="[overflow-wrap:anywhere]">
                {l}
              </li>
            ))}
          </ul>
        </Section>
      )}
      {detail && detail.errors.length > 0 && (
        <Notice tone="warn" title="Went wrong during the run">
          {detail.errors.map((e, i) => (
            <div key={i}>{e}</div>
          ))}
        </Notice>
      )}
    </div>
  )
}

function Conclusion({ id, incident }: { id: string; incident: PanelProps['incident'] }) {
  const { detail, json, seen } = incident
  const d = detail?.diagnosis
  if (!d) return null
  const culprit = json?.diagnosis?.culprit
  const injection = detail?.injection
  const right = injection && injection.causes === d.fault
  return (
    <Section title="Conclusion" aside={<Bar value={d.confidence} label={`${percent(d.confidence)} sure`} />}>
      <p class="text-base font-semibold [overflow-wrap:anywhere]">{d.title}</p>
      {d.culprit && <p class="mt-1 [overflow-wrap:anywhere]">{d.culprit}</p>}
      {culprit && <BasisChips id={id} basis={culprit.basis} incident={incident} />}
      {injection && (
        <div class="mt-2 flex flex-wrap items-center gap-2 border-t border-line pt-2">
          <span class="text-muted">Injected, unknown to the diagnosis:</span>
          <span class="mono [overflow-wrap:anywhere]">
            {injection.scenario} {injection.args}
          </span>
          <Badge tone={right ? 'ok' : 'warn'} icon={right ? 'check' : 'warn'}>
            {right ? 'found blind' : `not found: causes ${words(injection.causes)}`}
          </Badge>
          <Badge
            tone={injection.recovery.state === 'proven' ? 'ok' : 'bad'}
            icon={injection.recovery.state === 'proven' ? 'check' : 'warn'}
          >
            revert {words(injection.recovery.state)}
          </Badge>
          {injection.recovery.why && <span class="text-bad [overflow-wrap:anywhere]">{injection.recovery.why}</span>}
        </div>
      )}
      {seen?.onset && <p class="mt-1 text-xs text-muted">Began about {time(seen.onset)} UTC.</p>}
    </Section>
  )
}

function BasisChips({ id, basis, incident }: { id: string; basis: Basis[]; incident: PanelProps['incident'] }) {
  const findings = incident.json?.findings ?? []
  const cites = basis.flatMap((b) => (b.finding === undefined ? [] : [{ finding: b.finding, cites: findings[b.finding]?.cites ?? [] }]))
  return (
    <div class="mt-1.5 flex flex-wrap gap-1">
      {cites.map((c) => (
        <CiteChips key={c.finding} id={id} seen={incident.seen} finding={c.finding} cites={c.cites} most={3} />
      ))}
      {basis.map(
        (b) =>
          b.answer !== undefined && (
            <button type="button" key={`a${b.answer}`} class="chip" onClick={() => reveal(`answer-${b.answer}`)}>
              answer {b.answer + 1}
            </button>
          ),
      )}
    </div>
  )
}

function reveal(element: string) {
  const el = document.getElementById(element)
  if (!el) return
  if (el instanceof HTMLDetailsElement) el.open = true
  el.scrollIntoView({ block: 'center' })
  const inner = el.querySelector<HTMLElement>('summary')
  ;(el instanceof HTMLDetailsElement && inner ? inner : el).focus()
}

function Findings({ id, findings, incident }: { id: string; findings: Finding[]; incident: PanelProps['incident'] }) {
  if (!findings.length) return <p class="text-muted">Nothing abnormal was found.</p>
  const order = findings.map((f, i) => ({ f, i })).sort((a, b) => b.f.score - a.f.score)
  return (
    <ol class="divide-y divide-line">
      {order.map(({ f, i }) => (
        <li key={i} id={`finding-${i}`} tabIndex={-1} class="py-2 first:pt-0 last:pb-0 focus:bg-accent-soft">
          <div class="flex flex-wrap items-baseline gap-x-2">
            <Agent name={f.agent} />
            {f.signal.change && <span class="text-xs text-muted">{words(f.signal.change)}</span>}
            {f.onset && <span class="mono text-xs! text-muted">{time(f.onset)}</span>}
            <span class="ml-auto text-xs text-muted">
              <Bar value={f.score} label={f.score.toFixed(2)} />
            </span>
          </div>
          <p class="[overflow-wrap:anywhere]">{f.summary}</p>
          <div class="mt-1">
            <CiteChips id={id} seen={incident.seen} finding={i} cites={f.cites} />
          </div>
        </li>
      ))}
    </ol>
  )
}

function Steps({ steps, final, titles }: { steps: Step[]; final: string | null; titles: Map<string, string> }) {
  const p = steps.map((s) => s.posterior.find(([v]) => v === final)?.[1] ?? 0)
  const gains = p.map((x, i) => (i ? x - (p[i - 1] ?? 0) : 0))
  const best = gains.indexOf(Math.max(...gains))
  const name = final ? (titles.get(final) ?? words(final)) : ''
  return (
    <table class="mt-3 w-full">
      <caption class="pb-1 text-left text-xs text-muted">How likely “{name}” was after each step</caption>
      <thead class="sr-only">
        <tr>
          <th scope="col">Step</th>
          <th scope="col">What was taken into account</th>
          <th scope="col">Probability</th>
          <th scope="col">Change</th>
        </tr>
      </thead>
      <tbody>
        {steps.map((s, i) => (
          <tr key={i} class="border-t border-line align-baseline">
            <td class="w-7 py-1 text-xs text-muted tabular-nums">{i + 1}</td>
            <td class="py-1 pr-2 [overflow-wrap:anywhere]">
              {s.note}
              {i === best && (gains[i] ?? 0) > 0 && (
                <>
                  {' '}
                  <Badge tone="accent" icon="check">
                    settled it
                  </Badge>
                </>
              )}
              {s.posterior[0] && s.posterior[0][0] !== final && (
                <span class="text-xs text-muted">
                  {' '}
                  most likely then: {words(s.posterior[0][0])} {percent(s.posterior[0][1])}
                </span>
              )}
            </td>
            <td class="w-14 py-1 text-right tabular-nums">{known(s, final)}</td>
            <td class="w-16 py-1 text-right text-xs text-muted tabular-nums">
              {i ? `${(gains[i] ?? 0) >= 0 ? '+' : '−'}${Math.abs(Math.round((gains[i] ?? 0) * 100))}` : ''}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function Probes({ probes, answers }: { probes: TraceEvent[]; answers: Answer[] }) {
  const answered = probes.filter((e) => typeof e.data?.answer === 'number')
  const silent = probes.filter((e) => typeof e.data?.answer !== 'number')
  return (
    <div class="space-y-2">
      <ol class="space-y-1">
        {answered.map((e) => {
          const n = e.data?.answer as number
          const answer = answers[n]
          return (
            <li key={e.seq}>
              <details id={`answer-${n}`} class="rounded border border-line">
                <summary class="px-2 py-1 [overflow-wrap:anywhere]">
                  <span class="text-xs text-muted">answer {n + 1}</span> {e.content}
                </summary>
                <div class="space-y-1 border-t border-line p-2">
                  {answer ? (
                    <>
                      <div class="code">{answer.ask.run ? commandLine(answer.ask.run.argv) : JSON.stringify(answer.ask)}</div>
                      <div class="code max-h-72 overflow-y-auto" tabIndex={0} aria-label="Output">
                        {answer.stdout || answer.stderr || 'It printed nothing.'}
                      </div>
                    </>
                  ) : (
                    <p class="text-muted">The whole answer is stored when the run ends.</p>
                  )}
                </div>
              </details>
            </li>
          )
        })}
      </ol>
      {silent.length > 0 && (
        <details>
          <summary class="text-muted">{silent.length} could not be answered, and nothing is concluded from them</summary>
          <ul class="mt-1 list-disc space-y-1 pl-5 text-muted">
            {silent.map((e) => (
              <li key={e.seq} class="[overflow-wrap:anywhere]">
                {e.content}
              </li>
            ))}
          </ul>
        </details>
      )}
    </div>
  )
}

function Hypotheses({
  id,
  diagnosis,
  findings,
  answers,
  seen,
}: {
  id: string
  diagnosis: Diagnosis
  findings: Finding[]
  answers: Answer[]
  seen: PanelProps['incident']['seen']
}) {
  const shown = diagnosis.hypotheses.filter((h, i) => i < 3 || h.posterior >= 0.01).slice(0, 10)
  const rest = diagnosis.hypotheses.length - shown.length
  return (
    <Section title="Hypotheses" aside={`${diagnosis.hypotheses.length} were considered`}>
      <ol class="divide-y divide-line">
        {shown.map((h, i) => (
          <li key={i} id={`hypothesis-${i}`} tabIndex={-1} class="py-2 first:pt-0 focus:bg-accent-soft">
            <div class="flex flex-wrap items-baseline gap-x-3">
              <span class={i === 0 ? 'font-semibold' : ''}>{h.title}</span>
              <span class="ml-auto">
                <Bar value={h.posterior} label={h.posterior < 0.01 ? '< 1 %' : percent(h.posterior)} />
              </span>
            </div>
            {(h.basis.length > 0 || h.against?.length) && (
              <details class="mt-0.5" open={i === 0}>
                <summary class="text-xs text-muted">
                  {h.basis.length} for, {h.against?.length ?? 0} against
                </summary>
                <ul class="mt-1 space-y-1 text-[13px]">
                  {h.basis.map((b, k) => (
                    <li key={k} class="flex gap-2">
                      <span class="w-12 flex-none text-xs leading-5 text-ok">for</span>
                      <span class="min-w-0 [overflow-wrap:anywhere]">
                        {b.finding !== undefined ? (
                          <>
                            {findings[b.finding]?.summary ?? `finding ${b.finding + 1}`}{' '}
                            <CiteChips id={id} seen={seen} finding={b.finding} cites={findings[b.finding]?.cites ?? []} most={2} />
                          </>
                        ) : (
                          <button type="button" class="chip" onClick={() => reveal(`answer-${b.answer}`)}>
                            answer {(b.answer ?? 0) + 1}:{' '}
                            <span class="mono truncate">{commandLine(answers[b.answer ?? 0]?.ask.run?.argv ?? [])}</span>
                          </button>
                        )}
                      </span>
                    </li>
                  ))}
                  {h.against?.map((a, k) => (
                    <li key={`a${k}`} class="flex gap-2">
                      <span class="w-12 flex-none text-xs leading-5 text-bad">against</span>
                      <span class="[overflow-wrap:anywhere]">{a}</span>
                    </li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ol>
      {rest > 0 && <p class="pt-2 text-xs text-muted">{rest} others, each below 1 %. All of them are in incident.json.</p>}
    </Section>
  )
}
