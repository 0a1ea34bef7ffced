// Which incident, how far it is, what came of it, and what can be done with it.

import { useMemo, useState } from 'preact/hooks'
import { post } from '../api/client'
import { useNow } from '../api/poll'
import type { ResetResult } from '../api/types'
import { between, dateTime, percent, time, words } from '../format'
import { may, useSession } from '../session'
import { Icon } from '../ui/icons'
import { Badge, Modal, Notice, StatusBadge } from '../ui/parts'
import { type IncidentState, isApplying, isOver } from './state'

const PHASES = ['prepare', 'baseline', 'inject', 'observe', 'detect', 'investigate', 'plan', 'rehearse', 'revert', 'report', 'done']

export function Header({ id, incident }: { id: string; incident: IncidentState }) {
  const { status: s, detail } = incident
  const now = useNow(1000)
  if (!s) return null
  const over = isOver(s.status)
  const d = detail?.diagnosis
  return (
    <header class="flex-none border-b border-line bg-panel px-3 py-2">
      <div class="flex flex-wrap items-center gap-x-3 gap-y-1">
        <h1 class="mono text-[15px]! font-semibold">{id}</h1>
        <StatusBadge status={s.status} />
        <div class="contents max-sm:order-1 max-sm:flex max-sm:w-full max-sm:flex-wrap max-sm:gap-x-3">
          <span class="min-w-0 [overflow-wrap:anywhere]">
            <span class="text-muted">target</span> {s.target.name}
            {s.target.kind !== s.target.name && <span class="text-muted"> ({s.target.kind})</span>}
          </span>
          {s.scenario && (
            <span>
              <span class="text-muted">injected</span> {s.scenario}
            </span>
          )}
          <span class="tabular-nums" title={`${dateTime(s.began)} UTC`}>
            <span class="text-muted">{dateTime(s.began)}</span>
            {s.ended && <span class="text-muted"> to {time(s.ended)} UTC</span>}
            {!s.ended && <span class="text-muted"> UTC</span>}
            {', '}
            {between(s.began, s.ended ?? now)}
          </span>
        </div>
        <Actions id={id} incident={incident} />
      </div>
      {d && over && (
        <p class="mt-1 line-clamp-2 [overflow-wrap:anywhere]" title={d.culprit ?? undefined}>
          <strong class="font-semibold">{d.title}</strong> <span class="tabular-nums">{percent(d.confidence)}</span>
          {d.culprit && <span class="text-muted"> · {d.culprit}</span>}
          {detail?.confirmed && (
            <>
              {' '}
              <Badge tone={detail.confirmed === d.fault ? 'ok' : 'warn'} icon="check">
                confirmed: {words(detail.confirmed)}
              </Badge>
            </>
          )}
        </p>
      )}
      {s.reason && <p class="mt-1 text-muted [overflow-wrap:anywhere]">{s.reason}</p>}
      {(!over || isApplying(s)) && <Progress incident={incident} />}
    </header>
  )
}

function Progress({ incident }: { incident: IncidentState }) {
  const entered = useMemo(() => new Set(incident.events.map((e) => e.phase)), [incident.events])
  const s = incident.status
  if (!s) return null
  if (s.status === 'queued') return <p class="mt-1 text-muted">In the queue{s.queue_position ? `, at place ${s.queue_position}` : ''}.</p>
  const steps = s.scenario ? PHASES : PHASES.filter((p) => p !== 'inject' && p !== 'revert')
  const planned = s.phase === 'apply' ? [...steps, 'apply'] : steps
  // What was left out, as the baseline of a mere look, is no step that was done.
  const all = planned.filter((p, i) => i >= planned.indexOf(s.phase) || entered.has(p))
  const at = all.indexOf(s.phase)
  return (
    <div class="mt-2">
      <ol class="flex gap-0.5" aria-label="Phases">
        {all.map((p, i) => (
          <li key={p} class="min-w-0 flex-1" aria-current={i === at ? 'step' : undefined}>
            <div class={`h-1.5 rounded-sm ${i < at ? 'bg-accent' : i === at ? 'pulse bg-accent' : 'bg-line'}`} />
            <div class={`truncate text-[11px] leading-4 max-sm:hidden ${i === at ? 'font-semibold' : 'text-muted'}`}>
              {p}
              <span class="sr-only">{i < at ? ', done' : i === at ? ', now' : ', to come'}</span>
            </div>
          </li>
        ))}
      </ol>
      <p class="text-xs sm:hidden">
        {s.phase}, step {at + 1} of {all.length}
      </p>
    </div>
  )
}

function Actions({ id, incident }: { id: string; incident: IncidentState }) {
  const { me } = useSession()
  const [asking, setAsking] = useState<'stop' | 'reset' | null>(null)
  const s = incident.status
  if (!s) return null
  const over = isOver(s.status)
  const live = s.target.kind === 'ssh' || s.target.kind === 'local'
  const allowed = may(me, 'run')
  const why = allowed ? undefined : 'needs the role run'
  return (
    <div class="ml-auto flex flex-wrap gap-2">
      <button type="button" class="btn" onClick={incident.refresh} title="Refresh (r)">
        <Icon name="refresh" /> <span class="max-sm:sr-only">Refresh</span>
      </button>
      {!over && (
        <button type="button" class="btn btn-bad" disabled={!allowed} title={why} onClick={() => setAsking('stop')}>
          <Icon name="stop" /> <span>Stop</span>
        </button>
      )}
      {live && (
        <button type="button" class="btn" disabled={!allowed} title={why} onClick={() => setAsking('reset')}>
          Reset<span class="max-sm:sr-only"> target</span>
        </button>
      )}
      {asking && (
        <Confirm
          id={id}
          what={asking}
          target={s.target.name}
          onClose={() => {
            setAsking(null)
            incident.refresh()
          }}
        />
      )}
    </div>
  )
}

function Confirm({ id, what, target, onClose }: { id: string; what: 'stop' | 'reset'; target: string; onClose: () => void }) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const [result, setResult] = useState<ResetResult | null>(null)
  const act = async () => {
    setBusy(true)
    setError(null)
    try {
      if (what === 'stop') {
        await post(`/incidents/${encodeURIComponent(id)}/stop`)
        onClose()
      } else {
        setResult(await post<ResetResult>(`/incidents/${encodeURIComponent(id)}/reset`, undefined, 310))
      }
    } catch (e) {
      setError(e instanceof Error ? e.message : String(e))
    }
    setBusy(false)
  }
  return (
    <Modal title={what === 'stop' ? `Stop ${id}?` : `Reset ${target}?`} onClose={onClose}>
      {what === 'stop' ? (
        <p>It ends early: an injected fault is reverted, and what is known by then is reported.</p>
      ) : (
        <p>
          The incident is stopped if it runs. Then every fault that this project injected into {target} is ended, and it is checked that
          each is gone. This can take minutes.
        </p>
      )}
      {error && (
        <div class="mt-3">
          <Notice tone="bad">{error}</Notice>
        </div>
      )}
      {result && (
        <div class="mt-3 space-y-2">
          <Notice tone={result.proven ? 'ok' : 'bad'} title={result.proven ? 'Proven: no fault of ours is left' : 'Not proven'}>
            {result.scenarios.length === 0 && 'Nothing had to be ended.'}
          </Notice>
          <ul class="space-y-1">
            {result.scenarios.map((x) => (
              <li key={x.scenario}>
                <span class="mono">{x.scenario}</span>: {words(x.state)}
                {x.why && <span class="text-muted">, {x.why}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
      <div class="mt-4 flex justify-end gap-2">
        <button type="button" class="btn" onClick={onClose}>
          {result ? 'Close' : 'Cancel'}
        </button>
        {!result && (
          <button type="button" class={`btn ${what === 'stop' ? 'btn-bad' : 'btn-primary'}`} disabled={busy} onClick={act}>
            {busy ? (what === 'stop' ? 'Stopping' : 'Resetting') : what === 'stop' ? 'Stop it' : 'Reset it'}
          </button>
        )}
      </div>
    </Modal>
  )
}
