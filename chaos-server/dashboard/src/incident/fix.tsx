// What to do: the steps, what a rehearsal of them changed, and the two decisions of a person: approve, apply.

import { text, fileUrl } from '../api/client'
import type { Applied, Detail, FileChange, Plan, RawAction, Rehearsed, Risk } from '../api/types'
import { commandLine, percent, time, words } from '../format'
import { Icon } from '../ui/icons'
import { Badge, Bar, Copy, Empty, Notice, RiskBadge, Section } from '../ui/parts'
import { Decide } from './decide'
import { tabHref } from './link'
import type { PanelProps } from './page'
import { isOver } from './state'

export function FixPanel({ id, incident }: PanelProps) {
  const { detail, json, status } = incident
  const over = isOver(status?.status)
  const plans = detail?.plans ?? []
  if (!plans.length) {
    return (
      <Empty title={over ? 'No fix is proposed' : 'No fix yet'}>
        {over
          ? 'The run ended before there was a plan.'
          : 'Steps are worked out when the cause is known, then judged without touching the target.'}
      </Empty>
    )
  }
  return (
    <div class="space-y-3 p-3">
      {detail?.applied && <Outcome applied={detail.applied} />}
      {plans.map((plan, i) => (
        <PlanView
          key={plan.plan_sha256}
          id={id}
          plan={plan}
          best={i === 0}
          of={plans.length}
          detail={detail as Detail}
          raw={json?.plans?.find((p) => p.plan_sha256 === plan.plan_sha256)?.actions}
          risk={json?.risks?.find((r) => r.plan_sha256 === plan.plan_sha256) ?? plan.risk}
          incident={incident}
        />
      ))}
    </div>
  )
}

interface PlanProps {
  id: string
  plan: Plan
  best: boolean
  of: number
  detail: Detail
  raw: RawAction[] | undefined
  risk: Risk | null
  incident: PanelProps['incident']
}

function PlanView({ id, plan, best, of, detail, raw, risk, incident }: PlanProps) {
  const script = best && detail.files.some((f) => f.name === 'fix.sh')
  return (
    <>
      <Section
        title={of > 1 ? (best ? 'Plan, the best of them' : 'Another plan') : 'Plan'}
        aside={
          <>
            {risk && (
              <a href={tabHref(id, 'risk')}>
                <RiskBadge level={risk.level} verdict={risk.verdict} />
              </a>
            )}
            {script && <Copy label="Copy fix.sh" text={() => text(fileUrl(id, 'fix.sh'))} class="min-h-7! py-0!" />}
          </>
        }
      >
        <p class="font-semibold [overflow-wrap:anywhere]">{plan.summary}</p>
        <p class="mt-1 flex flex-wrap items-center gap-x-2 text-xs text-muted">
          <span>Plan</span> <code class="mono text-xs! [overflow-wrap:anywhere]">{plan.plan_sha256}</code>
          {!detail.applied && <span>Nothing of it has been run.</span>}
        </p>
        {plan.actions.length === 0 && <p class="mt-2">No action is warranted.</p>}
        <ol class="mt-2 divide-y divide-line">
          {plan.actions.map((a, i) => {
            const r = risk?.actions.find((x) => x.action === a.id)
            const more = raw?.find((x) => x.id === a.id)
            return (
              <li key={a.id} class="space-y-2 py-3 last:pb-0">
                <div class="flex flex-wrap items-center gap-x-2 gap-y-1">
                  <h3 class="font-medium [overflow-wrap:anywhere]">
                    {i + 1}. {a.title}
                  </h3>
                  {r && <RiskBadge level={r.level} verdict={r.verdict} />}
                  <span class="ml-auto text-xs text-muted">
                    <Bar value={a.confidence} label={`${percent(a.confidence)} sure that it helps`} />
                  </span>
                </div>
                <div class="code">{a.command}</div>
                <p class="[overflow-wrap:anywhere]">{a.rationale}</p>
                <dl class="grid gap-x-4 gap-y-1 text-[13px] sm:grid-cols-[8rem_1fr]">
                  <dt class="text-muted">Acts on</dt>
                  <dd class="[overflow-wrap:anywhere]">{a.target}</dd>
                  <dt class="text-muted">Downtime</dt>
                  <dd class="[overflow-wrap:anywhere]">{a.downtime}</dd>
                  <dt class="text-muted">Can be undone</dt>
                  <dd>{{ full: 'fully', partial: 'in part', none: 'no' }[a.reversibility] ?? a.reversibility}</dd>
                  {more && more.cites.length > 0 && (
                    <>
                      <dt class="text-muted">Rests on</dt>
                      <dd class="flex flex-wrap gap-1">
                        {more.cites.map((h) => (
                          <a key={h} class="chip hover:bg-accent-soft" href={tabHref(id, 'diagnosis', { hypothesis: h })}>
                            <Icon name="evidence" class="size-3" />{' '}
                            <span class="truncate">{incident.json?.diagnosis?.hypotheses[h]?.title ?? `hypothesis ${h + 1}`}</span>
                          </a>
                        ))}
                      </dd>
                    </>
                  )}
                  {more && more.preconditions.length > 0 && (
                    <Commands what="Only if" lines={more.preconditions.map((c) => [c.title, commandLine(c.argv)])} />
                  )}
                  {more?.backup && more.backup.length > 0 && (
                    <Commands what="Saved before" lines={more.backup.map((c) => ['', commandLine(c)])} />
                  )}
                  {a.verify.length > 0 && (
                    <Commands
                      what="Must hold after"
                      lines={more ? more.verify.map((c) => [c.title, commandLine(c.argv)]) : a.verify.map((v) => [v, ''])}
                    />
                  )}
                  {a.rollback.length > 0 && <Commands what="Undone by" lines={a.rollback.map((c) => ['', c])} />}
                  {more && (
                    <>
                      <dt class="text-muted">If it fails</dt>
                      <dd>
                        {{ abort: 'stop there', continue: 'go on', rollback: 'undo what was done' }[more.on_failure] ?? more.on_failure},
                        after {more.timeout_s} s at most
                      </dd>
                    </>
                  )}
                </dl>
              </li>
            )
          })}
        </ol>
        {plan.alternatives.length > 0 && <List title="Other ways" items={plan.alternatives} />}
        {plan.next_questions.length > 0 && <List title="What to look at next" items={plan.next_questions} />}
      </Section>
      {risk?.rehearsed && <Rehearsal rehearsed={risk.rehearsed} />}
      {plan.actions.length > 0 && <Decide id={id} plan={plan} risk={risk} detail={detail} incident={incident} />}
    </>
  )
}

function Commands({ what, lines }: { what: string; lines: string[][] }) {
  return (
    <>
      <dt class="text-muted">{what}</dt>
      <dd class="min-w-0 space-y-1">
        {lines.map(([title, command], i) => (
          <div key={i} class="[overflow-wrap:anywhere]">
            {title} {command && <code class="mono text-muted">{command}</code>}
          </div>
        ))}
      </dd>
    </>
  )
}

function List({ title, items }: { title: string; items: string[] }) {
  return (
    <div class="mt-3 border-t border-line pt-2">
      <h3 class="font-medium">{title}</h3>
      <ul class="mt-1 list-disc space-y-1 pl-5">
        {items.map((x, i) => (
          <li key={i} class="[overflow-wrap:anywhere]">
            {x}
          </li>
        ))}
      </ul>
    </div>
  )
}

function Rehearsal({ rehearsed: r }: { rehearsed: Rehearsed }) {
  const line = (c: string | string[] | undefined) => (Array.isArray(c) ? commandLine(c) : (c ?? ''))
  const passed = !r.unable && r.steps.every((s) => s.passed)
  return (
    <Section
      title="Rehearsal in a sandbox"
      aside={
        <Badge tone={passed ? 'ok' : 'warn'} icon={passed ? 'check' : 'warn'}>
          {r.unable ? 'not done' : passed ? 'every command succeeded' : 'a command failed'}
        </Badge>
      }
    >
      <div class="space-y-3">
        {r.unable && (
          <Notice tone="warn" title="It could not be rehearsed">
            {r.unable}
          </Notice>
        )}
        {r.steps.length > 0 && (
          <ol class="space-y-1">
            {r.steps.map((s, i) => (
              <li key={i}>
                <Badge tone={s.passed ? 'ok' : 'bad'} icon={s.passed ? 'check' : 'cross'}>
                  {s.ended}
                </Badge>{' '}
                <code class="mono [overflow-wrap:anywhere]">{s.command ?? line(s.argv)}</code>
                {s.output && (
                  <div class="code mt-1 max-h-40 overflow-y-auto" tabIndex={0} aria-label="Output">
                    {s.output}
                  </div>
                )}
              </li>
            ))}
          </ol>
        )}
        {r.changes.length > 0 ? (
          <div>
            <h3 class="font-medium">
              It would change {r.changes.length + (r.changes_beyond ?? 0)} {r.changes.length === 1 && !r.changes_beyond ? 'file' : 'files'}
            </h3>
            <ul class="mt-1 space-y-1">
              {r.changes.map((c, i) => (
                <Change key={i} change={c} />
              ))}
            </ul>
            {!!r.changes_beyond && <p class="mt-1 text-muted">and {r.changes_beyond} more that are not listed.</p>}
          </div>
        ) : (
          !r.unable && <p class="text-muted">It would change no file.</p>
        )}
        {r.would_run.length > 0 && (
          <div>
            <h3 class="font-medium">It would call</h3>
            {r.would_run.map((c, i) => (
              <div key={i} class="code mt-1">
                {line(c)}
              </div>
            ))}
          </div>
        )}
        {r.limits.length > 0 && <List title="What a rehearsal can't know" items={r.limits} />}
      </div>
    </Section>
  )
}

const CHANGE: Record<string, ['bad' | 'warn' | 'ok' | 'none', string]> = {
  deleted: ['bad', '−'],
  modified: ['warn', '±'],
  added: ['ok', '+'],
  metadata: ['none', '='],
}

function Change({ change: c }: { change: FileChange }) {
  const [tone, sign] = CHANGE[c.kind] ?? ['none', '?']
  const head = (
    <>
      <Badge tone={tone}>
        <span aria-hidden="true">{sign}</span> {c.kind}
      </Badge>{' '}
      <code class="mono [overflow-wrap:anywhere]">{c.path}</code> <span class="text-muted">{c.detail}</span>
    </>
  )
  if (!c.diff) return <li>{head}</li>
  return (
    <li>
      <details class="rounded border border-line" open>
        <summary class="px-2 py-1">{head}</summary>
        <div class="overflow-x-auto border-t border-line bg-sunken py-1" tabIndex={0} role="group" aria-label={`Diff of ${c.path}`}>
          {c.diff.split('\n').map((l, i) => {
            const kind = l.startsWith('+')
              ? 'bg-ok-soft text-ok'
              : l.startsWith('-')
                ? 'bg-bad-soft text-bad'
                : l.startsWith('@@')
                  ? 'text-accent'
                  : ''
            return (
              <div key={i} class={`mono min-w-max px-2 whitespace-pre ${kind}`}>
                {l || ' '}
              </div>
            )
          })}
        </div>
      </details>
    </li>
  )
}

const ENDINGS: Record<string, 'ok' | 'warn' | 'bad' | 'none'> = {
  resolved: 'ok',
  not_resolved: 'warn',
  nothing_done: 'none',
  rolled_back: 'warn',
  stopped: 'bad',
  rollback_failed: 'bad',
  unknown: 'bad',
}

function Outcome({ applied: a }: { applied: Applied }) {
  return (
    <Section title="Applied" aside={`${time(a.began)} to ${time(a.ended)} UTC`}>
      <Notice tone={ENDINGS[a.ending] ?? 'warn'} title={words(a.ending)}>
        {a.why}
      </Notice>
      <ol class="mt-2 space-y-1">
        {a.steps.map((s, i) => (
          <li key={i} class="flex flex-wrap items-baseline gap-x-2">
            <Badge tone={s.passed ? 'ok' : 'bad'} icon={s.passed ? 'check' : 'cross'}>
              {s.ended}
            </Badge>
            <span class="text-xs text-muted">{words(s.kind)}</span>
            <code class="mono [overflow-wrap:anywhere]">{s.command}</code>
          </li>
        ))}
      </ol>
      {a.compared.length > 0 && (
        <ul class="mt-2 space-y-1 border-t border-line pt-2">
          {a.compared.map((c, i) => (
            <li key={i} class="[overflow-wrap:anywhere]">
              <Badge tone={c.back ? 'ok' : 'warn'} icon={c.back ? 'check' : 'warn'}>
                {c.back ? 'as usual again' : 'still abnormal'}
              </Badge>{' '}
              {c.what}
            </li>
          ))}
        </ul>
      )}
      {a.by_hand.length > 0 && <List title="To do by hand" items={a.by_hand} />}
    </Section>
  )
}
