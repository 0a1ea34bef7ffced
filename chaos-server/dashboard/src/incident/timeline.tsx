// The trace as it grows: a colour and a name for each agent, filters, and one click from a finding to its evidence.

import { useMemo, useRef, useState } from 'preact/hooks'
import type { AgentState, TraceEvent } from '../api/types'
import { commandLine, time } from '../format'
import { Icon } from '../ui/icons'
import { agentClass, Empty, Marked } from '../ui/parts'
import { VirtualList } from '../ui/virtual'
import { CiteChips } from './cites'
import { openTab } from './link'
import type { PanelProps } from './page'
import { type IncidentState, isApplying, isOver } from './state'

const AGENT_STATUS: Record<AgentState['status'], { mark: string; what: string }> = {
  waiting: { mark: '○', what: 'waits' },
  working: { mark: '●', what: 'works' },
  done: { mark: '✓', what: 'done' },
  failed: { mark: '✗', what: 'failed' },
  skipped: { mark: '–', what: 'skipped' },
}

export function Timeline({ id, incident }: PanelProps) {
  const { events, status } = incident
  const [agents, setAgents] = useState<string[]>([])
  const [type, setType] = useState('')
  const [find, setFind] = useState('')
  const [open, setOpen] = useState<ReadonlySet<number>>(new Set())
  // Only what came with the last answer is new; what was there at first is not.
  const seen = useRef({ before: Infinity, last: -1 })
  const newest = events[events.length - 1]?.seq ?? -1
  if (newest > seen.current.last) seen.current = { before: seen.current.last < 0 ? newest : seen.current.last, last: newest }

  const types = useMemo(() => [...new Set(events.map((e) => e.type))].sort(), [events])
  const low = find.trim().toLowerCase()
  const shown = useMemo(
    () =>
      agents.length || type || low
        ? events.filter(
            (e) =>
              (!agents.length || agents.includes(e.agent)) && (!type || e.type === type) && (!low || e.content.toLowerCase().includes(low)),
          )
        : events,
    [events, agents, type, low],
  )
  const toggle = (seq: number) =>
    setOpen((o) => {
      const next = new Set(o)
      if (!next.delete(seq)) next.add(seq)
      return next
    })
  const live = !isOver(status?.status)
  // What was watched live is followed to its last event, which comes when it is no longer live.
  const watched = useRef(false)
  if (live || isApplying(status)) watched.current = true
  return (
    <>
      <div class="flex-none space-y-2 border-b border-line bg-panel px-3 py-2">
        <div class="flex gap-1 max-sm:overflow-x-auto max-sm:[scrollbar-width:none] sm:flex-wrap" role="group" aria-label="Agents">
          {(status?.agents ?? []).map((a) => {
            const on = agents.includes(a.name)
            const state = AGENT_STATUS[a.status] ?? AGENT_STATUS.waiting
            return (
              <button
                key={a.name}
                type="button"
                aria-pressed={on}
                title={`${a.name}: ${state.what}${a.last ? `. ${a.last}` : ''}`}
                class={`${agentClass(a.name)} relative inline-flex flex-none items-center gap-1 rounded border px-1 py-0.5 text-[11px] ${on ? 'border-accent bg-accent-soft' : 'border-line hover:bg-sunken'} ${a.events ? '' : 'text-muted'}`}
                onClick={() => setAgents(on ? agents.filter((x) => x !== a.name) : [...agents, a.name])}
              >
                <span class="agent-swatch" aria-hidden="true" />
                {a.name}
                <span class="text-muted tabular-nums">{a.events}</span>
                <span
                  aria-hidden="true"
                  class={a.status === 'working' ? 'pulse text-accent' : a.status === 'failed' ? 'text-bad' : 'text-muted'}
                >
                  {state.mark}
                </span>
                <span class="sr-only">, {state.what}</span>
              </button>
            )
          })}
        </div>
        <div class="flex gap-2">
          <select class="field w-32! flex-none" aria-label="Type of event" value={type} onChange={(e) => setType(e.currentTarget.value)}>
            <option value="">All types</option>
            {types.map((t) => (
              <option key={t} value={t}>
                {t}
              </option>
            ))}
          </select>
          <input
            class="field"
            type="search"
            aria-label="Search the timeline"
            placeholder="Search the timeline"
            value={find}
            onInput={(e) => setFind(e.currentTarget.value)}
          />
          {(agents.length > 0 || type || find) && (
            <button
              type="button"
              class="btn flex-none"
              onClick={() => {
                setAgents([])
                setType('')
                setFind('')
              }}
            >
              Clear
            </button>
          )}
        </div>
        {shown.length !== events.length && (
          <p class="text-xs text-muted" role="status">
            {shown.length.toLocaleString('en-US')} of {events.length.toLocaleString('en-US')} events
          </p>
        )}
      </div>
      {shown.length === 0 ? (
        events.length === 0 ? (
          <Empty title={live ? 'Nothing has happened yet' : 'Nothing was recorded'}>
            {live ? 'Events appear here as the agents report them.' : null}
          </Empty>
        ) : (
          <Empty title="No event matches the filter" />
        )
      ) : (
        <VirtualList
          class="flex-1"
          label="Events"
          items={shown}
          keyOf={(e) => e.seq}
          estimate={44}
          subject={`${agents.join()} ${type} ${low}`}
          follow={watched.current}
          render={(e) => (
            <EventRow
              id={id}
              event={e}
              find={low}
              incident={incident}
              open={open.has(e.seq)}
              fresh={e.seq > seen.current.before}
              onToggle={() => toggle(e.seq)}
            />
          )}
        />
      )}
    </>
  )
}

interface RowProps {
  id: string
  event: TraceEvent
  find: string
  incident: IncidentState
  open: boolean
  fresh: boolean
  onToggle: () => void
}

function EventRow({ id, event: e, find, incident, open, fresh, onToggle }: RowProps) {
  if (e.type === 'phase') {
    return (
      <div class={`flex items-baseline gap-2 border-b border-line bg-sunken px-3 py-1 ${fresh ? 'row-new' : ''}`}>
        <button
          type="button"
          data-focus
          tabIndex={-1}
          class="flex min-w-0 flex-1 flex-wrap items-baseline gap-x-2 text-left"
          aria-expanded={open}
          onClick={onToggle}
        >
          <span class="mono text-xs! text-muted">{time(e.timestamp)}</span>
          <span class="text-xs font-semibold tracking-wide uppercase">{e.phase}</span>
          <span class="min-w-0 text-muted [overflow-wrap:anywhere]">
            <Marked text={e.content} find={find} />
          </span>
          {open && <Raw event={e} />}
        </button>
      </div>
    )
  }
  return (
    <div class={`${agentClass(e.agent)} border-b border-line border-l-3 border-l-(--agent) bg-panel ${fresh ? 'row-new' : ''}`}>
      <button
        type="button"
        data-focus
        tabIndex={-1}
        class="block w-full px-2.5 py-1 text-left hover:bg-sunken"
        aria-expanded={open}
        onClick={onToggle}
      >
        <span class="flex items-baseline gap-2 text-xs leading-4">
          <span class="mono text-xs! text-muted">{time(e.timestamp, open)}</span>
          <span class="agent-name">{e.agent}</span>
          <span class={`ml-auto ${e.type === 'error' ? 'font-semibold text-bad' : 'text-muted'}`}>{e.type}</span>
        </span>
        <span class="block leading-5 [overflow-wrap:anywhere]">
          <Marked text={e.content} find={find} />
        </span>
      </button>
      <Links id={id} event={e} incident={incident} open={open} />
      {open && <Raw event={e} />}
    </div>
  )
}

/** From an event to what it is about. */
function Links({ id, event: e, incident, open }: { id: string; event: TraceEvent; incident: IncidentState; open: boolean }) {
  const finding = typeof e.data?.finding === 'number' ? incident.json?.findings[e.data.finding] : undefined
  if (e.type === 'finding' && finding) {
    return (
      <div class="px-2.5 pb-1.5">
        <CiteChips id={id} seen={incident.seen} finding={e.data?.finding as number} cites={finding.cites} most={open ? 50 : 2} />
      </div>
    )
  }
  if (open && typeof e.data?.answer === 'number') {
    const answer = incident.json?.answers?.[e.data.answer]
    if (answer) {
      return (
        <div class="space-y-1 px-2.5 pb-1.5">
          <div class="code">{answer.ask.run ? commandLine(answer.ask.run.argv) : JSON.stringify(answer.ask)}</div>
          <div class="code max-h-60 overflow-y-auto" tabIndex={0} aria-label="Output">
            {answer.stdout || answer.stderr || 'It printed nothing.'}
          </div>
        </div>
      )
    }
  }
  const to = ({ diagnosis: 'diagnosis', fix: 'fix', risk: 'risk', report: 'files' } as const)[e.type as 'fix']
  if (!to) return null
  return (
    <div class="px-2.5 pb-1.5">
      <button type="button" class="chip" onClick={() => openTab(id, to)}>
        <Icon name="next" class="size-3" /> {{ diagnosis: 'how it was found', fix: 'the steps', risk: 'the risk', files: 'the report' }[to]}
      </button>
    </div>
  )
}

function Raw({ event: e }: { event: TraceEvent }) {
  const data = e.data ? JSON.stringify(e.data, null, 2) : null
  return (
    <div class="px-2.5 pb-2 text-xs text-muted">
      <span class="mono text-xs!">#{e.seq}</span>, phase {e.phase}, {e.timestamp}
      {data && (
        <div class="code mt-1 max-h-80 overflow-y-auto text-text" tabIndex={0} aria-label="Data">
          {data.length > 20_000 ? `${data.slice(0, 20_000)}\n… (all of it is in trace.json)` : data}
        </div>
      )}
    </div>
  )
}
