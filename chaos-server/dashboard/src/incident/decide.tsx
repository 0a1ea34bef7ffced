// A person's consent to one plan, bound to its hash, and then its application. Two separate acts; what is dangerous
// needs an explicit tick in each.

import { useState } from 'preact/hooks'
import { post } from '../api/client'
import { useNow } from '../api/poll'
import type { Approval, Detail, Plan, Risk } from '../api/types'
import { dateTime, duration } from '../format'
import { may, useSession } from '../session'
import { Notice, Section } from '../ui/parts'
import { type IncidentState, isApplying, isCutOff, isOver } from './state'

interface Props {
  id: string
  plan: Plan
  risk: Risk | null
  detail: Detail
  incident: IncidentState
}

export function Decide({ id, plan, risk, detail, incident }: Props) {
  const { me } = useSession()
  const now = useNow(1000)
  const over = isOver(incident.status?.status)
  const live = detail.target.kind === 'ssh' || detail.target.kind === 'local'
  const approval = detail.approval
  const mine = approval && approval.plan_sha256 === plan.plan_sha256 && Date.parse(approval.expires_at) > now ? approval : null
  if (!me.allow_apply || !live || !over || detail.applied) {
    const why = detail.applied
      ? 'It was applied once; a new incident says how things are now.'
      : !live
        ? 'This target is a recording: there is nothing to apply it to.'
        : !me.allow_apply
          ? 'This server applies no fixes (allow_apply is off). Read fix.sh and run it yourself.'
          : 'It can be approved when the run has ended.'
    return <p class="px-1 text-muted">{why}</p>
  }
  if (!may(me, 'approve')) return <p class="px-1 text-muted">To approve or apply it you need the role approve; yours is {me.role}.</p>
  if (isApplying(incident.status)) {
    return (
      <Notice tone="none" title="It is being applied">
        The timeline shows each step.
      </Notice>
    )
  }
  if (isCutOff(incident.status, detail)) {
    return (
      <Notice tone="bad" title="It was being applied, and that was cut off">
        The timeline shows what was done; what was under way then may be done or not. Look at the target, then start a new incident.
      </Notice>
    )
  }
  const last = incident.events[incident.events.length - 1]
  const failed = last?.phase === 'apply' && last.type === 'error' ? last.content : null
  return mine ? (
    <Apply
      id={id}
      plan={plan}
      approval={mine}
      left={Date.parse(mine.expires_at) - now}
      dangerous={risk?.verdict === 'dangerous'}
      target={detail.target.name}
      failed={failed}
      onDone={incident.refresh}
    />
  ) : (
    <Approve id={id} plan={plan} dangerous={risk?.verdict === 'dangerous'} onDone={incident.refresh} />
  )
}

function Hash({ of }: { of: string }) {
  return (
    <code class="mono rounded bg-sunken px-1 [overflow-wrap:anywhere]">
      <strong>{of.slice(0, 8)}</strong>
      {of.slice(8)}
    </code>
  )
}

function Dangerous({ checked, onChange, text }: { checked: boolean; onChange: (v: boolean) => void; text: string }) {
  return (
    <label class="flex items-start gap-2 rounded border border-bad p-2">
      <input class="mt-1" type="checkbox" checked={checked} onChange={(e) => onChange(e.currentTarget.checked)} />
      <span>
        <strong class="text-bad">This plan is dangerous.</strong> {text}
      </span>
    </label>
  )
}

function Approve({ id, plan, dangerous, onDone }: { id: string; plan: Plan; dangerous: boolean; onDone: () => void }) {
  const [reason, setReason] = useState('')
  const [expires, setExpires] = useState('1800')
  const [agreed, setAgreed] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const submit = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await post<Approval>(`/incidents/${encodeURIComponent(id)}/approve`, {
        plan: plan.plan_sha256,
        reason: reason.trim(),
        expires: Number(expires),
        dangerous: dangerous && agreed,
      })
      onDone()
    } catch (x) {
      setError(x instanceof Error ? x.message : String(x))
    }
    setBusy(false)
  }
  return (
    <Section title="Approve this plan">
      <form class="space-y-3" onSubmit={submit}>
        <p>
          An approval is for exactly this plan, <Hash of={plan.plan_sha256} />, for one application.
        </p>
        <div class="grid gap-3 sm:grid-cols-[1fr_10rem]">
          <label class="block">
            <span class="mb-1 block font-medium">Reason</span>
            <input
              class="field"
              required
              maxLength={500}
              autocomplete="off"
              placeholder="who agreed, and why"
              value={reason}
              onInput={(e) => setReason(e.currentTarget.value)}
            />
          </label>
          <label class="block">
            <span class="mb-1 block font-medium">Valid for</span>
            <select class="field" value={expires} onChange={(e) => setExpires(e.currentTarget.value)}>
              <option value="600">10 minutes</option>
              <option value="1800">30 minutes</option>
              <option value="7200">2 hours</option>
            </select>
          </label>
        </div>
        {dangerous && (
          <Dangerous checked={agreed} onChange={setAgreed} text="I have read its steps and its risk, and approve it all the same." />
        )}
        {error && (
          <Notice tone="bad" title="It was not approved">
            {error}
          </Notice>
        )}
        <button class="btn btn-primary" disabled={busy || !reason.trim() || (dangerous && !agreed)}>
          {busy ? 'Approving' : `Approve ${plan.plan_sha256.slice(0, 8)}`}
        </button>
      </form>
    </Section>
  )
}

interface ApplyProps {
  id: string
  plan: Plan
  approval: Approval
  left: number
  dangerous: boolean
  target: string
  /** Why the last attempt did not begin. */
  failed: string | null
  onDone: () => void
}

function Apply({ id, plan, approval, left, dangerous, target, failed, onDone }: ApplyProps) {
  const [sure, setSure] = useState(false)
  const [agreed, setAgreed] = useState(false)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<string | null>(null)
  const apply = async (e: Event) => {
    e.preventDefault()
    setBusy(true)
    setError(null)
    try {
      await post(`/incidents/${encodeURIComponent(id)}/apply`, { dangerous: dangerous && agreed })
      onDone()
      setBusy(false)
    } catch (x) {
      setError(x instanceof Error ? x.message : String(x))
      setBusy(false)
    }
  }
  return (
    <Section title="Apply this plan" aside={<span role="timer">approval ends in {duration(left / 1000)}</span>}>
      <form class="space-y-3" onSubmit={apply}>
        <p>
          <Hash of={plan.plan_sha256} /> was approved by <strong>{approval.approver}</strong> at {dateTime(approval.at)} UTC:{' '}
          {approval.reason}
        </p>
        <label class="flex items-start gap-2">
          <input class="mt-1" type="checkbox" checked={sure} onChange={(e) => setSure(e.currentTarget.checked)} />
          <span>
            Run these {plan.actions.length === 1 ? 'commands' : `${plan.actions.length} steps`} on <strong>{target}</strong> now. Checks run
            before and after each; what fails is handled as the plan says.
          </span>
        </label>
        {dangerous && <Dangerous checked={agreed} onChange={setAgreed} text="I want it to be run all the same." />}
        {(error ?? failed) && (
          <Notice tone="bad" title="It was not applied">
            {error ?? failed}
          </Notice>
        )}
        <button class="btn btn-primary" disabled={busy || !sure || (dangerous && !agreed)}>
          {busy ? 'Starting' : `Apply to ${target}`}
        </button>
      </form>
    </Section>
  )
}
