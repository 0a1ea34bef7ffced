// The small parts that all pages share.

import type { ComponentChildren } from 'preact'
import { useEffect, useId, useRef, useState } from 'preact/hooks'
import type { Level, Status, Verdict } from '../api/types'
import { words } from '../format'
import { Icon, type IconName } from './icons'

type Tone = 'ok' | 'warn' | 'bad' | 'accent' | 'none'
const TONES: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  accent: 'bg-accent-soft text-accent',
  none: 'bg-sunken text-muted',
}

export function Badge({
  tone,
  icon,
  spin = false,
  children,
}: {
  tone: Tone
  icon?: IconName
  spin?: boolean
  children: ComponentChildren
}) {
  return (
    <span class={`inline-flex items-center gap-1 rounded px-1.5 text-xs font-medium leading-5 whitespace-nowrap ${TONES[tone]}`}>
      {icon && <Icon name={icon} class={`-ml-0.5 size-3.5 ${spin ? 'spin' : ''}`} />}
      {children}
    </span>
  )
}

const STATUS: Record<Status, [Tone, IconName]> = {
  queued: ['none', 'clock'],
  running: ['accent', 'ring'],
  completed: ['ok', 'check'],
  applying: ['accent', 'ring'],
  failed: ['bad', 'cross'],
  stopped: ['warn', 'stop'],
  interrupted: ['bad', 'warn'],
}

export function StatusBadge({ status }: { status: Status }) {
  const [tone, icon] = STATUS[status] ?? ['none', 'dash']
  return (
    <Badge tone={tone} icon={icon} spin={status === 'running' || status === 'applying'}>
      {status}
    </Badge>
  )
}

const LEVELS: Record<Level, [Tone, IconName]> = {
  none: ['ok', 'check'],
  low: ['ok', 'check'],
  medium: ['warn', 'warn'],
  high: ['bad', 'warn'],
}

export function RiskBadge({ level, verdict }: { level: Level; verdict: Verdict }) {
  const [tone, icon] = verdict === 'dangerous' ? (['bad', 'warn'] as const) : (LEVELS[level] ?? ['warn', 'warn'])
  return (
    <Badge tone={tone} icon={icon}>
      {level === 'none' ? 'no' : level} risk, {words(verdict)}
    </Badge>
  )
}

export function Notice({
  tone,
  title,
  children,
  action,
}: {
  tone: 'bad' | 'warn' | 'none' | 'ok'
  title?: string
  children?: ComponentChildren
  action?: ComponentChildren
}) {
  const icon: IconName = tone === 'bad' ? 'cross' : tone === 'warn' ? 'warn' : tone === 'ok' ? 'check' : 'help'
  const border = { bad: 'border-bad', warn: 'border-warn', ok: 'border-ok', none: 'border-line' }[tone]
  return (
    <div
      role={tone === 'bad' ? 'alert' : 'status'}
      class={`flex flex-wrap items-start gap-2 rounded-md border bg-panel px-3 py-2 ${border}`}
    >
      <Icon name={icon} class={`mt-0.5 ${{ bad: 'text-bad', warn: 'text-warn', ok: 'text-ok', none: 'text-muted' }[tone]}`} />
      <div class="min-w-0 flex-1 [overflow-wrap:anywhere]">
        {title && <div class="font-semibold">{title}</div>}
        <div class="first-letter:uppercase">{children}</div>
      </div>
      {action}
    </div>
  )
}

/** What a panel shows when there is nothing to show: what that means, and what to do. */
export function Empty({ title, children }: { title: string; children?: ComponentChildren }) {
  return (
    <div class="mx-auto max-w-md px-4 py-10 text-center">
      <p class="font-semibold">{title}</p>
      {children && <div class="mt-1 text-muted">{children}</div>}
    </div>
  )
}

export function Loading({ what, rows = 6 }: { what: string; rows?: number }) {
  const widths = ['w-3/4', 'w-1/2', 'w-5/6', 'w-2/3']
  return (
    <div role="status" class="space-y-3 p-4">
      <span class="sr-only">Loading {what}</span>
      {Array.from({ length: rows }, (_, i) => (
        <div key={i} class={`pulse h-3 rounded bg-sunken ${widths[i % widths.length]}`} />
      ))}
    </div>
  )
}

export function Section({
  title,
  aside,
  children,
  id,
}: {
  title: string
  aside?: ComponentChildren
  children: ComponentChildren
  id?: string
}) {
  const name = useId()
  return (
    <section aria-labelledby={name} id={id} class="panel min-w-0">
      <div class="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 border-b border-line px-3 py-1">
        <h2 id={name} class="h2">
          {title}
        </h2>
        {aside && <div class="ml-auto flex flex-wrap items-center gap-2 text-xs text-muted">{aside}</div>}
      </div>
      <div class="p-3">{children}</div>
    </section>
  )
}

export function Copy({ text, label, class: className = '' }: { text: string | (() => Promise<string>); label: string; class?: string }) {
  const [state, set] = useState<'idle' | 'done' | 'failed'>('idle')
  const timer = useRef(0)
  useEffect(() => () => clearTimeout(timer.current), [])
  const copy = async () => {
    let to: 'done' | 'failed' = 'done'
    try {
      await navigator.clipboard.writeText(typeof text === 'string' ? text : await text())
    } catch {
      to = 'failed'
    }
    set(to)
    clearTimeout(timer.current)
    timer.current = window.setTimeout(() => set('idle'), 2000)
  }
  return (
    <button type="button" class={`btn ${className}`} onClick={copy}>
      <Icon name={state === 'done' ? 'check' : state === 'failed' ? 'cross' : 'copy'} />
      <span aria-live="polite">{state === 'done' ? 'Copied' : state === 'failed' ? 'Could not copy' : label}</span>
    </button>
  )
}

/** A modal dialog; Escape and the backdrop close it, and the focus goes back to where it was. */
export function Modal({ title, onClose, children }: { title: string; onClose: () => void; children: ComponentChildren }) {
  const ref = useRef<HTMLDialogElement>(null)
  const name = useId()
  useEffect(() => {
    const before = document.activeElement
    ref.current?.showModal()
    return () => {
      if (before instanceof HTMLElement) before.focus()
    }
  }, [])
  return (
    <dialog
      ref={ref}
      aria-labelledby={name}
      onClose={onClose}
      onClick={(e) => e.target === ref.current && ref.current?.close()}
      class="panel m-auto w-[min(34rem,calc(100vw-2rem))] p-0 text-text shadow-lg"
    >
      <div class="p-4">
        <h2 id={name} class="mb-2 text-base font-semibold">
          {title}
        </h2>
        {children}
      </div>
    </dialog>
  )
}

export function Agent({ name }: { name: string }) {
  return (
    <span class={`${agentClass(name)} inline-flex min-w-0 items-center gap-1.5`}>
      <span class="agent-swatch" aria-hidden="true" />
      <span class="agent-name truncate">{name}</span>
    </span>
  )
}

export const AGENTS = ['Coordinator', 'LogAgent', 'MetricsAgent', 'Investigator', 'FixerAgent', 'TesterAgent', 'ReporterAgent']

export function agentClass(name: string): string {
  return AGENTS.includes(name) ? `agent-${name}` : 'agent-other'
}

/** Text with what was searched for marked. */
export function Marked({ text, find }: { text: string; find: string }) {
  if (!find) return <>{text}</>
  const parts = []
  const low = text.toLowerCase()
  const want = find.toLowerCase()
  let at = 0
  for (let hit = low.indexOf(want); hit >= 0 && parts.length < 200; hit = low.indexOf(want, at)) {
    if (hit > at) parts.push(text.slice(at, hit))
    parts.push(<mark key={hit}>{text.slice(hit, hit + want.length)}</mark>)
    at = hit + want.length
  }
  parts.push(text.slice(at))
  return <>{parts}</>
}

export function Bar({ value, label }: { value: number; label: string }) {
  const share = Math.max(0, Math.min(1, value))
  return (
    <span class="flex items-center gap-2">
      <span class="h-1.5 w-16 flex-none rounded-sm bg-sunken" aria-hidden="true">
        <span class="block h-full rounded-sm bg-accent" style={{ width: `${share * 100}%` }} />
      </span>
      <span class="tabular-nums">{label}</span>
    </span>
  )
}
