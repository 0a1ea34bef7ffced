// What could go wrong with the plan, by the Tester's own judgement of its commands.

import type { ActionRisk, Risk } from '../api/types'
import { commandLine, words } from '../format'
import { Badge, Empty, RiskBadge, Section } from '../ui/parts'
import { tabHref } from './link'
import type { PanelProps } from './page'
import { isOver } from './state'

const CATEGORIES = ['downtime', 'data_loss', 'dependency_ripple', 'privilege', 'network', 'irreversible']

export function RiskPanel({ id, incident }: PanelProps) {
  const { detail, json, status } = incident
  const plans = (detail?.plans ?? [])
    .map((plan) => ({ plan, risk: json?.risks?.find((r) => r.plan_sha256 === plan.plan_sha256) ?? plan.risk }))
    .filter((p) => p.risk)
  if (!plans.length) {
    return (
      <Empty title={isOver(status?.status) ? 'There is no plan whose risk could be judged' : 'Nothing to judge yet'}>
        {isOver(status?.status) ? null : 'The risk is worked out when there is a plan.'}
      </Empty>
    )
  }
  return (
    <div class="space-y-3 p-3">
      {plans.map(
        ({ plan, risk }) =>
          risk && (
            <Section key={plan.plan_sha256} title={plan.summary || 'Plan'} aside={<RiskBadge level={risk.level} verdict={risk.verdict} />}>
              <Overview risk={risk} />
              <ol class="mt-3 divide-y divide-line border-t border-line">
                {risk.actions.map((a, i) => (
                  <Action key={a.action} risk={a} number={i + 1} title={plan.actions.find((p) => p.id === a.action)?.title ?? a.action} />
                ))}
              </ol>
              <p class="mt-2 text-xs">
                <a class="link" href={tabHref(id, 'fix')}>
                  To the steps and the rehearsal
                </a>
              </p>
            </Section>
          ),
      )}
    </div>
  )
}

function Overview({ risk }: { risk: Risk }) {
  return (
    <dl class="grid gap-x-4 gap-y-2 sm:grid-cols-[8rem_1fr]">
      <dt class="text-muted">What could be hit</dt>
      <dd>
        <ul class="flex flex-wrap gap-1">
          {CATEGORIES.map((c) => {
            const hit = risk.categories.includes(c)
            return (
              <li key={c}>
                <Badge tone={hit ? 'warn' : 'none'} icon={hit ? 'warn' : 'dash'}>
                  {words(c)}
                  <span class="sr-only">{hit ? ': yes' : ': no'}</span>
                </Badge>
              </li>
            )
          })}
        </ul>
      </dd>
      <dt class="text-muted">Blast radius</dt>
      <dd>
        {risk.blast_radius.length ? (
          <ul class="space-y-0.5">
            {risk.blast_radius.map((b, i) => (
              <li key={i} class="[overflow-wrap:anywhere]">
                {b}
              </li>
            ))}
          </ul>
        ) : (
          'nothing beyond the target of the actions was found'
        )}
      </dd>
      <dt class="text-muted">Verdict</dt>
      <dd>
        {{ safe: 'It reads only.', needs_approval: 'A person must approve it.', dangerous: 'A person must agree twice.' }[risk.verdict] ??
          risk.verdict}
      </dd>
    </dl>
  )
}

function Action({ risk: a, number, title }: { risk: ActionRisk; number: number; title: string }) {
  return (
    <li class="space-y-2 py-3">
      <div class="flex flex-wrap items-center gap-2">
        <h3 class="font-medium [overflow-wrap:anywhere]">
          {number}. {title}
        </h3>
        <RiskBadge level={a.level} verdict={a.verdict} />
        {a.categories.map((c) => (
          <Badge key={c} tone="none">
            {words(c)}
          </Badge>
        ))}
      </div>
      <Lines
        title="Rules that fired"
        none="none"
        items={a.rules.map((r) => (
          <>
            <code class="mono">{r.rule}</code> {r.why}
            {r.words?.length ? <span class="text-muted"> ({r.words.join(' ')})</span> : null}
          </>
        ))}
      />
      {a.unresolved && a.unresolved.length > 0 && <Lines title="Could not be resolved" items={a.unresolved} />}
      <Lines
        title="Tried out without changing anything"
        none="nothing"
        items={(a.simulated ?? []).map((s) =>
          typeof s === 'string' ? (
            s
          ) : (
            <>
              <Badge tone={s.passed ? 'ok' : 'bad'} icon={s.passed ? 'check' : 'cross'}>
                {s.passed ? 'passed' : 'failed'}
              </Badge>{' '}
              <code class="mono">{commandLine(s.argv)}</code> <span class="text-muted">{s.shows}</span>
            </>
          ),
        )}
      />
      {a.not_simulated && a.not_simulated.length > 0 && <Lines title="Not tried out" items={a.not_simulated} />}
    </li>
  )
}

function Lines({ title, items, none }: { title: string; items: preact.ComponentChildren[]; none?: string }) {
  return (
    <div class="grid gap-x-4 gap-y-1 text-[13px] sm:grid-cols-[8rem_1fr]">
      <div class="text-muted">{title}</div>
      {items.length ? (
        <ul class="min-w-0 space-y-1">
          {items.map((x, i) => (
            <li key={i} class="[overflow-wrap:anywhere]">
              {x}
            </li>
          ))}
        </ul>
      ) : (
        <div>{none}</div>
      )}
    </div>
  )
}
